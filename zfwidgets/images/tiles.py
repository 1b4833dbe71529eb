"""Hundreds of small pictures at once: shrink them, join them into one sheet, encode the sheet."""

from __future__ import annotations

import io
import math
import sys
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from PIL import Image

from zfwidgets.images.numbers import is_tensor

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]

#: Longest side that a WebP picture can have, by its format.
_WEBP_SIDE = 16_383


def encode(pixels: Array, mime: str = "image/webp", quality: int | None = None) -> bytes:
    """Pixels uint8 ``[h, w, 3]`` or grey ``[h, w]`` -> the bytes of a file.

    The default is lossless WebP at its fastest setting: of the formats that keep every pixel it is
    the fastest and the smallest on sheets of projections and of feature maps (384 tiles of 64
    pixels take some 20 to 70 ms on one core; PNG takes up to half as long again for 1.3 to 2.4
    times the bytes).
    JPEG takes a tenth of the time but errs by several grey levels on such pictures.

    Args:
        mime: ``"image/webp"``, ``"image/png"`` or ``"image/jpeg"``.
        quality: 1 to 100, for lossy WebP, or JPEG (90 if not given); PNG has none.

    Raises:
        ValueError: wrong shape, type, format or quality, or a side beyond what WebP can hold.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise ValueError(
            f"encode() got {pixels.dtype} of shape {list(pixels.shape)}; expected uint8 [h, w, 3] "
            "or [h, w]. Numbers become pixels with contrast() or heat()."
        )
    if quality is not None and (mime == "image/png" or not 1 <= quality <= 100):
        raise ValueError(
            f"encode(mime={mime!r}, quality={quality}): expected 1 to 100 for image/webp or "
            "image/jpeg, and none for image/png."
        )
    image = Image.fromarray(np.ascontiguousarray(pixels))
    out = io.BytesIO()
    if mime == "image/webp":
        if max(image.size) > _WEBP_SIDE:
            raise ValueError(
                f"encode() got {image.width} x {image.height} pixels; WebP holds at most "
                f"{_WEBP_SIDE} a side. Use fewer tiles, or mime='image/png'."
            )
        if quality is None:
            image.save(out, "WEBP", lossless=True, quality=0, method=0)
        else:
            image.save(out, "WEBP", quality=quality, method=0)
    elif mime == "image/png":
        image.save(out, "PNG", compress_level=1)
    elif mime == "image/jpeg":
        image.save(out, "JPEG", quality=quality or 90, subsampling=0)
    else:
        raise ValueError(
            f"encode(mime={mime!r}): expected 'image/webp', 'image/png' or 'image/jpeg'."
        )
    return out.getvalue()


@overload
def resize(tiles: Tensor, height: int, width: int) -> Tensor: ...
@overload
def resize(tiles: Array, height: int, width: int) -> Array: ...
def resize(tiles: Tensor | Array, height: int, width: int) -> Tensor | Array:
    """All tiles to one size: a float Tensor ``[N, C, h, w]``, or uint8 pictures ``[N, h, w, 3]``.

    Shrinking averages (bilinear with antialiasing), enlarging repeats pixels, so that a feature map
    of 13 x 13 shows its 13 x 13 values; each axis goes its own way.  Shrink projections before
    `contrast`: it is several times faster than the other way round.
    """
    if tiles.ndim != 4 or min(height, width, *tiles.shape[1:]) < 1:
        raise ValueError(
            f"resize() got tiles of shape {list(tiles.shape)} and a target of {height} x {width}; "
            "expected [N, C, h, w] or [N, h, w, 3], and sizes of at least 1."
        )
    if is_tensor(tiles):
        return _resize(tiles, height, width)
    torch = sys.modules.get("torch")
    if torch is None:
        return _without_torch(np.asarray(tiles), height, width)
    # Seen as [N, 3, h, w] this memory is channels-last, which is torch's fast path for uint8.
    planes = torch.from_numpy(np.array(tiles)).permute(0, 3, 1, 2)
    return _resize(planes, height, width).permute(0, 2, 3, 1).contiguous().numpy()


def _without_torch(tiles: Array, height: int, width: int) -> Array:
    """The same with Pillow, one by one; within a grey level of torch's."""
    made = np.empty((len(tiles), height, width, tiles.shape[3]), np.uint8)
    shrunk = min(width, tiles.shape[2]), min(height, tiles.shape[1])
    for out, tile in zip(made, tiles, strict=True):
        image = Image.fromarray(np.ascontiguousarray(tile))
        image = image.resize(shrunk, Image.Resampling.BILINEAR)
        out[:] = np.asarray(image.resize((width, height), Image.Resampling.NEAREST))
    return made


def _resize(tiles: Tensor, height: int, width: int) -> Tensor:
    import torch.nn.functional as F

    shrunk = (min(height, tiles.shape[2]), min(width, tiles.shape[3]))
    if tiles.shape[0] == 0:
        return tiles.new_empty(0, tiles.shape[1], height, width)
    if shrunk != tuple(tiles.shape[2:]):
        tiles = F.interpolate(
            tiles, size=shrunk, mode="bilinear", antialias=True, align_corners=False
        )
    if shrunk != (height, width):
        tiles = F.interpolate(tiles, size=(height, width), mode="nearest-exact")
    return tiles


def sprite(tiles: Array, columns: int | None = None, fill: int = 0) -> Array:
    """Tiles uint8 ``[N, h, w, 3]`` -> one picture ``[rows * h, columns * w, 3]``, row by row.

    Tile ``i`` lies at row ``i // columns`` and column ``i % columns``.  Without ``columns`` the
    sheet is nearly square; cells left over at the end have the grey level ``fill``.
    """
    if tiles.ndim != 4 or tiles.shape[3] != 3 or tiles.dtype != np.uint8 or 0 in tiles.shape:
        raise ValueError(
            f"sprite() got {tiles.dtype} of shape {list(tiles.shape)}; expected at least one tile, "
            "uint8 [N, h, w, 3]."
        )
    count, height, width, _ = tiles.shape
    columns = math.isqrt(count - 1) + 1 if columns is None else columns
    if columns < 1:
        raise ValueError(f"sprite(columns={columns}): expected at least 1.")
    rows = -(-count // columns)
    cells = np.full((rows * columns, height, width, 3), fill, dtype=np.uint8)
    cells[:count] = tiles
    grid = cells.reshape(rows, columns, height, width, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(grid).reshape(rows * height, columns * width, 3)
