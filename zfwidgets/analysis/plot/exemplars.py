"""Fig. 2 on paper: projections beside the patches that they come from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from zfwidgets.analysis.plot.style import grid, headline, picture

_GAP = 2
_PAPER = 255


Tiles = np.ndarray[Any, np.dtype[np.uint8]]


def plot_panels(panels: Sequence[tuple[str, Tiles, Tiles]], title: str) -> Figure:
    """Channel after channel as the paper prints them: projections and patches, square by square.

    panels: what stands above each, its projections and its patches, uint8 [k, h, w, 3].
    """
    columns = min(3, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure, axes = grid(rows, columns, width=4.2 * columns, height=2.35 * rows + 0.3)
    for (label, projections, patches), place in zip(panels, axes, strict=False):
        left, right = square(projections), square(patches)
        gap = np.full((len(right), 3 * _GAP, 4), 0, np.uint8)
        picture(place, np.concatenate([left, gap, right], 1), title=label)
    for place in axes[len(panels) :]:
        place.set_axis_off()
    headline(figure, title)
    return figure


def square(tiles: Tiles) -> Tiles:
    """Tiles [N, h, w, 3] as a square, row by row, with transparent gaps: [H, W, 4]."""
    number, height, width, _ = tiles.shape
    side = math.ceil(math.sqrt(number))
    shape = (side * (height + _GAP) - _GAP, side * (width + _GAP) - _GAP, 4)
    result = np.zeros(shape, np.uint8)
    for index, tile in enumerate(tiles):
        y, x = (index // side) * (height + _GAP), (index % side) * (width + _GAP)
        result[y : y + height, x : x + width] = np.dstack([tile, np.full(tile.shape[:2], _PAPER)])
    return result
