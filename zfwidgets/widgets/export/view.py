"""A page of one widget with the engine behind it, over photos of whoever opens it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zfwidgets.deconv.method import RuleName
from zfwidgets.widgets.channel_browser import ChannelBrowser
from zfwidgets.widgets.core.layers import describe
from zfwidgets.widgets.core.rpc import settle
from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.export import SavedPage
from zfwidgets.widgets.export.engine import InPage, in_page
from zfwidgets.widgets.export.offstage import Blobs, offstage
from zfwidgets.widgets.export.plan import Plan, credited, plan_for
from zfwidgets.widgets.export.single import SinglePage
from zfwidgets.widgets.image_picker import ImagePicker
from zfwidgets.widgets.inspector_head import InspectorHead
from zfwidgets.widgets.layer_selector import LayerSelector
from zfwidgets.widgets.page_engine.facts import TILE

Ref = list[str]
_BY: list[Ref] = [["picker", "value"], ["picker", "crop"]]
_QUALITY = 90
"""Of the pictures that are there until the engine shows its own."""
_TWO_ROWS = 290
"""Height of the channels where they are there to be chosen, CSS pixels."""

Made = Callable[..., Any]
"""The widget for a recording, in a language."""


@dataclass(frozen=True)
class Chosen:
    """The channel that the page begins with, where others can be chosen; None: the strongest.

    by: traits of the page's widget that it rests on beside photo, layer, channel and rule; they
    belong to one photo and layer, and are empty lists for others.
    """

    layer: str
    channel: int | None
    rule: RuleName
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class View(SinglePage):
    """names: of the photos, as the page has them."""

    names: tuple[str, ...]


def write_view(
    path: str | Path,
    part: str,
    made: Made,
    net: Any,
    *,
    photos: Any = None,
    album: bool = True,
    chosen: Chosen | None = None,
    max_mb: float = 40.0,
    locale: str | None = None,
) -> SavedPage:
    """Write the page. part: the widget's name in js/src/page/live.ts, and of its texts.

    made: the widget for a recording of the first photo, in the page's language; it is closed.
    photos: as `to_html` takes them; default: the sample photographs. album: whether they are in
    the page, to choose from; a camera needs none. chosen: as `view_of` takes it.

    Raises:
        PageTooLarge, UnsupportedInPage, ImageError: as `to_html`.
    """
    plan = plan_for(net, None, photos, None, locale, every_sample=album)
    plan, inside = in_page(plan, layers=False)
    blobs = Blobs()
    view = view_of(plan, inside, part, made, blobs, album=album, chosen=chosen)
    target, size = view.write(
        path,
        blobs,
        max_mb=max_mb,
        leave_out="Leave photos out",
        locale=plan.locale,
        weights=inside.weights,
    )
    layers, rules = tuple(net.layers), plan.rules
    return SavedPage(target, size, net.name, view.names, layers, rules, {}, engine=True)


def view_of(
    plan: Plan,
    inside: InPage,
    part: str,
    made: Made,
    blobs: Blobs,
    *,
    album: bool,
    chosen: Chosen | None = None,
) -> View:
    """What the page is made of; its pictures go to `blobs`.

    chosen: of a widget that shows one channel; the page has the layers and channels to choose from.
    """
    from zfwidgets import __version__

    net = plan.net
    say: dict[str, Any] = {"locale": plan.locale}
    texts = table("export", plan.locale)
    head = InspectorHead(name=net.name, status="busy" if album else "ready", **say)
    picker = ImagePicker({}, rows=1, gallery=False, transforms=net.transforms, **say)
    for name, photo in plan.photos.items() if album else ():
        picker.add(photo, name, plan.credits.get(name, ""), choose=False)
    names = [item["id"] for item in picker.items]
    recording = net.record(next(iter(plan.photos.values())))
    parts: dict[str, Any] = {"head": head, "picker": picker}
    if chosen is not None:
        if chosen.channel is None:
            best = int(recording.strongest(chosen.layer).value.argmax())
            chosen = replace(chosen, channel=best)
        parts |= _choosers(net, chosen, say)
        say = say | {"layer": chosen.layer, "channel": chosen.channel, "rule": chosen.rule}
    parts[part] = made(recording, **say)
    if not album:
        parts.pop("picker").close()
    tapes = {name: offstage(widget) for name, widget in parts.items()}
    try:
        settle()
        if error := parts[part].error:
            raise RuntimeError(f"{error.get('title')}: {error.get('message')}")
        inside = replace(inside, files=dict(zip(names, inside.files.values(), strict=False)))
        begin: dict[str, dict[str, Any]] = {"picker": {"value": names[0]}} if album else {}
        # Nothing is recorded: the engine shows the first photo anew, when it is there.
        asked = {"head": _BY, part: _BY} if album else {}
        follows: dict[str, Any] = {"links": [], "starts": []}
        if chosen is not None:
            begin |= _begins(part, chosen)
            asked |= _asks(part, chosen)
            follows = _follows(part, chosen)
        kernelless = {key: texts[f"kernelless_{key}"] for key in ("title", "message", "hint")}
        payload = {
            "absent": kernelless,
            "kernelless": kernelless,
            "parts": [
                {
                    "name": name,
                    "bundle": widget.bundle_name,
                    "state": blobs.plain(tapes[name].state() | begin.get(name, {}), _QUALITY),
                }
                for name, widget in parts.items()
            ],
            **follows,
            "scenes": [{"part": name, "by": by, "states": {}} for name, by in asked.items()],
            "sheets": {},
            "engine": inside.payload(recording, blobs, TILE, plan.locale),
        }
    finally:
        for widget in parts.values():
            widget.close()
    credit = credited(plan.photos, plan.credits, plan.locale)
    return View(
        payload=payload,
        parts=tuple(parts),
        names=tuple(names),
        title=texts[f"{part}_title"].format(net=net.name),
        lead=texts[f"{part}_lead"],
        facts=[
            (texts["fact_net"], net.name),
            (texts["fact_weights"], net.weights_hash()),
            *(((texts["fact_photos"], credit),) if album else ()),
            (texts["fact_made"], f"zfwidgets {__version__}"),
        ],
    )


def _choosers(net: Any, chosen: Chosen, say: dict[str, Any]) -> dict[str, Any]:
    described = [describe(layer) for layer in net.layers.values()]
    looks: dict[str, Any] = {"mode": "projection", "sort": "strength"}
    return {
        "layers": LayerSelector(layers=described, value=chosen.layer, **say),
        "browser": ChannelBrowser(
            layer=chosen.layer, rule=chosen.rule, height=_TWO_ROWS, **looks, **say
        ),
    }


def _begins(part: str, chosen: Chosen) -> dict[str, dict[str, Any]]:
    browser: dict[str, Any] = {"active": chosen.channel, "_page": {}}
    browser |= {"without": None, "_without": {}}  # as in the Inspector's page
    neuron = {"layer": chosen.layer, "channel": chosen.channel, "rule": chosen.rule}
    return {"browser": browser, part: neuron}


def _asks(part: str, chosen: Chosen) -> dict[str, list[Ref]]:
    """What is shown anew when one of these traits changes."""
    tiles = [["browser", name] for name in ("layer", "mode", "rule")]
    own = [[part, name] for name in ("layer", "channel", "rule", *chosen.by)]
    return {"browser": [*_BY, *tiles], part: [*_BY, *own]}


def _follows(part: str, chosen: Chosen) -> dict[str, Any]:
    """What goes together, and what another layer or photo leaves nothing of."""
    links = [
        [["layers", "value"], ["browser", "layer"], [part, "layer"]],
        [["browser", "active"], [part, "channel"]],
        [["browser", "rule"], [part, "rule"]],
    ]
    ends: list[tuple[str, Ref, Any]] = [
        ("layers.value", ["browser", "selected"], []),
        ("layers.value", ["browser", "active"], None),
        *(
            (when, [part, name], [])
            for name in chosen.by
            for when in ("layers.value", "picker.value")
        ),
    ]
    starts = [
        {"set": ref, "when": when, "by": [], "values": {}, "otherwise": nothing}
        for when, ref, nothing in ends
    ]
    return {"links": links, "starts": starts}
