"""Checkpoints from anybody's training loop, written so that nothing is ever unpickled."""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from zfwidgets.deconv.checkpoints import Checkpoints
from zfwidgets.nets.run import preprocess_as_json

FORMAT = "zfwidgets checkpoint 1"

_LIGHTNING = ("lightning.pytorch", "pytorch_lightning")


class EvolutionRecorder:
    """Keeps a model's weights at chosen steps of its training, for `evolution` and `EvolutionView`.

    Args:
        folder: where the files go; made if it is not there.
        model: the module that is trained.
        every: keep every so many steps, 0 included.
        at: keep these steps; Fig. 4 of the paper has epochs 1, 2, 5, 10, 20, 30, 40, 64.
        unit: what you count, "step" or "epoch".
        transforms: the preparation of pictures, kept with the weights if it is a `Preprocess`.
        notes: texts to keep with the weights.

    Each checkpoint is one safetensors file, floats in half precision (a tensor that does not fit
    it, in single), written beside its place and moved there when it is complete. What is there
    already is kept; a step that comes again is written again.

    Raises ValueError without `every` and `at`.

        >>> recorder = zf.EvolutionRecorder("run", model, at=[0, 10, 100, 1000])
        >>> for step, batch in enumerate(loader):
        ...     recorder.step(step)
        ...     train_on(batch)
        >>> zf.evolution(recorder.checkpoints(), photos, "conv2").plot()
    """

    def __init__(
        self,
        folder: str | Path,
        model: nn.Module,
        *,
        every: int | None = None,
        at: Iterable[int] | None = None,
        unit: str = "step",
        transforms: Any = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        if every is None and at is None:
            raise ValueError("EvolutionRecorder: say when, with every=100 or at=[0, 10, 100].")
        if every is not None and every < 1:
            raise ValueError(f"every={every}: expected 1 or more.")
        if unit not in ("step", "epoch"):
            raise ValueError(f'unit={unit!r}: expected "step" or "epoch".')
        self.folder = Path(folder).expanduser()
        self.model = model
        self.every = every
        self.at = frozenset(() if at is None else at)
        self.unit = unit
        self._transforms = transforms
        self._notes = dict(notes or {})

    def due(self, step: int) -> bool:
        """Whether this step is to be kept."""
        return step in self.at or (self.every is not None and step % self.every == 0)

    def step(self, step: int) -> Path | None:
        """Say how far the training is; the file that was written, or None if it was not due."""
        return self.save(step) if self.due(step) else None

    def save(self, step: int) -> Path:
        """Keep the weights now, due or not. Raises ValueError for a negative step."""
        if step < 0:
            raise ValueError(f"step={step}: expected 0 or more.")
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.folder / f"{self.unit}-{step:08d}.safetensors"
        tensors = {name: _small(value) for name, value in _bare(self.model).state_dict().items()}
        # In the same folder: moving a file is one step only within one file system.
        handle, beside = tempfile.mkstemp(dir=self.folder, suffix=".part")
        os.close(handle)
        try:
            save_file(tensors, beside, metadata=self._header(step))
            Path(beside).chmod(0o644)
            Path(beside).replace(target)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
        return target

    def checkpoints(self) -> Checkpoints:
        """What was kept so far, to look into. Raises FileNotFoundError if nothing was."""
        return Checkpoints(self.folder, _bare(self.model), self._transforms)

    def lightning(self) -> Any:
        """A callback for a Lightning Trainer, of `lightning` or `pytorch_lightning`.

        Counts optimiser steps (`trainer.global_step`), or with unit="epoch" finished epochs, and
        keeps the untrained weights if 0 is due. Raises ImportError without Lightning.
        """
        return _callback(self)

    def _header(self, step: int) -> dict[str, str]:
        model = _bare(self.model)
        header = self._notes | {
            "format": FORMAT,
            "step": str(step),
            "unit": self.unit,
            "name": type(model).__name__,
            "kept": json.dumps({"every": self.every, "at": sorted(self.at)}),
            "parameters": str(sum(parameter.numel() for parameter in model.parameters())),
            "torch": str(torch.__version__),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        prepared = preprocess_as_json(self._transforms)
        return header | ({"preprocess": prepared} if prepared else {})


def _bare(model: nn.Module) -> nn.Module:
    """The model itself, inside what torch.compile or (Distributed)DataParallel put around it."""
    for wrapper in ("_orig_mod", "module"):
        inner = model._modules.get(wrapper)  # noqa: SLF001
        if inner is not None and len(model._modules) == 1:  # noqa: SLF001
            return _bare(inner)
    return model


def _small(value: Tensor) -> Tensor:
    """A copy on the CPU, in half precision unless that would overflow."""
    value = value.detach().cpu()
    if value.is_floating_point():
        half = value.half()
        value = half if bool(half.isfinite().all()) else value.float()
    return value.clone().contiguous()


def _callback(recorder: EvolutionRecorder) -> Any:
    """Made here, for its base class is Lightning's, which nobody else should have to install."""

    class EvolutionCallback(*_bases()):  # type: ignore[misc]
        """Tells the recorder how far the training is."""

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
            self._tell(trainer, trainer.global_step, "step")
            self._tell(trainer, trainer.current_epoch, "epoch")

        def on_train_batch_end(self, trainer: Any, *args: Any) -> None:  # noqa: ARG002
            self._tell(trainer, trainer.global_step, "step")

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002
            self._tell(trainer, trainer.current_epoch + 1, "epoch")

        def _tell(self, trainer: Any, number: int, unit: str) -> None:
            if recorder.unit == unit and trainer.is_global_zero:
                recorder.step(number)

    return EvolutionCallback()


def _bases() -> tuple[type, ...]:
    """Callback of the Lightning that is in use; of both, where both are."""
    used = [name for name in _LIGHTNING if name in sys.modules]
    for name in used or _LIGHTNING:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        used = used or [name]
    if not used:
        raise ImportError(
            "recorder.lightning() needs Lightning: pip install lightning. In a loop of your own "
            "call recorder.step(step) instead."
        )
    return tuple({sys.modules[name].Callback: None for name in used})
