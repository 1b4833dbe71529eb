"""Tuning curves of channels, and how maps move along with the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from zfwidgets.analysis.plot.style import BLUE, COLOURS, INK, VERMILLION, grid, key, plain
from zfwidgets.analysis.transforms import NEUTRAL, UNITS

_NAMED = 5


def plot_tuning(
    response: Tensor,
    clean: Tensor,
    half_width: Tensor,
    *,
    values: Tensor,
    channels: Tensor,
    transform: str,
    layer: str,
) -> Figure:
    """Left the curves of picture 0, the strongest channels in colour; right all half widths.

    response: [B, C, V] of B pictures, C channels and V values. clean: [B, C].
    half_width: [B, C, 2].
    """
    figure, (left, right) = grid(1, 2, width=8.6, height=3.4)
    order = values.argsort()
    amounts, first = values[order].numpy(), clean[0]
    plain(
        left,
        x=f"{transform}, {UNITS[transform]}",
        y="response / clean response",
        title=f"{layer}, picture 0",
    )
    strongest = first.argsort(descending=True)[:_NAMED].tolist()
    for channel in range(len(first)):
        if first[channel] > 0 and channel not in strongest:
            share = response[0, channel, order] / first[channel]
            left.plot(amounts, share, color=INK, linewidth=0.4, alpha=0.35)
    for colour, channel in zip(COLOURS, strongest, strict=False):
        share = response[0, channel, order] / first[channel].clamp_min(1e-12)
        name = f"channel {int(channels[channel])}"
        left.plot(amounts, share, color=colour, linewidth=1.6, label=name)
    left.axhline(0.5, color=INK, linewidth=0.6, linestyle=":")
    left.axvline(NEUTRAL[transform], color=INK, linewidth=0.6, alpha=0.6)
    # A channel that hardly answered at first may answer many times as much: the axis ends at 3.
    left.set_ylim(0, 3)
    key(left, loc="best")
    reach = float((values - NEUTRAL[transform]).abs().max())
    _widths(right, half_width, reach, UNITS[transform])
    return figure


def _widths(axes: Axes, half_width: Tensor, reach: float, unit: str) -> None:
    """Half widths of all channels and pictures; the last bar is for those beyond what was tried."""
    plain(
        axes,
        x=f"half width, {unit}",
        y="channels x pictures",
        title="until half of the response is gone",
    )
    widths = half_width.flatten().numpy()
    widths = widths[~np.isnan(widths)]
    finite = widths[np.isfinite(widths)]
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


def plot_equivariance(
    layers: Sequence[str], jumps: Sequence[int], shifts: Tensor, along: Tensor, still: Tensor
) -> Figure:
    """A panel per layer: correlation with the map moved along, and with the map as it was.

    along, still: [L, B, S] for L layers, B pictures and S shifts.
    """
    count = len(layers)
    figure, axes = grid(1, count, width=2.5 * count + 0.6, height=2.8, sharey=True)
    order = shifts.argsort()
    for panel, name, jump, moved, unmoved in zip(axes, layers, jumps, along, still, strict=True):
        plain(panel, x="shift, pixels", title=f"{name}, jump {jump}")
        for values, colour, style, label in (
            (moved, BLUE, "o-", "moved along"),
            (unmoved, VERMILLION, "s--", "as it was"),
        ):
            mean = values.nanmean(0)[order]
            panel.plot(shifts[order], mean, style, color=colour, ms=3, lw=1.3, label=label)
        panel.set_ylim(-0.15, 1.05)
    plain(axes[0], y="correlation of maps", x="shift, pixels")
    key(axes[0], loc="lower left")
    return figure
