"""Some hundred photographs of ImageNet's classes that ship with the package, in one file.

The file is a zip archive: ``gallery.json``, with authors, pages, licence and classes, and one WebP
of 256 x 256 pixels a photograph, stored without further compression. A photograph is read when it
is opened; nothing stays open in between, so that threads and forked processes do not disturb each
other.
"""

from __future__ import annotations

import hashlib
import json
import struct
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from PIL import Image

from zfwidgets.images.decode import decode
from zfwidgets.images.families import KOREAN
from zfwidgets.images.photo import Photo

SHIPPED = Path(__file__).parent / "gallery_photos" / "gallery.zip"
TABLE = "gallery.json"

_NAME_LENGTHS = struct.Struct("<26xHH")  # of the local header of a member (APPNOTE.TXT, 4.3.7)


@dataclass(frozen=True)
class Category:
    """One of ImageNet's 1000 classes.

    ``index`` counts from 0 and ``name`` is English, both as torchvision's categories; ``families``
    go from the wide to the narrow, for instance ``("animal", "mammal", "dog")``.
    """

    index: int
    name: str
    korean: str
    families: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """What it is searched by: its names, then its families, in English and Korean."""
        korean = (KOREAN[family] for family in self.families if family in KOREAN)
        return (self.name, self.korean, *self.families, *korean)


@dataclass(frozen=True)
class GalleryPhoto(Photo):
    """A photograph of the gallery, of a known class."""

    author_page: str
    category: Category
    archive: Path = field(repr=False)
    start: int = field(repr=False)
    """Of its WebP, in bytes from the start of the archive."""
    size: int = field(repr=False)
    """Of its WebP, in bytes."""

    def read(self) -> bytes:
        """The WebP as it ships."""
        with self.archive.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)

    def open(self) -> Image.Image:
        """Decode the photograph, 256 x 256 pixels, mode ``"RGB"``."""
        return decode(self.read(), name=self.name)


class Gallery(Mapping[str, GalleryPhoto]):
    """Photographs by name, in the order of their classes: ``gallery["jay-1"]``.

    Wherever several pictures are taken, a gallery can be given: ``zf.exemplars(net, gallery)``.
    """

    def __init__(self, path: str | Path) -> None:
        """Read the table of an archive.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no archive of a gallery.
        """
        self.path = Path(path)
        try:
            self._photos = _read(self.path)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"The gallery is missing (expected at {self.path}). Install zfwidgets again; from "
                "a checkout, `python -m training gallery --photos DIR` makes it anew."
            ) from error
        except (BadZipFile, KeyError, TypeError, ValueError, struct.error) as error:
            raise ValueError(
                f"{self.path} is no gallery ({error}); expected a zip archive with {TABLE} and the "
                "photographs that it names, as `python -m training gallery` writes it."
            ) from error

    def __getitem__(self, name: str) -> GalleryPhoto:
        try:
            return self._photos[name]
        except KeyError:
            raise KeyError(
                f"no photograph {name!r} in the gallery; names are a class and a number, as "
                f"{next(iter(self._photos), 'jay-1')!r}. search() finds them by words."
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._photos)

    def __len__(self) -> int:
        return len(self._photos)

    def __repr__(self) -> str:
        return f"Gallery of {len(self)} photographs of {len(self.categories)} classes"

    @cached_property
    def categories(self) -> tuple[Category, ...]:
        """The classes that occur, by index."""
        return tuple(dict.fromkeys(photo.category for photo in self.values()))

    @cached_property
    def sha256(self) -> str:
        """Checksum of the archive: what was made from this gallery says it."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def of(self, category: int | str | Category) -> list[GalleryPhoto]:
        """The photographs of one class, or of a family of classes.

        Args:
            category: ImageNet's index from 0, its English or Korean name, or a family such as
                ``"dog"``.

        Raises:
            KeyError: no photograph is of that class.
        """
        found = [photo for photo in self.values() if _is(photo.category, category)]
        if not found:
            raise KeyError(
                f"no photograph of the class {category!r} in the gallery; it has "
                f"{len(self.categories)} of ImageNet's 1000 classes, see gallery.categories."
            )
        return found

    def search(self, words: str) -> list[GalleryPhoto]:
        """The photographs that have all the words, or parts of words, in what is known of them.

        That is their class and its families (English, Korean), their author and their name.
        """
        wanted = _plain(words).split()
        return [p for p in self.values() if all(word in _searched(p) for word in wanted)]


@cache
def gallery() -> Gallery:
    """The gallery that ships: photographs from Flickr under CC BY 2.0, each with its author.

    ``gallery()["jay-1"]`` is one by its name, ``gallery().of("jay")`` are those of a class,
    ``gallery().search("어치")`` those that words find. None of them was trained on.
    """
    return Gallery(SHIPPED)


def _is(known: Category, asked: int | str | Category) -> bool:
    if isinstance(asked, str):
        return asked in (known.name, known.korean, *known.families)
    return asked in (known.index, known)


def _searched(photo: GalleryPhoto) -> str:
    return _plain(" ".join((*photo.category.words, photo.author, photo.name)))


def _plain(text: str) -> str:
    """Without case, composed: Korean is typed composed on one system and decomposed on another."""
    return unicodedata.normalize("NFC", text).casefold()


def _read(path: Path) -> dict[str, GalleryPhoto]:
    with ZipFile(path) as archive, path.open("rb") as file:
        table: dict[str, Any] = json.loads(archive.read(TABLE))
        kinds = {
            row["index"]: Category(**(row | {"families": tuple(row["families"])}))
            for row in table["categories"]
        }
        common = {key: table[key] for key in ("licence", "licence_url", "changes")}
        photos = {}
        for row in table["photos"]:
            member = archive.getinfo(f"{row['name']}.webp")
            if member.compress_type != ZIP_STORED:
                raise ValueError(f"{member.filename} is compressed; expected it stored")
            file.seek(member.header_offset)
            start = member.header_offset + 30 + sum(_NAME_LENGTHS.unpack(file.read(30)))
            kind = kinds[row.pop("category")]
            photos[row["name"]] = GalleryPhoto(
                title=kind.name[:1].upper() + kind.name[1:],
                category=kind,
                archive=path,
                start=start,
                size=member.file_size,
                **common,
                **row,
            )
    return photos
