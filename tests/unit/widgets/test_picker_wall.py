"""The wall behind a picker: found by name, sent in sheets, attributed where it is chosen."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import traitlets
from PIL import Image

import zfwidgets as zf
from tests.unit.widgets.fakes import picture
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.image_picker import ImagePicker
from zfwidgets.widgets.image_picker.row import one_row


@pytest.fixture
def picker() -> Iterator[ImagePicker]:
    made = ImagePicker({"red": picture("red")})
    yield made
    made.close()


def ask(picker: ImagePicker, op: str, **body: Any) -> list[tuple[dict[str, Any], list[bytes]]]:
    """All answers to one question."""
    answers: list[tuple[dict[str, Any], list[bytes]]] = []
    picker._responder._send = lambda content, buffers: answers.append(
        (content, [bytes(b) for b in buffers or ()])
    )
    picker._handle_custom_msg({"v": 1, "id": 9, "epoch": 0, "op": op} | body, [])
    worker().join()
    return answers


def ids(picker: ImagePicker) -> list[str]:
    return [item["id"] for item in picker.items]


def test_a_name_of_the_gallery_joins_the_pictures_and_is_chosen(picker: ImagePicker) -> None:
    jay = zf.gallery()["jay-1"]
    picker.value = "jay-1"
    assert ids(picker) == ["red", "jay-1"]
    assert picker.image is not None
    assert picker.image.tobytes() == jay.open().tobytes()
    item = picker.items[-1]
    assert (item["label"], item["author"], item["source"]) == ("jay", jay.author, jay.source)
    assert (item["licence"], item["licence_url"]) == (jay.licence, jay.licence_url)
    picker.value = "red"
    assert ids(picker) == ["red", "jay-1"]


def test_what_was_chosen_can_be_restored_by_its_name() -> None:
    picker = ImagePicker(value="jay-1")
    assert picker.value == "jay-1"
    assert ids(picker) == [*zf.samples(), "jay-1"]
    picker.remove()
    assert "jay-1" not in ids(picker)
    picker.value = "jay-1"
    assert picker.recent[0] == "jay-1"
    picker.close()


def test_without_the_gallery_its_names_are_refused() -> None:
    picker = ImagePicker({"red": picture("red")}, gallery=False)
    with pytest.raises(traitlets.TraitError, match=r"expected one of red$"):
        picker.value = "jay-1"
    picker.close()


def test_an_unknown_name_is_refused_and_says_where_names_are(picker: ImagePicker) -> None:
    with pytest.raises(traitlets.TraitError, match=r"red, or a name of zf\.gallery\(\)"):
        picker.value = "unicorn-1"
    assert picker.value == "red"


def test_a_picture_of_ones_own_keeps_its_name() -> None:
    picker = ImagePicker({"jay-1": picture("red")})
    assert picker.image is not None
    assert picker.image.getpixel((0, 0)) == (255, 0, 0)
    place = list(zf.gallery()).index("jay-1")
    (answer, _), *_ = ask(picker, "hang", number=place)
    assert answer["item"] == picker.value == "jay-1 (2)"
    assert picker.image.tobytes() == zf.gallery()["jay-1"].open().tobytes()
    picker.close()


def test_a_photograph_that_is_chosen_twice_is_there_once(picker: ImagePicker) -> None:
    place = list(zf.gallery()).index("jay-1")
    for _ in range(2):
        ask(picker, "hang", number=place)
        picker.value = "red"
    picker.add(zf.gallery()["jay-1"])
    assert ids(picker) == ["red", "jay-1"]
    assert picker.value == "jay-1"


def test_a_picker_of_the_whole_gallery_opens_none_before_it_is_seen() -> None:
    picker = ImagePicker(zf.gallery())
    assert ids(picker) == list(zf.gallery())
    assert picker.get_state()["_slots"] == {}
    assert picker.items[0]["author"] == zf.gallery()["goldfish-1"].author
    picker.close()


def test_a_row_begins_with_a_photograph_of_the_gallery() -> None:
    picker = one_row("jay-1")
    assert (picker.value, picker.rows) == ("jay-1", 1)
    assert ids(picker)[0] == "cat"
    picker.close()


def test_a_row_of_several_takes_photographs_by_name_beside_pictures() -> None:
    listed = one_row(["dogs", picture("red"), "jay-1"])
    assert ids(listed) == ["dogs", "picture 2", "jay-1"]
    assert listed.value == "dogs"
    assert listed.items[2]["author"] == zf.gallery()["jay-1"].author
    listed.close()
    labelled = one_row({"mine": picture("red"), "any": "cat"})
    assert ids(labelled) == ["mine", "cat"]
    labelled.close()


def test_in_a_row_of_several_what_lies_in_the_folder_goes_before_a_photograph_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cat").mkdir()
    picture("red").save(tmp_path / "cat" / "mine.png")
    monkeypatch.chdir(tmp_path)
    picker = one_row(["cat", "dogs"])
    assert ids(picker) == ["mine.png", "dogs"]
    picker.close()


@pytest.mark.parametrize(("locale", "names"), [("en", ["jay", "어치"]), ("ko", ["어치", "jay"])])
def test_the_page_gets_all_names_in_its_language(locale: str, names: list[str]) -> None:
    picker = ImagePicker({"red": picture("red")}, locale=locale)
    ((told, buffers),) = ask(picker, "wall")
    assert buffers == []
    assert [name for name, *_ in told["photos"]] == list(zf.gallery())
    for (_, place, author), photo in zip(told["photos"], zf.gallery().values(), strict=True):
        kind = told["kinds"][place]
        assert {*kind["names"]} == {photo.category.name, photo.category.korean}
        assert kind["words"] == list(photo.category.words)
        assert author == photo.author
    jay = told["photos"][list(zf.gallery()).index("jay-1")]
    assert told["kinds"][jay[1]]["names"] == names
    assert told["families"]["dog"] == ("dog" if locale == "en" else "개")
    picker.close()


def test_a_batch_of_thumbnails_is_one_message(picker: ImagePicker) -> None:
    wanted = list(range(3, 67))
    ((head, (data,)),) = ask(picker, "tiles", ids=wanted, px=128)
    assert (head["ids"], head["tile"]) == (wanted, [128, 128])
    assert len(data) < 400_000
    page = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    photos = list(zf.gallery().values())
    for at in (0, 20, 63):
        row, column = divmod(at, head["columns"])
        tile = page[row * 128 : (row + 1) * 128, column * 128 : (column + 1) * 128]
        photo = photos[wanted[at]].open().resize((128, 128), Image.Resampling.BOX)
        assert np.abs(tile - np.asarray(photo).astype(int)).mean() < 9
        others = photos[wanted[at] + 1].open().resize((128, 128), Image.Resampling.BOX)
        assert np.abs(tile - np.asarray(others).astype(int)).mean() > 20


@pytest.mark.parametrize("wanted", [[], [-1], [845], "all", [1.5], [True]])
def test_thumbnails_of_what_does_not_hang_there_are_refused(
    picker: ImagePicker, wanted: object
) -> None:
    ((answer, buffers),) = ask(picker, "tiles", ids=wanted, px=128)
    assert (answer["ok"], buffers) == (False, [])


def test_names_in_the_row_follow_the_language(picker: ImagePicker) -> None:
    picker.value = "jay-1"
    picker.locale = "ko"
    assert [item["label"] for item in picker.items] == ["red", "어치"]
    picker.locale = "en"
    assert [item["label"] for item in picker.items] == ["red", "jay"]
