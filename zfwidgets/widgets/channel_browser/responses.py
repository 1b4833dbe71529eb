"""What a layer's channels respond to one picture: their strongest neurons, measures, and order.

Fixed while it is worked on. Knows nothing of Jupyter; the pictures come from tiles.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from zfwidgets.images.numbers import floats

if TYPE_CHECKING:
    from zfwidgets.deconv import Layer, Neurons, Recording
    from zfwidgets.deconv.method import RuleName

Floats = npt.NDArray[np.float32]

SORTS = ("index", "strength", "mean", "sparsity", "energy")
"""Orders of the channels: by number, or by the falling value of one of `Responses.measures`."""

SHOWS = ("all", "alive", "dead")
"""Which channels: all, those that respond somewhere in this picture, those that do nowhere."""


_strongest: WeakKeyDictionary[Recording, dict[str, Neurons]] = WeakKeyDictionary()
"""The strongest neurons once per recording and layer, whoever asks."""


@dataclass(frozen=True)
class Responses:
    """The channels of a layer and one picture, seen one way.

    epoch: tells them from those before and after. mode: what their tiles show, see `tiles`. rule:
    how projections go back.
    """

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

    @property
    def sees_all(self) -> bool:
        """Whether every neuron sees the whole picture, however its receptive field is counted."""
        return self.layer.jump == (0, 0)

    @cached_property
    def photo(self) -> npt.NDArray[np.uint8]:
        """What the network saw: uint8 [H, W, 3]."""
        return self.recording.seen()[self.image]

    @cached_property
    def strongest(self) -> Neurons:
        """Per channel its most active neuron in the picture; neuron i is channel i's."""
        known = _strongest.setdefault(self.recording, {})
        if self.layer.name not in known:
            known[self.layer.name] = self.recording.strongest(self.layer.name)
        neurons = known[self.layer.name]
        return neurons[neurons.image == self.image]

    @cached_property
    def measures(self) -> dict[str, Floats]:
        """What channels are ordered by, float32 [C] each.

        strength: the map's largest value. mean: of the map. sparsity: `treves_rolls` over the
        places of the map, 0 all alike, 1 a single place; NaN for a silent channel and for a map of
        one place. energy: the channel's share of the layer's sum of squares, 0 to 1. For sparsity
        and energy negative values (class scores) count as 0.
        """
        afar = getattr(self.recording, "measures", None)
        layer, image = self.layer.name, self.image
        others = afar(layer, image) if afar else measured(self.recording, layer, image)
        return {"strength": floats(self.strongest.value), **others}

    @property
    def labels(self) -> list[str]:
        """Names of the channels if they are the network's classes, else none."""
        names = self.recording.net.categories
        last = list(self.recording.layers)[-1]
        is_classes = names and len(names) == self.count and self.layer.name == last
        return list(names) if names and is_classes else []

    def order(self, sort: str, show: str = "all", threshold: float = 0.0) -> list[int]:
        """The channels to be seen, in order; equals keep the order of their numbers.

        threshold: least strength, as a share of the layer's largest; not for the dead ones.
        """
        strength = self.measures["strength"]
        seen = (strength == 0) if show == "dead" else np.ones(self.count, bool)
        if show == "alive":
            seen = strength != 0
        if show != "dead" and threshold > 0:
            seen &= strength >= np.float32(threshold) * max(strength.max(), np.float32(0))
        order = np.arange(self.count)
        if sort != "index":
            falling = np.nan_to_num(self.measures[sort], nan=-np.inf)
            order = np.argsort(-falling, kind="stable")
        found: list[int] = order[seen[order]].tolist()
        return found

    def where(self, channel: int) -> dict[str, Any]:
        """The channel's strongest neuron: channel, row, col, value, and box, its receptive field.

        box is [top, left, bottom, right] in input pixels and may reach outside the picture. A
        silent channel has no strongest neuron: row, col and box are None.
        """
        neurons = self.strongest
        row, col, value = (
            float(each[channel]) for each in (neurons.row, neurons.col, neurons.value)
        )
        found: dict[str, Any] = {"channel": channel, "row": None, "col": None, "value": value}
        if value == 0:
            return {**found, "box": None}
        box = list(self.layer.box(int(row), int(col)))
        return {**found, "row": int(row), "col": int(col), "box": box}

    def facts(self) -> dict[str, Any]:
        """Everything but what depends on pictures, as `RawPage` of the page side has it."""
        neurons, layer = self.strongest, self.layer
        places = np.stack([np.asarray(neurons.row), np.asarray(neurons.col)], 1)
        return {
            "epoch": self.epoch,
            "layer": layer.name,
            "mode": self.mode,
            "rule": self.rule,
            "count": self.count,
            "map": [layer.height, layer.width],
            "field": list(layer.receptive_field),
            "jump": list(layer.jump),
            "offset": list(layer.offset),
            "labels": self.labels,
            "measures": {name: _floats(values) for name, values in self.measures.items()},
            "places": places.astype("<i4").tobytes(),
        }


def measured(recording: Recording, layer: str, image: int) -> dict[str, Floats]:
    """Of `Responses.measures` those that need the whole maps."""
    from zfwidgets.analysis.scanning.sums import treves_rolls

    maps = recording.feature_maps(layer)[image].flatten(1).float()
    heights = maps.clamp_min(0)
    square = heights.square().mean(1)
    total = square.sum()
    return {
        "mean": floats(maps.mean(1)),
        "sparsity": floats(treves_rolls(heights.mean(1), square, maps.shape[1])),
        "energy": floats(square / total if total > 0 else square),
    }


def _floats(values: Floats) -> bytes:
    return np.ascontiguousarray(values, "<f4").tobytes()
