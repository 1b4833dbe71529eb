"""Which rule each operation follows: one table, keyed by the name of the ATen operation.

ATen is the layer of torch below its modules, functions and methods: `nn.ReLU`, `F.relu` and
`x.relu_()` all arrive as `relu`. An operation that is not here is made of others that are, or goes
back by its exact derivative. To teach the engine another rule, add an entry to OPERATIONS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zfwidgets.deconv.rules import (
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Concatenate,
    Conv,
    Expand,
    Kind,
    Linear,
    LocalResponseNorm,
    MaxPool,
    MaxPoolWithIndices,
    NotExact,
    Pad,
    Permute,
    Pointwise,
    Product,
    Rectifier,
    Reshape,
    Rule,
    Same,
    Slice,
)

aten = torch.ops.aten
Made = Rule | list[Rule]


@dataclass(frozen=True, slots=True)
class Operation:
    """How a signal goes back through an operation.

    rule: makes the exact rule from what the operation is called with, a list of them for several
    outputs; it raises NotExact for calls that it does not cover, ValueError for those without a
    way back. None: the derivative is the rule. extension: why the derivative goes beyond the
    paper. by_picture: told from the call, whether the pictures of a batch stay apart. kind: what
    a layer is called after that goes back by the derivative. weights: from and up to which operand
    the exact rule takes things for given; if the picture made one, the derivative is the rule.
    """

    rule: Callable[..., Made] | None = None
    extension: str = ""
    by_picture: Callable[..., bool] = lambda *_, **__: True
    kind: Kind | None = None
    weights: tuple[int, int | None] = (0, 0)


# --------------------------------------------------------------------- whether pictures stay apart


def _along(position: int, name: str = "dim", default: Any = None) -> Callable[..., bool]:
    """They do unless the operation works along the first dimension."""

    def by_picture(x: Any, *args: Any, **options: Any) -> bool:
        dims = args[position - 1] if len(args) >= position else options.get(name, default)
        if dims is None:
            return False
        first = x[0] if isinstance(x, list | tuple) else x
        if isinstance(dims, Tensor):  # of two tensors, number by number
            return first.ndim == dims.ndim
        each = dims if isinstance(dims, Sequence) else [dims]
        return bool(each) and all(d % max(1, first.ndim) != 0 for d in each)

    return by_picture


def _never(*_: Any, **__: Any) -> bool:
    return False


def _matrices(x: Tensor, y: Tensor) -> bool:
    return (x.ndim > 2 and y.ndim in (2, x.ndim)) or (x.ndim == y.ndim == 2)


def _repeated(x: Tensor, repeats: Sequence[int]) -> bool:
    return len(repeats) == x.ndim and repeats[0] == 1


def _indexed(x: Tensor, indices: Sequence[Tensor | None], *_: Any) -> bool:
    return bool(indices) and indices[0] is None


# ---------------------------------------------------------------------------------------- entries


def _rectifier(function: Callable[..., Tensor], extension: str = "") -> Callable[..., Rule]:
    def rule(x: Tensor, *args: Any, **options: Any) -> Rule:
        return Rectifier(lambda value: function(value, *args, **options), x, extension)

    return rule


def _prelu(x: Tensor, weight: Tensor) -> Rule:
    made = Rectifier(lambda value: torch.prelu(value, weight), x, _BEYOND)
    made.elementwise = weight.numel() == 1
    return made


def _clamp(x: Tensor, low: Any = None, high: Any = None, **options: Any) -> Rule:
    low, high = options.get("min", low), options.get("max", high)
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        raise NotExact
    if low == 0 and high is None:
        return Rectifier(torch.relu, x)
    return Rectifier(lambda value: value.clamp(low, high), x, _BEYOND)


def _pointwise(function: Callable[..., Tensor], extension: str) -> Callable[..., Rule]:
    def rule(x: Any, *args: Any, **options: Any) -> Rule:
        if any(isinstance(a, Tensor) for a in args) or not isinstance(x, Tensor):
            raise NotExact
        if x.is_complex():
            raise NotExact
        return Pointwise(lambda value: function(value, *args, **options), x, extension=extension)

    return rule


def _last_dimension(name: str, extension: str) -> Callable[..., Rule]:
    """Normalisation over the last dimension, with weights."""
    function = getattr(aten, name)

    def rule(x: Tensor, normalized_shape: Sequence[int], *args: Any, **options: Any) -> Rule:
        if len(normalized_shape) != 1:
            raise NotExact
        return Pointwise(
            lambda value: function(value, list(normalized_shape), *args, **options),
            x,
            extension=extension,
            channels=True,
        )

    return rule


def _rrelu(
    x: Tensor, low: float = 1 / 8, high: float = 1 / 3, training: bool = False, *_: Any
) -> Rule:
    slope = (low + high) / 2
    return Rectifier(lambda value: torch.where(value > 0, value, value * slope), x, _BEYOND)


SHAPES_ALONE = frozenset(
    f"{what}{how}"
    for what, how in (
        *((w, "_like") for w in ("zeros", "ones", "full", "empty", "rand", "randn", "randint")),
        *((f"new_{w}", "") for w in ("zeros", "ones", "full", "empty", "empty_strided")),
        *((w, "") for w in ("sym_size", "sym_numel", "argmax", "argmin", "equal", "is_nonzero")),
    )
)
"""Operations that ask a tensor for its shape, or answer with whole numbers: no signal passes."""


def _add(x: Any, y: Any, alpha: float = 1) -> Rule:
    return Add(x, y, weights=(1, alpha))


def _subtract(x: Any, y: Any, alpha: float = 1) -> Rule:
    return Add(x, y, weights=(1, -alpha))


def _subtract_from(x: Any, y: Any, alpha: float = 1) -> Rule:
    return Add(x, y, weights=(-alpha, 1))


def _multiply(x: Any, y: Any) -> Rule:
    return Product(x, y, slopes=(lambda _, b: b, lambda a, _: a))


def _divide(x: Any, y: Any, rounding_mode: str | None = None) -> Rule:
    if rounding_mode is not None:
        raise ValueError("a division that rounds has no slope, and no way back")
    return Product(x, y, slopes=(lambda _, b: 1 / b, lambda a, b: -a / (b * b)))


def _negate(x: Tensor) -> Rule:
    return Add(x, weights=(-1, 1))


def _transpose(x: Tensor, dim0: int, dim1: int) -> Rule:
    dims = list(range(x.ndim))
    dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return Permute(x, dims)


def _slice(
    x: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Rule:
    first, last, every = slice(start, end, step).indices(x.shape[dim])
    return Slice(x, dim, first, max(0, -(-(last - first) // every)), every)


def _select(x: Tensor, dim: int, index: int) -> Rule:
    return Slice(x, dim, index % x.shape[dim], 1, drop=True)


def _split(x: Tensor, size: int | Sequence[int], dim: int = 0) -> list[Rule]:
    extent = x.shape[dim]
    if isinstance(size, int):
        size = [min(size, extent - at) for at in range(0, extent, size)] if size else [0]
    return [Slice(x, dim, sum(size[:i]), width) for i, width in enumerate(size)]


def _unbind(x: Tensor, dim: int = 0) -> list[Rule]:
    return [Slice(x, dim, i, 1, drop=True) for i in range(x.shape[dim])]


# ------------------------------------------------------------------------------------------ table

_BEYOND = "rectifier other than ReLU"
_GATE = "gate"

_RECTIFIERS = "hardtanh leaky_relu elu celu gelu silu mish hardswish softplus"
_GATES = (
    "sigmoid tanh hardsigmoid exp expm1 log log1p log2 log10 sqrt rsqrt square abs erf sin cos "
    "reciprocal logit pow softshrink hardshrink atan nan_to_num"
)
_SAME = "clone detach alias lift_fresh positive contiguous to _to_copy type_as real _conj_physical"
_RESHAPES = "view _unsafe_view reshape flatten unflatten squeeze unsqueeze view_as"

_SECOND, _AFTER_SHAPE = (1, 2), (2, None)
"""Where weights stand among the operands."""

OPERATIONS: Mapping[str, Operation] = {
    # Filters
    "conv2d": Operation(Conv, "filters made from the picture", _never, "conv", _SECOND),
    "conv_transpose2d": Operation(None, "transposed convolution", kind="conv"),
    "linear": Operation(Linear, "fully connected over columns", _never, weights=_SECOND),
    # Rectifiers
    "relu": Operation(_rectifier(torch.relu)),
    "clamp": Operation(_clamp, "clamp"),
    "clamp_min": Operation(_clamp, "clamp"),
    "prelu": Operation(_prelu, _BEYOND, weights=_SECOND),
    "rrelu": Operation(_rrelu, _BEYOND),
    **{
        name: Operation(_rectifier(getattr(aten, name), _BEYOND), _BEYOND)
        for name in _RECTIFIERS.split()
    },
    # Pooling
    "max_pool2d": Operation(MaxPool, "max pooling", kind="pool"),
    "max_pool2d_with_indices": Operation(MaxPoolWithIndices, "max pooling", kind="pool"),
    "avg_pool2d": Operation(AvgPool, "average pooling", kind="pool"),
    "adaptive_avg_pool2d": Operation(AdaptiveAvgPool, "average pooling", kind="pool"),
    "adaptive_max_pool2d": Operation(None, "adaptive max pooling", kind="pool"),
    "max_unpool2d": Operation(None, "unpooling"),
    "mean": Operation(None, "average pooling", _along(1)),
    "sum": Operation(None, "sum over places", _along(1)),
    "amax": Operation(None, "max over places", _along(1, default=())),
    "max": Operation(None, "max over places", _along(1)),
    # Normalisation
    "batch_norm": Operation(
        BatchNorm, "normalisation by the batch's own statistics", _never, weights=(1, 5)
    ),
    "local_response_norm": Operation(LocalResponseNorm, "contrast normalisation"),
    "layer_norm": Operation(
        _last_dimension("layer_norm", "layer normalisation"),
        "layer normalisation",
        weights=_AFTER_SHAPE,
    ),
    "rms_norm": Operation(
        _last_dimension("rms_norm", "RMS normalisation"), "RMS normalisation", weights=_AFTER_SHAPE
    ),
    "group_norm": Operation(None, "group normalisation"),
    "instance_norm": Operation(None, "instance normalisation"),
    # Of those that are off: the recorder refuses one that draws lots.
    "dropout": Operation(Same),
    "feature_dropout": Operation(Same),
    "alpha_dropout": Operation(Same),
    "feature_alpha_dropout": Operation(Same),
    # Sums, products, branches
    "add": Operation(_add, "sum of branches", _never),
    "sub": Operation(_subtract, "sum of branches", _never),
    "rsub": Operation(_subtract_from, "sum of branches", _never),
    "mul": Operation(_multiply, "product", _never),
    "div": Operation(_divide, "product", _never),
    "neg": Operation(_negate),
    "cat": Operation(Concatenate, "concatenation", _along(1, default=0)),
    "stack": Operation(None, "concatenation", _along(1, default=0)),
    "where": Operation(None, "choice"),
    "masked_fill": Operation(None, "choice"),
    # Parts
    "split": Operation(_split, "a part", _never),
    "split_with_sizes": Operation(_split, "a part", _never),
    "unsafe_split": Operation(_split, "a part", _never),
    "unbind": Operation(_unbind, "a part", _never),
    "slice": Operation(_slice, "a part", _never),
    "select": Operation(_select, "a part", _never),
    "index": Operation(None, "indexing", _indexed),
    "gather": Operation(None, "indexing", _along(1)),
    # Shapes
    **{name: Operation(Reshape, "", _never) for name in _RESHAPES.split()},
    **{name: Operation(Same) for name in _SAME.split()},
    "permute": Operation(Permute, "", _never),
    "transpose": Operation(_transpose, "", _never),
    "t": Operation(lambda x: Permute(x, range(x.ndim)[::-1]), "", _never),
    "expand": Operation(Expand, "repetition", _never),
    "repeat": Operation(None, "repetition", _repeated),
    "flip": Operation(None, "mirroring", _along(1, "dims")),
    "roll": Operation(None, "rolling", _along(2, "dims")),
    "constant_pad_nd": Operation(Pad, "padding"),
    "pixel_shuffle": Operation(None, "pixel shuffle"),
    "pixel_unshuffle": Operation(None, "pixel shuffle"),
    "channel_shuffle": Operation(None, "channel shuffle"),
    "grid_sampler": Operation(None, "interpolation"),
    **{
        f"{way}{d}d": Operation(None, "padding")
        for way in ("reflection_pad", "replication_pad")
        for d in (1, 2, 3)
    },
    **{
        name: Operation(None, "interpolation")
        for name in dir(aten)
        if name.startswith(("upsample_", "_upsample_")) and "backward" not in name
    },
    "upsample_nearest2d": Operation(None, "interpolation"),
    "upsample_bilinear2d": Operation(None, "interpolation"),
    "upsample_bicubic2d": Operation(None, "interpolation"),
    "_upsample_bilinear2d_aa": Operation(None, "interpolation"),
    "_upsample_bicubic2d_aa": Operation(None, "interpolation"),
    "_upsample_nearest_exact2d": Operation(None, "interpolation"),
    # Attention and its like
    **{name: Operation(_pointwise(getattr(aten, name), _GATE), _GATE) for name in _GATES.split()},
    "softmax": Operation(None, "softmax", _along(1)),
    "log_softmax": Operation(None, "softmax", _along(1)),
    "glu": Operation(None, _GATE, _along(1, default=-1)),
    **{name: Operation(None, "recurrence", _never) for name in ("lstm", "gru", "rnn_tanh")},
    "matmul": Operation(None, "product", _matrices),
    "bmm": Operation(None, "product"),
    "scaled_dot_product_attention": Operation(None, "attention"),
}
"""Exact rules where the paper's idea extends, and what is said of derivatives."""
