"""What goes into a page without a kernel: photos, layers, channels and rules, all checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from PIL import Image

from zfwidgets.analysis.shipped import ships
from zfwidgets.deconv.method import RuleName
from zfwidgets.images import Photo, decode, gallery, samples
from zfwidgets.widgets.core.layers import default_layer, describe
from zfwidgets.widgets.core.nets import as_net
from zfwidgets.widgets.core.neuron import RULES
from zfwidgets.widgets.core.spoken import sample_name
from zfwidgets.widgets.core.strings import default_locale
from zfwidgets.widgets.exemplar_strip.source import Source

MODES = ("feature map", "projection", "photo patch", "filter", "synthesised")
"""What the tiles of the page can show, in layers that have it."""

CHANNELS = 48
"""Channels of a layer whose large projections are written unless others are asked for."""

Channels = int | str | Mapping[str, Iterable[int]]

Taken = tuple[Image.Image, Photo | None]
"""A picture, and the photograph that it is of if that ships."""


@runtime_checkable
class Explorer(Protocol):
    """What a page can begin with as it stands: an `Inspector`."""

    net: Any
    layer: Any
    rule: Any
    locale: Any
    browser: Any
    picker: Any


@dataclass(frozen=True)
class Plan:
    """What was asked for, checked. layer, mode and rule are those with which the page begins.

    credits: of those photos that ship, what must be said about them; the page carries it along.
    """

    net: Any
    photos: dict[str, Image.Image]
    credits: dict[str, Photo]
    layers: tuple[str, ...]
    rules: tuple[RuleName, ...]
    locale: str
    layer: str
    mode: str
    rule: RuleName
    channel: int | None = None
    """With which the page begins; None: the one that answers most."""
    place: tuple[int, int] | None = None
    """Of the channel's neuron, row and column; only an engine shows another than the strongest."""
    exemplars: Source | None = None
    """The scan whose strongest pictures are shown; None: none is known of the network."""
    looks: Mapping[str, Any] = field(default_factory=dict)
    """Of the view: contrast, colours and opacity, where others than its own were set."""


def plan_for(
    source: Any,
    layers: Any,
    photos: Any,
    rules: Any,
    locale: str | None,
    *,
    every_sample: bool = False,
) -> Plan:
    """The plan for a page of `source`; the arguments are those of `to_html`.

    every_sample: whether the sample photographs come along where no photos are asked for.

    Raises:
        TypeError, KeyError, ValueError, ImageError: what there is not, named.
    """
    shown = source if isinstance(source, Explorer) else None
    try:
        net = as_net(source if shown is None else shown.net, tensors=True)
    except TypeError as error:
        raise TypeError(
            f"to_html() got {source!r:.60}; expected an Inspector that is not closed, a DeconvNet, "
            "a torch.nn.Module or the name of a network"
        ) from error
    begin = shown.layer if shown is not None else ""
    ordered = _layers(net, layers, begin)
    first = default_layer([describe(net.layers[name]) for name in ordered])
    named = _rules(rules, "deconvnet" if shown is None else shown.rule)
    mode = "projection" if shown is None else shown.browser.mode
    taken = _photos(shown, photos)
    if every_sample and photos is None:
        taken |= _samples(shown)
    layer = begin if begin in ordered else first
    stays = shown is not None and layer == shown.layer
    return Plan(
        net=net,
        photos={name: image for name, (image, _) in taken.items()},
        credits={name: photo for name, (_, photo) in taken.items() if photo is not None},
        layers=ordered,
        rules=named,
        locale=locale or (default_locale() if shown is None else shown.locale),
        layer=layer,
        mode=mode if mode in MODES else "projection",
        rule=shown.rule if shown is not None and shown.rule in named else named[0],
        channel=getattr(shown, "channel", None) if stays else None,
        place=getattr(getattr(shown, "view", None), "place", None) if stays else None,
        exemplars=_exemplars(net, shown),
        looks=_looks(getattr(shown, "view", None)),
    )


def _looks(view: Any) -> dict[str, Any]:
    if view is None:
        return {}
    names = ("contrast", "colours", "opacity", *(["full"] if view.contrast == "fixed" else []))
    return {name: getattr(view, name) for name in names}


def _exemplars(net: Any, shown: Explorer | None) -> Source | None:
    """Of the Inspector's own scan, or of the one that ships if it is of this network."""
    strip = getattr(shown, "strip", None)
    if strip is not None and strip.source is not None:
        own: Source = strip.source
        return own
    if not ships(net.name):
        return None
    try:
        return Source.shipped(net)
    except ValueError:
        return None


def _layers(net: Any, layers: Any, begin: str) -> tuple[str, ...]:
    """Names in the order of the forward pass, whatever order they were given in."""
    if layers is None:
        wanted = {layer.name for layer in net.layers.values() if layer.kind == "conv"} | {begin}
    else:
        wanted = {net.layers[name].name for name in layers}
    found = tuple(name for name in net.layers if name in wanted)
    if not found:
        raise ValueError("to_html() got no layers; expected at least one name")
    return found


def _rules(rules: Any, default: RuleName) -> tuple[RuleName, ...]:
    named = tuple(dict.fromkeys([default] if rules is None else rules))
    if not named or set(named) - set(RULES):
        raise ValueError(f"to_html(rules={list(named)}): expected some of {', '.join(RULES)}")
    return named


def _photos(shown: Explorer | None, photos: Any) -> dict[str, Taken]:
    if photos is None:
        if shown is None:
            return {"cat": _opened(samples()["cat"])}
        if shown.picker.image is None or shown.picker.value is None:
            raise ValueError("to_html(): the Inspector shows no photo; choose one, or give photos")
        photos = [shown.picker.value]
    if isinstance(photos, Mapping):
        found = {str(name): _opened(picture) for name, picture in photos.items()}
    else:
        several = isinstance(photos, Iterable) and not isinstance(photos, (str, bytes))
        listed = [*photos] if several else [photos]
        found = dict(_named(shown, photo, number) for number, photo in enumerate(listed, 1))
    if not found:
        raise ValueError("to_html() got no photos; expected at least one")
    return found


def _samples(shown: Explorer | None) -> dict[str, Taken]:
    """The sample photographs, but for the one that the Inspector shows in its own way."""
    chosen = "cat" if shown is None else shown.picker.value
    return {name: _opened(photo) for name, photo in samples().items() if name != chosen}


def _named(shown: Explorer | None, photo: Any, number: int) -> tuple[str, Taken]:
    if isinstance(photo, str):
        if shown is not None and (taken := _of_picker(shown, photo)) is not None:
            return photo, taken
        for known in (samples(), gallery()):
            if photo in known:
                return photo, _opened(known[photo])
    if isinstance(photo, Photo):
        return photo.name, _opened(photo)
    name = Path(photo).name if isinstance(photo, (str, Path)) else f"photo {number}"
    return name, _opened(photo)


def _opened(picture: Any) -> Taken:
    return decode(picture), picture if isinstance(picture, Photo) else None


def _of_picker(shown: Explorer, name: str) -> Taken | None:
    picker = shown.picker
    entry = picker._entries.get(name)  # noqa: SLF001 - our own sibling; its trait would change the view
    if entry is None:
        return None
    # The chosen one as it was cropped.
    return picker.image if name == picker.value else entry.open(), entry.photo


def chosen_channels(
    wanted: Channels, layers: Sequence[str], recordings: Mapping[str, Any]
) -> dict[str, tuple[int, ...]]:
    """Per layer the channels with large projections; for a number, the strongest on any photo.

    Raises:
        ValueError: a channel that there is not, or something else than `to_html` takes.
    """
    chosen = {}
    for name in layers:
        count = next(iter(recordings.values())).layers[name].channels
        if isinstance(wanted, Mapping):
            given = sorted({int(channel) for channel in wanted.get(name, ())})
            if bad := [channel for channel in given if not 0 <= channel < count]:
                raise ValueError(f"channels: {name} has 0 to {count - 1}; got {bad[0]}")
            chosen[name] = tuple(given)
        elif wanted == "all":
            chosen[name] = tuple(range(count))
        elif isinstance(wanted, int) and wanted >= 1:
            chosen[name] = _strongest(wanted, name, recordings)
        else:
            raise ValueError(
                f"channels={wanted!r}: expected a number of at least 1, 'all', or a mapping of "
                "layer -> indices"
            )
    return chosen


def _strongest(number: int, layer: str, recordings: Mapping[str, Any]) -> tuple[int, ...]:
    """So many channels, taking turns among the photos; each photo's strongest is always there."""
    orders = [
        recording.strongest(layer).value.argsort(descending=True, stable=True).tolist()
        for recording in recordings.values()
    ]
    turns = dict.fromkeys(channel for turn in zip(*orders, strict=True) for channel in turn)
    firsts = {order[0] for order in orders}
    return tuple(sorted([*turns][: max(number, len(firsts))]))


def credited(photos: Iterable[str], known: Mapping[str, Photo], locale: str) -> str:
    """The names of the photos; of those that ship what must be said of them."""
    told = {name: f" ({photo.credit}, {photo.source})" for name, photo in known.items()}
    return "; ".join(
        f"{sample_name(name, locale)}{told[name]}" if name in told else name for name in photos
    )
