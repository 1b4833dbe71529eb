"""The photographs that ship are complete, credited, free to pass on, and small."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from zfwidgets.images import Sample, sample, samples

#: What the project allows itself to ship.
FREE = {"public domain", "CC0-1.0", "CC-BY-2.0", "CC-BY-4.0"}

ALL = pytest.mark.parametrize("photo", samples().values(), ids=list(samples()))


def test_there_are_enough_and_the_cat_comes_first() -> None:
    assert len(samples()) >= 12
    assert next(iter(samples())) == "cat"
    assert sample() == samples()["cat"]


@ALL
def test_each_names_author_licence_and_origin(photo: Sample) -> None:
    assert photo.title
    assert photo.author
    assert photo.origin
    assert photo.changes
    assert photo.source.startswith(("http://", "https://"))
    assert photo.licence in FREE
    if photo.licence != "public domain":
        assert photo.licence_url.startswith("https://creativecommons.org/")
    assert photo.author in photo.credit
    assert photo.licence in photo.credit


@ALL
def test_each_file_is_the_one_that_was_checked(photo: Sample) -> None:
    assert hashlib.sha256(photo.path.read_bytes()).hexdigest() == photo.sha256


@ALL
def test_each_opens_as_a_picture_worth_looking_at(photo: Sample) -> None:
    image = photo.open()
    assert image.mode == "RGB"
    assert 400 <= max(image.size) <= 640
    assert np.asarray(image).std() > 20


@ALL
def test_files_carry_nothing_but_the_picture(photo: Sample) -> None:
    with Image.open(photo.path) as image:
        assert not dict(image.getexif())
        assert "icc_profile" not in image.info


def test_together_they_are_small_and_none_is_left_out_of_the_table() -> None:
    folder = sample().path.parent
    files = {file.name for file in folder.iterdir()} - {"README.md", "photos.json"}
    assert files == {photo.path.name for photo in samples().values()}
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 3 * 2**20


def test_the_table_for_people_says_the_same() -> None:
    text = (sample().path.parent / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(rows) == len(samples())
    for row, photo in zip(rows, samples().values(), strict=True):
        cells = [f"`{photo.name}`", photo.title, photo.author, photo.origin, photo.source]
        assert all(cell in row for cell in [*cells, photo.licence, photo.licence_url])


def test_colour_grey_landscape_and_portrait_are_all_there() -> None:
    images = [photo.open() for photo in samples().values()]
    assert {image.width > image.height for image in images} == {True, False}
    spread = [np.ptp(np.asarray(image).astype(int), axis=-1).mean() for image in images]
    assert min(spread) == 0
    assert sorted(spread)[len(spread) // 2] > 30


def test_the_samples_cannot_be_changed_by_a_caller() -> None:
    samples().clear()
    assert samples()


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(KeyError, match="cat, raccoon"):
        sample("unicorn")
