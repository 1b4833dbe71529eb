"""The k strongest pictures of every channel, whatever order the pictures come in.

The order is total (value downwards, then image id, row, column): parts merged in any order give the
same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

NAMES = ("value", "image", "row", "col")

_AT_ONCE = 16_000_000
"""Numbers that are copied at once to look for the place of maxima."""


@dataclass(frozen=True, slots=True)
class Top:
    """value [C, k], descending; image, row, col: LongTensor [C, k], image -1 where there is none.

    Images are numbered as they came. One maximum per picture and channel.
    """

    value: Tensor
    image: Tensor
    row: Tensor
    col: Tensor

    @staticmethod
    def empty(channels: int, k: int, device: torch.device) -> Top:
        """Nothing seen yet."""
        value = torch.full((channels, k), -torch.inf, device=device)
        zero = torch.zeros((channels, k), dtype=torch.long, device=device)
        return Top(value, zero - 1, zero, zero)

    @property
    def k(self) -> int:
        """How many are kept per channel."""
        return self.value.shape[1]

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """In the order of `NAMES`."""
        return self.value, self.image, self.row, self.col

    def with_batch(self, maps: Tensor, peaks: Tensor, first: int, ids: Sequence[str] | None) -> Top:
        """With the maps [B, C, H, W] of the pictures `first`, `first` + 1, ... and their maxima.

        peaks: [B, C]. ids: of all pictures by number; None if they come in the order of their ids,
        in which case a stable sort keeps ties right. Where in its map a maximum is (the first of
        equal ones in reading order) is only looked up for the pictures that are kept.
        """
        number = torch.arange(first, first + len(maps), device=maps.device)
        value = torch.cat([self.value, peaks.T.float()], 1)
        image = torch.cat([self.image, number.expand(len(self.image), -1)], 1)
        best = _best(value, image, self.k, ids)
        place = best.clamp(max=self.k - 1)
        row, col = self.row.gather(1, place), self.col.gather(1, place)
        channel, slot = (best >= self.k).nonzero(as_tuple=True)
        where = _places(maps, best[channel, slot] - self.k, channel)
        row[channel, slot] = where // maps.shape[3]
        col[channel, slot] = where % maps.shape[3]
        return Top(value.gather(1, best), image.gather(1, best), row, col)

    def moved(self, by: int) -> Top:
        """The same pictures with numbers that are higher by so many."""
        return replace(self, image=torch.where(self.image < 0, self.image, self.image + by))

    def merged(self, other: Top, ids: Sequence[str]) -> Top:
        """Both as one; images of both are numbered as in `ids`."""
        both = [torch.cat(pair, 1) for pair in zip(self.tensors(), other.tensors(), strict=True)]
        best = _best(both[0], both[1], self.k, ids)
        return Top(*(part.gather(1, best) for part in both))

    def compact(self, ids: Sequence[str]) -> tuple[Top, tuple[str, ...]]:
        """On the CPU, numbered by the sorted ids of those that are kept: equal scans are equal."""
        value, image, row, col = (part.cpu() for part in self.tensors())
        kept = tuple(sorted(ids[index] for index in _used(image)))
        place = torch.where(image < 0, image, _ranks(ids, image)[image])
        return Top(value, place, row, col), kept


def _best(value: Tensor, image: Tensor, k: int, ids: Sequence[str] | None) -> Tensor:
    """Columns of the k best of each channel: value downwards, then id; else as they stand.

    What is no number comes after all numbers, and only before empty places.
    """
    value = value.nan_to_num(torch.finfo(value.dtype).min, torch.inf, -torch.inf)
    if ids is None:
        return value.sort(dim=1, descending=True, stable=True)[1][:, :k]
    by_id = _ranks(ids, image)[image].sort(dim=1, stable=True)[1]
    order = value.gather(1, by_id).sort(dim=1, descending=True, stable=True)[1][:, :k]
    return by_id.gather(1, order)


def _places(maps: Tensor, image: Tensor, channel: Tensor) -> Tensor:
    """Index row * W + column of the maximum of some maps: [N]."""
    size = maps.shape[2] * maps.shape[3]
    parts = zip(
        image.split(max(1, _AT_ONCE // size)), channel.split(max(1, _AT_ONCE // size)), strict=True
    )
    # torch promises the first of equal maxima.
    found = [maps[b, c].flatten(1).max(1)[1] for b, c in parts]
    return torch.cat(found) if found else image


def _ranks(ids: Sequence[str], image: Tensor) -> Tensor:
    """Place of each picture among the sorted ids; the last entry is of -1, no picture."""
    used = sorted(_used(image), key=ids.__getitem__)
    ranks = torch.full((len(ids) + 1,), len(ids), dtype=torch.long)
    ranks[used] = torch.arange(len(used))
    return ranks.to(image.device)


def _used(image: Tensor) -> list[int]:
    return image[image >= 0].unique().tolist()
