"""A comparison as one HTML file: two halves, and tables of what goes together.

Either half has the parts that a page of one network has, as ``left.browser`` and so on. What Python
works out when a layer or a channel is chosen stands in the page as tables (`follows.py`). With two
engines the page computes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zfwidgets.widgets.compare.counterpart import counterpart
from zfwidgets.widgets.compare.follows import Half, Ref, begin_changed, follows
from zfwidgets.widgets.core.neuron import RULES
from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.export import SavedPage
from zfwidgets.widgets.export.engine import InPage, in_page
from zfwidgets.widgets.export.offstage import Blobs, offstage
from zfwidgets.widgets.export.page import MEGABYTE, document, megabytes, with_its_size, write
from zfwidgets.widgets.export.plan import Channels, Plan, chosen_channels, credited, plan_for
from zfwidgets.widgets.export.stage import Stage

SIDES = ("left", "right")
_LINKED = ("mode", "rule", "sort", "tile_size")
_LOOKS = ("contrast", "colours", "opacity", "all_rules", "frame")


@dataclass(frozen=True)
class Shown:
    """One side as it stands: an `Explorer` for `plan_for`."""

    net: Any
    layer: str
    channel: int | None
    rule: str
    locale: str
    browser: Any
    picker: Any
    view: Any


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
    engine: bool,
    max_mb: float,
    locale: str | None,
    progress: bool,
) -> SavedPage:
    """Write the page; the options are those of `to_html`. head: a `CompareHead` of its own."""
    with ExitStack() as stack:
        stack.callback(head.close)
        halves = _halves([*titles], [*shown], layers, photos, rules, locale, engine)
        left, right = halves
        _choose(halves, channels, head.link_channels)
        texts = table("export", left.plan.locale)
        stages, payload = comparison(
            halves, head, Blobs(), stack, limit=max_mb * MEGABYTE, progress=progress
        )
        payload["blobs"] = stages[-1].blobs.texts
        weights = {half.element: half.inside.weights for half in halves if half.inside}
        title = texts["compare_title"].format(left=left.title, right=right.title)

        def made(size: int) -> str:
            facts = facts_of(halves, stages, texts, size)
            return document(
                payload,
                parts=places(left.shared),
                title=title,
                rules=len(left.plan.rules),
                texts={**texts, "page_lead_engine": texts["compare_lead"]},
                facts=facts,
                locale=left.plan.locale,
                weights=weights,
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
        engine=engine,
    )


def comparison(
    halves: tuple[Half, Half],
    head: Any,
    blobs: Blobs,
    stack: ExitStack,
    *,
    limit: float,
    progress: bool,
    told: Sequence[Stage | None] = (None, None),
) -> tuple[list[Stage], dict[str, Any]]:
    """Both sides recorded, and the payload without the pictures. The `stack` closes the stages.

    told: those of the same page in another language.
    """
    stages = []
    for half, other in zip(halves, told, strict=True):
        wanted = half.channels if half.inside is None else 1
        stage = Stage(half.plan, wanted, limit, blobs, inside=half.inside, told=other, strip=False)
        stack.callback(stage.close)
        stage.record(progress)
        stages.append(stage)
        # The page's names of the photos: short, and no two alike.
        half.recordings = dict(zip(stage.photos, half.recordings.values(), strict=False))
    tape = offstage(head)
    texts = table("export", halves[0].plan.locale)
    recorded = [stage.payload(texts) for stage in stages]
    return stages, _joined(halves, recorded, head.bundle_name, blobs.plain(tape.state()))


def _halves(
    titles: list[str],
    shown: list[Shown],
    layers: Iterable[str] | None,
    photos: Any,
    rules: Iterable[str] | None,
    locale: str | None,
    engine: bool,
) -> tuple[Half, Half]:
    shared = shown[0].picker is shown[1].picker
    if photos is not None and not shared:
        raise TypeError(
            "photos: a comparison of two photos has one on each side; expected none beside them"
        )
    first = plan_for(shown[0], layers, photos, rules, locale, every_sample=engine and shared)
    there = shown[1].net.layers
    names = {counterpart(name, shown[0].net.layers, there) for name in first.layers}
    second = plan_for(
        shown[1],
        names | {shown[1].layer},
        photos,
        rules,
        locale,
        every_sample=engine and shared,
    )
    # Of two networks' exemplars there is no telling in one narrow column.
    plans = [replace(plan, exemplars=None) for plan in (first, second)]
    if engine:
        return computed(titles, [in_page(plan, layers=False) for plan in plans], shared)
    left, right = (Half(*some, shared) for some in zip(SIDES, titles, plans, strict=True))
    return left, right


def computed(
    titles: Sequence[str], inside: Sequence[tuple[Plan, InPage]], shared: bool
) -> tuple[Half, Half]:
    """The halves of a page with an engine for each side, as `in_page` gives both."""
    left, right = (
        Half(name, title, plan, shared, engine)
        for name, title, (plan, engine) in zip(SIDES, titles, inside, strict=True)
    )
    if inside[0][1].weights != inside[1][1].weights:
        right.element += "-right"
    return left, right


def _choose(halves: tuple[Half, Half], channels: Channels, linked: str) -> None:
    """Whose large projections are written; where channels go by number, the same of both sides.

    Those that the page begins with are among them.
    """
    left, right = halves
    if left.inside is not None:
        return  # the page computes them
    _choose_strongest(halves, channels, linked)
    left.begin_with(left.plan.channel, add=isinstance(channels, int))
    right.begin_with(_partner(halves, linked), add=isinstance(channels, int))


def _partner(halves: tuple[Half, Half], linked: str) -> int | None:
    """The right side's channel that goes with the left one's; None: there is none."""
    left, right = halves
    channel = left.plan.channel
    if linked == "free" or channel is None:
        return right.plan.channel
    if linked == "number":
        return channel if channel < right.layers()[right.plan.layer].channels else None
    mine, theirs = (half.ranks(next(iter(half.recordings)), half.plan.layer) for half in halves)
    return dict(zip(mine, theirs, strict=False)).get(channel)


def _choose_strongest(halves: tuple[Half, Half], channels: Channels, linked: str) -> None:
    left, right = halves
    sizes = [{name: layer.channels for name, layer in half.layers().items()} for half in halves]
    if linked == "number" and sizes[0] == sizes[1]:
        both = {f"{half.name} {p}": r for half in halves for p, r in half.recordings.items()}
        left.channels = chosen_channels(channels, left.plan.layers, both)
        right.channels = dict(left.channels)
        return
    for half in halves:
        half.channels = chosen_channels(channels, half.plan.layers, half.recordings)


# -------------------------------------------------------------------------------- the page


def places(shared: bool) -> list[str | list[str]]:
    """The parts, one column a side."""
    own = ["head", *([] if shared else ["picker"]), "layers", "browser", "view"]
    columns = [[f"{side}.{part}" for part in own] for side in SIDES]
    return ["compare", *(["picker"] if shared else []), *columns]


def _joined(
    halves: tuple[Half, Half], recorded: list[dict[str, Any]], bundle: str, head: Any
) -> dict[str, Any]:
    """The payload of both: the parts under their new names, and what leads from side to side."""
    sides = [_renamed(half, payload) for half, payload in zip(halves, recorded, strict=True)]
    first, second = sides
    begun = {part["name"]: part["state"] for part in first["parts"]}
    head = {**head, "channel": begun["left.browser"]["active"], **begin_changed(halves, head)}
    if halves[0].shared:
        second["parts"] = [part for part in second["parts"] if part["name"] != "picker"]
    together = [[half.ref("browser", name) for half in halves] for name in _LINKED]
    computes = _engines(halves, recorded)
    together.append([halves[0].active, ["compare", "channel"]])
    if computes:
        together += [[half.ref("view", name) for half in halves] for name in _LOOKS]
    else:
        together.append([halves[0].layer, ["compare", "layer"]])
    return {
        **computes,
        **{name: first[name] for name in ("absent", "kernelless")},
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


def _engines(halves: tuple[Half, Half], recorded: list[dict[str, Any]]) -> dict[str, Any]:
    """What computes each side; nothing where all is recorded. Photos of both are the left one's."""
    if halves[0].inside is None:
        return {}
    left, right = (
        {**one["engine"], "element": half.element}
        for half, one in zip(halves, recorded, strict=True)
    )
    if halves[0].shared:
        right["photos"] = {}
    return {"engines": {"left": left, "right": right}}


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


def facts_of(
    halves: tuple[Half, Half],
    stages: list[Stage],
    texts: Mapping[str, str],
    size: int | None = None,
) -> list[tuple[str, str]]:
    """What the page says of itself. size: in bytes, if it has one."""
    from zfwidgets import __version__

    def both(facts: Iterable[str]) -> str:
        return " / ".join(dict.fromkeys(facts))

    plans = [half.plan for half in halves]
    locale = plans[0].locale
    sized = [] if size is None else [texts["size"].format(megabytes=megabytes(size))]
    return [
        (texts["fact_net"], both(plan.net.name for plan in plans)),
        (texts["fact_weights"], both(plan.net.weights_hash() for plan in plans)),
        (
            texts["fact_photos"],
            both(credited(stage.photos, stage.credits, locale) for stage in stages),
        ),
        (texts["fact_layers"], both(", ".join(stage.shown_layers) for stage in stages)),
        (texts["fact_channels"], both(stage.channels_in_words(texts) for stage in stages)),
        (texts["fact_rules"], ", ".join(RULES if halves[0].inside else plans[0].rules)),
        *((texts["fact_size"], told) for told in sized),
        (texts["fact_made"], f"zfwidgets {__version__}"),
    ]
