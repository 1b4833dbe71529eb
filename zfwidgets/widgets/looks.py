"""What a channel browser looks at, and the pictures of its channels. Knows nothing of Jupyter.

A `Look` is one recording, layer and mode, fixed while it is worked on. A mode is one class with
`native`, `tiles` and `note`; to add one, write it and enter it in `MODES`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch

from zfwidgets.deconv import Layer, Neurons, Recording
from zfwidgets.deconv.signals import RuleName
from zfwidgets.images import contrast, heat
from zfwidgets.images.tiles import resize

Pictures = npt.NDArray[np.uint8]

MOST_AT_ONCE = 256
"""Channels in one batch at most."""


class Mode(Protocol):
    """How the channels of a layer become pictures."""

    per_batch: int
    """Channels to start with in one batch; `drawn` finds out how many are quick enough."""

    note: str
    """How numbers became colours, for people."""

    def native(self, look: Look) -> tuple[int, int]:
        """Height and width of a picture before it is shrunk."""

    def tiles(self, look: Look, ids: Sequence[int], size: tuple[int, int]) -> Pictures:
        """The pictures of channels `ids`: uint8 [N, height, width, 3]."""


class FeatureMap:
    """The rectified map itself, as heat."""

    per_batch = 256
    note = "heat: zero is dark, each map's own largest value is brightest"

    def native(self, look: Look) -> tuple[int, int]:
        """One pixel for each place of the map."""
        return look.layer.height, look.layer.width

    def tiles(self, look: Look, ids: Sequence[int], size: tuple[int, int]) -> Pictures:
        """The maps as heat."""
        maps = look.recording.feature_maps(look.layer.name)[look.image]
        chosen = maps[list(ids)]
        if chosen.shape[-2:] == (1, 1):
            # One value alone would always be its own largest: compare with the layer's largest.
            largest = maps.amax().reshape(1, 1, 1)
            return heat(torch.cat([chosen, largest]), share="all")[:-1]
        return heat(resize(chosen[:, None], *size)[:, 0])


class Projection:
    """The channel's strongest neuron sent back to pixels (Zeiler & Fergus 2013, section 2.1)."""

    per_batch = 8
    note = "zero is mid-grey, each tile on its own scale (99.5th percentile of |x|)"

    def native(self, look: Look) -> tuple[int, int]:
        """One pixel for each of the input's that the neuron can touch."""
        height, width = look.recording.inputs.shape[2:]
        rows, columns = look.layer.receptive_field
        # Global pooling and fully connected layers see everything at once, however it is counted.
        return (rows, columns) if look.layer.jump != (0, 0) else (height, width)

    def tiles(self, look: Look, ids: Sequence[int], size: tuple[int, int]) -> Pictures:
        """The windows that the neurons can touch, as signed pictures around mid-grey."""
        found = look.recording.project(look.strongest[list(ids)], rule=look.rule)
        pixels = found.to_rgb(found.pixels)
        height, width = min(size[0], pixels.shape[2]), min(size[1], pixels.shape[3])
        return contrast(resize(pixels, height, width))[0]


MODES: dict[str, Mode] = {"feature map": FeatureMap(), "projection": Projection()}


_strongest: WeakKeyDictionary[Recording, dict[str, Neurons]] = WeakKeyDictionary()
"""The strongest neurons once per recording and layer, whoever asks."""


@dataclass(frozen=True)
class Look:
    """One layer of one picture, seen one way. `epoch` tells it from those before and after."""

    epoch: int
    recording: Recording
    image: int
    layer: Layer
    mode: str
    rule: RuleName

    @property
    def count(self) -> int:
        """Number of channels."""
        return self.layer.channels

    @cached_property
    def strongest(self) -> Neurons:
        """Per channel its most active neuron in the picture; neuron i is channel i's."""
        known = _strongest.setdefault(self.recording, {})
        if self.layer.name not in known:
            known[self.layer.name] = self.recording.strongest(self.layer.name)
        neurons = known[self.layer.name]
        return neurons[neurons.image == self.image]

    @cached_property
    def native(self) -> tuple[int, int]:
        """Height and width of a tile at full resolution."""
        return MODES[self.mode].native(self)

    @property
    def labels(self) -> list[str]:
        """Names of the channels if they are the network's classes, else none."""
        names = self.recording.net.categories
        last = list(self.recording.layers)[-1]
        is_classes = names and len(names) == self.count and self.layer.name == last
        return list(names) if names and is_classes else []

    def order(self, sort: str) -> list[int]:
        """Channels by number, or by falling strength; equals keep the order of their numbers."""
        if sort == "index":
            return list(range(self.count))
        return torch.sort(self.strongest.value, descending=True, stable=True).indices.tolist()

    def size(self, px: int) -> tuple[int, int]:
        """Height and width of a tile whose longer side has at most `px` pixels."""
        height, width = self.native
        scale = min(1.0, px / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def tiles(self, ids: Sequence[int], px: int) -> Pictures:
        """Pictures of the channels `ids`: uint8 [N, h, w, 3]."""
        return MODES[self.mode].tiles(self, ids, self.size(px))

    def facts(self) -> dict[str, Any]:
        """Everything about the look but pictures, as `RawPage` of the page side has it."""
        neurons = self.strongest
        places = torch.stack([neurons.row, neurons.col], 1)
        return {
            "epoch": self.epoch,
            "layer": self.layer.name,
            "mode": self.mode,
            "rule": self.rule,
            "count": self.count,
            "map": [self.layer.height, self.layer.width],
            "native": list(self.native),
            "note": MODES[self.mode].note,
            "labels": self.labels,
            "values": neurons.value.float().numpy().astype("<f4").tobytes(),
            "places": places.numpy().astype("<i4").tobytes(),
        }


def drawn(
    look: Look, ids: Sequence[int], px: int, seconds: float = 0.15
) -> Iterator[tuple[Sequence[int], Pictures]]:
    """The pictures of `ids` in batches that take about `seconds` each, as they are ready.

    Between batches a question can be taken back. How many channels make a batch is learnt from the
    ones before: at most doubled or halved, since one may have been slow for another reason.
    """
    step, first = MODES[look.mode].per_batch, 0
    while first < len(ids):
        some = ids[first : first + step]
        began = time.perf_counter()
        tiles = look.tiles(some, px)
        rate = seconds / max(1e-4, time.perf_counter() - began)
        yield some, tiles
        step = max(1, min(MOST_AT_ONCE, round(step * min(max(rate, 0.5), 2.0))))
        first += len(some)


def default_layer(layers: Sequence[Layer]) -> str:
    """conv5 if there is one, else the last convolution, else the last layer."""
    names = [layer.name for layer in layers]
    convs = [layer.name for layer in layers if layer.kind == "conv"]
    return "conv5" if "conv5" in names else (convs or names)[-1]
