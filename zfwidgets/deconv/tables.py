"""Which rule each operation follows. A new operation is one entry in one of these three tables.

MODULES for layers (`nn.Conv2d`), FUNCTIONS for functions (`F.conv2d`), METHODS for tensor methods
(`x.flatten`). An entry is called with what the operation is called with and returns its rule.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from zfwidgets.deconv.rules import (
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Concatenate,
    Conv,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Part,
    Parts,
    Permute,
    Pointwise,
    Product,
    Rectifier,
    Reshape,
    Rule,
    Split,
    WholeMap,
)


def rectifier(function: Callable[..., Tensor], extension: str = "") -> Callable[..., Rule]:
    """An entry for a rectifier-like function; `inplace` is ignored, see `Rectifier.run`."""

    def entry(x: Tensor, *args: Any, inplace: bool = False, **options: Any) -> Rule:
        args = tuple(a for a in args if not isinstance(a, bool))
        return Rectifier(lambda value: function(value, *args, **options), x, extension)

    return entry


def _transpose(x: Tensor, dim0: int, dim1: int) -> Rule:
    dims = list(range(x.ndim))
    dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return Permute(x, dims)


def _permute(x: Tensor, *dims: Any) -> Rule:
    return Permute(x, dims[0] if isinstance(dims[0], Sequence) else dims)


def _item(x: Any, index: Any) -> Rule:
    if isinstance(x, Parts):
        return Part(x, index)
    return WholeMap(lambda value: value[index], x, "indexing")


def _add(x: Any, y: Any, alpha: float = 1) -> Rule:
    return Add(x, y, weights=(1, alpha))


def _subtract(x: Any, y: Any, alpha: float = 1) -> Rule:
    return Add(x, y, weights=(1, -alpha))


def _multiply(x: Any, y: Any) -> Rule:
    return Product(x, y, slopes=(lambda: y, lambda: x))


def _divide(x: Any, y: Any, rounding_mode: str | None = None) -> Rule:
    if rounding_mode is not None:
        raise ValueError("a division that rounds has no slope, and no rule")
    return Product(x, y, slopes=(lambda: 1 / y, lambda: -x / (y * y)))


def _layer_norm(
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Rule:
    def function(value: Tensor) -> Tensor:
        return F.layer_norm(value, tuple(normalized_shape), weight, bias, eps)

    if len(normalized_shape) == 1:
        return Pointwise(function, x, extension="layer normalisation")
    return WholeMap(function, x, "layer normalisation")


def whole_map(function: Callable[..., Tensor], extension: str) -> Callable[..., Rule]:
    """An entry for a function whose derivative on whole maps is taken."""

    def entry(x: Tensor, *args: Any, **options: Any) -> Rule:
        return WholeMap(lambda value: function(value, *args, **options), x, extension)

    return entry


def pointwise(function: Callable[..., Tensor], extension: str) -> Callable[..., Rule]:
    """An entry for a function of every place by itself, whose derivative is taken."""

    def entry(x: Tensor, *args: Any, inplace: bool = False, **options: Any) -> Rule:
        return Pointwise(lambda value: function(value, *args, **options), x, extension=extension)

    return entry


def _unchanged(x: Any, *args: Any, **options: Any) -> Rule:
    return Rule()


# ------------------------------------------------------------------------------------- tables

Entry = Callable[..., Rule]

_BEYOND = "rectifier other than ReLU"
_relu = rectifier(torch.relu)
_GATES = "gate"

FUNCTIONS: dict[Any, Entry] = {
    F.conv2d: Conv,
    torch.conv2d: Conv,
    F.linear: Linear,
    F.relu: _relu,
    F.relu_: _relu,
    torch.relu: _relu,
    torch.relu_: _relu,
    F.relu6: rectifier(F.relu6, _BEYOND),
    F.leaky_relu: rectifier(F.leaky_relu, _BEYOND),
    F.elu: rectifier(F.elu, _BEYOND),
    F.gelu: rectifier(F.gelu, _BEYOND),
    F.silu: rectifier(F.silu, _BEYOND),
    F.mish: rectifier(F.mish, _BEYOND),
    F.hardswish: rectifier(F.hardswish, _BEYOND),
    F.softplus: rectifier(F.softplus, _BEYOND),
    F.max_pool2d: MaxPool,
    torch.max_pool2d: MaxPool,
    F.avg_pool2d: AvgPool,
    F.adaptive_avg_pool2d: AdaptiveAvgPool,
    F.adaptive_max_pool2d: whole_map(F.adaptive_max_pool2d, "adaptive max pooling"),
    F.batch_norm: BatchNorm,
    torch.batch_norm: BatchNorm,
    F.local_response_norm: LocalResponseNorm,
    F.layer_norm: _layer_norm,
    F.instance_norm: whole_map(F.instance_norm, "instance normalisation"),
    F.group_norm: whole_map(F.group_norm, "group normalisation"),
    F.dropout: _unchanged,
    F.dropout2d: _unchanged,
    F.sigmoid: pointwise(torch.sigmoid, _GATES),
    torch.sigmoid: pointwise(torch.sigmoid, _GATES),
    torch.tanh: pointwise(torch.tanh, _GATES),
    F.hardsigmoid: pointwise(F.hardsigmoid, _GATES),
    F.softmax: whole_map(F.softmax, "softmax"),
    torch.softmax: whole_map(torch.softmax, "softmax"),
    F.log_softmax: whole_map(F.log_softmax, "softmax"),
    F.interpolate: whole_map(F.interpolate, "interpolation"),
    F.pad: whole_map(F.pad, "padding"),
    F.pixel_shuffle: whole_map(F.pixel_shuffle, "pixel shuffle"),
    torch.flatten: Reshape,
    torch.reshape: Reshape,
    torch.squeeze: Reshape,
    torch.unsqueeze: Reshape,
    torch.permute: _permute,
    torch.transpose: _transpose,
    torch.add: _add,
    operator.add: _add,
    operator.iadd: _add,
    torch.sub: _subtract,
    operator.sub: _subtract,
    torch.mul: _multiply,
    operator.mul: _multiply,
    operator.imul: _multiply,
    operator.truediv: _divide,
    torch.div: _divide,
    operator.neg: lambda x: _multiply(x, -1.0),
    torch.cat: Concatenate,
    torch.concat: Concatenate,
    torch.chunk: Split,
    torch.split: Split,
    torch.amax: whole_map(torch.amax, "max over places"),
    torch.mean: whole_map(torch.mean, "average pooling"),
    operator.getitem: _item,
    torchvision.ops.stochastic_depth: _unchanged,
}
"""Rules of functions: called with the function's own arguments."""

METHODS: dict[str, Entry] = {
    "relu": _relu,
    "clamp": lambda x, min=None, max=None: _clamp(x, min, max),
    "clamp_min": lambda x, min: _clamp(x, min, None),
    "sigmoid": FUNCTIONS[torch.sigmoid],
    "tanh": FUNCTIONS[torch.tanh],
    "flatten": Reshape,
    "view": Reshape,
    "reshape": Reshape,
    "squeeze": Reshape,
    "unsqueeze": Reshape,
    "permute": _permute,
    "transpose": _transpose,
    "contiguous": _unchanged,
    "detach": _unchanged,
    "clone": _unchanged,
    "float": _unchanged,
    "to": _unchanged,
    "type_as": _unchanged,
    "add": _add,
    "sub": _subtract,
    "mul": _multiply,
    "div": _divide,
    "chunk": Split,
    "split": Split,
    "amax": whole_map(torch.amax, "max over places"),
    "mean": whole_map(torch.mean, "average pooling"),
    "sum": whole_map(torch.sum, "sum over places"),
    "softmax": whole_map(torch.softmax, "softmax"),
    "log_softmax": whole_map(torch.log_softmax, "softmax"),
}
"""Rules of tensor methods: called with the tensor and the method's arguments."""


def _clamp(x: Tensor, low: float | None, high: float | None) -> Rule:
    if low == 0 and high is None:
        return _relu(x)
    return Rectifier(lambda value: value.clamp(low, high), x, _BEYOND)


def _conv(m: nn.Conv2d, x: Tensor) -> Rule:
    return Conv(x, m.weight, m.bias, m.stride, m.padding, m.dilation, m.groups, m.padding_mode)


def _conv_transpose(m: nn.ConvTranspose2d, x: Tensor) -> Rule:
    return WholeMap(m.forward, x, "transposed convolution")


def _batch_norm(m: nn.BatchNorm2d | nn.BatchNorm1d, x: Tensor) -> Rule:
    return BatchNorm(x, m.running_mean, m.running_var, m.weight, m.bias, False, 0.0, m.eps)


def _activation(function: Callable[..., Tensor], *names: str) -> Entry:
    """A rectifier module whose options of these names go to the function."""

    def entry(m: nn.Module, x: Tensor) -> Rule:
        options = {name: getattr(m, name) for name in names}
        return Rectifier(lambda value: function(value, **options), x, _BEYOND)

    return entry


def _module(extension: str, rule: type[WholeMap] | type[Pointwise] = WholeMap) -> Entry:
    """A module whose derivative is taken, on whole maps or place by place."""

    def entry(m: nn.Module, x: Tensor) -> Rule:
        return rule(m.forward, x, extension=extension)

    return entry


MODULES: dict[type[nn.Module], Entry] = {
    nn.Conv2d: _conv,
    nn.ConvTranspose2d: _conv_transpose,
    nn.Linear: lambda m, x: Linear(x, m.weight),
    nn.ReLU: lambda m, x: _relu(x),
    nn.ReLU6: _activation(F.relu6),
    nn.LeakyReLU: _activation(F.leaky_relu, "negative_slope"),
    nn.PReLU: _activation(F.prelu, "weight"),
    nn.ELU: _activation(F.elu, "alpha"),
    nn.GELU: _activation(F.gelu, "approximate"),
    nn.SiLU: _activation(F.silu),
    nn.Mish: _activation(F.mish),
    nn.Hardswish: _activation(F.hardswish),
    nn.Softplus: _activation(F.softplus, "beta", "threshold"),
    nn.MaxPool2d: lambda m, x: MaxPool(
        x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices
    ),
    nn.AvgPool2d: lambda m, x: AvgPool(
        x,
        m.kernel_size,
        m.stride,
        m.padding,
        m.ceil_mode,
        m.count_include_pad,
        m.divisor_override,
    ),
    nn.AdaptiveAvgPool2d: lambda m, x: AdaptiveAvgPool(x, m.output_size),
    nn.AdaptiveMaxPool2d: _module("adaptive max pooling"),
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm1d: _batch_norm,
    nn.LocalResponseNorm: lambda m, x: LocalResponseNorm(x, m.size, m.alpha, m.beta, m.k),
    nn.LayerNorm: lambda m, x: _layer_norm(x, m.normalized_shape, m.weight, m.bias, m.eps),
    nn.GroupNorm: _module("group normalisation"),
    nn.InstanceNorm2d: _module("instance normalisation"),
    nn.Dropout: lambda m, x: Rule(),
    nn.Dropout2d: lambda m, x: Rule(),
    nn.AlphaDropout: lambda m, x: Rule(),
    nn.Identity: lambda m, x: Rule(),
    nn.Flatten: lambda m, x: Reshape(x),
    nn.Unflatten: lambda m, x: Reshape(x),
    nn.Sigmoid: _module(_GATES, Pointwise),
    nn.Tanh: _module(_GATES, Pointwise),
    nn.Hardsigmoid: _module(_GATES, Pointwise),
    nn.Softmax: _module("softmax"),
    nn.LogSoftmax: _module("softmax"),
    nn.Upsample: _module("interpolation"),
    nn.ZeroPad2d: _module("padding"),
    nn.ReflectionPad2d: _module("padding"),
    nn.ReplicationPad2d: _module("padding"),
    nn.ConstantPad2d: _module("padding"),
    nn.PixelShuffle: _module("pixel shuffle"),
}
"""Rules of modules, by exact type: called with the module and its inputs."""
