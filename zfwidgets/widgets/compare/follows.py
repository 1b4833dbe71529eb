"""What a choice on one side of a comparison's page chooses on the other, as tables.

A table is a `Start` of js/src/page/kernel.ts: which trait is set when another one changes, to which
value for every combination of the traits that it rests on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from zfwidgets.widgets.compare.changed import changed_most
from zfwidgets.widgets.compare.counterpart import counterpart
from zfwidgets.widgets.export.engine import InPage
from zfwidgets.widgets.export.plan import Plan

Ref = list[str]
"""Part and trait."""


class Half:
    """One side of the page: what is recorded, and what the tables need to know of it.

    name: "left" or "right". shared: whether both sides look at one photo. inside: its engine; None:
    all that can be seen is recorded.
    """

    def __init__(
        self, name: str, title: str, plan: Plan, shared: bool, inside: InPage | None = None
    ) -> None:
        self.name, self.title, self.plan, self.shared = name, title, plan, shared
        self.inside = inside
        self.element = "zf-weights"
        """The id of the weights' element in the page; that of the other side for the same ones."""
        photos = plan.photos if inside is None else {}
        self.recordings = {photo: plan.net.record(picture) for photo, picture in photos.items()}
        self.channels: dict[str, tuple[int, ...]] = {}

    def part(self, name: str) -> str:
        """What a part of this side is called in the page; a picker for both has no side."""
        return name if self.shared and name == "picker" else f"{self.name}.{name}"

    def ref(self, part: str, trait: str) -> Ref:
        """A trait of a part of this side."""
        return [self.part(part), trait]

    @property
    def layer(self) -> Ref:
        """The trait in which its layer is chosen."""
        return self.ref("layers", "value")

    @property
    def active(self) -> Ref:
        """The trait in which its channel is chosen."""
        return self.ref("browser", "active")

    def layers(self) -> dict[str, Any]:
        """The layers that are in the page, by name."""
        every = self.plan.net.layers
        names = self.plan.layers if self.inside is None else [*every]
        return {name: every[name] for name in names}

    def begin_with(self, channel: int | None, *, add: bool) -> None:
        """Begin with this channel, or with the first photo's strongest of those that are chosen.

        add: whether its large projection is written, too, if it is not one of them.
        """
        layer = self.plan.layer
        if add and channel is not None:
            self.channels[layer] = tuple(sorted({*self.channels[layer], channel}))
        some = self.channels[layer]
        if channel not in some:
            ranks = self.ranks(next(iter(self.recordings)), layer)
            channel = next((one for one in ranks if one in some), ranks[0])
        self.plan = replace(self.plan, channel=channel)

    def ranks(self, photo: str, layer: str) -> list[int]:
        """Channels of the layer on a photo, the strongest first."""
        value = self.recordings[photo].strongest(layer).value
        order: list[int] = value.argsort(descending=True, stable=True).tolist()
        return order


def follows(halves: tuple[Half, Half]) -> list[dict[str, Any]]:
    """What a choice on one side chooses on the other: layers, channels, the part of the photo.

    Of channels nothing where the page computes: it finds them by itself (page/comparing.ts).
    """
    left, _ = halves
    found: list[dict[str, Any]] = []
    linked = ["compare", "link_layers"]
    for one, other in (halves, halves[::-1]):
        layers = {
            _key(True, name): counterpart(name, one.layers(), other.layers())
            for name in one.layers()
        }
        causes = [one.layer, linked] if one is left else [one.layer]
        found += [_start(other.layer, cause, [linked, one.layer], layers) for cause in causes]
        for trait in ("window", "pointed"):
            there, here = (half.ref("view", trait) for half in (other, one))
            copied = _start(there, here, [["compare", "link_zoom"]], {_key(True): True})
            found.append({**copied, "copies": True})
    for one, other in (halves, halves[::-1]) if left.inside is None else ():
        causes = [one.active]
        if one is left:
            # The right side's channel is found anew when anything changes that it rests on.
            photos = [half.ref("picker", "value") for half in halves]
            causes += [other.layer, ["compare", "link_channels"], *photos]
        for by, values in (_by_number(one, other), _by_rank(one, other)):
            found += [_start(other.active, cause, by, values) for cause in causes]
    if left.inside is None:
        by, values = _changes(halves)
        named: Ref = ["compare", "changed"]
        causes = [ref for n, ref in enumerate(by) if ref not in by[:n]]
        found += [{**_start(named, cause, by, values), "otherwise": []} for cause in causes]
    return found


def begin_changed(halves: tuple[Half, Half], head: Mapping[str, Any]) -> dict[str, Any]:
    """The channels that changed most, as the page begins; nothing where it computes them."""
    if halves[0].inside is not None:
        return {}
    _, values = _changes(halves)
    photos = (next(iter(half.recordings)) for half in halves)
    layers = (half.plan.layer for half in halves)
    found = values.get(_key(head["link_channels"], *photos, *layers), [])
    return {"layer": halves[0].plan.layer, "changed": found}


def _changes(halves: tuple[Half, Half]) -> tuple[list[Ref], dict[str, Any]]:
    left, right = halves
    photos = [half.ref("picker", "value") for half in halves]
    by = [["compare", "link_channels"], *photos, left.layer, right.layer]
    values: dict[str, Any] = {}
    for mine, theirs in product(left.recordings, right.recordings):
        if left.shared and mine != theirs:
            continue
        for here in left.layers():
            there = counterpart(here, left.layers(), right.layers())
            before = left.recordings[mine].strongest(here).value
            after = right.recordings[theirs].strongest(there).value
            values[_key("number", mine, theirs, here, there)] = changed_most(before, after)
    return by, values


def _by_number(one: Half, other: Half) -> tuple[list[Ref], dict[str, Any]]:
    by = [["compare", "link_channels"], one.layer, other.layer, one.active]
    values = {
        _key("number", here, there, channel): channel
        for here, there in _pairs(one, other)
        for channel in range(min(_count(one, here), _count(other, there)))
    }
    return by, values


def _by_rank(one: Half, other: Half) -> tuple[list[Ref], dict[str, Any]]:
    photos = [half.ref("picker", "value") for half in (one, other)]
    by = [["compare", "link_channels"], *photos, one.layer, other.layer, one.active]
    values: dict[str, Any] = {}
    for mine, theirs in product(one.recordings, other.recordings):
        if one.shared and mine != theirs:
            continue
        for here, there in _pairs(one, other):
            partners = zip(one.ranks(mine, here), other.ranks(theirs, there), strict=False)
            for channel, partner in partners:
                values[_key("rank", mine, theirs, here, there, channel)] = partner
    return by, values


def _pairs(one: Half, other: Half) -> list[tuple[str, str]]:
    """Layers of the two sides, of which one is the other's counterpart."""
    mine, theirs = one.layers(), other.layers()
    there = {name: counterpart(name, mine, theirs) for name in mine}
    back = {name: counterpart(name, theirs, mine) for name in theirs}
    return [(a, b) for a, b in product(mine, theirs) if there[a] == b or back[b] == a]


def _count(half: Half, layer: str) -> int:
    return int(half.plan.net.layers[layer].channels)


def _start(what: Ref, when: Ref, by: list[Ref], values: Mapping[str, Any]) -> dict[str, Any]:
    """`Start` of kernel.ts."""
    return {"set": what, "when": ".".join(when), "by": by, "values": dict(values)}


def _key(*values: Any) -> str:
    """The values as JavaScript's JSON.stringify writes them."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)
