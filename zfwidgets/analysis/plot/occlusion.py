"""Fig. 7: the photo, and what hiding each place of it does."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from zfwidgets.analysis.occlusion import Occlusion
from zfwidgets.analysis.plot.style import COLOURS, INK, SEQUENTIAL, grid, headline, key, picture

_OTHERS = "#999999"


def plot_occlusion(result: Occlusion) -> Figure:
    """Columns a to e of Fig. 7: photo, activation, projection, probability, winning class."""
    figure, axes = grid(1, 5, width=14, height=3.4)
    photo, activation, projection, probability, classes = axes
    picture(photo, result.photo.numpy(), title="(a) photo, the square")
    last = result.boxes[len(result.top) // 2, len(result.left) // 2].tolist()
    photo.add_patch(
        Rectangle(
            (last[1] - 0.5, last[0] - 0.5), result.size, result.size, facecolor="#808080", alpha=0.9
        )
    )
    of = f"{result.layer}, channel {result.channel}"
    _map(activation, result, result.activation, f"(b) sum of {of}")
    picture(projection, result.projection.numpy(), title="(c) its strongest neuron")
    _map(probability, result, result.probability, f"(d) p({result.name(result.label)})")
    _classes(classes, result)
    headline(
        figure,
        f"nothing hidden: activation {result.clean_activation:.4g}, "
        f"p({result.name(result.label)}) = {result.clean_probability:.2f}",
    )
    return figure


def _extent(result: Occlusion) -> dict[str, Any]:
    """Each value is drawn where the middle of the square was, in pixels of the photo."""
    half = result.size / 2
    top, left = result.top + half, result.left + half
    # The last place may be nearer than a stride: columns are drawn evenly, at most half a cell off.
    row = (top[-1] - top[0]).item() / max(1, len(top) - 1) / 2 or half
    col = (left[-1] - left[0]).item() / max(1, len(left) - 1) / 2 or half
    return {
        "extent": (
            left[0].item() - col,
            left[-1].item() + col,
            top[-1].item() + row,
            top[0].item() - row,
        )
    }


def _frame(axes: Axes, result: Occlusion) -> None:
    axes.set_xlim(0, result.width)
    axes.set_ylim(result.height, 0)
    axes.add_patch(
        Rectangle((0, 0), result.width, result.height, fill=False, edgecolor=INK, clip_on=False)
    )


def _map(axes: Axes, result: Occlusion, values: Any, title: str) -> None:
    image = picture(axes, values.numpy(), title=title, cmap=SEQUENTIAL, vmin=0, **_extent(result))
    _frame(axes, result)
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.ax.tick_params(colors=INK, labelsize=8)
    bar.outline.set_visible(False)


def _classes(axes: Axes, result: Occlusion) -> None:
    labels, counts = np.unique(result.most_probable.numpy(), return_counts=True)
    common = [int(label) for label in labels[np.argsort(-counts)] if label >= 0][: len(COLOURS)]
    index = np.full(result.most_probable.shape, len(common))
    for place, label in enumerate(common):
        index[result.most_probable.numpy() == label] = place
    colours = [*COLOURS[: len(common)], _OTHERS]
    picture(
        axes,
        index,
        title="(e) most probable class",
        cmap=ListedColormap(colours),
        vmin=0,
        vmax=len(common),
        **_extent(result),
    )
    _frame(axes, result)
    entries = [
        Patch(color=colour, label=result.name(label))
        for colour, label in zip(colours, common, strict=False)
    ]
    if (index == len(common)).any():
        entries.append(Patch(color=_OTHERS, label="others"))
    key(axes, entries, loc="upper left", bbox_to_anchor=(1, 1))
