"""Picture in (decode, limits, preparation, samples), picture out (contrast, tiles, sheets)."""

from zfwidgets.images.contrast import Contrast, contrast, heat, heat_colours
from zfwidgets.images.decode import ImageError, Limits, decode, get_limits, set_limits
from zfwidgets.images.preprocess import Preprocess

__all__ = [
    "Contrast",
    "ImageError",
    "Limits",
    "Preprocess",
    "contrast",
    "decode",
    "get_limits",
    "heat",
    "heat_colours",
    "set_limits",
]
