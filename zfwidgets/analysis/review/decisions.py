"""What a network decides on every picture, and how often that is right."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.result import Result
from zfwidgets.analysis.review.labels import Classes
from zfwidgets.analysis.scanning.checkpoint import (
    OTHER_VERSION,
    check_alike,
    first_look,
    glance,
    provenance,
    read,
    write,
)
from zfwidgets.analysis.stream import Batch, Images, Item, count, groups, labelled, loaded
from zfwidgets.deconv import DeconvNet

_FORMAT = "zfwidgets decisions in progress 2"
_SAVE_SECONDS = 3.0
_COLUMNS = ("truth", "answer", "second", "rank", "probability", "runner_up", "of_truth")

FEW = 5
"""Classes with fewer pictures are not judged one by one."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A class that is mostly taken for another one: `count` of its `pictures`."""

    truth: str
    answer: str
    count: int
    pictures: int

    def __str__(self) -> str:
        return f"{self.truth} is taken for {self.answer} in {self.count} of {self.pictures}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Decisions(Result):
    """Answers to N pictures. All Tensors are [N].

    ids: of the pictures. truth: class of each, -1 where it is not known. answer, second: the two
    most probable classes; probability, runner_up: theirs (softmax). rank: how many classes come
    before the truth, of_truth: its probability; -1 and NaN where it is not known. Classes come in
    the order of their scores, and of equal scores the lower number first.

    layer: whose channels are compared between right and wrong decisions. responses: Tensor
    [2, 3, C], of right and of wrong ones how many, and the sums of a channel's strongest activation
    in a picture and of its square.
    """

    classes: Classes
    ids: tuple[str, ...]
    truth: Tensor
    answer: Tensor
    second: Tensor
    rank: Tensor
    probability: Tensor
    runner_up: Tensor
    of_truth: Tensor
    layer: str
    responses: Tensor

    @property
    def apart(self) -> Tensor:
        """By how many standard errors a channel is stronger in wrong decisions (Welch's t): [C].

        NaN where there are fewer than two right or two wrong ones.
        """
        count, total, square = self.responses.unbind(1)
        mean = total / count
        variance = (square / count - mean.square()).clamp_min(0) * count / (count - 1)
        error = (variance / count).sum(0).sqrt()
        t = (mean[1] - mean[0]) / error.clamp_min(1e-12)
        return t.masked_fill((count < 2).any(0), float("nan"))

    @property
    def known(self) -> Tensor:
        """BoolTensor [N]: pictures whose class is known."""
        return self.truth >= 0

    @property
    def labelled(self) -> int:
        """How many pictures have a class that the network knows."""
        return int(self.known.sum())

    @property
    def right(self) -> int:
        """How many of them are decided right."""
        return int((self.rank == 0).sum())

    @property
    def among_five(self) -> int:
        """How many of them have their class among the five most probable."""
        return int(((self.rank >= 0) & (self.rank < 5)).sum())

    @property
    def accuracy(self) -> float:
        """Share of right decisions; NaN without labels."""
        return self.right / self.labelled if self.labelled else float("nan")

    def per_class(self) -> list[tuple[int, int, int]]:
        """(class, its pictures, how many are right), in order."""
        found = []
        for label in self.truth[self.known].unique().tolist():
            here = self.truth == label
            found.append((label, int(here.sum()), int((self.rank[here] == 0).sum())))
        return found

    def mostly_taken(self, least: int = FEW) -> list[Taken]:
        """Classes of `least` pictures or more, over half of which are taken for one other class."""
        found = []
        for label, pictures, _ in self.per_class():
            if pictures < least:
                continue
            answers = self.answer[self.truth == label]
            most = answers.mode().values
            times = int((answers == most).sum())
            if int(most) != label and times > pictures / 2:
                names = self.classes.name(label), self.classes.name(int(most))
                found.append(Taken(*names, times, pictures))
        return found

    def swapped(self, least: int = FEW) -> list[tuple[Taken, Taken]]:
        """Pairs of classes that are mostly taken for each other."""
        by_name = {one.truth: one for one in self.mostly_taken(least)}
        return [
            (one, by_name[one.answer])
            for one in by_name.values()
            if one.answer in by_name
            and by_name[one.answer].answer == one.truth
            and one.truth < one.answer
        ]

    def examples(self, label: int, right: bool, number: int) -> list[int]:
        """The places of a class's most certain decisions, right or wrong ones."""
        here = ((self.truth == label) & ((self.rank == 0) == right)).nonzero().flatten()
        order = self.probability[here].argsort(descending=True, stable=True)
        found: list[int] = here[order][:number].tolist()
        return found

    def worst(self, number: int) -> list[int]:
        """The places of the most certain errors; without labels, of the least certain decisions.

        Of each answer one, as long as there are others.
        """
        if self.labelled:
            wrong = (self.rank > 0).nonzero().flatten()
            order = wrong[self.probability[wrong].argsort(descending=True, stable=True)].tolist()
        else:
            order = (self.probability - self.runner_up).argsort(stable=True).tolist()
        first: dict[int, int] = {}
        for place in order:
            first.setdefault(int(self.answer[place]), place)
        chosen = list(first.values())[:number]
        return chosen + [place for place in order if place not in chosen][: number - len(chosen)]


SIGNIFICANT = 4.0
"""Standard errors; of 1000 channels without any difference one in 16 reviews would show one."""


def apart(decisions: Decisions, number: int = 3) -> list[int]:
    """Channels that are clearly stronger in wrong decisions, then those in right ones."""
    t = decisions.apart.nan_to_num(0)
    order = t.argsort(descending=True).tolist()
    more = [channel for channel in order if float(t[channel]) > SIGNIFICANT]
    less = [channel for channel in reversed(order) if float(t[channel]) < -SIGNIFICANT]
    return more[:number] + less[:number]


def interval(right: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z, p = 1.96, right / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


@torch.no_grad()
def decide(
    net: DeconvNet,
    images: Images,
    classes: Classes,
    labels: Iterable[Hashable | None] | None,
    layer: str,
    *,
    batch: int,
    checkpoint: Path | None,
    progress: bool,
) -> Decisions:
    """One pass over the pictures. layer: whose channels are compared between right and wrong.

    checkpoint: a file that the same call goes on from.

    Raises ValueError for scores that are NaN or infinite, and for a checkpoint of other images or
    labels.
    """
    file = None if checkpoint is None else _File(checkpoint, net, layer)
    channels = net.layers[layer].channels
    ids, columns, responses = _nothing(channels)
    following = chain.from_iterable(labelled(images, batch, labels))
    if file is not None and (first := list(islice(following, batch))):
        look, following = first_look(net, first), chain(first, following)
        ids, columns, responses = file.load(channels, look, following, classes)
    saved = time.monotonic()
    with tqdm(total=count(images), desc="decisions", unit="image", disable=not progress) as bar:
        bar.update(len(ids))
        for group in groups(following, batch):
            part = loaded(net, group)
            recording = net.record(part.inputs)
            logits = recording.logits
            assert logits is not None
            if not bool(logits.isfinite().all()):
                raise ValueError(
                    f"{net.name} gives scores that are NaN or infinite on {part.ids[0]!r} and the "
                    "pictures after it; expected finite ones."
                )
            truth = torch.tensor([classes.number(label) for label in part.labels])
            right = _add(columns, logits.float().cpu(), truth)
            peaks = recording.feature_maps(layer).amax((2, 3)).cpu().double()
            for index, some in enumerate((right, ~right & (truth >= 0))):
                mine = peaks[some]
                number = torch.full((channels,), float(len(mine)), dtype=torch.double)
                responses[index] += torch.stack([number, mine.sum(0), mine.square().sum(0)])
            ids += part.ids
            bar.update(len(group))
            if file is not None and time.monotonic() - saved > _SAVE_SECONDS:
                file.save(ids, columns, responses)
                saved = time.monotonic()
    if file is not None:
        file.save(ids, columns, responses)
    whole = {name: torch.tensor(values) for name, values in columns.items()}
    return Decisions(classes, tuple(ids), **whole, layer=layer, responses=responses)


_Known = tuple[list[str], dict[str, list[float]], Tensor]
"""Ids, columns and responses so far."""


def _nothing(channels: int) -> _Known:
    return [], {name: [] for name in _COLUMNS}, torch.zeros(2, 3, channels, dtype=torch.double)


def _add(columns: dict[str, list[float]], logits: Tensor, wanted: Tensor) -> Tensor:
    """Decisions on a batch; which of them are right, BoolTensor [B]."""
    chances, unknown = logits.softmax(1), wanted < 0
    # By the scores: rounded to probabilities more of them are equal. A tie is not a right answer.
    order = logits.argsort(dim=1, descending=True, stable=True)
    best = order[:, [0, min(1, order.shape[1] - 1)]]
    probable, truth = chances.gather(1, best), wanted.clamp_min(0)[:, None]
    rank = (order == truth).int().argmax(1).masked_fill(unknown, -1)
    new = {
        "truth": wanted,
        "answer": best[:, 0],
        "second": best[:, 1],
        "rank": rank,
        "probability": probable[:, 0],
        "runner_up": probable[:, 1],
        "of_truth": chances.gather(1, truth)[:, 0].masked_fill(unknown, float("nan")),
    }
    for name, values in new.items():
        columns[name] += values.tolist()
    return rank == 0


class _File:
    """The decisions so far; of the same network and the same pictures, or it is refused."""

    def __init__(self, path: Path, net: DeconvNet, layer: str) -> None:
        self._path = path
        self._origin = {"format": _FORMAT, "layer": layer, **provenance(net)}
        self._glance = torch.zeros(0)

    def load(
        self, channels: int, look: Batch, following: Iterator[Item], classes: Classes
    ) -> _Known:
        """What is in the file, if there is one; takes off `following` what it has seen.

        look: the first of the images.
        """
        self._glance = glance(look)
        if not self._path.exists():
            return _nothing(channels)
        tensors, header = read(self._path, "decisions", _FORMAT, OTHER_VERSION)
        for name, value in self._origin.items():
            if header.get(name) != value:
                raise ValueError(
                    f"{self._path} is of another review: {name} is {header.get(name)} there and "
                    f"{value} here. Ask for the same again, or give another checkpoint."
                )
        ids: list[str] = json.loads(header["ids"])
        before = list(islice(following, len(ids)))
        if [item.id for item in before] != ids:
            raise ValueError(
                f"{self._path} is of other images: expected the {len(ids)} that it has seen, under "
                "the same names and in the same order, before any others."
            )
        check_alike(self._path, self._glance, tensors["glance"])
        columns = {name: tensors[name].tolist() for name in _COLUMNS}
        # Labels that come with the pictures are known of those that were looked at alone.
        own = zip(look.labels, columns["truth"], strict=False)
        given = [
            (item.labels[0], truth)
            for item, truth in zip(before, columns["truth"], strict=True)
            if item.labels
        ]
        if any(classes.number(label) != truth for label, truth in chain(own, given)):
            raise ValueError(
                f"{self._path} is of other labels: expected those that the {len(ids)} images had "
                "that it has seen. Give them again, or another checkpoint."
            )
        return ids, columns, tensors["responses"]

    def save(self, ids: list[str], columns: dict[str, list[float]], responses: Tensor) -> None:
        tensors = {name: torch.tensor(values) for name, values in columns.items()}
        tensors |= {"responses": responses, "glance": self._glance}
        write(self._path, tensors, {**self._origin, "ids": json.dumps(ids)})
