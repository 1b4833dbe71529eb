"""What a scan knows: the strongest pictures and the sums of every layer."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zfwidgets.analysis.scanning.sums import TOTALS, Sums
from zfwidgets.analysis.scanning.top import NAMES, Top
from zfwidgets.analysis.stream import Batch, Item, loaded
from zfwidgets.deconv import DeconvNet, Recording

RUN = 4
"""Batches that are summed up from zero before they are added to the rest, see `sums`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is looked for. layers: by name, in order. k: pictures per channel; 0: none are kept.

    usage: whether sums are kept. threshold: activation above which a channel fires. batch: pictures
    at once.
    """

    layers: tuple[str, ...]
    k: int
    usage: bool
    threshold: float
    batch: int


class State:
    """What is known of the pictures `ids`, numbered as they came."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ids: list[str] = []
        self.tops: dict[str, Top] = {}
        self._total = {name: Sums() for name in plan.layers} if plan.usage else {}
        self._run = {name: Sums() for name in self._total}
        self._last = ""

    @torch.no_grad()
    def see(self, net: DeconvNet, group: Sequence[Item], deepest: str) -> None:
        """Show the network a batch and add what it made of it.

        deepest: the last of the layers that are asked for; the pass stops there.
        """
        part = loaded(net, group)
        self.add(net.record(part.inputs, upto=deepest), part)

    def add(self, recording: Recording, batch: Batch) -> None:
        """What the network made of a batch."""
        tops, run = {}, {name: sums.copy() for name, sums in self._run.items()}
        ids = [*self.ids, *batch.ids] if not self._in_order(batch.ids) else None
        for name in self.plan.layers:
            maps = recording.feature_maps(name)
            peaks = maps.amax((2, 3))
            if self.plan.k:
                top = self.tops.get(name) or Top.empty(maps.shape[1], self.plan.k, maps.device)
                tops[name] = top.with_batch(maps, peaks, len(self.ids), ids)
            if name in run:
                run[name].add(maps, peaks, batch.labels, self.plan.threshold)
        # Together at the end: an interruption must not leave layers that saw different pictures.
        self.tops, self._run = tops, run
        self._extend(batch.ids)

    def _in_order(self, names: list[str]) -> bool:
        """In the order of the ids a stable sort keeps ties right; ranks need a trip to the host."""
        return names == sorted(names) and self._last < names[0]

    def _extend(self, names: list[str]) -> None:
        self.ids += names
        self._last = max(self._last, *names)

    def end_run(self) -> None:
        """The next batch begins a new run."""
        for name, sums in self._run.items():
            self._total[name].merge(sums)
        self._run = {name: Sums() for name in self._total}

    def sums(self) -> dict[str, Sums]:
        """Of all pictures seen, by layer."""
        result = {name: sums.copy() for name, sums in self._total.items()}
        for name, sums in self._run.items():
            result[name].merge(sums)
        return result

    def merge(self, other: State) -> None:
        """Add the runs of another state, of pictures that come after."""
        ids = [*self.ids, *other.ids]
        for name, top in other.tops.items():
            mine, moved = self.tops.get(name), top.moved(len(self.ids))
            self.tops[name] = moved if mine is None else mine.merged(moved, ids)
        for name, sums in other.sums().items():
            self._total[name].merge(sums)
        self._extend(other.ids)

    def tensors(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Everything as named tensors and texts, for a file or another process; runs are ended."""
        tensors: dict[str, Tensor] = {}
        labels: dict[str, list[tuple[Hashable, int]]] = {}
        for name, top in self.tops.items():
            for part, tensor in zip(NAMES, top.tensors(), strict=True):
                tensors[f"{name}/top/{part}"] = tensor.cpu().contiguous()
        for name, sums in self.sums().items():
            if sums.peak is None:
                continue
            tensors[f"{name}/peak"] = sums.peak.cpu()
            for part, tensor in sums.totals.items():
                tensors[f"{name}/sum/{part}"] = tensor.cpu()
            for index, (total, _) in enumerate(sums.classes.values()):
                tensors[f"{name}/class/{index}"] = total.cpu()
            labels[name] = [(label, count) for label, (_, count) in sums.classes.items()]
        return tensors, {"seen": str(len(self.ids)), "labels": json.dumps(_plain(labels))}

    @staticmethod
    def of_tensors(
        plan: Plan,
        tensors: dict[str, Tensor],
        texts: dict[str, str],
        ids: list[str],
        device: torch.device,
    ) -> State:
        """What `tensors` gave, of the pictures `ids`, on the device."""
        state, there = State(plan), {name: tensor.to(device) for name, tensor in tensors.items()}
        state._extend(ids)
        if plan.k:
            for name in plan.layers:
                state.tops[name] = Top(*(there[f"{name}/top/{part}"] for part in NAMES))
        for name, counts in json.loads(texts["labels"]).items():
            parts = {key.removeprefix(f"{name}/sum/"): tensor for key, tensor in there.items()}
            totals = {part: parts[part] for part in TOTALS}
            classes = {
                label: (there[f"{name}/class/{index}"], number)
                for index, (label, number) in enumerate(counts)
            }
            state._total[name] = Sums(len(ids), there[f"{name}/peak"], totals, classes)
        return state


def _plain(labels: dict[str, list[tuple[Hashable, int]]]) -> dict[str, list[tuple[Hashable, int]]]:
    """The labels, if JSON gives them back as they were."""
    for counts in labels.values():
        for label, _ in counts:
            if not isinstance(label, str | int | float):
                raise ValueError(
                    f"label {label!r} is {type(label).__name__}: expected text or a number, which "
                    "can be kept in a file and sent to other processes."
                )
    return labels
