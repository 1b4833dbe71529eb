"""Trains students side by side on the labelled crops, with checkpoints to go on from."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from training.data import Shards
from training.muon import Muon
from training.student import Student, alikeness, clip_radius, losses, smooth
from training.teacher import MEAN, STD, column, has_bfloat16


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run; written beside its weights.

    Muon learns fastest, but its filters weigh everything, and projections of the upper layers get
    alike; so from `adam_from` on all layers learn by AdamW, with a learning rate that rises anew.
    Training lasts `steps`, or `minutes` for all networks together where that is over sooner: the
    schedule then follows the clock, so that a busy machine gives shorter but fully annealed runs.
    """

    steps: int = 7500
    minutes: float | None = None
    batch: int = 64
    sizes: tuple[tuple[float, int], ...] = (
        *((0.576, 96), (0.798, 128), (0.886, 160)),
        *((0.97, 96), (1.0, 128)),
    )
    adam_from: float = 0.886
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    conv1_rate: float = 0.5  # its share of the learning rate
    conv1_decay: float = 2.8
    conv1_smooth: float = 3.0
    warm_up: float = 0.06
    temperature: float = 2.0
    fine: float = 1.5
    coarse: float = 1.5
    unlike: float = 0.5
    seed: int = 2013
    threads: int = 2
    kept: tuple[float, ...] = (0, 0.009, 0.027, 0.071, 0.177, 0.443, 1)

    def progress(self, step: int, seconds: float) -> float:
        """How much of the run is done, 0 to 1."""
        clock = seconds / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(clock, step / self.steps))

    def size_at(self, progress: float) -> int:
        """Input pixels: small first, larger at the end."""
        return next(s for until, s in self.sizes if progress < until or until >= 1)

    def rate_at(self, progress: float) -> float:
        """Learning rate, twice: linear warm-up, then half a cosine down to nothing."""
        if progress < self.adam_from:
            part = progress / self.adam_from
        else:
            part = (progress - self.adam_from) / max(1 - self.adam_from, 1e-9)
        if part < self.warm_up:
            return self.learning_rate * max(part / self.warm_up, 0.02)
        phase = (part - self.warm_up) / (1 - self.warm_up)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * phase))


@dataclass
class Exam:
    """Held-out crops uint8 [N,S,S,3] with the teacher's logits [N,K]."""

    crops: np.ndarray
    logits: Tensor


def normal(crops: np.ndarray | Tensor, device: torch.device | str = "cpu") -> Tensor:
    """uint8 crops [N,S,S,3] to network inputs [N,3,S,S]."""
    pixels = torch.from_numpy(np.array(crops)).to(device).permute(0, 3, 1, 2).float() / 255
    return (pixels - column(MEAN, device)) / column(STD, device)


@torch.inference_mode()
def answers(net: nn.Module, crops: np.ndarray, size: int | None = None, batch: int = 64) -> Tensor:
    """Logits [N,K] of a network in evaluation mode over uint8 crops, scaled to `size` if given."""
    training, device = net.training, next(net.parameters()).device
    net.eval()
    parts = []
    for i in range(0, len(crops), batch):
        inputs = normal(crops[i : i + batch], device)
        if size and size != inputs.shape[-1]:
            inputs = nn.functional.interpolate(inputs, size=size, mode="bilinear", antialias=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
            parts.append(net(inputs.contiguous(memory_format=torch.channels_last)).float().cpu())
    net.train(training)
    return torch.cat(parts)


def agreement(guess: Tensor, teacher: Tensor) -> tuple[float, float]:
    """Share of crops whose teacher's first choice is the student's first, and among its five."""
    truth = teacher.argmax(1, keepdim=True)
    five = guess.topk(min(5, guess.shape[1])).indices
    return (five[:, :1] == truth).float().mean().item(), (five == truth).any(
        1
    ).float().mean().item()


class Run:
    """One network's training in one folder: log.jsonl, last.pt, step-NNNNNN.pt."""

    def __init__(
        self, kind: str, recipe: Recipe, crops: Path, folder: Path, width: float = 1.0
    ) -> None:
        self.recipe, self.folder = recipe, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.shards = Shards(crops)
        self.crops = self.shards.refresh()
        _, logits, fine, coarse = self.shards.draw(1, torch.Generator())
        torch.manual_seed(recipe.seed)
        self.student = Student(kind, logits.shape[1], fine.shape[1], coarse.shape[1], width)
        self.student.to(self.device).to(memory_format=torch.channels_last)
        self.optimisers = self._optimisers()
        self.step, self.seconds = 0, 0.0
        self._recent: list[dict[str, float]] = []
        if (folder / "last.pt").exists():
            self._resume()

    @property
    def machine(self) -> str:
        """What the steps run on, for the model card."""
        what = "a GPU" if self.device.type == "cuda" else f"{self.recipe.threads} CPU cores"
        return f"{what}, {'bfloat16' if has_bfloat16(self.device) else 'single precision'}"

    def _optimisers(self) -> tuple[Muon, torch.optim.AdamW, torch.optim.AdamW]:
        """Muon and later AdamW for conv2 to conv5, and AdamW for all else.

        conv1 has a weight decay of its own, to wash out its start.
        """
        recipe, net = self.recipe, self.student.net
        first = net.get_parameter("conv1.weight")
        banks = [net.get_parameter(f"conv{number}.weight") for number in range(2, 6)]
        set_apart = {id(p) for p in (first, *banks)}
        rest = [p for p in self.student.parameters() if id(p) not in set_apart]
        groups = [
            {
                "params": [first],
                "weight_decay": recipe.conv1_decay,
                "share": recipe.conv1_rate,
            },
            {"params": [p for p in rest if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
        ]
        rate, betas = recipe.learning_rate, (0.9, 0.98)
        muon = Muon(banks, lr=rate, weight_decay=recipe.weight_decay)
        later = torch.optim.AdamW(
            banks, lr=rate, betas=betas, weight_decay=recipe.weight_decay, fused=True
        )
        return muon, later, torch.optim.AdamW(groups, lr=rate, betas=betas, fused=True)

    def _resume(self) -> None:
        state = torch.load(self.folder / "last.pt", map_location=self.device, weights_only=True)
        self.student.load_state_dict(state["student"])
        for optimiser, stored in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(stored)
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self) -> None:
        """Write the checkpoint to go on from; a cut-off write leaves the former one whole."""
        state = {
            "student": self.student.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "seconds": self.seconds,
            "recipe": asdict(self.recipe),
        }
        torch.save(state, self.folder / "last.part")
        (self.folder / "last.part").rename(self.folder / "last.pt")

    def snapshot(self) -> None:
        """Keep the weights of this step for the evolution view."""
        half = {k: v.half() if v.is_floating_point() else v for k, v in self.weights().items()}
        torch.save(half, self.folder / f"step-{self.step:06d}.pt")

    def weights(self) -> dict[str, Tensor]:
        """The network's state, without the hints that only training needs."""
        return {k: v.detach().cpu() for k, v in self.student.net.state_dict().items()}

    def advance(self, progress: float) -> dict[str, float]:
        """Take one step, so far into the schedule (0 to 1); return its losses."""
        start = time.monotonic()
        recipe, student = self.recipe, self.student
        size = recipe.size_at(progress)
        fine, coarse = student.sides(size)
        shown = self.shards.shown(self.step, seed=recipe.seed, count=recipe.batch, size=size)
        batch = shown.batch((student.kind.fine, fine), (student.kind.coarse, coarse))
        for name, value in vars(batch).items():
            setattr(batch, name, value.to(self.device))
        inputs = batch.inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            outputs = student(inputs)
        terms = losses(outputs, batch, recipe.temperature)
        terms["unlike"] = alikeness(student.net.get_parameter("conv1.weight"))
        total = (
            terms["kl"]
            + recipe.fine * terms["fine"]
            + recipe.coarse * terms["coarse"]
            + recipe.unlike * terms["unlike"]
        )
        rate = recipe.rate_at(progress)
        for optimiser in self.optimisers:
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["lr"] = rate * group.get("share", 1.0)
        total.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        first, later, rest = self.optimisers
        (first if progress < recipe.adam_from else later).step()
        rest.step()
        clip_radius(student.net)
        smooth(student.net.get_parameter("conv1.weight"), recipe.conv1_smooth * rate)
        self._recent.append({name: term.item() for name, term in terms.items()})
        self.step += 1
        # Only time spent on steps counts, so that examining and saving shorten no run.
        self.seconds += time.monotonic() - start
        return self._recent[-1]

    def begin(self, exam: Exam | None) -> None:
        """Make ready for steps; keep and examine the untrained network."""
        self.student.train()
        if self.step == 0:
            self.snapshot()
            self.log(exam)

    def log(self, exam: Exam | None) -> None:
        """Write down the mean losses since the last time, and the agreement on the exam."""
        names = self._recent[0] if self._recent else ()
        means = {name: float(np.mean([r[name] for r in self._recent])) for name in names}
        self._recent.clear()
        entry: dict[str, float] = {"step": self.step, "seconds": round(self.seconds, 1), **means}
        if exam is not None:
            guess = answers(self.student.net, exam.crops, size=160)
            entry["top1"], entry["top5"] = agreement(guess, exam.logits)
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(entry) + "\n")


def train(
    runs: Sequence[Run], exam: Exam | None = None, every: int = 400, save_s: float = 150.0
) -> None:
    """Train networks of one recipe to its end, a step of each in turn, under one clock.

    So all take the same steps at the same sizes and rates on the same crops, however busy the
    machine is. Logs and saves on the way; does nothing where the end is reached already.
    """
    recipe = runs[0].recipe
    torch.set_num_threads(recipe.threads)
    for run in runs:
        run.shards = runs[0].shards  # a step's crops are read and scaled once for all
        run.begin(exam)

    def progress() -> float:
        return recipe.progress(min(r.step for r in runs), sum(r.seconds for r in runs))

    bar = tqdm(total=1000, desc="train", unit="permille", mininterval=5)
    saved = time.monotonic()
    while (before := progress()) < 1:
        # Runs cut off between two saves stand apart: those behind go first.
        behind = min(run.step for run in runs)
        turn = [run for run in runs if run.step == behind]
        for run in turn:
            run.advance(before)
        after = progress()
        bar.update(round(1000 * after) - bar.n)
        for run in turn:
            if any(before < share <= after for share in recipe.kept):
                run.snapshot()
            if run.step % every == 0 or after >= 1:
                run.log(exam)
        if after >= 1 or time.monotonic() - saved > save_s:
            for run in runs:
                run.save()
            saved = time.monotonic()
    bar.close()
