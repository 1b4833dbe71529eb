"""Pictures that several networks look at: decoded and prepared once, not once a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from zfwidgets.analysis.stream import Images, batches
from zfwidgets.deconv import DeconvNet

HELD = 256
"""So many pictures are held at most, as the network takes them; more are read anew each time."""


def repeatable(images: Images) -> Images:
    """Pictures that can be gone through more than once: those of an iterator, as a list."""
    return list(images) if isinstance(images, Iterator) else images


class SharedImages:
    """The pictures for each of several networks; those of one run prepare them alike."""

    def __init__(self, images: Images, batch: int = 32) -> None:
        self._images = repeatable(images)
        self._batch = batch
        self._held: list[tuple[Any, Images]] = []

    def of(self, net: DeconvNet) -> Images:
        """The pictures as this network takes them, by id; many, or uncertain, as they are."""
        for transforms, held in self._held:
            if transforms == net.transforms:
                return held
        held = self._prepared(net)
        self._held.append((net.transforms, held))
        return held

    def _prepared(self, net: DeconvNet) -> Images:
        found: dict[str, Tensor] = {}
        for part in batches(net, self._images, self._batch, progress=False):
            found |= dict(zip(part.ids, part.inputs.cpu(), strict=True))
            if len(found) > HELD:
                return self._images
        return found or self._images
