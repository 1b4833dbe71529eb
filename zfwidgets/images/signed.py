"""Signed numbers as colours: blue below zero, white at zero, orange above.

Blue and orange are those of Okabe and Ito (2008), which colour-blind people tell apart; lightness
falls evenly to both sides, so that the size of a value can be read without seeing hue.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from zfwidgets.images.contrast import contrast

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]

#: sRGB at the lowest, at zero, and at the highest value, with one stop between each.
_STOPS = np.array(
    [[0, 60, 112], [64, 147, 204], [255, 255, 255], [236, 152, 52], [140, 58, 0]], dtype=float
)


@cache
def signed_colours() -> Array:
    """The 255 colours, uint8 sRGB ``[255, 3]``: index 127 is zero and white."""
    at = np.linspace(0, len(_STOPS) - 1, 255)
    known = np.arange(len(_STOPS))
    table = np.stack([np.interp(at, known, _STOPS[:, c]) for c in range(3)], axis=1)
    colours: Array = np.rint(table).astype(np.uint8)
    colours.setflags(write=False)
    return colours


def signed(
    maps: Tensor | Array, share: Any = "tile", percentile: float = 99.5, full: float | None = None
) -> tuple[Array, tuple[float, ...]]:
    """Signed maps ``[N, h, w]`` -> uint8 ``[N, h, w, 3]``, and the |x| of the end colours.

    share, percentile, full: as for the symmetric rule of `contrast`.

    Raises:
        ValueError: wrong shape, or values that are not finite.
    """
    if maps.ndim != 3:
        raise ValueError(f"signed() got values of shape {list(maps.shape)}; expected [N, h, w].")
    levels, how = contrast(maps[:, None], share=share, percentile=percentile, full=full)
    return signed_colours()[levels[..., 0].astype(np.intp) - 1], how.high


def colour_mean(pixels: Any) -> Any:
    """One signed value per pixel, the mean of its colours: [N, C, h, w] -> [N, h, w]."""
    return pixels.mean(1)
