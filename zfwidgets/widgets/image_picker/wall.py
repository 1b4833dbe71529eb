"""The wall behind a picker's pictures: the photographs of `zf.gallery()` for the page.

Knows nothing of Jupyter. The page gets all names at once and searches them itself, so that every
letter is answered at once even while the kernel computes; thumbnails it asks for as they come into
sight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from zfwidgets.images import GalleryPhoto, gallery
from zfwidgets.images.families import KOREAN

SIDE = 256
"""Side of the photographs in pixels."""


def known(name: str) -> GalleryPhoto | None:
    """The photograph of this name, or none."""
    return gallery().get(name)


def photographs() -> list[GalleryPhoto]:
    """All of them, in the order of their classes; the page knows them by their place here."""
    return list(gallery().values())


def facts(locale: str) -> dict[str, Any]:
    """Everything but pictures, as `RawPhotos` of the page side has it."""
    found = gallery()
    place = {kind: number for number, kind in enumerate(found.categories)}
    families = dict.fromkeys(family for kind in found.categories for family in kind.families)
    kinds = []
    for kind in found.categories:
        names = [kind.korean, kind.name] if locale == "ko" else [kind.name, kind.korean]
        kinds.append({"names": names, "families": list(kind.families), "words": list(kind.words)})
    return {
        "kinds": kinds,
        "families": {name: KOREAN.get(name, name) if locale == "ko" else name for name in families},
        "photos": [[photo.name, place[photo.category], photo.author] for photo in found.values()],
    }


def thumbnails(
    photos: Sequence[GalleryPhoto], px: int, check: Callable[[], None]
) -> npt.NDArray[np.uint8]:
    """uint8 ``[N, px, px, 3]``; `check` is called before each is opened, and may raise."""
    tiles = np.empty((len(photos), px, px, 3), np.uint8)
    for tile, photo in zip(tiles, photos, strict=True):
        check()
        image = photo.open()
        if image.size != (px, px):
            image = image.resize((px, px), Image.Resampling.LANCZOS, reducing_gap=2.0)
        tile[:] = np.asarray(image)
    return tiles
