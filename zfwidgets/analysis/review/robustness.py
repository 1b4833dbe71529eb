"""Does a decision survive small changes of the picture, and may projections be believed?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.faithfulness import Faithfulness, faithfulness
from zfwidgets.analysis.invariance import Trial
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.transforms import UNITS, Transform
from zfwidgets.analysis.untrained import drawn_anew
from zfwidgets.deconv import DeconvNet, Recording

STAYS = 0.75
"""A small change should leave at least this share of the decisions as they are."""

ENOUGH = 5
"""Fewer neurons cannot differ significantly, even if all of them do."""

MOVED = 0.5
"""Where there are no decisions: features should move by less than this share of their length."""


@dataclass(frozen=True, slots=True, repr=False)
class Change(Result):
    """One transform over V values: none, a small one, twice and four times that.

    stays: Tensor [V], share of the decisions that stay, None without decisions. moved: Tensor [V],
    median distance of the features of `layer` as a share of their length.
    """

    transform: str
    words: str
    values: tuple[float, ...]
    stays: Tensor | None
    moved: Tensor
    layer: str

    @property
    def small(self) -> float:
        """What is judged: the share that stays at the small change, or that features keep."""
        kept = self.stays if self.stays is not None else 1 - self.moved
        return float(kept[1])

    @property
    def holds(self) -> bool:
        """Whether that is enough."""
        return self.small >= (STAYS if self.stays is not None else 1 - MOVED)


def changes(
    net: DeconvNet, inputs: Tensor, *, batch: int, progress: bool
) -> tuple[tuple[Change, ...], str]:
    """Prepared pictures [B, C, H, W] moved, scaled, turned, made brighter and blurred.

    Each by nothing, by a small amount, twice and four times that. Where the preparation cannot say
    what grey, black and white are, only geometry is tried, and the second result says so.
    """
    side = min(inputs.shape[2:])
    step, blur = max(1, round(side / 16)), max(0.5, side / 224)
    tried: tuple[tuple[Transform, str, tuple[float, ...]], ...] = (
        ("translation", f"moved down by {step} px", (0, step, 2 * step, 4 * step)),
        ("scale", "made 1.1 times larger", (1, 1.1, 1.2, 1.4)),
        ("rotation", "turned by 5 degrees", (0, 5, 10, 20)),
        ("brightness", "made brighter by a tenth", (0, 0.1, 0.2, 0.4)),
        ("blur", f"blurred by {blur:.2g} px", (0, blur, 2 * blur, 4 * blur)),
    )
    result, note = [], ""
    for transform, words, values in tqdm(
        tried, desc="changes", unit="change", disable=not progress
    ):
        try:
            trial = Trial(net, inputs, transform, fill="mean", batch=batch)
        except ValueError as error:
            note = f"{transform} was not tried: {error}"
            continue
        moved = [trial.at(float(value)) for value in values[1:]]
        found = trial.result(values[1:], moved)
        stays = None
        if trial.chances is not None and trial.chances.shape[1] > 1:
            before = trial.chances.argmax(1)
            kept = [
                (each.chances.argmax(1) == before).float().mean()
                for each in moved
                if each.chances is not None
            ]
            stays = torch.stack([torch.ones(()), *kept])
        distance = torch.cat([torch.zeros(1), found.relative[-1].nanmedian(0).values])
        result.append(Change(transform, words, values, stays, distance, found.layers[-1]))
    return tuple(result), note


def unit(transform: str) -> str:
    """What a value counts."""
    return UNITS[transform]


@dataclass(frozen=True, slots=True, repr=False)
class Control(Result):
    """The same neurons in the network and in a copy of it that has learned nothing.

    trained, untrained: see `Faithfulness`, a row per channel of `layer`.
    """

    layer: str
    trained: Faithfulness
    untrained: Faithfulness

    @property
    def advantage(self) -> Tensor:
        """How much more painting over the projection takes away than random pixels: [N]."""
        return self.trained.drop - self.trained.drop_elsewhere

    @property
    def better(self) -> int:
        """In how many channels it takes away more."""
        return int((self.advantage > 0).sum())

    @property
    def chance(self) -> float:
        """Of as many by chance alone (one-sided sign test)."""
        n = int(self.advantage.isfinite().sum())
        return sum(math.comb(n, k) for k in range(self.better, n + 1)) / 2**n

    @property
    def significant(self) -> bool:
        """Whether that is more than chance."""
        return self.chance < 0.05

    @property
    def holds(self) -> bool:
        """Projections matter more than random pixels, and more than without learning."""
        mine, other = (
            median(self.advantage),
            median(self.untrained.drop - self.untrained.drop_elsewhere),
        )
        return self.significant and not mine <= other


def median(values: Tensor) -> float:
    """Of those that are numbers; NaN of none."""
    return float(values.nanmedian()) if len(values) else float("nan")


def control(
    net: DeconvNet,
    inputs: Tensor,
    layer: str,
    channels: Sequence[int],
    *,
    progress: bool,
) -> Control:
    """Faithfulness of channels' strongest neurons, one picture of `inputs` [N, C, H, W] for each.

    Beside it the same channels in the same pictures with the weights drawn anew.
    """
    trained = _faithful(net.record(inputs), layer, channels, progress)
    return Control(layer, trained, _faithful(untrained(net).record(inputs), layer, channels, False))


def _faithful(
    recording: Recording, layer: str, channels: Sequence[int], progress: bool
) -> Faithfulness:
    found = recording.strongest(layer, list(channels))
    # Picture by picture, channel by channel: the diagonal.
    own = found[[i * len(channels) + i for i in range(len(channels))]]
    return faithfulness(recording, recording.project(own), neighbours=4, progress=progress)


def untrained(net: DeconvNet, seed: int = 2013) -> DeconvNet:
    """The same architecture with weights drawn anew, by each module's own way of doing so."""
    return net.with_model(drawn_anew(net.model, seed), f"{net.name}, untrained")
