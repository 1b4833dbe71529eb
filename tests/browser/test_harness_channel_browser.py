"""The shipped channel browser in Chromium, joined to the real widget and engine: its pictures."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page, expect

from tests.browser.channels import (
    COMPLETE,
    Open,
    enlarged,
    grid,
    open_browser_fixture,  # noqa: F401
    pixels,
    recording_fixture,  # noqa: F401
    tile,
)
from tests.browser.live import LiveWidget
from zfwidgets.deconv import Recording
from zfwidgets.images import contrast, heat
from zfwidgets.widgets.channel_browser import ChannelBrowser
from zfwidgets.widgets.core.rpc import worker

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
    live = open_browser(recording, layer="conv1", tile_size=48, inset=False)
    live.until(COMPLETE)
    live.page.get_by_role("slider", name="tile size").fill("180")
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
    apart: Page, recording: Recording
) -> None:
    browser = ChannelBrowser(recording, layer="conv4")
    browser.wait(60)
    worker().join()
    live = LiveWidget(apart, browser, "channel-browser", alive=False)
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
