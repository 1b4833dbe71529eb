"""Weights on disk into modules, without ever running what a file contains."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zfwidgets.nets.info import NetError

Net = TypeVar("Net", bound=nn.Module)
State = dict[str, Tensor]

_CLASSES = Path(__file__).with_name("imagenet_classes.txt")

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Keys under which training scripts commonly keep the state dict of a checkpoint."""


def read_state(path: Path) -> State:
    """The tensors of a ``.safetensors``, ``.pt`` or ``.pth`` file, on the CPU.

    Raises:
        FileNotFoundError: there is no such file.
        NetError: the file is damaged, or holds anything but tensors by name.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no weights file at {path}.")
    found: object = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pt(path)
    if isinstance(found, Mapping):
        found = next((found[key] for key in WRAPPERS if isinstance(found.get(key), Mapping)), found)
    if not isinstance(found, Mapping) or not found or not _all_tensors(found):
        raise NetError(
            f"{path} holds {type(found).__name__}; expected a state dict (tensors by name), alone "
            f"or under {' / '.join(map(repr, WRAPPERS))}. Save one with "
            "torch.save(model.state_dict(), path)."
        )
    prefix = "module." if all(str(name).startswith("module.") for name in found) else ""
    return {str(name).removeprefix(prefix): tensor for name, tensor in found.items()}


def _all_tensors(found: Mapping[object, object]) -> bool:
    return all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items())


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise NetError(f"{path} is not a sound safetensors file: {error}") from error


def _read_pt(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise NetError(
            f"{path} holds Python objects, not only tensors, or is not a PyTorch file. It was not "
            "opened further, because doing so could run code hidden in it. Where you trust its "
            "origin, load it there yourself and save the weights alone: "
            "torch.save(model.state_dict(), path)."
        ) from error
    except Exception as error:  # damaged bytes make the reader fail in any way whatever
        raise NetError(f"{path} is not a sound PyTorch file: {error}") from error


class _NoRandomStart(TorchFunctionMode):
    """Leaves tensors as they are that are to be filled at random.

    For tensors without memory torch would do it in Python, and import its compiler for that: as
    long again as importing torch.
    """

    _RANDOM = frozenset({Tensor.normal_, Tensor.uniform_})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func in self._RANDOM else func(*args, **(kwargs or {}))


def on_meta(make: Callable[[], Net]) -> Net:
    """A network without memory: names and shapes only, made in no time."""
    with torch.device("meta"), _NoRandomStart():
        return make()


def fill(net: Net, state: Mapping[str, Tensor], source: str) -> Net:
    """Give ``net`` exactly the tensors of ``state``, in float32; names and shapes must agree.

    Raises:
        NetError: names what is missing, what is too much and what has another shape.
    """
    differences = _differences(net, state)
    if differences:
        shown = "\n  ".join(differences[:12] + ["…"] * (len(differences) > 12))
        raise NetError(f"{source} does not fit {type(net).__name__}:\n  {shown}")
    single = {n: t.float() if t.is_floating_point() else t for n, t in state.items()}
    net.load_state_dict(single, strict=True, assign=True)
    return net


def fits(net: nn.Module, state: Mapping[str, Tensor]) -> bool:
    """Whether ``state`` has exactly the names and shapes of ``net``."""
    return not _differences(net, state)


def _differences(net: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    wanted = cast("dict[str, Tensor]", net.state_dict())
    lines = [f"{name}: missing" for name in wanted if name not in state]
    lines += [f"{name}: unknown to the network" for name in state if name not in wanted]
    lines += [
        f"{name}: shape {list(state[name].shape)}, expected {list(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    return lines


@cache
def _imagenet_classes() -> tuple[str, ...]:
    # torchvision has them, too; importing it takes as long as importing torch.
    lines = _CLASSES.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))


def imagenet_classes() -> list[str]:
    """The 1000 class names of ImageNet-1k, in the usual order, as torchvision has them."""
    return list(_imagenet_classes())
