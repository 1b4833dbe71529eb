"""Three more answers to "what is this channel?": its filter, a projection, a synthesised picture.

Drawn as the channels' tiles are, here or by a server. Knows no Jupyter and no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from zfwidgets.widgets.channel_browser.responses import Responses
from zfwidgets.widgets.channel_browser.tiles import MODES, tiles_of
from zfwidgets.widgets.core.wire import sheet

if TYPE_CHECKING:
    from zfwidgets.widgets.channel_browser.tiles import Pictures

_QUALITY = 90
"""Of the WebP, see `ExemplarStrip`."""
_LOSSLESS = 32
"""Squares of a few pixels bear no loss."""

Cell = dict[str, Any]
"""`Cell` of the page side: a picture, or why there is none."""


def draw(
    recording: Any,
    layer: str,
    channel: int,
    rule: Any,
    check: Callable[[], None],
    px: int,
    made: Pictures | None = None,
) -> dict[str, Cell]:
    """The cells "filter", "photo" and "synthesised" of a channel.

    recording: of one photo. check: may raise to stop in between. px: longer side of a picture at
    most. made: the channel's synthesised picture [1, h, w, 3], if none ships.
    """
    place = recording.layers[layer]

    def tiles(mode: str) -> Pictures:
        check()
        return tiles_of(Responses(0, recording, 0, place, mode, rule), [channel], px)

    def suits(mode: str) -> bool:
        return MODES[mode].suits(recording.net, place)

    here = Responses(0, recording, 0, place, "projection", rule).where(channel)
    photo = (
        {"why": "silent_here"}
        if here["row"] is None
        else _cell(tiles("photo patch"), tiles("projection"))
    )
    if suits("synthesised"):
        synthesised = _cell(tiles("synthesised"))
    elif made is not None:
        synthesised = _cell(made)
    else:
        afar = hasattr(recording.net, "strip")
        synthesised = {"why": "synthesised_afar"} if afar else {"why": "none_ships", "offer": True}
    return {
        "filter": _cell(tiles("filter")) if suits("filter") else _deep(recording, place, channel),
        "photo": photo,
        "synthesised": synthesised,
    }


def _deep(recording: Any, place: Any, channel: int) -> Cell:
    """What can be said of a filter that has no colours."""
    net = recording.net
    if place.kind != "conv":
        return {"why": "filter_none"}
    if hasattr(net, "strip"):
        found = net.kernels(place.name, channel)
    else:
        from zfwidgets.widgets.exemplar_strip.kernels import kernels_of

        found = kernels_of(net, place.name, channel)
    if found is None:
        return {"why": "filter_deep"}
    heaviest = ", ".join(map(str, found.heaviest))
    return {
        "why": "filter_inputs",
        "values": {"count": found.count, "layer": found.layer, "channels": heaviest},
    }


def _cell(*pictures: Pictures) -> Cell:
    """One picture, or one above the other; all of the same size."""
    stacked = np.concatenate(pictures)
    small = max(stacked.shape[1:3]) <= _LOSSLESS
    made = sheet(range(len(stacked)), stacked, quality=None if small else _QUALITY)
    return {"sheet": made.head(), "data": made.data}
