"""Fig. 4: how the features of a layer come about; and how settled they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter
from torch import Tensor

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

if TYPE_CHECKING:
    import pandas as pd


def plot_evolution(
    tiles: Sequence[np.ndarray[Any, np.dtype[np.uint8]]],
    channels: Sequence[int],
    steps: Sequence[int],
    *,
    jumped: Tensor,
    silent: Tensor,
    title: str,
) -> Figure:
    """A row per channel, a column per checkpoint; a coloured edge where the picture changed.

    tiles: of each checkpoint uint8 [C, h, w, 3]. jumped, silent: bool [T, C].
    """
    across, down = len(steps), len(channels)
    figure, axes = grid(down, across, width=1.05 * across + 0.6, height=1.05 * down + 1)
    for column, step in enumerate(steps):
        for row, channel in enumerate(channels):
            cell = axes[row * across + column]
            picture(cell, tiles[column][row], title=f"{step:,}" if row == 0 else "")
            if jumped[column, row]:
                _mark(cell)
            if silent[column, row]:
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
                    f"{channel}",
                    color=INK,
                    fontsize=9,
                    ha="right",
                    va="center",
                    transform=cell.transAxes,
                )
    headline(figure, title)
    return figure


def _mark(cell: Axes) -> None:
    edge: dict[str, Any] = {"transform": cell.transAxes, "edgecolor": ORANGE, "linewidth": 2.5}
    cell.add_patch(Rectangle((0, 0), 1, 1, fill=False, clip_on=False, **edge))


def plot_stability(table: pd.DataFrame, k: int, chance: float, title: str) -> Figure:
    """Similarity to the final filters, overlap of the exemplars, and jumps, by checkpoint.

    table: those columns, a row per step. k: exemplars of a channel. chance: overlap of random ones.
    """
    figure, axes = grid(1, 2, width=8.4, height=3)
    at = np.arange(len(table))
    left, right = axes
    left.plot(at, table["similarity"], color=BLUE, marker="o", markersize=4)
    left.set_title("cosine with the final filters", color=INK, fontsize=10)
    left.set_ylim(min(0, float(np.nanmin([0, *table["similarity"]]))), 1.03)
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
    right.axhline(chance, color=GREEN, linewidth=1, linestyle=":", label="overlap by chance")
    right.yaxis.set_major_formatter(PercentFormatter(1))
    right.set_ylim(0, 1.03)
    right.set_title("change from the checkpoint before", color=INK, fontsize=10)
    key(right, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    for one in axes:
        one.set_xticks(at, [f"{step:,}" for step in table.index])
        one.set_xlabel(str(table.index.name), color=INK, fontsize=9)
        one.set_xlim(-0.3, len(at) - 0.7)
    headline(figure, title)
    return figure
