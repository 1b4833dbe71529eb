"""Confusion matrices, one per network."""

from __future__ import annotations

from matplotlib.figure import Figure

from zfwidgets.analysis.confusion import Confusion
from zfwidgets.analysis.plot.matrix import draw_matrix
from zfwidgets.analysis.plot.style import grid, headline

ACROSS = 3
"""Matrices in a row."""


def plot_confusion(found: Confusion, chosen: list[int]) -> Figure:
    """Shares of the pictures of each row's class."""
    across = min(ACROSS, len(chosen))
    down = -(-len(chosen) // across)
    side = 1.4 + 0.2 * len(found.classes)
    figure, axes = grid(down, across, width=across * side + 0.4, height=down * side + 0.5)
    counts = found.counts.double()
    shares = (counts / counts.sum(2, keepdim=True).clamp_min(1)).numpy()
    for cell, at in zip(axes, chosen, strict=False):
        title = f"{found.nets[at]}: {float(found.accuracy[at]):.0%} on the diagonal"
        draw_matrix(
            cell, shares[at], found.classes, title=title, digits=".1g", x="answer", y="class"
        )
    for cell in axes[len(chosen) :]:
        cell.set_axis_off()
    headline(figure, f"{len(found.ids)} pictures, by {found.by}")
    return figure
