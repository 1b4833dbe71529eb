"""Pictures of a report: channels, filters, thumbnails."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image
from torch import Tensor

from zfwidgets.analysis.plot.review_page import Tile
from zfwidgets.analysis.review.facts import Facts
from zfwidgets.analysis.review.shelf import ChannelPictures, Pixels
from zfwidgets.analysis.review.words import percent
from zfwidgets.images.contrast import MID_GREY, contrast

_SIDE, _GAP = 96, 3


def channel_tile(review: Facts, key: tuple[str, int]) -> Tile:
    """A channel with its pictures, how often it fires and what its pictures are of."""
    found = review.channels[key]
    words = review.words.get(key, "")
    usage = review.scan.usage[found.layer]
    fires = f"fires in {percent(float(usage.fires[found.channel]))} of the pictures"
    return Tile(
        sheet(found),
        f"{found.layer}, channel {found.channel}",
        f"{fires}; {words}" if words else fires,
        sharp=found.patches.shape[1] < 32,
    )


def sheet(found: ChannelPictures) -> Pixels:
    """Patches in a row, and their projections below it: uint8 [h, w, 3]."""
    columns = 4
    step = _SIDE + _GAP
    sheet = np.full((2 * step - _GAP, columns * step - _GAP, 3), MID_GREY, np.uint8)
    for row, tiles in enumerate((found.patches, found.projections)):
        for column, tile in enumerate(tiles[:columns]):
            y, x = row * step, column * step
            sheet[y : y + _SIDE, x : x + _SIDE] = _resized(tile, _SIDE)
    return sheet


def _resized(tile: Pixels, side: int) -> Pixels:
    how = Image.Resampling.NEAREST if tile.shape[0] < side else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(tile).resize((side, side), how))


def filter_sheet(weights: Tensor) -> Pixels:
    """Filters [N, 1 or 3, h, w] beside each other: uint8 [h, w, 3]."""
    shown, _ = contrast(weights)
    some = shown[:256]
    columns = min(len(some), 16)
    side, gap = 4 * max(some.shape[1:3]), 4
    rows = -(-len(some) // columns)
    sheet = np.full(
        (rows * (side + gap) - gap, columns * (side + gap) - gap, 3), MID_GREY, np.uint8
    )
    for index, tile in enumerate(some):
        y, x = index // columns * (side + gap), index % columns * (side + gap)
        sheet[y : y + side, x : x + side] = _resized(tile, side)
    return sheet


def small(tile: Tile) -> Tile:
    """The same as a thumbnail."""
    height, width = tile.pixels.shape[:2]
    factor = min(1.0, 160 / max(height, width))
    size_ = max(1, round(width * factor)), max(1, round(height * factor))
    pixels = np.asarray(Image.fromarray(tile.pixels).resize(size_, Image.Resampling.LANCZOS))
    return replace(tile, pixels=pixels)
