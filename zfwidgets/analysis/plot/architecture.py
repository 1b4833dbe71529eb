"""Fig. 6: the filters and features of several architectures, and what can be counted in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zfwidgets.analysis.architecture import ArchitectureReport
from zfwidgets.analysis.plot.style import COLOURS, INK, grid, headline, key, picture, plain
from zfwidgets.images.tiles import resize, sprite

COLUMNS = 12
"""Tiles in a row of a sheet."""
LOW, HIGH = 0.12, 0.24
"""Where `filters` divides low, middle and high frequencies, cycles per pixel."""


def plot_pictures(report: ArchitectureReport) -> Figure:
    """A column per network: filters on their own, on one scale, clipped; the second layer."""
    count = len(report.sides)
    figure, axes = grid(4, count, width=4.2 * count + 0.4, height=12.2)
    first, second = report.layers
    for column, side in enumerate(report.sides):
        kernel, stride = (side.sizes[first][name] for name in ("kernel", "stride"))
        rows = (
            (f"{side.net}: {first}, {kernel}×{kernel}, stride {stride}, own scale", side.own),
            (f"{first}, one scale", side.shared),
            (f"{first}, one scale, RMS at most {report.radius:g}", side.clipped),
            (f"{second}, projected", side.projections),
        )
        for row, (title, tiles) in enumerate(rows):
            picture(axes[row * count + column], sheet(tiles), title=title)
    steps = [side.training.steps for side in report.sides]
    said = ", ".join("?" if n is None else f"{n:,}" for n in steps)
    headline(figure, f"training steps: {said}; {second} from {report.images} images")
    return figure


def sheet(tiles: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Tiles in rows of `COLUMNS` with a line between them, transparent: uint8 [H, W, 4]."""
    side = max(24, *tiles.shape[1:3])
    same = resize(tiles, side, side)
    padded = np.zeros((len(same), side + 2, side + 2, 4), np.uint8)
    padded[:, 1:-1, 1:-1, :3], padded[:, 1:-1, 1:-1, 3] = same, 255
    colours = sprite(np.ascontiguousarray(padded[..., :3]), COLUMNS)
    opaque = sprite(np.repeat(padded[..., 3:], 3, axis=3), COLUMNS)
    return np.concatenate([colours, opaque[..., :1]], axis=2)


def plot_numbers(report: ArchitectureReport) -> Figure:
    """RMS before and after clipping, frequencies, orientations, aliasing of the first layer."""
    figure, (rms, frequency, orientation, aliasing) = grid(1, 4, width=14, height=3.3)
    first = report.layers[0]
    for colour, side in zip(COLOURS * len(report.sides), report.sides, strict=False):
        found = side.filters[first]
        alive = ~found.dead
        ordered = found.rms.sort(descending=True).values.numpy()
        rms.plot(ordered, color=colour, label=side.net)
        rms.plot(np.minimum(ordered, report.radius), color=colour, linestyle=":")
        _steps(frequency, found.frequency[alive], np.linspace(0, 0.5, 11), colour)
        _steps(
            orientation,
            found.orientation[alive],
            np.linspace(0, 180, 13),
            colour,
            found.coherence[alive],
        )
        _steps(aliasing, found.aliasing[alive], np.linspace(0, 1, 11), colour)
    rms.axhline(report.radius, color=INK, linewidth=1, linestyle="--")
    rms.set_yscale("log")
    for edge in (LOW, HIGH):
        frequency.axvline(edge, color=INK, linewidth=1, linestyle="--")
    plain(rms, title=f"{first}: RMS, dotted: clipped", x="filter, strongest first", y="RMS")
    plain(frequency, title="strongest frequency", x="cycles per pixel", y="share of filters")
    plain(orientation, title="orientation, by coherence", x="degrees", y="share")
    plain(aliasing, title="energy beyond the stride's Nyquist", x="share", y="share of filters")
    orientation.set_xticks([0, 45, 90, 135, 180])
    key(rms)
    headline(figure, f"{first} of {', '.join(side.net for side in report.sides)}")
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
