"""Synthesised pictures on paper, one a channel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from zfwidgets.analysis.plot.style import grid, headline, picture

COLUMNS = 8


def plot_synthesis(
    images: np.ndarray[Any, np.dtype[np.uint8]], labels: Sequence[str], title: str
) -> Figure:
    """Pictures uint8 [N, h, w, 3] in rows, what stands above each, and a headline."""
    columns = min(COLUMNS, len(images))
    rows = math.ceil(len(images) / columns)
    figure, axes = grid(rows, columns, width=1.25 * columns, height=1.45 * rows + 0.3)
    for image, label, place in zip(images, labels, axes, strict=False):
        picture(place, image, title=label)
    for place in axes[len(images) :]:
        place.set_axis_off()
    headline(figure, title)
    return figure
