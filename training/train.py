"""Trains students side by side on the same crops, with checkpoints to go on from."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from training.data import Batch, Lessons
from training.export import EVOLVING
from training.student import (
    Student,
    alike_below,
    alikeness,
    clip_radius,
    head_start,
    losses,
    sent_back,
    smooth,
)
from training.teacher import has_bfloat16, normalised, quick

TERMS = ("kl", "fine", "coarse", "unlike", "apart")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run; written beside its weights.

    Training lasts `steps`, or `minutes` for all networks together where that is over sooner: the
    schedule then follows the clock, so that a busy machine gives shorter but fully annealed runs.
    """

    steps: int = 20_000
    minutes: float | None = None
    batch: int = 256
    sizes: tuple[tuple[float, int], ...] = ((0.5, 128), (0.92, 160), (1.0, 224))
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    shift_decay: float = 0.5  # of bn1's biases: no channel shifts itself to where it is silent
    conv1_rate: float = 0.5  # its share of the learning rate
    conv1_decay: float = 2.8
    conv1_smooth: float = 3.0
    warm_up: float = 0.06
    temperature: float = 4.0
    balanced: float = 0.7  # power of a class's frequency that is made up for
    fine: float = 1.5
    coarse: float = 1.5
    hinted: float = 0.6  # of the run; from half of that on the hints count less and less
    unlike: float = 0.5
    apart: float = 0.1
    allowed: float = 0.1  # cosine of what two channels of conv5 send back
    teachers: tuple[int, ...] = (0,)  # of EfficientNet-Lite; of several the mean
    seed: int = 2013
    threads: int = 2
    kept: tuple[float, ...] = (0, 0.03, 0.08, 0.2, 0.5, 1)
    width: float = 1.0  # times as many maps in every layer as the paper's

    def progress(self, step: int, seconds: float) -> float:
        """How much of the run is done, 0 to 1."""
        clock = seconds / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(clock, step / self.steps))

    def size_at(self, progress: float) -> int:
        """Input pixels: small first, larger at the end."""
        return next(s for until, s in self.sizes if progress < until or until >= 1)

    def rate_at(self, progress: float) -> float:
        """Learning rate: linear warm-up, then half a cosine down to nothing."""
        return rate_at(progress, self.learning_rate, self.warm_up)

    def hints_at(self, progress: float) -> float:
        """What the hints count, 1 to 0: late in a run they hold the answers back."""
        return min(1.0, max(0.0, 2 - 2 * progress / self.hinted))


def rate_at(progress: float, peak: float, warm_up: float) -> float:
    """Learning rate: linear warm-up, then half a cosine down to nothing."""
    if progress < warm_up:
        return peak * max(progress / warm_up, 0.02)
    phase = (progress - warm_up) / (1 - warm_up)
    return peak * 0.5 * (1 + math.cos(math.pi * phase))


@dataclass
class Exam:
    """Held-out crops uint8 [N,S,S,3], the teacher's logits [N,K], and true classes [N] if known."""

    crops: np.ndarray
    logits: Tensor
    labels: Tensor | None = None


def normal(crops: np.ndarray | Tensor, device: torch.device | str = "cpu") -> Tensor:
    """uint8 crops [N,S,S,3] to network inputs [N,3,S,S]."""
    pixels = torch.from_numpy(np.array(crops)).to(device).permute(0, 3, 1, 2).float() / 255
    return normalised(pixels)


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
        with quick(device):
            parts.append(net(inputs.contiguous(memory_format=torch.channels_last)).float().cpu())
    net.train(training)
    return torch.cat(parts)


def right(guess: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Which of N guesses [N,K] name the class [N] first, and which among their five."""
    five = guess.topk(min(5, guess.shape[1])).indices == truth[:, None]
    return five[:, 0], five.any(1)


def accuracy(guess: Tensor, truth: Tensor) -> tuple[float, float]:
    """Share of guesses [N,K] that name the class [N] first, and among their five."""
    first, five = right(guess, truth)
    return first.float().mean().item(), five.float().mean().item()


def agreement(guess: Tensor, teacher: Tensor) -> tuple[float, float]:
    """Share of crops whose teacher's first choice is the student's first, and among its five."""
    return accuracy(guess, teacher.argmax(1))


@torch.no_grad()
def silent_channels(net: nn.Module, crops: np.ndarray, batch: int = 64) -> int:
    """How many channels of conv1 answer to none of uint8 crops [N,S,S,3]."""
    training, device = net.training, next(net.parameters()).device
    net.eval()
    strongest = torch.zeros((), device=device)
    for i in range(0, len(crops), batch):
        maps = normal(crops[i : i + batch], device)
        for name in ("conv1", "bn1", "relu1"):
            maps = net.get_submodule(name)(maps)
        strongest = torch.maximum(strongest, maps.amax((0, 2, 3)))
    net.train(training)
    return int((strongest <= 0).sum())


def distance(guess: Tensor, teacher: Tensor) -> float:
    """Mean Kullback-Leibler divergence of the student's answers from the teacher's, in nats."""
    target, found = teacher.log_softmax(1), guess.log_softmax(1)
    return nn.functional.kl_div(found, target, reduction="batchmean", log_target=True).item()


def examined(net: nn.Module, exam: Exam) -> dict[str, float]:
    """A line of a run's log: what a network answers at 160 px, and conv1's silent channels."""
    guess = answers(net, exam.crops, size=160)
    entry: dict[str, float] = {}
    entry["top1"], entry["top5"] = agreement(guess, exam.logits)
    entry["distance"] = distance(guess, exam.logits)
    if exam.labels is not None:
        entry["label1"], entry["label5"] = accuracy(guess, exam.labels)
    entry["silent"] = silent_channels(net, exam.crops[:256])
    return entry


def machine(device: torch.device, threads: int) -> str:
    """What steps run on, for the model card."""
    what = "one CPU core" if threads == 1 else f"{threads} CPU cores"
    if device.type == "cuda":
        what = f"one GPU ({torch.cuda.get_device_name(device)})"
    return f"{what}, {'bfloat16' if has_bfloat16(device) else 'single precision'}"


class Replays:
    """Runs a function of a batch as a CUDA graph, one for each size of input.

    Its some hundred kernels are so short that launching them one by one takes longer than they do.
    """

    def __init__(self, learn: Callable[[Batch], Tensor], warm_up: int = 3) -> None:
        self.learn, self.warm_up = learn, warm_up
        self._times: Counter[int] = Counter()
        self._graphs: dict[int, tuple[torch.cuda.CUDAGraph, Batch, Tensor]] = {}
        self._stream = torch.cuda.Stream()
        self._done: torch.cuda.Event | None = None

    def __call__(self, batch: Batch) -> Tensor:
        """Like `learn(batch)`; the first few times that is what happens, on a stream apart."""
        if self._done is not None:
            self._done.synchronize()  # no more than a step ahead, so that the clock is right
        size = batch.inputs.shape[-1]
        self._times[size] += 1
        if self._times[size] <= self.warm_up:
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                found = self.learn(batch)
            torch.cuda.current_stream().wait_stream(self._stream)
        else:
            if size not in self._graphs:
                graph = torch.cuda.CUDAGraph()
                own = Batch(*(part.clone() for part in vars(batch).values()))
                with torch.cuda.graph(graph):
                    held = self.learn(own)
                self._graphs[size] = graph, own, held
            graph, own, held = self._graphs[size]
            for name, value in vars(batch).items():
                getattr(own, name).copy_(value)
            graph.replay()
            found = held.clone()
        self._done = torch.cuda.Event()
        self._done.record()
        return found


class Journal:
    """What a run writes into its folder: last.pt, to go on from, and log.jsonl."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._last, self._log = folder / "last.pt", folder / "log.jsonl"

    @property
    def began(self) -> bool:
        """Whether there is something to go on from."""
        return self._last.exists()

    def save(
        self, student: Mapping[str, Tensor], optimiser: torch.optim.Optimizer, step: int, s: float
    ) -> None:
        """Write the checkpoint after `s` seconds of steps; a cut-off write leaves the former."""
        state = {
            "student": student,
            "optimiser": optimiser.state_dict(),
            "step": step,
            "seconds": s,
        }
        part = self._last.with_suffix(".part")
        torch.save(state, part)
        part.rename(self._last)

    def saved(self, device: torch.device | str = "cpu") -> dict[str, Any]:
        """What was last saved."""
        state: dict[str, Any] = torch.load(self._last, map_location=device, weights_only=True)
        return state

    def write(self, entry: Mapping[str, float]) -> None:
        """Add a line to the log."""
        with self._log.open("a") as log:
            log.write(json.dumps(entry) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop the lines of later steps: those taken after the last save are taken again."""
        lines = self._log.read_text().splitlines(keepends=True) if self._log.exists() else []
        self._log.write_text("".join(line for line in lines if json.loads(line)["step"] <= step))


class Run:
    """One network's training in one folder: log.jsonl, last.pt, step-NNNNNN.pt."""

    def __init__(self, kind: str, recipe: Recipe, lessons: Lessons, folder: Path) -> None:
        self.recipe, self.lessons, self.folder = recipe, lessons, folder
        self.journal = Journal(folder)
        self.device = lessons.album.device
        torch.manual_seed(recipe.seed)
        self.student = Student(kind, *lessons.widths, recipe.width)
        self.student.to(self.device).to(memory_format=torch.channels_last)
        self._smoothing, self._hinting = torch.zeros(2, device=self.device).unbind()
        self._given = head_start(lessons.frequencies, recipe.balanced)
        self.optimiser = self._optimiser()
        self.replays = Replays(self._learn) if self.device.type == "cuda" else None
        self.step, self.seconds = 0, 0.0
        self._recent: list[dict[str, Tensor]] = []
        if self.journal.began:
            self._resume()

    def _optimiser(self) -> torch.optim.AdamW:
        """AdamW; conv1 has a weight decay of its own, to wash out its start."""
        recipe, net = self.recipe, self.student.net
        first = net.get_parameter("conv1.weight")
        shift = net.get_parameter("bn1.bias")
        apart = (first, shift)
        rest = [
            p
            for p in self.student.parameters()
            if p.requires_grad and all(p is not other for other in apart)
        ]
        groups = [
            {"params": [first], "weight_decay": recipe.conv1_decay, "share": recipe.conv1_rate},
            {"params": [shift], "weight_decay": recipe.shift_decay},
            {"params": [p for p in rest if p.ndim > 1], "weight_decay": recipe.weight_decay},
            {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
        ]
        for group in groups:  # tensors, so that a captured step reads the rate of its time
            group["lr"] = torch.tensor(recipe.learning_rate, device=self.device)
        capturable = self.device.type == "cuda"
        return torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True, capturable=capturable)

    def _resume(self) -> None:
        state = self.journal.saved(self.device)
        self.student.load_state_dict(state["student"])
        own = [(g["weight_decay"], g["capturable"]) for g in self.optimiser.param_groups]
        self.optimiser.load_state_dict(state["optimiser"])
        for group, (decay, capturable) in zip(self.optimiser.param_groups, own, strict=True):
            group["weight_decay"], group["capturable"] = decay, capturable
        self.step, self.seconds = state["step"], state["seconds"]
        self.journal.forget_after(self.step)
        for path in self.folder.glob("step-*.pt"):
            if int(path.stem.partition("-")[2]) > self.step:
                path.unlink()

    def save(self) -> None:
        """Write the checkpoint to go on from."""
        self.journal.save(self.student.state_dict(), self.optimiser, self.step, self.seconds)

    def snapshot(self) -> None:
        """Keep the weights of this step for the evolution view."""
        half = {
            name: tensor.half() if tensor.is_floating_point() else tensor
            for name, tensor in self.weights().items()
            if name.split(".")[0].replace("bn", "conv") in EVOLVING
        }
        torch.save(half, self.folder / f"step-{self.step:06d}.pt")

    def weights(self) -> dict[str, Tensor]:
        """The network's state, without the hints that only training needs."""
        return {k: v.detach().cpu() for k, v in self.student.net.state_dict().items()}

    def advance(self, progress: float) -> dict[str, Tensor]:
        """Take one step, so far into the schedule (0 to 1); return its losses."""
        start = time.monotonic()
        recipe, student = self.recipe, self.student
        size, rate = recipe.size_at(progress), recipe.rate_at(progress)
        fine, coarse = student.sides(size)
        shown = self.lessons.shown(self.step, count=recipe.batch, size=size)
        batch = shown.batch((student.kind.fine, fine), (student.kind.coarse, coarse))
        for group in self.optimiser.param_groups:
            group["lr"].fill_(rate * group.get("share", 1.0))
        self._smoothing.fill_(rate * recipe.conv1_smooth)
        self._hinting.fill_(recipe.hints_at(progress))
        found = self.replays(batch) if self.replays else self._learn(batch)
        terms = dict(zip(TERMS, found.unbind(), strict=True))
        self._recent.append(terms)
        self.step += 1
        # Only time spent on steps counts, so that examining and saving shorten no run; and not the
        # first step, in which libraries look for their fastest kernels.
        if self.step > 1:
            self.seconds += time.monotonic() - start
        return terms

    def _learn(self, batch: Batch) -> Tensor:
        """Forward, backward and update, all on the device; return the losses in order of TERMS."""
        recipe, student = self.recipe, self.student
        first = student.net.get_parameter("conv1.weight")
        self.optimiser.zero_grad()
        inputs = batch.inputs.contiguous(memory_format=torch.channels_last)
        with quick(self.device):
            outputs, maps = student(inputs), sent_back(student.net)
        terms = losses(outputs, batch, self._given, recipe.temperature)
        terms["unlike"] = alikeness(first)
        terms["apart"] = alike_below(maps, recipe.allowed)
        weights = {"kl": 1.0} | {name: getattr(recipe, name) for name in TERMS[1:]}
        for hint in ("fine", "coarse"):
            weights[hint] = weights[hint] * self._hinting
        torch.stack([weights[name] * terms[name] for name in TERMS]).sum().backward()
        nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        self.optimiser.step()
        clip_radius(student.net)
        smooth(first, self._smoothing)
        return torch.stack([terms[name].detach() for name in TERMS])

    def begin(self, exam: Exam | None) -> None:
        """Make ready for steps; keep and examine the untrained network."""
        self.student.train()
        if self.step == 0:
            self.snapshot()
            self.log(exam)

    def log(self, exam: Exam | None) -> None:
        """Write down the mean losses since the last time, and the agreement on the exam."""
        names = self._recent[0] if self._recent else ()
        means = {name: torch.stack([r[name] for r in self._recent]).mean().item() for name in names}
        self._recent.clear()
        entry: dict[str, float] = {"step": self.step, "seconds": round(self.seconds, 1), **means}
        if exam is not None:
            entry |= examined(self.student.net, exam)
        self.journal.write(entry)


def progress_of(runs: Sequence[Run]) -> float:
    """How much of their schedule is done, 0 to 1."""
    return runs[0].recipe.progress(min(r.step for r in runs), sum(r.seconds for r in runs))


def train(
    runs: Sequence[Run], exam: Exam | None = None, every: int = 400, save_s: float = 150.0
) -> None:
    """Train networks of one recipe to its end, a step of each in turn, under one clock.

    So all take the same steps at the same sizes and rates on the same crops, however busy the
    machine is. Logs and saves on the way, also where it is interrupted (SIGINT); does nothing where
    the end is reached already.
    """
    recipe = runs[0].recipe
    torch.set_num_threads(recipe.threads)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    for run in runs:
        run.lessons = runs[0].lessons  # a step's crops are cut and labelled once for all
        run.begin(exam)

    bar = tqdm(total=1000, desc="train", unit="permille", mininterval=5)
    try:
        _to_the_end(runs, exam, every, save_s, bar)
    except KeyboardInterrupt:
        for run in runs:  # the same command goes on from here
            run.save()
        raise
    finally:
        bar.close()


def _to_the_end(
    runs: Sequence[Run], exam: Exam | None, every: int, save_s: float, bar: tqdm[Any]
) -> None:
    recipe = runs[0].recipe
    saved = time.monotonic()
    while (before := progress_of(runs)) < 1:
        # Runs cut off between two saves stand apart: those behind go first.
        behind = min(run.step for run in runs)
        turn = [run for run in runs if run.step == behind]
        for run in turn:
            run.advance(before)
        after = progress_of(runs)
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
