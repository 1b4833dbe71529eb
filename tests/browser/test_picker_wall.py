"""The wall of the gallery behind the picker: searched, walked by the keyboard, attributed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import zfwidgets as zf
from tests.browser.conftest import new_page
from tests.browser.live import LiveWidget
from tests.browser.pictures import take
from tests.browser.test_accessibility import findings
from zfwidgets.images import Preparation

FILLED = """document.querySelectorAll('.zf-cell:not([hidden])').length > 0 &&
    !document.querySelector('.zf-cell:not([hidden])[data-waiting]')"""
#: The mean colour of the first cell's picture.
FIRST = """() => {
    const canvas = document.querySelector('.zf-row-canvas');
    const side = canvas.height;
    const { data } = canvas.getContext('2d').getImageData(0, 0, side, side);
    return [0, 1, 2].map((c) => data.filter((_, i) => i % 4 === c).reduce((a, b) => a + b, 0)
        / (side * side));
}"""


@pytest.fixture
def picker() -> Iterator[zf.ImagePicker]:
    made = zf.ImagePicker()
    yield made
    made.close()


def opened(page: Page, picker: zf.ImagePicker, theme: str = "light") -> LiveWidget:
    """The picker with its wall open, all thumbnails in sight drawn."""
    held = LiveWidget(page, picker, "image-picker", theme, secure=True)
    held.until("!!document.querySelector('[role=option]')")
    page.locator(".zf-picker-bar [aria-expanded]", has_text=re.compile("Gallery|갤러리")).click()
    held.until(FILLED)
    return held


def cells(page: Page) -> list[str]:
    """What the visible cells are called."""
    found = page.locator(".zf-wall [role=gridcell]:visible")
    return [str(cell.get_attribute("aria-label")) for cell in found.all()]


def test_a_korean_word_the_keyboard_alone_and_the_attribution_in_sight(
    page: Page, picker: zf.ImagePicker
) -> None:
    jay = zf.gallery()["jay-1"]
    held = LiveWidget(page, picker, "image-picker", secure=True)
    held.until("!!document.querySelector('[role=option]')")
    page.get_by_role("button", name="Gallery").focus()
    page.keyboard.press("Enter")
    held.until(FILLED)
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("어치")
    expect(page.locator(".zf-wall-count")).to_have_text(f"1 of {len(zf.gallery())} photographs")
    assert cells(page) == [f"jay, 어치, photo by {jay.author}"]
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("gridcell", name="jay")).to_be_focused()
    page.keyboard.press("Enter")
    held.until("model.state.value === 'jay-1'")
    held.until("!!document.querySelector('.zf-cell[aria-selected=true]')")
    assert picker.image is not None
    assert picker.image.tobytes() == jay.open().tobytes()
    caption = page.locator(".zf-picker-caption")
    expect(caption).to_have_text(f"jay · Photo by {jay.author} · CC-BY-2.0")
    expect(caption).to_be_in_viewport()
    expect(caption.get_by_role("link").nth(0)).to_have_attribute("href", jay.source)
    expect(caption.get_by_role("link").nth(1)).to_have_attribute("href", jay.licence_url)
    expect(page.locator(".zf-gallery [aria-selected=true]")).to_contain_text("jay")
    page.keyboard.press("Escape")
    expect(page.locator(".zf-wall")).to_be_hidden()
    expect(page.get_by_role("button", name="Gallery")).to_be_focused()


def test_arrows_walk_home_and_end_leap_and_letters_search_on(
    page: Page, picker: zf.ImagePicker
) -> None:
    held = opened(page, picker)
    page.keyboard.press("Enter")
    first, second, *_ = zf.gallery().values()
    expect(page.locator(".zf-cell:focus")).to_have_attribute(
        "aria-label", re.compile(f"^{first.category.name},")
    )
    page.keyboard.press("ArrowRight")
    expect(page.locator(".zf-detail")).to_contain_text(f"photo by {second.author}")
    assert picker.value == "cat"  # walking does not choose
    page.keyboard.press("Control+End")
    held.until(FILLED)
    *_, last = zf.gallery().values()
    expect(page.locator(".zf-cell:focus")).to_have_attribute(
        "aria-label", re.compile(f"^{last.category.name},")
    )
    page.keyboard.type("zebra")
    expect(page.get_by_role("searchbox")).to_have_value("zebra")
    expect(page.locator(".zf-wall-count")).to_contain_text(f"of {len(zf.gallery())}")
    assert all(name.startswith("zebra,") for name in cells(page))


def test_thumbnails_are_the_photographs_in_few_messages(page: Page, picker: zf.ImagePicker) -> None:
    held = opened(page, picker)
    asked = page.evaluate("model.sent.filter(message => message.op === 'tiles')")
    assert sum(len(question["ids"]) for question in asked) >= 22
    assert len(asked) <= 3
    held.until("document.querySelector('.zf-wall .zf-grid').getAttribute('aria-busy') === 'false'")
    photo = next(iter(zf.gallery().values()))
    mean = np.asarray(photo.open()).reshape(-1, 3).mean(0)
    assert np.abs(np.array(page.evaluate(FIRST)) - mean).max() < 6
    # Rows beyond the window have no elements.
    assert page.locator(".zf-wall [role=row]").count() < 12
    assert int(page.locator(".zf-wall [role=grid]").get_attribute("aria-rowcount") or 0) > 50


def test_places_that_a_search_leaves_empty_show_nothing(page: Page, picker: zf.ImagePicker) -> None:
    held = opened(page, picker)
    page.get_by_role("searchbox").fill("어치")
    held.until("document.querySelectorAll('.zf-wall .zf-cell:not([hidden])').length === 1")
    empty = page.evaluate(
        """() => {
            const canvas = document.querySelector('.zf-row-canvas');
            const from = canvas.height + 4;
            const { data } = canvas.getContext('2d')
                .getImageData(from, 0, canvas.width - from, canvas.height);
            return data.every((value) => value === 0);
        }"""
    )
    assert empty


def test_a_family_narrows_and_nothing_found_is_said_as_text(
    page: Page, picker: zf.ImagePicker
) -> None:
    held = opened(page, picker)
    page.get_by_role("combobox", name="Family").select_option("dog")
    dogs = zf.gallery().of("dog")
    expect(page.locator(".zf-wall-count")).to_contain_text(f"{len(dogs)} of")
    held.until(FILLED)
    page.get_by_role("searchbox").fill("<img src=x onerror='window.hacked=1'>")
    nothing = page.locator(".zf-wall-nothing")
    expect(nothing).to_have_text("Nothing called “<img src=x onerror='window.hacked=1'>” among dog")
    assert page.evaluate("window.hacked") is None
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".zf-wall-count")).to_contain_text(f"{len(zf.gallery())} photographs")
    expect(page.get_by_role("searchbox")).to_be_focused()
    expect(nothing).to_be_hidden()


def test_a_syllable_under_way_keeps_what_was_found(page: Page, picker: zf.ImagePicker) -> None:
    """A Korean keyboard makes 엋 on the way to 어치."""
    opened(page, picker)
    before = page.locator(".zf-wall-count").text_content()
    typing = page.context.new_cdp_session(page)
    for text in ("ㅇ", "어", "엋"):
        typing.send(
            "Input.imeSetComposition", {"text": text, "selectionStart": 1, "selectionEnd": 1}
        )
    expect(page.get_by_role("searchbox")).to_have_value("엋")
    expect(page.locator(".zf-wall-empty")).to_be_hidden()
    typing.send("Input.insertText", {"text": "어치"})
    expect(page.locator(".zf-wall-count")).not_to_have_text(before or "")
    assert [name.partition(",")[0] for name in cells(page)] == ["jay"]


def test_without_a_kernel_or_a_gallery_there_is_no_wall_to_open(
    apart: Page, picker: zf.ImagePicker
) -> None:
    LiveWidget(apart, picker, "image-picker", alive=False)
    expect(apart.get_by_role("button", name="Gallery")).to_be_disabled()
    plain = zf.ImagePicker(gallery=False)
    LiveWidget(apart, plain, "image-picker", secure=True)
    expect(apart.get_by_role("button", name="Upload…")).to_be_visible()
    expect(apart.get_by_role("button", name="Gallery")).to_be_hidden()
    plain.close()


def test_what_was_guessed_is_said_quietly_and_as_text(page: Page, tmp_path: Path) -> None:
    def own(image: object) -> object:
        raise ValueError("<b>bands</b>")

    values = np.linspace(0, 4095, 4096).reshape(64, 64).astype(np.uint16)
    made = zf.ImagePicker({"scan": values}, transforms=Preparation(own, 3))
    held = LiveWidget(page, made, "image-picker", secure=True)
    held.until("document.querySelectorAll('.zf-picker-remarks p').length === 2")
    remarks = page.locator(".zf-picker-remarks p")
    expect(remarks.nth(0)).to_have_text(made.items[0]["note"])
    expect(remarks.nth(1)).to_contain_text("<b>bands</b>")
    assert page.locator(".zf-picker-remarks b").count() == 0
    assert page.get_by_role("alert").filter(has_text="12 bits").count() == 0
    made.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_it_reads_in_light_and_dark_wide_and_narrow(
    chromium: Browser, screenshots: Path, theme: str, width: int
) -> None:
    picker = zf.ImagePicker(rows=1, value="jay-1", locale="ko" if theme == "dark" else "en")
    page = new_page(chromium, viewport={"width": width, "height": 800})
    held = opened(page, picker, theme)
    held.until("!!document.querySelector('.zf-picker-caption a')")
    take(page, screenshots / f"picker-wall-{theme}-{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Whole: neither cut off nor behind an ellipsis.
    assert page.evaluate(
        """() => {
            const caption = document.querySelector('.zf-picker-caption');
            return caption.scrollWidth <= caption.clientWidth;
        }"""
    )
    assert findings(page) == []
    page.context.close()
    picker.close()
