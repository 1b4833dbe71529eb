"""An Inspector in JupyterLab whose page computes: the same pixels as Python's, and Python where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

import zfwidgets as zf
from tests.browser import conftest, hosts
from tests.browser.inspector_page import InspectorPage, likeness

CELL = """import zfwidgets as zf

inspector = zf.Inspector('zfnet', compute='page')
inspector"""


@pytest.fixture(scope="module")
def net() -> zf.DeconvNet:
    """The network of the page, in the test's own process."""
    return zf.load("zfnet", device="cpu")


@pytest.fixture(scope="module")
def inspector(chromium: Browser, lab: hosts.Host) -> Iterator[InspectorPage]:
    """A notebook whose page computes, for all tests of this file."""
    page = conftest.new_page(chromium)
    conftest.write_notebook(lab.folder / "page-engine.ipynb", CELL)
    conftest.open_in_lab(page, lab, "page-engine.ipynb")
    inspector = InspectorPage(page)
    expect(inspector.root).to_be_visible()
    inspector.wait_for_layer("conv5")
    yield inspector
    page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
    page.context.close()


def strongest(recording: zf.Recording, layer: str) -> list[int]:
    """Channels of a layer, the one with the largest value first."""
    order: list[int] = recording.strongest(layer).value.argsort(descending=True).tolist()
    return order


def asked(inspector: InspectorPage, code: str) -> str:
    """What the kernel gives for an expression."""
    result = inspector.page.evaluate(
        """async (code) => {
            const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
            const future = kernel.requestExecute({
                code: '', silent: true, user_expressions: { it: code },
            });
            const { content } = await future.done;
            return content.user_expressions.it.data['text/plain'];
        }""",
        code,
    )
    return str(result)


def test_the_kernel_records_nothing_and_knows_what_the_page_shows(
    inspector: InspectorPage, net: zf.DeconvNet, screenshots: Path
) -> None:
    recording = net.record(zf.samples()["cat"].open())
    best = strongest(recording, "conv5")[0]
    inspector.until(
        lambda: asked(inspector, "inspector.view.neuron.get('channel')") == str(best),
        "Python knows the neuron",
    )
    assert asked(inspector, "inspector.recording is inspector.browser.recording is None") == "True"
    assert asked(inspector, "(inspector.compute, inspector.status)") == "('page', 'ready')"
    assert asked(inspector, "inspector.channel") == str(best)
    (label, p), *_ = recording.top_classes()[0]
    assert asked(inspector, "inspector.head.classes[0]['label']") == repr(label)
    assert abs(float(asked(inspector, "inspector.head.classes[0]['p']")) - p) < 1e-3
    expect(inspector.root.locator(".zf-head-name")).to_have_text("zfnet in this page")
    expect(inspector.root.locator(".zf-head-note")).to_be_hidden()
    inspector.root.screenshot(path=screenshots / "lab-compute-page.png")
