"""ImagePicker in a real page without a kernel: choose, upload, drop, paste, and every refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.harness import open_widget
from tests.browser.pictures import take
from zfwidgets.images.tiles import encode

NAMES = ["cat", "dogs", "bee", "fig", "drum", "bridge", "pagoda", "rocket", "allium", "coffee"]
LIMIT = 5 * 2**20
PIECE = 2**19
DROP = """
({ names, size, type }) => {
  const transfer = new DataTransfer();
  for (const name of names) transfer.items.add(new File([new Uint8Array(size)], name));
  const target = document.querySelector(".zf-gallery");
  for (const step of type === "paste" ? [] : ["dragenter", "dragover", "drop"]) {
    const event = new DragEvent(step, { dataTransfer: transfer, bubbles: true, cancelable: true });
    target.dispatchEvent(event);
  }
  if (type === "paste") {
    const event = new ClipboardEvent("paste", {
      clipboardData: transfer, bubbles: true, cancelable: true,
    });
    target.dispatchEvent(event);
  }
}
"""


def show(page: Page, theme: str = "light", width: int | None = None, **traits: Any) -> None:
    atlas = np.zeros((2 * 128, 8 * 128, 3), np.uint8)
    for i in range(len(NAMES)):
        row, column = divmod(i, 8)
        tile = np.s_[row * 128 : (row + 1) * 128, column * 128 : (column + 1) * 128]
        atlas[tile] = (25 * i, 255 - 25 * i, 128)
    state = {
        "items": [{"id": name, "label": name, "credit": f"{name}er, CC0-1.0"} for name in NAMES],
        "value": "cat",
        "crop": None,
        "order": "given",
        "recent": ["cat"],
        "left_out": 0,
        "_slots": {name: slot for slot, name in enumerate(NAMES)},
        "_share": 1.0,
        "disabled": False,
        "rows": 0,
        "_thumbs": encode(atlas),
        "_columns": 8,
        "_max_bytes": LIMIT,
    }
    open_widget(page, "image-picker", state | traits, theme, width)
    sent = page.evaluate("model.sent.map(message => message.content)")
    answer(page, next(question for question in sent if question["op"] == "hello"))


def value(page: Page) -> Any:
    return page.evaluate("model.state.value")


def uploads(page: Page) -> list[dict[str, Any]]:
    """The pieces sent so far."""
    sent: list[dict[str, Any]] = page.evaluate("model.sent")
    return [m["content"] | {"bytes": m["sizes"]} for m in sent if m["content"]["op"] == "upload"]


def wait_for_uploads(page: Page, count: int) -> list[dict[str, Any]]:
    page.wait_for_function(
        "count => model.sent.filter(m => m.content.op === 'upload').length >= count", arg=count
    )
    return uploads(page)


def answer(page: Page, question: dict[str, Any], **fields: Any) -> None:
    envelope = {"v": 1, "id": question["id"], "epoch": 0, "ok": True, "last": True}
    page.evaluate("answer => model.receive(answer)", envelope | fields)


def give(page: Page, *files: tuple[str, bytes]) -> None:
    payloads: list[FilePayload] = [
        {"name": name, "mimeType": "image/png", "buffer": data} for name, data in files
    ]
    page.locator("input[type=file]").set_input_files(payloads)


def test_a_click_chooses_a_picture(page: Page) -> None:
    show(page)
    expect(page.get_by_role("option")).to_have_count(len(NAMES))
    page.get_by_role("option", name="bee").click()
    assert value(page) == "bee"
    expect(page.get_by_role("option", selected=True)).to_contain_text("bee")


def test_author_and_licence_are_shown(page: Page) -> None:
    show(page)
    expect(page.locator(".zf-picker-caption")).to_have_text("cat · cater, CC0-1.0")
    page.get_by_role("option", name="fig").hover()
    expect(page.locator(".zf-picker-caption")).to_have_text("fig · figer, CC0-1.0")
    expect(page.get_by_role("option", name="fig")).to_have_attribute(
        "title", "fig · figer, CC0-1.0"
    )


@pytest.mark.parametrize("index", [0, 3, 7, 8, 9])
def test_every_thumbnail_is_its_own_tile_of_the_atlas(page: Page, index: int) -> None:
    from io import BytesIO

    from PIL import Image

    show(page)
    tile = page.locator(".zf-thumb").nth(index)
    shot = Image.open(BytesIO(tile.screenshot())).convert("RGB")
    seen = shot.getpixel((shot.width // 2, shot.height // 2))
    assert np.allclose(np.array(seen), (25 * index, 255 - 25 * index, 128), atol=4)


def test_the_keyboard_chooses_in_rows_and_columns(page: Page) -> None:
    show(page, width=460)
    page.get_by_role("option", name="cat").focus()
    page.keyboard.press("ArrowRight")
    assert value(page) == "dogs"
    page.keyboard.press("ArrowDown")
    below = value(page)
    assert NAMES.index(below) > 2
    page.keyboard.press("ArrowUp")
    assert value(page) == "dogs"
    page.keyboard.type("roc")
    assert value(page) == "rocket"
    page.keyboard.press("End")
    assert value(page) == "coffee"


def test_a_file_is_sent_in_pieces_one_after_another(page: Page) -> None:
    show(page)
    size = 2 * PIECE + 1000
    give(page, ("holiday.png", b"x" * size))
    expect(page.locator(".zf-photo-waiting")).to_contain_text("holiday.png")
    for number, (at, length) in enumerate([(0, PIECE), (PIECE, PIECE), (2 * PIECE, 1000)], 1):
        piece = wait_for_uploads(page, number)[-1]
        assert len(uploads(page)) == number
        assert (piece["at"], piece["bytes"], piece["size"]) == (at, [length], size)
        assert piece["name"] == "holiday.png"
        answer(page, piece, received=at + length)
    expect(page.locator(".zf-photo-waiting")).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(1)  # the empty region
    assert page.locator(".zf-notices .zf-alert").count() == 0


def test_several_files_queue_up(page: Page) -> None:
    show(page)
    give(page, ("a.png", b"aa"), ("b.png", b"bb"))
    expect(page.locator(".zf-photo-waiting")).to_have_count(2)
    first = wait_for_uploads(page, 1)
    assert [piece["name"] for piece in first] == ["a.png"]
    answer(page, first[0], item="a.png")
    second = wait_for_uploads(page, 2)
    assert second[1]["name"] == "b.png"


def test_a_refusal_is_said_and_can_be_dismissed(page: Page) -> None:
    show(page)
    give(page, ("broken.png", b"not a picture"))
    question = wait_for_uploads(page, 1)[0]
    error = {"title": "broken.png is not a picture", "message": "It is text.", "hint": "Try PNG."}
    answer(page, question, ok=False, error=error)
    notice = page.locator(".zf-notices .zf-alert")
    expect(notice).to_contain_text("broken.png is not a picture")
    expect(notice).to_contain_text("It is text.")
    expect(page.locator(".zf-photo-waiting")).to_have_count(0)
    assert value(page) == "cat"
    page.get_by_role("button", name="Dismiss").click()
    expect(notice).to_have_count(0)
    expect(page.get_by_role("button", name="Upload…")).to_be_focused()


def test_empty_and_too_large_files_are_never_sent(page: Page) -> None:
    show(page)
    give(page, ("empty.png", b""), ("huge.png", b"x" * (LIMIT + 1)))
    notices = page.locator(".zf-notices .zf-alert")
    expect(notices).to_have_count(2)
    expect(notices.nth(0)).to_contain_text("empty.png is empty")
    expect(notices.nth(1)).to_contain_text("at most 5.0 MiB")
    assert uploads(page) == []


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_pictures_can_be_dropped_and_pasted(page: Page, way: str) -> None:
    show(page)
    page.evaluate(DROP, {"names": ["one.png"], "size": 12, "type": way})
    piece = wait_for_uploads(page, 1)[0]
    assert (piece["name"], piece["bytes"]) == ("one.png", [12])
    assert "zf-dropping" not in (page.locator(".zf-image-picker").get_attribute("class") or "")


@pytest.mark.parametrize(("way", "says"), [("drop", "not a file"), ("paste", "no picture")])
def test_what_holds_no_picture_is_said_to(page: Page, way: str, says: str) -> None:
    show(page)
    page.evaluate(DROP, {"names": [], "size": 0, "type": way})
    expect(page.locator(".zf-notices .zf-alert")).to_contain_text(says)
    assert uploads(page) == []


def test_file_names_are_text_never_markup(page: Page) -> None:
    show(page)
    name = "<img src=x onerror='window.hacked=1'>.png"
    give(page, (name, b""), (name, b"x"))
    expect(page.locator(".zf-notices .zf-alert-title")).to_have_text(f"{name} is empty")
    expect(page.locator(".zf-photo-waiting bdi")).to_have_text(name)
    assert page.evaluate("window.hacked") is None


def test_a_disabled_picker_takes_nothing(page: Page) -> None:
    show(page, disabled=True)
    expect(page.get_by_role("button", name="Upload…")).to_be_disabled()
    page.get_by_role("option", name="bee").click(force=True)
    page.evaluate(DROP, {"names": ["one.png"], "size": 12, "type": "drop"})
    assert value(page) == "cat"
    assert uploads(page) == []


def test_one_row_scrolls_inside_the_column(page: Page) -> None:
    show(page, rows=1, width=300, value="coffee")
    box = page.locator(".zf-image-picker").bounding_box()
    assert box is not None
    assert box["width"] <= 300
    assert box["height"] < 150  # buttons, the attribution, and a single row
    expect(page.get_by_role("option", selected=True)).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_error_of_python_is_shown(page: Page) -> None:
    error = {"title": "gone.png was not found", "message": "It was moved.", "hint": "Choose again."}
    show(page, error=error)
    expect(page.locator(".zf-alert").first).to_contain_text("gone.png was not found")


def test_a_closed_view_leaves_no_listener(page: Page) -> None:
    show(page)
    page.evaluate("unmount()")
    assert page.evaluate("model.listening()") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_for_people(page: Page, screenshots: Path, theme: str) -> None:
    from zfwidgets.widgets.image_picker import ImagePicker

    real = ImagePicker()
    show(page, theme, items=real.items, _thumbs=real._thumbs, _slots=real._slots)
    real.close()
    take(page, screenshots / f"image-picker-{theme}.png")
