"""How a signal goes back through each operation: one class per rule.

A rule is made anew for every call of an operation, from the values the operation is called with, so
that a module used three times has three records. It says which inputs a window of outputs sees
(`window`) and how the signal goes back (`back`).

Sources: Zeiler & Fergus 2013, section 2.1, for unpooling, rectification and transposed filters;
everything that the paper does not define carries a text in `extension`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zfwidgets.deconv import kernels
from zfwidgets.deconv.signals import Signal, Way
from zfwidgets.deconv.unpool import switch_codes, unpool
from zfwidgets.deconv.windows import Pair, Window


class Rule:
    """The signal passes unchanged. Base of all rules.

    size: rows and columns of the first input if it is a map, set by the recorder, as are
    axes: which dimensions of the first input these are, and
    live: for every argument whether it depends on the network's input.
    """

    extension = ""
    """Why this goes beyond the paper; empty where the paper defines it."""
    size: Pair | None = None
    axes: Pair | None = None
    live: tuple[bool, ...] = (True,)

    def run(self, forward: Callable[[], Any]) -> Any:
        """The forward value; rules that must keep something of it do so here."""
        return forward()

    def out_axes(self, ndim: int) -> Pair | None:
        """Which dimensions of the output are rows and columns."""
        if ndim != 4:
            return None
        return self.axes or (2, 3)

    def window(self, window: Window | None) -> Window | None:
        """The inputs that this window of outputs sees; None for all of them."""
        return window

    def back(self, signal: Signal, way: Way) -> Sequence[Signal | None]:
        """The signal at each argument, in the order of the call."""
        return [signal]


# ---------------------------------------------------------------------------------- filtering


class Conv(Rule):
    """Transposed filters, no bias (section 2.1, "Filtering")."""

    def __init__(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
    ) -> None:
        self.weight = weight
        self.kernel = pair(weight.shape[2:])
        self.stride, self.dilation, self.groups = pair(stride), pair(dilation), groups
        self.padding, self.padding_after = self._sides(padding)
        self.padding_mode = padding_mode
        self._filters: Tensor | None = None

    def _sides(self, padding: int | Sequence[int] | str) -> tuple[Pair, Pair]:
        """Padding before and after each axis."""
        if padding == "valid":
            return (0, 0), (0, 0)
        if padding == "same":
            total = [(k - 1) * d for k, d in zip(self.kernel, self.dilation, strict=True)]
            before = pair([t // 2 for t in total])
            return before, pair([t - b for t, b in zip(total, before, strict=True)])
        assert not isinstance(padding, str)
        return pair(padding), pair(padding)

    def window(self, window: Window | None) -> Window | None:
        if window is None:
            return None
        return window.back(self.kernel, self.stride, self.padding, self.dilation)

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        assert signal.window is not None
        assert self.size is not None
        if self.padding_mode != "zeros":
            return [self._back_padded(signal, way, self.size)]
        window = self.window(signal.window)
        assert window is not None
        return [way.on_map(self._transpose(signal), window, self.size)]

    def _transpose(self, signal: Signal) -> Tensor:
        """Each value spread out through its filter: [N, K, h, w] -> [N, C, h', w']."""
        weight = self.weight.detach()
        plain = self.groups == 1 and self.dilation == (1, 1)
        if plain and signal.sparse and kernels.usable(signal.raw):
            if self._filters is None:
                self._filters = kernels.packed(weight)
            return kernels.spread(signal.raw, self._filters, self.stride, rectify=signal.rectified)
        single = signal.channel is not None and signal.values.shape[2:] == (1, 1)
        if plain and single and signal.channel is not None:
            # A single neuron: the transposed filter is a copy of the filter, times the value.
            value = signal.values.flatten(1).gather(1, signal.channel[:, None])
            return weight[signal.channel] * value[:, :, None, None]
        return F.conv_transpose2d(
            signal.values,
            weight,
            stride=self.stride,
            dilation=self.dilation,
            groups=self.groups,
        )

    def _back_padded(self, signal: Signal, way: Way, size: Pair) -> Signal:
        """Padding that repeats the picture (reflect, replicate, circular) folds back onto it."""
        span = [(k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        padded = self._padded(size)
        outputs = pair(
            [(n - f) // s + 1 for n, f, s in zip(padded, span, self.stride, strict=True)]
        )
        values = self._transpose(way.whole(signal, outputs))
        lost = [n - v for n, v in zip(padded, values.shape[2:], strict=True)]
        values = F.pad(values, (0, lost[1], 0, lost[0]))
        top, left = self.padding
        bottom, right = self.padding_after

        def pad(x: Tensor) -> Tensor:
            return F.pad(x, (left, right, top, bottom), mode=self.padding_mode)

        zeros = values.new_zeros(*values.shape[:2], *size)
        return Signal(_vjp(pad, [zeros], values)[0], Window.whole(size))

    def _padded(self, size: Pair) -> Pair:
        sides = zip(size, self.padding, self.padding_after, strict=True)
        return pair([n + before + after for n, before, after in sides])


class Linear(Rule):
    """The transposed weights of a fully connected layer, no bias."""

    def __init__(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> None:
        self.weight = weight
        self.maps = x.ndim == 4

    def out_axes(self, ndim: int) -> Pair | None:
        return self.axes if self.maps else None

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        values = signal.values @ self.weight.detach()
        return [Signal(values, signal.window, signal.axes)]


# ------------------------------------------------------------------------------ rectification


class Rectifier(Rule):
    """The signal is rectified, masked by the forward value, both, or neither (`Method.rule`)."""

    def __init__(
        self, function: Callable[[Tensor], Tensor], x: Tensor, extension: str = ""
    ) -> None:
        self.function = function
        self.extension = extension
        # Where the slope is not 0 or 1, the derivative needs the input as it was.
        self.input = x if extension else None
        self.argument: Tensor | None = x
        self.output: Tensor | None = None

    def run(self, forward: Callable[[], Any]) -> Tensor:
        # Never in place, whatever the model says: the value before it may have been recorded.
        assert self.argument is not None
        self.output = self.function(self.argument)
        self.argument = None
        return self.output

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        rule = way.method.rule
        if rule == "linear":
            return [signal]
        if rule == "deconvnet":
            if signal.sparse:
                return [replace(signal, rectified=True)]
            return [signal.with_values(signal.values.clamp(min=0))]
        if rule == "gradient" and self.input is not None:
            return [_pointwise(self.function, [self.input], signal, way)[0]]
        assert self.output is not None
        mask = way.recorded(self.output, signal) > 0
        values = signal.values if rule == "gradient" else signal.values.clamp(min=0)
        return [signal.with_values(values * mask)]


# --------------------------------------------------------------------------------- unpooling


class MaxPool(Rule):
    """Unpooling: the signal goes to the place that the recorded switch names (section 2.1)."""

    def __init__(
        self,
        x: Tensor,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> None:
        if return_indices:
            raise ValueError("max pooling that returns its indices to the model has no rule")
        self.kernel, self.padding = pair(kernel_size), pair(padding)
        self.stride = pair(stride) if stride not in (None, [], ()) else self.kernel
        self.dilation, self.ceil_mode = pair(dilation), ceil_mode
        self.argument: Tensor | None = x
        self._switches: Tensor | None = None
        self._codes: Tensor | None = None

    def run(self, forward: Callable[[], Any]) -> Tensor:
        assert self.argument is not None
        output, self._switches = F.max_pool2d(
            self.argument,
            self.kernel,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            return_indices=True,
        )
        self.argument = None
        return output

    @property
    def codes(self) -> Tensor:
        """Which place of its window each output took: [B, C, H, W], see `switch_codes`."""
        if self._codes is None:
            assert self._switches is not None
            assert self.size is not None
            coded = kernels.switch_codes if kernels.usable(self._switches) else switch_codes
            self._codes = coded(
                self._switches, self.size[1], self.kernel, self.stride, self.padding, self.dilation
            )
            self._switches = None
        return self._codes

    def window(self, window: Window | None) -> Window | None:
        if window is None:
            return None
        return window.back(self.kernel, self.stride, self.padding, self.dilation)

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        overwrite = way.method.unpool == "overwrite"
        if overwrite:
            # A later window overwrites with its zero, too: all windows have to be there.
            signal = way.whole(signal, pair(self.codes.shape[2:]))
        window = self.window(signal.window)
        assert window is not None
        assert self.size is not None
        shape = self.kernel, self.stride, self.dilation
        if kernels.usable(signal.raw) and signal.window is not None and not overwrite:
            values = kernels.unpool(signal.values, self.codes, signal.window, way.places, *shape)
        else:
            values = unpool(
                signal.values, way.recorded(self.codes, signal), *shape, overwrite=overwrite
            )
        sparse = self.stride[0] * self.stride[1] >= 4
        return [replace(way.on_map(values, window, self.size), sparse=sparse)]


class AvgPool(Rule):
    """The signal is spread evenly over the places that were averaged (the transpose)."""

    extension = "average pooling"

    def __init__(
        self,
        x: Tensor,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel, self.padding = pair(kernel_size), pair(padding)
        self.stride = pair(stride) if stride not in (None, [], ()) else self.kernel
        self.include_pad, self.divisor = count_include_pad, divisor_override
        self.share: Tensor | None = None

    def run(self, forward: Callable[[], Any]) -> Tensor:
        output: Tensor = forward()
        assert self.size is not None
        counts = [self._counts(a, self.size[a], output.shape[2 + a]) for a in (0, 1)]
        share = (
            1 / torch.outer(*counts)
            if self.divisor is None
            else torch.full(tuple(output.shape[2:]), 1 / self.divisor, dtype=torch.float64)
        )
        self.share = share.to(output).expand(len(output), 1, *output.shape[2:])
        return output

    def _counts(self, axis: int, size: int, outputs: int) -> Tensor:
        """How many places each output averages over along one axis."""
        first = torch.arange(outputs) * self.stride[axis] - self.padding[axis]
        last = (first + self.kernel[axis]).clamp(max=size + self.padding[axis])
        if not self.include_pad:
            first, last = first.clamp(min=0), last.clamp(max=size)
        return (last - first).to(torch.float64)

    def window(self, window: Window | None) -> Window | None:
        if window is None:
            return None
        return window.back(self.kernel, self.stride, self.padding, (1, 1))

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        window = self.window(signal.window)
        assert window is not None
        assert self.size is not None
        assert self.share is not None
        values = signal.values * way.recorded(self.share, signal)
        channels = values.shape[1]
        ones = values.new_ones(1, 1, *self.kernel).expand(channels, 1, *self.kernel)
        spread = F.conv_transpose2d(values, ones, stride=self.stride, groups=channels)
        return [way.on_map(spread, window, self.size)]


class AdaptiveAvgPool(Rule):
    """As `AvgPool`, with windows that share out the map evenly. Needs the whole map."""

    extension = "average pooling"

    def __init__(self, x: Tensor, output_size: int | Sequence[int | None] | None) -> None:
        asked = output_size if isinstance(output_size, Sequence) else (output_size, output_size)
        self.outputs = pair(
            [n if want is None else want for n, want in zip(x.shape[2:], asked, strict=True)]
        )
        self.same = self.outputs == tuple(x.shape[2:])

    def window(self, window: Window | None) -> Window | None:
        return window if self.same else None

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        if self.same:
            return [signal]
        assert self.size is not None
        signal = way.whole(signal, self.outputs)
        rows, cols = (
            _averaging(n, m).to(signal.values) for n, m in zip(self.outputs, self.size, strict=True)
        )
        values = torch.einsum("nchw,hy,wx->ncyx", signal.values, rows, cols)
        return [Signal(values, Window.whole(self.size))]


def _averaging(outputs: int, inputs: int) -> Tensor:
    """The matrix [outputs, inputs] that adaptive averaging multiplies one axis with."""
    matrix = torch.zeros(outputs, inputs, dtype=torch.float64)
    for i in range(outputs):
        first, last = i * inputs // outputs, -(-(i + 1) * inputs // outputs)
        matrix[i, first:last] = 1 / (last - first)
    return matrix


# ------------------------------------------------------------------------------ normalisation


class BatchNorm(Rule):
    """In evaluation a scale per channel; the shift is dropped like a bias.

    A negative scale turns a positive signal round: what is rectified afterwards is then no longer
    "the positive features".
    """

    extension = "batch normalisation"

    def __init__(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> None:
        if training or running_var is None:
            raise ValueError("batch normalisation by the batch's own statistics has no rule")
        scale = (running_var + eps).rsqrt()
        self.scale = (scale if weight is None else scale * weight).detach()

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        shape = (1, -1) + (1,) * (signal.values.ndim - 2)
        return [signal.with_values(signal.values * self.scale.view(shape))]


class LocalResponseNorm(Rule):
    """Contrast normalisation across channels: the signal passes, or its derivative does."""

    def __init__(
        self, x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
    ) -> None:
        self.input = x
        self.function = lambda value: F.local_response_norm(value, size, alpha, beta, k)

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        if way.method.lrn == "identity":
            return [signal]
        return [_pointwise(self.function, [self.input], signal, way)[0]]


# --------------------------------------------------------------------------- sums and branches


class Add(Rule):
    """Branches that were added each receive the signal, times the weight they were added with."""

    extension = "sum of branches"

    def __init__(self, *operands: Any, weights: tuple[float, float] = (1, 1)) -> None:
        self.shapes = [tuple(o.shape) if isinstance(o, Tensor) else () for o in operands]
        self.weights = weights

    def run(self, forward: Callable[[], Any]) -> Any:
        if sum(self.live) < 2:
            self.extension = ""
        return forward()

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        return [
            _shrunk(
                signal if weight == 1 else signal.with_values(signal.values * weight),
                shape,
            )
            if alive
            else None
            for shape, weight, alive in zip(self.shapes, self.weights, self.live, strict=False)
        ]


class Product(Rule):
    """Products and quotients: each operand receives the signal times the slope of the result.

    slopes: for every operand the derivative of the result by it; asked for on the way back.
    """

    extension = "product"

    def __init__(self, *operands: Any, slopes: Sequence[Callable[[], Any]]) -> None:
        self.shapes = [tuple(o.shape) if isinstance(o, Tensor) else () for o in operands]
        self.slopes = slopes
        self.shape: tuple[int, ...] = ()

    def run(self, forward: Callable[[], Any]) -> Any:
        output = forward()
        self.shape = tuple(output.shape)
        if sum(self.live) < 2:
            self.extension = ""
        return output

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        return [
            _shrunk(signal.with_values(signal.values * self._under(slope(), signal, way)), shape)
            if alive
            else None
            for shape, slope, alive in zip(self.shapes, self.slopes, self.live, strict=False)
        ]

    def _under(self, slope: Any, signal: Signal, way: Way) -> Any:
        """The slope as it stands under the signal."""
        if not isinstance(slope, Tensor):
            return slope
        slope = slope.detach()[(None,) * (len(self.shape) - slope.ndim)]
        shape = [self.shape[0], *slope.shape[1:]]
        if signal.window is None or all(slope.shape[a] == 1 for a in signal.axes):
            return way.recorded(slope.expand(shape), Signal(signal.values, None))
        for axis in signal.axes:
            shape[axis] = self.shape[axis]
        return way.recorded(slope.expand(shape), signal)


def _shrunk(signal: Signal, shape: tuple[int, ...]) -> Signal:
    """The signal at an operand of this shape that was broadcast: summed over what it was repeated
    along. Off the map the signal is zero, so that a window's sum is the map's.
    """
    values, window = signal.values, signal.window
    repeated = [d for d in range(1, values.ndim) if shape[d] == 1 < values.shape[d]]
    if window is not None:
        for which, axis in enumerate(signal.axes):
            if shape[axis] == 1:
                window = window.flattened(which)
    if repeated:
        return Signal(values.sum(repeated, keepdim=True), window, signal.axes)
    return replace(signal, window=window)


class Concatenate(Rule):
    """Each of the concatenated maps receives its channels of the signal."""

    extension = "concatenation"

    def __init__(self, parts: Sequence[Tensor], dim: int = 0, axis: int | None = None) -> None:
        self.dim = (dim if axis is None else axis) % parts[0].ndim
        self.widths = [part.shape[self.dim] for part in parts]
        self.shape = list(parts[0].shape)
        self.shape[self.dim] = sum(self.widths)

    def window(self, window: Window | None) -> Window | None:
        return None if self.axes and self.dim in self.axes else window

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        if signal.window is None or self.dim not in signal.axes:
            return [
                Signal(values, signal.window, signal.axes)
                for values in signal.values.split(self.widths, self.dim)
            ]
        signal = way.whole(signal, pair([self.shape[a] for a in signal.axes]))
        return [
            Signal(values, Window.whole(pair([values.shape[a] for a in signal.axes])), signal.axes)
            for values in signal.values.split(self.widths, self.dim)
        ]


class Parts(tuple[Tensor, ...]):
    """What `chunk` and `split` return: it remembers the dimension that was cut."""

    dim: int


class Split(Rule):
    """`chunk` and `split`: the signals of the parts come together here, see `Part`."""

    def __init__(self, x: Tensor, *args: Any, dim: int = 0, **options: Any) -> None:
        self.dim = (args[1] if len(args) > 1 else dim) % x.ndim

    def run(self, forward: Callable[[], Any]) -> Parts:
        parts = Parts(forward())
        parts.dim = self.dim
        return parts


class Part(Rule):
    """One of the parts of a split: its signal stands among zeros."""

    def __init__(self, parts: Parts, index: int) -> None:
        widths = [part.shape[parts.dim] for part in parts]
        index %= len(widths)
        self.dim, self.shape = parts.dim, tuple(parts[index].shape)
        self.before, self.after = sum(widths[:index]), sum(widths[index + 1 :])

    def window(self, window: Window | None) -> Window | None:
        return None if self.axes and self.dim in self.axes else window

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        window = signal.window
        if window is not None and self.dim in signal.axes:
            assert self.size is not None
            size = pair([self.shape[a] for a in signal.axes])
            signal, window = way.whole(signal, size), Window.whole(self.size)
        pad = [0, 0] * (signal.values.ndim - 1 - self.dim) + [self.before, self.after]
        return [Signal(F.pad(signal.values, pad), window, signal.axes)]


# ------------------------------------------------------------------------------------- shapes


class Reshape(Rule):
    """flatten, view, reshape, squeeze: the same values in another shape."""

    def __init__(self, x: Tensor, *args: Any, **options: Any) -> None:
        self.shape = tuple(x.shape)
        self.out_shape: tuple[int, ...] = ()

    def run(self, forward: Callable[[], Any]) -> Any:
        output = forward()
        if isinstance(output, Tensor):
            if len(output) != self.shape[0]:
                raise ValueError(
                    f"{self.shape} was reshaped to {tuple(output.shape)}: the first dimension, "
                    "the batch, must stay"
                )
            self.out_shape = tuple(output.shape)
        return output

    @property
    def same(self) -> bool:
        """True if nothing changes, as for a map of one place that is asked to stay one."""
        return self.out_shape == self.shape

    def out_axes(self, ndim: int) -> Pair | None:
        return self.axes if self.same else ((2, 3) if ndim == 4 else None)

    def window(self, window: Window | None) -> Window | None:
        return window if self.same else None

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        if self.same:
            return [signal]
        if signal.window is not None:
            signal = way.whole(signal, pair([self.out_shape[a] for a in signal.axes]))
        values = signal.values.reshape(len(signal.values), *self.shape[1:])
        if self.size is None:
            return [Signal(values, None)]
        return [Signal(values, Window.whole(self.size), self.axes or (2, 3))]


class Permute(Rule):
    """permute and transpose: dimensions change places; rows and columns are followed."""

    def __init__(self, x: Tensor, dims: Sequence[int]) -> None:
        self.dims = [d % x.ndim for d in dims]
        if self.dims[0] != 0:
            raise ValueError("the batch dimension was moved: it must stay the first")

    def run(self, forward: Callable[[], Any]) -> Any:
        if self.axes and self.out_axes(len(self.dims)) not in ((1, 2), (2, 3)):
            raise ValueError(
                f"dimensions were put in the order {tuple(self.dims)}: rows and columns must stay "
                "beside each other, in this order"
            )
        return forward()

    def out_axes(self, ndim: int) -> Pair | None:
        if self.axes is None:
            return (2, 3) if ndim == 4 else None
        return self.dims.index(self.axes[0]), self.dims.index(self.axes[1])

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        inverse = sorted(range(len(self.dims)), key=self.dims.__getitem__)
        axes = pair([self.dims[a] for a in signal.axes]) if signal.window else (2, 3)
        return [Signal(signal.values.permute(inverse), signal.window, axes)]


# ---------------------------------------------------------------------------- everything else


class Pointwise(Rule):
    """Acts on every place by itself: its derivative at the recorded values, on the window."""

    def __init__(
        self, function: Callable[..., Tensor], *inputs: Tensor, extension: str = ""
    ) -> None:
        self.function, self.inputs, self.extension = function, inputs, extension

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        return list(_pointwise(self.function, list(self.inputs), signal, way))


class WholeMap(Rule):
    """Mixes places in ways that windows do not follow: its derivative on whole maps."""

    def __init__(self, function: Callable[[Tensor], Tensor], x: Tensor, extension: str) -> None:
        self.function, self.input, self.extension = function, x, extension
        self.out_shape: tuple[int, ...] = ()

    def run(self, forward: Callable[[], Any]) -> Any:
        output = forward()
        self.out_shape = tuple(output.shape)
        return output

    def out_axes(self, ndim: int) -> Pair | None:
        return (2, 3) if ndim == 4 else None

    def window(self, window: Window | None) -> Window | None:
        return None

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        if signal.window is not None:
            signal = way.whole(signal, pair([self.out_shape[a] for a in signal.axes]))
        inputs = way.recorded(self.input, Signal(signal.values, None))
        inputs = inputs.expand(len(signal.values), *inputs.shape[1:])
        values = _vjp(self.function, [inputs], signal.values)[0]
        if self.size is None:
            return [Signal(values, None)]
        return [Signal(values, Window.whole(self.size), self.axes or (2, 3))]


def _pointwise(
    function: Callable[..., Tensor], recorded: list[Tensor], signal: Signal, way: Way
) -> list[Signal]:
    inputs = [way.recorded(x, signal) for x in recorded]
    inputs = [x.expand(len(signal.values), *x.shape[1:]) for x in inputs]
    return [
        Signal(values, signal.window, signal.axes)
        for values in _vjp(function, inputs, signal.values)
    ]


def _vjp(function: Callable[..., Tensor], inputs: list[Tensor], signal: Tensor) -> list[Tensor]:
    """The signal times the derivative of the function at the inputs."""
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [x.clone().requires_grad_() for x in inputs]
        # Channels last, the derivative of instance normalisation is wrong for a batch of one.
        signal = signal.clone(memory_format=torch.contiguous_format)
        return list(torch.autograd.grad(function(*leaves), leaves, signal))


def pair(value: Any) -> Pair:
    """A number, or a number per axis, as torch takes both."""
    if isinstance(value, int):
        return value, value
    numbers = [int(v) for v in value]
    return (numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
