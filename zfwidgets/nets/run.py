"""The weights of one training run at several steps: the bundled file, or a folder of files."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from zfwidgets.images.preprocess import Preprocess
from zfwidgets.nets.info import MissingWeightsError, NetError
from zfwidgets.nets.sources.papers import PAPERS, WEIGHTS, metadata, preprocess_from_json
from zfwidgets.nets.state import fill, on_meta, read_state
from zfwidgets.nets.table import LayerTable

SUFFIXES = (".safetensors", ".pt", ".pth")


@dataclass(frozen=True)
class Run:
    """One training run. steps: ascending. model: the network at one of them, in eval mode."""

    name: str
    unit: str
    steps: tuple[int, ...]
    model: Callable[[int], nn.Module]
    transforms: Any = None
    categories: list[str] | None = None


def bundled_run(name: str) -> Run:
    """The run that a bundled network comes from, as far as its layers were kept.

    The file holds the first convolutions only, those above conv1 as int8 with a scale a filter.

    Raises:
        MissingWeightsError: no checkpoints of this name come with the package.
    """
    path = WEIGHTS / f"{name}-evolution.safetensors"
    if not path.is_file():
        there = sorted(p.name.partition("-evolution")[0] for p in WEIGHTS.glob("*-evolution.*"))
        raise MissingWeightsError(
            f"No checkpoints of {name!r} come with zfwidgets; there are some of "
            f"{', '.join(there) or 'no network'}. Of your own training: "
            "zf.EvolutionRecorder writes them, zf.Checkpoints(folder, model) reads them."
        )
    said = metadata(path)
    steps, layers = json.loads(said["steps"]), json.loads(said["layers"])
    return Run(
        name=name,
        unit="step",
        steps=tuple(sorted(int(step) for step in steps)),
        model=lambda step: _stack(path, name, step, layers),
        transforms=preprocess_from_json(said["preprocess"]),
    )


def folder_run(
    folder: str | Path,
    model: nn.Module | None = None,
    transforms: Any = None,
    categories: list[str] | None = None,
) -> Run:
    """A folder of state dicts, one file a step.

    The step stands in the file's metadata (`zf.EvolutionRecorder` writes it there), else it is the
    last number in the file's name. model: what the weights belong to; a copy of it is filled. None:
    one of our architectures, if names and shapes leave no doubt.

    Raises:
        FileNotFoundError: there is no such folder, or no checkpoint in it.
        NetError: two files are of one step, or a name has no number.
    """
    folder = Path(folder).expanduser()
    files = [p for p in sorted(folder.glob("*")) if p.suffix in SUFFIXES]
    if not files:
        raise FileNotFoundError(
            f"There are no checkpoints in {folder}; expected files ending in {', '.join(SUFFIXES)}."
        )
    said = {path: _said(path) for path in files}
    paths: dict[int, Path] = {}
    for path in files:
        step = _step(path, said[path])
        if step in paths:
            raise NetError(f"{paths[step]} and {path} are both of step {step}; keep one of them.")
        paths[step] = path
    first = said[files[0]]
    if transforms is None and "preprocess" in first:
        transforms = preprocess_from_json(first["preprocess"])
    return Run(
        name=first.get("name", folder.resolve().name),
        unit=first.get("unit", "step"),
        steps=tuple(sorted(paths)),
        model=lambda step: _filled(model, paths[step]),
        transforms=transforms,
        categories=categories,
    )


def preprocess_as_json(transforms: Any) -> str | None:
    """The entry ``preprocess`` of a file's metadata; None for a preparation that is only code."""
    if not isinstance(transforms, Preprocess):
        return None
    fields = {name: getattr(transforms, name) for name in Preprocess.__dataclass_fields__}
    return json.dumps(fields)


def _stack(path: Path, name: str, step: int, layers: list[str]) -> nn.Module:
    """The bundled network's layers up to the last kept convolution and its rectifier."""
    whole = PAPERS[name].bundled
    assert whole is not None
    rows = list(on_meta(lambda: whole(1000)).named_children())
    names = [row for row, _ in rows]
    end = names.index(layers[-1]) + 1
    end += isinstance(rows[end][1], nn.ReLU)
    stack = LayerTable(rows[:end])
    state: dict[str, Tensor] = {}
    with safe_open(path, framework="pt") as file:
        kept = set(file.keys())
        for layer in layers:
            weight = file.get_tensor(f"{step}/{layer}.weight").float()
            if f"{step}/{layer}.scale" in kept:
                weight *= file.get_tensor(f"{step}/{layer}.scale").view(-1, 1, 1, 1)
            state[f"{layer}.weight"] = weight
            state[f"{layer}.bias"] = file.get_tensor(f"{step}/{layer}.bias")
    return fill(stack, state, str(path)).eval().requires_grad_(False)


def _filled(model: nn.Module | None, path: Path) -> nn.Module:
    if model is None:
        from zfwidgets.nets.registry import build

        return build(path).model
    state = read_state(path)
    return fill(copy.deepcopy(model).cpu(), state, str(path)).eval().requires_grad_(False)


def _said(path: Path) -> dict[str, str]:
    if path.suffix != ".safetensors":
        return {}
    try:
        return metadata(path)
    except SafetensorError as error:
        raise NetError(f"{path} is not a sound safetensors file: {error}") from error


def _step(path: Path, said: dict[str, str]) -> int:
    text = said.get("step") or next(reversed(re.findall(r"\d+", path.stem)), "")
    if not text.isdigit():
        raise NetError(
            f"{path} does not say of which step it is; expected a number in its name, such as "
            "step-1200.safetensors."
        )
    return int(text)
