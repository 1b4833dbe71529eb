"""Accuracy of a linear classifier against depth."""

from __future__ import annotations

from matplotlib.figure import Figure

from zfwidgets.analysis.plot.style import BLUE, INK, VERMILLION, grid, key, plain
from zfwidgets.analysis.probe import LinearProbe


def plot_probe(result: LinearProbe) -> Figure:
    """The network and its untrained twin with 95 % intervals; chance as a line."""
    figure, (axes,) = grid(1, 1, width=5.6, height=3.4)
    plain(
        axes,
        y="accuracy on held-out pictures",
        title=f"{len(result.classes)} classes, {result.images} pictures",
    )
    places = range(len(result.layers))
    curves = [(result.accuracy, BLUE, "o-", "trained")]
    if result.control is not None:
        curves.append((result.control, VERMILLION, "s--", "untrained"))
    for values, colour, style, label in curves:
        mean, low, high = result.interval(values)
        # A mean at the very end of the scale lies just outside Wilson's interval.
        sides = [(mean - low).clamp_min(0), (high - mean).clamp_min(0)]
        axes.errorbar(
            list(places), mean, yerr=sides, fmt=style, color=colour, label=label, ms=4, capsize=2,
            linewidth=1.4,
        )  # fmt: skip
    axes.axhline(result.chance, color=INK, linewidth=0.8, linestyle=":", label="chance")
    axes.set_xticks(list(places), result.layers)
    axes.set_ylim(0, 1.02)
    key(axes, loc="best")
    return figure
