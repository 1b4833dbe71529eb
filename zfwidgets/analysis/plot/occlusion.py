"""Fig. 7: the photo, and what hiding each place of it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from torch import Tensor

from zfwidgets.analysis.plot.style import COLOURS, INK, SEQUENTIAL, grid, headline, key, picture

_OTHERS = "#999999"


@dataclass(frozen=True)
class Places:
    """Where the square was: its first rows [R] and columns [S], its side; and the input's size."""

    top: Tensor
    left: Tensor
    side: int
    height: int
    width: int

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Each value is drawn where the middle of the square was, in pixels of the photo."""
        half = self.side / 2
        top, left = self.top + half, self.left + half
        # The last place may be nearer than a stride: drawn evenly, at most half a cell off.
        row = (top[-1] - top[0]).item() / max(1, len(top) - 1) / 2 or half
        col = (left[-1] - left[0]).item() / max(1, len(left) - 1) / 2 or half
        return (
            left[0].item() - col,
            left[-1].item() + col,
            top[-1].item() + row,
            top[0].item() - row,
        )


def plot_occlusion(
    photo: Tensor,
    projection: Tensor,
    places: Places,
    *,
    activation: Tensor,
    probability: Tensor,
    most_probable: Tensor,
    feature: str,
    label: str,
    names: Mapping[int, str],
    title: str,
) -> Figure:
    """Columns a to e of Fig. 7: photo, activation, projection, probability, winning class.

    photo, projection: uint8 [H, W, 3]. activation, probability, most_probable: [R, S], of the map
    `feature`, of the class `label`, and the class that wins. names: of classes, by number.
    """
    figure, axes = grid(1, 5, width=14, height=3.4)
    picture(axes[0], photo.numpy(), title="(a) photo, the square")
    middle = places.left[len(places.left) // 2].item(), places.top[len(places.top) // 2].item()
    corner = middle[0] - 0.5, middle[1] - 0.5
    axes[0].add_patch(Rectangle(corner, places.side, places.side, facecolor="#808080", alpha=0.9))
    _map(axes[1], places, activation, f"(b) sum of {feature}")
    picture(axes[2], projection.numpy(), title="(c) its strongest neuron")
    _map(axes[3], places, probability, f"(d) p({label})")
    _classes(axes[4], places, most_probable, names)
    headline(figure, title)
    return figure


def _frame(axes: Axes, places: Places) -> None:
    axes.set_xlim(0, places.width)
    axes.set_ylim(places.height, 0)
    axes.add_patch(
        Rectangle((0, 0), places.width, places.height, fill=False, edgecolor=INK, clip_on=False)
    )


def _map(axes: Axes, places: Places, values: Tensor, title: str) -> None:
    shown = {"cmap": SEQUENTIAL, "vmin": 0, "extent": places.extent}
    image = picture(axes, values.numpy(), title=title, **shown)
    _frame(axes, places)
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.ax.tick_params(colors=INK, labelsize=8)
    bar.outline.set_visible(False)


def _classes(axes: Axes, places: Places, most_probable: Tensor, names: Mapping[int, str]) -> None:
    labels, counts = np.unique(most_probable.numpy(), return_counts=True)
    common = [int(label) for label in labels[np.argsort(-counts)] if label >= 0][: len(COLOURS)]
    index = np.full(most_probable.shape, len(common))
    for place, label in enumerate(common):
        index[most_probable.numpy() == label] = place
    colours = [*COLOURS[: len(common)], _OTHERS]
    picture(
        axes,
        index,
        title="(e) most probable class",
        cmap=ListedColormap(colours),
        vmin=0,
        vmax=len(common),
        extent=places.extent,
    )
    _frame(axes, places)
    entries = [
        Patch(color=colour, label=names[label])
        for colour, label in zip(colours, common, strict=False)
    ]
    if (index == len(common)).any():
        entries.append(Patch(color=_OTHERS, label="others"))
    key(axes, entries, loc="upper left", bbox_to_anchor=(1, 1))
