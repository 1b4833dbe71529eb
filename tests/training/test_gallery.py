"""The gallery is made from what was listed, less what was left out, the same each time."""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from tests.training.conftest import picture
from training import gallery
from training.__main__ import main
from zfwidgets.images import Gallery
from zfwidgets.images.gallery import SHIPPED


def jpeg(number: int) -> bytes:
    out = io.BytesIO()
    picture(number % 32).resize((256, 256)).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three jays, a teddy that is left out for good, and every other file that is."""
    left_out = [row["file"] for row in gallery.rows_of("left-out.tsv")]
    files = {f"{name}.jpg": 17 for name in "abc"} | dict.fromkeys(left_out, 850)
    rows = []
    with tarfile.open(tmp_path / "gallery.tar", "w") as tar:
        for number, (name, kind) in enumerate(files.items()):
            data = jpeg(number)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
            rows.append(
                {
                    "file": name,
                    "class_index": kind,
                    "author": "A &amp; B [sic] | C",
                    "author_page": "https://www.flickr.com/people/x/",
                    "page": f"http://flickr.com/x/{number}?rb=1",
                    "licence": "https://creativecommons.org/licenses/by/2.0/",
                    "sha256": hashlib.sha256(data).hexdigest(),
                }
            )
    with (tmp_path / "gallery.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


def test_what_is_left_out_does_not_ship_and_the_rest_is_credited(
    photos: Path, tmp_path: Path
) -> None:
    assert gallery.make(photos, tmp_path / "made") == 3
    made = Gallery(tmp_path / "made" / "gallery.zip")
    assert list(made) == ["jay-1", "jay-2", "jay-3"]
    photo = made["jay-2"]
    assert photo.author == "A & B [sic] | C"
    assert photo.source == "https://www.flickr.com/photos/x/1"
    assert photo.category.korean == "어치"
    assert photo.open().size == (256, 256)
    table = (tmp_path / "made" / "README.md").read_text()
    assert r"[A & B \[sic\] \| C](https://www.flickr.com/people/x/)" in table


def test_it_is_made_the_same_to_the_last_byte(photos: Path, tmp_path: Path) -> None:
    for name in ("once", "again"):
        gallery.make(photos, tmp_path / name)
    once, again = (Gallery(tmp_path / name / "gallery.zip") for name in ("once", "again"))
    assert once.sha256 == again.sha256


def test_another_file_than_the_listed_one_is_refused(photos: Path, tmp_path: Path) -> None:
    with tarfile.open(photos / "gallery.tar", "a") as tar:
        member = tarfile.TarInfo("a.jpg")
        member.size = len(jpeg(9))
        tar.addfile(member, io.BytesIO(jpeg(9)))
    with pytest.raises(ValueError, match=r"a\.jpg .* SHA-256"):
        gallery.make(photos, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_leaving_out_what_is_not_there_is_an_error(photos: Path, tmp_path: Path) -> None:
    listing = photos / "gallery.csv"
    gone = gallery.rows_of("left-out.tsv")[0]["file"]
    lines = listing.read_text().splitlines(keepends=True)
    listing.write_text("".join(line for line in lines if not line.startswith(gone)))
    with pytest.raises(ValueError, match=gone):
        gallery.make(photos, tmp_path / "made")


def test_names_are_written_as_their_owners_write_them() -> None:
    assert gallery.author_of(r"Fr\303\251d\303\251ric BISSON") == "Frédéric BISSON"
    assert gallery.author_of("The People&#x27;s Tribune") == "The People's Tribune"
    assert gallery.author_of("어치") == "어치"


def test_an_address_that_is_no_page_of_a_photograph_is_refused() -> None:
    with pytest.raises(ValueError, match="flickr"):
        gallery.page_of("https://example.org/photos/x/1")


def test_the_command_asks_for_the_photographs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["gallery"])
    assert "--photos DIR" in capsys.readouterr().err


def test_every_photograph_left_out_has_a_reason_and_none_of_them_ships() -> None:
    rows = gallery.rows_of("left-out.tsv")
    assert len({row["file"] for row in rows}) == len(rows) > 50
    assert {row["reason"] for row in rows} == set(gallery.REASONS)
    assert all(row["what"] for row in rows)
    note = (SHIPPED.parent / "README.md").read_text()
    assert f"{len(rows)} photographs of the set were left out" in note


def test_what_ships_has_the_names_and_families_of_the_table() -> None:
    table = {int(row["index"]): row for row in gallery.rows_of("classes.tsv")}
    for kind in Gallery(SHIPPED).categories:
        row = table[kind.index]
        assert (kind.name, kind.korean) == (row["english"], row["korean"])
        assert kind.families == tuple(row["families"].split(", "))
