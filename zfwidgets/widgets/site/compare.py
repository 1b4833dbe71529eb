"""The page of a site on which two of its networks look at one photo."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from zfwidgets.widgets.compare import CompareHead, linked_by
from zfwidgets.widgets.compare.counterpart import counterpart
from zfwidgets.widgets.compare.page import comparison, computed, facts_of, places
from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.export.engine import InPage
from zfwidgets.widgets.export.offstage import Blobs
from zfwidgets.widgets.export.plan import Plan
from zfwidgets.widgets.export.stage import Stage
from zfwidgets.widgets.site.content import Content


class ComparePage:
    """How the page is made, in every language. Its tiles are recorded in the first."""

    def __init__(self, *, progress: bool) -> None:
        self._progress = progress
        self._told: Sequence[Stage | None] = (None, None)

    def __call__(self, known: Sequence[tuple[Plan, InPage]], blobs: Blobs) -> Content:
        """The page of the left and the right network, in their plans' language.

        Its pictures go to `blobs`; the addresses of the weights are not yet in it.
        """
        (first, one), (second, other) = known
        there = counterpart(first.layer, first.net.layers, second.net.layers)
        second = replace(second, layer=there, layers=(there,))
        names = [first.net.name, second.net.name]
        texts = table("export", first.locale)
        halves = computed(names, [(first, one), (second, other)], shared=True)
        head = CompareHead(locale=first.locale, link_channels=linked_by(first.net, second.net))
        with ExitStack() as stack:
            stack.callback(head.close)
            stages, payload = comparison(
                halves,
                head,
                blobs,
                stack,
                limit=math.inf,
                progress=self._progress,
                told=self._told,
            )
            facts = facts_of(halves, stages, texts)
        self._told = stages
        called: dict[str, Any] = dict(zip(("left", "right"), names, strict=True))
        return Content(
            locale=first.locale,
            path="compare.html",
            name=table("site", first.locale)["compare"].format(**called),
            title=texts["compare_title"].format(**called),
            lead=texts["compare_lead"],
            payload=payload,
            parts=places(shared=True),
            rules=1,
            facts=facts,
            scripts=(),
        )
