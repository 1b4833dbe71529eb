"""An oracle that shares nothing with the engine: the user's own model, run once under autograd.

Layers are found by their values. Whatever the model computes, operation by operation and module by
module, is compared with the maps asked for; where it is equal, the neuron's derivative by the
picture is taken. So names, rules and records are all put to the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten

TOKENS = 6
"""How many tokens may stand before those of the grid: a class token, registers."""


@dataclass(frozen=True)
class Asked:
    """One neuron: maps [B, C, H, W] of its layer, and its picture, channel, row and column."""

    maps: Tensor
    image: int
    channel: int
    row: int
    col: int

    @cached_property
    def size(self) -> float:
        return float(self.maps.abs().max())

    def neuron(self, tensor: Tensor) -> tuple[float, Tensor] | None:
        """How far off its maps are and the neuron, if the tensor holds them in a usual layout."""
        for view in layouts(tensor, self.maps.shape):
            # One value first: most tensors of the same shape hold other maps.
            where = self.image, self.channel, self.row, self.col
            size = self.size
            if not abs(float(view.detach()[where]) - float(self.maps[where])) <= 1e-5 * size:
                continue
            maps = self.maps.to(view.dtype)
            off = float((view.detach() - maps).abs().max()) if view.numel() else 0.0
            if off <= 1e-5 * size:
                return off, view[where].clone()
        return None


def layouts(tensor: Tensor, shape: torch.Size) -> Iterator[Tensor]:
    """The tensor as maps [B, C, H, W]: channels first or last, tokens of a grid, plain rows."""
    batch, channels, height, width = shape
    if tensor.shape == shape:
        yield tensor
    if tensor.shape == (batch, height, width, channels):
        yield tensor.permute(0, 3, 1, 2)
    if tensor.shape == (batch, channels, height * width):
        yield tensor.reshape(shape)
    if tensor.ndim == 3 and (len(tensor), tensor.shape[2]) == (batch, channels):
        before = tensor.shape[1] - height * width
        if 0 <= before < TOKENS:
            yield tensor[:, before:].transpose(1, 2).reshape(shape)
    alone = height * width == 1 and tensor.shape[:1] == (batch,)
    if alone and tensor.numel() == batch * channels:
        yield tensor.reshape(shape)


class Watch(TorchFunctionMode):
    """Sees every operation's arguments and results, and takes the neurons as they appear.

    At once: a later change in place must not reach them. Of maps that are nearly alike, as before
    and after a branch with small weights is added, those that fit best are taken.
    """

    def __init__(self, asked: Mapping[str, Asked]) -> None:
        super().__init__()
        self.missing = dict(asked)
        self.off: dict[str, float] = {}
        self.found: dict[str, Tensor] = {}
        self.looking = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        # What a compiled or scripted part computed shows up as an argument.
        self.look((args, kwargs))
        result = func(*args, **(kwargs or {}))
        if func in (F.batch_norm, torch.batch_norm) and result.requires_grad:
            # Of a gradient that is not contiguous torch 2.14 makes a wrong one on the CPU.
            result.register_hook(Tensor.contiguous)
        self.look((args, result))
        return result

    def look(self, given: Any) -> None:
        if self.looking:
            return  # at what comparing computes
        self.looking = True
        for tensor in tree_flatten(given)[0]:
            if isinstance(tensor, Tensor) and tensor.requires_grad:
                self.compare(tensor)
        self.looking = False

    def compare(self, tensor: Tensor) -> None:
        for name, asked in list(self.missing.items()):
            with torch.enable_grad():
                off, neuron = asked.neuron(tensor) or (float("inf"), tensor)
            if off < self.off.get(name, float("inf")):
                self.off[name], self.found[name] = off, neuron
            if not off:
                del self.missing[name]


def derivatives(model: nn.Module, photo: Tensor, asked: Mapping[str, Asked]) -> dict[str, Tensor]:
    """Of each neuron by its picture: [C, H, W].

    A layer whose maps are nothing that the model computes is left out.
    """
    leaf = photo.detach().clone().requires_grad_()
    watch = Watch(asked)
    flags = {parameter: parameter.requires_grad for parameter in model.parameters()}
    with ExitStack() as stack:
        for parameter, flag in flags.items():
            parameter.requires_grad_(False)
            stack.callback(parameter.requires_grad_, flag)
        stack.callback(register_module_forward_hook(lambda _, __, out: watch.look(out)).remove)
        stack.enter_context(torch.enable_grad())
        with watch:
            output = model(leaf.clone())
        watch.look(output)
    found = {}
    for name, neuron in watch.found.items():
        (slope,) = torch.autograd.grad(
            neuron, leaf, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        found[name] = slope[asked[name].image]
    return found


def difference(got: Tensor, want: Tensor) -> float:
    """Relative, of the whole; 0 if both are nothing, infinite if only one of them is."""
    size = float(torch.linalg.vector_norm(want.double()))
    off = float(torch.linalg.vector_norm(got.double() - want.double()))
    return off / size if size else (float("inf") if off else 0.0)
