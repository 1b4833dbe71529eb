"""The first tiles of a layer: sent with its numbers in one trait, and saved with the notebook."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from zfwidgets.widgets.channel_browser.responses import Responses
from zfwidgets.widgets.channel_browser.tiles import MODES, Pictures, drawn, native_size, size_within
from zfwidgets.widgets.core.wire import sheet

_PX = 96
"""Longer side of the tiles."""
_PIXELS = 400_000
"""Pixels of all tiles at most; a layer of small maps fits whole."""


class FirstPage:
    """The first tiles of a layer in some order, drawn batch by batch."""

    def __init__(self, responses: Responses, order: list[int]) -> None:
        self.responses = responses
        height, width = size_within(responses, _PX)
        ids = order[: max(16, _PIXELS // (height * width))]
        self._wanted = len(ids)
        self._ids: list[int] = []
        self._tiles: list[Pictures] = []
        self._batches = drawn(responses, ids, _PX)

    @property
    def done(self) -> bool:
        """Whether all tiles that there is room for are drawn."""
        return len(self._ids) == self._wanted

    def draw(self) -> bool:
        """Draw one more batch; whether some are still lacking."""
        if self.done:
            return False
        ids, tiles = next(self._batches)
        self._ids.extend(ids)
        self._tiles.append(tiles)
        return not self.done

    def as_trait(self) -> dict[str, Any]:
        """The trait `_page`, as `RawPage` of the page side; sheet is None if there is no tile."""
        if not self._ids:
            return {**self._facts(), "sheet": None, "picture": None}
        made = sheet(self._ids, np.concatenate(self._tiles))
        return {**self._facts(), "sheet": made.head(), "picture": made.data}

    def _facts(self) -> dict[str, Any]:
        responses, net = self.responses, self.responses.recording.net
        return {
            **responses.facts(),
            "native": list(native_size(responses)),
            "filters": MODES["filter"].suits(net, responses.layer),
            "synthesised": MODES["synthesised"].suits(net, responses.layer),
        }


def tiles_in(page: dict[str, Any]) -> tuple[list[int], Pictures]:
    """The tiles uint8 [N, h, w, 3] of a first page's sheet, and their channels."""
    head = page["sheet"]
    height, width = head["tile"]
    columns = head["columns"]
    picture = np.asarray(Image.open(io.BytesIO(page["picture"])).convert("RGB"))
    rows = picture.shape[0] // height
    cells = picture.reshape(rows, height, columns, width, 3).transpose(0, 2, 1, 3, 4)
    return head["ids"], cells.reshape(-1, height, width, 3)[: len(head["ids"])]
