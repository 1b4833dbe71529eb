"""Pictures of a gallery: where they come from, what they are called, how small they look.

Knows nothing of Jupyter. Pictures that are handed over are decoded once, to be sure of them; files
of a folder or of a pattern are listed only, and decoded when somebody looks.
"""

from __future__ import annotations

import glob
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from zfwidgets.images import GalleryPhoto, ImageError, Photo, decode
from zfwidgets.images.decode import SUFFIXES
from zfwidgets.images.samples import Sample, samples
from zfwidgets.widgets.image_picker.notes import spoken

Pixels = npt.NDArray[np.uint8]

THUMB = 128
"""Side of a thumbnail in pixels; shown at half of that on a plain screen."""

MOST_FILES = 1000
"""Files of a folder or pattern that are listed."""

_MOST_SEEN = 100_000  # names that are looked at before a pattern counts as endless
_MAX_LABEL = 60
_LEAST_CROP = 16  # pixels

ACCEPTED = ",".join(("image/*", *SUFFIXES, ".npy"))
"""What the page's file dialogue offers; in folders, arrays are more often data than pictures."""


@dataclass
class Entry:
    """A picture of the gallery. Kept as it came: decoded pictures are twenty times larger.

    Attributes:
        source: a `Photo`, the bytes of a file, a decoded image, or the path of a file that is read
            each time it is wanted.
        photo: the photograph that it is or was made of, with author, page and licence.
        thumb: uint8 ``[THUMB, THUMB, 3]``; None while nobody has looked at it.
        problem: why it cannot be read, empty as far as is known.
        note: what `decode` had to guess, empty as far as is known.
    """

    label: str
    credit: str
    source: Any
    photo: Photo | None = None
    thumb: Pixels | None = None
    problem: str = ""
    note: str = ""

    def open(self) -> Image.Image:
        """Decode it.

        Raises:
            ImageError: it cannot be read; `problem` says why from then on.
        """
        try:
            if isinstance(self.source, Photo):
                return self.source.open()
            image = decode(self.source, name=self.label)
        except ImageError as error:
            self.problem = f"{error.title}. {error.message}"
            raise
        # An image that was decoded before has been guessed about before.
        self.note = image.info.get("note", self.note)
        return image

    def small(self) -> Pixels:
        """Its thumbnail. Raises as `open` does."""
        return thumbnail(self.open()) if self.thumb is None else self.thumb

    def told(self, locale: str) -> dict[str, str]:
        """What the page is told of it, in plain texts."""
        found = {"label": self.label, "credit": self.credit}
        if isinstance(self.photo, GalleryPhoto) and self.label == self.photo.name:
            found["label"] = class_name(self.photo, locale)
        if self.photo is not None:
            for key in ("author", "source", "licence", "licence_url", "changes"):
                found[key] = getattr(self.photo, key)
        if self.note:
            found["note"] = spoken(self.note, locale)
        if self.problem:
            found["problem"] = self.problem
        return found


def class_name(photo: GalleryPhoto, locale: str) -> str:
    """What is on a photograph of the gallery."""
    return photo.category.korean if locale == "ko" else photo.category.name


def entry(source: Any, label: str, credit: str | Photo = "") -> tuple[Entry, Image.Image | None]:
    """A picture that was handed over, and the decoded image if there is one.

    Raises:
        ImageError: it cannot be decoded.
    """
    if isinstance(source, Photo):
        thumb = _sample_thumb(source) if isinstance(source, Sample) else None
        return Entry(source.name, source.credit, source, source, thumb), None
    label = clean_label(label)
    image = decode(source, name=label)
    # A path may point to something else tomorrow, and arrays can be written to.
    kept = source if isinstance(source, bytes) else image
    photo, words = (credit, credit.credit) if isinstance(credit, Photo) else (None, credit)
    note = image.info.get("note", "")
    return Entry(label, words, kept, photo, thumbnail(image), note=note), image


@dataclass(frozen=True)
class Files:
    """The files of a folder or a pattern, and how many more there are than are listed."""

    paths: tuple[Path, ...]
    left_out: int = 0


def sources(images: Any) -> Iterator[tuple[str, Any]]:
    """What a gallery begins with, as (label, picture or `Files`).

    Raises:
        ImageError: a folder or pattern holds no picture.
    """
    if images is None:
        images = samples()
    if isinstance(images, Mapping):
        yield from ((str(label), _found(source)) for label, source in images.items())
        return
    if isinstance(images, (str, bytes, Path, Image.Image, np.ndarray, Photo)):
        images = [images]
    for number, source in enumerate(images, 1):
        yield own_label(source) or f"picture {number}", _found(source)


def is_several(source: Any) -> bool:
    """Whether it is a folder, or a pattern of file names.

    Raises:
        ImageError: it holds no picture.
    """
    return isinstance(_found(source), Files)


def own_label(source: Any) -> str:
    """The name that a picture brings with it, or none."""
    if isinstance(source, Photo):
        return source.name
    return Path(source).name if isinstance(source, (str, Path)) else ""


def clean_label(name: str) -> str:
    """A file name from anywhere as one short line of printable text, without its folders."""
    line = "".join(c if c.isprintable() else " " for c in name.replace("\\", "/"))
    line = " ".join(PurePosixPath(line).name.split())
    if len(line) > _MAX_LABEL:
        line = f"{line[: _MAX_LABEL - 13]}…{line[-12:]}"
    return line or "picture"


def thumbnail(image: Image.Image) -> Pixels:
    """The middle square of a picture, uint8 [THUMB, THUMB, 3]."""
    # Two-step: a box reduction first makes a 50-megapixel picture take milliseconds.
    factor = max(1, min(image.size) // (2 * THUMB))
    small = image.reduce(factor) if factor > 1 else image
    return np.asarray(ImageOps.fit(small, (THUMB, THUMB), Image.Resampling.LANCZOS))


def square(image: Image.Image, crop: Sequence[int] | None) -> Image.Image:
    """The part (top, left, size) of a picture; all of it for None."""
    if crop is None:
        return image
    top, left, size = crop
    return image.crop((left, top, left + size, top + size))


def misplaced(crop: Any, photo: tuple[int, int]) -> str:
    """What is wrong with a square (top, left, size) of a photo of this width and height, or ""."""
    is_three = isinstance(crop, (tuple, list)) and len(crop) == 3
    if not is_three or not all(isinstance(number, int) for number in crop):
        return f"crop got {crop!r:.80}; expected three whole numbers"
    (top, left, size), (width, height) = crop, photo
    least = min(_LEAST_CROP, width, height)
    if size >= least and min(top, left) >= 0 and top + size <= height and left + size <= width:
        return ""
    return (
        f"crop got (top, left, size) = {tuple(crop)}; expected a square of at least {least} "
        f"pixels within the picture, which is {height} high and {width} wide"
    )


# ----------------------------------------------------------------------------- files


def _found(source: Any) -> Any:
    """A folder or pattern as its files; anything else as it is."""
    if not isinstance(source, (str, Path)) or "://" in str(source):
        return source
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            return _listed(_pictures_in(path), f"The folder {clean_label(path.name)}", str(source))
        if not path.exists() and glob.has_magic(str(path)):
            # Path.glob takes no absolute patterns.
            matches = map(Path, glob.iglob(str(path), recursive=True))  # noqa: PTH207
            return _listed(matches, f"The pattern {clean_label(path.name)}", str(source))
    except OSError as error:
        raise ImageError(
            f"{clean_label(path.name)} could not be listed",
            f"The system says: {error.strerror}.",
            "Check the path and whether you may read the folder.",
        ) from error
    return source


def _pictures_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.name.lower().endswith(SUFFIXES))


def _listed(paths: Iterator[Path], what: str, given: str) -> Files:
    seen = itertools.islice(paths, _MOST_SEEN)
    files = sorted((path for path in seen if path.is_file()), key=_natural)
    if not files:
        raise ImageError(
            f"{what} holds no picture",
            f"Got {given!r:.120}; looked in {Path.cwd()}.",
            "Check the spelling, or the folder that the notebook runs in. "
            "'photos/**/*.jpg' also looks into folders within.",
        )
    return Files(tuple(files[:MOST_FILES]), max(0, len(files) - MOST_FILES))


def _natural(path: Path) -> list[Any]:
    """img2 before img10."""
    parts = re.split(r"(\d+)", str(path).lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


_sample_thumbs: dict[str, Pixels] = {}


def _sample_thumb(sample: Sample) -> Pixels:
    """The thumbnail of a bundled photograph; decoded once per process."""
    if sample.sha256 not in _sample_thumbs:
        _sample_thumbs[sample.sha256] = thumbnail(sample.open())
    return _sample_thumbs[sample.sha256]
