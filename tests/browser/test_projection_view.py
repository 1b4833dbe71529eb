"""ProjectionView on a page: mouse, keyboard, zoom, rules, print, with Python behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Position, expect

from tests.browser.live import LiveWidget
from tests.browser.pictures import take
from tests.browser.pixels import on_canvas
from tests.unit.widgets.fakes import SIDE, FakeNet, picture
from zfwidgets.widgets.projection_view import ProjectionView

READY = "model.get('status') === 'ready' && !!document.querySelector('.zf-pane:nth-child(2)')"


class Shown:
    """A view of the fake network's conv1 (8 x 8 maps, a neuron every 4 pixels), channel 2."""

    def __init__(self, page: Page, theme: str = "light", **traits: Any) -> None:
        recording = FakeNet().record(picture("blue"))
        options = {"layer": "conv1", "channel": 2, "inline": True, **traits}
        self.view = ProjectionView(recording, **options)
        self.page = page
        self.live = LiveWidget(page, self.view, "projection-view", theme, secure=True)
        self.live.until(READY)

    @property
    def photo(self) -> Locator:
        return self.page.locator(".zf-pane-frame").first

    def place_of(self, row: float, col: float) -> Position:
        """A place of the picture in the photo's frame."""
        box = self.photo.bounding_box()
        assert box is not None
        return {"x": col / SIDE * box["width"], "y": row / SIDE * box["height"]}

    def window(self, pane: int = 0) -> list[float]:
        """Left, top, width, height of what a pane shows, in pixels of the picture."""
        text = self.page.locator(".zf-pane-marks").nth(pane).get_attribute("viewBox") or ""
        return [float(part) for part in text.split()]

    def until_neuron(self, row: int, col: int) -> None:
        self.live.until(f"model.get('_shown').row === {row} && model.get('_shown').col === {col}")


@pytest.fixture
def shown(page: Page) -> Shown:
    return Shown(page)


def test_photo_and_projection_are_on_the_page_pixel_for_pixel(shown: Shown) -> None:
    canvases = shown.page.locator(".zf-pane-picture")
    assert (on_canvas(canvases.nth(0)) == (0, 0, 255)).all()
    expected = np.full((SIDE, SIDE, 3), 128)
    expected[6:14, 2:10] = 255
    assert (on_canvas(canvases.nth(1)) == expected).all()
    box = shown.photo.locator("rect.zf-mark-over")
    assert [box.get_attribute(name) for name in ("x", "y", "width", "height")] == [
        "2", "6", "8", "8"
    ]  # fmt: skip


@pytest.mark.parametrize(("row", "col"), [(0, 0), (13.2, 18.6), (31, 31), (17, 3)])
def test_a_click_chooses_the_neuron_whose_field_is_centred_nearest(
    shown: Shown, row: float, col: float
) -> None:
    # The field of neuron (r, c) is centred on (4 r + 2, 4 c + 2): eight pixels from -2 on.
    centres = 4 * np.arange(8) + 2
    wanted = [int(np.abs(centres - at).argmin()) for at in (row, col)]
    shown.photo.click(position=shown.place_of(row, col))
    shown.until_neuron(*wanted)
    assert shown.view.place == tuple(wanted)
    expect(shown.page.locator(".zf-projection-line").first).to_contain_text("the place you chose")
    shown.page.get_by_role("button", name="Strongest").click()
    shown.until_neuron(2, 1)
    assert shown.view.place is None


def test_hovering_shows_which_neuron_a_click_would_choose(shown: Shown) -> None:
    ghost = shown.photo.locator(".zf-mark-ghost")
    expect(ghost).to_have_attribute("visibility", "hidden")
    shown.photo.hover(position=shown.place_of(14, 22))
    expect(ghost).to_have_attribute("x", "18")
    expect(ghost).to_have_attribute("y", "10")
    assert shown.view.place is None


def test_the_keyboard_moves_the_neuron_and_goes_back(shown: Shown) -> None:
    shown.photo.focus()
    for key, place in [
        ("ArrowRight", (2, 2)),
        ("ArrowDown", (3, 2)),
        ("ArrowLeft", (3, 1)),
        ("ArrowLeft", (3, 0)),
        ("ArrowLeft", (3, 0)),
        ("ArrowUp", (2, 0)),
    ]:
        shown.page.keyboard.press(key)
        shown.until_neuron(*place)
    shown.page.keyboard.press("s")
    shown.until_neuron(2, 1)
    expect(shown.photo).to_be_focused()


def test_pictures_zoom_as_one_and_the_wheel_alone_scrolls_the_page(shown: Shown) -> None:
    shown.page.evaluate("document.body.style.height = '3000px'")
    shown.photo.hover(position=shown.place_of(8, 8))
    shown.page.mouse.wheel(0, 120)
    shown.page.wait_for_function("scrollY > 0")
    assert shown.window() == [0, 0, SIDE, SIDE]
    shown.page.evaluate("scrollTo(0, 0)")
    shown.photo.hover(position=shown.place_of(8, 8))
    shown.page.keyboard.down("Control")
    shown.page.mouse.wheel(0, -200)
    shown.page.keyboard.up("Control")
    shown.page.wait_for_function("document.querySelector('.zf-panes').dataset.zoomed === 'true'")
    assert shown.page.evaluate("scrollY") == 0
    assert shown.window(0) == shown.window(1)
    left, top, width, _ = shown.window()
    assert width == pytest.approx(16, abs=0.1), "a wheel's 200 pixels double"
    # The place under the mouse has stayed there: 8 was a quarter of the way, and is.
    assert (left + width / 4, top + width / 4) == pytest.approx((8, 8), abs=0.2)
    before = shown.window()
    box = shown.photo.bounding_box()
    assert box is not None
    shown.page.mouse.down()
    shown.page.mouse.move(box["x"] + 20, box["y"] + 20, steps=4)
    shown.page.mouse.up()
    assert shown.window()[0] > before[0] or shown.window()[1] > before[1]
    assert shown.view.place is None, "dragging chooses nothing"
    shown.page.get_by_role("button", name="Whole picture").click()
    expect(shown.page.locator(".zf-panes")).to_have_attribute("data-zoomed", "false")
    shown.photo.focus()
    shown.page.keyboard.press("f")
    expect(shown.page.locator(".zf-panes")).to_have_attribute("data-zoomed", "true")
    left, top, width, height = shown.window(1)
    assert left < 2 < 10 < left + width
    assert top < 6 < 14 < top + height
    shown.page.keyboard.press("0")
    expect(shown.page.locator(".zf-panes")).to_have_attribute("data-zoomed", "false")


def test_one_click_shows_all_four_rules_on_one_scale_if_wanted(shown: Shown) -> None:
    shown.page.get_by_label("All four").check()
    shown.live.until("document.querySelectorAll('.zf-pane').length === 5")
    names = shown.page.locator(".zf-pane-name").all_text_contents()
    assert names == ["Photo", "deconvnet", "guided", "gradient", "linear"]
    shown.page.get_by_label("Contrast").select_option("shared")
    shown.live.until("model.get('_shown').contrast === 'shared'")
    expect(shown.page.locator(".zf-projection-how")).to_contain_text("all pictures are full at one")
    assert shown.page.locator(".zf-pane-note").nth(4).text_content() == "±3"
    shown.page.get_by_label("All four").uncheck()
    shown.live.until("document.querySelectorAll('.zf-pane').length === 2")


def test_contrast_can_be_fixed_to_a_number_and_colours_be_signed(shown: Shown) -> None:
    full = shown.page.get_by_label("Full at |x| =")
    expect(full).to_be_hidden()
    shown.page.get_by_label("Contrast").select_option("fixed")
    shown.live.until("model.get('_shown').contrast === 'fixed'")
    full.fill("6")
    full.press("Enter")
    shown.live.until("model.get('_shown').full[0] === 6")
    expect(shown.page.locator(".zf-projection-how")).to_contain_text("full at |x| = 6")
    assert on_canvas(shown.page.locator(".zf-pane-picture").nth(1))[8, 4].tolist() == [192] * 3
    shown.page.get_by_label("Colours").select_option("signed")
    shown.live.until("model.get('_shown').colours === 'signed'")
    expect(shown.page.locator(".zf-legend-bar")).to_have_attribute("data-colours", "signed")
    expect(shown.page.locator(".zf-legend")).to_contain_text("white is 0")


def test_the_projection_lies_over_the_photo_within_the_receptive_field(shown: Shown) -> None:
    over = shown.photo.locator(".zf-pane-over")
    expect(over).to_be_hidden()
    shown.page.get_by_label("On the photo").fill("0.6")
    expect(over).to_be_visible()
    assert over.evaluate("c => getComputedStyle(c).opacity") == "0.6"
    alpha = over.evaluate(
        """c => [[4, 8], [20, 20]].map(
            ([x, y]) => c.getContext('2d').getImageData(x, y, 1, 1).data[3])"""
    )
    assert alpha == [255, 0]
    assert shown.view.opacity == 0.6


def test_a_print_of_1200_pixels_and_more_is_saved_with_its_caption(
    shown: Shown, tmp_path: Path
) -> None:
    # It waits for idle moments, and a page that stands still has none for seven seconds.
    shown.page.evaluate("HTMLCanvasElement.prototype.toBlob = () => {}")
    with shown.page.expect_download() as download:
        shown.page.get_by_role("button", name="Save PNG").click()
    assert download.value.suggested_filename == "conv1-channel-2.png"
    file = tmp_path / "print.png"
    download.value.save_as(file)
    print_ = np.asarray(Image.open(file).convert("RGB"))
    width = print_.shape[1]
    assert width >= 1200
    blue = (print_ == (0, 0, 255)).all(2)
    rows = np.flatnonzero(blue.any(1))
    assert (print_[:20] == 255).all(), "a margin"
    assert (print_[40 : rows[0]] < 128).any(), "a title"
    assert (print_[rows[-1] + 1 :] < 128).any(), "a caption"


def test_a_copy_is_on_the_clipboard(apart: Page) -> None:
    shown = Shown(apart)
    shown.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.page.get_by_role("button", name="Copy").click()
    expect(shown.page.locator("[role=status]")).to_contain_text("Copied as a picture")
    size = shown.page.evaluate(
        """async () => {
            const [item] = await navigator.clipboard.read();
            const image = await createImageBitmap(await item.getType("image/png"));
            return [image.width, image.height];
        }"""
    )
    assert size[0] >= 1200


def test_an_error_is_shown_and_the_pictures_stay(shown: Shown) -> None:
    shown.view.recording.net.broken = True
    shown.view.channel = 1
    shown.live.until("model.get('status') === 'error'")
    expect(shown.page.get_by_role("alert")).to_contain_text("the way back is blocked")
    expect(shown.page.locator(".zf-pane")).to_have_count(2)


def test_a_view_without_a_channel_says_what_to_do(page: Page) -> None:
    view = ProjectionView(FakeNet().record(picture("blue")), layer="conv1", inline=True)
    live = LiveWidget(page, view, "projection-view")
    live.until("document.querySelector('.zf-pane-picture').width === 32")
    expect(page.locator(".zf-projection-line").first).to_have_text(
        "Choose a channel to send it back to pixels."
    )
    expect(page.get_by_role("button", name="Save PNG")).to_be_disabled()


def test_a_closed_view_leaves_no_listener(shown: Shown) -> None:
    assert shown.page.evaluate("model.listening()") > 0
    shown.page.evaluate("unmount()")
    assert shown.page.evaluate("model.listening()") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_for_people(page: Page, screenshots: Path, theme: str) -> None:
    Shown(page, theme, all_rules=True, place=(4, 5))
    path = screenshots / f"projection-view-{theme}.png"
    take(page, path)
    with Image.open(path) as picture:
        assert picture.width == 1400
