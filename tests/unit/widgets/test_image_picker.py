"""ImagePicker: the gallery, uploads in pieces, refusals after which nothing has changed."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import traitlets
from PIL import Image

from tests.unit.widgets.fakes import picture
from zfwidgets.images import ImageError, set_limits
from zfwidgets.images.samples import samples
from zfwidgets.widgets.image_picker import THUMB, ImagePicker, clean_label
from zfwidgets.widgets.rpc import worker


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


class Page:
    """The page's part of the wire: asks, and keeps what was answered."""

    def __init__(self, picker: ImagePicker) -> None:
        self.answers: list[dict[str, Any]] = []
        self.asked = 0
        self.picker = picker
        picker._responder._send = lambda content, _buffers: self.answers.append(content)

    def send(self, data: bytes, name: str = "new.png", **fields: Any) -> dict[str, Any]:
        """One message; returns its answer."""
        self.asked += 1
        message = {"v": 1, "id": self.asked, "epoch": 0, "op": "upload", "key": "k", "at": 0}
        message |= {"name": name, "size": len(data)} | fields
        self.picker._handle_custom_msg(message, [memoryview(data)])
        worker().join()
        assert self.answers[-1]["id"] == self.asked
        return self.answers[-1]


@pytest.fixture
def picker() -> Iterator[ImagePicker]:
    made = ImagePicker({"red": picture("red"), "blue": picture("blue", (20, 50))})
    yield made
    made.close()


def labels(picker: ImagePicker) -> list[str]:
    return [item["label"] for item in picker.items]


def thumbs(picker: ImagePicker) -> Image.Image:
    return Image.open(io.BytesIO(picker._thumbs)).convert("RGB")


def test_the_samples_are_the_gallery_unless_told_otherwise() -> None:
    picker = ImagePicker()
    assert [item["id"] for item in picker.items] == list(samples())
    assert picker.value == "cat"
    assert picker.image is not None
    assert picker.image.size == samples()["cat"].open().size
    for item, sample in zip(picker.items, samples().values(), strict=True):
        assert sample.author in item["credit"]
        assert sample.licence in item["credit"]
    picker.close()


def test_choosing_gives_the_picture(picker: ImagePicker) -> None:
    assert picker.value == "red"
    seen: list[tuple[int, int]] = []
    picker.observe(lambda change: seen.append(change["new"].size), "image")
    picker.value = "blue"
    assert seen == [(20, 50)]
    assert picker.image is not None
    assert picker.image.getpixel((3, 3)) == (0, 0, 255)


def test_the_atlas_holds_the_middle_square_of_every_picture(picker: ImagePicker) -> None:
    sheet = thumbs(picker)
    assert sheet.size == (8 * THUMB, THUMB)
    middle = np.asarray(sheet)[THUMB // 2, [THUMB // 2, THUMB * 3 // 2]]
    assert np.allclose(middle, [(255, 0, 0), (0, 0, 255)], atol=6)


def test_an_unknown_id_is_refused(picker: ImagePicker) -> None:
    with pytest.raises(traitlets.TraitError, match="red, blue"):
        picker.value = "green"
    assert picker.value == "red"


def test_add_takes_paths_arrays_and_bytes(picker: ImagePicker, tmp_path: Path) -> None:
    path = tmp_path / "leaf.png"
    picture("green").save(path)
    assert picker.add(path) == "leaf.png"
    grey = np.full((9, 7, 3), 90, np.uint8)
    assert picker.add(grey, "grey", "me, CC0-1.0", choose=False) == "grey"
    assert picker.value == "leaf.png"
    assert picker.items[-1] == {"id": "grey", "label": "grey", "credit": "me, CC0-1.0"}
    picker.value = picker.add(encoded(picture("white", (5, 6))), "white")
    assert picker.image is not None
    assert picker.image.size == (5, 6)
    grey[:] = 0
    picker.value = "grey"
    assert picker.image.getpixel((0, 0)) == (90, 90, 90)


def test_two_pictures_of_one_name_get_two_ids(picker: ImagePicker) -> None:
    assert picker.add(picture(), "red") == "red (2)"
    assert picker.add(picture(), "red") == "red (3)"
    assert labels(picker) == ["red", "blue", "red", "red"]


def test_an_upload_becomes_the_choice_and_stays_in_the_gallery(picker: ImagePicker) -> None:
    page = Page(picker)
    answer = page.send(encoded(picture("lime", (12, 10))), "lime.png")
    assert answer["ok"]
    assert answer["item"] == "lime.png"
    assert picker.value == "lime.png"
    assert picker.image is not None
    assert picker.image.size == (12, 10)
    picker.value = "red"
    picker.value = "lime.png"
    assert picker.image.size == (12, 10)


def test_pieces_of_a_file_are_put_together(picker: ImagePicker) -> None:
    data = encoded(picture("lime", (300, 200)))
    page = Page(picker)
    half = len(data) // 2
    first = page.send(data[:half], size=len(data))
    assert first["received"] == half
    assert picker.value == "red"
    assert page.send(data[half:], at=half, size=len(data))["item"] == "new.png"
    assert picker.image is not None
    assert picker.image.size == (300, 200)


def test_a_missing_piece_is_noticed(picker: ImagePicker) -> None:
    data = encoded(picture())
    answer = Page(picker).send(data[5:], at=5, size=len(data))
    assert not answer["ok"]
    assert "interrupted" in answer["error"]["title"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"just some words, nothing else", "text"),
        (encoded(picture(size=(90, 90)))[:60], "new.png"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 80, "new.png"),
    ],
    ids=["empty", "text", "truncated", "corrupt"],
)
def test_what_is_no_picture_is_refused_and_nothing_changes(
    picker: ImagePicker, data: bytes, says: str
) -> None:
    before = (picker.value, picker.image, labels(picker), picker._thumbs)
    answer = Page(picker).send(data)
    assert not answer["ok"]
    assert says in " ".join(answer["error"].values())
    assert (picker.value, picker.image, labels(picker), picker._thumbs) == before


def test_limits_on_bytes_and_pixels_hold(picker: ImagePicker) -> None:
    previous = set_limits(max_bytes=2000, max_pixels=10_000)
    try:
        page = Page(picker)
        noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
        large = page.send(encoded(Image.fromarray(noise)))
        wide = page.send(encoded(picture(size=(200, 100))))
    finally:
        set_limits(max_bytes=previous.max_bytes, max_pixels=previous.max_pixels)
    assert "too large" in large["error"]["title"]
    assert not wide["ok"]
    assert labels(picker) == ["red", "blue"]


def test_the_announced_size_is_checked_before_anything_is_kept(picker: ImagePicker) -> None:
    answer = Page(picker).send(b"x", size=2**40)
    assert "too large" in answer["error"]["title"]
    assert not picker._uploads


def test_unfinished_uploads_do_not_pile_up(picker: ImagePicker) -> None:
    page = Page(picker)
    for number in range(20):
        page.send(b"x" * 10, key=f"k{number}", size=100)
    assert len(picker._uploads) <= 4


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("photo.jpg", "photo.jpg"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("a\nb\x00\u202ec.png", "a b c.png"),
        ("<img src=x>.png", "<img src=x>.png"),
        ("", "picture"),
    ],
)
def test_file_names_become_one_short_plain_line(name: str, label: str) -> None:
    assert clean_label(name) == label


def test_long_names_keep_their_ends() -> None:
    short = clean_label("a" * 200 + "-last.jpeg")
    assert len(short) <= 60
    assert short.startswith("aaa")
    assert short.endswith("-last.jpeg")


def test_a_picture_that_cannot_be_decoded_fails_the_constructor(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"broken\.png"):
        ImagePicker([path])


def test_closing_lets_go_of_the_pictures() -> None:
    picker = ImagePicker({"red": picture("red")})
    image, widget = weakref.ref(picker.image), weakref.ref(picker)
    picker.close()
    picker.close()
    del picker
    gc.collect()
    assert image() is None
    assert widget() is None
