"""The photographs that ship with the package, each with its author, licence and origin."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from zfwidgets.images.decode import decode
from zfwidgets.images.photo import Photo

_PHOTOS = Path(__file__).parent / "photos"


@dataclass(frozen=True)
class Sample(Photo):
    """A sample photograph, in a file of its own.

    ``origin`` is the package and file it was taken from.
    """

    origin: str
    path: Path

    def open(self) -> Image.Image:
        """Decode the photograph, mode ``"RGB"``."""
        return decode(self.path)


def samples() -> dict[str, Sample]:
    """All sample photographs by name; the first, ``"cat"``, is the one to start with."""
    return dict(_table())


def sample(name: str = "cat") -> Sample:
    """One sample photograph.

    Raises:
        KeyError: there is none of this name.
    """
    table = _table()
    if name not in table:
        raise KeyError(f"no sample photograph {name!r}; there are {', '.join(table)}.")
    return table[name]


@cache
def _table() -> dict[str, Sample]:
    rows = json.loads((_PHOTOS / "photos.json").read_text(encoding="utf-8"))
    return {row["name"]: Sample(path=_PHOTOS / row.pop("file"), **row) for row in map(dict, rows)}
