"""The models that people bring: unwrapped, in evaluation, where they are, as they were."""

from __future__ import annotations

import copy
import itertools
import logging
import sys
import threading
import warnings
import weakref
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from zfwidgets.deconv.graph import UnsupportedModel

Inputs = Mapping[str, Any] | Sequence[Any]
"""Further inputs of a model, by name or in order after the picture."""


_WRAPPERS: Any = nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel


def unwrapped(model: object) -> nn.Module:
    """The network itself: of what `torch.compile`, DataParallel, DDP or averaging put around it.

    Raises TypeError for what is no module, UnsupportedModel for scripted ones.
    """
    if isinstance(model, type) and issubclass(model, nn.Module):
        raise TypeError(
            f"DeconvNet() got the class {model.__name__}; expected an nn.Module. "
            f"Make one: DeconvNet({model.__name__}())."
        )
    if not isinstance(model, nn.Module):
        what = "a state dict" if isinstance(model, Mapping) else f"a {type(model).__name__}"
        hint = (
            "Load it into its model first: model.load_state_dict(...)"
            if isinstance(model, Mapping)
            else "Wrap what you have in a module whose forward takes a picture"
        )
        raise TypeError(f"DeconvNet() got {what}; expected an nn.Module. {hint}.")
    if isinstance(model, torch.jit.ScriptModule):
        raise UnsupportedModel(
            "DeconvNet() got a scripted module, whose layers Python cannot watch; expected the "
            "model before torch.jit.script or torch.jit.trace."
        )
    inner = getattr(model, "_orig_mod", None)
    if inner is None and isinstance(model, _WRAPPERS):
        inner = model.module
    return unwrapped(inner) if isinstance(inner, nn.Module) else model


def paths_of(model: nn.Module) -> dict[str, nn.Module]:
    """Its modules by path, without what `torch.compile` adds to the paths of compiled parts."""
    return {path.replace("_orig_mod.", ""): module for path, module in model.named_modules()}


@contextmanager
def as_written() -> Iterator[None]:
    """Compiled parts run as they were written while the block runs: nothing is compiled in it."""
    if "torch._dynamo" not in sys.modules:  # which `torch.compile` imports: as long as torch takes
        yield
        return
    with warnings.catch_warnings(), torch.compiler.set_stance("force_eager"):
        # That hooks fire for the wrapper is known.
        warnings.filterwarnings("ignore", message="Using `torch.compile")
        yield


def tensors_of(model: nn.Module) -> Iterator[Tensor]:
    """Its parameters and buffers."""
    return itertools.chain(model.parameters(), model.buffers())


def device_of(model: nn.Module, device: str | torch.device) -> torch.device:
    """Where it is to run; "auto" takes CUDA, then MPS, but leaves it on an accelerator."""
    if device != "auto":
        return torch.device(device)
    current = next((t.device for t in tensors_of(model)), torch.device("cpu"))
    if current.type != "cpu":
        return current
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def dtype_of(model: nn.Module) -> torch.dtype:
    """The numbers that it takes: those of its first parameter."""
    return next((t.dtype for t in tensors_of(model) if t.is_floating_point()), torch.float32)


def moved(model: nn.Module, device: torch.device, asked: bool) -> nn.Module:
    """The model itself if it is on the device, or on several; else a copy there.

    asked: whether the user named the device.
    """
    places = {t.device for t in tensors_of(model)}
    if all(p.type == device.type and device.index in (None, p.index) for p in places):
        return model
    if len(places) > 1 and not asked:
        return model
    try:
        return copy.deepcopy(model).to(device)
    except Exception as error:
        raise UnsupportedModel(
            f"{type(model).__name__} cannot be copied to {device} ({error}). Move it yourself, "
            f'model.to("{device}"), or name the device it is on.'
        ) from error


_LOCK = threading.Lock()
_held: MutableMapping[nn.Module, int] = weakref.WeakKeyDictionary()
"""Modules that would be training, and how many blocks hold each of them in evaluation."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode while the block runs; then as it was, module by module.

    Of several threads that look into a module the first one in switches it, the last one out puts
    it back.
    """
    with _LOCK:
        mine = [module for module in model.modules() if module.training or module in _held]
        for module in mine:
            _held[module] = _held.get(module, 0) + 1
            module.training = False
    try:
        yield
    finally:
        with _LOCK:
            for module in mine:
                _held[module] -= 1
                if not _held[module]:
                    del _held[module]
                    module.training = True


def warn_of_training(model: nn.Module) -> None:
    """Say that a model in training mode is recorded in evaluation mode."""
    logging.getLogger("zfwidgets").warning(
        "%s is in training mode; it is recorded in evaluation mode and put back. "
        "Call model.eval() to say that this is meant.",
        type(model).__name__,
    )


def input_channels(model: nn.Module) -> int:
    """Colour planes that it takes: those of its first convolution."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            return module.in_channels
    return 3


def other_dimensions(model: nn.Module) -> str:
    """The name of a 1-D or 3-D convolution, if the model has such and no 2-D one."""
    convs = [type(m).__name__ for m in model.modules() if isinstance(m, _CONVS)]
    plain = any(isinstance(m, nn.Conv2d) for m in model.modules())
    return "" if plain or not convs else convs[0]


_CONVS = nn.Conv1d, nn.Conv3d


def has_hooks(model: nn.Module) -> bool:
    """True if somebody looks at what modules take or give."""
    return any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())  # noqa: SLF001


def fingerprint(model: nn.Module) -> tuple[object, ...]:
    """Changes when the weights do: version, memory and a sample of every parameter and buffer.

    Versions are passed by where `.data` is written; there memory or values tell. The sample is of
    up to 512 values evenly over each tensor, so that it costs far less than a forward pass.
    """
    told: list[object] = []
    samples: dict[object, list[Tensor]] = {}
    for tensor in tensors_of(model):
        if tensor.layout != torch.strided or tensor.device.type == "meta":
            continue
        told.append((0 if tensor.is_inference() else tensor._version, tensor.data_ptr()))  # noqa: SLF001
        flat = tensor.detach().reshape(-1)
        step = max(1, flat.numel() // 512)
        samples.setdefault((tensor.device, tensor.dtype), []).append(flat[::step])
    for some in samples.values():
        told.append(torch.cat(some).view(torch.uint8).cpu().numpy().tobytes())  # noqa: PERF401
    return tuple(told)
