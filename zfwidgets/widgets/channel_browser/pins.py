"""Channels that are kept in sight while layers and photos change: their pictures and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from zfwidgets.widgets.channel_browser.responses import Responses
from zfwidgets.widgets.channel_browser.tiles import MODES, tiles_of
from zfwidgets.widgets.core.wire import sheet

MOST = 64
"""Pins at most: the strip is for comparing a few."""
_PX = 112
"""Longer side of a pin's picture: sharp at twice its size on the page."""

Pin = dict[str, Any]


def checked(pins: Sequence[Any]) -> list[Pin]:
    """The pins without repeats, each ``{"layer": str, "channel": int}``.

    Raises:
        ValueError: something else, or more than `MOST`.
    """
    found: list[Pin] = []
    for pin in pins:
        layer, channel = (pin.get("layer"), pin.get("channel")) if isinstance(pin, dict) else (0, 0)
        is_number = isinstance(channel, int) and not isinstance(channel, bool) and channel >= 0
        if not (isinstance(layer, str) and is_number):
            raise ValueError(f"pins: expected {{'layer': 'conv5', 'channel': 17}}, got {pin!r:.80}")
        if (one := {"layer": layer, "channel": channel}) not in found:
            found.append(one)
    if len(found) > MOST:
        raise ValueError(f"pins: expected at most {MOST}, got {len(found)}")
    return found


def pinned(responses: Responses, pins: Sequence[Pin]) -> dict[str, Any]:
    """The trait `_pinned`: per pin its numbers and where its picture is; one sheet per layer.

    Pictures are of the same photo, mode and rule. Where a layer has none of that mode, they are
    projections. A pin that the network does not have keeps its place, without a picture.
    """
    net, layers = responses.recording.net, responses.recording.layers
    facts: list[dict[str, Any]] = [{**pin, "sheet": None} for pin in pins]
    sheets: list[dict[str, Any]] = []
    for name in dict.fromkeys(pin["layer"] for pin in pins):
        if name not in layers:
            continue
        layer = layers[name]
        mode = responses.mode if MODES[responses.mode].suits(net, layer) else "projection"
        own = replace(responses, layer=layer, mode=mode)
        mine = [f for f in facts if f["layer"] == name and f["channel"] < layer.channels]
        if not mine:
            continue
        ids = [fact["channel"] for fact in mine]
        made = sheet(ids, tiles_of(own, ids, _PX))
        for fact in mine:
            fact.update(own.where(fact["channel"]), sheet=len(sheets))
        sheets.append({"head": made.head(), "picture": made.data})
    return {"epoch": responses.epoch, "pins": facts, "sheets": sheets}
