"""A square matrix as a picture with its numbers: what several figures have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from zfwidgets.analysis.plot.style import SEQUENTIAL, picture, plain

MOST_NUMBERS = 14
"""Rows up to which every cell also has its number."""


def draw_matrix(
    axes: Axes,
    values: np.ndarray[Any, Any],
    labels: Sequence[str],
    *,
    title: str = "",
    digits: str = ".2f",
    x: str = "",
    y: str = "",
) -> Any:
    """Values from 0 (dark) to 1 (bright), labelled at the left and below."""
    image = picture(axes, values, cmap=SEQUENTIAL, vmin=0, vmax=1)
    axes.set_axis_on()
    plain(axes, title=title, x=x, y=y)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks(range(len(labels)), labels, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels)
    if len(values) <= MOST_NUMBERS:
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                ink = "black" if value > 0.6 else "white"
                axes.text(
                    column,
                    row,
                    format(value, digits),
                    color=ink,
                    fontsize=7,
                    ha="center",
                    va="center",
                )
    return image
