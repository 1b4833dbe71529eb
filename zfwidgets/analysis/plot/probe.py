"""Accuracy of a linear classifier against depth."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from zfwidgets.analysis.plot.style import BLUE, INK, VERMILLION, grid, key, plain

Interval = tuple[Tensor, Tensor, Tensor]
"""Mean, and the ends of its 95 % interval: [L] each."""


def plot_probe(
    layers: Sequence[str], trained: Interval, untrained: Interval | None, chance: float, title: str
) -> Figure:
    """The network and its untrained twin with 95 % intervals; chance as a line."""
    figure, (axes,) = grid(1, 1, width=5.6, height=3.4)
    plain(axes, y="accuracy on held-out pictures", title=title)
    places = range(len(layers))
    curves = [(trained, BLUE, "o-", "trained")]
    if untrained is not None:
        curves.append((untrained, VERMILLION, "s--", "untrained"))
    for (mean, low, high), colour, style, label in curves:
        # A mean at the very end of the scale lies just outside Wilson's interval.
        sides = [(mean - low).clamp_min(0), (high - mean).clamp_min(0)]
        axes.errorbar(
            list(places), mean, yerr=sides, fmt=style, color=colour, label=label, ms=4, capsize=2,
            linewidth=1.4,
        )  # fmt: skip
    axes.axhline(chance, color=INK, linewidth=0.8, linestyle=":", label="chance")
    axes.set_xticks(list(places), layers)
    axes.set_ylim(0, 1.02)
    key(axes, loc="best")
    return figure
