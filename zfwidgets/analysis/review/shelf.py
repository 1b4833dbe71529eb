"""Pictures found again by id, and the strongest of some channels with what made them fire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.result import Result
from zfwidgets.analysis.stream import Images, items, pair, prepared
from zfwidgets.analysis.strongest import Exemplars, patches_of
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Photo

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


class Shelf:
    """Pictures by id; each is loaded when it is asked for, and not kept."""

    def __init__(self, net: DeconvNet, images: Images) -> None:
        self._net = net
        self._items = {item.id: item for item in items(images)}
        self._images = images

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Any:
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

    def credit(self, name: str) -> str | None:
        """Who made a picture that ships, and on what terms."""
        found = self._images[name] if isinstance(self._images, Mapping) else None
        return f"{found.credit}, {found.source}" if isinstance(found, Photo) else None


@dataclass(frozen=True, slots=True, repr=False)
class ChannelPictures(Result):
    """A channel's k strongest pictures, strongest first.

    patches: uint8 [k, h, w, 3], what its neuron saw; projections: uint8 [k, h, w, 3], what of it
    made the neuron fire. values: the activations. Nothing of a channel that never fires.
    """

    layer: str
    channel: int
    ids: tuple[str, ...]
    values: tuple[float, ...]
    patches: Pixels
    projections: Pixels


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
        strongest = [one for one in found.of(channel) if one[3] > 0]
        if not strongest:
            continue
        ids, rows, cols, _ = (list(part) for part in zip(*strongest, strict=True))
        recording = net.record(shelf.inputs(ids), upto=layer)
        neurons = recording.neurons(layer, list(range(len(ids))), channel, rows, cols)
        patches, _ = patches_of(recording, neurons)
        shown = recording.project(neurons).to_images()
        values = tuple(neurons.value.tolist())
        result[layer, channel] = ChannelPictures(layer, channel, tuple(ids), values, patches, shown)
    return result
