"""A sheet of channels for print: black on white, sized in centimetres, one caption below."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zfwidgets.analysis.plot.block import Block
from zfwidgets.analysis.plot.style import new_figure

INCH = 2.54
WIDTHS = {"column": 8.6, "page": 17.8}
"""Widths of text on paper, centimetres: a column of a journal, and an A4 page between margins."""

_TALLEST = 25.7
"""Height of an A4 page between margins of 2 cm."""
_GAP, _LABEL = 0.05, 0.36
_SMALLEST, _LARGEST = 0.5, 2.0
"""Side of one tile, cm: smaller ones cannot be read, larger ones waste paper."""
_TEXT, _SMALL = 7.0, 6.0
_POINT = INCH / 72


def draw(blocks: Sequence[Block], caption: str, width: str | float) -> Figure:
    """The sheet; tiles are as large as the page lets them be.

    Raises:
        ValueError: an unknown width, or more channels than an A4 page holds.
    """
    if isinstance(width, str) and width not in WIDTHS:
        raise ValueError(f"width={width!r}: expected 'column', 'page' or centimetres")
    wide = WIDTHS[width] if isinstance(width, str) else float(width)
    lines = _wrapped(caption, wide)
    below = 0.35 + len(lines) * 1.3 * _TEXT * _POINT
    between = _between(blocks[0])
    columns, tile = _fitted(blocks, wide, _TALLEST - below)
    across, high = _size(blocks[0], tile)
    rows = math.ceil(len(blocks) / columns)
    tall = rows * (high + between) - between + below
    figure = new_figure(wide / INCH, tall / INCH)
    figure.set_layout_engine("none")
    figure.patch.set(alpha=1, facecolor="white")
    sheet = figure.add_axes((0, 0, 1, 1))
    sheet.set(xlim=(0, wide), ylim=(tall, 0))
    sheet.set_axis_off()
    # Spread over the whole width, so that the sheet ends where the text around it ends.
    step = (wide - across) / (columns - 1) if columns > 1 else 0
    if len(blocks) < columns:
        step = across + between
    for number, block in enumerate(blocks):
        left = (number % columns) * step
        _block(sheet, block, left, (number // columns) * (high + between), tile)
    sheet.set(xlim=(0, wide), ylim=(tall, 0))  # pictures move them
    for number, line in enumerate(lines):
        below_tiles = tall - below + 0.2 + (number + 1) * 1.3 * _TEXT * _POINT
        sheet.text(0, below_tiles, line, fontsize=_TEXT, color="black", va="baseline")
    return figure


def save(figure: Figure, path: str | Path, dpi: int) -> None:
    """Write it with text as text: fonts are embedded as TrueType, not as outlines."""
    fonts: Any = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none"}
    with mpl.rc_context(fonts):
        figure.savefig(Path(path).expanduser(), dpi=dpi, facecolor="white")


def _wrapped(text: str, wide: float) -> list[str]:
    # DejaVu Sans is 0.55 em wide on average, and no line may be cut at the edge.
    return textwrap.wrap(text, max(24, int(wide / (_TEXT * _POINT * 0.56))))


def _between(block: Block) -> float:
    """Between two channels, cm: squares must not run into one another."""
    return 0.12 if len(block.projections) == 1 and len(block.patches) == 0 else 0.35


def _side(block: Block) -> int:
    """Tiles in a row of one square."""
    return math.isqrt(len(block.projections) - 1) + 1


def _squares(block: Block) -> int:
    return 2 if len(block.patches) else 1


def _size(block: Block, tile: float) -> tuple[float, float]:
    """Width and height of a channel on paper, cm."""
    side, squares = _side(block), _squares(block)
    rows = math.ceil(len(block.projections) / side)
    shape = block.projections.shape
    high = tile * shape[1] / shape[2]
    square = side * (tile + _GAP) - _GAP
    return squares * square + (squares - 1) * 2 * _GAP, rows * (high + _GAP) - _GAP + _LABEL


def _fitted(blocks: Sequence[Block], wide: float, tall: float) -> tuple[int, float]:
    """Channels in a row, and the side of a tile in cm: the largest that fits the page."""
    block, number = blocks[0], len(blocks)
    between, tiles = _between(block), _side(block) * _squares(block)
    found = []
    for columns in range(1, number + 1):
        inner = (wide - (columns - 1) * between) / columns - _size(block, 0.0)[0]
        tile = min(_LARGEST, inner / tiles)
        rows = math.ceil(number / columns)
        fits = rows * (_size(block, tile)[1] + between) - between <= tall
        if tile >= _SMALLEST and fits:
            # As many as can be as large; and rather full rows than slightly larger tiles.
            found.append((tile * (1.0 if number % columns == 0 else 0.8), columns, tile))
    if found:
        _, columns, tile = max(found)
        return columns, tile
    raise ValueError(
        f"{number} channels do not fit an A4 page {wide:.1f} cm wide; choose fewer channels"
        + ("" if wide >= WIDTHS["page"] else ', or width="page"')
    )


def _block(sheet: Axes, block: Block, left: float, top: float, tile: float) -> None:
    sheet.text(left, top + _LABEL - 0.1, block.label, fontsize=_SMALL, color="black", va="baseline")
    side = _side(block)
    shape = block.projections.shape
    high = tile * shape[1] / shape[2]
    square = side * (tile + _GAP) + _GAP
    for number, tiles in enumerate((block.projections, block.patches)):
        for index, pixels in enumerate(tiles):
            x = left + number * square + (index % side) * (tile + _GAP)
            y = top + _LABEL + (index // side) * (high + _GAP)
            sheet.imshow(
                pixels, extent=(x, x + tile, y + high, y), interpolation="none", aspect="auto"
            )
