"""The envelope, the errors and the sheets, without a page."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zfwidgets.images import ImageError
from zfwidgets.widgets.core import wire

WIRE_TS = Path(__file__).resolve().parents[3] / "js" / "src" / "core" / "wire.ts"


def ask(**body: Any) -> dict[str, Any]:
    return {"v": 1, "id": 7, "epoch": 3, "op": "tiles", **body}


def test_both_halves_speak_the_same_version() -> None:
    (there,) = re.findall(r"export const PROTOCOL = (\d+);", WIRE_TS.read_text(encoding="utf-8"))
    assert int(there) == wire.PROTOCOL


def test_both_halves_name_the_same_fields() -> None:
    page_side = WIRE_TS.read_text(encoding="utf-8")
    request = wire.Request.parse(ask())
    sheet = wire.sheet([0], np.zeros((1, 2, 2, 3), np.uint8))
    messages = {
        "Answer": wire.Answer().message(request),
        "Refusal": wire.refusal(7, ValueError("no")),
        "SheetHead": sheet.head(),
        "WireError": wire.describe_error(ValueError("no")),
    }
    for name, message in messages.items():
        (body,) = re.findall(rf"export interface {name} \{{(.*?)\n\}}", page_side, re.DOTALL)
        assert set(re.findall(r"^  (\w+):", body, re.MULTILINE)) == set(message), name


@pytest.mark.parametrize(
    "content",
    [
        None,
        "tiles",
        [],
        ask(v=2),
        ask(v=None),
        ask(op=3),
        ask(id="7"),
        ask(id=True),
        ask(epoch=1.5),
    ],
)
def test_what_is_no_question_is_refused(content: Any) -> None:
    with pytest.raises(wire.WireError):
        wire.Request.parse(content)


@pytest.mark.parametrize(
    "ids", [None, [], [10], [-1], ["1"], [1.0], [True], 3, list(range(9)) * 40]
)
def test_channels_must_be_numbers_of_the_layer(ids: Any) -> None:
    with pytest.raises(wire.WireError):
        wire.Request.parse(ask(ids=ids)).ids("ids", 10)
    assert wire.Request.parse(ask(ids=[9, 0])).ids("ids", 10) == [9, 0]


def test_a_size_is_clipped_and_nonsense_refused() -> None:
    assert wire.Request.parse(ask(px=10**9)).integer("px", 16, 512) == 512
    assert wire.Request.parse(ask(px=-4)).integer("px", 16, 512) == 16
    with pytest.raises(wire.WireError):
        wire.Request.parse(ask(px="96")).integer("px", 16, 512)


def test_an_answer_cannot_overwrite_its_envelope() -> None:
    message = wire.Answer({"id": 0, "ok": False, "ids": [1]}, last=True).message(
        wire.Request.parse(ask())
    )
    assert message == {"v": 1, "id": 7, "epoch": 3, "ok": True, "last": True, "ids": [1]}


def test_errors_say_what_went_wrong_in_their_own_words() -> None:
    told = wire.describe_error(KeyError("no layer 'conv9'. Did you mean conv5?"))
    assert told["message"] == "no layer 'conv9'. Did you mean conv5?"
    told = wire.describe_error(RuntimeError("CUDA out of memory"))
    assert "RuntimeError" in told["title"]
    assert told["message"] == "CUDA out of memory"
    told = wire.describe_error(wire.WireError("Too big", "100 megapixels", "Shrink it."))
    assert told == {"title": "Too big", "message": "100 megapixels", "hint": "Shrink it."}
    told = wire.describe_error(ImageError("Not a picture", "got text", "Choose a photo."))
    assert told == {"title": "Not a picture", "message": "got text", "hint": "Choose a photo."}


@pytest.mark.parametrize("mime", ["image/webp", "image/png"])
@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_a_sheet_holds_every_tile_in_its_place(mime: str, count: int) -> None:
    tiles = np.random.default_rng(count).integers(0, 256, (count, 13, 9, 3), np.uint8)
    sheet = wire.sheet(range(100, 100 + count), tiles, mime)
    picture = np.asarray(Image.open(io.BytesIO(sheet.data)).convert("RGB"))
    assert sheet.head()["ids"] == list(range(100, 100 + count))
    for i, tile in enumerate(tiles):
        top, left = 13 * (i // sheet.columns), 9 * (i % sheet.columns)
        np.testing.assert_array_equal(picture[top : top + 13, left : left + 9], tile)


def test_a_tile_without_a_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="one tile per id"):
        wire.sheet([1], np.zeros((2, 4, 4, 3), np.uint8))
