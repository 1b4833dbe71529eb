"""The Inspector in marimo, which shows its parts one below the other: linked, the same pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect

import zfwidgets as zf
from tests.browser import conftest, hosts
from tests.browser.inspector_page import InspectorPage
from tests.browser.pictures import take
from zfwidgets.deconv import Neurons

NOTEBOOK = """
import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import zfwidgets as zf

    inspector = zf.Inspector("zfnet", image=["cat", "dogs"], layer="conv5")
    inspector
    return
"""


@pytest.fixture(scope="module")
def complaints() -> list[str]:
    """What the page's console calls an error."""
    return []


@pytest.fixture(scope="module")
def asked() -> set[str]:
    """What the page has asked for, without the address of its own server."""
    return set()


@pytest.fixture(scope="module")
def inspector(
    chromium: Browser,
    tmp_path_factory: pytest.TempPathFactory,
    complaints: list[str],
    asked: set[str],
) -> Iterator[InspectorPage]:
    """The notebook as an app, with the Inspector on the screen."""
    folder = tmp_path_factory.mktemp("marimo")
    (folder / "notebook.py").write_text(NOTEBOOK)
    with hosts.marimo(folder / "notebook.py", tmp_path_factory.mktemp("marimo-home")) as host:
        page = conftest.new_page(chromium, viewport={"width": 1400, "height": 1800})

        def hear(message: ConsoleMessage) -> None:
            # Errors of the kernel come as log.
            if message.type == "error" or "[STDERR]" in message.text:
                complaints.append(message.text)

        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.add(request.url.removeprefix(host.url)))
        page.goto(host.url)
        shown = InspectorPage(page, "body")
        try:
            title = page.locator(".zf-projection-title").first
            expect(title).to_contain_text("conv5 · channel", timeout=conftest.KERNEL_LIMIT)
        except AssertionError as error:
            error.add_note(f"the server's log:\n{host.log.read_text()[-4000:]}")
            raise
        yield shown
        page.context.close()


def test_photo_layer_channel_and_place_are_those_of_the_engine(
    inspector: InspectorPage, complaints: list[str]
) -> None:
    recording = zf.load("zfnet", device="cpu").record(zf.sample("dogs").open())
    neurons = recording.strongest("conv3")
    best, other = neurons.value.argsort(descending=True)[:2].tolist()

    title = inspector.page.locator(".zf-projection-title").first

    def shows(neuron: Neurons) -> None:
        expected = recording.project(neuron).to_images(canvas=True)[0]
        inspector.until(
            lambda: np.array_equal(inspector.figure(1), expected), "the projection is the engine's"
        )

    inspector.choose_layer("conv5")  # where it begins, if the test is run again
    inspector.choose_photo("dogs")
    inspector.choose_layer("conv3")
    expect(title).to_contain_text(f"conv3 · channel {best}")
    shows(neurons[[best]])
    inspector.until(
        lambda: np.array_equal(inspector.figure(0), recording.seen()[0]), "the photo is the dogs'"
    )
    inspector.click_channel(other)
    expect(title).to_contain_text(f"conv3 · channel {other}")
    shows(neurons[[other]])
    # Maps of 13 x 13: their middle sees the middle of the photo.
    inspector.page.locator(".zf-pane-frame").first.click()
    expect(inspector.page.locator(".zf-projection-line").first).to_contain_text("row 6, column 6")
    shows(recording.neurons("conv3", image=0, channel=other, row=6, col=6))
    assert not complaints


def test_the_page_asks_nobody_but_its_own_server(inspector: InspectorPage, asked: set[str]) -> None:
    inspector.choose_layer("conv3")
    inspector.wait_for_layer("conv3")
    assert asked
    assert not {url for url in asked if not url.startswith(("/", "data:", "blob:"))}


def test_the_parts_fill_the_page_one_below_the_other(
    inspector: InspectorPage, screenshots: Path
) -> None:
    inspector.choose_layer("conv3")
    inspector.wait_for_layer("conv3")
    parts = (".zf-image-picker", ".zf-layer-selector", ".zf-channel-browser", ".zf-projection-view")
    boxes = [inspector.page.locator(part).bounding_box() for part in parts]
    below = 0.0
    for part, box in zip(parts, boxes, strict=True):
        assert box is not None, part
        assert box["y"] >= below, part
        assert box["width"] > 0.8 * 1400, part
        below = box["y"] + box["height"]
    assert inspector.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    take(inspector.page, screenshots / "marimo.png", whole=True)
