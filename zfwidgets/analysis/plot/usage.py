"""The report card of a network: how evenly each layer uses its channels."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
from zfwidgets.analysis.usage import LayerUsage, Usage


def plot_usage(usage: Usage) -> Figure:
    """Per layer: Lorenz curves of the energy, dead and duplicate channels, sparsity."""
    figure, axes = grid(1, 3, width=12, height=3.8)
    layers = list(usage.layers.values())
    _lorenz(axes[0], layers)
    _faults(axes[1], layers)
    _sparsity(axes[2], layers)
    headline(figure, f"{usage.net}: how evenly the channels are used, {usage.images} images")
    return figure


def plot_layer(usage: LayerUsage) -> Figure:
    """One layer: energy of each channel, falling, and in how many pictures it fires."""
    figure, (energy, fires) = grid(1, 2, width=9, height=3.2)
    ordered = usage.energy.sort(descending=True)[0].numpy()
    total = ordered.sum() or 1.0
    energy.bar(range(len(ordered)), ordered / total, width=1.0, color=BLUE)
    energy.axhline(1 / len(ordered), color=INK, linewidth=1, linestyle=":")
    plain(energy, x="channel, strongest first", y="share of the energy", title="energy")
    fires.hist(usage.fires.numpy(), bins=np.linspace(0, 1, 21).tolist(), color=BLUE)
    dead = len(usage.dead)
    plain(fires, x="share of images in which it fires", y="channels", title=f"firing, {dead} dead")
    headline(
        figure,
        f"{usage.layer}: {usage.channels} channels, as many as {usage.effective:.0f} even ones, "
        f"Gini {usage.gini:.2f}",
    )
    return figure


def _lorenz(axes: Axes, layers: list[LayerUsage]) -> None:
    """The further below the diagonal, the more of the energy a few channels have."""
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":")
    for one, colour in zip(layers, _colours(len(layers)), strict=True):
        ordered = np.concatenate([[0.0], one.energy.sort()[0].numpy().cumsum()])
        share = np.linspace(0, 1, len(ordered))
        label = f"{one.layer}, Gini {one.gini:.2f}"
        axes.plot(share, ordered / (ordered[-1] or 1.0), color=colour, label=label)
    plain(axes, x="share of channels, weakest first", y="share of their energy", title="skew")
    key(axes)


def _faults(axes: Axes, layers: list[LayerUsage]) -> None:
    kinds = {
        "dead": (VERMILLION, [len(one.dead) for one in layers]),
        "near-dead": (ORANGE, [len(one.near_dead) for one in layers]),
        "duplicates": (BLUE, [len({b for _, b, _ in one.duplicates}) for one in layers]),
    }
    place = np.arange(len(layers))
    for index, (name, (colour, numbers)) in enumerate(kinds.items()):
        share = [100 * n / one.channels for n, one in zip(numbers, layers, strict=True)]
        bars = axes.barh(place + 0.27 * (1 - index), share, height=0.24, color=colour, label=name)
        axes.bar_label(bars, [str(n) for n in numbers], padding=3, color=INK, fontsize=8)
    axes.set_yticks(place, [f"{one.layer} ({one.channels})" for one in layers])
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.set_xlim(0, max(5.0, 1.15 * axes.get_xlim()[1]))
    plain(axes, x="% of the layer's channels", title="wasted channels")
    key(axes, loc="lower right")


def _sparsity(axes: Axes, layers: list[LayerUsage]) -> None:
    place = np.arange(len(layers))
    rows = {
        "lifetime": ("o", [float(one.lifetime.nanmean()) for one in layers]),
        "population": ("s", [one.population for one in layers]),
        "even share of channels": ("D", [one.effective / one.channels for one in layers]),
    }
    if any(one.selectivity is not None for one in layers):
        means = [
            float("nan") if one.selectivity is None else float(one.selectivity.nanmean())
            for one in layers
        ]
        rows["class selectivity"] = ("^", means)
    for (name, (marker, values)), colour in zip(rows.items(), COLOURS, strict=False):
        axes.plot(place, values, marker=marker, color=colour, linewidth=1, label=name)
    axes.set_xticks(place, [one.layer for one in layers], rotation=30 if len(layers) > 6 else 0)
    axes.set_ylim(0, 1.02)
    plain(axes, y="0 dense or skewed, 1 sparse or even", title="sparsity and evenness")
    key(axes, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)


def _colours(number: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(number)]
