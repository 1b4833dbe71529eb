"""How the channel browser looks, and that it keeps up with the hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import zfwidgets as zf
from tests.browser.channels import (
    COMPLETE,
    Open,
    open_browser_fixture,  # noqa: F401
    recording_fixture,  # noqa: F401
    tile,
)
from tests.browser.conftest import new_page
from tests.browser.pictures import take
from zfwidgets.deconv import Recording

# ----------------------------------------------------------------------------------- looks, speed


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 800, 360])
def test_every_text_can_be_read_in_every_theme_and_nothing_sticks_out(
    chromium: Browser,
    open_browser: Open,
    recording: Recording,
    screenshots: Path,
    theme: str,
    width: int,
) -> None:
    page = new_page(chromium, viewport={"width": width, "height": 620}, device_scale_factor=2)
    mode = {1400: "feature map", 800: "projection", 360: "photo patch"}[width]
    pins = [{"layer": "conv1", "channel": i} for i in (3, 7, 11, 40, 41)]
    live = open_browser(recording, theme, page, layer="conv4", mode=mode, pins=pins)
    live.until(COMPLETE)
    tile(live, 3).click()
    tile(live, 5).click(modifiers=["ControlOrMeta"])
    live.until(COMPLETE)
    root = page.locator(".zf-channel-browser")
    expect(root).to_have_attribute("data-zf-theme", theme)
    worst = root.evaluate(CONTRAST)
    assert worst["ratio"] >= 4.5, worst
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Canvases have as many pixels as the screen shows.
    row = tile(live, 0).locator("xpath=..").locator("canvas")
    side = row.evaluate("(c) => [c.height, c.getBoundingClientRect().height]")
    assert side[0] == 2 * side[1]
    take(page, screenshots / f"channel-browser-{theme}-{width}.png")
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


@pytest.mark.parametrize("width", [800, 460])
def test_synthesised_pictures_are_offered_where_there_are_some(
    chromium: Browser, open_browser: Open, recording: Recording, screenshots: Path, width: int
) -> None:
    bundled = zf.load("zfnet", device="cpu").record(zf.samples()["cat"].open())
    page = new_page(chromium, viewport={"width": width, "height": 620})
    live = open_browser(bundled, "light", page, layer="conv3")
    live.until(COMPLETE)
    offered = page.get_by_role("radio", name="Synthesised")
    offered.check()
    live.until("document.querySelector('.zf-summary').textContent.includes('synthesised')")
    live.until(COMPLETE)
    assert live.widget.mode == "synthesised"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    take(page, screenshots / f"channel-browser-synthesised-{width}.png")
    live.widget.mode = "projection"
    live.widget.recording = recording
    live.until("document.querySelector('[value=synthesised]').closest('label').hidden")
    expect(offered).not_to_be_visible()
    page.context.close()


@pytest.mark.parametrize("width", [700, 390])
def test_a_slider_has_a_visible_name_on_every_width(
    open_browser: Open, recording: Recording, width: int
) -> None:
    live = open_browser(recording, layer="conv2")
    live.page.set_viewport_size({"width": width, "height": 900})
    live.until(COMPLETE)
    for name in ("From", "Size"):
        expect(live.page.locator(".zf-field-name", has_text=name)).to_be_visible()
    tools = live.page.locator(".zf-toolbar")
    assert tools.evaluate("bar => bar.scrollWidth <= bar.clientWidth")


def test_the_states_of_the_browser(
    chromium: Browser, open_browser: Open, recording: Recording, screenshots: Path
) -> None:
    page = new_page(chromium, viewport={"width": 900, "height": 560})
    live = open_browser(recording, "light", page, layer="conv4")
    live.until(COMPLETE)
    with live.widget.hold_sync():
        live.widget.status = "busy"
    live.until("document.querySelector('.zf-channel-browser').dataset.state === 'busy'")
    take(page, screenshots / "channel-browser-busy.png")
    live.widget.status = "ready"
    live.widget.mode = "filter"
    live.until("!document.querySelector('.zf-alert').hidden")
    take(page, screenshots / "channel-browser-error.png")
    live.widget.recording = None
    live.until("document.querySelector('.zf-empty').textContent !== ''")
    take(page, screenshots / "channel-browser-empty.png")
    assert page.locator(".zf-cell:visible").count() == 0
    expect(page.locator(".zf-shown")).to_have_text("")
    page.context.close()
