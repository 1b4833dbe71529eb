"""What a step shows to the students: crops, and what the teacher says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from training.album import Album
from training.teacher import Teacher, normalised

NOISE = 0.15  # the most Gaussian noise on an input, in its deviations
ECHO = 15  # steps between the two times that crops are shown; odd


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
    """What a step shows to every student: inputs, and the teacher's answers and features."""

    inputs: Tensor
    logits: Tensor
    fine: Tensor
    coarse: Tensor

    def batch(self, fine: tuple[Lattice, int], coarse: tuple[Lattice, int]) -> Batch:
        """Look the features up where one student's hinted layers look (lattice, side)."""
        size = self.inputs.shape[-1]
        targets = [
            _look(maps, lattice.positions(size, side).to(maps))
            for maps, (lattice, side) in ((self.fine, fine), (self.coarse, coarse))
        ]
        return Batch(self.inputs, self.logits, *targets)


def _look(maps: Tensor, where: Tensor) -> Tensor:
    side = len(where)
    x = where[None, None, :].expand(len(maps), side, -1)
    grid = torch.stack((x, x.transpose(1, 2)), -1)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)


def grainy(inputs: Tensor, generator: torch.Generator, most: float = NOISE) -> Tensor:
    """Inputs [N,3,S,S] with Gaussian noise, of each as much as chance says, at most `most`.

    Scaled photographs hold next to nothing at the finest frequencies. Without noise nothing keeps
    the filters from holding something there, and they get a chequered pattern.
    """
    device = inputs.device
    level = most * torch.rand(len(inputs), 1, 1, 1, generator=generator, device=device)
    return inputs.addcmul(level, torch.randn(inputs.shape, generator=generator, device=device))


def cut_at(step: int) -> int:
    """The step for which the crops that a step shows were cut.

    Even steps show new ones, odd steps those of `ECHO` steps before (the first few have none and
    show new ones), for cutting and labelling takes longer than learning does (data echoing, Choi
    et al. 2019).
    """
    return step if step % 2 == 0 or step < ECHO else step - ECHO


def frequencies(answers: Iterable[Tensor]) -> Tensor:
    """How often each class occurs [K], by a teacher: the mean of its answers, logits [N,K] each."""
    sums, count = [], 0
    for logits in answers:
        sums.append(logits.float().softmax(1).sum(0))
        count += len(logits)
    return torch.stack(sums).sum(0) / count


class Lessons:
    """New crops of an album, labelled by a teacher as they are cut; the same for the same step."""

    def __init__(self, album: Album, teacher: Teacher, seed: int) -> None:
        self.album, self.teacher, self.seed = album, teacher, seed
        self._last: tuple[object, Shown] | None = None
        self._kept: dict[tuple[int, int, int], Shown] = {}
        # Features count in deviations of their channel, so that no channel outweighs the others.
        _, first = self.taught(-1, 256)
        self._scales = [
            (maps.mean((0, 2, 3), keepdim=True), maps.std((0, 2, 3), keepdim=True) + 1e-6)
            for maps in (first.fine, first.coarse)
        ]
        self.widths = first.logits.shape[1], first.fine.shape[1], first.coarse.shape[1]

    @cached_property
    def frequencies(self) -> Tensor:
        """How often each class occurs [K], by the teacher, on crops of steps that none takes."""
        return frequencies(said.logits for _, said in self.unseen())

    def _generator(self, step: int) -> torch.Generator:
        return torch.Generator(self.album.device).manual_seed(self.seed * 1_000_003 + step + 1)

    def taught(self, step: int, count: int) -> tuple[Tensor, Shown]:
        """Crops [count,3,S,S], 0 to 1, and the teacher on them, with its features as they are."""
        crops = self.album.draw(count, self._generator(step))
        said = self.teacher.answer(crops)
        return crops, Shown(normalised(crops), said.logits, said.fine, said.coarse)

    def unseen(self, draws: int = 32, count: int = 64) -> Iterator[tuple[Tensor, Shown]]:
        """What :meth:`taught` gives for steps that no training takes."""
        return (self.taught(-1000 - draw, count) for draw in range(draws))

    def shown(self, step: int, *, count: int, size: int, noise: float = NOISE) -> Shown:
        """What a step shows: crops as the teacher saw them, scaled to `size` pixels.

        `noise` is the most that :func:`grainy` adds. What was asked for last is remembered:
        students that train side by side share it.
        """
        asked = (step, count, size, noise)
        if self._last is not None and self._last[0] == asked:
            return self._last[1]
        cut = cut_at(step)
        said = self._kept.pop((cut, count, size), None) or self._labelled(cut, count, size)
        if cut == step and cut_at(step + ECHO) == step:
            self._kept[cut, count, size] = said
        self._kept = {key: kept for key, kept in self._kept.items() if key[0] > step - ECHO}
        found = replace(said, inputs=grainy(said.inputs, self._generator(-2 - step), noise))
        self._last = asked, found
        return found

    def _labelled(self, step: int, count: int, size: int) -> Shown:
        """Crops of a step, scaled to `size` pixels, and their labels."""
        _, said = self.taught(step, count)
        inputs = said.inputs
        if size != inputs.shape[-1]:
            inputs = F.interpolate(inputs, size=size, mode="bilinear", antialias=True)
        fine, coarse = (
            ((maps - mean) / deviation).clamp(-4, 4)
            for maps, (mean, deviation) in zip((said.fine, said.coarse), self._scales, strict=True)
        )
        return Shown(inputs, said.logits, fine, coarse)
