"""What speaks for a class and against it: places, channels, and what the channels saw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from zfwidgets.analysis.plot.style import (
    BLUE,
    DIVERGING,
    INK,
    VERMILLION,
    headline,
    new_figure,
    picture,
    plain,
)

Channels = tuple[Tensor, Tensor]
"""Of k channels: their numbers [k], and their pictures uint8 [k, H, W, 3]."""


def plot_evidence(
    photo: Tensor,
    by_place: Tensor,
    by_channel: Tensor,
    whole: Tensor,
    sides: Sequence[tuple[str, Channels]],
    *,
    layer: str,
    rule: str,
    title: str,
) -> Figure:
    """Above photo, places, the score's projection, channels; below the channels' pictures.

    photo, whole: uint8 [H, W, 3]. by_place: [h, w]. by_channel: [C]. sides: the channels for the
    class, and those against it.
    """
    count = max(*(len(channels) for _, (channels, _) in sides), 1)
    figure = new_figure(11, 6.4)
    cells = figure.add_gridspec(2, 1, height_ratios=(1.5, 1))
    above = cells[0].subgridspec(1, 4)
    first, places, back, bars = (figure.add_subplot(above[0, i]) for i in range(4))
    picture(first, photo.numpy(), title="photo")
    _places(places, photo, by_place, f"places in {layer}")
    picture(back, whole.numpy(), title=f"the score back in pixels\n({rule})")
    _bars(bars, by_channel, f"channels of {layer}, in order")
    below = cells[1].subgridspec(1, len(sides) * count)
    for start, (side, (channels, pictures)) in enumerate(sides):
        for i, (channel, pixels) in enumerate(zip(channels.tolist(), pictures, strict=True)):
            told = f"{side}: {channel}\n{float(by_channel[channel]):+.2f}"
            axes = figure.add_subplot(below[0, start * count + i])
            picture(axes, pixels.numpy(), title=told).axes.title.set_fontsize(8)
    headline(figure, title)
    return figure


def _places(axes: Axes, photo: Tensor, by_place: Tensor, title: str) -> None:
    """The map of places over the grey photo: red speaks for the class, blue against it."""
    height, width = photo.shape[:2]
    grey = photo.float().mean(2).numpy()
    picture(axes, grey, cmap="gray", vmin=0, vmax=255, title=title)
    most = float(by_place.abs().max()) or 1.0
    image = axes.imshow(
        by_place.numpy(),
        cmap=DIVERGING,
        vmin=-most,
        vmax=most,
        alpha=0.65,
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        interpolation="nearest",
    )
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.ax.tick_params(colors=INK, labelsize=7)


def _bars(axes: Axes, by_channel: Tensor, x: str) -> None:
    """All channels in order: few or many reasons?"""
    values = by_channel.sort(descending=True).values.numpy()
    colours = np.where(values > 0, VERMILLION, BLUE)
    plain(axes, x=x, y="contribution", title="channels")
    axes.bar(np.arange(len(values)), values, width=1.0, color=colours.tolist())
    axes.axhline(0, color=INK, linewidth=0.6)
