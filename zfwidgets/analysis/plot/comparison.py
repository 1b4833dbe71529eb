"""The same channels of several networks beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from zfwidgets.analysis.plot.style import INK, grid, headline, picture


def plot_comparison(
    tiles: np.ndarray[Any, np.dtype[np.uint8]],
    nets: Sequence[str],
    channels: Sequence[int],
    title: str,
) -> Figure:
    """A row per channel, a column per network. tiles: uint8 [T, C, h, w, 3]."""
    across, down = len(nets), len(channels)
    figure, axes = grid(down, across, width=1.05 * across + 0.6, height=1.05 * down + 1)
    # Checkpoints of one run share their name up to the step.
    starts = {net.rpartition(", ")[0] for net in nets}
    short = [net.rpartition(", ")[2] if len(starts) == 1 else net for net in nets]
    for row, channel in enumerate(channels):
        for column in range(across):
            cell = axes[row * across + column]
            picture(cell, tiles[column, row], title=short[column] if row == 0 else "")
        first = axes[row * across]
        first.text(
            -0.08,
            0.5,
            str(channel),
            color=INK,
            fontsize=9,
            ha="right",
            va="center",
            transform=first.transAxes,
        )
    headline(figure, f"{next(iter(starts)) if len(starts) == 1 else ''} {title}".strip())
    return figure
