"""What speaks for a class and against it: places, channels, and what the channels saw."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zfwidgets.analysis.evidence import Evidence
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


def plot_evidence(result: Evidence) -> Figure:
    """Above photo, places, the score's projection, channels; below the channels' pictures."""
    count = max(len(result.channels_for), len(result.channels_against), 1)
    figure = new_figure(11, 6.4)
    columns = 2 * count
    cells = figure.add_gridspec(2, 1, height_ratios=(1.5, 1))
    above = cells[0].subgridspec(1, 4)
    photo, places, whole, bars = (figure.add_subplot(above[0, i]) for i in range(4))
    picture(photo, result.photo.numpy(), title="photo")
    _places(places, result)
    picture(whole, result.whole.numpy(), title=f"the score back in pixels\n({result.rule})")
    _bars(bars, result)
    below = cells[1].subgridspec(1, columns)
    halves = (
        (result.channels_for, result.pictures_for, 0, "for"),
        (result.channels_against, result.pictures_against, count, "against"),
    )
    for channels, pictures, start, side in halves:
        for i, (channel, pixels) in enumerate(zip(channels.tolist(), pictures, strict=True)):
            share = float(result.by_channel[channel])
            title = f"{side}: {channel}\n{share:+.2f}"
            axes = figure.add_subplot(below[0, start + i])
            picture(axes, pixels.numpy(), title=title).axes.title.set_fontsize(8)
    account = "exact" if result.exact else f"remainder {result.remainder:+.2f}"
    subject = result.name if result.versus is None else f"{result.name} rather than {result.versus}"
    headline(
        figure,
        f"{subject}: score {result.logit:.2f} (p = {result.probability:.2f}) = bias "
        f"{result.bias:+.2f}, evidence in {result.layer} {float(result.by_channel.sum()):+.2f} "
        f"({account})",
    )
    return figure


def _places(axes: Axes, result: Evidence) -> None:
    """The map of places over the grey photo: red speaks for the class, blue against it."""
    height, width = result.photo.shape[:2]
    grey = result.photo.float().mean(2).numpy()
    picture(axes, grey, cmap="gray", vmin=0, vmax=255, title=f"places in {result.layer}")
    most = float(result.by_place.abs().max()) or 1.0
    image = axes.imshow(
        result.by_place.numpy(),
        cmap=DIVERGING,
        vmin=-most,
        vmax=most,
        alpha=0.65,
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        interpolation="nearest",
    )
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.ax.tick_params(colors=INK, labelsize=7)


def _bars(axes: Axes, result: Evidence) -> None:
    """All channels in order: few or many reasons?"""
    values = result.by_channel.sort(descending=True).values.numpy()
    colours = np.where(values > 0, VERMILLION, BLUE)
    plain(axes, x=f"channels of {result.layer}, in order", y="contribution", title="channels")
    axes.bar(np.arange(len(values)), values, width=1.0, color=colours.tolist())
    axes.axhline(0, color=INK, linewidth=0.6)
