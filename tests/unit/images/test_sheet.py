"""A contact sheet shows every tile in its place, says what it is, and prints sharply."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zfwidgets.images import contact_sheet
from zfwidgets.images.sheet import stacked

Array = np.ndarray[Any, Any]

WHITE, MARGIN, GAP = 255, 20, 8


def flat(*colours: tuple[int, int, int], side: int = 64) -> Array:
    return np.stack([np.full((side, side, 3), colour, np.uint8) for colour in colours])


RED, LIME, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def places(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """The bounding box (left, top, right, bottom) of one exact colour, which must fill it."""
    rows, columns = np.nonzero((np.asarray(sheet) == colour).all(-1))
    box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert len(rows) == (box[2] - box[0]) * (box[3] - box[1])
    return tuple(int(edge) for edge in box)  # type: ignore[return-value]


def test_tiles_lie_in_rows_in_the_order_given() -> None:
    sheet = contact_sheet(flat(RED, LIME, BLUE), columns=2)
    assert sheet.mode == "RGB"
    red, lime, blue = (places(sheet, colour) for colour in (RED, LIME, BLUE))
    assert red == (MARGIN, MARGIN, MARGIN + 64, MARGIN + 64)
    assert lime[0] == red[2] + GAP
    assert lime[1] == red[1]
    assert blue[0] == red[0]
    assert blue[1] == red[3] + GAP


def test_title_labels_and_caption_take_room_and_leave_ink() -> None:
    plain = contact_sheet(flat(RED, LIME), columns=2)
    full = contact_sheet(flat(RED, LIME), ["conv5 · 7", "conv5 · 9"], "Title", "Caption", columns=2)
    assert full.height > plain.height + 40
    assert full.width == plain.width
    tile = places(full, RED)
    pixels = np.asarray(full).astype(int)
    for band in (pixels[: tile[1]], pixels[tile[3] : tile[3] + 18], pixels[tile[3] + 20 :]):
        assert (band.sum(-1) < 500).sum() > 20


def test_long_texts_stay_on_the_sheet() -> None:
    words = "a caption that is far longer than the sheet is wide " * 6
    sheet = contact_sheet(flat(RED), ["Pneumonoultramicroscopic" * 3], "Antidis" * 40, words)
    pixels = np.asarray(sheet)
    assert (pixels[:, -MARGIN // 2 :] == WHITE).all()
    assert (pixels[-MARGIN // 2 :] == WHITE).all()
    left, _, right, bottom = places(sheet, RED)
    label_line = pixels[bottom : bottom + 18]
    assert (label_line[:, :left] == WHITE).all()
    assert (label_line[:, right:] == WHITE).all()


def test_print_resolution_is_sharp_not_blurred() -> None:
    tile = np.zeros((1, 5, 5, 3), np.uint8)
    tile[0, 2, 2] = RED
    screen = contact_sheet(tile, ["x"], "T", tile_size=60)
    paper = contact_sheet(tile, ["x"], "T", tile_size=60, dpi=384)
    assert paper.info["dpi"] == (384, 384)
    for at_screen, at_paper in zip(screen.size, paper.size, strict=True):
        assert at_paper == pytest.approx(4 * at_screen, abs=8)
    left, top, right, bottom = places(paper, RED)
    assert (right - left, bottom - top) == (48, 48)
    inside = np.asarray(paper)[top - 96 : bottom + 96, left - 96 : right + 96].reshape(-1, 3)
    assert {tuple(int(v) for v in colour) for colour in np.unique(inside, axis=0)} == {
        (0, 0, 0),
        RED,
    }


def test_tiles_of_different_sizes_keep_their_relation() -> None:
    sheet = contact_sheet(
        [np.full((20, 20, 3), RED, np.uint8), Image.new("RGB", (40, 80), LIME)], tile_size=160
    )
    red, lime = places(sheet, RED), places(sheet, LIME)
    assert (red[2] - red[0], red[3] - red[1]) == (40, 40)
    assert (lime[2] - lime[0], lime[3] - lime[1]) == (80, 160)


def test_the_dark_sheet_is_dark_with_light_ink() -> None:
    sheet = np.asarray(contact_sheet(flat(RED), ["label"], "Title", theme="dark")).astype(int)
    assert sheet[0, 0].max() < 40
    assert sheet[: MARGIN + 20].sum(-1).max() > 600


def test_small_tiles_are_enlarged_to_be_seen() -> None:
    left, top, right, bottom = places(contact_sheet(flat(RED, side=7)), RED)
    assert right - left >= 48
    assert bottom - top >= 48


@pytest.mark.parametrize(
    ("tiles", "options", "says"),
    [
        ([], {}, "at least one"),
        (flat(RED).astype(float), {}, "uint8"),
        (flat(RED)[0], {}, "uint8"),
        (flat(RED), {"labels": ["a", "b"]}, "2 labels for 1 tiles"),
        (flat(RED), {"columns": 0}, "columns"),
        (flat(RED), {"tile_size": 0}, "tile_size"),
        (flat(RED), {"dpi": 0}, "dpi"),
        (flat(RED), {"theme": "blue"}, "'light' or"),
    ],
)
def test_errors_say_what_was_expected(tiles: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        contact_sheet(tiles, **options)


def test_pictures_are_stacked_on_white_and_missing_ones_left_out() -> None:
    def png(size: tuple[int, int], colour: str) -> bytes:
        out = io.BytesIO()
        Image.new("RGB", size, colour).save(out, "PNG")
        return out.getvalue()

    both = stacked([png((4, 2), "red"), None, png((6, 3), "blue")], gap=1)
    assert both is not None
    pixels = np.asarray(Image.open(io.BytesIO(both)))
    assert pixels.shape == (6, 6, 3)
    assert (pixels[:2, :4] == (255, 0, 0)).all()
    assert (pixels[3:] == (0, 0, 255)).all()
    assert (pixels[:3, 4:] == 255).all()
    assert stacked([None]) is None
