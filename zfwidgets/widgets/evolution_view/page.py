"""The table of `EvolutionView` as one trait: its numbers, and all tiles on one sheet."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from zfwidgets.analysis.evolution import Evolution, filters_of
from zfwidgets.deconv.checkpoints import Checkpoints
from zfwidgets.images import contrast
from zfwidgets.images.tiles import resize
from zfwidgets.widgets.core.wire import sheet

Pictures = np.ndarray[Any, np.dtype[np.uint8]]

PIXELS = 1_600_000
"""Of all tiles together; they travel once, and are saved with the notebook."""


def drawn(found: Evolution, run: Checkpoints, mode: str) -> dict[str, Any]:
    """The trait `_page`, as `EvolutionPage` of the page side.

    Tile i is checkpoint i // C, channel i % C. Filters that are no pictures become projections.
    """
    colours = _sees_colours(run, found.layer)
    shown = mode if colours or mode != "filter" else "projection"
    tiles = _tiles(found, run, shown)
    height, width = tiles.shape[1:3]
    scale = min(1.0, math.sqrt(PIXELS / (len(tiles) * height * width)))
    small = resize(tiles, max(1, round(height * scale)), max(1, round(width * scale)))
    made = sheet(range(len(tiles)), small)
    return {
        "layer": found.layer,
        "mode": shown,
        "filters": colours,
        "channels": list(found.channels),
        "steps": list(found.steps),
        "scanned": found.scanned,
        "ids": list(found.ids),
        "value": found.value.tolist(),
        "image": found.image.tolist(),
        "jumps": found.jumps.tolist(),
        "similarity": _means(found.similarity),
        "overlap": _means(found.overlap),
        "sheet": made.head(),
        "picture": made.data,
    }


def _sees_colours(run: Checkpoints, layer: str) -> bool:
    weights = filters_of(run[-1], layer)
    return weights is not None and weights.ndim == 4 and weights.shape[1] in (1, 3)


def _tiles(found: Evolution, run: Checkpoints, mode: str) -> Pictures:
    """uint8 [T * C, h, w, 3]."""
    if mode == "patch":
        return found.patches.reshape(-1, *found.patches.shape[2:])
    if mode == "projection":
        return np.concatenate([one.to_images() for one in found.projections])
    columns = []
    for net in run:
        weights = filters_of(net, found.layer)
        assert weights is not None
        columns.append(contrast(net.to_rgb(weights[list(found.channels)]))[0])
    return np.concatenate(columns)


def _means(values: Tensor) -> list[float | None]:
    """Of each checkpoint over its channels; None for no number, which JSON does not have."""
    means = [float(row.nanmean()) for row in values]
    return [None if math.isnan(mean) else mean for mean in means]
