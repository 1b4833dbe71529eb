"""What stands on a canvas, as a PNG: as a list of numbers it would travel for seconds."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Locator

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

READ_CANVAS = "canvas => canvas.toDataURL('image/png')"
#: A cell's part of the canvas that its row has.
READ_TILE = """(cell) => {
    const row = cell.parentElement.querySelector('canvas');
    const side = Math.round(cell.clientWidth * devicePixelRatio);
    const left = (e) => e.getBoundingClientRect().left;
    const x = Math.round((left(cell) - left(row)) * devicePixelRatio);
    const tile = Object.assign(document.createElement('canvas'), { width: side, height: side });
    tile.getContext('2d').drawImage(row, x, 0, side, side, 0, 0, side, side);
    return tile.toDataURL('image/png');
}"""


def on_canvas(canvas: Locator, mode: str = "RGB") -> Pixels:
    """All of a canvas: uint8 [h, w, 3], or 4 for the mode "RGBA"."""
    return _decoded(canvas.evaluate(READ_CANVAS), mode)


def on_tile(cell: Locator) -> Pixels:
    """A cell of a grid: uint8 [side, side, 3]."""
    return _decoded(cell.evaluate(READ_TILE), "RGB")


def _decoded(data_url: str, mode: str) -> Pixels:
    png = base64.b64decode(data_url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(png)).convert(mode))
