"""A network written down for the page: a graph of its operations and one block of weights.

Batch normalisation is folded into the convolution before it. Weights become float16 where that
changes no value, or where `exact` does not ask for more; each tensor says which it is. The block's
SHA-256 stands in the graph, so that the page notices damage.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.deconv.models import evaluating
from zfwidgets.images import Preprocess, sample
from zfwidgets.page.calls import UnsupportedInPage
from zfwidgets.page.steps import Step, steps

FORMAT = 1
"""Of the description; js/src/engine/graph.ts says what is in it."""


@dataclass(frozen=True, slots=True)
class PageNet:
    """graph: to be written as JSON. weights: the block that it refers to."""

    graph: dict[str, Any]
    weights: bytes


@torch.inference_mode()
def page_net(net: DeconvNet, *, exact: bool = False) -> PageNet:
    """The network as the engine in the page takes it, for inputs of the size `transforms` makes.

    exact: keep float32 where float16 would change a value, at up to twice the size.

    Raises:
        UnsupportedInPage: an operation, or a preparation of pictures, that the page does not have.
    """
    # A photograph, which excites every layer: no two of them give the same maps.
    recording = net.record(sample("cat").open())
    with evaluating(net.model):
        walked = _folded(steps(net.model, recording.inputs.clone()))
    block = _Block(exact)
    nodes = [_node(walked, index, block) for index in range(len(walked))]
    weights = bytes(block.data)
    graph = {
        "format": FORMAT,
        "name": net.name,
        "nodes": nodes,
        "layers": _layers(recording, walked),
        "logits": _logits(recording, walked),
        "categories": net.categories,
        "preparation": _preparation(net),
        "weights": {"bytes": len(weights), "sha256": hashlib.sha256(weights).hexdigest()},
    }
    return PageNet(graph, weights)


class _Block:
    """Weights one after the other, each on a multiple of four bytes."""

    def __init__(self, exact: bool) -> None:
        self.exact = exact
        self.data = bytearray()

    def add(self, tensor: Tensor) -> dict[str, Any]:
        """The tensor's place. Rows of numbers (biases) are few: they are never rounded."""
        full = tensor.detach().float().cpu().contiguous()
        half = full.half()
        rounded = not torch.equal(half.float(), full)
        keep = rounded and (self.exact or tensor.ndim == 1 or not half.isfinite().all())
        array = (full if keep else half).numpy()
        at = len(self.data)
        self.data += array.astype(array.dtype.newbyteorder("<")).tobytes()
        self.data += bytes(-len(self.data) % 4)
        return {"at": at, "shape": list(tensor.shape), "type": "f32" if keep else "f16"}


def _folded(walked: list[Step]) -> list[Step]:
    """The steps with every scale that follows a convolution alone in its weights."""
    users = Counter(source for step in walked for source in step.sources)
    result: list[Step] = []
    place: list[int] = []
    for step in walked:
        before = result[place[step.sources[0]]] if step.sources else None
        if (
            step.op == "affine"
            and before is not None
            and before.op in ("conv", "linear")
            and users[step.sources[0]] == 1
        ):
            result[place[step.sources[0]]] = _scaled(before, step)
            place.append(place[step.sources[0]])
            continue
        place.append(len(result))
        result.append(replace(step, sources=tuple(place[s] for s in step.sources)))
    return result


def _scaled(step: Step, affine: Step) -> Step:
    """scale * (W x + b) + shift as one convolution, computed in float64."""
    weight, bias = step.tensors["weight"], step.tensors["bias"]
    scale, shift = affine.tensors["scale"], affine.tensors["shift"]
    assert weight is not None
    assert scale is not None
    assert shift is not None
    column = scale.view(-1, *[1] * (weight.ndim - 1))
    total = shift if bias is None else shift + scale * bias.double()
    tensors: dict[str, Tensor | None] = {"weight": weight.double() * column, "bias": total}
    return replace(step, value=affine.value, tensors=tensors)


def _node(walked: list[Step], index: int, block: _Block) -> dict[str, Any]:
    step = walked[index]
    shape = tuple(step.value.shape[1:])
    tensors = dict(step.tensors)
    if step.op == "linear":
        flattened = _flattened(walked, step.sources[0])
        weight = tensors["weight"]
        assert weight is not None
        if flattened is not None:  # the page keeps maps channels last
            weight = weight.view(-1, *flattened).permute(0, 2, 3, 1).flatten(1)
        tensors["weight"] = weight
    elif step.op in ("affine", "concat") and any(_flattened(walked, s) for s in step.sources):
        raise UnsupportedInPage(
            f"{step.op} of a map that was flattened: the page has no order for it"
        )
    return {
        "op": step.op,
        "inputs": list(step.sources),
        "shape": [*shape, *[1] * (3 - len(shape))],
        **step.options,
        **{name: None if t is None else block.add(t) for name, t in tensors.items()},
    }


def _flattened(walked: list[Step], index: int) -> tuple[int, ...] | None:
    """The map [C, H, W] of several places whose values a row of numbers is made of."""
    step = walked[index]
    if step.value.ndim != 2:
        return None
    if step.op == "flatten":
        shape = tuple(walked[step.sources[0]].value.shape[1:])
        return shape if math.prod(shape[1:]) > 1 else None
    if step.op in ("relu", "add"):
        return _flattened(walked, step.sources[0])
    return None


def _layers(recording: Recording, walked: list[Step]) -> list[dict[str, Any]]:
    """Every layer with the step that gives its maps, found by what it gave."""
    return [
        {"name": name, "kind": layer.kind, "node": _giving(recording, walked, name)}
        for name, layer in recording.layers.items()
    ]


def _giving(recording: Recording, walked: list[Step], name: str) -> int:
    maps = recording.feature_maps(name).flatten()
    for index, step in enumerate(walked):
        value = step.value.flatten()
        if value.shape == maps.shape and torch.allclose(value, maps, rtol=1e-4, atol=1e-6):
            return index
    raise UnsupportedInPage(f"layer {name}: no operation of the page gives its maps")


def _logits(recording: Recording, walked: list[Step]) -> int | None:
    last = len(walked) - 1
    logits = recording.logits
    if logits is None or not torch.allclose(walked[last].value, logits, rtol=1e-4, atol=1e-5):
        return None
    return last


def _preparation(net: DeconvNet) -> dict[str, Any]:
    """How a photograph becomes the input; torchvision's presets are the same in other words."""
    given: Any = net.transforms
    if isinstance(given, Preprocess):
        return asdict(given)
    names = ("crop_size", "resize_size", "mean", "std", "interpolation")
    if not all(hasattr(given, name) for name in names):
        raise UnsupportedInPage(
            f"transforms={type(given).__name__}: the page prepares pictures as zf.Preprocess or "
            "torchvision's ImageClassification do. Give DeconvNet(transforms=zf.Preprocess(...))."
        )
    return asdict(
        Preprocess(
            size=given.crop_size[0],
            resize=given.resize_size[0],
            mean=tuple(given.mean),
            std=tuple(given.std),
            interpolation=given.interpolation.value,
        )
    )
