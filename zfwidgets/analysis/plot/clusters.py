"""Clusters of pictures, and how they agree between checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from zfwidgets.analysis.plot.matrix import draw_matrix
from zfwidgets.analysis.plot.style import INK, grid, headline, picture


def plot_clusters(
    nearest: Sequence[np.ndarray[Any, np.dtype[np.uint8]]], sizes: Sequence[int], title: str
) -> Figure:
    """A row per cluster, with its size.

    nearest: of each cluster uint8 [n, h, w, 3], the pictures nearest to its centre, nearest first.
    """
    n, k = max(len(members) for members in nearest), len(nearest)
    figure, axes = grid(k, n, width=n * 0.95 + 0.9, height=k * 0.95 + 0.7)
    for cell in axes:
        cell.set_axis_off()
    for cluster, members in enumerate(nearest):
        for place, pixels in enumerate(members):
            picture(axes[cluster * n + place], pixels)
        first = axes[cluster * n]
        first.text(
            -0.1,
            0.5,
            str(sizes[cluster]),
            color=INK,
            fontsize=9,
            ha="right",
            va="center",
            transform=first.transAxes,
        )
    headline(figure, title)
    return figure


def plot_agreement(agreement: Tensor, nets: Sequence[str], title: str) -> Figure:
    """Adjusted Rand index between every two checkpoints, [T, T]."""
    side = 2.2 + 0.42 * len(nets)
    figure, (axes,) = grid(1, 1, width=side + 0.8, height=side)
    draw_matrix(axes, agreement.numpy(), nets)
    headline(figure, title)
    return figure
