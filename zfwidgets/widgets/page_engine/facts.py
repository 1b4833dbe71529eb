"""What the page must know of a network beside its graph: sizes of layers, filters with colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zfwidgets.images.contrast import heat_colours
from zfwidgets.images.signed import signed_colours
from zfwidgets.widgets.channel_browser.responses import Responses
from zfwidgets.widgets.channel_browser.tiles import MODES, tiles_of
from zfwidgets.widgets.core.spoken import class_name
from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.core.wire import Sheet, sheet

TILE = 96
"""Longer side of a filter's tile at most, in pixels."""


def layer_facts(recording: Any) -> dict[str, dict[str, Any]]:
    """By layer, `LayerFacts` of js/src/page/payload.ts."""
    return {
        name: {
            "map": [layer.height, layer.width],
            "field": list(layer.receptive_field),
            "jump": list(layer.jump),
            "offset": list(layer.offset),
            "kernel": list(layer.kernel),
        }
        for name, layer in recording.layers.items()
    }


def spoken_graph(graph: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """The graph with its classes called as the language calls them."""
    names = graph["categories"]
    return {**graph, "categories": names and [class_name(name, locale) for name in names]}


def engine_texts(locale: str) -> dict[str, str]:
    """What a page says beside its widgets, and what its engine says (js/src/engine/words.ts)."""
    return table("export", locale) | table("page-engine", locale)


def filter_sheets(recording: Any, tile: int = TILE) -> dict[str, Sheet]:
    """Of the layers whose filters have colours, all filters on one sheet."""
    found: dict[str, Sheet] = {}
    for name, layer in recording.layers.items():
        if MODES["filter"].suits(recording.net, layer):
            ids = list(range(layer.channels))
            responses = Responses(0, recording, 0, layer, "filter", "deconvnet")
            found[name] = sheet(ids, tiles_of(responses, ids, tile))
    return found


def colour_tables() -> Mapping[str, bytes]:
    """The shades of feature maps and of signed pictures, as `EnginePayload` has them."""
    return {"heat": heat_colours().tobytes(), "signed": signed_colours().tobytes()}
