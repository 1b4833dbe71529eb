"""HEIC and HEIF, as phones write them: Pillow reads them with the help of libheif.

The library is loaded when the first such file comes.  pi-heif (libheif without encoders) comes with
this package; pillow-heif, its larger sister, is taken where somebody has it.
"""

from __future__ import annotations

import importlib
import io
from typing import Any

from PIL import Image

PACKAGES = ("pillow_heif", "pi_heif")

_BRANDS = frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1".split())


def is_heif(data: bytes) -> bool:
    """Whether the first bytes are those of a HEIC or HEIF file. (AVIF has brands of its own.)"""
    return data[4:8] == b"ftyp" and data[8:12] in _BRANDS and b"avif" not in data[16:64]


def open_heif(data: bytes) -> Image.Image:
    """Its primary picture, with size and metadata; pixels are decoded on load, upright.

    Raises:
        ImportError: libheif is not there.
        SyntaxError: the file is damaged.
    """
    return _library().HeifImageFile(io.BytesIO(data))


def _library() -> Any:
    for package in PACKAGES:
        try:
            return importlib.import_module(package)
        except ImportError:
            continue
    raise ImportError("pi-heif")
