"""Single decisions looked into: what speaks for the answer, and what happens when it is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.evidence import Evidence, evidence
from zfwidgets.analysis.occlusion import Occlusion, occlusion
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.review.decisions import Decisions
from zfwidgets.analysis.review.shelf import Pixels, Shelf
from zfwidgets.deconv import DeconvNet, Recording

SHOWN = 4
"""Decisions that are looked into."""

_SQUARE, _STEP = 4, 8
"""The square that hides is a quarter of the picture's side, and moves by an eighth."""


@dataclass(frozen=True, slots=True, repr=False)
class Case(Result):
    """One decision. answer: what the network says, rival: the truth, or the second most probable.

    probability, of_rival: of both. photo: uint8 [H, W, 3]. evidence: for the answer rather than
    the rival; None where there is no exact account, `why_not` says why. occlusion: of the answer's
    probability.
    """

    id: str
    answer: str
    rival: str
    wrong: bool
    probability: float
    of_rival: float
    photo: Pixels
    evidence: Evidence | None
    why_not: str
    occlusion: Occlusion

    @property
    def hidden(self) -> float:
        """The lowest probability of the answer with one place hidden."""
        return float(self.occlusion.probability.min())

    @property
    def instead(self) -> str:
        """The class that wins when that place is hidden."""
        place = int(self.occlusion.probability.argmin())
        return self.occlusion.name(int(self.occlusion.most_probable.flatten()[place]))

    @property
    def lost(self) -> Tensor:
        """Probability that is lost where the square hides a pixel, averaged: [H, W]."""
        found = self.occlusion
        total = torch.zeros(found.height, found.width)
        times = torch.zeros_like(total)
        drop = (found.clean_probability - found.probability).flatten().tolist()
        for (top, left, bottom, right), value in zip(
            found.boxes.flatten(0, 1).tolist(), drop, strict=True
        ):
            total[top:bottom, left:right] += value
            times[top:bottom, left:right] += 1
        return total / times.clamp_min(1)


@dataclass(frozen=True, slots=True, repr=False)
class ClassExamples(Result):
    """A class's most certain decisions, right ones and wrong ones.

    Each: id, probability of the answer, the answer, the picture as uint8 [H, W, 3].
    """

    name: str
    pictures: int
    correct: int
    right: tuple[tuple[str, float, str, Pixels], ...]
    wrong: tuple[tuple[str, float, str, Pixels], ...]


def examples(
    shelf: Shelf, decisions: Decisions, number: int = 3, each: int = 3
) -> tuple[ClassExamples, ...]:
    """Classes that are taken for others, then those of the largest share of errors, then others.

    Of classes with no right decision there is nothing to compare; they come last; classes
    of one picture do not come at all.
    """
    taken = {one.truth: -one.count for one in decisions.mostly_taken()}

    def first(one: tuple[int, int, int]) -> tuple[bool, float, int, int]:
        label, pictures, right = one
        mixed = 0 < right < pictures
        return not mixed, taken.get(decisions.classes.name(label), 0), right - pictures, label

    several = [one for one in decisions.per_class() if one[1] > 1]
    chosen = sorted(several, key=first)[:number]
    result = []
    for label, pictures, right in chosen:
        rows = []
        for correct in (True, False):
            places = decisions.examples(label, correct, each)
            shown = shelf.thumbnails([decisions.ids[place] for place in places]) if places else ()
            rows.append(
                tuple(
                    (
                        decisions.ids[place],
                        float(decisions.probability[place]),
                        decisions.classes.name(int(decisions.answer[place])),
                        pixels,
                    )
                    for place, pixels in zip(places, shown, strict=True)
                )
            )
        result.append(ClassExamples(decisions.classes.name(label), pictures, right, *rows))
    return tuple(result)


def look_into(
    net: DeconvNet,
    shelf: Shelf,
    decisions: Decisions,
    number: int = SHOWN,
    *,
    batch: int,
    progress: bool,
) -> tuple[Case, ...]:
    """The most certain errors; without labels, the least certain decisions."""
    places = decisions.worst(number)
    bar = tqdm(places, desc="decisions looked into", unit="picture", disable=not progress)
    return tuple(_case(net, shelf, decisions, place, batch) for place in bar)


def _case(net: DeconvNet, shelf: Shelf, decisions: Decisions, place: int, batch: int) -> Case:
    name = decisions.ids[place]
    recording = net.record(shelf.inputs([name]))
    answer, truth = int(decisions.answer[place]), int(decisions.truth[place])
    rival = truth if truth >= 0 and truth != answer else int(decisions.second[place])
    of_rival = decisions.of_truth if rival == truth else decisions.runner_up
    account, why_not = _account(recording, answer, rival)
    height, width = recording.inputs.shape[2:]
    side = max(1, min(height, width) // _SQUARE)
    step = max(1, min(height, width) // _STEP)
    hidden = occlusion(
        net,
        recording.inputs,
        size=side,
        stride=step,
        fill="mean",
        layer=last_maps(recording),
        label=answer,
        batch=batch,
        progress=False,
    )
    return Case(
        id=name,
        answer=decisions.classes.name(answer),
        rival=decisions.classes.name(rival),
        wrong=truth >= 0 and truth != answer,
        probability=float(decisions.probability[place]),
        of_rival=float(of_rival[place]),
        photo=recording.seen()[0],
        evidence=account,
        why_not=why_not,
        occlusion=hidden,
    )


def _account(recording: Recording, answer: int, rival: int) -> tuple[Evidence | None, str]:
    try:
        other = rival if rival != answer else None
        layer = last_maps(recording)
        return evidence(recording, answer, versus=other, layer=layer, channels=1), ""
    except (ValueError, RuntimeError) as error:
        return None, str(error)


def last_maps(recording: Recording) -> str:
    """The last layer with weights whose maps have places; else the last with places; else any."""
    layers = list(recording.layers.values())
    placed = [layer for layer in layers if layer.height * layer.width > 1]
    weighted = [layer for layer in placed if layer.kind == "conv"]
    return (weighted or placed or layers)[-1].name


def over(photo: Pixels, values: Tensor) -> Pixels:
    """Signed values [h, w] over a grey photo: orange above zero, blue below."""
    height, width = photo.shape[:2]
    smooth = F.interpolate(
        values[None, None].float(), (height, width), mode="bilinear", align_corners=False
    )
    smooth = _blurred(smooth, min(height, width) // 16)[0, 0]
    strength = (smooth / smooth.abs().max().clamp_min(1e-12)).numpy()[..., None]
    blue, orange = np.array([0.0, 0.447, 0.698]), np.array([0.902, 0.5, 0.0])  # Okabe & Ito 2008
    grey = photo.astype(np.float64).mean(2, keepdims=True) / 255 * 0.8 + 0.1
    colour = np.where(strength > 0, orange, blue)
    share = np.abs(strength) * 0.85
    mixed = grey * (1 - share) + colour * (0.3 + grey) * share
    return np.rint(mixed.clip(0, 1) * 255).astype(np.uint8)


def lit(photo: Pixels, projection: Pixels) -> Pixels:
    """The photo, bright where a projection [H, W, 3] around mid-grey shows something."""
    strength = torch.from_numpy(projection).float().sub(128).abs().amax(2)[None, None]
    blurred = _blurred(strength, min(photo.shape[:2]) // 12)[0, 0]
    share = (blurred / blurred.max().clamp_min(1e-12)).sqrt().numpy()[..., None]
    return np.rint(photo * (0.16 + 0.84 * share)).astype(np.uint8)


def _blurred(values: Tensor, side: int) -> Tensor:
    """Three means over squares of about this side, one after the other, are nearly a Gaussian."""
    side |= 1
    for _ in range(3):
        values = F.avg_pool2d(values, side, 1, side // 2, count_include_pad=False)
    return values


def contributions(
    net: DeconvNet, shelf: Shelf, ids: Sequence[str], *, progress: bool
) -> tuple[str, Tensor] | None:
    """Layer, and by channel [C] how much it moves the decisions: mean |contribution| to the score.

    None where no exact account of scores exists.
    """
    total, layer = None, ""
    for name in tqdm(ids, desc="contributions", unit="image", disable=not progress):
        recording = net.record(shelf.inputs([name]))
        try:
            found = evidence(recording, channels=0, layer=last_maps(recording))
        except (ValueError, RuntimeError):
            return None
        layer = found.layer
        total = found.by_channel.abs() if total is None else total + found.by_channel.abs()
    return None if total is None else (layer, total / len(ids))
