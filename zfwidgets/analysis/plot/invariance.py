"""Fig. 5: how far features and class probability move with a picture."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from zfwidgets.analysis.plot.style import COLOURS, INK, grid, plain
from zfwidgets.analysis.transforms import NEUTRAL, UNITS

_STYLES = ("-", "--", "-.", ":")


def plot_invariance(
    layers: Sequence[str],
    distance: Tensor,
    relative: Tensor,
    probability: Tensor | None,
    *,
    values: Tensor,
    transform: str,
    names: Sequence[str],
) -> Figure:
    """A row of absolute distances and p(class), and below it distances as shares of the length.

    distance, relative: [L, B, V] for L layers, B pictures with their names, and V values.
    probability: [B, V].
    """
    columns = len(layers) + 1
    figure, axes = grid(2, columns, width=3.2 * columns, height=5.2, sharex=True)
    upper, lower = axes[:columns], axes[columns:]
    order = values.argsort()
    unit = f"{transform}, {UNITS[transform]}"
    most = float(relative.max()) * 1.05 or 1.0
    for layer, name in enumerate(layers):
        plain(upper[layer], title=name, y="Euclidean distance" if layer == 0 else "")
        plain(lower[layer], x=unit, y="distance / length" if layer == 0 else "")
        lower[layer].set_ylim(0, most)
    plain(upper[-1], title="output", y="p(class)")
    upper[-1].set_ylim(0, 1)
    upper[-1].tick_params(labelbottom=True)
    lower[-1].set_axis_off()
    curves = [
        *zip(upper, distance, strict=False),
        *zip(lower, relative, strict=False),
    ]
    if probability is not None:
        curves.append((upper[-1], probability))
    for panel, lines in curves:
        panel.axvline(NEUTRAL[transform], color=INK, linewidth=0.6, alpha=0.6)
        for i, line in enumerate(lines):
            panel.plot(
                values[order],
                line[order],
                color=COLOURS[i % len(COLOURS)],
                linestyle=_STYLES[i // len(COLOURS) % len(_STYLES)],
                linewidth=1.4,
                label=f"{i}: {names[i]}",
            )
        if panel in upper:
            panel.set_ylim(bottom=0)
    handles, labels = upper[0].get_legend_handles_labels()
    lower[-1].legend(
        handles, labels, frameon=False, labelcolor=INK, fontsize=8, loc="center", title="pictures"
    ).get_title().set_color(INK)
    return figure
