"""Table 1 as a picture: how alike features change when the same part is hidden."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from zfwidgets.analysis.plot.style import BLUE, INK, grid, plain


def plot_correspondence(
    layers: Sequence[str],
    parts: Sequence[str],
    *,
    delta: Tensor,
    low: Tensor,
    high: Tensor,
    z: Tensor,
    random: Tensor,
) -> Figure:
    """Each part with its interval beside the random masks, a panel per layer.

    delta, low, high, z: [L, P] for L layers and P parts. random: [L, R] for R sets of masks.
    """
    count = len(layers)
    height = 1.6 + 0.32 * (len(parts) + 1)
    figure, axes = grid(1, count, width=3.8 * count, height=height, sharey=True, sharex=True)
    places = range(len(parts))
    for i, (panel, layer) in enumerate(zip(axes, layers, strict=True)):
        plain(panel, x="share of signs that differ", title=layer)
        found = delta[i]
        panel.errorbar(
            found,
            list(places),
            xerr=[(found - low[i]).clamp_min(0), (high[i] - found).clamp_min(0)],
            fmt="o",
            color=BLUE,
            capsize=3,
            markersize=5,
        )
        masks = random[i]
        panel.plot(masks, [len(parts)] * len(masks), "|", color=INK, alpha=0.6)
        panel.axvline(float(masks.mean()), color=INK, linewidth=0.7, linestyle=":")
        for place, deviations in enumerate(z[i].tolist()):
            at = (float(high[i, place]), place)
            panel.annotate(
                f" z = {deviations:+.1f}",
                at,
                color=INK,
                fontsize=8,
                va="center",
                xytext=(4, 0),
                textcoords="offset points",
            )
    axes[0].set_yticks([*places, len(parts)], [*parts, "random masks"])
    axes[0].invert_yaxis()
    return figure
