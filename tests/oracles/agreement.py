"""A recording against the user's own model: the same maps, the same gradient, no layer lost."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from tests.oracles.autograd import Asked, derivatives, difference
from zfwidgets.deconv import DeconvNet, Neurons, Recording

MOST_LAYERS = 8


def agree(
    model: nn.Module,
    photos: Tensor,
    tolerance: float = 1e-4,
    own: nn.Module | None = None,
    most: int = MOST_LAYERS,
) -> Recording:
    """Record a model and hold its layers against autograd on it, at most so many, evenly drawn.

    own: what to run under autograd, if the model is a wrapper of it.
    """
    recording = DeconvNet(model, device="cpu").record(photos)
    own = (model if own is None else own).eval()
    missing = [path for path in convolutions(own, photos) if not named(recording, path)]
    assert not missing, f"convolutions that are no layers: {missing}"
    off = differences(own, recording, spread(list(recording.layers), most))
    wrong = {name: value for name, value in off.items() if value is None or not value <= tolerance}
    assert not wrong, f"relative difference to autograd, None where no such maps are: {wrong}"
    return recording


def differences(
    model: nn.Module, recording: Recording, names: Iterable[str]
) -> dict[str, float | None]:
    """Per layer the relative difference of one neuron's gradient to autograd's.

    None for a layer whose maps are nothing that the model computes.
    """
    asked, gradients = dict[str, Asked](), dict[str, Tensor]()
    for name in names:
        neuron = liveliest(recording, name)
        where = (neuron.image, neuron.channel, neuron.row, neuron.col)
        asked[name] = Asked(recording.feature_maps(name), *(int(index) for index in where))
        projected = recording.project(neuron, rule="gradient", seed="one", lrn="vjp")
        gradients[name] = projected.on_canvas()[0]
    wanted = derivatives(model, recording.inputs, asked)
    return {
        name: difference(gradients[name], wanted[name]) if name in wanted else None
        for name in asked
    }


def liveliest(recording: Recording, name: str) -> Neurons:
    """The strongest neuron of the picture and channel that answer most: silence proves nothing."""
    maps = recording.feature_maps(name).float().flatten(2)
    image, channel = divmod(int(maps.amax(2).argmax()), maps.shape[1])
    some = recording.strongest(name, [channel])
    return some[some.image == image]


def spread(names: list[str], count: int) -> list[str]:
    """So many of the names, evenly, the first and the last among them."""
    if len(names) <= count:
        return names
    return [names[round(i * (len(names) - 1) / (count - 1))] for i in range(count)]


def convolutions(model: nn.Module, photos: Tensor) -> list[str]:
    """Paths of the Conv2d modules that look at something made of the picture."""
    paths = {module: path for path, module in model.named_modules()}
    found: list[str] = []

    def note(module: nn.Module, given: tuple[object, ...], _: object) -> None:
        live = given and isinstance(given[0], Tensor) and given[0].requires_grad
        if live and isinstance(module, nn.Conv2d) and module in paths:
            found.append(paths[module])

    flags = [(p, p.requires_grad) for p in model.parameters()]
    handle = register_module_forward_hook(note)
    try:
        for parameter, _ in flags:
            parameter.requires_grad_(False)
        with torch.enable_grad():
            model(photos.detach().clone().requires_grad_() * 1)
    finally:
        handle.remove()
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
    return found


def named(recording: Recording, path: str) -> bool:
    return path in recording.layers or any(
        layer.path == path or layer.path.endswith(f".{path}") for layer in recording.layers.values()
    )
