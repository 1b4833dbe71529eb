"""Checkpoints: one training run as networks to look into, in the order of their steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload
from weakref import WeakValueDictionary

import torch
from torch import nn

from zfwidgets.deconv.deconvnet import DeconvNet
from zfwidgets.nets.run import Run, bundled_run, folder_run


class Checkpoints(Sequence[DeconvNet]):
    """The networks of one run, earliest first; each is read when it is asked for.

    Args:
        folder: of files, one a checkpoint, such as `EvolutionRecorder` writes.
        model: the architecture; it is copied, not changed. None: one of ours, told by its shapes.
        transforms, categories, device: as of `DeconvNet`.

    ``checkpoints[2]`` is a `DeconvNet`, ``checkpoints[2:]`` Checkpoints, ``checkpoints.at(1200)``
    the network after so many steps. A network is kept as long as somebody holds it.

    Raises:
        FileNotFoundError: no checkpoints there. NetError: they do not fit the model.
    """

    def __init__(
        self,
        folder: str | Path,
        model: nn.Module | None = None,
        transforms: Any = None,
        categories: Sequence[str] | None = None,
        device: str | torch.device = "auto",
    ) -> None:
        names = None if categories is None else list(categories)
        self._start(folder_run(folder, model, transforms, names), device)

    def _start(self, run: Run, device: str | torch.device) -> None:
        self._run = run
        self._device = device
        self._alive: WeakValueDictionary[int, DeconvNet] = WeakValueDictionary()

    @classmethod
    def of(cls, run: Run, device: str | torch.device = "auto") -> Checkpoints:
        """The networks of a `Run`."""
        made = cls.__new__(cls)
        made._start(run, device)  # noqa: SLF001 - its own
        return made

    @property
    def name(self) -> str:
        """What the run is called."""
        return self._run.name

    @property
    def unit(self) -> str:
        """What is counted: "step" or "epoch"."""
        return self._run.unit

    @property
    def steps(self) -> tuple[int, ...]:
        """How far the training was, per checkpoint."""
        return self._run.steps

    def at(self, step: int) -> DeconvNet:
        """The network after so many steps. Raises KeyError if none was kept there."""
        if step not in self.steps:
            known = ", ".join(map(str, self.steps))
            raise KeyError(f"no checkpoint at {self.unit} {step}; there are {known}.")
        net = self._alive.get(step)
        if net is None:
            run = self._run
            net = DeconvNet(
                run.model(step),
                run.transforms,
                run.categories,
                device=self._device,
                name=f"{run.name}, {run.unit} {step}",
            )
            self._alive[step] = net
        return net

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, index: int) -> DeconvNet: ...
    @overload
    def __getitem__(self, index: slice) -> Checkpoints: ...
    def __getitem__(self, index: int | slice) -> DeconvNet | Checkpoints:
        if isinstance(index, slice):
            return Checkpoints.of(replace(self._run, steps=self.steps[index]), self._device)
        return self.at(self.steps[index])

    def __iter__(self) -> Iterator[DeconvNet]:
        return (self.at(step) for step in self.steps)

    def __repr__(self) -> str:
        known = ", ".join(map(str, self.steps))
        return f"Checkpoints({self.name}: {self.unit} {known})"


def checkpoints(name: str = "zfnet", device: str | torch.device = "auto") -> Checkpoints:
    """The bundled checkpoints of a network, offline: `Checkpoints` of its first convolutions.

    Layers above those that were kept are not there, and there are no class outputs. Raises
    MissingWeightsError for a network without any.
    """
    return Checkpoints.of(bundled_run(name), device)
