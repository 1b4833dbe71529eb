"""The way back, checked against autograd: a way that is wrong is an error, not a picture."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from zfwidgets.deconv import backward
from zfwidgets.deconv.graph import Record, UnsupportedModel
from zfwidgets.deconv.method import Method
from zfwidgets.deconv.outputs import tensors_in
from zfwidgets.deconv.signals import Signal, Way
from zfwidgets.deconv.windows import Places

_GRADIENT = Method(rule="gradient", seed="one", lrn="vjp")


def check(name: str, forward: Callable[[Tensor], Any], record: Record, x: Tensor) -> bool:
    """Raise UnsupportedModel unless one output's gradient is the one that autograd finds.

    forward: the model; record: of the one picture x [1, C, H, W], to its end. False if another
    picture may say more: this one has no gradient at all. Where autograd does not follow (no_grad
    or detach in the forward pass) no picture has anything to compare with.
    """
    if not record.faithful:
        return True
    silent = False
    quiet = warnings.catch_warnings(action="ignore")  # what models say of gradients is not asked
    with torch.inference_mode(False), torch.enable_grad(), quiet:
        leaf, outputs = _forward(forward, x)
        for number, (output, step) in enumerate(zip(outputs, record.outputs, strict=False)):
            if step is None or not output.requires_grad or not output.is_floating_point():
                continue
            if not record.calls[step].lead or tuple(output.shape) != record.calls[step].shape:
                continue
            place = int(output.detach().float().abs().argmax())
            try:
                (want,) = torch.autograd.grad(output.reshape(-1)[place], leaf)
            except RuntimeError:  # autograd itself gives up, as on values changed in place
                return True
            off = _off(record, step, place, want)
            if not off and not want.any():
                silent = True
                continue
            if off and off < 2 * _moved_by_rounding(forward, x, number, place, want):
                off = 0.0  # as where large numbers nearly cancel: autograd knows no better
            if off:
                size = float(torch.linalg.vector_norm(want.double()))
                raise UnsupportedModel(
                    f"The way back through {name} is not the one that autograd finds: the "
                    f"gradients of an output differ by {off / max(size, 1e-30):.2g} of their "
                    "length. It may have an autograd.Function with a backward of its own, or "
                    "change memory behind torch's back. DeconvNet(check=False) shows it all the "
                    "same."
                )
            return True
    return not silent


def _forward(forward: Callable[[Tensor], Any], x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The picture as a leaf, and all tensors that the model makes of it."""
    leaf = x.detach().clone().requires_grad_()
    with _GradientsInOnePiece():
        # A copy, for the model may change its input in place.
        return leaf, list(tensors_in(forward(leaf.clone())))


def _moved_by_rounding(
    forward: Callable[[Tensor], Any], x: Tensor, number: int, place: int, want: Tensor
) -> float:
    """How far autograd's own gradient goes from `want` if numbers are rounded otherwise."""
    steps = 8 * torch.finfo(x.dtype).eps * torch.tensor([1.0, -1.0, 1.0], dtype=x.dtype)
    factors = 1 + steps.to(x.device).repeat(x.numel() // 3 + 1)[: x.numel()].reshape(x.shape)
    leaf, outputs = _forward(forward, x * factors)
    seed = outputs[number].reshape(-1)[place] * 1.1
    (other,) = torch.autograd.grad(seed, leaf)
    return float(torch.linalg.vector_norm((other / 1.1 - want).double()))


class _GradientsInOnePiece(TorchFunctionMode):
    """Batch normalisation receives its gradient contiguous.

    Of another, such as one that tokens turned into maps hand on, autograd's derivative is wrong on
    the CPU (torch 2.14, in evaluation).
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in (F.batch_norm, torch.batch_norm) and result.requires_grad:
            result.register_hook(Tensor.contiguous)
        return result


def _off(record: Record, step: int, place: int, want: Tensor) -> float:
    """The distance of our gradient from `want`; 0 if it is near enough."""
    got = _gradient(record, step, place, want)
    coarse = want.dtype in (torch.float16, torch.bfloat16) or any(
        kept.tensor.dtype in (torch.float16, torch.bfloat16)
        for call in record.calls
        for kept in call.rule.boxes[:1]
    )
    off = float(torch.linalg.vector_norm((got - want).double()))
    size = float(torch.linalg.vector_norm(want.double()))
    return off if off > (0.3 if coarse else 1e-2) * size + 1e-30 else 0.0


@torch.no_grad()
def _gradient(record: Record, step: int, place: int, like: Tensor) -> Tensor:
    """The derivative of one number of a step's output by the picture, by our way."""
    call = record.calls[step]
    dtype = torch.promote_types(like.dtype, torch.float32)
    start = torch.zeros(call.shape, dtype=dtype, device=like.device)
    start.view(-1)[place] = 1
    zero = torch.zeros(1, dtype=torch.long)
    way = Way(_GRADIENT, Places.of(zero, zero, zero, like.device))
    signal: Signal = backward.from_maps(record.calls, step, start)
    signal = backward.send_back(record.calls, step, signal, way)
    return way.whole(signal, record.calls[0].size).values
