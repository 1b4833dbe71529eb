"""Confusion matrices, one per network."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from zfwidgets.analysis.plot.matrix import draw_matrix
from zfwidgets.analysis.plot.style import grid, headline

ACROSS = 3
"""Matrices in a row."""


def plot_confusion(
    counts: Tensor, classes: Sequence[str], titles: Sequence[str], title: str
) -> Figure:
    """Shares of the pictures of each row's class. counts: [T, K, K] of T networks, with a title."""
    across = min(ACROSS, len(titles))
    down = -(-len(titles) // across)
    side = 1.4 + 0.2 * len(classes)
    figure, axes = grid(down, across, width=across * side + 0.4, height=down * side + 0.5)
    shares = counts.double() / counts.sum(2, keepdim=True).clamp_min(1)
    for cell, matrix, told in zip(axes, shares.numpy(), titles, strict=False):
        draw_matrix(cell, matrix, classes, title=told, digits=".1g", x="answer", y="class")
    for cell in axes[len(titles) :]:
        cell.set_axis_off()
    headline(figure, title)
    return figure
