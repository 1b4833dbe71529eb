"""The look that all figures share: readable on white and on dark paper, nothing but the data.

The background is transparent and the ink a grey with a contrast of 4.5 to white and to black.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#767676"
"""Text, axes and everything that is no data."""

BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
ORANGE, SKY, PURPLE = "#E69F00", "#56B4E9", "#CC79A7"
COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, SKY, PURPLE)
"""Of Okabe & Ito 2008, told apart by colour-blind people; black and yellow vanish on one ground."""

SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"
"""Colour maps for amounts and for signed numbers."""


class Drawing(Figure):
    """A figure that a notebook shows as the last value of a cell, with or without pyplot."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=100, transparent=True)
        return out.getvalue()


def new_figure(width: float = 6.4, height: float = 3.6) -> Drawing:
    """An empty figure of this size in inches; pyplot does not know it, so nobody must close it."""
    figure = Drawing(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    return figure


def grid(
    rows: int, columns: int, *, width: float = 6.4, height: float = 3.6, **shared: Any
) -> tuple[Drawing, list[Axes]]:
    """A figure of rows x columns plain axes, row by row; shared: sharex, sharey."""
    figure = new_figure(width, height)
    made = np.atleast_1d(figure.subplots(rows, columns, **shared)).ravel().tolist()
    for axes in made:
        plain(axes)
    return figure, made


def plain(axes: Axes, *, x: str = "", y: str = "", title: str = "") -> Axes:
    """Axes without ground, frame and weight; labels say what is drawn, in which unit."""
    axes.patch.set_alpha(0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(INK)
    axes.tick_params(colors=INK, labelcolor=INK, labelsize=8)
    axes.set_xlabel(x or axes.get_xlabel(), color=INK, fontsize=9)
    axes.set_ylabel(y or axes.get_ylabel(), color=INK, fontsize=9)
    axes.set_title(title or axes.get_title(), color=INK, fontsize=10, loc="center")
    return axes


def picture(axes: Axes, pixels: Any, *, title: str = "", **shown: Any) -> Any:
    """Pixels [h, w] or [h, w, 3] without ticks; returns matplotlib's image, for a colour bar."""
    plain(axes, title=title)
    axes.set_axis_off()
    return axes.imshow(pixels, interpolation=shown.pop("interpolation", "nearest"), **shown)


def key(axes: Axes, entries: Sequence[Any] | None = None, **placed: Any) -> None:
    """The legend, in ink and without a box."""
    if entries is not None:
        placed["handles"] = entries
    axes.legend(frameon=False, labelcolor=INK, fontsize=8, **placed)


def headline(figure: Figure, text: str) -> None:
    """One line over the whole figure."""
    figure.suptitle(text, color=INK, fontsize=11)
