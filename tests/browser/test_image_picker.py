"""ImagePicker joined to its Python half: files, camera, removal and the square that is seen."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import zfwidgets as zf
from tests.browser.conftest import new_page
from tests.browser.live import LiveWidget
from tests.browser.pictures import take
from tests.browser.pixels import on_canvas
from tests.browser.test_accessibility import findings
from tests.browser.test_live_view import ON, WATCH
from zfwidgets.images import Preprocess


@pytest.fixture
def picker() -> Iterator[zf.ImagePicker]:
    made = zf.ImagePicker(transforms=Preprocess())
    yield made
    made.close()


def opened(page: Page, picker: zf.ImagePicker, theme: str = "light") -> LiveWidget:
    held = LiveWidget(page, picker, "image-picker", theme, secure=True)
    page.evaluate(WATCH)
    held.until("!!document.querySelector('[role=option], .zf-picker-empty:not([hidden])')")
    return held


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of 60 pictures, each of a level of its own, and two that are none."""
    for number in range(60):
        Image.new("RGB", (40, 30), (4 * number, 100, 255 - 4 * number)).save(
            tmp_path / f"{number}.png"
        )
    (tmp_path / "12a.png").write_text("this is a text")
    (tmp_path / "3a.png").write_bytes(b"")
    return tmp_path


# ------------------------------------------------------------------------------------ files


def test_thumbnails_of_files_come_when_they_are_seen(page: Page, many: Path) -> None:
    picker = zf.ImagePicker(many, rows=1)
    held = opened(page, picker)
    held.until("document.querySelectorAll('[data-id=\"0.png\"] .zf-thumb-missing').length === 0")
    held.until("model.sent.some(message => message.op === 'thumbs')")
    last = "document.querySelector('[data-id=\"59.png\"] .zf-thumb')"
    assert page.evaluate(f"{last}.classList.contains('zf-thumb-missing')")
    page.get_by_role("option", name="59.png").scroll_into_view_if_needed()
    held.until(f"!{last}.classList.contains('zf-thumb-missing')")
    shot = Image.open(BytesIO(page.locator('[data-id="59.png"] .zf-thumb').screenshot()))
    seen = np.asarray(shot.convert("RGB"))[20, 20]
    assert np.allclose(seen, (236, 100, 19), atol=6)
    picker.close()


def test_unreadable_files_are_listed_with_the_reason(
    page: Page, many: Path, screenshots: Path
) -> None:
    picker = zf.ImagePicker(many)
    held = opened(page, picker)
    held.until("document.querySelectorAll('[aria-disabled=true][role=option]').length === 2")
    held.until("document.querySelectorAll('.zf-thumb-missing').length < 20")
    take(page, screenshots / "picker-folder.png")
    page.get_by_text("2 files cannot be read").click()
    expect(page.locator(".zf-unread li").nth(0)).to_contain_text("3a.png is empty")
    expect(page.locator(".zf-unread li").nth(1)).to_contain_text("12a.png")
    page.get_by_role("option", name="12a.png").click(force=True)
    assert picker.value == "0.png"
    picker.remove("3a.png")
    held.until("document.querySelector('.zf-unread summary').textContent.startsWith('1 file ')")
    # The keyboard passes over it.
    page.get_by_role("option", name="12.png", exact=True).click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    held.until("model.state.value === '13.png'")
    assert picker.value == "13.png"
    picker.close()


def test_recently_used_pictures_come_first_once_the_hand_has_left(
    page: Page, picker: zf.ImagePicker
) -> None:
    held = opened(page, picker)
    names = [item["id"] for item in picker.items]
    order = "[...document.querySelectorAll('[role=option]')].map(option => option.dataset.id)"
    page.get_by_role("button", name="Recent first").click()
    held.until("model.state.order === 'recent'")
    page.locator(f'[data-id="{names[5]}"]').click()
    held.until(f"model.state.recent[0] === {names[5]!r}")
    assert page.evaluate(order) == names
    page.locator("#after").focus()
    assert page.evaluate(order)[:2] == [names[5], names[0]]
    page.get_by_role("button", name="Recent first").click()
    assert page.evaluate(order) == names


def test_without_a_kernel_the_gallery_stays_and_says_so(
    apart: Page, picker: zf.ImagePicker
) -> None:
    LiveWidget(apart, picker, "image-picker", alive=False)
    expect(apart.locator(".zf-picker-hint")).to_contain_text("run the cell")
    for name in ("Upload…", "Camera", "Crop", "Remove"):
        expect(apart.get_by_role("button", name=name)).to_be_disabled()
    expect(apart.get_by_role("option")).to_have_count(len(picker.items))


# --------------------------------------------------------------------------------- removing


def test_delete_removes_and_undo_brings_back(page: Page, picker: zf.ImagePicker) -> None:
    held = opened(page, picker)
    names = [item["id"] for item in picker.items]
    page.locator(f'[data-id="{names[0]}"]').focus()
    page.keyboard.press("Delete")
    held.until(f"document.querySelectorAll('[role=option]').length === {len(names) - 1}")
    held.until("!!document.querySelector('.zf-undo button')")
    assert picker.value == names[1]
    assert page.evaluate("document.activeElement.dataset.id") == names[1]
    page.get_by_role("button", name="Undo").click()
    held.until(f"document.querySelectorAll('[role=option]').length === {len(names)}")
    held.until(f"model.state.value === {names[0]!r}")
    assert [item["id"] for item in picker.items] == names


def test_an_emptied_gallery_says_how_to_fill_it(page: Page, screenshots: Path) -> None:
    picker = zf.ImagePicker({"one": Image.new("RGB", (60, 60), "teal")})
    held = opened(page, picker)
    page.get_by_role("button", name="Remove").click()
    held.until("!document.querySelector('.zf-picker-empty').hidden")
    held.until("!!document.querySelector('.zf-undo button')")
    expect(page.get_by_role("button", name="Crop")).to_be_disabled()
    expect(page.get_by_role("button", name="Recent first")).to_be_hidden()
    take(page, screenshots / "picker-empty.png")
    picker.close()


# ----------------------------------------------------------------------------------- camera


def test_a_snapshot_becomes_the_choice_and_the_camera_goes_off(
    camera: Page, picker: zf.ImagePicker, screenshots: Path
) -> None:
    held = opened(camera, picker)
    assert camera.evaluate("tracks.length") == 0
    camera.get_by_role("button", name="Camera").click()
    camera.wait_for_function("document.querySelector('video').videoWidth > 0")
    take(camera, screenshots / "picker-camera.png")
    camera.get_by_role("button", name="Take picture").click()
    held.until("model.state.value.startsWith('camera ')")
    assert camera.evaluate(ON) == 0
    expect(camera.locator(".zf-snapshot")).to_be_hidden()
    assert picker.image is not None
    assert picker.image.size == (640, 480)
    # The fake camera's ground is green.
    assert np.asarray(picker.image).reshape(-1, 3).mean(0).argmax() == 1
    expect(camera.get_by_role("option", selected=True)).to_contain_text("camera")


@pytest.mark.parametrize("way", ["Close camera", "Escape", "scroll", "unmount"])
def test_the_camera_goes_off_without_a_picture_too(
    camera: Page, picker: zf.ImagePicker, way: str
) -> None:
    opened(camera, picker)
    camera.get_by_role("button", name="Camera").click()
    camera.wait_for_function(f"{ON} === 1 && document.querySelector('video').videoWidth > 0")
    if way == "Close camera":
        camera.get_by_role("button", name=way).click()
        expect(camera.get_by_role("button", name="Camera", exact=True)).to_be_focused()
    elif way == "Escape":
        camera.keyboard.press(way)
    elif way == "scroll":
        camera.evaluate("document.querySelector('#widget').style.marginTop = '3000px'; 0")
    else:
        camera.evaluate("unmount()")
    camera.wait_for_function(f"{ON} === 0")


def test_a_refused_camera_says_what_to_do(
    refusing: Browser, picker: zf.ImagePicker, screenshots: Path
) -> None:
    page = new_page(refusing)
    opened(page, picker)
    page.get_by_role("button", name="Camera").click()
    notice = page.locator(".zf-notices .zf-alert")
    expect(notice).to_contain_text("The camera was not allowed")
    expect(notice).to_contain_text("address bar")
    expect(page.locator(".zf-snapshot")).to_be_hidden()
    take(page, screenshots / "picker-refused.png")
    assert picker.value == "cat"
    page.context.close()


# ------------------------------------------------------------------------------------- crop


def preview(page: Page) -> np.ndarray:
    return on_canvas(page.locator(".zf-crop-preview"))


def open_crop(page: Page, held: LiveWidget) -> None:
    page.get_by_role("button", name="Crop").click()
    held.until("document.querySelector('.zf-crop-photo').naturalWidth > 0")
    held.until("!document.querySelector('.zf-crop-loading')")


def shows_what_the_network_sees(page: Page, held: LiveWidget, picker: zf.ImagePicker) -> None:
    """Wait until the preview is, pixel for pixel, the picker's picture as the network gets it."""
    how = Preprocess()
    assert picker.image is not None
    wanted = how.undo(how(picker.image)[None])[0]
    middle = [int(v) for v in wanted[112, 112]]
    held.until(
        "(([r, g, b]) => { const p = document.querySelector('.zf-crop-preview').getContext('2d')"
        ".getImageData(112, 112, 1, 1).data; return p[0] === r && p[1] === g && p[2] === b; })"
        f"({middle})"
    )
    assert np.array_equal(preview(page), wanted)


def test_the_square_is_chosen_with_the_keyboard(
    page: Page, picker: zf.ImagePicker, screenshots: Path
) -> None:
    held = opened(page, picker)
    assert picker.image is not None
    width, height = picker.image.size
    open_crop(page, held)
    shows_what_the_network_sees(page, held, picker)
    for key in ("+", "+", "+", "ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    held.until("model.state.crop !== null")
    top, left, size = picker.crop
    least = min(width, height)
    assert size == pytest.approx(least / 1.1**3, abs=3)
    assert top > (height - size) / 2
    assert left > (width - size) / 2
    assert picker.image.size == (size, size)
    shows_what_the_network_sees(page, held, picker)
    take(page, screenshots / "picker-crop.png")
    page.keyboard.press("0")
    held.until("model.state.crop === null")
    assert picker.image.size == (width, height)
    page.keyboard.press("Escape")
    expect(page.locator(".zf-crop")).to_be_hidden()
    expect(page.get_by_role("button", name="Crop")).to_be_focused()


def test_the_square_is_dragged_and_zoomed_with_the_mouse(
    page: Page, picker: zf.ImagePicker
) -> None:
    held = opened(page, picker)
    open_crop(page, held)
    box = page.locator(".zf-crop-photo").bounding_box()
    assert box is not None
    assert picker.image is not None
    scale = picker.image.width / box["width"]
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.wheel(0, -120)
    page.mouse.wheel(0, -120)
    held.until("model.state.crop !== null")
    top, left, size = picker.crop
    page.mouse.down()
    page.mouse.move(middle[0] + 20, middle[1] - 10, steps=4)
    page.mouse.up()
    held.until(f"model.state.crop[1] !== {left}")
    assert picker.crop[1] - left == pytest.approx(20 * scale, abs=2)
    assert top - picker.crop[0] == pytest.approx(10 * scale, abs=2)
    assert picker.crop[2] == size
    corner = page.locator(".zf-crop-corner").bounding_box()
    assert corner is not None
    page.mouse.move(corner["x"] + 7, corner["y"] + 7)
    page.mouse.down()
    page.mouse.move(corner["x"] - 23, corner["y"] - 23, steps=4)
    page.mouse.up()
    held.until(f"model.state.crop[2] < {size}")
    shows_what_the_network_sees(page, held, picker)


def test_each_picture_has_its_own_square(page: Page, picker: zf.ImagePicker) -> None:
    held = opened(page, picker)
    open_crop(page, held)
    page.keyboard.press("+")
    held.until("model.state.crop !== null")
    kept = picker.crop
    names = [item["id"] for item in picker.items]
    page.locator(f'[data-id="{names[1]}"]').click()
    held.until(f"model.state.value === {names[1]!r} && model.state.crop === null")
    held.until("!document.querySelector('.zf-crop-loading')")
    shows_what_the_network_sees(page, held, picker)
    page.locator(f'[data-id="{names[0]}"]').click()
    held.until("model.state.crop !== null")
    assert picker.crop == kept


def test_open_panels_can_be_read_by_everybody(camera: Page, picker: zf.ImagePicker) -> None:
    held = opened(camera, picker)
    open_crop(camera, held)
    camera.get_by_role("button", name="Camera").click()
    camera.wait_for_function("document.querySelector('video').videoWidth > 0")
    assert findings(camera) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [800, 390])
def test_pictures_for_people(
    page: Page, picker: zf.ImagePicker, screenshots: Path, theme: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    picker.locale = "ko" if width == 390 else "en"
    held = opened(page, picker, theme)
    page.locator(".zf-button", has_text="Crop" if width == 800 else "자르기").click()
    held.until("!document.querySelector('.zf-crop-loading')")
    held.until("document.querySelector('.zf-crop-photo').naturalWidth > 0")
    page.keyboard.press("+")
    held.until("model.state.crop !== null")
    take(page, screenshots / f"picker-{theme}-{width}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picker.locale = "en"
