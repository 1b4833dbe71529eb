"""MaskPicker in a page joined to a real widget: draw, keys, parts, compare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import zfwidgets as zf
from tests.browser.live import LiveWidget
from tests.browser.pictures import take
from zfwidgets.widgets.mask_picker import MaskPicker

NAMES = ("cat", "raccoon", "dogs", "astronaut")
READY = "document.querySelectorAll('.zf-mask-photo').length === 4"


@pytest.fixture
def picker() -> Iterator[MaskPicker]:
    photos = [zf.samples()[name].open() for name in NAMES]
    made = MaskPicker(zf.load("zfnet", device="cpu"), photos, {"eye": [None] * 4}, random=4)
    yield made
    made.close()


def test_a_box_is_drawn_with_the_mouse(page: Page, picker: MaskPicker) -> None:
    live = LiveWidget(page, picker, "mask-picker")
    live.until(READY)
    frame = page.locator(".zf-mask-photo").nth(1).bounding_box()
    assert frame is not None
    scale = frame["width"] / 224
    page.mouse.move(frame["x"] + 100 * scale, frame["y"] + 120 * scale)
    page.mouse.down()
    page.mouse.move(frame["x"] + 40 * scale, frame["y"] + 50 * scale, steps=4)
    page.mouse.up()
    drawn = pytest.approx([50, 40, 120, 100], abs=1)
    live.expect(lambda: picker.boxes["eye"][1], drawn)
    assert picker.boxes["eye"][0] is None


def test_the_keyboard_makes_moves_resizes_and_removes(page: Page, picker: MaskPicker) -> None:
    live = LiveWidget(page, picker, "mask-picker")
    live.until(READY)
    photo = page.get_by_role("application").first
    expect(photo).to_have_accessible_name("Photo 1: no box for eye yet")
    photo.focus()
    page.keyboard.press("Enter")
    live.expect(lambda: picker.boxes["eye"][0], [84, 84, 140, 140])
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowRight")
    live.expect(lambda: picker.boxes["eye"][0], [80, 84, 136, 144])
    expect(photo).to_have_accessible_name("Photo 1: eye from row 80, column 84, 56 by 60 pixels")
    page.keyboard.press("Delete")
    live.expect(lambda: picker.boxes["eye"][0], None)
    expect(photo).to_be_focused()


def test_parts_are_named_and_removed(page: Page, picker: MaskPicker) -> None:
    live = LiveWidget(page, picker, "mask-picker")
    live.until(READY)
    page.get_by_role("textbox").fill("<b>nose</b>")
    page.keyboard.press("Enter")
    live.expect(lambda: picker.boxes, {"eye": [None] * 4, "<b>nose</b>": [None] * 4})
    expect(page.get_by_role("radio", name="<b>nose</b> 0 of 4")).to_be_checked()
    page.get_by_role("button", name="Remove <b>nose</b>").click()
    live.expect(lambda: picker.boxes, {"eye": [None] * 4})
    expect(page.get_by_role("button", name="Compare")).to_be_disabled()


@pytest.mark.parametrize(("theme", "width"), [("light", 1400), ("dark", 390)])
def test_the_comparison_ends_in_a_table(
    page: Page, picker: MaskPicker, theme: str, width: int, screenshots: Path
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    picker.boxes = {
        "eye": [[70, 30, 120, 80]] * 4,
        "nose": [[120, 90, 170, 140], [100, 80, 150, 130], [60, 60, 100, 100], [40, 90, 90, 140]],
    }
    live = LiveWidget(page, picker, "mask-picker", theme)
    live.until(READY)
    page.get_by_role("button", name="Compare").click()
    live.until("document.querySelectorAll('.zf-mask-results tbody tr').length === 6", 60)
    assert picker.result is not None
    shown = page.locator(".zf-mask-results tbody tr").first.locator("td").nth(2).inner_text()
    assert shown == f"{float(picker.result.delta[0, 0]):.3f}"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    take(page, screenshots / f"mask-picker-{theme}-{width}.png")
    page.evaluate("unmount()")
    assert page.evaluate("model.listening()") == 0
