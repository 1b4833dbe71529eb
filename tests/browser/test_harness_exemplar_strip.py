"""The shipped strip of exemplars in Chromium, joined to the real widget and engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import zfwidgets as zf
from tests.browser.conftest import SCREENSHOTS
from tests.browser.live import LiveWidget
from tests.browser.pictures import take
from tests.browser.pixels import on_canvas
from tests.browser.test_accessibility import findings
from zfwidgets.deconv import DeconvNet
from zfwidgets.widgets.exemplar_strip import ExemplarStrip

READY = """
document.querySelector('.zf-exemplar-strip').dataset.state === 'ready'
  && document.querySelectorAll('.zf-strip-pair').length === 9
"""
Open = Callable[..., LiveWidget]


@pytest.fixture
def show(page: Page) -> Iterator[Open]:
    opened: list[ExemplarStrip] = []

    def build(net: Any, theme: str = "light", **how: Any) -> LiveWidget:
        strip = ExemplarStrip(net, **how)
        opened.append(strip)
        return LiveWidget(page, strip, "exemplar-strip", theme)

    yield build
    for strip in opened:
        strip.close()


def test_it_shows_patches_above_projections_of_the_scan_that_ships(
    show: Open, net: DeconvNet, telling: int
) -> None:
    live = show(net, layer="conv5", channel=telling)
    live.until(READY)
    found = zf.exemplars(net, layer="conv5")
    panel = found.project(net, zf.gallery(), telling)
    expected = panel.projections.to_images()
    pairs = live.page.locator(".zf-strip-pair")
    for rank, (name, row, col, _) in enumerate(found.of(telling)):
        pair = pairs.nth(rank)
        expect(pair).to_have_attribute("data-id", name)
        expect(pair).to_have_accessible_name(
            f"{rank + 1}: {zf.gallery()[name].category.name}, activation "
            f"{float(f'{panel.values[rank]:.3g}'):g}, row {row}, column {col}. Show this photo"
        )
        upper, lower = (on_canvas(pair.locator("canvas").nth(place)) for place in (0, 1))
        assert np.abs(upper.astype(int) - panel.patches[rank]).mean() < 6, "but for compression"
        assert np.corrcoef(lower.ravel(), expected[rank].ravel())[0, 1] > 0.95


def test_it_says_what_they_have_in_common_and_whose_they_are(
    show: Open, net: DeconvNet, telling: int
) -> None:
    live = show(net, layer="conv5", channel=telling)
    live.until(READY)
    word = zf.concepts(zf.exemplars(net, layer="conv5", k=50), channels=[telling])[telling][0]
    first = live.page.locator(".zf-strip-word").first
    expect(first).to_have_text(str(word))
    expect(first).to_have_attribute("title", str_containing(f"{word.count} show this"))
    pair = live.page.locator(".zf-strip-pair").nth(3)
    pair.hover()
    photo = zf.gallery()[pair.get_attribute("data-id") or ""]
    expect(live.page.locator(".zf-strip-detail")).to_contain_text(photo.author)
    expect(live.page.locator(".zf-strip-detail")).to_contain_text(photo.licence)


def str_containing(text: str) -> Any:
    import re

    return re.compile(re.escape(text))


def test_a_click_or_a_key_picks_a_picture_and_the_way_back_is_shown(
    show: Open, net: DeconvNet, telling: int
) -> None:
    live = show(net, layer="conv5", channel=telling)
    live.until(READY)
    back = live.page.locator(".zf-strip-head > .zf-button")
    expect(back).to_be_hidden()
    live.page.locator(".zf-strip-pair").nth(2).click()
    found = zf.exemplars(net, layer="conv5").of(telling)
    live.expect(lambda: live.widget.picked.get("id"), found[2][0])
    live.widget.home = "cat"
    live.until("document.querySelectorAll('.zf-strip-pair[aria-current]').length === 1")
    live.page.keyboard.press("ArrowRight")
    live.page.keyboard.press("Enter")
    live.expect(lambda: live.widget.picked.get("id"), found[3][0])
    live.until("document.querySelectorAll('.zf-strip-pair')[3].hasAttribute('aria-current')")
    expect(back).to_have_text("Back to cat")
    back.click()
    live.expect(lambda: live.widget.picked, {})


def test_folded_or_out_of_sight_it_asks_for_nothing(
    show: Open, net: DeconvNet, telling: int
) -> None:
    live = show(net, layer="conv5", channel=telling, opened=False)
    live.until("model.state.in_sight")
    assert live.page.locator(".zf-strip-pair").count() == 0
    live.page.get_by_role("button", name=f"What else excites channel {telling} of conv5?").click()
    live.until(READY)
    live.page.get_by_role("button", name=f"What else excites channel {telling} of conv5?").click()
    expect(live.page.locator(".zf-strip-pictures")).to_be_hidden()


def test_without_a_scan_a_click_makes_one_that_can_be_stopped(show: Open) -> None:
    other = zf.load("zfnet", untrained=True, device="cpu")
    live = show(other, layer="conv2", channel=0)
    live.until("document.querySelector('.zf-strip-lacking').textContent.includes('other weights')")
    expect(live.page.locator(".zf-strip-pictures")).to_be_hidden()
    live.page.get_by_role("button", name="Scan the gallery (845 photographs)").click()
    live.until("model.state.progress.scanned > 0", timeout=60)
    expect(live.page.get_by_role("progressbar")).to_be_visible()
    live.page.get_by_role("button", name="Stop").click()
    live.until("model.state.progress.state === 'stopped'", timeout=60)
    live.until(READY, timeout=60)
    expect(live.page.locator(".zf-strip-body")).to_contain_text("seen so far")


def test_it_fits_the_page(show: Open, net: DeconvNet, telling: int) -> None:
    live = show(net, layer="conv5", channel=telling)
    live.until(READY)
    live.widget.home = "cat"
    live.page.locator(".zf-strip-pair").nth(1).click()
    live.until("document.querySelectorAll('.zf-strip-pair[aria-current]').length === 1")
    for theme in ("light", "dark"):
        for width in (1400, 640, 390):
            live.look(theme, width, height=700)
            live.until(READY)
            told = f"{theme}-{width}"
            assert live.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), told
            take(live.page, SCREENSHOTS / f"exemplar-strip-{told}.png")
            assert findings(live.page, ".zf-exemplar-strip") == [], told
