"""What a page needs to compute by itself: the network, its weights, and the photos as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from zfwidgets.images import decode
from zfwidgets.images.samples import samples
from zfwidgets.images.tiles import encode
from zfwidgets.page import packed, page_net
from zfwidgets.widgets.export.offstage import Blobs
from zfwidgets.widgets.export.plan import Plan
from zfwidgets.widgets.page_engine.facts import (
    colour_tables,
    engine_texts,
    filter_sheets,
    layer_facts,
    spoken_graph,
)

_QUALITY = 95
"""Of photos that are not files of the package; the page then shows what is left of them."""


@dataclass(frozen=True)
class InPage:
    """graph: as js/src/engine/graph.ts has it. weights: its weights as text. files: the photos."""

    graph: dict[str, Any]
    weights: str
    files: Mapping[str, bytes]

    def payload(self, recording: Any, blobs: Blobs, tile: int, locale: str) -> dict[str, Any]:
        """`EnginePayload` of js/src/page/payload.ts. tile: longer side of the filters' tiles."""
        return {
            "graph": spoken_graph(self.graph, locale),
            "layers": layer_facts(recording),
            "photos": {name: blobs.plain(data) for name, data in self.files.items()},
            "filters": {
                name: [{"head": made.head(), "blobs": [blobs.number(made.data)]}]
                for name, made in filter_sheets(recording, tile).items()
            },
            **{name: blobs.plain(table) for name, table in colour_tables().items()},
            "texts": engine_texts(locale),
        }


def in_page(plan: Plan, *, layers: bool) -> tuple[Plan, InPage]:
    """The engine for a plan, and the plan for a page that has one.

    layers: whether the plan's were asked for; else only that with which the page begins is
    recorded. Photos become what the page will see of them. What a page cannot compute, the
    strongest pictures of a channel and synthesised ones, is left out.

    Raises:
        UnsupportedInPage: the page cannot compute this network.
    """
    net = page_net(plan.net)
    files = {name: _file(name, photo) for name, photo in plan.photos.items()}
    photos = {name: decode(data, name=name) for name, data in files.items()}
    recorded = plan.layers if layers else (plan.layer,)
    mode = "projection" if plan.mode == "synthesised" else plan.mode
    plan = replace(plan, photos=photos, layers=recorded, mode=mode, exemplars=None)
    return plan, InPage(net.graph, packed(net.weights), files)


def _file(name: str, photo: Image.Image) -> bytes:
    """The photo as a file that every browser reads; those of the package as they are."""
    known = samples().get(name)
    if known is not None and np.array_equal(np.asarray(known.open()), np.asarray(photo)):
        return known.path.read_bytes()
    return encode(np.asarray(photo), "image/jpeg", quality=_QUALITY)
