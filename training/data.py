"""Draws augmented batches of labelled crops, the same batch for the same step of the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
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
class Augment:
    """How far a stored crop is varied each time it is shown."""

    smallest: float = 0.62  # side of the sub-crop, as a share of the stored crop
    colour: float = 0.3
    grey: float = 0.05
    noise: float = 0.15  # most Gaussian noise, in deviations of the input
    mixup: float = 0.4  # share of batches blended with a shuffled copy of themselves


class Shards:
    """The labelled crops that exist so far; labelling may go on while training reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
        picks = torch.randint(int(ends[-1]), (count,), generator=generator).numpy()
        which = np.searchsorted(ends, picks, side="right")
        starts = ends - [len(shard[0]) for shard in shards]
        rows = [
            [shards[s][k][p - starts[s]] for s, p in zip(which, picks, strict=True)]
            for k in range(4)
        ]
        return tuple(torch.from_numpy(np.stack(part)) for part in rows)


def batch_at(
    shards: Shards,
    step: int,
    *,
    seed: int,
    count: int,
    size: int,
    fine: tuple[Lattice, int],
    coarse: tuple[Lattice, int],
    augment: Augment = Augment(),
) -> Batch:
    """Draw the batch of a step. `fine` and `coarse` give each hinted layer's lattice and side."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    crops, logits, fine_map, coarse_map = shards.draw(count, generator)
    pixels = crops.permute(0, 3, 1, 2).float() / 255
    scale, shift = _views(count, augment, generator)

    def look(maps: Tensor, where: Tensor) -> Tensor:
        grid_x = scale[:, 0, None] * where + shift[:, 0, None]
        grid_y = scale[:, 1, None] * where + shift[:, 1, None]
        side = len(where)
        grid = torch.stack(
            (
                grid_x[:, None, :].expand(-1, side, -1),
                grid_y[:, :, None].expand(-1, -1, side),
            ),
            -1,
        )
        return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)

    inputs = look(pixels, (torch.arange(size) + 0.5) / size * 2 - 1)
    inputs = _recolour(inputs, augment, generator)
    inputs = (inputs - column(MEAN)) / column(STD)
    # Scaled photographs hold next to nothing at the finest frequencies. Without noise nothing keeps
    # the filters from holding something there, and they get a chequered pattern.
    level = augment.noise * torch.rand(count, 1, 1, 1, generator=generator)
    inputs = inputs + level * torch.randn(inputs.shape, generator=generator)
    targets = [
        look(maps.float() / 32, lattice.positions(size, side))
        for maps, (lattice, side) in ((fine_map, fine), (coarse_map, coarse))
    ]
    batch = Batch(inputs, logits.float(), *targets)
    if torch.rand((), generator=generator) < augment.mixup:
        batch = _mixed(batch, generator)
    return batch


def _views(count: int, augment: Augment, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random sub-crops and mirrorings: x_in = scale * x_out + shift, in -1..1 coordinates."""
    side = augment.smallest + (1 - augment.smallest) * torch.rand(count, 1, generator=generator)
    aspect = 1 - 0.15 * torch.rand(count, 2, generator=generator)
    scale = side * aspect
    shift = (1 - scale) * (2 * torch.rand(count, 2, generator=generator) - 1)
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    return torch.stack((scale[:, 0] * mirror, scale[:, 1]), 1), shift


def _recolour(pixels: Tensor, augment: Augment, generator: torch.Generator) -> Tensor:
    """Vary brightness, contrast, saturation and tint of each picture [B,3,S,S] in 0..1."""

    def around_one(*shape: int) -> Tensor:
        spread = 2 * torch.rand(*shape, generator=generator) - 1
        return 1 + augment.colour * spread

    count = len(pixels)
    grey = pixels.mean(1, keepdim=True)
    saturation = around_one(count, 1, 1, 1)
    saturation[torch.rand(count, generator=generator) < augment.grey] = 0
    pixels = grey + saturation * (pixels - grey)
    level = pixels.mean((1, 2, 3), keepdim=True)
    pixels = level + around_one(count, 1, 1, 1) * (pixels - level)
    tint = 1 + (around_one(count, 3, 1, 1) - 1) / 3
    return (pixels * around_one(count, 1, 1, 1) * tint).clamp(0, 1)


def _mixed(batch: Batch, generator: torch.Generator) -> Batch:
    """Blend each picture and its targets with another of the batch (mixup, Zhang et al. 2018).

    The teacher's probabilities, not its logits, are what blends: they come back as logits.
    """
    order = torch.randperm(len(batch.inputs), generator=generator)
    share = 0.5 + 0.5 * torch.rand(len(order), 1, generator=generator)
    wide = share[:, :, None, None]
    chances = share * batch.logits.softmax(1) + (1 - share) * batch.logits[order].softmax(1)
    return Batch(
        wide * batch.inputs + (1 - wide) * batch.inputs[order],
        chances.clamp_min(1e-9).log(),
        wide * batch.fine + (1 - wide) * batch.fine[order],
        wide * batch.coarse + (1 - wide) * batch.coarse[order],
    )
