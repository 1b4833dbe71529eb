"""Clusters of pictures, and how they agree between checkpoints."""

from __future__ import annotations

from matplotlib.figure import Figure

from zfwidgets.analysis.clusters import Clusters
from zfwidgets.analysis.plot.matrix import draw_matrix
from zfwidgets.analysis.plot.style import INK, grid, headline, picture


def plot_clusters(found: Clusters, at: int, n: int) -> Figure:
    """A row per cluster, largest first; pictures nearest to the centre at the left."""
    sizes = found.label[at].bincount(minlength=found.k).tolist()
    n = min(n, max(sizes))
    figure, axes = grid(found.k, n, width=n * 0.95 + 0.9, height=found.k * 0.95 + 0.7)
    for cell in axes:
        cell.set_axis_off()
    for cluster in range(found.k):
        members = found._nearest(cluster, n, at)  # noqa: SLF001 - its own figure
        for place, index in enumerate(members):
            picture(axes[cluster * n + place], found.thumbs[index])
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
    headline(figure, f"{found.nets[at]}, {found.layer}: {found.k} clusters, number of pictures")
    return figure


def plot_agreement(found: Clusters) -> Figure:
    """Adjusted Rand index between every two checkpoints."""
    side = 2.2 + 0.42 * len(found.nets)
    figure, (axes,) = grid(1, 1, width=side + 0.8, height=side)
    draw_matrix(axes, found.agreement.numpy(), found.nets)
    headline(figure, f"{found.layer}: agreement of clusters (adjusted Rand)")
    return figure
