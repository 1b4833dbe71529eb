"""Goes on from the weights that ship where there is no GPU: conv3 and all above it learn anew.

Two things bring that within a CPU's reach. Crops are cut and labelled once, and kept
(:class:`Labelled`): labelling one costs several times as much as learning from it. And conv1 and
conv2 stay bit for bit what they are, since the features of the first layers are general (Yosinski
et al. 2014) and theirs were learned from millions of crops; so what they make of a crop is computed
once for each size of input (:func:`below`), and a step runs what lies above pool2 alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from training.album import Album
from training.data import frequencies
from training.evaluate import shipped
from training.folding import unfold
from training.student import (
    alike_below,
    clip_radius,
    divergence,
    head_start,
    sent_back,
    shaped,
)
from training.teacher import Teacher, normalised, quick
from training.train import Exam, Journal, examined, rate_at

AT_ONCE = 64  # crops that are cut and labelled in one go
IN_CACHE = 8  # inputs whose maps of conv1 a core has at hand; of more it waits for memory
CPU = torch.device("cpu")
BELOW = "pool2"  # the last layer that stays


@dataclass(frozen=True)
class Onward:
    """Everything that decides such a run; written beside its weights."""

    crops: int = 45_000
    first: int = 200_000  # the step whose random numbers cut the first of them: no other run's
    side: int = 224  # of a crop as it is kept, in pixels
    finest: float = 140.0  # the shortest side worth cutting, in pixels as they lie in memory
    mixed: float = 0.25  # share of crops that are mixed with another: pays in longer runs alone
    nearest: float = 0.8  # the smallest share of its side that a view of it shows
    steps: int = 1_300
    batch: int = 128
    # Until which share of the steps, input pixels, views for each crop (half a one: of every
    # second).
    sizes: tuple[tuple[float, int, float], ...] = ((1.0, 192, 1.0),)
    used_at: int = 224  # input pixels
    photographs: int = 3_840  # whole, that batch norm's statistics are taken of in the end
    learning_rate: float = 6e-4
    weight_decay: float = 0.05
    warm_up: float = 0.06
    temperature: float = 1.0
    balanced: float = 0.7  # power of a class's frequency that is made up for
    apart: float = 0.1
    allowed: float = 0.1  # cosine of what two channels of conv5 send back
    apart_every: int = 8  # steps: it costs as much as a step, and counts so much more
    teachers: tuple[int, ...] = (0,)
    seed: int = 2013
    threads: int = 2


class Labelled:
    """Crops in a folder with the teacher's logits: uint8 [N,3,side,side], and float16 [N,K].

    The teacher sees them at the size at which they were cut; they are kept smaller.
    """

    def __init__(self, folder: Path, recipe: Onward, classes: int = 1000) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.recipe, self._count = recipe, folder / "count"
        size = recipe.crops, 3, recipe.side, recipe.side
        self.crops = _stored(folder / "crops", np.dtype(np.uint8), size)
        self.logits = _stored(folder / "logits", np.dtype(np.float16), (recipe.crops, classes))

    @property
    def count(self) -> int:
        """How many there are so far."""
        return int(self._count.read_text()) if self._count.exists() else 0

    def fill(self, album: Album, teacher: Teacher) -> None:
        """Cut and label what is missing; goes on where it was stopped."""
        recipe, done = self.recipe, self.count
        with tqdm(total=recipe.crops, initial=done, desc="labels", unit="crop") as bar:
            while done < recipe.crops:
                number = min(AT_ONCE, recipe.crops - done)
                seed = recipe.seed * 1_000_003 + recipe.first + done + 1
                crops = album.draw(AT_ONCE, torch.Generator().manual_seed(seed))[:number]
                said = teacher.answer(crops).logits
                small = F.interpolate(crops, size=recipe.side, mode="bilinear", antialias=True)
                place = slice(done, done + number)
                self.crops[place] = (small * 255).round().clamp(0, 255).byte().numpy()
                self.logits[place] = said.half().numpy()
                done += number
                self._count.write_text(str(done))
                bar.update(number)

    def frequencies(self) -> Tensor:
        """How often each class occurs [K], by the teacher."""
        return frequencies(torch.from_numpy(self.logits[: self.recipe.crops]).split(4096))

    def seen(self, size: int, view: int) -> Iterator[Tensor]:
        """All crops as inputs [B,3,size,size], each batch another part of them, some mirrored."""
        recipe = self.recipe
        for start in range(0, recipe.crops, recipe.batch):
            chance = np.random.default_rng((recipe.seed, size, view, start))
            pixels = torch.from_numpy(self.crops[start : start + recipe.batch])
            part = int(chance.uniform(recipe.nearest, 1) * recipe.side)
            top, left = chance.integers(0, recipe.side - part + 1, 2)
            pixels = pixels[:, :, top : top + part, left : left + part].float() / 255
            mirrored = torch.from_numpy(chance.random(len(pixels)) < 0.5)
            pixels[mirrored] = pixels[mirrored].flip(3)
            scaled = F.interpolate(pixels, size=size, mode="bilinear", antialias=True)
            yield normalised(scaled)


def _stored(path: Path, kind: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """An array that lies in a file, which grows where it is too short."""
    with path.open("ab") as file:
        file.truncate(max(file.tell(), int(np.prod(shape)) * kind.itemsize))
    return np.memmap(path, kind, "r+", shape=shape)


def parts(net: nn.Module) -> tuple[nn.Sequential, nn.Sequential]:
    """What stays of a network, up to pool2, and what learns."""
    layers = dict(net.named_children())
    cut = list(layers).index(BELOW) + 1
    first, rest = list(layers.values())[:cut], list(layers.values())[cut:]
    return nn.Sequential(*first), nn.Sequential(*rest)


@torch.no_grad()
def lower(first: nn.Module, inputs: Tensor) -> Tensor:
    """What conv1 and conv2 make of inputs [B,3,S,S]: bfloat16 [B,C,h,w]."""
    few = (part.contiguous(memory_format=torch.channels_last) for part in inputs.split(IN_CACHE))
    with quick(CPU):
        return torch.cat([first(part) for part in few]).bfloat16()


@torch.no_grad()
def below(net: nn.Module, inputs: Iterator[Tensor], total: int) -> Tensor:
    """What conv1 and conv2 make of the first `total` inputs [B,3,S,S]: bfloat16 [total,C,h,w]."""
    first, _ = parts(net)
    first.eval()
    found: Tensor | None = None
    done = 0
    with tqdm(total=total, desc="below", unit="input") as bar:
        while done < total:
            some = next(inputs)[: total - done]
            maps = lower(first, some)
            if found is None:
                found = torch.empty((total, *maps.shape[1:]), dtype=torch.bfloat16)
                found = found.contiguous(memory_format=torch.channels_last)
            found[done : done + len(maps)] = maps
            done += len(maps)
            bar.update(len(maps))
    assert found is not None
    return found


class OnwardRun:
    """One network's way on, in one folder: log.jsonl, last.pt, as a run from the start has them."""

    def __init__(self, kind: str, recipe: Onward, weights: Path, labelled: Labelled, folder: Path):
        self.recipe, self.labelled = recipe, labelled
        self.frequencies = labelled.frequencies()
        self._given = head_start(self.frequencies, recipe.balanced)
        self.journal = Journal(folder)
        plain = shipped(kind, weights)
        self.net = shaped(kind, plain.state_dict(), batch_norm=True)
        self.net.to(memory_format=torch.channels_last)
        unfold(plain, self.net, next(labelled.seen(160, 0)), after=BELOW)
        first, self.upper = parts(self.net)
        first.requires_grad_(False)
        matrices = [p for p in self.upper.parameters() if p.ndim > 1]
        others = [p for p in self.upper.parameters() if p.ndim < 2]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": recipe.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.step, self.seconds = 0, 0.0
        self._recent: list[dict[str, float]] = []
        self._maps: tuple[int, Tensor] | None = None
        if self.journal.began:
            self._resume()

    def _resume(self) -> None:
        state = self.journal.saved()
        named = {key.removeprefix("net."): value for key, value in state["student"].items()}
        self.net.load_state_dict(named)
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.journal.forget_after(self.step)

    def save(self) -> None:
        """Write the checkpoint to go on from."""
        student = {f"net.{key}": value for key, value in self.net.state_dict().items()}
        self.journal.save(student, self.optimiser, self.step, self.seconds)

    def advance(self) -> None:
        """Take one step."""
        recipe = self.recipe
        progress = self.step / recipe.steps
        size, views = next((s, v) for until, s, v in recipe.sizes if progress < until)
        if self._maps is None or self._maps[0] != size:
            self._maps = None  # those of the former size make room first
            every = (some for view in count() for some in self.labelled.seen(size, view))
            self._maps = size, below(self.net, every, round(views * recipe.crops))
        began = time.monotonic()
        which = self._drawn(len(self._maps[1]))
        maps = self._maps[1][which].float()
        logits = torch.from_numpy(self.labelled.logits[(which % recipe.crops).numpy()]).float()
        for group in self.optimiser.param_groups:
            group["lr"] = rate_at(progress, recipe.learning_rate, recipe.warm_up)
        self.upper.train()
        with quick(CPU):
            guess = self.upper(maps)
        loss = kl = divergence(guess.float() + self._given, logits, recipe.temperature)
        said = {"kl": kl.item()}
        if self.step % recipe.apart_every == 0:
            with quick(CPU):
                back = sent_back(self.net)
            apart = alike_below(back, recipe.allowed)
            said["apart"] = apart.item()
            loss = kl + recipe.apart_every * recipe.apart * apart
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.upper.parameters(), 5.0)
        self.optimiser.step()
        clip_radius(self.upper)
        self._recent.append(said)
        self.step += 1
        self.seconds += time.monotonic() - began

    @torch.no_grad()
    def settle(self, album: Album) -> None:
        """Take batch norm's statistics of whole photographs, of the size that is used.

        A network has learned from crops, and most from small ones; what it is shown is whole and
        larger, and a good part of what is lost by that is lost in the statistics (Touvron et al.
        2019). Those of the crops themselves are of no use: of what a network knows by heart it
        makes more than of anything new.
        """
        recipe = self.recipe
        self._maps = None  # they make room
        chance = torch.Generator().manual_seed(recipe.seed)
        whole = album.photographs(recipe.photographs, recipe.used_at, chance, recipe.batch)
        norms = [module for module in self.upper if isinstance(module, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean of all batches
        first, _ = parts(self.net)
        first.eval()
        self.upper.train()
        for pixels in whole:
            maps = lower(first, normalised(pixels)).float()
            with quick(CPU):
                self.upper(maps)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def _drawn(self, count: int) -> Tensor:
        """Which of the maps a step learns from: all of them once before any of them again."""
        batch = self.recipe.batch
        whole, place = divmod(self.step, count // batch)
        chance = torch.Generator().manual_seed(self.recipe.seed + whole)
        order: Tensor = torch.randperm(count, generator=chance)
        return order[place * batch : (place + 1) * batch]

    def log(self, exam: Exam) -> None:
        """Write down the mean losses since the last time, and how the exam went."""
        told: dict[str, list[float]] = {}
        for said in self._recent:
            for name, value in said.items():
                told.setdefault(name, []).append(value)
        means = {name: sum(values) / len(values) for name, values in told.items()}
        self._recent.clear()
        entry = {"step": self.step, "seconds": round(self.seconds, 1), **means}
        entry |= examined(self.net.eval(), exam)
        self.journal.write(entry)

    def go_on(self, exam: Exam, album: Album, every: int = 200, save_s: float = 150.0) -> None:
        """Take the steps that are left; saves on the way, also where it is interrupted (SIGINT)."""
        torch.set_num_threads(self.recipe.threads)
        if self.step == 0:
            self.log(exam)
        saved = time.monotonic()
        left = range(self.step, self.recipe.steps)
        try:
            for _ in tqdm(left, initial=self.step, total=self.recipe.steps, desc="onward"):
                self.advance()
                over = self.step == self.recipe.steps
                if over:
                    self.settle(album)
                if over or self.step % every == 0:
                    self.log(exam)
                if over or time.monotonic() - saved > save_s:
                    self.save()
                    saved = time.monotonic()
        except KeyboardInterrupt:
            self.save()
            raise
