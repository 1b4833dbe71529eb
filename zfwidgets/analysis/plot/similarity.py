"""How alike layers and channels are."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from zfwidgets.analysis.plot.matrix import draw_matrix
from zfwidgets.analysis.plot.style import BLUE, INK, VERMILLION, grid, headline, key, plain
from zfwidgets.analysis.similarity import Matches, Similarity


def plot_similarity(found: Similarity) -> Figure:
    """The matrix of linear CKA."""
    side = 2.2 + 0.42 * len(found.sites)
    figure, (axes,) = grid(1, 1, width=side + 0.6, height=side)
    draw_matrix(axes, found.matrix.numpy(), found.labels)
    nets, layers = ({site[part] for site in found.sites} for part in (0, 1))
    shared = next(iter(layers)) if len(layers) == 1 else next(iter(nets)) if len(nets) == 1 else ""
    about = f"{shared}: " if shared else ""
    headline(figure, f"{about}linear CKA, {found.examples:,} examples")
    return figure


def plot_matches(found: Matches) -> Figure:
    """How well channels are matched, and whether a channel's best match has its own number."""
    figure, (axes,) = grid(1, 1, width=6.4, height=3.2)
    edges = np.linspace(-0.2, 1, 25).tolist()
    known = found.correlation.isfinite()
    correlation = found.correlation[known].numpy()
    axes.hist(correlation, edges, color=BLUE, alpha=0.85, label="best match")
    count = min(found.matrix.shape)
    same = found.matrix.diagonal()[:count]
    if found.matrix.shape[0] == found.matrix.shape[1]:
        axes.hist(
            same[same.isfinite()].numpy(),
            edges,
            histtype="step",
            color=VERMILLION,
            linewidth=1.5,
            label="channel of the same number",
        )
    axes.axvline(float(np.median(correlation)), color=INK, linestyle="--", linewidth=1)
    plain(axes, x="correlation of responses", y="channels")
    key(axes, loc="upper left")
    first, second = (" ".join(site) for site in (found.first, found.second))
    headline(figure, f"{first} in {second}; {int(found.mutual.sum())} of {len(known)} mutual")
    return figure
