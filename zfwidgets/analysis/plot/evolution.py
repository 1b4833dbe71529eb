"""Fig. 4: how the features of a layer come about; and how settled they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from zfwidgets.analysis.evolution import Evolution
from zfwidgets.analysis.plot.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    VERMILLION,
    grid,
    headline,
    key,
    picture,
)

MOST = 8
"""Channels that are drawn unless others are asked for."""


def plot_evolution(
    found: Evolution, channels: Sequence[int] | None = None, patches: bool = False
) -> Figure:
    """A row per channel, a column per checkpoint; a coloured edge where the picture changed."""
    shown = list(found.channels[:MOST] if channels is None else channels)
    missing = [channel for channel in shown if channel not in found.channels]
    if missing or not shown:
        raise ValueError(
            f"plot(channels={shown}): expected some of the channels that were looked at, "
            f"{', '.join(map(str, found.channels[:12]))}."
        )
    rows = [found.channels.index(channel) for channel in shown]
    columns = len(found.steps)
    figure, axes = grid(len(rows), columns, width=1.05 * columns + 0.6, height=1.05 * len(rows) + 1)
    jumps = found.jumps
    for column, step in enumerate(found.steps):
        if patches:
            tiles = found.patches[column][rows]
        else:
            tiles = found.projections[column][rows].to_images()
        for at, row in enumerate(rows):
            cell = axes[at * columns + column]
            picture(cell, tiles[at], title=f"{step:,}" if at == 0 else "")
            if jumps[column, row]:
                _mark(cell)
            if float(found.value[column, row]) <= 0:
                cell.text(
                    0.5,
                    0.5,
                    "silent",
                    color="white",
                    fontsize=7,
                    ha="center",
                    va="center",
                    transform=cell.transAxes,
                )
            if column == 0:
                cell.text(
                    -0.08,
                    0.5,
                    f"{shown[at]}",
                    color=INK,
                    fontsize=9,
                    ha="right",
                    va="center",
                    transform=cell.transAxes,
                )
    what = "what they saw" if patches else "projected"
    headline(
        figure,
        f"{found.net}, {found.layer}: strongest of {found.scanned} images per channel, {what}\n"
        f"columns: {found.unit}; orange edge: another image than before",
    )
    return figure


def _mark(cell: Axes) -> None:
    edge: dict[str, Any] = {"transform": cell.transAxes, "edgecolor": ORANGE, "linewidth": 2.5}
    cell.add_patch(Rectangle((0, 0), 1, 1, fill=False, clip_on=False, **edge))


def plot_stability(found: Evolution) -> Figure:
    """Similarity to the final filters, overlap of the exemplars, and jumps, by checkpoint."""
    figure, axes = grid(1, 2, width=8.4, height=3)
    table = found.summary()
    at = np.arange(len(found.steps))
    left, right = axes
    left.plot(at, table["similarity"], color=BLUE, marker="o", markersize=4)
    left.set_title("cosine with the final filters", color=INK, fontsize=10)
    left.set_ylim(min(0, float(np.nanmin([0, *table["similarity"]]))), 1.03)
    k = found.top.shape[2]
    right.plot(
        at,
        table["overlap"],
        color=GREEN,
        marker="o",
        markersize=4,
        label=f"overlap of the {k} strongest images (Jaccard)",
    )
    right.plot(
        at,
        table["jumped"],
        color=VERMILLION,
        marker="s",
        markersize=4,
        label="channels whose strongest image changed",
    )
    right.axhline(found.chance, color=GREEN, linewidth=1, linestyle=":", label="overlap by chance")
    right.yaxis.set_major_formatter(PercentFormatter(1))
    right.set_ylim(0, 1.03)
    right.set_title("change from the checkpoint before", color=INK, fontsize=10)
    key(right, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    for one in axes:
        one.set_xticks(at, [f"{step:,}" for step in found.steps])
        one.set_xlabel(found.unit, color=INK, fontsize=9)
        one.set_xlim(-0.3, len(at) - 0.7)
    headline(figure, f"{found.net}, {found.layer}, {len(found.channels)} channels")
    return figure
