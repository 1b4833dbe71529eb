"""The pictures of an exemplar browser: projections beside patches. Knows nothing of Jupyter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zfwidgets.analysis.stream import Images, Item, items, loaded
from zfwidgets.analysis.strongest import PICTURES_AT_ONCE, Exemplars, patches_of
from zfwidgets.analysis.usage import LayerUsage
from zfwidgets.analysis.vocabulary import Concept, Labels, Vocabulary
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.deconv.method import RuleName
from zfwidgets.images import Photo, contrast
from zfwidgets.images.tiles import resize

Pictures = npt.NDArray[np.uint8]

SORTS = ("index", "strength", "energy", "fires", "lifetime")
"""By channel number; by falling strongest activation, energy; by rising share of pictures that
excite it (dead ones first); by falling sparsity."""


@dataclass(frozen=True)
class Hung:
    """Some pictures in the network: their recording up to a layer, names, and how it saw them."""

    layer: str
    recording: Recording
    names: tuple[str, ...]
    seen: Pictures


class Gallery:
    """The network and the pictures that exemplars are drawn from; the last recording is kept."""

    def __init__(self, net: DeconvNet, images: Images, labels: Labels | None = None) -> None:
        """labels: what is on the pictures, see `Vocabulary`."""
        self.net = net
        self._labels = None if labels is None else list(labels)
        self._images = images
        self._items: dict[str, Item] | None = None
        self._last: Hung | None = None
        self._vocabulary: Vocabulary | None = None
        self._counted = 0

    def words(self, found: Exemplars, channel: int) -> tuple[Concept, ...]:
        """What a channel's strongest pictures have in common; nothing if nothing is known of them.

        found: all that a scan has kept, not only what is shown.
        """
        if self._counted != found.scanned:
            self._counted = found.scanned
            try:
                self._vocabulary = Vocabulary.of(found, self._images, self._labels)
            except ValueError:
                self._vocabulary = None
        return () if self._vocabulary is None else self._vocabulary.named(found, channel)

    def find(self, names: Sequence[str]) -> list[Item]:
        """The pictures of these names. Raises KeyError for one that is missing."""
        if self._items is None:
            self._items = {item.id: item for item in items(self._images)}
        missing = [name for name in names if name not in self._items]
        if missing:
            raise KeyError(
                f"image {missing[0]!r} is not among the images given; give those that were "
                "scanned, under the same names."
            )
        return [self._items[name] for name in names]

    def credit(self, name: str) -> str:
        """What must be said of a picture: of those that ship their author and licence."""
        photo = self._images.get(name) if isinstance(self._images, Mapping) else None
        return photo.credit if isinstance(photo, Photo) else ""

    def hang(self, found: Exemplars, channels: Sequence[int]) -> Hung:
        """All pictures that the channels need; of a scan that kept few all, and remembered.

        Raises KeyError for a picture that is missing.
        """
        needed = {name for channel in channels for name, *_ in found.of(channel)}
        last = self._last
        if last is not None and last.layer == found.layer and needed <= {*last.names}:
            return last
        names = found.ids if len(found.ids) <= PICTURES_AT_ONCE else tuple(sorted(needed))
        batch = loaded(self.net, self.find(names))
        recording = self.net.record(batch.inputs, upto=found.layer)
        self._last = Hung(found.layer, recording, names, recording.seen())
        return self._last


@dataclass(frozen=True)
class Wall:
    """One layer's exemplars as they are shown. `epoch` tells it from those before and after."""

    epoch: int
    gallery: Gallery
    found: Exemplars
    usage: LayerUsage | None
    rule: RuleName

    @property
    def count(self) -> int:
        """Number of channels."""
        return len(self.found.value)

    @property
    def side(self) -> int:
        """Pictures in a row of a channel's square."""
        return math.ceil(math.sqrt(self.found.k))

    @property
    def native(self) -> tuple[int, int]:
        """Height and width of one picture: the receptive field."""
        return self.gallery.net.layers[self.found.layer].receptive_field

    def strengths(self) -> torch.Tensor:
        """The strongest activation of each channel, 0 where nothing was seen: [C]."""
        value = self.found.value[:, 0]
        return torch.where(value.isfinite(), value, torch.zeros_like(value))

    def numbers(self, name: str) -> torch.Tensor | None:
        """What a sort orders by, rising: [C]; None if it is not known."""
        if name == "index":
            return torch.arange(self.count, dtype=torch.float64)
        if name == "strength":
            return -self.strengths().double()
        if self.usage is None:
            return None
        value: torch.Tensor = getattr(self.usage, name)
        return value if name == "fires" else -value.nan_to_num(0)

    def order(self, sort: str) -> list[int]:
        """Channels in the order of `sort`, by number if it is not known; equals by number."""
        known = self.numbers(sort)
        return (
            list(range(self.count))
            if known is None
            else torch.sort(known, stable=True).indices.tolist()
        )

    def mosaics(self, channels: Sequence[int], px: int) -> Pictures:
        """Per channel a square of projections, and to the right of it one of patches.

        px: of the longer side. Returns uint8 [N, side * h, 2 * side * w, 3]; places without a
        picture are mid-grey.
        """
        side, (height, width) = self.side, self.native
        scale = min(1.0, px / (2 * side * max(height, width)))
        height, width = max(1, round(height * scale)), max(1, round(width * scale))
        cells = np.full((len(channels), 2, side * side, height, width, 3), 128, np.uint8)
        shown = [channel for channel in channels if self.found.of(channel)]
        if shown:
            projections, patches, _ = self._drawn(shown, (height, width))
            first = 0
            for index, channel in enumerate(channels):
                number = len(self.found.of(channel))
                cells[index, 0, :number] = projections[first : first + number]
                cells[index, 1, :number] = patches[first : first + number]
                first += number
        grid = cells.reshape(len(channels), 2, side, side, height, width, 3)
        rows = grid.transpose(0, 2, 4, 1, 3, 5, 6)
        return np.ascontiguousarray(rows).reshape(len(channels), side * height, -1, 3)

    def panel(self, channel: int, px: int) -> tuple[Pictures, list[dict[str, Any]]]:
        """One channel enlarged: its projections, then its patches, and what is known of each.

        px: of the longer side of a picture. Returns uint8 [2 N, h, w, 3] and N facts.
        """
        found = self.found.of(channel)
        if not found:
            return np.zeros((0, 1, 1, 3), np.uint8), []
        height, width = self.native
        scale = min(1.0, px / max(height, width))
        size = max(1, round(height * scale)), max(1, round(width * scale))
        projections, patches, outside = self._drawn([channel], size)
        facts = [
            {
                "id": name,
                "credit": self.gallery.credit(name),
                "row": row,
                "col": col,
                "value": value,
                "outside": out,
            }
            for (name, row, col, value), out in zip(found, outside, strict=True)
        ]
        return np.concatenate([projections, patches]), facts

    def _drawn(
        self, channels: Sequence[int], size: tuple[int, int]
    ) -> tuple[Pictures, Pictures, list[bool]]:
        """Projections and patches of the channels, one after the other, strongest first."""
        hung = self.gallery.hang(self.found, channels)
        neurons = self.found.neurons(hung.recording, hung.names, channels)
        projected = hung.recording.project(neurons, rule=self.rule)
        pixels = projected.to_rgb(projected.pixels)
        height, width = size
        pixels = resize(pixels, min(height, pixels.shape[2]), min(width, pixels.shape[3]))
        patches, outside = patches_of(hung.recording, neurons, hung.seen)
        return (
            resize(contrast(pixels)[0], height, width),
            resize(patches, height, width),
            outside.tolist(),
        )

    def facts(self) -> dict[str, Any]:
        """Everything about the wall but pictures, as `RawWall` of the page side has it."""
        known = {
            name: getattr(self.usage, name).float().nan_to_num(0).numpy().astype("<f4").tobytes()
            for name in ("energy", "fires", "lifetime")
            if self.usage is not None
        }
        return {
            "epoch": self.epoch,
            "layer": self.found.layer,
            "rule": self.rule,
            "count": self.count,
            "side": self.side,
            "k": self.found.k,
            "native": list(self.native),
            "scanned": self.found.scanned,
            "complete": self.found.complete,
            "strength": self.strengths().float().numpy().astype("<f4").tobytes(),
            "usage": known,
        }


def drawn(wall: Wall, channels: Sequence[int], px: int) -> Iterator[tuple[Sequence[int], Pictures]]:
    """Mosaics in batches; between them a question can be taken back."""
    at_once = max(1, PICTURES_AT_ONCE // wall.found.k)
    for first in range(0, len(channels), at_once):
        some = channels[first : first + at_once]
        yield some, wall.mosaics(some, px)
