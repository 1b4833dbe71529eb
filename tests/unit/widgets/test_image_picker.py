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
from zfwidgets.images import ImageError, Preprocess, decode, set_limits
from zfwidgets.images.samples import samples
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.image_picker import ImagePicker
from zfwidgets.widgets.image_picker.gallery import THUMB, clean_label


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


# ------------------------------------------------------------------ folders and patterns


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, a text that calls itself one, and things that are none."""
    photos = tmp_path / "photos"
    (photos / "within").mkdir(parents=True)
    for number, colour in ((2, "red"), (10, "green"), (1, "blue")):
        picture(colour, (40, 30)).save(photos / f"img{number}.png")
    (photos / "img3.jpg").write_text("not a picture")
    (photos / "notes.txt").write_text("not even called one")
    picture("white").save(photos / "within" / "deep.png")
    return photos


def ask(picker: ImagePicker, op: str, **body: Any) -> list[tuple[dict[str, Any], list[bytes]]]:
    """All answers to one question."""
    answers: list[tuple[dict[str, Any], list[bytes]]] = []
    picker._responder._send = lambda content, buffers: answers.append(
        (content, [bytes(b) for b in buffers or ()])
    )
    picker._handle_custom_msg({"v": 1, "id": 9, "epoch": 0, "op": op} | body, [])
    worker().join()
    return answers


def test_a_folder_lists_its_pictures_in_the_order_of_people(folder: Path) -> None:
    picker = ImagePicker(folder)
    assert labels(picker) == ["img1.png", "img2.png", "img3.jpg", "img10.png"]
    assert picker.value == "img1.png"
    assert picker.image is not None
    assert picker.image.getpixel((0, 0)) == (0, 0, 255)
    picker.close()


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.png", ["img1.png", "img2.png", "img10.png"]),
        ("**/*.png", ["img1.png", "img2.png", "img10.png", "deep.png"]),
        ("img[12].png", ["img1.png", "img2.png"]),
        ("notes.*", ["notes.txt"]),
    ],
)
def test_a_pattern_lists_what_it_matches(folder: Path, pattern: str, found: list[str]) -> None:
    picker = ImagePicker(str(folder / pattern))
    assert labels(picker) == found
    picker.close()


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cat[1].png"
    picture("red").save(path)
    picker = ImagePicker(str(path))
    assert labels(picker) == ["cat[1].png"]
    picker.close()


def test_files_are_decoded_only_when_they_are_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def watched(source: Any, name: str) -> Image.Image:
        opened.append(name)
        return decode(source, name=name)

    monkeypatch.setattr("zfwidgets.widgets.image_picker.gallery.decode", watched)
    picker = ImagePicker(folder)
    assert opened == ["img1.png"]
    answers = ask(picker, "thumbs", ids=["img2.png", "img3.jpg"])
    assert opened == ["img1.png", "img2.png", "img3.jpg"]
    pictures = [(head["item"], buffers) for head, buffers in answers if buffers]
    assert [name for name, _ in pictures] == ["img2.png"]
    thumb = Image.open(io.BytesIO(pictures[0][1][0])).convert("RGB")
    assert thumb.size == (THUMB, THUMB)
    assert np.allclose(np.asarray(thumb)[64, 64], (255, 0, 0), atol=6)
    picker.close()


def test_an_unreadable_file_is_listed_with_the_reason_and_not_fatal(folder: Path) -> None:
    picker = ImagePicker(folder)
    ask(picker, "thumbs", ids=["img3.jpg"])
    problems = {item["id"]: item.get("problem", "") for item in picker.items}
    assert "img3.jpg" in problems.pop("img3.jpg")
    assert set(problems.values()) == {""}
    before = picker.image
    picker.value = "img3.jpg"
    assert picker.value == "img1.png"
    assert picker.image is before
    assert "img3.jpg" in picker.error["title"]
    picker.value = "img2.png"
    assert not picker.error
    picker.close()


def test_the_first_readable_file_is_chosen(folder: Path) -> None:
    (folder / "a-broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    picker = ImagePicker(folder)
    assert picker.value == "img1.png"
    assert "a-broken.png" in picker.items[0]["problem"]
    picker.close()


def test_a_folder_of_nothing_readable_is_shown_as_such(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_text("no")
    picker = ImagePicker(tmp_path)
    assert (picker.value, picker.image) == (None, None)
    assert picker.items[0]["problem"]
    assert picker.contact_sheet() is None
    picker.close()


@pytest.mark.parametrize("what", ["empty", "*.gif"])
def test_nothing_found_says_where_was_looked(tmp_path: Path, what: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="holds no picture"):
        ImagePicker(str(tmp_path / what))


def test_a_list_may_hold_folders(folder: Path) -> None:
    picker = ImagePicker([picture("white"), folder / "within"])
    assert labels(picker) == ["picture 1", "deep.png"]
    picker.close()


def test_many_files_are_listed_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zfwidgets.widgets.image_picker.gallery.MOST_FILES", 5)
    data = encoded(picture())
    for number in range(8):
        (tmp_path / f"{number}.png").write_bytes(data)
    picker = ImagePicker(tmp_path)
    assert labels(picker) == [f"{number}.png" for number in range(5)]
    assert picker.left_out == 3
    picker.close()


def test_the_page_cannot_ask_for_files_that_are_not_listed(folder: Path) -> None:
    picker = ImagePicker(folder)
    answers = ask(picker, "thumbs", ids=["../photos/notes.txt", str(folder / "img2.png")])
    assert [buffers for _, buffers in answers if buffers] == []
    picker.close()


def test_a_folder_has_a_contact_sheet(folder: Path) -> None:
    picker = ImagePicker(folder)
    sheet = picker.contact_sheet()
    assert sheet is not None
    assert Image.open(io.BytesIO(sheet)).size == (8 * THUMB, THUMB)
    picker.close()


# ------------------------------------------------------------------------------- removing


def test_removing_the_choice_chooses_its_neighbour(picker: ImagePicker) -> None:
    picker.add(picture("lime"), "lime", choose=False)
    picker.remove()
    assert labels(picker) == ["blue", "lime"]
    assert picker.value == "blue"
    picker.value = "lime"
    picker.remove("lime")
    assert picker.value == "blue"
    picker.remove()
    assert not picker.items
    assert [picker.value, picker.image] == [None, None]
    with pytest.raises(KeyError, match="none"):
        picker.remove()


def test_the_last_removal_can_be_taken_back(picker: ImagePicker) -> None:
    (answer, _), *_ = ask(picker, "remove", picture="red")
    assert answer["ok"]
    assert (labels(picker), picker.value) == (["blue"], "blue")
    ask(picker, "restore")
    assert (labels(picker), picker.value) == (["red", "blue"], "red")
    assert picker.image is not None
    assert picker.image.getpixel((0, 0)) == (255, 0, 0)
    assert picker.restore() is None


def test_removing_what_is_gone_is_said(picker: ImagePicker) -> None:
    (answer, _), *_ = ask(picker, "remove", picture="green")
    assert "green" in answer["error"]["message"]
    assert labels(picker) == ["red", "blue"]


def test_recently_used_pictures_are_known_in_order(picker: ImagePicker) -> None:
    picker.value = "blue"
    picker.add(picture("lime"), "lime")
    picker.value = "blue"
    assert picker.recent == ["blue", "lime", "red"]
    picker.remove("lime")
    assert picker.recent == ["blue", "red"]


# -------------------------------------------------------------------------------- cropping


def gradient() -> Image.Image:
    """Red tells the column, green the row."""
    rows, columns = np.mgrid[0:120, 0:200]
    return Image.fromarray(np.stack([columns, rows, rows * 0], 2).astype(np.uint8))


def test_a_crop_is_the_picture_from_then_on() -> None:
    picker = ImagePicker({"ramp": gradient(), "red": picture("red")})
    seen: list[tuple[int, int]] = []
    picker.observe(lambda change: seen.append(change["new"].size), "image")
    picker.crop = (30, 70, 50)
    assert seen == [(50, 50)]
    assert picker.image is not None
    assert picker.image.getpixel((0, 0)) == (70, 30, 0)
    assert picker.image.getpixel((49, 49)) == (119, 79, 0)
    picker.crop = None
    assert picker.image.size == (200, 120)
    picker.close()


def test_each_picture_keeps_its_crop() -> None:
    picker = ImagePicker({"ramp": gradient(), "red": picture("red", (64, 64))})
    picker.crop = (30, 70, 50)
    picker.value = "red"
    assert picker.get_state()["crop"] is None
    assert picker.image is not None
    assert picker.image.size == (64, 64)
    picker.value = "ramp"
    assert picker.crop == (30, 70, 50)
    assert picker.image.size == (50, 50)
    picker.close()


@pytest.mark.parametrize("crop", [(0, 0, 121), (100, 0, 50), (-1, 0, 50), (0, 0, 4)])
def test_a_crop_beyond_the_picture_is_refused(crop: tuple[int, int, int]) -> None:
    picker = ImagePicker({"ramp": gradient()})
    with pytest.raises(traitlets.TraitError, match="120 high and 200 wide"):
        picker.crop = crop
    assert picker.crop is None
    picker.close()


def test_what_the_network_sees_of_a_crop_is_shown_exactly() -> None:
    how = Preprocess(size=32, resize=40)
    picker = ImagePicker({"ramp": gradient()}, transforms=how)
    assert picker.get_state()["_share"] == pytest.approx(0.8)
    (head, (data,)), *_ = ask(picker, "seen", picture="ramp", crop=[10, 20, 80])
    assert head["known"]
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    # The middle 64 of the 80 pixels, two by two: each pixel is the mean of about four.
    block = np.asarray(gradient())[18:82, 28:92].reshape(32, 2, 32, 2, 3).mean((1, 3))
    assert shown.shape == (32, 32, 3)
    assert np.abs(shown - block).max() <= 1.5
    picker.close()


def test_without_a_known_preparation_nothing_is_claimed() -> None:
    picker = ImagePicker({"ramp": gradient()})
    (head, buffers), *_ = ask(picker, "seen", picture="ramp", crop=None)
    assert (head["known"], buffers) == (False, [])
    assert picker.get_state()["_share"] == 1.0
    picker.close()


@pytest.mark.parametrize("crop", [[0, 0], [0, 0, "9"], [0, 0, 999], "abc", 7])
def test_a_question_about_no_square_is_refused(crop: object) -> None:
    picker = ImagePicker({"ramp": gradient()}, transforms=Preprocess())
    (head, buffers), *_ = ask(picker, "seen", picture="ramp", crop=crop)
    assert (head["ok"], buffers) == (False, [])
    picker.close()


def test_the_photo_comes_whole_and_not_larger_than_needed() -> None:
    picker = ImagePicker({"wide": picture("red", (3000, 1500)), "ramp": gradient()})
    for name, size, sent in (("wide", [1500, 3000], (1024, 512)), ("ramp", [120, 200], (200, 120))):
        (head, (data,)), *_ = ask(picker, "photo", picture=name)
        assert head["size"] == size
        assert Image.open(io.BytesIO(data)).size == sent
    assert picker.value == "wide"
    picker.close()


def test_a_removed_pictures_crop_does_not_pass_to_its_namesake() -> None:
    picker = ImagePicker({"ramp": gradient()})
    picker.crop = (30, 70, 50)
    picker.remove()
    picker.add(picture("red", (20, 20)), "ramp")
    assert (picker.value, picker.crop) == ("ramp", None)
    picker.close()
