"""The same channels of several networks beside each other."""

from __future__ import annotations

from matplotlib.figure import Figure

from zfwidgets.analysis.comparison import Comparison
from zfwidgets.analysis.plot.style import INK, grid, headline, picture


def plot_comparison(found: Comparison) -> Figure:
    """A row per channel, a column per network."""
    across, down = len(found.nets), len(found.channels)
    figure, axes = grid(down, across, width=1.05 * across + 0.6, height=1.05 * down + 1)
    # Checkpoints of one run share their name up to the step.
    starts = {net.rpartition(", ")[0] for net in found.nets}
    short = [net.rpartition(", ")[2] if len(starts) == 1 else net for net in found.nets]
    for row, channel in enumerate(found.channels):
        for column in range(across):
            cell = axes[row * across + column]
            picture(cell, found.tiles[column, row], title=short[column] if row == 0 else "")
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
    what = "maps of one picture, a scale per channel" if found.applied else "filters"
    headline(
        figure, f"{next(iter(starts)) if len(starts) == 1 else ''} {found.layer}: {what}".strip()
    )
    return figure
