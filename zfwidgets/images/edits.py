"""The same photo after a change that Pillow has no word for: a part hidden, noise added.

Crops, turns and strokes of a brush are Pillow's own: ``photo.crop(...)``, ``photo.rotate(...)``,
``ImageDraw.Draw(photo).line(...)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from zfwidgets.images.decode import Source, decode

Mask = Sequence[int] | np.ndarray[Any, np.dtype[np.bool_]]


def hide(image: Source, where: Mask, fill: str | Sequence[int] = "mean") -> Image.Image:
    """A photo with a part of it painted over.

    image: as `decode` takes it. where: a box (top, left, bottom, right) in pixels of the photo, or
    bool [H, W], a brush's strokes for instance. fill: "mean", the photo's mean colour, or red,
    green and blue from 0 to 255.

    Raises ValueError for a box without a pixel in the photo, a mask of another size, or a colour
    that is none.
    """
    pixels = np.array(decode(image))
    part = _mask(where, pixels.shape[:2])
    if isinstance(fill, str) and fill != "mean":
        raise ValueError(f"fill={fill!r}: expected 'mean', or red, green and blue.")
    colour = pixels.mean((0, 1)) if isinstance(fill, str) else np.asarray(fill)
    if colour.shape != (3,) or colour.min() < 0 or colour.max() > 255:
        raise ValueError(f"fill={fill!r}: expected 'mean', or three numbers from 0 to 255.")
    pixels[part] = colour.round().astype(np.uint8)
    return Image.fromarray(pixels)


def add_noise(image: Source, deviation: float = 25.0, seed: int = 0) -> Image.Image:
    """A photo with normally distributed noise on every pixel and colour.

    deviation: of the noise, in levels of 0 to 255. What leaves that range is cut off.
    """
    if not (np.isfinite(deviation) and deviation >= 0):
        raise ValueError(f"deviation={deviation}: expected 0 or more levels of 255.")
    pixels = np.array(decode(image))
    noise = np.random.default_rng(seed).normal(0, deviation, pixels.shape)
    return Image.fromarray((pixels + noise).round().clip(0, 255).astype(np.uint8))


def _mask(where: Mask, size: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if isinstance(where, np.ndarray) and where.dtype == np.bool_:
        if where.shape != size:
            raise ValueError(
                f"where: got a mask {list(where.shape)}; expected the photo's {list(size)}."
            )
        return where
    if len(where) != 4:
        raise ValueError(
            f"where={where!r:.60}: expected a box (top, left, bottom, right), or bool [H, W]."
        )
    top, left, bottom, right = (max(0, int(side)) for side in where)
    part = np.zeros(size, np.bool_)
    part[top:bottom, left:right] = True
    if not part.any():
        raise ValueError(
            f"where={tuple(where)}: no pixel of the photo of {size[0]} x {size[1]} is in this box."
        )
    return part
