"""Tuning curves of channels, and how maps move along with the picture."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zfwidgets.analysis.equivariance import Equivariance
from zfwidgets.analysis.plot.style import BLUE, COLOURS, INK, VERMILLION, grid, key, plain
from zfwidgets.analysis.transforms import NEUTRAL, UNITS
from zfwidgets.analysis.tuning import Tuning

_NAMED = 5


def plot_tuning(result: Tuning) -> Figure:
    """Left the curves of picture 0, the strongest channels in colour; right all half widths."""
    figure, (left, right) = grid(1, 2, width=8.6, height=3.4)
    order = result.values.argsort()
    values, clean = result.values[order].numpy(), result.clean[0]
    plain(
        left,
        x=f"{result.transform}, {UNITS[result.transform]}",
        y="response / clean response",
        title=f"{result.layer}, picture 0",
    )
    strongest = clean.argsort(descending=True)[:_NAMED].tolist()
    for channel in range(len(clean)):
        if clean[channel] > 0 and channel not in strongest:
            share = result.response[0, channel, order] / clean[channel]
            left.plot(values, share, color=INK, linewidth=0.4, alpha=0.35)
    for colour, channel in zip(COLOURS, strongest, strict=False):
        share = result.response[0, channel, order] / clean[channel].clamp_min(1e-12)
        name = f"channel {int(result.channels[channel])}"
        left.plot(values, share, color=colour, linewidth=1.6, label=name)
    left.axhline(0.5, color=INK, linewidth=0.6, linestyle=":")
    left.axvline(NEUTRAL[result.transform], color=INK, linewidth=0.6, alpha=0.6)
    # A channel that hardly answered at first may answer many times as much: the axis ends at 3.
    left.set_ylim(0, 3)
    key(left, loc="best")
    _widths(right, result)
    return figure


def _widths(axes: Axes, result: Tuning) -> None:
    """Half widths of all channels and pictures; the last bar is for those beyond what was tried."""
    plain(
        axes,
        x=f"half width, {UNITS[result.transform]}",
        y="channels x pictures",
        title="until half of the response is gone",
    )
    widths = result.half_width.flatten().numpy()
    widths = widths[~np.isnan(widths)]
    finite = widths[np.isfinite(widths)]
    reach = float((result.values - NEUTRAL[result.transform]).abs().max())
    bins = np.linspace(0, reach, 16)
    axes.hist(finite, bins=bins.tolist(), color=BLUE)
    step = bins[1]
    axes.bar(reach + 1.5 * step, np.isinf(widths).sum(), width=step, color=VERMILLION)
    axes.annotate(
        "never",
        (reach + 1.5 * step, 0),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        rotation=90,
        color="white",
        fontsize=7,
    )


def plot_equivariance(result: Equivariance) -> Figure:
    """A panel per layer: correlation with the map moved along, and with the map as it was."""
    count = len(result.layers)
    figure, axes = grid(1, count, width=2.5 * count + 0.6, height=2.8, sharey=True)
    order = result.shifts.argsort()
    for panel, name, jump, along, still in zip(
        axes, result.layers, result.jump, result.along, result.still, strict=True
    ):
        plain(panel, x="shift, pixels", title=f"{name}, jump {jump}")
        for values, colour, style, label in (
            (along, BLUE, "o-", "moved along"),
            (still, VERMILLION, "s--", "as it was"),
        ):
            mean = values.nanmean(0)[order]
            panel.plot(result.shifts[order], mean, style, color=colour, ms=3, lw=1.3, label=label)
        panel.set_ylim(-0.15, 1.05)
    plain(axes[0], y="correlation of maps", x="shift, pixels")
    key(axes[0], loc="lower left")
    return figure
