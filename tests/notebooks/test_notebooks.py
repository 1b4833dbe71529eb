"""The notebooks run from top to bottom, and show what their words promise."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from jupyter_client.manager import KernelManager
from PIL import Image

import zfwidgets as zf
from scripts import run_quickstart

pytestmark = pytest.mark.notebook

NOTEBOOKS = sorted(run_quickstart.NOTEBOOKS.glob("*.ipynb"))
EMPTY = """
import ipywidgets
ipywidgets.Widget.close_all()
get_ipython().run_line_magic("reset", "-f")
"""
WIDGET = "application/vnd.jupyter.widget-view+json"


@cache
def kernel() -> KernelManager:
    """One kernel for all notebooks, for importing torch takes longer than most of them."""
    manager = KernelManager()
    manager.start_kernel(cwd=str(run_quickstart.NOTEBOOKS))
    return manager


@pytest.fixture(scope="module", autouse=True)
def _shut_down() -> Iterator[None]:
    yield
    if kernel.cache_info().currsize:
        kernel().shutdown_kernel(now=True)
        kernel().cleanup_resources()


def emptied() -> None:
    """Close the widgets and forget the names of the notebook that was run before."""
    client = kernel().client()
    client.start_channels()
    client.wait_for_ready()
    reply = client.execute_interactive(EMPTY, allow_stdin=False)
    client.stop_channels()
    assert reply["content"]["status"] == "ok"


@cache
def executed(name: str) -> Any:
    """A notebook with its outputs; an error in a cell fails the test. Run once."""
    emptied()
    return run_quickstart.execute(run_quickstart.NOTEBOOKS / name, kernel())


def code_cells(notebook: Any) -> list[Any]:
    """The cells that run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def last_output(cell: Any) -> dict[str, Any]:
    """The mime bundle that a cell ends with."""
    bundle: dict[str, Any] = cell.outputs[-1]["data"]
    return bundle


def pixels(bundle: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The picture in a mime bundle: uint8 [H, W, 3]."""
    png = base64.b64decode(bundle["image/png"])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_stored_without_outputs(path: Path) -> None:
    for cell in code_cells(nbformat.read(path, as_version=4)):
        assert cell.outputs == []
        assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_run_and_write_nothing_to_stderr(path: Path) -> None:
    for cell in code_cells(executed(path.name)):
        assert not [o for o in cell.outputs if o.get("name") == "stderr"], cell.source


def test_the_quickstart_goes_from_nothing_to_the_inspector_in_six_cells() -> None:
    cells = code_cells(executed("quickstart.ipynb"))
    assert len(cells) == 6
    assert cells[0].source.startswith("import zfwidgets")
    assert WIDGET in last_output(cells[-1])


def test_the_classes_printed_are_those_of_the_engine_most_probable_first() -> None:
    printed = code_cells(executed("quickstart.ipynb"))[1].outputs[0]["text"]
    recording = zf.load("zfnet", device="cpu").record(zf.samples()["cat"].open())
    labels = [line.partition("%  ")[2] for line in printed.splitlines()]
    assert labels == [label for label, _ in recording.top_classes(3)[0]]


def test_the_chosen_neurons_window_is_the_eye_and_its_projection_is_no_flat_grey() -> None:
    picture = pixels(last_output(code_cells(executed("quickstart.ipynb"))[3]))
    side = 75 * 6
    assert picture.shape == (side, 2 * side + 12, 3)
    eye, projection = picture[:, :side], picture[:, side + 12 :]
    # Chelsea's iris is green-yellow around a dark pupil; her fur is reddish.
    iris = eye[side // 2 - 60 : side // 2 + 60, side // 2 - 100 : side // 2 + 100]
    assert (iris[..., 1] > iris[..., 2] + 20).mean() > 0.3
    assert (iris.max(axis=2) < 70).mean() > 0.05
    assert projection.std() > 10


def test_the_contact_sheet_shows_24_different_tiles() -> None:
    sheet = pixels(last_output(code_cells(executed("quickstart.ipynb"))[4]))
    assert sheet.shape[0] > 4 * 100
    assert sheet.shape[1] > 6 * 100
    assert sheet.std() > 10


def test_every_step_by_hand_is_the_librarys_and_leaving_steps_out_changes_the_picture() -> None:
    cells = code_cells(executed("steps.ipynb"))
    checked = "".join(output["text"] for output in cells[2].outputs).split()
    assert checked == ["rectify", "True", "filter", "True", "unpool", "True", "all", "True"]
    assert WIDGET in last_output(cells[3])
    assert pixels(last_output(cells[3])).std() > 10
    sheet = pixels(last_output(cells[4]))
    # Five tiles side by side; at the edge of a picture the window is no square.
    assert max(sheet.shape[0], sheet.shape[1] / 5) > 220
    assert sheet.shape[1] > 2 * sheet.shape[0]
    assert sheet.std() > 10


def test_the_four_answers_differ_and_the_synthesised_one_excites_most() -> None:
    cells = code_cells(executed("four-answers.ipynb"))
    (told,) = (o["text"] for c in cells if "best photograph" in c.source for o in c.outputs)
    photograph, synthesised = (float(part.split()[-1]) for part in told.split(","))
    assert synthesised > 2 * photograph > 0
    sheets = [last_output(cell) for cell in cells if "contact_sheet" in cell.source]
    assert len(sheets) == 4
    assert all(pixels(sheet).std() > 10 for sheet in sheets)
    assert WIDGET in last_output(cells[-1])


def test_the_dashboard_is_one_widget() -> None:
    (cell,) = code_cells(executed("dashboard.ipynb"))
    assert WIDGET in last_output(cell)


def test_the_demo_without_a_screen_leaves_the_notebook_and_the_contact_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_quickstart, "execute", lambda path: executed(path.name))
    assert run_quickstart.main(tmp_path / "demo") == 0
    notebook = nbformat.read(tmp_path / "demo" / "quickstart.ipynb", as_version=4)
    assert all(cell.outputs for cell in code_cells(notebook)[:2])
    with Image.open(tmp_path / "demo" / "contact-sheet.png") as sheet:
        assert min(sheet.size) > 300
    assert "contact-sheet.png" in capsys.readouterr().out
