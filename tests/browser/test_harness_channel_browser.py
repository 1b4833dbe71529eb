"""The shipped channel browser in Chromium, joined to the real widget and engine."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import new_page
from tests.browser.live import LiveWidget
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.images import contrast, heat
from zfwidgets.images.samples import samples
from zfwidgets.nets.zfnet import ZFNet
from zfwidgets.widgets.channel_browser import ChannelBrowser
from zfwidgets.widgets.rpc import worker

COMPLETE = """
document.querySelectorAll('.zf-cell:not([hidden])').length > 0
&& !document.querySelector('.zf-cell[data-waiting]:not([hidden])')
&& document.querySelector('.zf-channel-browser').dataset.state === 'ready'
&& document.querySelector('.zf-progress').dataset.busy === 'false'
"""
Open = Callable[..., LiveWidget]


@pytest.fixture(scope="module")
def recording() -> Recording:
    """A photograph in ZFNet; the weights do not matter to the page."""
    torch.manual_seed(3)
    net = DeconvNet(ZFNet().eval(), name="zfnet", device="cpu")
    return net.record(next(iter(samples().values())).open())


@pytest.fixture
def open_browser(page: Page) -> Iterator[Open]:
    opened: list[ChannelBrowser] = []

    def build(source: Any, theme: str = "light", in_page: Page = page, **traits: Any) -> LiveWidget:
        browser = ChannelBrowser(source, **traits)
        opened.append(browser)
        browser.wait(60)
        worker().join()
        return LiveWidget(in_page, browser, "channel-browser", theme)

    yield build
    for browser in opened:
        browser.close()


def grid(live: LiveWidget) -> Locator:
    return live.page.get_by_role("grid")


def tile(live: LiveWidget, channel: int) -> Locator:
    return live.page.locator(f'.zf-cell[data-channel="{channel}"]')


def pixels(live: LiveWidget, channel: int) -> np.ndarray[Any, Any]:
    """What stands on a tile's canvas: uint8 [h, w, 3]."""
    width, height, data = (
        tile(live, channel)
        .locator("canvas")
        .evaluate(
            """(canvas) => {
            const {width, height} = canvas;
            const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
            return [width, height, [...data]];
        }"""
        )
    )
    return np.array(data, np.uint8).reshape(height, width, 4)[:, :, :3]


def enlarged(picture: np.ndarray[Any, Any], side: int) -> np.ndarray[Any, Any]:
    """Each pixel repeated: the one under the centre of each new pixel."""
    at = ((np.arange(side) + 0.5) * len(picture) / side).astype(int)
    return picture[np.ix_(at, at)]


def press(live: LiveWidget, *keys: str) -> None:
    for key in keys:
        live.page.keyboard.press(key)


def focused(live: LiveWidget) -> int:
    return int(live.page.evaluate("document.activeElement.dataset.channel ?? -1"))


def start_in_grid(live: LiveWidget) -> None:
    live.until(COMPLETE)
    live.page.locator("#before").focus()
    while focused(live) < 0:
        press(live, "Tab")


# --------------------------------------------------------------------------------------- pictures


def test_a_feature_map_is_shown_pixel_by_pixel(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    expected = heat(recording.feature_maps("conv4")[0])
    for channel in (0, 7, 33):
        shown = pixels(live, channel)
        np.testing.assert_array_equal(shown, enlarged(expected[channel], len(shown)))


def test_a_projection_is_the_engines(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv2", mode="projection", tile_size=72)
    live.until(COMPLETE)
    found = recording.project(recording.strongest("conv2", [5]))
    expected = contrast(found.to_rgb(found.pixels))[0][0]
    shown = pixels(live, 5)
    assert np.abs(shown.astype(int) - enlarged(expected, len(shown))).max() <= 1


def test_switching_the_mode_in_the_page_changes_the_pixels(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    before = pixels(live, 9)
    live.page.get_by_text("Projection", exact=True).click()
    live.until("model.state._page.mode === 'projection'")
    live.until(COMPLETE)
    assert live.widget.mode == "projection"
    assert (pixels(live, 9) != before).any()
    # Projections are signed pictures around mid-grey, and heat has no grey.
    assert np.ptp(np.median(pixels(live, 9), axis=(0, 1))) == 0


def test_larger_tiles_fetch_what_is_needed_to_be_sharp(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv1", tile_size=48)
    live.until(COMPLETE)
    live.page.get_by_role("slider").fill("180")
    live.until("document.querySelectorAll('.zf-cell:not([hidden])').length < 60")
    live.until("model.sent.some((m) => m.op === 'tiles' && m.px === 110)")
    live.until(COMPLETE)
    assert live.widget.tile_size == 180
    expected = heat(recording.feature_maps("conv1")[0])
    np.testing.assert_array_equal(pixels(live, 1), enlarged(expected[1], len(pixels(live, 1))))


def test_elements_exist_only_near_the_window(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="fc6")
    live.until(COMPLETE)
    assert live.page.evaluate("document.querySelectorAll('.zf-cell').length") < 300
    grid(live).evaluate("(grid) => { grid.scrollTop = grid.scrollHeight; }")
    live.until("document.querySelector('.zf-cell[data-channel=\"4095\"]:not([hidden])')")
    live.until(COMPLETE)
    assert live.page.evaluate("document.querySelectorAll('.zf-cell').length") < 400


# ----------------------------------------------------------------------------------- layer changes


def test_of_five_quick_layers_the_last_is_shown_and_none_in_between(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv1")
    live.until(COMPLETE)
    live.page.evaluate(
        """() => {
            window.seen = new Set();
            const note = () => seen.add(document.querySelector('.zf-summary').textContent);
            const what = {childList: true, characterData: true, subtree: true};
            new MutationObserver(note).observe(document.querySelector('.zf-summary'), what);
        }"""
    )
    for layer in ("pool1", "conv2", "conv3", "conv5", "conv4"):
        live.widget.layer = layer
        live.carry()
    live.until("model.state._page.layer === 'conv4'")
    live.until(COMPLETE)
    seen = live.page.evaluate("[...seen]")
    assert seen[-1].startswith("conv4 · 384 channels")
    expected = heat(recording.feature_maps("conv4")[0])
    for channel in (0, 20):
        shown = pixels(live, channel)
        np.testing.assert_array_equal(shown, enlarged(expected[channel], len(shown)))


def test_while_the_kernel_computes_the_old_page_stays_and_says_so(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv2")
    live.until(COMPLETE)
    height = live.page.locator(".zf-channel-browser").bounding_box()
    with live.widget.hold_sync():
        live.widget.status = "busy"
    live.until("document.querySelector('.zf-channel-browser').dataset.state === 'busy'")
    expect(grid(live)).to_have_attribute("aria-busy", "true")
    expect(tile(live, 3)).to_be_visible()
    assert live.page.locator(".zf-channel-browser").bounding_box() == height


def test_an_error_is_an_alert_with_what_to_do_and_the_last_good_page_stays(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    before = pixels(live, 4)
    live.widget.layer = "conv44"
    live.until("!document.querySelector('.zf-alert').hidden")
    expect(live.page.get_by_role("alert")).to_contain_text("Did you mean conv4")
    assert (pixels(live, 4) == before).all()
    live.widget.layer = "conv5"
    live.until("document.querySelector('.zf-alert').hidden")


def test_text_from_outside_never_becomes_markup(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    live.widget.error = {"title": "<img src=x onerror=hacked=1>", "message": "<b>m</b>", "hint": ""}
    live.until("!document.querySelector('.zf-alert').hidden")
    expect(live.page.get_by_role("alert")).to_contain_text("<b>m</b>")
    assert live.page.evaluate("document.querySelectorAll('.zf-alert img, .zf-alert b').length") == 0


def test_without_a_picture_the_table_says_what_to_do(open_browser: Open) -> None:
    live = open_browser(None)
    expect(live.page.get_by_text("Choose a picture")).to_be_visible()


def test_a_saved_view_shows_its_first_page_and_says_that_it_is_saved(
    page: Page, recording: Recording
) -> None:
    browser = ChannelBrowser(recording, layer="conv4")
    browser.wait(60)
    worker().join()
    live = LiveWidget(page, browser, "channel-browser", alive=False)
    live.until("document.querySelector('.zf-channel-browser').dataset.state === 'saved'")
    expect(live.page.get_by_text("Saved view – run the cell to explore")).to_be_visible()
    expected = heat(recording.feature_maps("conv4")[0])
    shown = pixels(live, 6)
    np.testing.assert_array_equal(shown, enlarged(expected[6], len(shown)))
    browser.close()


def test_a_view_that_goes_away_leaves_nothing(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    assert live.page.evaluate("model.listening()") > 5
    live.page.evaluate("unmount()")
    assert live.page.evaluate("model.listening()") == 0
    assert live.page.locator("#widget").inner_html() == ""


# ----------------------------------------------------------------------------- mouse and keyboard


def test_clicks_choose_one_several_and_a_range(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    tile(live, 3).click()
    assert (live.widget.selected, live.widget.active) == ([3], 3)
    tile(live, 20).click(modifiers=["ControlOrMeta"])
    assert (live.widget.selected, live.widget.active) == ([3, 20], 20)
    tile(live, 23).click(modifiers=["Shift"])
    assert live.widget.selected == [20, 21, 22, 23]
    tile(live, 21).click(modifiers=["ControlOrMeta"])
    assert live.widget.selected == [20, 22, 23]
    live.page.get_by_role("button", name="3 selected, clear selection").click()
    assert live.widget.selected == []
    expect(grid(live).locator('[aria-selected="true"]')).to_have_count(0)


def test_a_range_follows_the_order_on_the_screen(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4", sort="strength")
    live.until(COMPLETE)
    order = recording.strongest("conv4").value.sort(descending=True, stable=True).indices.tolist()
    tile(live, order[2]).click()
    tile(live, order[6]).click(modifiers=["Shift"])
    assert live.widget.selected == order[2:7]


def test_python_chooses_and_the_page_follows(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    live.widget.selected, live.widget.active = [5, 6], 6
    live.until("document.querySelectorAll('[aria-selected=true]').length === 2")
    expect(tile(live, 6)).to_have_attribute("aria-current", "true")
    expect(live.page.locator(".zf-detail")).to_contain_text("channel 6 ")


def test_the_grid_is_one_stop_for_tab_and_arrows_walk_it(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    start_in_grid(live)
    columns = int(grid(live).get_attribute("aria-colcount") or 0)
    assert focused(live) == 0
    for key, there in [
        ("ArrowRight", 1),
        ("ArrowDown", 1 + columns),
        ("ArrowLeft", columns),
        ("End", 2 * columns - 1),
        ("Home", columns),
        ("Control+End", 383),
        ("Control+Home", 0),
    ]:
        press(live, key)
        assert focused(live) == there, key
    press(live, "PageDown")
    assert focused(live) >= 3 * columns
    assert grid(live).locator('[tabindex="0"]').count() == 1
    press(live, "Tab")
    assert focused(live) == -1


def test_space_selects_shift_extends_enter_activates_escape_clears(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    start_in_grid(live)
    press(live, "ArrowRight", "Space")
    assert (live.widget.selected, live.widget.active) == ([1], None)
    press(live, "Shift+ArrowRight", "Shift+ArrowRight")
    assert live.widget.selected == [1, 2, 3]
    press(live, "Enter")
    assert (live.widget.selected, live.widget.active) == ([1, 2, 3], 3)
    press(live, "Control+a")
    assert len(live.widget.selected) == 384
    press(live, "Escape")
    assert live.widget.selected == []


def test_slash_goes_to_a_channel_by_number(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    start_in_grid(live)
    press(live, "/", "9", "9", "9", "Enter")
    expect(live.page.get_by_label("go to channel")).to_have_attribute("aria-invalid", "true")
    press(live, "Backspace", "Backspace", "Backspace", "3", "0", "0", "Enter")
    assert focused(live) == 300
    expect(tile(live, 300)).to_be_in_viewport()


def test_the_focus_stays_on_its_channel_when_the_order_and_the_size_change(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    start_in_grid(live)
    press(live, *["ArrowRight"] * 5)
    live.widget.sort = "strength"
    live.until("document.querySelector('.zf-cell').dataset.channel !== '0'")
    assert focused(live) == 5
    live.widget.tile_size = 130
    live.until("document.querySelector('.zf-cell').getBoundingClientRect().width >= 130")
    assert focused(live) == 5
    grid(live).evaluate("(grid) => { grid.scrollTop = 1500; }")
    live.until(COMPLETE)
    assert focused(live) == 5


def test_screen_readers_are_told_names_positions_and_states(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    tile(live, 17).click()
    cell = tile(live, 17)
    value = float(recording.feature_maps("conv4")[0, 17].max())
    label = cell.get_attribute("aria-label") or ""
    told = re.fullmatch(r"channel 17, strength (\S+), active", label)
    assert told is not None, label
    assert float(told[1]) == pytest.approx(value, rel=0.01)
    expect(cell).to_have_attribute("aria-selected", "true")
    expect(grid(live)).to_have_attribute("aria-multiselectable", "true")
    columns = int(grid(live).get_attribute("aria-colcount") or 0)
    assert int(grid(live).get_attribute("aria-rowcount") or 0) == -(-384 // columns)
    row = cell.locator("xpath=..")
    expect(row).to_have_role("row")
    expect(row).to_have_attribute("aria-rowindex", str(17 // columns + 1))
    expect(cell).to_have_attribute("aria-colindex", str(17 % columns + 1))
    expect(live.page.get_by_role("status")).to_contain_text("channel 17")
    expect(live.page.get_by_role("grid", name="channels of conv4")).to_be_visible()


def test_hovering_tells_number_value_and_place(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    tile(live, 12).hover()
    found = recording.strongest("conv4", [12])
    place = f"row {int(found.row[0])}, column {int(found.col[0])}"
    expect(live.page.locator(".zf-detail")).to_contain_text("channel 12")
    expect(live.page.locator(".zf-detail")).to_contain_text(place)


def test_the_hosts_shortcuts_are_kept_off(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    root = live.page.locator(".zf-channel-browser")
    expect(root).to_have_attribute("data-lm-suppress-shortcuts", "true")


# ----------------------------------------------------------------------------------- looks, speed


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 800])
def test_every_text_can_be_read_in_every_theme_and_nothing_sticks_out(
    chromium: Browser,
    open_browser: Open,
    recording: Recording,
    screenshots: Path,
    theme: str,
    width: int,
) -> None:
    page = new_page(chromium, viewport={"width": width, "height": 620}, device_scale_factor=2)
    mode = "feature map" if width == 1400 else "projection"
    live = open_browser(recording, theme, page, layer="conv4", mode=mode)
    live.until(COMPLETE)
    tile(live, 3).click()
    tile(live, 20).click(modifiers=["ControlOrMeta"])
    live.until(COMPLETE)
    root = page.locator(".zf-channel-browser")
    expect(root).to_have_attribute("data-zf-theme", theme)
    worst = root.evaluate(CONTRAST)
    assert worst["ratio"] >= 4.5, worst
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Canvases have as many pixels as the screen shows.
    side = tile(live, 0).locator("canvas").evaluate("(c) => [c.width, c.clientWidth]")
    assert side[0] == 2 * side[1]
    page.screenshot(path=screenshots / f"channel-browser-{theme}-{width}.png")
    page.context.close()


CONTRAST = """
(root) => {
  const rgb = (text) => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d');
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const over = (ink, ground) =>
    [0, 1, 2].map((i) => ink[i] * ink[3] / 255 + ground[i] * (1 - ink[3] / 255));
  const behind = (element) => element
    ? over(rgb(getComputedStyle(element).backgroundColor), behind(element.parentElement))
    : [255, 255, 255];
  let worst = { ratio: 21, text: '' };
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest(':disabled, .zf-visually-hidden')) continue;
    const ground = behind(element);
    const [a, b] = [light(over(rgb(getComputedStyle(element).color), ground)), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text, class: element.className };
  }
  return worst;
}
"""


def test_384_channels_are_there_in_time(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv5", height=4000, tile_size=32)
    live.until(COMPLETE)
    live.page.evaluate(
        """() => {
            window.longest = 0;
            let last = performance.now();
            const tick = (now) => {
                longest = Math.max(longest, now - last);
                last = now;
                requestAnimationFrame(tick);
            };
            requestAnimationFrame(tick);
        }"""
    )
    began = time.perf_counter()
    live.widget.layer = "conv4"
    live.until(
        "model.state._page.layer === 'conv4' && document.querySelectorAll"
        "('.zf-cell:not([hidden]):not([data-waiting])').length === 384",
        3.0,
    )
    took = time.perf_counter() - began
    longest = live.page.evaluate("longest")
    print(f"384 feature maps in {took:.2f} s, longest frame {longest:.0f} ms")
    assert took < 3
    assert longest < 500
