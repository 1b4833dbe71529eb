"""Pictures found again by id, and the strongest of some channels with what made them fire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.result import Result
from zfwidgets.analysis.stream import Images, items, pair, prepared
from zfwidgets.analysis.strongest import Exemplars
from zfwidgets.analysis.usage import LayerUsage
from zfwidgets.deconv import DeconvNet, Neurons, Recording
from zfwidgets.images import Photo

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

_CONTRAST = 98.5
"""Percentile of full contrast: small tiles lose some of it when they are shrunk."""


class Shelf:
    """Pictures by id; each is loaded when it is asked for, and not kept."""

    def __init__(self, net: DeconvNet, images: Images) -> None:
        self._net = net
        self._items = {item.id: item for item in items(images)}
        self._images = images

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def inputs(self, ids: Sequence[str]) -> Tensor:
        """As the network takes them: [N, C, H, W]. Raises KeyError for one that is missing."""
        for name in ids:
            if name not in self._items:
                raise KeyError(
                    f"image {name!r} is not among the images given; give those that were scanned, "
                    "under the same names."
                )
        return prepared(self._net, [pair(self._items[name].load())[0] for name in ids])

    def thumbnails(self, ids: Sequence[str]) -> Pixels:
        """As the network sees them: uint8 [N, H, W, 3]."""
        return self._net.undo(self.inputs(ids))

    def credit(self, name: str) -> str | None:
        """Who made a picture that ships, and on what terms."""
        found = self._images[name] if isinstance(self._images, Mapping) else None
        return f"{found.credit}, {found.source}" if isinstance(found, Photo) else None


@dataclass(frozen=True, slots=True, repr=False)
class ChannelPictures(Result):
    """A channel's k strongest pictures, strongest first.

    patches: uint8 [k, h, w, 3], what its neuron saw; projections: uint8 [k, h, w, 3], what of it
    made the neuron fire. Where the receptive field reaches outside the picture, both are of the
    part of the picture beside it. values: the activations. Nothing of a channel that never fires.
    """

    layer: str
    channel: int
    ids: tuple[str, ...]
    values: tuple[float, ...]
    patches: Pixels
    projections: Pixels


def strongest(usage: LayerUsage, number: int = 3) -> list[int]:
    """The channels of a layer with most of its energy."""
    found: list[int] = usage.energy.nan_to_num(0).argsort(descending=True)[:number].tolist()
    return found


@torch.no_grad()
def pictures_of(
    net: DeconvNet,
    shelf: Shelf,
    exemplars: Mapping[str, Exemplars],
    wanted: Sequence[tuple[str, int]],
    *,
    k: int,
    progress: bool,
) -> dict[tuple[str, int], ChannelPictures]:
    """The strongest pictures of (layer, channel) after (layer, channel), k pictures in memory."""
    result = {}
    for layer, channel in tqdm(
        list(dict.fromkeys(wanted)), desc="channels", unit="channel", disable=not progress
    ):
        found = exemplars[layer].first(k)
        best = [one for one in found.of(channel) if one[3] > 0]
        if not best:
            continue
        ids, rows, cols, _ = (list(part) for part in zip(*best, strict=True))
        recording = net.record(shelf.inputs(ids), upto=layer)
        neurons = recording.neurons(layer, list(range(len(ids))), channel, rows, cols)
        shown = recording.project(neurons).to_images(canvas=True, percentile=_CONTRAST)
        both = _inside(recording, neurons, recording.seen()), _inside(recording, neurons, shown)
        values = tuple(neurons.value.tolist())
        result[layer, channel] = ChannelPictures(layer, channel, tuple(ids), values, *both)
    return result


def _inside(recording: Recording, neurons: Neurons, pictures: Pixels) -> Pixels:
    """The receptive field in each picture, moved inside where it reaches out: [N, h, w, 3]."""
    layer, (high, wide) = recording.layers[neurons.layer], pictures.shape[1:3]
    height, width = min(layer.receptive_field[0], high), min(layer.receptive_field[1], wide)
    parts = []
    for picture, row, col in zip(pictures, neurons.row.tolist(), neurons.col.tolist(), strict=True):
        top, left, *_ = layer.box(row, col)
        y, x = min(max(0, top), high - height), min(max(0, left), wide - width)
        parts.append(picture[y : y + height, x : x + width])
    return np.stack(parts)
