"""A comparison as one HTML file: two recorded halves, and tables of what goes together.

Either half has the parts that a page of one network has, as ``left.browser`` and so on. What Python
works out when a layer or a channel is chosen stands in the page as tables (`follows.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zfwidgets.widgets.compare.counterpart import counterpart
from zfwidgets.widgets.compare.follows import Half, Ref, follows
from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.export import SavedPage
from zfwidgets.widgets.export.offstage import Blobs, offstage
from zfwidgets.widgets.export.page import MEGABYTE, document, megabytes, with_its_size, write
from zfwidgets.widgets.export.plan import Channels, chosen_channels, credited, plan_for
from zfwidgets.widgets.export.stage import Stage

SIDES = ("left", "right")
_LINKED = ("mode", "rule", "sort", "tile_size")


@dataclass(frozen=True)
class Shown:
    """One side as it stands: an `Explorer` for `plan_for`."""

    net: Any
    layer: str
    rule: str
    locale: str
    browser: Any
    picker: Any


def write_comparison(
    path: str | Path,
    head: Any,
    titles: Iterable[str],
    shown: Iterable[Shown],
    *,
    layers: Iterable[str] | None,
    channels: Channels,
    photos: Any,
    rules: Iterable[str] | None,
    max_mb: float,
    locale: str | None,
    progress: bool,
) -> SavedPage:
    """Write the page; the options are those of `to_html`. head: a `CompareHead` of its own."""
    with ExitStack() as stack:
        stack.callback(head.close)
        halves = _halves([*titles], [*shown], layers, photos, rules, locale)
        left, right = halves
        _choose(halves, channels, head.link_channels)
        blobs, limit = Blobs(), max_mb * MEGABYTE
        stages = []
        for half in halves:
            stage = Stage(half.plan, half.channels, limit, blobs)
            stack.callback(stage.close)
            stage.record(progress)
            stages.append(stage)
            # The page's names of the photos: short, and no two alike.
            half.recordings = dict(zip(stage.photos, half.recordings.values(), strict=True))
        tape = offstage(head)
        texts = table("export", left.plan.locale)
        recorded = [stage.payload(texts) for stage in stages]
        payload = _joined(halves, recorded, head.bundle_name, blobs.plain(tape.state()))
        title = texts["compare_title"].format(left=left.title, right=right.title)

        def made(size: int) -> str:
            facts = _facts(halves, stages, texts, size)
            return document(
                payload,
                parts=_places(left.shared),
                title=title,
                rules=len(left.plan.rules),
                texts=texts,
                facts=facts,
                locale=left.plan.locale,
            )

        page = with_its_size(made, stages[-1].check_size)
    target = Path(path).expanduser()
    write(target, page)
    return SavedPage(
        target,
        len(page),
        ", ".join(half.title for half in halves),
        tuple(dict.fromkeys(photo for stage in stages for photo in stage.photos)),
        tuple(f"{half.name} {layer}" for half in halves for layer in half.plan.layers),
        left.plan.rules,
        {f"{half.name} {layer}": some for half in halves for layer, some in half.channels.items()},
    )


def _halves(
    titles: list[str],
    shown: list[Shown],
    layers: Iterable[str] | None,
    photos: Any,
    rules: Iterable[str] | None,
    locale: str | None,
) -> tuple[Half, Half]:
    shared = shown[0].picker is shown[1].picker
    if photos is not None and not shared:
        raise TypeError(
            "photos: a comparison of two photos has one on each side; expected none beside them"
        )
    first = plan_for(shown[0], layers, photos, rules, locale)
    there = shown[1].net.layers
    names = {counterpart(name, shown[0].net.layers, there) for name in first.layers}
    second = plan_for(shown[1], names | {shown[1].layer}, photos, rules, locale)
    # Of two networks' exemplars there is no telling in one narrow column.
    plans = [replace(plan, exemplars=None) for plan in (first, second)]
    left, right = (Half(*some, shared) for some in zip(SIDES, titles, plans, strict=True))
    return left, right


def _choose(halves: tuple[Half, Half], channels: Channels, linked: str) -> None:
    """Whose large projections are written; where channels go by number, the same of both sides."""
    left, right = halves
    sizes = [{name: layer.channels for name, layer in half.layers().items()} for half in halves]
    if linked == "number" and sizes[0] == sizes[1]:
        both = {f"{half.name} {p}": r for half in halves for p, r in half.recordings.items()}
        left.channels = right.channels = chosen_channels(channels, left.plan.layers, both)
        return
    for half in halves:
        half.channels = chosen_channels(channels, half.plan.layers, half.recordings)


# -------------------------------------------------------------------------------- the page


def _places(shared: bool) -> list[str | list[str]]:
    own = ["head", *([] if shared else ["picker"]), "layers", "browser", "view"]
    columns = [[f"{side}.{part}" for part in own] for side in SIDES]
    return ["compare", *(["picker"] if shared else []), *columns]


def _joined(
    halves: tuple[Half, Half], recorded: list[dict[str, Any]], bundle: str, head: Any
) -> dict[str, Any]:
    """The payload of both: the parts under their new names, and what leads from side to side."""
    sides = [_renamed(half, payload) for half, payload in zip(halves, recorded, strict=True)]
    first, second = sides
    if halves[0].shared:
        second["parts"] = [part for part in second["parts"] if part["name"] != "picker"]
    together = [[half.ref("browser", name) for half in halves] for name in _LINKED]
    return {
        **{name: first[name] for name in ("absent", "kernelless", "blobs")},
        "parts": [
            {"name": "compare", "bundle": bundle, "state": head},
            *first["parts"],
            *second["parts"],
        ],
        "links": [*first["links"], *second["links"], *together],
        "starts": [*first["starts"], *second["starts"], *follows(halves)],
        "scenes": [*first["scenes"], *second["scenes"]],
        "sheets": {**first["sheets"], **second["sheets"]},
    }


def _renamed(half: Half, payload: dict[str, Any]) -> dict[str, Any]:
    """A payload of one network, its parts called after the side."""

    def refs(some: list[Ref]) -> list[Ref]:
        return [half.ref(*one) for one in some]

    def scene(one: dict[str, Any]) -> dict[str, Any]:
        new = {**one, "by": refs(one["by"])}
        if "part" in one:
            new["part"] = half.part(one["part"])
        if "otherwise" in one:
            new["otherwise"] = scene(one["otherwise"])
        return new

    return {
        **payload,
        "parts": [{**part, "name": half.part(part["name"])} for part in payload["parts"]],
        "links": [refs(link) for link in payload["links"]],
        "starts": [
            {
                **start,
                "set": half.ref(*start["set"]),
                "when": ".".join(half.ref(*start["when"].split("."))),
                "by": refs(start["by"]),
            }
            for start in payload["starts"]
        ],
        "scenes": [scene(one) for one in payload["scenes"]],
        "sheets": {half.part(name): sheets for name, sheets in payload["sheets"].items()},
    }


def _facts(
    halves: tuple[Half, Half], stages: list[Stage], texts: Mapping[str, str], size: int
) -> list[tuple[str, str]]:
    from zfwidgets import __version__

    def both(facts: Iterable[str]) -> str:
        return " / ".join(dict.fromkeys(facts))

    plans = [half.plan for half in halves]
    locale = plans[0].locale
    return [
        (texts["fact_net"], both(plan.net.name for plan in plans)),
        (texts["fact_weights"], both(plan.net.weights_hash() for plan in plans)),
        (
            texts["fact_photos"],
            both(credited(stage.photos, stage.credits, locale) for stage in stages),
        ),
        (texts["fact_layers"], both(", ".join(plan.layers) for plan in plans)),
        (texts["fact_channels"], both(stage.channels_in_words(texts) for stage in stages)),
        (texts["fact_rules"], ", ".join(plans[0].rules)),
        (texts["fact_size"], texts["size"].format(megabytes=megabytes(size))),
        (texts["fact_made"], f"zfwidgets {__version__}"),
    ]
