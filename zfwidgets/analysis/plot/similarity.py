"""How alike layers and channels are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from zfwidgets.analysis.plot.matrix import draw_matrix
from zfwidgets.analysis.plot.style import BLUE, INK, VERMILLION, grid, headline, key, plain


def plot_similarity(matrix: Tensor, labels: Sequence[str], title: str) -> Figure:
    """The matrix of linear CKA, [S, S]."""
    side = 2.2 + 0.42 * len(labels)
    figure, (axes,) = grid(1, 1, width=side + 0.6, height=side)
    draw_matrix(axes, matrix.numpy(), labels)
    headline(figure, title)
    return figure


def plot_matches(correlation: Tensor, matrix: Tensor, title: str) -> Figure:
    """How well channels are matched, and whether a channel's best match has its own number.

    correlation: [C], with the best match. matrix: [C, D], with all.
    """
    figure, (axes,) = grid(1, 1, width=6.4, height=3.2)
    edges = np.linspace(-0.2, 1, 25).tolist()
    best = correlation[correlation.isfinite()].numpy()
    axes.hist(best, edges, color=BLUE, alpha=0.85, label="best match")
    count = min(matrix.shape)
    same = matrix.diagonal()[:count]
    if matrix.shape[0] == matrix.shape[1]:
        axes.hist(
            same[same.isfinite()].numpy(),
            edges,
            histtype="step",
            color=VERMILLION,
            linewidth=1.5,
            label="channel of the same number",
        )
    axes.axvline(float(np.median(best)), color=INK, linestyle="--", linewidth=1)
    plain(axes, x="correlation of responses", y="channels")
    key(axes, loc="upper left")
    headline(figure, title)
    return figure
