"""Contact sheets for print, in the style of the paper's Fig. 2: `figure`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zfwidgets.analysis.plot.block import Block
from zfwidgets.analysis.strongest import Exemplars
from zfwidgets.deconv import DeconvNet, Projections, Recording
from zfwidgets.deconv.method import RuleName
from zfwidgets.deconv.origin import Origin
from zfwidgets.images.contrast import MID_GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Channels = int | str | Iterable[int]

BEST = 9
"""Pictures of a channel, three by three as the paper prints them."""

CHANNELS = 12
"""Channels that are printed unless others are asked for."""


def figure(
    source: Recording | Exemplars,
    layer: str | None = None,
    channels: Channels | None = None,
    *,
    path: str | Path | None = None,
    width: str | float = "page",
    image: int | None = None,
    net: DeconvNet | None = None,
    images: Any = None,
    rule: RuleName = "deconvnet",
    dpi: int = 300,
) -> Figure:
    """Projections beside the patches of the photo that they come from, fit for print.

    From a `Recording` of one photo: each channel's strongest neuron; with channels="all", the whole
    layer without patches. From a `Recording` of several photos, or from `Exemplars`: per channel
    the nine photos that excite it most, three by three (Zeiler & Fergus 2013, Fig. 2). The caption
    names network, weights, layer, rule and contrast. Text is vector text; pixels are not blurred.

    Parameters:
        source: what `DeconvNet.record` or `exemplars` gave.
        layer: its name; not for `Exemplars`, which have one.
        channels: how many, strongest first; their indices; or "all". Default: the 12 strongest.
        path: where to save it: .pdf, .svg or .png (at `dpi`).
        width: "page" (17.8 cm, the text of an A4 page), "column" (8.6 cm), or a number of cm.
        image: which photo of the recording; None: all of them.
        net, images: for `Exemplars`: the network and the pictures that were scanned.
        rule: how the signal goes back, see `Recording.project`.

    Raises:
        KeyError, ValueError: a layer or channel that there is not; or more channels than an A4 page
            of this width holds.
        TypeError: another source, or `Exemplars` without `net` and `images`.

    Examples:
        >>> zf.figure(net.record(photo), "conv5", path="conv5.pdf")
        >>> zf.figure(found, channels=(3, 17), net=net, images=photos, width="column")
    """
    from zfwidgets.analysis.plot.figure import draw, save

    if isinstance(source, Exemplars):
        blocks, caption = _of_exemplars(source, channels, net, images, rule)
    elif isinstance(source, Recording):
        if layer is None:
            raise TypeError("figure() got a Recording without a layer; expected its name")
        one = 0 if image is None and len(source) == 1 else image
        blocks, caption = _of_recording(source, layer, channels, one, rule)
    else:
        raise TypeError(
            f"figure() got {type(source).__name__}; expected a Recording (net.record(photo)) or "
            "Exemplars (zf.exemplars(...))"
        )
    drawn = draw(blocks, caption, width)
    if path is not None:
        save(drawn, path, dpi)
    return drawn


def _of_recording(
    recording: Recording, layer: str, channels: Channels | None, image: int | None, rule: RuleName
) -> tuple[list[Block], str]:
    layer = recording.layers[layer].name
    found = recording.strongest(layer)
    count = recording.layers[layer].channels
    # [B, C]: pictures by channels, as `strongest` lists them.
    value = found.value.reshape(len(recording), count)
    index = found.image.new_tensor(range(len(found))).reshape(len(recording), count)
    if image is not None:
        value, index = value[[image]], index[[image]]
    chosen = _chosen(channels, value.amax(0).tolist(), layer)
    order = value[:, chosen].argsort(dim=0, descending=True, stable=True)[:BEST]
    picked = index[:, chosen].gather(0, order).T
    made = recording.project(found[picked.flatten().tolist()], rule)
    tiles, contrast = made.shown()
    patches = _patches(made, recording.seen())
    bare = channels == "all" and len(order) == 1
    blocks = []
    for number, channel in enumerate(chosen):
        part = slice(number * len(order), (number + 1) * len(order))
        label = str(channel) if bare else _label(channel, made.neurons.value[part])
        blocks.append(Block(label, tiles[part], patches[part][: 0 if bare else None]))
    if bare:
        return blocks, _caption(made, str(contrast), "all channels by number")
    several = f", the strongest of {len(recording)} photos" if image is None else ""
    return blocks, _caption(made, str(contrast), _PAIRS + several)


def _of_exemplars(
    found: Exemplars, channels: Channels | None, net: DeconvNet | None, images: Any, rule: RuleName
) -> tuple[list[Block], str]:
    if net is None or images is None:
        raise TypeError(
            "figure() got Exemplars alone; expected the network and the pictures that were "
            "scanned, too: figure(found, net=net, images=images)"
        )
    chosen = _chosen(channels, found.value[:, 0].tolist(), found.layer)
    blocks, caption = [], ""
    panels = found.panels(net, images, chosen, rule)
    for channel, panel in zip(chosen, panels, strict=True):
        projections = panel.projections[range(min(BEST, len(panel.projections)))]
        tiles, contrast = projections.shown()
        blocks.append(Block(_label(channel, panel.values), tiles, panel.patches[: len(tiles)]))
        several = f"{_PAIRS}, the strongest of {found.scanned} photos"
        caption = _caption(projections, str(contrast), several)
    return blocks, caption


def _chosen(channels: Channels | None, strength: Sequence[float], layer: str) -> list[int]:
    """Indices of channels; of a number of them, the strongest."""
    count = len(strength)
    if channels == "all":
        return list(range(count))
    if channels is None or isinstance(channels, int):
        number = CHANNELS if channels is None else channels
        by_strength = sorted(range(count), key=lambda channel: -strength[channel])
        chosen = by_strength[: min(number, count)]
    elif isinstance(channels, str):
        raise ValueError(f"channels={channels!r}: expected 'all', a number or indices")
    else:
        chosen = [int(channel) for channel in channels]
    if bad := [channel for channel in chosen if not 0 <= channel < count]:
        raise ValueError(f"channel {bad[0]} of layer {layer!r}: expected 0 to {count - 1}")
    if not chosen:
        raise ValueError("figure() got no channels; expected at least one")
    return chosen


def _label(channel: int, values: Any) -> str:
    return f"channel {channel} · {float(values[0]):.3g}"


_PAIRS = "per channel, with its activation, the projection and what the neuron sees"


def _caption(made: Projections, contrast: str, what: str) -> str:
    origin = made.origin
    rows, columns = made.pixels.shape[2:]
    return (
        f"{origin.net} (weights {origin.weights()[:12]}), layer {origin.layer}: {what}; "
        f"{rows} × {columns} pixels each. Rule: {origin.method.rule}{_numbers(origin)}. "
        f"{contrast[:1].upper()}{contrast[1:]}."
    )


def _numbers(origin: Origin) -> str:
    return "" if origin.method.precision == "exact" else f" ({origin.precision})"


def _patches(made: Projections, seen: Pixels) -> Pixels:
    """What each neuron sees of its photo: uint8 [N, h, w, 3], grey outside of it."""
    height, width = made.pixels.shape[2:]
    patches = np.full((len(made), height, width, 3), MID_GREY, np.uint8)
    places = zip(patches, made.neurons.image.tolist(), made.boxes.tolist(), strict=True)
    for patch, image, (top, left, bottom, right) in places:
        photo = seen[image]
        rows = slice(max(0, top), min(len(photo), bottom))
        cols = slice(max(0, left), min(photo.shape[1], right))
        patch[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] = photo[
            rows, cols
        ]
    return patches
