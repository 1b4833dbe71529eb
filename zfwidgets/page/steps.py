"""A forward pass as the list of operations it calls, in the few kinds that the page's engine has.

The model is run once under a `TorchFunctionMode`, which sees every torch function with its
arguments. A function that is none of the page's operations is an error that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Pair = tuple[int, int]
Span = tuple[int, int, int]


class UnsupportedInPage(ValueError):  # noqa: N818
    """The network does something that the engine in the page cannot do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation. Step 0 is the input.

    op: its kind, as in js/src/engine/graph.ts. sources: the steps whose values it takes.
    options: its numbers, as they are written for the page. tensors: its weights.
    value: what it gave, [1, C, H, W] or [1, K].
    """

    op: str
    sources: tuple[int, ...]
    value: Tensor
    options: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor | None] = field(default_factory=dict)


def steps(model: nn.Module, inputs: Tensor) -> list[Step]:
    """The operations that the model calls for inputs [1, C, H, W], in evaluation mode.

    Raises UnsupportedInPage for an operation that the page does not have.
    """
    with torch.inference_mode(), _Walk(inputs) as walk:
        model(inputs)
    return walk.steps


@dataclass(frozen=True, slots=True)
class _Call:
    """What a function was found to be: its kind, the tensors it takes, its numbers and weights."""

    op: str
    takes: Sequence[Any]
    options: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor | None] = field(default_factory=dict)


class _Walk(TorchFunctionMode):
    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.steps = [Step("input", (), inputs.clone())]
        # Tensors are kept, so that no id is given twice.
        self._known: dict[int, tuple[Tensor, int]] = {id(inputs): (inputs, 0)}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        given = [a for a in _flat((*args, *kwargs.values())) if id(a) in self._known]
        # In-place functions change what they were given: what it was is needed first.
        shapes = [tuple(a.shape) for a in given]
        output = func(*args, **kwargs)
        if given and isinstance(output, Tensor):
            self._note(func, args, kwargs, output, shapes)
        elif given and any(isinstance(o, Tensor) for o in _flat((output,))):
            raise _unsupported(func, "it gives several tensors")
        return output

    def _note(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        output: Tensor,
        shapes: list[tuple[int, ...]],
    ) -> None:
        name = func.__name__
        if name in _SAME or (name in _SHAPES and tuple(output.shape) == shapes[0]):
            self._known[id(output)] = (output, self._index(func, args[0]))
            return
        if name in _SHAPES:
            if output.ndim != 2:
                raise _unsupported(func, f"it makes {shapes[0]} to {tuple(output.shape)}")
            call = _Call("flatten", [args[0]])
        elif name in _OPERATIONS:
            call = _OPERATIONS[name](output, *args, **kwargs)
        else:
            raise _unsupported(func)
        sources = tuple(self._index(func, tensor) for tensor in call.takes)
        if call.op in ("add", "relu") and any(
            self.steps[s].value.shape != output.shape for s in sources
        ):
            raise _unsupported(func, "it repeats one of its operands")
        self.steps.append(Step(call.op, sources, output.clone(), call.options, call.tensors))
        if call.op == "average" and output.ndim == 2:  # a mean that drops the axes
            self.steps[-1] = Step(call.op, sources, output.clone()[:, :, None, None], call.options)
            self.steps.append(Step("flatten", (len(self.steps) - 1,), output.clone()))
        self._known[id(output)] = (output, len(self.steps) - 1)

    def _index(self, func: Callable[..., Any], tensor: Any) -> int:
        found = self._known.get(id(tensor))
        if found is None:
            raise _unsupported(func, "an operand does not come from the picture")
        return found[1]


def _flat(values: tuple[Any, ...]) -> list[Any]:
    return [v for value in values for v in (value if isinstance(value, list | tuple) else [value])]


def _unsupported(func: Callable[..., Any], why: str = "") -> UnsupportedInPage:
    known = ", ".join(sorted({*_OPERATIONS, *_SHAPES}))
    return UnsupportedInPage(
        f"{func.__name__}(): the engine in the page has no such operation"
        f"{f' ({why})' if why else ''}. It has {known}. Let Python compute this network."
    )


# ------------------------------------------------------------------------------- operations


def _conv(
    output: Tensor,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> _Call:
    reach = [(k - 1) * d for k, d in zip(weight.shape[2:], _pair(dilation), strict=True)]
    if padding == "same":
        padding = [r // 2 for r in reach]
    options = {
        "stride": _pair(stride),
        "padding": (0, 0) if padding == "valid" else _pair(padding),
        "dilation": _pair(dilation),
        "groups": groups,
    }
    return _Call("conv", [x], options, {"weight": weight, "bias": bias})


def _linear(output: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> _Call:
    if x.ndim != 2:
        raise UnsupportedInPage(f"linear() of {list(x.shape)}: the page takes rows of numbers only")
    return _Call("linear", [x], {}, {"weight": weight, "bias": bias})


def _relu(output: Tensor, x: Tensor, inplace: bool = False) -> _Call:
    return _Call("relu", [x])


def _max_pool(
    output: Tensor,
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> _Call:
    kernel = _pair(kernel_size)
    if kernel[0] * kernel[1] > 255:
        raise UnsupportedInPage(f"max_pool2d() with kernel {kernel}: at most 255 places are taken")
    options = {
        "kernel": kernel,
        "stride": _pair(stride) if stride not in (None, [], ()) else kernel,
        "padding": _pair(padding),
        "dilation": _pair(dilation),
    }
    return _Call("maxpool", [x], options)


def _avg_pool(
    output: Tensor,
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> _Call:
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
    return _Call("average", [x], {"rows": rows, "cols": cols, "moving": moving})


def _moving(first: int, kernel: int, size: int, pad: int, count_pad: bool) -> Span:
    """The window along one axis, cut to the map, and by how many it is divided."""
    end = min(first + kernel, size + pad)
    low, high = max(first, 0), min(end, size)
    return low, max(low, high), end - first if count_pad else max(low, high) - low


def _adaptive(output: Tensor, x: Tensor, output_size: Any) -> _Call:
    rows, cols = (
        [_shared_out(i, output.shape[2 + a], x.shape[2 + a]) for i in range(output.shape[2 + a])]
        for a in (0, 1)
    )
    return _Call("average", [x], {"rows": rows, "cols": cols, "moving": None})


def _shared_out(index: int, outputs: int, inputs: int) -> Span:
    first, last = index * inputs // outputs, -(-(index + 1) * inputs // outputs)
    return first, last, last - first


def _mean(output: Tensor, x: Tensor, dim: Any = None, keepdim: bool = False) -> _Call:
    axes = [] if dim is None else sorted(d % x.ndim for d in _flat((dim,)))
    if x.ndim != 4 or axes != [2, 3]:
        raise UnsupportedInPage(f"mean() over {dim}: the page averages over rows and columns only")
    rows, cols = [(0, n, n) for n in x.shape[2:]]
    return _Call("average", [x], {"rows": [rows], "cols": [cols], "moving": None})


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
) -> _Call:
    if training or running_mean is None or running_var is None:
        raise UnsupportedInPage("batch_norm() by the batch's own statistics: call model.eval()")
    scale = (running_var.double() + eps).rsqrt() * (1 if weight is None else weight.double())
    shift = (0 if bias is None else bias.double()) - running_mean.double() * scale
    return _Call("affine", [x], {}, {"scale": scale, "shift": shift})


def _lrn(
    output: Tensor, x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> _Call:
    return _Call("lrn", [x], {"size": size, "alpha": alpha, "beta": beta, "k": k})


def _add(output: Tensor, x: Any, y: Any, *, alpha: float = 1) -> _Call:
    if alpha != 1:
        raise UnsupportedInPage(f"add() with alpha={alpha}: the page adds plainly")
    return _Call("add", [x, y])


def _concat(output: Tensor, tensors: Sequence[Tensor], dim: int = 0) -> _Call:
    if dim % output.ndim != 1:
        raise UnsupportedInPage(f"cat() along dimension {dim}: the page joins channels only")
    return _Call("concat", list(tensors))


def _pair(value: Any) -> Pair:
    numbers = [int(v) for v in _flat((value,))]
    return numbers[0], numbers[-1]


_SAME = {"alpha_dropout", "clone", "contiguous", "detach", "dropout", "dropout2d", "float", "to"}
"""They pass on what they are given, in evaluation mode."""

_SHAPES = {"flatten", "reshape", "squeeze", "unsqueeze", "view"}
"""They give the same values in another shape; the page knows rows of numbers."""

_OPERATIONS: dict[str, Callable[..., _Call]] = {
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
    "add": _add,
    "add_": _add,
    "__add__": _add,
    "__iadd__": _add,
    "__radd__": _add,
    "cat": _concat,
    "concat": _concat,
}
