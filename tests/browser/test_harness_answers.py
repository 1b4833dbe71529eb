"""The four answers to "what is this channel?" in Chromium, joined to the real strip and engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

import zfwidgets as zf
from tests.browser.conftest import SCREENSHOTS
from tests.browser.live import LiveWidget
from tests.browser.pictures import take
from tests.browser.pixels import on_canvas
from tests.browser.test_accessibility import findings
from tests.unit.widgets.browsing import TinyNet
from zfwidgets.deconv import DeconvNet
from zfwidgets.widgets.exemplar_strip import ExemplarStrip

ANSWERED = """
document.querySelectorAll('.zf-answer[data-state="ready"]').length === 3
  && document.querySelector('.zf-answer[data-answer="photo"] canvas') !== null
"""
READY = f"""
{ANSWERED} && document.querySelector('.zf-exemplar-strip').dataset.state === 'ready'
  && document.querySelectorAll('.zf-strip-pair').length === 9
"""
Open = Callable[..., LiveWidget]


@pytest.fixture(scope="module")
def bee(net: DeconvNet) -> Any:
    return net.record(zf.sample("bee").open())


@pytest.fixture(scope="module")
def excited(net: DeconvNet, telling: int) -> Any:
    """The photo that excites the telling channel most; in others it may be silent."""
    name, *_ = zf.exemplars(net, layer="conv5").of(telling)[0]
    return net.record(zf.gallery()[name].open())


@pytest.fixture
def show(page: Page) -> Iterator[Open]:
    opened: list[ExemplarStrip] = []

    def build(net: Any, theme: str = "light", **how: Any) -> LiveWidget:
        strip = ExemplarStrip(net, four=True, **how)
        opened.append(strip)
        return LiveWidget(page, strip, "exemplar-strip", theme)

    yield build
    for strip in opened:
        strip.close()


def answer(live: LiveWidget, name: str) -> Any:
    return live.page.locator(f'.zf-answer[data-answer="{name}"]')


def test_the_four_stand_side_by_side_each_with_what_it_can_say(
    show: Open, net: DeconvNet, bee: Any
) -> None:
    live = show(net, recording=bee, layer="conv1", channel=9)
    live.page.set_viewport_size({"width": 1400, "height": 700})
    live.until(READY)
    expect(live.page.locator(".zf-strip-title")).to_have_text("What is channel 9 of conv1?")
    names = ["filter", "photo", "nine", "synthesised"]
    boxes = [answer(live, name).bounding_box() for name in names]
    assert all(boxes)
    lefts = [box["x"] for box in boxes if box]
    assert lefts == sorted(lefts)
    assert len({round(box["y"]) for box in boxes if box}) == 1, "in one row"
    for name in names:
        expect(answer(live, name).locator(".zf-answer-note")).to_be_visible()
    shown = on_canvas(answer(live, "synthesised").locator("canvas"))
    expected = zf.synthesized("zfnet", "conv1").images[9]
    assert np.abs(shown.astype(int) - expected).max() <= 1
    sizes = {
        round(width)
        for width in live.page.locator(".zf-strip-picture").evaluate_all(
            "all => all.map((one) => one.getBoundingClientRect().width)"
        )
    }
    assert max(sizes) - min(sizes) <= 1, "all pictures are of one size"


def test_a_deeper_filter_is_told_in_words(
    show: Open, net: DeconvNet, excited: Any, telling: int
) -> None:
    live = show(net, recording=excited, layer="conv5", channel=telling)
    live.until(READY)
    expect(answer(live, "filter")).to_contain_text("No picture: 384 kernels on conv4")
    expect(answer(live, "filter").locator("canvas")).to_have_count(0)
    upper = on_canvas(answer(live, "photo").locator("canvas").first)
    neuron = excited.strongest("conv5", [telling])
    top, left, bottom, right = excited.layers["conv5"].box(int(neuron.row[0]), int(neuron.col[0]))
    photo = np.pad(excited.seen()[0], ((150, 150), (150, 150), (0, 0)), constant_values=128)
    seen = photo[150 + top : 150 + bottom, 150 + left : 150 + right]
    assert np.abs(upper.astype(int) - seen).mean() < 6, "but for compression and the margin's grey"


def test_another_photo_changes_one_answer_only(show: Open, net: DeconvNet, bee: Any) -> None:
    cat = net.record(zf.sample("cat").open())
    strong = torch.minimum(*(photo.strongest("conv5").value for photo in (bee, cat)))
    live = show(net, recording=bee, layer="conv5", channel=int(strong.argmax()))
    live.until(READY)
    before = on_canvas(answer(live, "photo").locator("canvas").first)
    kept = on_canvas(answer(live, "synthesised").locator("canvas"))
    live.page.evaluate("window.old = document.querySelector('[data-answer=photo] canvas')")
    live.widget.recording = cat
    live.until("!window.old.isConnected")
    after = on_canvas(answer(live, "photo").locator("canvas").first)
    assert np.abs(before.astype(int) - after).mean() > 10
    np.testing.assert_array_equal(on_canvas(answer(live, "synthesised").locator("canvas")), kept)


def test_ones_own_network_has_its_picture_synthesised_by_a_click(show: Open) -> None:
    torch.manual_seed(1)
    how = zf.Preprocess(size=32, resize=32)
    tiny = DeconvNet(TinyNet().eval(), how, device="cpu", name="tiny")
    recording = tiny.record(zf.sample("cat").open())
    live = show(tiny, recording=recording, layer="conv2", channel=3)
    live.until(ANSWERED)
    cell = answer(live, "synthesised")
    expect(cell).to_contain_text("None comes with this network.")
    expect(answer(live, "nine")).to_contain_text("pictures must be shown to tiny first")
    cell.get_by_role("button", name="Synthesise").click()
    live.until("model.state.synthesis.step > 0 || model.state._answers.cells.synthesised.sheet")
    live.until("document.querySelector('[data-answer=synthesised] canvas') !== null", timeout=60)
    expect(cell.get_by_role("button", name="Synthesise")).to_be_hidden()
    expect(cell.get_by_role("progressbar")).to_be_hidden()


def test_synthesising_can_be_stopped(show: Open, bee: Any) -> None:
    other = zf.load("zfnet", untrained=True, device="cpu")
    recording = other.record(zf.sample("bee").open())
    live = show(other, recording=recording, layer="conv5", channel=0)
    live.until(ANSWERED, timeout=60)
    cell = answer(live, "synthesised")
    cell.get_by_role("button", name="Synthesise").click()
    live.until("model.state.synthesis.step > 1", timeout=60)
    expect(cell.get_by_role("progressbar")).to_be_visible()
    cell.get_by_role("button", name="Stop").click()
    live.until("model.state.synthesis.step === undefined", timeout=60)
    expect(cell.get_by_role("button", name="Synthesise")).to_be_visible()
    assert live.widget._answers["cells"]["synthesised"].get("offer")


@pytest.mark.parametrize(("layer", "channel"), [("conv1", 9), ("conv5", None)])
def test_it_fits_the_page(
    show: Open, net: DeconvNet, excited: Any, telling: int, layer: str, channel: int | None
) -> None:
    channel = telling if channel is None else channel
    live = show(net, recording=excited, layer=layer, channel=channel)
    for theme, locale in (("light", "en"), ("dark", "ko")):
        live.widget.locale = locale
        for width in (1400, 640, 390):
            live.look(theme, width, height=700)
            live.until(READY)
            told = f"{layer}-{theme}-{width}"
            assert live.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), told
            take(live.page, SCREENSHOTS / f"answers-{told}.png", whole=True)
            assert findings(live.page, ".zf-exemplar-strip") == [], told
