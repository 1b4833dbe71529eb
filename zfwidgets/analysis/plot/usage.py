"""The report card of a network: how evenly each layer uses its channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from zfwidgets.analysis.plot.style import (
    BLUE,
    COLOURS,
    INK,
    ORANGE,
    VERMILLION,
    grid,
    headline,
    key,
    plain,
)

if TYPE_CHECKING:
    import pandas as pd


def plot_usage(
    table: pd.DataFrame,
    energy: Sequence[Tensor],
    wasted: Mapping[str, Sequence[int]],
    title: str,
) -> Figure:
    """Per layer: Lorenz curves of the energy, dead and duplicate channels, sparsity.

    table: what `Usage.to_frame` gives, a row per layer. energy: of each layer's channels. wasted:
    dead channels, near-dead ones and duplicates of each layer, by that name.
    """
    figure, axes = grid(1, 3, width=12, height=3.8)
    _lorenz(axes[0], table, energy)
    _faults(axes[1], table, wasted)
    _sparsity(axes[2], table)
    headline(figure, title)
    return figure


def plot_layer(energy: Tensor, fires: Tensor, dead: int, title: str) -> Figure:
    """One layer: energy of each channel, falling, and in how many pictures it fires."""
    figure, (left, right) = grid(1, 2, width=9, height=3.2)
    ordered = energy.sort(descending=True)[0].numpy()
    total = ordered.sum() or 1.0
    left.bar(range(len(ordered)), ordered / total, width=1.0, color=BLUE)
    left.axhline(1 / len(ordered), color=INK, linewidth=1, linestyle=":")
    plain(left, x="channel, strongest first", y="share of the energy", title="energy")
    right.hist(fires.numpy(), bins=np.linspace(0, 1, 21).tolist(), color=BLUE)
    plain(right, x="share of images in which it fires", y="channels", title=f"firing, {dead} dead")
    headline(figure, title)
    return figure


def _lorenz(axes: Axes, table: pd.DataFrame, energy: Sequence[Tensor]) -> None:
    """The further below the diagonal, the more of the energy a few channels have."""
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":")
    colours = _colours(len(table))
    for layer, gini, values, colour in zip(
        table.index, table["gini"], energy, colours, strict=True
    ):
        ordered = np.concatenate([[0.0], values.sort()[0].numpy().cumsum()])
        share = np.linspace(0, 1, len(ordered))
        label = f"{layer}, Gini {gini:.2f}"
        axes.plot(share, ordered / (ordered[-1] or 1.0), color=colour, label=label)
    plain(axes, x="share of channels, weakest first", y="share of their energy", title="skew")
    key(axes)


def _faults(axes: Axes, table: pd.DataFrame, wasted: Mapping[str, Sequence[int]]) -> None:
    place, channels = np.arange(len(table)), table["channels"]
    colours = (VERMILLION, ORANGE, BLUE)
    for index, ((name, numbers), colour) in enumerate(zip(wasted.items(), colours, strict=True)):
        share = [100 * n / count for n, count in zip(numbers, channels, strict=True)]
        bars = axes.barh(place + 0.27 * (1 - index), share, height=0.24, color=colour, label=name)
        axes.bar_label(bars, [str(n) for n in numbers], padding=3, color=INK, fontsize=8)
    names = [f"{layer} ({count})" for layer, count in zip(table.index, channels, strict=True)]
    axes.set_yticks(place, names)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.set_xlim(0, max(5.0, 1.15 * axes.get_xlim()[1]))
    plain(axes, x="% of the layer's channels", title="wasted channels")
    key(axes, loc="lower right")


def _sparsity(axes: Axes, table: pd.DataFrame) -> None:
    place = np.arange(len(table))
    rows = {
        "lifetime": ("o", table["lifetime"]),
        "population": ("s", table["population"]),
        "even share of channels": ("D", table["effective"] / table["channels"]),
    }
    if table["selectivity"].notna().any():
        rows["class selectivity"] = ("^", table["selectivity"])
    for (name, (marker, values)), colour in zip(rows.items(), COLOURS, strict=False):
        axes.plot(place, values, marker=marker, color=colour, linewidth=1, label=name)
    axes.set_xticks(place, list(table.index), rotation=30 if len(table) > 6 else 0)
    axes.set_ylim(0, 1.02)
    plain(axes, y="0 dense or skewed, 1 sparse or even", title="sparsity and evenness")
    key(axes, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)


def _colours(number: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(number)]
