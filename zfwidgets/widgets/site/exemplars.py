"""The page of a network's exemplars: every channel with the gallery's strongest photographs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch

from zfwidgets.analysis.shipped import K, exemplars_that_ship, ships
from zfwidgets.analysis.strongest import Exemplars
from zfwidgets.analysis.vocabulary import Concept
from zfwidgets.images import gallery
from zfwidgets.widgets.core.concepts import told
from zfwidgets.widgets.core.rpc import settle
from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.exemplar_browser import ExemplarBrowser
from zfwidgets.widgets.exemplar_browser.tiles import Gallery
from zfwidgets.widgets.export.engine import InPage
from zfwidgets.widgets.export.offstage import Blobs, offstage
from zfwidgets.widgets.export.page import megabytes
from zfwidgets.widgets.export.plan import Plan
from zfwidgets.widgets.inspector_head import InspectorHead
from zfwidgets.widgets.page_engine.facts import TILE
from zfwidgets.widgets.site.content import Content

_SHOWN = 9
"""Photographs a channel, as the paper's Fig. 2 has them."""
_QUALITY = 80
"""Of the first channels' pictures, which are seen small."""


def exemplars_known(net: Any) -> dict[str, Exemplars]:
    """The scan of the gallery that ships, by layer; empty if none is of these weights."""
    if not ships(net.name):
        return {}
    try:
        return exemplars_that_ship(net, K)
    except ValueError:
        return {}


class ExemplarsPage:
    """How the page is made, in every language.

    found: the scan. photographs: the file of the gallery's, from the site's folder, in the order
    of their names; size: its bytes. inspector: the file of the page that a click leads to.
    """

    def __init__(
        self,
        inside: InPage,
        found: Mapping[str, Exemplars],
        photographs: str,
        size: int,
        inspector: str,
    ) -> None:
        self._inside = InPage(inside.graph, inside.weights, {})
        self._found, self._size = found, size
        self._photographs, self._inspector = photographs, inspector
        self._begins: dict[str, Any] | None = None
        self._words: dict[str, list[tuple[Concept, ...]]] = {}

    def __call__(self, plan: Plan, blobs: Blobs) -> Content:
        """The page in the language of the plan; its pictures go to `blobs`."""
        from zfwidgets import __version__

        net, texts = plan.net, table("export", plan.locale)
        recording = net.record(next(iter(plan.photos.values())))
        engine = self._inside.payload(recording, blobs, TILE, plan.locale)
        state = blobs.plain(self._state(net, plan.locale), _QUALITY)
        kernelless = {key: texts[f"kernelless_{key}"] for key in ("title", "message", "hint")}
        channels = sum(len(one.value) for one in self._found.values())
        size = megabytes(self._size)
        return Content(
            locale=plan.locale,
            path="",
            name=table("site", plan.locale)["exemplars"].format(net=net.name),
            title=texts["exemplars_title"].format(net=net.name),
            lead=texts["exemplars_lead"].format(count=len(gallery())),
            payload={
                "absent": kernelless,
                "kernelless": kernelless,
                "parts": [
                    {"name": "head", "bundle": "inspector-head", "state": _head(plan)},
                    {"name": "exemplars", "bundle": "exemplar-browser", "state": state},
                ],
                "links": [],
                "starts": [],
                "scenes": [_scene(state)],
                "sheets": {},
                "engine": {**engine, "scan": self._scan(plan, blobs)},
            },
            parts=("head", "exemplars"),
            rules=1,
            facts=[
                (texts["fact_net"], net.name),
                (texts["fact_weights"], net.weights_hash()),
                (
                    texts["fact_exemplars"],
                    texts["gallery_fact"].format(count=channels, megabytes=size),
                ),
                (texts["fact_made"], f"zfwidgets {__version__}"),
            ],
            scripts=(),
        )

    def _state(self, net: Any, locale: str) -> dict[str, Any]:
        """The browser's traits; its first channels are drawn once for all languages."""
        if self._begins is None:
            browser = ExemplarBrowser(net, k=_SHOWN, locale=locale)
            try:
                tape = offstage(browser)
                browser.wait()
                settle()
                if error := browser.error:
                    raise RuntimeError(f"{error.get('title')}: {error.get('message')}")
                self._begins = tape.state()
            finally:
                browser.close()
        spoken = {"locale": locale, "_strings": table("exemplar-browser", locale)}
        return {**self._begins, **spoken}

    def _scan(self, plan: Plan, blobs: Blobs) -> dict[str, Any]:
        """`ScanPayload` of js/src/page/payload.ts."""
        shown = gallery()
        names = sorted(shown)
        place = {name: number for number, name in enumerate(names)}
        first = next(iter(self._found.values()))
        return {
            "address": self._photographs,
            "inspector": self._inspector,
            "k": _SHOWN,
            "scanned": first.scanned,
            "layers": {
                layer: blobs.plain(_numbers(found.first(_SHOWN), place))
                for layer, found in self._found.items()
            },
            "words": {
                layer: [[_short(told(word, plan.locale)) for word in words] for words in every]
                for layer, every in self._every_word(plan.net).items()
            },
        }

    def _every_word(self, net: Any) -> dict[str, list[tuple[Concept, ...]]]:
        """The words of all channels, by layer; found once for all languages."""
        if not self._words:
            known = Gallery(net, gallery())
            for layer, found in self._found.items():
                self._words[layer] = [known.words(found, c) for c in range(len(found.value))]
        return self._words


def _head(plan: Plan) -> dict[str, Any]:
    head = InspectorHead(name=plan.net.name, status="ready", locale=plan.locale)
    try:
        return dict(offstage(head).state())
    finally:
        head.close()


def _scene(state: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown until another layer or rule is chosen."""
    key = json.dumps([state["layer"], state["rule"]], separators=(",", ":"))
    shown = {name: state[name] for name in ("_page", "epoch", "status")}
    by = [["exemplars", "layer"], ["exemplars", "rule"]]
    return {"part": "exemplars", "by": by, "states": {key: {"error": {}, **shown}}}


def _numbers(found: Exemplars, place: Mapping[str, int]) -> dict[str, bytes]:
    """Photographs, places and values of all channels, as the page reads them."""
    numbers = torch.tensor([*(place[name] for name in found.ids), -1])  # the last is of none
    return {
        "image": numbers[found.image].numpy().astype("<i2").tobytes(),
        "row": found.row.numpy().astype("u1").tobytes(),
        "col": found.col.numpy().astype("u1").tobytes(),
        "value": found.value.numpy().astype("<f4").tobytes(),
    }


def _short(word: dict[str, Any]) -> dict[str, Any]:
    return {**word, "lift": float(f"{word['lift']:.3g}"), "p": float(f"{word['p']:.2g}")}
