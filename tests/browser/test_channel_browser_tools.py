"""Order, filters, pins, the photo beside the grid, and several views of one channel browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.channels import (
    COMPLETE,
    Open,
    focused,
    grid,
    open_browser_fixture,  # noqa: F401
    pixels,
    press,
    recording_fixture,  # noqa: F401
    start_in_grid,
    tile,
)
from tests.browser.conftest import new_page
from tests.browser.live import LiveWidget
from tests.browser.pixels import on_canvas
from zfwidgets.deconv import Recording

CHANNELS = "[...document.querySelectorAll('.zf-cell:not([hidden])')].map((c) => +c.dataset.channel)"


def strengths(recording: Recording, layer: str) -> np.ndarray[Any, Any]:
    return recording.feature_maps(layer)[0].flatten(1).amax(1).numpy()


def choose(live: LiveWidget, label: str, option: str) -> None:
    live.page.get_by_label(label, exact=True).select_option(option)


def pins(live: LiveWidget) -> Locator:
    return live.page.get_by_role("toolbar", name="Pinned channels").locator(".zf-pin-go")


def without(live: LiveWidget) -> Locator:
    return live.page.get_by_role("checkbox", name="without these")


def percent(p: float) -> str:
    return "<1 %" if 0 < p < 0.005 else f"{p * 100:.0f} %"


# ------------------------------------------------------------------------------ order and filters


@pytest.mark.parametrize("sort", ["strength", "mean", "sparsity", "energy"])
def test_the_page_and_python_agree_on_the_order(
    open_browser: Open, recording: Recording, sort: str
) -> None:
    live = open_browser(recording, layer="conv5")
    live.until(COMPLETE)
    choose(live, "Order", sort)
    shown = live.widget._shown
    assert shown is not None
    expected = shown.order(sort)
    live.until(f"JSON.stringify({CHANNELS}.slice(0, 12)) === '{_json(expected[:12])}'")
    assert live.widget.sort == sort
    live.until(COMPLETE)
    order = [cell for cell in live.page.evaluate(CHANNELS) if cell in expected[:40]]
    assert order == expected[: len(order)]


def test_the_threshold_keeps_the_strong_and_says_how_many(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv5")
    live.until(COMPLETE)
    values = strengths(recording, "conv5")
    passing = np.flatnonzero(values >= np.float32(0.6) * values.max()).tolist()
    assert 0 < len(passing) < 256
    slider = live.page.get_by_role("slider", name="Least strength")
    slider.fill("60")
    live.until(f"{CHANNELS}.length === {len(passing)}")
    assert live.page.evaluate(CHANNELS) == passing
    assert live.widget.threshold == pytest.approx(0.6)
    expect(live.page.locator(".zf-shown")).to_have_text(f"{len(passing)} of 256")
    expect(live.page.get_by_role("status")).to_have_text(f"{len(passing)} of 256 channels shown")
    said = slider.get_attribute("aria-valuetext") or ""
    assert said.startswith("60 % of the largest")


def test_nothing_to_show_says_so_and_offers_the_way_back(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="fc7", threshold=0.9)
    choose(live, "Show", "dead")
    live.widget.layer = "fc8"  # scores may be negative, but none of them is exactly zero
    live.until("model.state._page.layer === 'fc8'")
    expect(live.page.get_by_text("No channel of this layer")).to_be_visible()
    live.page.get_by_role("button", name="Show all 1000").click()
    live.until(COMPLETE)
    assert (live.widget.show, live.widget.threshold) == ("all", 0)
    assert focused(live) >= 0


def test_a_channel_that_is_filtered_out_is_said_to_be_so(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv5", threshold=0.6)
    start_in_grid(live)
    weakest = int(strengths(recording, "conv5").argmin())
    press(live, "/", *str(weakest), "Enter")
    expect(live.page.get_by_role("status")).to_contain_text("not among those shown")


def test_no_picture_goes_away_while_the_order_changes(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4", tile_size=48)
    live.until(COMPLETE)
    live.until("model.sent.filter((m) => m.op === 'tiles').length >= 0")
    live.page.evaluate(
        """() => {
            window.waited = 0;
            const look = () => {
                waited += document.querySelectorAll('.zf-cell[data-waiting]:not([hidden])').length;
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    for sort in ("strength", "sparsity", "index"):
        choose(live, "Order", sort)
        live.until(COMPLETE)
    for share in ("20", "45", "10", "0"):
        live.page.get_by_role("slider", name="Least strength").fill(share)
        live.until(COMPLETE)
    assert live.page.evaluate("waited") == 0


# ------------------------------------------------------------------------------------------ pins


def test_pins_are_made_and_removed_with_the_keyboard(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    start_in_grid(live)
    press(live, "p", "ArrowRight", "ArrowRight", "p")
    live.expect(lambda: live.widget.pins, [{"layer": "conv4", "channel": i} for i in (0, 2)])
    expect(live.page.get_by_role("status")).to_have_text("conv4, channel 2 pinned")
    expect(tile(live, 2)).to_have_attribute("data-pinned", "")
    assert "pinned" in (tile(live, 2).get_attribute("aria-label") or "")
    press(live, "p")
    live.expect(lambda: live.widget.pins, [{"layer": "conv4", "channel": 0}])
    pins(live).first.focus()
    press(live, "Delete")
    live.expect(lambda: live.widget.pins, [])
    assert focused(live) == 2  # the focus went back to the grid
    expect(live.page.locator(".zf-pins")).to_be_hidden()


def test_pins_are_made_and_removed_with_the_mouse(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    below = tile(live, 20).bounding_box()
    tile(live, 20).hover()
    tile(live, 20).get_by_role("button", name="Pin channel 20").click()
    live.expect(lambda: live.widget.pins, [{"layer": "conv4", "channel": 20}])
    assert live.widget.selected == []
    # What was under the pointer is still there.
    assert tile(live, 20).bounding_box() == below
    pins(live).first.hover()
    live.page.get_by_role("button", name="Remove the pin of conv4, channel 20").click()
    live.expect(lambda: live.widget.pins, [])


def test_a_pin_stays_through_layers_and_leads_back(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4", pins=[{"layer": "conv4", "channel": 300}])
    live.until(COMPLETE)
    live.widget.layer = "conv2"
    live.until("model.state._page.layer === 'conv2'")
    live.until(COMPLETE)
    value = float(strengths(recording, "conv4")[300])
    pin = pins(live).first
    expect(pin).to_have_accessible_name(f"conv4, channel 300, strength {value:.3g}")
    pin.focus()
    press(live, "Enter")
    live.until("model.state._page.layer === 'conv4'")
    live.until(COMPLETE)
    assert (live.widget.layer, live.widget.active) == ("conv4", 300)
    expect(tile(live, 300)).to_be_in_viewport()


def test_a_pins_picture_follows_the_photo(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv1", pins=[{"layer": "conv2", "channel": 5}])
    live.until(COMPLETE)
    read = "(b) => b.querySelector('canvas').toDataURL()"
    live.until("!document.querySelector('.zf-pin-go[data-waiting]')")
    before = pins(live).first.evaluate(read)
    live.widget.recording = recording.net.record(recording.inputs.flip(3))
    live.until(f"({read})(document.querySelector('.zf-pin-go')) !== '{before}'")


def test_arrows_walk_along_the_pins_which_are_one_tab_stop(
    open_browser: Open, recording: Recording
) -> None:
    chosen = [{"layer": "conv2", "channel": i} for i in (1, 2, 3)]
    live = open_browser(recording, layer="conv2", pins=chosen)
    live.until(COMPLETE)
    pins(live).first.focus()
    press(live, "ArrowRight", "End", "ArrowRight")
    expect(pins(live).nth(2)).to_be_focused()
    press(live, "Delete")
    expect(pins(live).nth(1)).to_be_focused()
    press(live, "Tab")
    expect(without(live)).to_be_focused()
    press(live, "Tab")
    assert focused(live) == 0


def test_the_box_below_the_pins_says_what_the_network_decides_without_them(
    open_browser: Open, recording: Recording
) -> None:
    strongest = strengths(recording, "conv5").argsort()[::-1][:40].tolist()
    chosen = [{"layer": "conv5", "channel": i} for i in strongest]
    live = open_browser(recording, layer="conv5", pins=[])
    live.until(COMPLETE)
    expect(without(live)).to_be_hidden()
    live.widget.pins = chosen
    live.until("model.state.pins.length === 40")
    without(live).focus()
    press(live, "Space")
    live.expect(lambda: live.widget.without, True)
    live.until("(model.state._without.labels ?? []).length > 0")
    said = live.page.locator(".zf-without-said")
    for label, before, now in recording.ablate("conv5", strongest).changes(3)[0]:
        expect(said).to_contain_text(f"{label} {percent(before)} → {percent(now)}")
    expect(live.page.get_by_role("status")).to_contain_text("without these: ")
    press(live, "Space")
    live.expect(lambda: live.widget.without, False)
    expect(said).to_be_hidden()


# ------------------------------------------------------------------------------------- the photo


def test_the_photo_shows_what_the_neuron_under_the_pointer_sees(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    tile(live, 12).hover()
    live.carry()
    found = recording.strongest("conv4", [12])
    place = int(found.row[0]), int(found.col[0])
    top, left, bottom, right = recording.layers["conv4"].box(*place)
    live.expect(lambda: live.widget.hover, 12)
    assert live.widget.hovered["box"] == [top, left, bottom, right]
    drawn = live.page.locator(".zf-inset-line").evaluate(
        "(r) => ['y', 'x', 'height', 'width'].map((name) => +r.getAttribute(name))"
    )
    inside = max(0, top), max(0, left), min(224, bottom), min(224, right)
    assert drawn == [inside[0], inside[1], inside[2] - inside[0], inside[3] - inside[1]]
    inset = live.page.get_by_role("complementary", name="Photo and receptive field")
    expect(inset).to_contain_text("channel 12")
    expect(inset).to_contain_text(f"row {place[0]}, column {place[1]}")
    live.page.mouse.move(2, 2)
    live.until("model.state.hover === null")
    live.carry()
    assert live.widget.hovered is None


def test_the_photo_is_what_the_network_saw(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    picture = on_canvas(live.page.locator(".zf-inset-photo"))
    assert np.abs(picture.astype(int) - recording.seen()[0]).mean() < 4  # JPEG


def test_the_photo_can_be_put_away_and_narrow_widgets_leave_it_out(
    chromium: Browser, open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    toggle = live.page.get_by_role("button", name="Photo", exact=True)
    expect(toggle).to_have_attribute("aria-pressed", "true")
    width = grid(live).bounding_box()
    toggle.click()
    expect(live.page.locator(".zf-inset")).to_be_hidden()
    assert live.widget.inset is False
    now = grid(live).bounding_box()
    assert width is not None
    assert now is not None
    assert now["width"] > width["width"]
    page = new_page(chromium, viewport={"width": 500, "height": 700})
    narrow = open_browser(recording, in_page=page, layer="conv4")
    narrow.until(COMPLETE)
    expect(page.locator(".zf-inset")).to_be_hidden()
    page.context.close()


# ------------------------------------------------------------------------ filters, language, views


def test_the_filter_mode_is_offered_where_filters_have_colours(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv2")
    live.until(COMPLETE)
    radio = live.page.get_by_role("radio", name="Filter")
    expect(radio).to_be_disabled()
    live.widget.layer = "conv1"
    live.until("model.state._page.layer === 'conv1'")
    live.until(COMPLETE)
    live.page.get_by_text("Filter", exact=True).click()
    live.until("model.state._page.mode === 'filter'")
    live.until(COMPLETE)
    before = pixels(live, 4)
    live.widget.layer = "conv2"
    live.until("!document.querySelector('.zf-alert').hidden")
    expect(live.page.get_by_role("alert")).to_contain_text("choose conv1")
    assert (pixels(live, 4) == before).all()
    live.page.get_by_text("Projection", exact=True).click()
    live.until("model.state._page.layer === 'conv2'")
    live.until("document.querySelector('.zf-alert').hidden")


def test_another_language_changes_every_text_and_keeps_what_is_chosen(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4", pins=[{"layer": "conv2", "channel": 3}])
    live.until(COMPLETE)
    tile(live, 5).click()
    live.widget.locale = "ko"
    live.until("document.querySelector('.zf-root')?.textContent.includes('특징 맵')")
    live.until(COMPLETE)
    expect(tile(live, 5)).to_have_attribute("aria-selected", "true")
    expect(live.page.get_by_role("grid", name="conv4의 채널")).to_be_visible()
    left = live.page.evaluate(
        """() => {
            const names = [...document.querySelectorAll('.zf-root *')].flatMap((e) => [
                e.getAttribute('aria-label'), e.title, e.placeholder,
                e.childElementCount ? '' : e.textContent]);
            const english = /\\b(channels?|pin|photo|order|show|strength|size|row|column)\\b/i;
            return names.filter((text) => text && english.test(text));
        }"""
    )
    assert left == []


def test_two_views_of_one_browser_show_the_same_and_one_may_go(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4", height=200)
    live.until(COMPLETE)
    live.page.evaluate(
        """async () => {
            const el = document.body.appendChild(document.createElement('div'));
            el.id = 'second';
            window.unmountSecond = await showAgain(el);
        }"""
    )
    second = live.page.locator("#second .zf-cell[data-channel='8']")
    live.until("document.querySelectorAll('#second .zf-cell:not([data-waiting])').length > 20")
    tile_in_first = live.page.locator("#widget .zf-cell[data-channel='8']")
    second.click()
    expect(tile_in_first).to_have_attribute("aria-selected", "true")
    read = "(cell) => cell.parentElement.querySelector('canvas').toDataURL()"
    maps = second.evaluate(read)
    live.widget.mode = "projection"
    live.until("model.state._page.mode === 'projection'")
    done = "!document.querySelector('#{0} .zf-cell[data-waiting]:not([hidden])')"
    drawn = f"({read})(document.querySelector('#{{0}} .zf-cell[data-channel=\"8\"]')) !== '{maps}'"
    for name in ("widget", "second"):
        live.until(f"{drawn} && {done}".replace("{0}", name))
    assert second.evaluate(read) == tile_in_first.evaluate(read)
    live.page.evaluate("unmountSecond()")
    live.widget.mode = "feature map"
    live.until("model.state._page.mode === 'feature map'")
    live.until(done.format("widget"))
    assert live.page.locator("#second").inner_html() == ""


def _json(numbers: list[int]) -> str:
    return "[" + ",".join(map(str, numbers)) + "]"
