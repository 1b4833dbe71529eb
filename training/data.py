"""Draws batches of labelled crops, the same batch for the same step of the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from training.teacher import MEAN, STD, column


@dataclass
class Batch:
    """Inputs [B,3,S,S]; teacher's logits [B,K]; its features at the student's own positions."""

    inputs: Tensor
    logits: Tensor
    fine: Tensor
    coarse: Tensor


@dataclass(frozen=True)
class Lattice:
    """Where the units of a student's layer look: centre of the first and step, in input pixels."""

    first: float
    step: float

    def positions(self, size: int, count: int) -> Tensor:
        """Centres of `count` units in an input of `size` pixels, scaled to -1..1."""
        return (self.first + self.step * torch.arange(count)) / size * 2 - 1


@dataclass(frozen=True)
class Shown:
    """What a step shows to every student: inputs, the teacher's answers, which are mirrored."""

    inputs: Tensor
    logits: Tensor
    fine: Tensor  # int8, of the stored crops
    coarse: Tensor
    mirror: Tensor  # -1 where the input is mirrored, else 1

    def batch(self, fine: tuple[Lattice, int], coarse: tuple[Lattice, int]) -> Batch:
        """Look the features up where one student's hinted layers look (lattice, side)."""
        size = self.inputs.shape[-1]
        targets = [
            self._look(maps, lattice.positions(size, side))
            for maps, (lattice, side) in ((self.fine, fine), (self.coarse, coarse))
        ]
        return Batch(self.inputs, self.logits, *targets)

    def _look(self, maps: Tensor, where: Tensor) -> Tensor:
        side = len(where)
        x = (self.mirror[:, None] * where)[:, None, :].expand(-1, side, -1)
        y = where[None, :, None].expand(len(maps), -1, side)
        grid = torch.stack((x, y), -1)
        return F.grid_sample(maps.float() / 32, grid, padding_mode="border", align_corners=False)


class Shards:
    """The labelled crops that exist so far; labelling may go on while training reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: NDArray[np.int64] | None = None  # the crops to draw from, if not all
        self._last: tuple[object, Shown] | None = None
        self._open: dict[str, tuple[np.ndarray, ...]] = {}

    def refresh(self) -> int:
        """Take in newly labelled shards; return how many crops there are."""
        for path in sorted(self.folder.glob("labels-*.npy")):
            key = path.stem.partition("-")[2]
            if key.isdigit() and key not in self._open:
                self._open[key] = tuple(
                    np.load(self.folder / f"{part}-{key}.npy", mmap_mode="r")
                    for part in ("crops", "labels", "fine", "coarse")
                )
        return sum(len(shard[0]) for shard in self._open.values())

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw crops uint8 [B,S,S,3], logits [B,K], fine and coarse int8 features at random."""
        shards = [self._open[key] for key in sorted(self._open)]
        ends = np.cumsum([len(shard[0]) for shard in shards])
        if not len(ends):
            raise RuntimeError(f"no labelled crops in {self.folder}; run the label stage first")
        many = int(ends[-1]) if self.rows is None else len(self.rows)
        picks = torch.randint(many, (count,), generator=generator).numpy()
        picks = picks if self.rows is None else self.rows[picks]
        which = np.searchsorted(ends, picks, side="right")
        starts = ends - [len(shard[0]) for shard in shards]
        rows = [
            [shards[s][k][p - starts[s]] for s, p in zip(which, picks, strict=True)]
            for k in range(4)
        ]
        return tuple(torch.from_numpy(np.stack(part)) for part in rows)

    def shown(self, step: int, *, seed: int, count: int, size: int, noise: float = 0.15) -> Shown:
        """Draw what a step shows: whole crops as the teacher saw them, scaled to `size` pixels.

        They are mirrored by chance; `noise` is the most Gaussian noise, in deviations of the input.
        What was asked for last is remembered: students that train side by side share it.
        """
        asked = (step, seed, count, size, noise)
        if self._last is not None and self._last[0] == asked:
            return self._last[1]
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        crops, logits, fine, coarse = self.draw(count, generator)
        turned = torch.rand(count, generator=generator) < 0.5
        pixels = crops.permute(0, 3, 1, 2)
        if size != pixels.shape[-1]:
            pixels = F.interpolate(pixels, size=size, mode="bilinear", antialias=True)
        pixels[turned] = pixels[turned].flip(3)
        inputs = (pixels.float() / 255).sub_(column(MEAN)).div_(column(STD))
        # Scaled photographs hold next to nothing at the finest frequencies. Without noise nothing
        # keeps the filters from holding something there, and they get a chequered pattern.
        level = noise * torch.rand(count, 1, 1, 1, generator=generator)
        inputs.addcmul_(level, torch.randn(inputs.shape, generator=generator))
        found = Shown(inputs, logits.float(), fine, coarse, torch.where(turned, -1.0, 1.0))
        self._last = asked, found
        return found
