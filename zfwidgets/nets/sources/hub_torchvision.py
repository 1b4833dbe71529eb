"""``torchvision:NAME``: any classifier of torchvision, weights from its own servers.

Weights go to and come from the torch hub's folder, so that what other programs have fetched is
used. They are read by us and not by torchvision, which would unpickle the whole file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from zfwidgets.images.preprocess import Preprocess
from zfwidgets.nets.download import RemoteFile, fetch
from zfwidgets.nets.info import Built, NetError, NetInfo, built, did_you_mean
from zfwidgets.nets.state import State, fill, on_meta, read_state

SHOWN = ("alexnet", "vgg11", "vgg16", "googlenet", "squeezenet1_1", "resnet18", "resnet50")
"""The networks that `list_nets` spells out; every other classifier loads as well."""


def listed() -> list[NetInfo]:
    """A few well-known networks with their facts, then a row for all others."""
    anyone = NetInfo(
        name="torchvision:NAME",
        title="any other classifier",
        description="Every name of torchvision.models.list_models(module=torchvision.models).",
        licence="BSD-3-Clause (code)",
        accuracy="see torchvision",
        size_bytes=None,
        source="https://download.pytorch.org",
        local=None,
        params=None,
    )
    return [*(_info(name, _weights(name, None)) for name in SHOWN), anyone]


def build(name: str, *, weights: str | None = None, progress: bool = True) -> Built:
    """The torchvision classifier ``name`` with trained weights.

    Args:
        name: as in ``torchvision.models.get_model``.
        weights: which of several sets, such as ``"IMAGENET1K_V1"``; None for the best one.
        progress: show a bar while downloading.
    """
    from torchvision import models

    chosen = _weights(name, weights)
    quirk = QUIRKS.get(re.match(r"[a-z]+", name).group(), Quirk())  # type: ignore[union-attr]
    classes = list(chosen.meta["categories"])
    options = quirk.options(chosen) | {"num_classes": len(classes)}
    model = on_meta(lambda: models.get_model(name, weights=None, **options))
    file = remote_file(chosen)
    state = quirk.rename(read_state(fetch(file, progress=progress)))
    model = quirk.finish(fill(model, state, str(file.path)))
    prepare = quirk.prepare(preprocess(chosen))
    return built(model, prepare, classes, _info(name, chosen))


def _weights(name: str, which: str | None) -> Any:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise NetError(
            f"torchvision has no classifier {name!r}.{did_you_mean(name, known)} "
            "torchvision.models.list_models(module=torchvision.models) lists them all."
        )
    found = models.get_model_weights(name)
    if which is None:
        return found.DEFAULT
    if which not in found.__members__:
        raise NetError(
            f"torchvision:{name} has no weights {which!r}; it has {', '.join(found.__members__)}."
        )
    return found[which]


def hub_folder() -> Path:
    """Where the torch hub keeps weights (as torch.hub.get_dir(), also before torch 2)."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def remote_file(weights: Any) -> RemoteFile:
    """The file of a torchvision weights entry; its name ends with the head of its SHA-256."""
    name = os.path.basename(weights.url)  # noqa: PTH119 - of an address, not of a path
    digits = re.search(r"-([0-9a-f]{8,})\.pth$", name)
    if digits is None:
        raise NetError(f"{weights.url} does not carry its hash in its name; it is not fetched.")
    return RemoteFile(name, (weights.url,), hub_folder(), f"sha256:{digits[1]}")


def preprocess(weights: Any) -> Preprocess:
    """torchvision's evaluation transform as our own, which can be undone and drawn."""
    given = weights.transforms()
    return Preprocess(
        size=given.crop_size[0],
        resize=given.resize_size[0],
        mean=tuple(given.mean),
        std=tuple(given.std),
        interpolation=given.interpolation.value,
    )


def _info(name: str, weights: Any) -> NetInfo:
    scores = weights.meta["_metrics"]["ImageNet-1K"]
    file = remote_file(weights)
    note = ""
    if name == "alexnet":
        note = " The narrower AlexNet of 2014, not that of the 2012 paper."
    return NetInfo(
        name=f"torchvision:{name}",
        title=f"{name} ({weights.name})",
        description=f"torchvision's {name}, trained on ImageNet-1k.{note}",
        licence="BSD-3-Clause (code)",
        accuracy=f"ImageNet top-1 {scores['acc@1']:.1f} %, top-5 {scores['acc@5']:.1f} %",
        size_bytes=round(weights.meta["_file_size"] * 2**20),
        source=weights.url,
        local=file.path.exists(),
        params=weights.meta["num_params"],
    )


def _no_options(weights: Any) -> dict[str, Any]:  # noqa: ARG001 - the type of Quirk.options
    return {}


def _same_state(state: State) -> State:
    return state


def _same_model(model: nn.Module) -> nn.Module:
    return model


def _same_preprocess(prepare: Preprocess) -> Preprocess:
    return prepare


@dataclass(frozen=True)
class Quirk:
    """What torchvision's builder does around loading, for the families where it does anything."""

    options: Callable[[Any], dict[str, Any]] = _no_options
    rename: Callable[[State], State] = _same_state
    finish: Callable[[nn.Module], nn.Module] = _same_model
    prepare: Callable[[Preprocess], Preprocess] = _same_preprocess


def _with_auxiliary(weights: Any) -> dict[str, Any]:  # noqa: ARG001 - the type of Quirk.options
    return {"transform_input": False, "aux_logits": True, "init_weights": False}


def _around_half(prepare: Preprocess) -> Preprocess:
    """GoogLeNet and Inception want (pixel - .5) / .5 and would undo the usual mean and std inside
    the network; giving them what they want keeps that out of the way back to the pixels."""
    return replace(prepare, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def _without_auxiliary(model: nn.Module) -> nn.Module:
    """The side classifiers of GoogLeNet and Inception are for training only."""
    model.aux_logits = False  # type: ignore[assignment]
    for name in ("aux1", "aux2", "AuxLogits"):
        if hasattr(model, name):
            setattr(model, name, None)
    return model


def _without_dots(state: State) -> State:
    """DenseNet's files say ``norm.1`` where its modules are called ``norm1``."""
    dotted = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)")
    return {dotted.sub(r"\1\2", name): tensor for name, tensor in state.items()}


def _image_size(weights: Any) -> dict[str, Any]:
    return {"image_size": weights.meta["min_size"][0]}


QUIRKS = {
    "googlenet": Quirk(_with_auxiliary, _same_state, _without_auxiliary, _around_half),
    "inception": Quirk(_with_auxiliary, _same_state, _without_auxiliary, _around_half),
    "densenet": Quirk(rename=_without_dots),
    "vit": Quirk(options=_image_size),
}
