"""Fig. 6: the filters and features of several architectures, and what can be counted in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zfwidgets.analysis.filters import Filters
from zfwidgets.analysis.plot.style import COLOURS, INK, grid, headline, key, picture, plain
from zfwidgets.images.tiles import resize, sprite

COLUMNS = 12
"""Tiles in a row of a sheet."""
LOW, HIGH = 0.12, 0.24
"""Where `filters` divides low, middle and high frequencies, cycles per pixel."""


Pictures = np.ndarray[Any, np.dtype[np.uint8]]


def plot_pictures(columns: Sequence[Sequence[tuple[str, Pictures]]], title: str) -> Figure:
    """A column per network, of sheets of tiles uint8 [N, h, w, 3], each with its title."""
    across, down = len(columns), len(columns[0])
    figure, axes = grid(down, across, width=4.2 * across + 0.4, height=12.2)
    for column, sheets in enumerate(columns):
        for row, (told, tiles) in enumerate(sheets):
            picture(axes[row * across + column], sheet(tiles), title=told)
    headline(figure, title)
    return figure


def sheet(tiles: Pictures) -> Pictures:
    """Tiles in rows of `COLUMNS` with a line between them, transparent: uint8 [H, W, 4]."""
    side = max(24, *tiles.shape[1:3])
    same = resize(tiles, side, side)
    padded = np.zeros((len(same), side + 2, side + 2, 4), np.uint8)
    padded[:, 1:-1, 1:-1, :3], padded[:, 1:-1, 1:-1, 3] = same, 255
    colours = sprite(np.ascontiguousarray(padded[..., :3]), COLUMNS)
    opaque = sprite(np.repeat(padded[..., 3:], 3, axis=3), COLUMNS)
    return np.concatenate([colours, opaque[..., :1]], axis=2)


def plot_numbers(filters: Sequence[tuple[str, Filters]], layer: str, radius: float) -> Figure:
    """RMS before and after clipping, frequencies, orientations, aliasing of a layer's filters.

    filters: of each network, with its name. radius: of the clipping.
    """
    figure, (rms, frequency, orientation, aliasing) = grid(1, 4, width=14, height=3.3)
    for colour, (net, found) in zip(COLOURS * len(filters), filters, strict=False):
        alive = ~found.dead
        ordered = found.rms.sort(descending=True).values.numpy()
        rms.plot(ordered, color=colour, label=net)
        rms.plot(np.minimum(ordered, radius), color=colour, linestyle=":")
        _steps(frequency, found.frequency[alive], np.linspace(0, 0.5, 11), colour)
        _steps(
            orientation,
            found.orientation[alive],
            np.linspace(0, 180, 13),
            colour,
            found.coherence[alive],
        )
        _steps(aliasing, found.aliasing[alive], np.linspace(0, 1, 11), colour)
    rms.axhline(radius, color=INK, linewidth=1, linestyle="--")
    rms.set_yscale("log")
    for edge in (LOW, HIGH):
        frequency.axvline(edge, color=INK, linewidth=1, linestyle="--")
    plain(rms, title=f"{layer}: RMS, dotted: clipped", x="filter, strongest first", y="RMS")
    plain(frequency, title="strongest frequency", x="cycles per pixel", y="share of filters")
    plain(orientation, title="orientation, by coherence", x="degrees", y="share")
    plain(aliasing, title="energy beyond the stride's Nyquist", x="share", y="share of filters")
    orientation.set_xticks([0, 45, 90, 135, 180])
    key(rms)
    headline(figure, f"{layer} of {', '.join(net for net, _ in filters)}")
    return figure


def _steps(
    axes: Axes,
    values: torch.Tensor,
    edges: np.ndarray[Any, Any],
    colour: str,
    weights: torch.Tensor | None = None,
) -> None:
    """A histogram as a line, so that several can be told apart."""
    finite = values.isfinite()
    heavy = None if weights is None else weights[finite].numpy()
    counts, _ = np.histogram(values[finite].numpy(), edges, weights=heavy)
    axes.stairs(counts / max(counts.sum(), 1e-12), edges, color=colour, linewidth=1.6)
