"""``import zfwidgets`` costs nothing: torch and Jupyter come with the names that need them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.packaging

HEAVY = {
    "torch",
    "torchvision",
    "numpy",
    "PIL",
    "anywidget",
    "ipywidgets",
    "traitlets",
    "IPython",
    "ipykernel",
    "jupyter_client",
    "jupyter_core",
    "bqplot",
}


def modules_after(statement: str) -> set[str]:
    """The top-level modules of a fresh interpreter after one statement."""
    program = (
        f"{statement}\nimport sys, json\nprint(json.dumps([m.split('.')[0] for m in sys.modules]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(answer.stdout))


def test_importing_the_package_loads_neither_torch_nor_jupyter() -> None:
    assert not modules_after("import zfwidgets") & HEAVY


def test_the_command_line_starts_without_torch_and_jupyter() -> None:
    assert not modules_after("import zfwidgets.cli") & HEAVY


def test_the_engine_needs_no_jupyter() -> None:
    loaded = modules_after("import zfwidgets; zfwidgets.DeconvNet")
    assert "torch" in loaded
    assert not loaded & {"anywidget", "ipywidgets", "traitlets", "IPython", "bqplot"}


def test_readers_of_rare_files_are_loaded_with_the_first_such_file() -> None:
    loaded = modules_after("import zfwidgets.images")
    assert not loaded & {"pi_heif", "pillow_heif", "pydicom", "nibabel"}


def test_every_public_name_can_be_had() -> None:
    program = (
        "import zfwidgets as zf; print([n for n in zf.__all__ if getattr(zf, n, None) is None])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    import zfwidgets

    with pytest.raises(AttributeError, match="deconvolve"):
        zfwidgets.deconvolve  # noqa: B018


def test_inspectors_and_checkpoints_open_without_compilers_and_tables() -> None:
    """Each of these takes as long to import as torch does, and every kernel would."""
    loaded = modules_after(
        "import zfwidgets as zf; net = zf.load('zfnet'); "
        "zf.Inspector(net, image='cat', inline=True); net.record(zf.sample('cat')); "
        "zf.checkpoints('zfnet')[0]"
    )
    assert {"torch", "ipywidgets"} <= loaded
    assert not loaded & {"sympy", "torchvision", "pandas", "bqplot"}
