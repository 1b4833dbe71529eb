"""The gallery that ships is complete, credited, small, and found by name, class and words."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import pytest
from PIL import Image
from torchvision.models import AlexNet_Weights

import zfwidgets as zf
from zfwidgets.images import Gallery, Photo, decode
from zfwidgets.images.families import KOREAN
from zfwidgets.images.gallery import SHIPPED, TABLE


@pytest.fixture(scope="module")
def shipped() -> Gallery:
    return zf.gallery()


def test_it_is_one_file_of_some_hundred_photographs(shipped: Gallery) -> None:
    assert len(shipped) >= 800
    assert len(shipped.categories) >= 380
    assert shipped.path.stat().st_size <= 12e6
    assert {file.name for file in SHIPPED.parent.iterdir()} == {"gallery.zip", "README.md"}


def test_every_photograph_names_author_page_and_licence(shipped: Gallery) -> None:
    for name, photo in shipped.items():
        assert name == photo.name
        assert photo.author.strip() == photo.author != ""
        assert not re.search(r"&\w+;|\\\d", photo.author)
        assert photo.author_page.startswith("https://www.flickr.com/people/")
        assert photo.source.startswith("https://www.flickr.com/photos/")
        assert (photo.licence, photo.licence_url) == (
            "CC-BY-2.0",
            "https://creativecommons.org/licenses/by/2.0/",
        )
        assert "WebP" in photo.changes
        assert photo.credit == f"{photo.title}. {photo.author}, CC-BY-2.0"


def test_the_table_for_people_says_the_same(shipped: Gallery) -> None:
    lines = (SHIPPED.parent / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    for row, photo in zip(rows, shipped.values(), strict=True):
        assert f"`{photo.name}` | {photo.category.name} |" in row
        assert photo.author in row.replace("\\", "")
        assert photo.author_page in row
        assert photo.source in row


def test_every_photograph_opens_as_the_file_that_is_listed(shipped: Gallery) -> None:
    for photo in shipped.values():
        data = photo.read()
        assert hashlib.sha256(data).hexdigest() == photo.sha256, photo.name
        with Image.open(io.BytesIO(data)) as file:
            assert not {"exif", "xmp", "icc_profile"} & set(file.info)
        image = photo.open()
        assert (image.mode, image.size) == ("RGB", (256, 256))
        assert np.asarray(image).std() > 4, photo.name


def test_no_two_photographs_are_the_same(shipped: Gallery) -> None:
    assert len({photo.sha256 for photo in shipped.values()}) == len(shipped)
    assert len({photo.source for photo in shipped.values()}) == len(shipped)


def test_classes_are_those_that_networks_are_trained_on(shipped: Gallery) -> None:
    names = AlexNet_Weights.DEFAULT.meta["categories"]
    for kind in shipped.categories:
        assert kind.name == names[kind.index]
    order = [photo.category.index for photo in shipped.values()]
    assert order == sorted(order)


def test_every_class_has_a_korean_name_of_its_own_and_a_family(shipped: Gallery) -> None:
    kinds = shipped.categories
    assert len({kind.korean for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert kind.families
        # Hangul syllables, composed; the T of a motor car is the one exception.
        letters = set(kind.korean.replace("모델 T", "").replace(" ", ""))
        assert all("가" <= letter <= "힣" for letter in letters), kind
    families = {family for kind in kinds for family in kind.families}
    assert {"animal", "bird", "dog", "vehicle", "building", "food"} <= families
    for kind in kinds:
        if "dog" in kind.families:
            assert kind.families == ("animal", "mammal", "dog")


def test_photographs_are_found_by_class_in_either_language_and_by_family(shipped: Gallery) -> None:
    jays = shipped.of("jay")
    assert jays == shipped.of("어치") == shipped.of(17) == shipped.of(jays[0].category)
    assert [photo.name for photo in jays] == ["jay-1"]
    birds = shipped.of("bird")
    assert jays[0] in birds
    assert {photo.category.name for photo in birds} > {"jay", "peacock", "albatross"}
    # A dog and a garment bear one name in ImageNet but for the capital letter.
    assert shipped.of("Cardigan")[0].category.families[-1] == "dog"
    assert shipped.of("cardigan")[0].category.families == ("clothing",)


def test_words_find_what_has_all_of_them(shipped: Gallery) -> None:
    assert "bald-eagle-1" in [photo.name for photo in shipped.search("EAGLE bird")]
    assert shipped.search("eagle vehicle") == []
    assert shipped.search("수리") != []
    assert shipped.search("") == list(shipped.values())
    author = shipped["jay-1"].author
    assert shipped["jay-1"] in shipped.search(author.upper())


def test_families_and_names_are_found_too(shipped: Gallery) -> None:
    dogs = {photo.name for photo in shipped.of("dog")}
    assert dogs <= {photo.name for photo in shipped.search("개")}
    assert [photo.name for photo in shipped.search("jay-1")] == ["jay-1"]


def test_every_family_has_a_korean_name(shipped: Gallery) -> None:
    families = {family for kind in shipped.categories for family in kind.families}
    assert families == set(KOREAN)
    assert all(re.fullmatch("[가-힣 ]+", name) for name in KOREAN.values())


def test_korean_is_found_however_it_was_typed(shipped: Gallery) -> None:
    apart = unicodedata.normalize("NFD", "어치")
    assert apart != "어치"
    assert shipped.search(apart) == shipped.search("어치") != []


def test_what_is_not_there_is_said(shipped: Gallery) -> None:
    with pytest.raises(KeyError, match="a class and a number, as 'goldfish-1'"):
        shipped["unicorn-1"]
    with pytest.raises(KeyError, match="'unicorn'"):
        shipped.of("unicorn")


def test_threads_read_side_by_side_and_pickled_photographs_still_open(shipped: Gallery) -> None:
    photos = list(shipped.values())[:40]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda photo: photo.read(), photos))
    assert [hashlib.sha256(data).hexdigest() for data in read] == [p.sha256 for p in photos]
    again = pickle.loads(pickle.dumps(photos[0]))
    assert again == photos[0]
    assert again.read() == read[0]


def test_a_photograph_can_be_given_wherever_a_picture_can(shipped: Gallery) -> None:
    photo: Photo = shipped["jay-1"]
    assert decode(photo).tobytes() == photo.open().tobytes()
    assert decode(zf.sample("cat")).tobytes() == zf.sample("cat").open().tobytes()


def test_a_missing_or_foreign_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="training gallery"):
        Gallery(tmp_path / "none.zip")
    (tmp_path / "text.zip").write_text("not an archive")
    with pytest.raises(ValueError, match="is no gallery"):
        Gallery(tmp_path / "text.zip")
    with ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("else.txt", "")
    with pytest.raises(ValueError, match="is no gallery"):
        Gallery(tmp_path / "empty.zip")


def test_a_compressed_copy_is_refused_since_its_bytes_are_no_pictures(tmp_path: Path) -> None:
    with ZipFile(SHIPPED) as own:
        table = json.loads(own.read(TABLE))
        table["photos"] = table["photos"][:1]
        member = f"{table['photos'][0]['name']}.webp"
        picture = own.read(member)
    for kind in (ZIP_STORED, ZIP_DEFLATED):
        with ZipFile(tmp_path / f"{kind}.zip", "w", kind) as archive:
            archive.writestr(TABLE, json.dumps(table))
            archive.writestr(member, picture)
    (photo,) = Gallery(tmp_path / f"{ZIP_STORED}.zip").values()
    assert photo.read() == picture
    with pytest.raises(ValueError, match="compressed"):
        Gallery(tmp_path / f"{ZIP_DEFLATED}.zip")
