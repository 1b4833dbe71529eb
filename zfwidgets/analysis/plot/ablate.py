"""Probability of each class with all channels and without some."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from zfwidgets.analysis.plot.style import BLUE, INK, VERMILLION, grid, headline, key, plain


def plot_ablation(
    names: Sequence[str], before: Sequence[float], after: Sequence[float], title: str
) -> Figure:
    """A line for each class from its probability before to that after, the first above."""
    figure, (axes,) = grid(1, 1, width=6.4, height=1.2 + 0.22 * len(names))
    plain(axes, x="probability of the first decision")
    rows = list(range(len(names)))
    axes.hlines(rows, before, after, color=INK, linewidth=1)
    axes.plot(before, rows, "o", color=BLUE, label="all channels", markersize=5)
    axes.plot(after, rows, "s", color=VERMILLION, label="without", markersize=5)
    axes.set_yticks(rows, names)
    axes.invert_yaxis()
    axes.set_xlim(0, min(1.0, 1.1 * max(*before, *after)))
    key(axes, loc="lower right")
    headline(figure, title.replace(": ", ":\n", 1))
    return figure
