"""The Inspector in Notebook 7: the same pixels as in JupyterLab, and as the engine's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

import zfwidgets as zf
from tests.browser import conftest, hosts
from tests.browser.inspector_page import InspectorPage, likeness
from tests.browser.pictures import take

CELL = "import zfwidgets as zf\n\nzf.Inspector('zfnet', 'raccoon')"


@pytest.fixture(scope="module")
def opened(chromium: Browser, lab: hosts.Host) -> Iterator[InspectorPage]:
    """A notebook with the one-liner, alone in the window as Notebook 7 shows it."""
    name = "inspector-7.ipynb"
    conftest.write_notebook(lab.folder / name, CELL)
    lab.attach(name, conftest.kernel_of(lab))
    page = conftest.new_page(chromium)
    page.goto(f"{lab.url}/notebooks/{name}")
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady")
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    inspector = InspectorPage(page)
    expect(inspector.root).to_be_visible(timeout=conftest.KERNEL_LIMIT)
    yield inspector
    conftest.leave(page)
    page.context.close()


def test_a_click_projects_what_the_engine_projects(opened: InspectorPage) -> None:
    recording = zf.load("zfnet", device="cpu").record(zf.samples()["raccoon"].open())
    neurons = recording.strongest("conv4")
    channel = int(neurons.value.argmax())
    expected = recording.project(neurons[[channel]]).to_images(canvas=True)[0]
    opened.choose_layer("conv4")
    opened.wait_for_layer("conv4")
    opened.click_channel(channel)
    opened.until(
        lambda: np.array_equal(opened.figure(0), recording.seen()[0]), "the photo is the raccoon"
    )
    opened.until(
        lambda: np.array_equal(opened.figure(1), expected), "the projection is the engine's"
    )
    opened.choose_mode("Feature map")
    opened.wait_for_layer("conv4")
    feature_map = recording.feature_maps("conv4")[0, channel].numpy()
    opened.until(
        lambda: likeness(opened.tile(channel), feature_map) > 0.95, "the tile is the feature map"
    )


def test_keys_inside_do_not_reach_the_notebook(opened: InspectorPage) -> None:
    cells = "jupyterapp.shell.currentWidget.content.model.cells.length"
    before = opened.page.evaluate(cells)
    opened.layers.locator('[role=option][data-id="conv4"]').focus()
    for key in ("a", "b", "x"):  # insert a cell above, below, cut
        opened.page.keyboard.press(key)
        assert opened.page.evaluate(cells) == before, key


def test_it_fits_the_narrow_column_of_a_notebook(opened: InspectorPage, screenshots: Path) -> None:
    opened.page.set_viewport_size({"width": 900, "height": 1600})
    assert opened.root.evaluate("root => root.scrollWidth - root.clientWidth") <= 0
    take(opened.root, screenshots / "notebook-900.png")
