"""The widgets of a page without a kernel, taken through all that is to be seen and written down.

A scene is what one part shows for one combination of the traits it depends on. What comes out is
the payload of js/src/page/kernel.ts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zfwidgets.analysis.arguments import check_finite
from zfwidgets.deconv.method import RuleName
from zfwidgets.widgets.channel_browser import ChannelBrowser
from zfwidgets.widgets.channel_browser.tiles import MODES as browser_modes  # noqa: N811
from zfwidgets.widgets.core.address import write
from zfwidgets.widgets.core.layers import describe
from zfwidgets.widgets.core.rpc import settle
from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.exemplar_strip import ExemplarStrip
from zfwidgets.widgets.export.engine import InPage
from zfwidgets.widgets.export.offstage import Blobs, offstage
from zfwidgets.widgets.export.page import megabytes
from zfwidgets.widgets.export.plan import MODES, Channels, Plan, chosen_channels
from zfwidgets.widgets.image_picker import ImagePicker
from zfwidgets.widgets.inspector_head import InspectorHead, top_classes
from zfwidgets.widgets.layer_selector import LayerSelector
from zfwidgets.widgets.projection_view import ProjectionView

_TILE = 96
"""Longer side of the tiles in the file, pixels."""
_AT_ONCE = 64
_LOSSY = 48
"""Tiles with a longer side than this are compressed with loss: they get by with an eighth of the
bytes. Not feature maps: they are numbers, and small."""
_QUALITY = {"projection": 88, "photo patch": 75, "synthesised": 75}

_EXEMPLAR, _EXEMPLAR_QUALITY = 96, 75
"""Longer side of exemplars in pixels, and their quality: they are seen small."""
_EXEMPLARS = 12
"""Channels a layer that have them; each takes nine photographs' way through the network."""
_ROOM = 0.9
"""Share of the page's bytes that may be taken before exemplars are left out."""

_VIEWED = ("layer", "channel", "rule", "place", "all_rules", "contrast", "colours")
"""What a view's pictures depend on, besides the photo."""

Ref = list[str]
_PHOTO: Ref = ["picker", "value"]
_CROP: Ref = ["picker", "crop"]
_LAYER: Ref = ["browser", "layer"]
_MODE: Ref = ["browser", "mode"]
_RULE: Ref = ["browser", "rule"]

_COMPUTED = {
    "head": {"classes", "status"},
    "layers": set[str](),
    "browser": {"_page", "_photo", "epoch", "status"},
    "view": {"_photo", "_shown", "full", "status"},
    "strip": set[str](),
}
"""Traits that an engine in the page sets: what was recorded must set them all again."""


class PageTooLarge(ValueError):  # noqa: N818 - reads as what is the matter
    """The page would be larger than was allowed; the message says what to leave out."""


@dataclass
class _Scenes:
    """What a part shows, by the traits it depends on; `Scene` of kernel.ts."""

    part: str
    by: list[Ref]
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, state: dict[str, Any], *values: Any) -> None:
        """`state` of the part when `by` had these `values`."""
        self.taken[_key(*values)] = state

    def payload(self, traits: set[str]) -> dict[str, Any]:
        """The states with these traits, and without an error that a refusal left."""
        kept = {
            key: {"error": {}, **{name: state[name] for name in sorted(traits)}}
            for key, state in self.taken.items()
        }
        return {"part": self.part, "by": self.by, "states": kept}


def _differing(*scenes: _Scenes) -> set[str]:
    """The traits of a part that are not the same in all its states, but for those it is set by."""
    states = [state for some in scenes for state in some.taken.values()]
    names = {name for state in states for name in state if state[name] != states[0][name]}
    return names - {trait for some in scenes for part, trait in some.by if part == some.part}


class Stage:
    """The widgets of one page.

    Parameters:
        plan: what is to be seen. channels: as `to_html` takes them. limit: bytes of the page.
        blobs: where the pictures go; given, if other stages' do so too.
        inside: the engine, if the page has one: then only the first photo is recorded, in one mode.
        told: the same page's stage in another language: its tiles are these, too.
        strip: whether a page with an engine has the photos that excite a channel most.
    """

    def __init__(
        self,
        plan: Plan,
        channels: Channels,
        limit: float,
        blobs: Blobs | None = None,
        *,
        inside: InPage | None = None,
        told: Stage | None = None,
        strip: bool = True,
    ) -> None:
        self.plan, self.limit, self._wanted, self.inside = plan, limit, channels, inside
        self._known = {} if told is None else told._sheets  # noqa: SLF001 - our own kind
        # A photo that a person crops was not recorded.
        self._photo_by = [_PHOTO] if inside is None else [_PHOTO, _CROP]
        self._first: Any = None
        self.channels: dict[str, tuple[int, ...]] = {}
        self.blobs = Blobs() if blobs is None else blobs
        self._sizes: dict[str, int] = {}
        self._sheets: dict[int, list[dict[str, Any]]] = {}
        self._best: dict[str, int] = {}
        say: dict[str, Any] = {"locale": plan.locale}
        net, layer, rule = plan.net, plan.layer, plan.rule
        self.shown_layers = plan.layers if inside is None else tuple(net.layers)
        described = [describe(net.layers[name]) for name in self.shown_layers]
        self.head = InspectorHead(name=net.name, status="ready", **say)
        crops = {} if inside is None else {"transforms": net.transforms}
        self.picker = ImagePicker({}, rows=1, gallery=False, **crops, **say)
        for name, photo in plan.photos.items():
            self.picker.add(photo, name, plan.credits.get(name, ""), choose=False)
        # The picker may have changed names, so that they are short and no two are the same.
        names = [item["id"] for item in self.picker.items]
        self.photos = dict(zip(names, plan.photos.values(), strict=True))
        self.credits = {
            name: plan.credits[given]
            for name, given in zip(names, plan.photos, strict=True)
            if given in plan.credits
        }
        self.layers = LayerSelector(layers=described, value=layer, **say)
        self.browser = ChannelBrowser(
            layer=layer, mode=plan.mode, rule=rule, sort="strength", inset=False, **say
        )
        self.view = ProjectionView(layer=layer, rule=rule, **plan.looks, **say)
        self.parts: dict[str, Any] = {
            "head": self.head,
            "picker": self.picker,
            "layers": self.layers,
            "browser": self.browser,
            "view": self.view,
        }
        self.strip: ExemplarStrip | None = None
        if plan.exemplars is not None:
            self.strip = self.parts["strip"] = ExemplarStrip(
                net,
                plan.exemplars,
                px=_EXEMPLAR,
                quality=_EXEMPLAR_QUALITY,
                layer=layer,
                rule=rule,
                four=True,
                in_sight=True,
                clickable=False,
                **say,
            )
        elif inside is not None and strip:
            # The page looks through the photos that it has; nothing is recorded of that.
            self.parts["strip"] = ExemplarStrip(net, layer=layer, rule=rule, four=True, **say)
        self.exemplars = self.exemplar_bytes = 0
        self._tapes = {name: offstage(part) for name, part in self.parts.items()}
        self._scenes = {
            "head": _Scenes("head", self._photo_by),
            "layers": _Scenes("layers", self._photo_by),
            "browser": _Scenes("browser", [*self._photo_by, _LAYER, _MODE, _RULE]),
            "view": _Scenes("view", [*self._photo_by, *(["view", name] for name in _VIEWED)]),
        }
        self._unseen = _Scenes("view", self._photo_by)
        if "strip" in self.parts:
            refs = [["strip", name] for name in ("layer", "channel", "rule")]
            # What stands beside the exemplars is of the photo, too.
            beside = _Scenes("strip", [*self._photo_by, *refs])
            if inside is None:
                self._scenes |= {"strip": _Scenes("strip", refs), "answers": beside}
            else:
                self._scenes["strip"] = beside

    def close(self) -> None:
        """Close the widgets; what was recorded stays."""
        for part in self.parts.values():
            part.close()

    # ---------------------------------------------------------------------------------- recording

    def record(self, progress: bool) -> None:
        """Take the widgets through all photos, layers, rules and channels.

        Raises:
            PageTooLarge: as soon as it is clear that the page will be.
            ValueError: the network has NaN or infinite values.
            RuntimeError: a widget reports an error.
        """
        from tqdm.auto import tqdm

        plan = self.plan
        if self.inside is not None:
            self.check_size(len(self.inside.weights))
        recorded = list(self.photos.items())[: None if self.inside is None else 1]
        recordings = {name: plan.net.record(photo) for name, photo in recorded}
        self._first = next(iter(recordings.values()))
        for name, recording in recordings.items():
            for layer in plan.layers:
                check_finite(recording.feature_maps(layer), layer, f"photo {name!r}")
        self.channels = chosen_channels(self._wanted, plan.layers, recordings)
        if plan.channel is not None and isinstance(self._wanted, int):
            begun = {*self.channels[plan.layer], plan.channel}
            self.channels[plan.layer] = tuple(sorted(begun))
        steps = len(plan.rules) * sum(
            len(self._modes(layer)) + len(some) for layer, some in self.channels.items()
        )
        before = self.blobs.size
        with tqdm(total=steps * len(recordings), desc="zfwidgets", disable=not progress) as bar:
            for done, (name, recording) in enumerate(recordings.items(), 1):
                for _ in self._photo(name, recording):
                    bar.update()
                    self.check_size(self.blobs.so_far)
                # Photos cost much the same: after the first it is known what all will.
                mine = self.blobs.size - before
                self.check_size(before + mine * len(recordings) / done)
        if self.strip is not None:
            self._exemplars(self.strip, recordings)

    def _photo(self, photo: str, recording: Any) -> Iterator[None]:
        self.picker.value = photo
        self.head.classes = top_classes(recording)
        self.layers.input_size = [int(side) for side in recording.inputs.shape[2:]]
        for part in ("head", "layers"):
            self._scenes[part].take(self._state(part), *self._whole(photo))
        self.view.channel, self.view.recording = None, recording
        settle()
        self._unseen.take(self._state("view"), *self._whole(photo))
        self.browser.recording = recording
        for layer in self.plan.layers:
            before = self.blobs.size
            best = _strongest(recording, layer, self.channels[layer] if not self.inside else ())
            self._best[_key(*self._whole(photo), layer)] = best
            for rule in self.plan.rules:
                yield from self._tiles(photo, layer, rule)
                yield from self._projections(photo, layer, rule)
            self._sizes[layer] = self._sizes.get(layer, 0) + self.blobs.size - before

    def _tiles(self, photo: str, layer: str, rule: RuleName) -> Iterator[None]:
        browser = self.browser
        # Not from one layer's filters to another layer, which may have none.
        browser.mode, browser.layer, browser.rule = MODES[0], layer, rule
        for mode in self._modes(layer):
            browser.mode = mode
            settle()
            self._check("browser")
            page = browser._page  # noqa: SLF001 - its questions are asked by this epoch
            ids = list(range(page["count"]))
            sheets = self._known.get(page["epoch"]) or [
                self._sheet(head, buffers[0], _QUALITY.get(mode))
                for some in (ids[i : i + _AT_ONCE] for i in range(0, len(ids), _AT_ONCE))
                for head, buffers in self._tapes["browser"].ask(
                    "tiles", epoch=page["epoch"], ids=some, px=_TILE
                )
            ]
            self._sheets[page["epoch"]] = sheets
            # No finer tiles than these; and its own first ones would be there twice.
            native = sheets[0]["head"]["tile"]
            page = {**page, "sheet": None, "picture": None, "native": native}
            if self.inside is not None:
                page["synthesised"] = False  # an engine has no pictures of that kind
            self._scenes["browser"].take(
                self._state("browser", _page=page), *self._whole(photo), layer, mode, rule
            )
            yield

    def _sheet(self, head: dict[str, Any], picture: Any, quality: int | None) -> dict[str, Any]:
        lossy = quality if max(head["tile"]) > _LOSSY else None
        return {"head": head, "blobs": [self.blobs.number(picture, lossy)]}

    def _modes(self, layer: str) -> list[str]:
        net, found = self.plan.net, self.plan.net.layers[layer]
        wanted = MODES if self.inside is None else (self.plan.mode,)
        return [mode for mode in wanted if browser_modes[mode].suits(net, found)]

    def _whole(self, photo: str) -> list[str | None]:
        """The values of `_photo_by` when a photo is chosen and not cropped."""
        return [photo, *([None] * (len(self._photo_by) - 1))]

    def _projections(self, photo: str, layer: str, rule: RuleName) -> Iterator[None]:
        view = self.view
        # Nothing between one layer's channel and another's.
        view.channel, view.layer, view.rule = None, layer, rule
        for view.channel in self.channels[layer]:
            settle()
            settings = (getattr(view, name) for name in _VIEWED)
            self._scenes["view"].take(self._state("view"), *self._whole(photo), *settings)
            yield

    def _exemplars(self, strip: ExemplarStrip, recordings: Mapping[str, Any]) -> None:
        """The strips of the strongest of the channels with large projections, while there is room.

        Those that a layer begins with are always there; a channel that has none says so.
        """
        plan, before = self.plan, self.blobs.size
        recording = next(iter(recordings.values()))
        scenes, found = self._scenes["strip"], plan.exemplars.found if plan.exemplars else {}
        strongest = {
            name: recording.strongest(name).value.argsort(descending=True, stable=True).tolist()
            for name in plan.layers
            if name in found
        }
        first = [(name, some[0]) for name, some in strongest.items()]
        large = [
            (name, channel)
            for name, some in strongest.items()
            for channel in [one for one in some if one in self.channels[name]][:_EXEMPLARS]
        ]
        strip.channel = None
        for name, channel in dict.fromkeys([*first, *large]):
            if (name, channel) not in first and self.blobs.size > _ROOM * self.limit:
                break
            for rule in plan.rules:
                strip.layer, strip.rule, strip.channel = name, rule, channel
                settle()
                scenes.take(self._state("strip", _answers={}), name, channel, rule)
                self._answers(strip, recordings)
                strip.channel = None
            self.exemplars += 1
        self.exemplar_bytes = self.blobs.size - before
        unanswered = {"_answers": {"why": "left_out"}}
        absent = {"_shown": {}, "_answers": {}, "_lacking": strip.say("left_out")}
        state = self._state("strip", **absent, status="empty")
        for name in plan.layers:
            for channel in (None, *range(plan.net.layers[name].channels)):
                for rule in plan.rules:
                    scenes.taken.setdefault(_key(name, channel, rule), state)
                    for photo in recordings:
                        key = _key(*self._whole(photo), name, channel, rule)
                        self._scenes["answers"].taken.setdefault(key, unanswered)

    def _answers(self, strip: ExemplarStrip, recordings: Mapping[str, Any]) -> None:
        """What stands beside the exemplars of the channel that is shown, for every photo."""
        for photo, recording in recordings.items():
            strip.recording = recording
            settle()
            self._check("strip")
            answers = strip._answers  # noqa: SLF001 - a synced trait
            cells = dict(answers["cells"])
            if cells["synthesised"].get("offer"):
                cells["synthesised"] = {"why": "left_out"}  # nobody would make it there
            state = {"_answers": self.blobs.plain({**answers, "cells": cells})}
            where = (strip.layer, strip.channel, strip.rule)
            self._scenes["answers"].take(state, *self._whole(photo), *where)
        strip.recording = None

    def _state(self, part: str, **instead: Any) -> dict[str, Any]:
        """The part's traits, some of them replaced, with their bytes by number."""
        self._check(part)
        state: dict[str, Any] = self.blobs.plain(self._tapes[part].state() | instead)
        return state

    def _check(self, part: str) -> None:
        if error := self.parts[part].error:
            raise RuntimeError(f"{error.get('title')}: {error.get('message')}")

    # --------------------------------------------------------------------------------------- size

    def check_size(self, size: float) -> None:
        """Raise `PageTooLarge` if a page of `size` bytes is too large."""
        if size <= self.limit:
            return
        plan = self.plan
        most = max(len(some) for some in self.channels.values())
        each = ", ".join(f"{name} {megabytes(size)}" for name, size in self._sizes.items())
        raise PageTooLarge(
            f"the page would have {megabytes(size)} MB or more; max_mb allows "
            f"{megabytes(self.limit)}. It was to have {len(self.photos)} photo(s), "
            f"{len(plan.layers)} layer(s), {len(plan.rules)} rule(s) and large projections of up "
            f"to {most} channels a layer{f' (MB so far: {each})' if each else ''}. Leave something "
            f"out: channels={max(1, most // 3)}, fewer photos, fewer layers, one rule; or raise "
            "max_mb."
        )

    # ------------------------------------------------------------------------------------- payload

    def channels_in_words(self, texts: Mapping[str, str]) -> str:
        """Of which channels there are large projections."""
        if self.inside is not None:
            return texts["channels_engine"]
        layers = self.plan.net.layers
        large = sum(len(some) for some in self.channels.values())
        every = large == sum(layers[name].channels for name in self.channels)
        return texts["channels_all" if every else "channels_some"].format(count=large)

    def payload(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """`Payload` of kernel.ts, without bundles and the pictures, which are in `blobs`."""
        plan = self.plan
        rules, channels = ", ".join(plan.rules), self.channels_in_words(texts)
        errors = {
            name: {key: texts[f"{name}_{key}"] for key in ("title", "message", "hint")}
            for name in ("absent", "kernelless")
        }
        errors["absent"]["message"] = texts["absent_message"].format(rules=rules, channels=channels)
        chosen: Ref = ["layers", "value"]
        inside = self._engine()
        return {
            **errors,
            **inside,
            "address": {
                "net": plan.net.name,
                "begin": self._begin(),
                "texts": {k: v for k, v in texts.items() if k.startswith(("address_", "link"))},
            },
            "parts": self._parts(),
            "links": [
                [chosen, _LAYER, *self._of("layer")],
                [["browser", "active"], *self._of("channel")],
                [_RULE, *self._of("rule")],
            ],
            "starts": self._starts(chosen),
            "scenes": self._recorded(),
            "sheets": {"browser": {str(epoch): found for epoch, found in self._sheets.items()}},
        }

    def _recorded(self) -> list[dict[str, Any]]:
        if self.inside is not None:
            return [some.payload(_COMPUTED[name]) for name, some in self._scenes.items()]
        scenes = {
            name: some.payload(_differing(some))
            for name, some in self._scenes.items()
            if name != "view"
        }
        # Both set the same traits: after the one, the other must leave nothing behind.
        both = _differing(self._scenes["view"], self._unseen)
        scenes["view"] = self._scenes["view"].payload(both)
        scenes["view"]["otherwise"] = self._unseen.payload(both)
        return list(scenes.values())

    def _begin(self) -> str:
        """The neuron with which the page begins, as an address; empty: the strongest."""
        plan, channel = self.plan, self._asked
        if channel is None:
            return ""
        place = plan.place if self.inside else None
        return write({"layer": plan.layer, "channel": channel, "at": place})

    @property
    def _asked(self) -> int | None:
        """The channel to begin with, if it was asked for and the page can show it."""
        plan = self.plan
        there = self.inside or plan.channel in self.channels.get(plan.layer, ())
        return plan.channel if there else None

    def _starts(self, chosen: Ref) -> list[dict[str, Any]]:
        """What another layer leaves nothing of; its strongest channel is the one to begin with."""
        by = [*self._photo_by, chosen]
        best = {"set": ["browser", "active"], "when": "layers.value", "by": by}
        if self.inside is None:
            return [{**best, "values": self._best}]
        ends: list[tuple[Ref, Any]] = [(["browser", "selected"], []), (["view", "place"], None)]
        return [
            {"set": ref, "when": "layers.value", "by": [], "values": {}, "otherwise": nothing}
            for ref, nothing in ends
        ] + [{**best, "values": self._best, "otherwise": None}]

    def _engine(self) -> dict[str, Any]:
        if self.inside is None:
            return {}
        # The picker may have given photos other names.
        files = dict(zip(self.photos, self.inside.files.values(), strict=True))
        inside = replace(self.inside, files=files)
        return {"engine": inside.payload(self._first, self.blobs, _TILE, self.plan.locale)}

    def _of(self, trait: str) -> list[Ref]:
        """The same trait of the parts that show one neuron."""
        return [[part, trait] for part in ("view", "strip") if part in self.parts]

    def _parts(self) -> list[dict[str, Any]]:
        plan = self.plan
        photo = next(iter(self.photos))
        channel = self._asked
        if channel is None:
            channel = self._best[_key(*self._whole(photo), plan.layer)]
        shared = {"layer": plan.layer, "rule": plan.rule}
        browser = {**shared, "mode": plan.mode, "active": channel, "_page": {}}
        # None: nobody to ask what the network says without the pinned channels.
        browser |= {"without": None, "_without": {}}
        # There is no kernel to which pictures of the camera could go.
        texts = {"camera_private": table("export", plan.locale)["camera_private"]}
        begin: dict[str, dict[str, Any]] = {
            "picker": {"value": photo, "_strings": table("image-picker", plan.locale) | texts},
            "layers": {"value": plan.layer},
            "browser": browser,
            "view": {**shared, "channel": channel},
            "strip": {**shared, "channel": channel, "_shown": {}, "_answers": {}},
        }
        if self.inside is not None:
            begin["strip"] |= {"_lacking": "", "_offered": 0}  # no scan is missed
        return [
            {
                "name": name,
                "bundle": part.bundle_name,
                "state": self._state(name, **begin.get(name, {})),
            }
            for name, part in self.parts.items()
        ]


def _strongest(recording: Any, layer: str, among: Sequence[int]) -> int:
    """The channel that answers most; if some are given, the one of them."""
    value = recording.strongest(layer).value.tolist()
    return max(among or range(len(value)), key=value.__getitem__)


def _key(*values: Any) -> str:
    """The values as JavaScript's JSON.stringify writes them."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)
