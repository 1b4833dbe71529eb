"""What a StepsView draws of one step: the strongest maps before and after, and the switches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zfwidgets.deconv.steps import OPTIONAL, Step
from zfwidgets.images.signed import signed
from zfwidgets.widgets.core.wire import sheet

TILES = 12
"""Most maps shown on either side."""

CELLS = 5
"""Rows and columns of pooled cells in the drawing of the switches."""


@dataclass(frozen=True)
class Side:
    """Maps on one side of a step: channels, uint8 tiles [N, h, w, 3], |x| of full colour."""

    channels: list[int]
    tiles: np.ndarray[Any, np.dtype[np.uint8]]
    full: float

    def message(self) -> tuple[dict[str, Any], bytes]:
        """The head and the encoded sheet for the page."""
        made = sheet(self.channels, self.tiles)
        return {**made.head(), "full": self.full}, made.data


def sides(step: Step) -> tuple[Side, Side]:
    """The strongest maps before and after, the same channels where the step keeps them."""
    before, after = maps_of(step.before), maps_of(step.signal)
    first = strongest(before)
    second = first if step.kind in OPTIONAL else strongest(after)
    return side(before, first), side(after, second)


def maps_of(signal: Tensor) -> Tensor:
    """The first neuron's maps [C, h, w]; units of a fully connected layer are maps of 1 x 1."""
    values = signal[0].float().cpu()
    return values if values.ndim == 3 else values.flatten()[:, None, None]


def strongest(maps: Tensor) -> list[int]:
    """The channels with the largest |x|, at most `TILES`, largest first; zero ones are left out."""
    largest = maps.flatten(1).abs().amax(1)
    count = min(TILES, max(1, int(torch.count_nonzero(largest))))
    return largest.topk(count).indices.tolist()


def side(maps: Tensor, channels: list[int]) -> Side:
    """Maps of these channels in signed colours, all on one scale."""
    tiles, full = signed(maps[channels], share="all")
    return Side(channels, tiles, full[0])


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
