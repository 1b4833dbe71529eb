"""An Inspector in JupyterLab whose page computes: Python's pixels, and Python where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import zfwidgets as zf
from tests.browser import conftest, hosts
from tests.browser.inspector_page import InspectorPage, Pixels, likeness
from tests.browser.pictures import take

CELL = """import zfwidgets as zf

inspector = zf.Inspector('zfnet', compute='page')
inspector"""


@pytest.fixture(scope="module")
def inspector(lab_page: Page, lab: hosts.Host) -> Iterator[InspectorPage]:
    """A notebook whose page computes, for all tests of this file."""
    with conftest.notebook(lab_page, lab, "page-engine.ipynb", CELL) as page:
        inspector = InspectorPage(page)
        expect(inspector.root).to_be_visible()
        inspector.wait_for_layer("conv5")
        yield inspector


def strongest(recording: zf.Recording, layer: str) -> list[int]:
    """Channels of a layer, the one with the largest value first."""
    order: list[int] = recording.strongest(layer).value.argsort(descending=True).tolist()
    return order


NOT_TIED = 0.9999
"""Share of the pixels that must agree within two levels: equal maxima of a pool may change."""


def shows(inspector: InspectorPage, expected: Pixels) -> bool:
    """Is the large projection this picture?"""
    shown = inspector.figure(1)
    if shown.shape != expected.shape:
        return False
    return float((np.abs(shown.astype(int) - expected) <= 2).mean()) > NOT_TIED


def projection(recording: zf.Recording, layer: str, channel: int, **how: Any) -> Pixels:
    """The strongest neuron of a channel on the whole picture."""
    found = recording.project(recording.strongest(layer, [channel]), **how)
    return found.to_images(canvas=True)[0]


def asked(inspector: InspectorPage, value: str, code: str = "") -> str:
    """What the kernel gives for an expression, after some code."""
    result = inspector.page.evaluate(
        """async ({ value, code }) => {
            const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
            const future = kernel.requestExecute({ code, user_expressions: { value } });
            const { content } = await future.done;
            return content.user_expressions.value.data['text/plain'];
        }""",
        {"value": value, "code": code},
    )
    return str(result)


def test_what_the_page_cannot_run_is_said_in_the_head_and_python_computes(
    chromium: Browser, lab: hosts.Host, screenshots: Path
) -> None:
    page = conftest.new_page(chromium)
    # As where workers are forbidden: by a policy of the site, or by an old browser.
    page.add_init_script(
        """window.Worker = class { constructor() { throw new Error("no workers here"); } };"""
    )
    conftest.write_notebook(lab.folder / "no-workers.ipynb", CELL)
    # The first of this file: another notebook's page would compute what this one cannot.
    conftest.open_in_lab(page, lab, "no-workers.ipynb")
    inspector = InspectorPage(page)
    note = inspector.root.locator(".zf-head-note")
    expect(note).to_have_text("Python computes instead of this page: no workers here")
    inspector.wait_for_layer("conv5")
    recording = zf.load("zfnet", device="cpu").record(zf.samples()["cat"].open())
    channel = strongest(recording, "conv5")[0]
    inspector.until(
        lambda: shows(inspector, projection(recording, "conv5", channel)), "the projection"
    )
    assert asked(inspector, "inspector.compute, inspector.status") == "('kernel', 'ready')"
    take(inspector.root, screenshots / "lab-compute-instead.png")
    conftest.leave(page)
    page.context.close()


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
    take(inspector.root, screenshots / "lab-compute-page.png")


def test_a_layer_and_a_channel_that_are_clicked_are_projected_as_python_projects(
    inspector: InspectorPage, net: zf.DeconvNet
) -> None:
    recording = net.record(zf.samples()["cat"].open())
    inspector.choose_layer("conv3")
    inspector.wait_for_layer("conv3")
    first, second = strongest(recording, "conv3")[:2]
    inspector.until(
        lambda: shows(inspector, projection(recording, "conv3", first)), "the strongest channel"
    )
    inspector.click_channel(second)
    inspector.until(
        lambda: shows(inspector, projection(recording, "conv3", second)), "the channel clicked"
    )
    inspector.choose_mode("Feature map")
    inspector.wait_for_layer("conv3")
    inspector.until(
        lambda: (
            likeness(inspector.tile(second), recording.feature_maps("conv3")[0, second].numpy())
            > 0.95
        ),
        "the tile is the feature map",
    )
    inspector.until(
        lambda: asked(inspector, "(inspector.layer, inspector.channel)") == f"('conv3', {second})",
        "Python knows layer and channel",
    )
    assert asked(inspector, "inspector.browser.mode") == "'feature map'"


def test_what_python_sets_is_computed_in_the_page(
    inspector: InspectorPage, net: zf.DeconvNet
) -> None:
    recording = net.record(zf.samples()["dogs"].open())
    channel = strongest(recording, "conv4")[2]
    asked(
        inspector,
        "0",
        f"inspector.picker.value = 'dogs'; inspector.layer = 'conv4'; "
        f"inspector.channel = {channel}; inspector.rule = 'guided'",
    )
    inspector.until(
        lambda: shows(inspector, projection(recording, "conv4", channel, rule="guided")),
        "photo, layer, channel and rule are Python's",
    )
    assert np.array_equal(inspector.figure(0), recording.seen()[0]), "prepared by Python, lossless"
    neuron = recording.neurons("conv4", channel=channel, row=3, col=5)
    expected = recording.project(neuron, rule="guided").to_images(canvas=True)[0]
    asked(inspector, "0", "inspector.view.place = (3, 5)")
    inspector.until(lambda: shows(inspector, expected), "the neuron at the place")
    inspector.until(
        lambda: asked(inspector, "inspector.view.neuron['row']") == "3", "Python knows the neuron"
    )
    value = float(asked(inspector, "inspector.view.neuron['value']"))
    assert value == pytest.approx(float(neuron.value[0]), rel=1e-4)
    asked(inspector, "0", "inspector.rule = 'deconvnet'")


def test_an_uploaded_photo_goes_through_python_to_the_page(
    inspector: InspectorPage, net: zf.DeconvNet, tmp_path: Path
) -> None:
    picture = tmp_path / "mine.png"
    zf.sample("mountains").open().crop((20, 0, 420, 300)).save(picture)
    recording = net.record(Image.open(picture))
    inspector.choose_layer("conv5")
    inspector.upload(picture)
    inspector.until(
        lambda: np.array_equal(inspector.figure(0), recording.seen()[0]), "the photo is mine"
    )
    channel = strongest(recording, "conv5")[0]
    inspector.click_channel(channel)
    inspector.until(
        lambda: shows(inspector, projection(recording, "conv5", channel)), "so is the projection"
    )
    labels = inspector.root.locator(".zf-guesses .zf-guess bdi")
    expected = [label for label, _ in recording.top_classes()[0]]
    inspector.until(lambda: labels.all_inner_texts() == expected, "what it is taken for")
    assert asked(inspector, "inspector.recording") == "None"


def test_a_second_inspector_of_the_network_takes_the_weights_from_the_page(
    inspector: InspectorPage,
) -> None:
    sent = "inspector._page.engine._responder.stats()['bytes']"
    weights = "inspector._page.engine._written()[1].graph['weights']['bytes']"
    assert int(asked(inspector, sent)) > int(asked(inspector, weights)) > 5_000_000
    code = "second = zf.Inspector('zfnet', 'bee', compute='page')"
    asked(inspector, "0", code)
    inspector.until(
        lambda: asked(inspector, "second.status, second.compute") == "('ready', 'page')",
        "the second one computes",
    )
    assert int(asked(inspector, sent.replace("inspector.", "second.", 1))) < 2_000_000
    asked(inspector, "0", "second.close()")
