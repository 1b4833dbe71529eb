"""Torch's functions as the few kinds of operations that the page's engine has.

A function here takes what torch gave and what the function was given, and says which operation that
is; `OPERATIONS` lists them by torch's names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

Pair = tuple[int, int]
Span = tuple[int, int, int]


class UnsupportedInPage(ValueError):  # noqa: N818
    """The network does something that the engine in the page cannot do."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a function was found to be: its kind, the tensors it takes, its numbers and weights."""

    op: str
    takes: Sequence[Any]
    options: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor | None] = field(default_factory=dict)


def flat(values: tuple[Any, ...]) -> list[Any]:
    """Values, those in lists among them."""
    return [v for value in values for v in (value if isinstance(value, list | tuple) else [value])]


def _conv(
    output: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Call:
    reach = [(k - 1) * d for k, d in zip(weight.shape[2:], _pair(dilation), strict=True)]
    if padding == "same":
        padding = [r // 2 for r in reach]
    options = {
        "stride": _pair(stride),
        "padding": (0, 0) if padding == "valid" else _pair(padding),
        "dilation": _pair(dilation),
        "groups": groups,
    }
    return Call("conv", [x], options, {"weight": weight, "bias": bias})


def _linear(output: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Call:
    if x.ndim != 2:
        raise UnsupportedInPage(f"linear() of {list(x.shape)}: the page takes rows of numbers only")
    return Call("linear", [x], {}, {"weight": weight, "bias": bias})


def _relu(output: Tensor, x: Tensor, inplace: bool = False) -> Call:
    return Call("relu", [x])


def _max_pool(
    output: Tensor,
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Call:
    kernel = _pair(kernel_size)
    if kernel[0] * kernel[1] > 255:
        raise UnsupportedInPage(f"max_pool2d() with kernel {kernel}: at most 255 places are taken")
    options = {
        "kernel": kernel,
        "stride": _pair(stride) if stride not in (None, [], ()) else kernel,
        "padding": _pair(padding),
        "dilation": _pair(dilation),
    }
    return Call("maxpool", [x], options)


def _avg_pool(
    output: Tensor,
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Call:
    kernel, pad = _pair(kernel_size), _pair(padding)
    step = _pair(stride) if stride not in (None, [], ()) else kernel
    rows, cols = (
        [
            _moving(i * step[a] - pad[a], kernel[a], x.shape[2 + a], pad[a], count_include_pad)
            for i in range(output.shape[2 + a])
        ]
        for a in (0, 1)
    )
    if divisor_override is not None:
        rows = [(first, last, divisor_override) for first, last, _ in rows]
        cols = [(first, last, 1) for first, last, _ in cols]
    moving = {"kernel": kernel, "stride": step, "padding": pad}
    return Call("average", [x], {"rows": rows, "cols": cols, "moving": moving})


def _moving(first: int, kernel: int, size: int, pad: int, count_pad: bool) -> Span:
    """The window along one axis, cut to the map, and by how many it is divided."""
    end = min(first + kernel, size + pad)
    low, high = max(first, 0), min(end, size)
    return low, max(low, high), end - first if count_pad else max(low, high) - low


def _adaptive(output: Tensor, x: Tensor, output_size: Any) -> Call:
    rows, cols = (
        [_shared_out(i, output.shape[2 + a], x.shape[2 + a]) for i in range(output.shape[2 + a])]
        for a in (0, 1)
    )
    return Call("average", [x], {"rows": rows, "cols": cols, "moving": None})


def _shared_out(index: int, outputs: int, inputs: int) -> Span:
    first, last = index * inputs // outputs, -(-(index + 1) * inputs // outputs)
    return first, last, last - first


def _mean(output: Tensor, x: Tensor, dim: Any = None, keepdim: bool = False) -> Call:
    axes = [] if dim is None else sorted(d % x.ndim for d in flat((dim,)))
    if x.ndim != 4 or axes != [2, 3]:
        raise UnsupportedInPage(f"mean() over {dim}: the page averages over rows and columns only")
    rows, cols = [(0, n, n) for n in x.shape[2:]]
    return Call("average", [x], {"rows": [rows], "cols": [cols], "moving": None})


def _batch_norm(
    output: Tensor,
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Call:
    if training or running_mean is None or running_var is None:
        raise UnsupportedInPage("batch_norm() by the batch's own statistics: call model.eval()")
    scale = (running_var.double() + eps).rsqrt() * (1 if weight is None else weight.double())
    shift = (0 if bias is None else bias.double()) - running_mean.double() * scale
    return Call("affine", [x], {}, {"scale": scale, "shift": shift})


def _lrn(
    output: Tensor, x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Call:
    return Call("lrn", [x], {"size": size, "alpha": alpha, "beta": beta, "k": k})


def _add(output: Tensor, x: Any, y: Any, *, alpha: float = 1) -> Call:
    if all(isinstance(side, Tensor) and side.shape == output.shape for side in (x, y)):
        if alpha != 1:
            raise UnsupportedInPage(f"add() with alpha={alpha}: the page adds plainly")
        return Call("add", [x, y])
    picture, constant = _sides("add", output, x, y)
    if picture is y:
        return _affine(output, y, alpha, constant)
    return _affine(output, x, 1, alpha * constant)


def _sub(output: Tensor, x: Any, y: Any, *, alpha: float = 1) -> Call:
    picture, constant = _sides("sub", output, x, y)
    if picture is y:
        return _affine(output, y, -alpha, constant)
    return _affine(output, x, 1, -alpha * constant)


def _mul(output: Tensor, x: Any, y: Any) -> Call:
    picture, constant = _sides("mul", output, x, y)
    return _affine(output, picture, constant, 0)


def _div(output: Tensor, x: Any, y: Any, *, rounding_mode: str | None = None) -> Call:
    picture, constant = _sides("div", output, x, y)
    if picture is y or rounding_mode is not None:
        raise UnsupportedInPage("div(): the page divides by numbers only, and does not round")
    return _affine(output, x, 1 / constant, 0)


def _sides(name: str, output: Tensor, x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """The operand that is a map, and the constant in float64."""
    maps = [side for side in (x, y) if isinstance(side, Tensor) and side.shape == output.shape]
    if len(maps) != 1:
        raise UnsupportedInPage(
            f"{name}() of two maps, or of none as large as what it gives: the page adds maps, and "
            "knows arithmetic with constants"
        )
    constant = y if maps[0] is x else x
    return maps[0], torch.as_tensor(constant, dtype=torch.float64, device=output.device)


def _affine(output: Tensor, x: Tensor, scale: Any, shift: Any) -> Call:
    """scale * x + shift, with one number for all channels or one for each."""
    channels = 1 if output.ndim == 3 else output.shape[1]
    shape = (1, channels, *[1] * (output.ndim - 2))
    tensors: dict[str, Tensor | None] = {}
    for name, given in (("scale", scale), ("shift", shift)):
        numbers = torch.as_tensor(given, dtype=torch.float64, device=output.device)
        try:
            tensors[name] = numbers.broadcast_to(shape).reshape(channels)
        except RuntimeError:
            raise UnsupportedInPage(
                f"arithmetic with a constant {list(numbers.shape)}: the page takes one number, or "
                f"one a channel, [{channels}, 1, 1]"
            ) from None
    return Call("affine", [x], {}, tensors)


def _channels(output: Tensor, x: Tensor, index: Any) -> Call:
    """x[:, some]: the convolution whose filters each see one channel."""
    whole = isinstance(index, tuple) and len(index) == 2 and isinstance(index[0], slice)
    if x.ndim != 4 or not whole or index[0] != slice(None):
        raise UnsupportedInPage(f"x[{index}] of {list(x.shape)}: the page chooses channels only")
    count = x.shape[1]
    chosen = torch.arange(count, device=x.device)[index[1]].reshape(-1)
    weight = torch.eye(count, device=x.device)[chosen][:, :, None, None]
    return _conv(output, x, weight)


def _concat(output: Tensor, tensors: Sequence[Tensor], dim: int = 0) -> Call:
    if dim % output.ndim != 1:
        raise UnsupportedInPage(f"cat() along dimension {dim}: the page joins channels only")
    return Call("concat", list(tensors))


def _pair(value: Any) -> Pair:
    numbers = [int(v) for v in flat((value,))]
    return numbers[0], numbers[-1]


SAME = {"alpha_dropout", "clone", "contiguous", "detach", "dropout", "dropout2d", "float", "to"}
"""They pass on what they are given, in evaluation mode."""

SHAPES = {"flatten", "reshape", "squeeze", "unsqueeze", "view"}
"""They give the same values in another shape; the page knows rows of numbers."""

OPERATIONS: dict[str, Callable[..., Call]] = {
    "conv2d": _conv,
    "linear": _linear,
    "relu": _relu,
    "relu_": _relu,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool2d": _adaptive,
    "mean": _mean,
    "batch_norm": _batch_norm,
    "local_response_norm": _lrn,
    **dict.fromkeys(["add", "add_", "__add__", "__iadd__", "__radd__"], _add),
    **dict.fromkeys(["sub", "sub_", "subtract"], _sub),
    "__rsub__": lambda output, x, y: _sub(output, y, x),
    **dict.fromkeys(["mul", "mul_", "multiply"], _mul),
    **dict.fromkeys(["div", "div_", "divide", "true_divide"], _div),
    "__getitem__": _channels,
    "cat": _concat,
    "concat": _concat,
}
