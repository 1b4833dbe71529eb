"""Which values a tensor holds that shares its memory with others, after changes in place.

Tensors are told by the memory they stand in. Every change in place is written down there; who reads
a tensor of that memory afterwards reads what it was made as, and over it what was written since.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from zfwidgets.deconv.rules import Kept


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor stands in its memory: sizes, strides, offset."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int

    @staticmethod
    def of(tensor: Tensor) -> Place:
        """The place of a tensor."""
        return Place(tuple(tensor.shape), tuple(tensor.stride()), int(tensor.storage_offset()))

    def picture(self) -> Place:
        """The place of its first picture alone."""
        return Place(self.size[1:], self.stride[1:], self.offset)

    def taken_from(self, other: Place) -> Tensor:
        """For every value the index of the value of `other` that stands there, -1 if none does.

        LongTensor of this size.
        """
        reach = max(_reach(self), _reach(other))
        where = torch.full((reach,), -1)
        count = torch.arange(torch.Size(other.size).numel()).view(other.size)
        where.as_strided(other.size, other.stride, other.offset).copy_(count)
        return where.as_strided(self.size, self.stride, self.offset).clone()


def _reach(place: Place) -> int:
    """How much of the memory it takes, from the beginning."""
    if 0 in place.size:
        return place.offset + 1
    steps = zip(place.size, place.stride, strict=True)
    return place.offset + sum((n - 1) * stride for n, stride in steps) + 1


@dataclass(frozen=True, slots=True)
class Write:
    """One change in place: where, and the call that gave the new values; None for constants."""

    place: Place
    call: int | None


class Memory:
    """What was written where, and who needs what stood there before."""

    def __init__(self) -> None:
        self._writes: dict[int, list[Write]] = {}
        self._alive: list[StorageWeakRef] = []
        self._kept: dict[int, list[Kept]] = {}

    def __bool__(self) -> bool:
        """True if anything was changed in place."""
        return bool(self._writes)

    @staticmethod
    def key(tensor: Tensor) -> int:
        """The memory a tensor stands in."""
        return tensor.untyped_storage()._cdata  # noqa: SLF001 - torch's own way to tell them

    def count(self, tensor: Tensor) -> int:
        """How often the tensor's memory was written."""
        return len(self._writes.get(self.key(tensor), ())) if self._writes else 0

    def since(self, tensor: Tensor, count: int) -> list[Write]:
        """What was written to its memory after the first `count` changes."""
        return self._writes.get(self.key(tensor), [])[count:]

    def written(self, tensor: Tensor, call: int | None) -> int:
        """Write down that a call has changed the tensor in place; how often that was."""
        key = self.key(tensor)
        if key not in self._writes:
            # Held, the memory's address is given to nobody else.
            self._alive.append(StorageWeakRef(tensor.untyped_storage()))
        self._writes.setdefault(key, []).append(Write(Place.of(tensor), call))
        return len(self._writes[key])

    def keep(self, boxes: list[Kept]) -> None:
        """Copy these tensors should their memory be about to change."""
        for box in boxes:
            self._kept.setdefault(self.key(box.tensor), []).append(box)

    def before_change(self, tensor: Tensor, boxes: list[Kept]) -> None:
        """Its memory is about to change: what is needed of it is copied, for these boxes too."""
        key = self.key(tensor)
        for box in [*self._kept.pop(key, ()), *boxes]:
            if self.key(box.tensor) == key:
                box.tensor = box.tensor.clone()
