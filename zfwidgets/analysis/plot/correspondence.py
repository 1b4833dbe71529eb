"""Table 1 as a picture: how alike features change when the same part is hidden."""

from __future__ import annotations

from matplotlib.figure import Figure

from zfwidgets.analysis.correspondence import Correspondence
from zfwidgets.analysis.plot.style import BLUE, INK, grid, plain


def plot_correspondence(result: Correspondence) -> Figure:
    """Each part with its interval beside the random masks, a panel per layer."""
    count = len(result.layers)
    height = 1.6 + 0.32 * (len(result.parts) + 1)
    figure, axes = grid(1, count, width=3.8 * count, height=height, sharey=True, sharex=True)
    places = range(len(result.parts))
    for i, (panel, layer) in enumerate(zip(axes, result.layers, strict=True)):
        plain(panel, x="share of signs that differ", title=layer)
        delta = result.delta[i]
        panel.errorbar(
            delta,
            list(places),
            xerr=[(delta - result.low[i]).clamp_min(0), (result.high[i] - delta).clamp_min(0)],
            fmt="o",
            color=BLUE,
            capsize=3,
            markersize=5,
        )
        random = result.random[i]
        panel.plot(random, [len(result.parts)] * len(random), "|", color=INK, alpha=0.6)
        panel.axvline(float(random.mean()), color=INK, linewidth=0.7, linestyle=":")
        for place, z in enumerate(result.z[i].tolist()):
            at = (float(result.high[i, place]), place)
            panel.annotate(
                f" z = {z:+.1f}",
                at,
                color=INK,
                fontsize=8,
                va="center",
                xytext=(4, 0),
                textcoords="offset points",
            )
    axes[0].set_yticks([*places, len(result.parts)], [*result.parts, "random masks"])
    axes[0].invert_yaxis()
    return figure
