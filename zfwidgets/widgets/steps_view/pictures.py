"""What a StepsView draws of one step: the strongest maps before and after, and the switches."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zfwidgets.deconv.steps import OPTIONAL, Step
from zfwidgets.images.signed import signed
from zfwidgets.widgets.core.wire import sheet

TILES = 12
"""Most maps shown on either side."""

LEAST = 7
"""Fewest rows and columns that a part of a map is shown with, where the map has as many."""

CELLS = 5
"""Rows and columns of pooled cells in the drawing of the switches."""


@dataclass(frozen=True)
class Part:
    """Where on its map a signal stands, in rows and columns; bottom and right are outside."""

    top: int
    left: int
    bottom: int
    right: int

    @staticmethod
    def of(*signals: Tensor) -> Part:
        """A square around all that is not zero in maps [C, h, w] of one size, with a rim of one.

        At least `LEAST` places wide, at most as large as the map. All of the map where all is zero.
        """
        alive = torch.stack([(maps != 0).any(0) for maps in signals]).any(0)
        height, width = alive.shape
        if not alive.any():
            return Part(0, 0, height, width)
        spans = [alive.any(axis).nonzero().flatten()[[0, -1]].tolist() for axis in (1, 0)]
        side = max(LEAST, *(last - first + 3 for first, last in spans))
        (top, bottom), (left, right) = (
            _around(first, last, side, limit)
            for (first, last), limit in zip(spans, (height, width), strict=True)
        )
        return Part(top, left, bottom, right)


def _around(first: int, last: int, side: int, limit: int) -> tuple[int, int]:
    """`side` places with first to last in their middle, moved so that they are on the map."""
    start = min(max((first + last + 1 - side) // 2, 0), max(limit - side, 0))
    return start, min(start + side, limit)


@dataclass(frozen=True)
class Side:
    """Maps on one side of a step: channels, uint8 tiles [N, h, w, 3], |x| of full colour.

    part: where on the maps the signal stands; None where they are shown whole.
    """

    channels: list[int]
    tiles: np.ndarray[Any, np.dtype[np.uint8]]
    full: float
    part: Part | None = None

    def message(self) -> tuple[dict[str, Any], bytes]:
        """The head and the encoded sheet for the page."""
        made = sheet(self.channels, self.tiles)
        part = None if self.part is None else list(astuple(self.part))
        return {**made.head(), "full": self.full, "part": part}, made.data

    def strongest(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The first tile, as much of it as is shown."""
        if self.part is None:
            return self.tiles[0]
        part = self.part
        return self.tiles[0, part.top : part.bottom, part.left : part.right]


def sides(step: Step) -> tuple[Side, Side]:
    """The strongest maps before and after, the same channels where the step keeps them.

    Where both are of one size, the same part of both is shown.
    """
    before, after = maps_of(step.before), maps_of(step.signal)
    first = strongest(before)
    second = first if step.kind in OPTIONAL else strongest(after)
    if before.shape[1:] == after.shape[1:]:
        here = there = Part.of(before, after)
    else:
        here, there = Part.of(before), Part.of(after)
    return side(before, first, here), side(after, second, there)


def maps_of(signal: Tensor) -> Tensor:
    """The first neuron's maps [C, h, w]; units of a fully connected layer are maps of 1 x 1."""
    values = signal[0].float().cpu()
    return values if values.ndim == 3 else values.flatten()[:, None, None]


def strongest(maps: Tensor) -> list[int]:
    """The channels with the largest |x|, at most `TILES`, largest first; zero ones are left out.

    Equal ones are in the order of their numbers, as in a page without Python.
    """
    largest = maps.flatten(1).abs().amax(1)
    count = min(TILES, max(1, int(torch.count_nonzero(largest))))
    return largest.argsort(descending=True, stable=True)[:count].tolist()


def side(maps: Tensor, channels: list[int], part: Part) -> Side:
    """Maps of these channels in signed colours, all on one scale."""
    tiles, full = signed(maps[channels], share="all")
    height, width = maps.shape[1:]
    whole = part == Part(0, 0, height, width)
    return Side(channels, tiles, full[0], None if whole else part)


def facts(step: Step) -> dict[str, Any]:
    """A step in numbers, for the page's line of steps."""
    before, after = maps_of(step.before), maps_of(step.signal)
    return {
        "name": step.name,
        "layer": step.layer,
        "kind": step.kind,
        "off": step.off,
        "optional": step.kind in OPTIONAL,
        "before": list(before.shape),
        "after": list(after.shape),
        "zeros": [_zeros(before), _zeros(after)],
        "negative": float((before < 0).double().mean()),
        "kernel": list(step.filters.shape[2:]) if step.filters is not None else None,
    }


def _zeros(maps: Tensor) -> float:
    return 1 - int(torch.count_nonzero(maps)) / max(maps.numel(), 1)


def switches(step: Step) -> dict[str, Any] | None:
    """A few pooled cells of the strongest channel, and where unpooling puts them; None if none.

    ``cells`` holds ``{row, col, value, to, switch}``: place on the pooled map, and on the larger
    map where the value goes and where the recorded switch points. ``top, left, rows, cols``: the
    part of the pooled map. ``window``: kernel, stride and padding of the pooling.
    """
    if step.switches is None:
        return None
    maps = maps_of(step.before)
    channel = strongest(maps)[0]
    pooled = maps[channel]
    height, width = pooled.shape
    row, col = divmod(int(pooled.abs().argmax()), width)
    rows, cols = min(CELLS, height), min(CELLS, width)
    top = min(max(row - rows // 2, 0), height - rows)
    left = min(max(col - cols // 2, 0), width - cols)
    return {
        "channel": channel,
        "top": top,
        "left": left,
        "rows": rows,
        "cols": cols,
        "size": list(step.signal.shape[2:]),
        "window": [list(pair) for pair in _window(step)],
        "cells": [
            _cell(step, channel, r, c, float(pooled[r, c]))
            for r in range(top, top + rows)
            for c in range(left, left + cols)
        ],
    }


def _window(step: Step) -> list[tuple[int, int]]:
    assert step.switches is not None
    return [step.switches.kernel, step.switches.stride, step.switches.padding]


def _cell(step: Step, channel: int, row: int, col: int, value: float) -> dict[str, Any]:
    assert step.switches is not None
    places = step.switches.rows, step.switches.cols
    switch = [int(axis[0, channel, row, col]) for axis in places]
    kernel, stride, padding = _window(step)
    middle = [
        at * stride[axis] - padding[axis] + kernel[axis] // 2 for axis, at in enumerate((row, col))
    ]
    to = middle if step.off else switch
    return {"row": row, "col": col, "value": value, "to": to, "switch": switch}


def filter_tile(step: Step) -> Side | None:
    """The filter between the strongest maps before and after; None without filters."""
    if step.filters is None:
        return None
    giver, taker = strongest(maps_of(step.before))[0], strongest(maps_of(step.signal))[0]
    group = step.filters.shape[1]
    kernel = step.filters[giver, taker % group].float().cpu()
    tiles, full = signed(kernel[None], percentile=100)
    return Side([giver], tiles, full[0])
