"""Pooling: unpooling by recorded switches, and what averages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zfwidgets.deconv import gpu, kernels
from zfwidgets.deconv.rules.base import NotExact, Rule, pair
from zfwidgets.deconv.signals import Signal, Way
from zfwidgets.deconv.unpool import switch_codes, unpool
from zfwidgets.deconv.windows import Pair, Window


def on_the_map(kernel: Pair, x: Tensor, padding: Pair, dilation: Pair) -> Pair:
    """A pooling kernel without what lies off the map wherever it is laid.

    Some nets average all there is by a window of hundreds of places.
    """
    rows, cols = (
        min(k, (size + 2 * p - 1) // d + 1)
        for k, size, p, d in zip(kernel, x.shape[2:], padding, dilation, strict=True)
    )
    return rows, cols


def pooled(x: Tensor, *window: Pair | bool) -> tuple[Tensor, Tensor]:
    """Maxima [B, C, h, w] and their switches, as torch's pooling gives them.

    On a CPU torch compares one number at a time, unless channels come last in memory. With what it
    costs to lay them so, a picture takes a sixth of the time, one of many less than half.
    """
    pool = torch.ops.aten.max_pool2d_with_indices
    if x.device.type != "cpu" or not x.is_contiguous() or len(x) == 0:
        values, switches = pool(x, *window)
        return values, switches
    last = torch.channels_last
    parts = [pool(one.contiguous(memory_format=last), *window) for one in x.split(1)]
    values, switches = parts[0] if len(x) == 1 else map(torch.cat, zip(*parts, strict=True))
    return values.contiguous(), switches


class MaxPool(Rule):
    """Unpooling: the signal goes to the place that the recorded switch names (section 2.1)."""

    kind = "pool"
    step = "unpool"

    def __init__(
        self,
        x: Tensor,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        if x.ndim != 4:
            raise NotExact
        self.padding, self.dilation, self.ceil_mode = pair(padding), pair(dilation), ceil_mode
        self.stride = pair(stride if stride not in (None, [], ()) else kernel_size)
        self._asked = pair(kernel_size)
        self.kernel = on_the_map(self._asked, x, self.padding, self.dilation)
        self._argument: Tensor | None = x
        self._switches: Tensor | None = None
        self._codes: Tensor | None = None

    def run(self, forward: Callable[[], Any]) -> Any:
        assert self._argument is not None
        output, self._switches = pooled(
            self._argument, self._asked, self.stride, self.padding, self.dilation, self.ceil_mode
        )
        self._argument = None
        return output

    def out_axes(self, shape: tuple[int, ...]) -> Pair | None:
        return 2, 3

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

    def blind(self) -> MaxPool:
        """The same pooling, as if the maximum had stood in the middle of every window."""
        blind = object.__new__(type(self))
        blind.__dict__ = dict(self.__dict__)
        middle = (self.kernel[0] // 2) * self.kernel[1] + self.kernel[1] // 2
        blind._codes = torch.full_like(self.codes, middle)
        return blind

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
        elif signal.window is not None and gpu.usable(signal.raw):
            where = self.codes, signal.window, way.places
            values = gpu.unpool(signal.values, *where, *shape, overwrite=overwrite)
        else:
            values = unpool(
                signal.values, way.recorded(self.codes, signal), *shape, overwrite=overwrite
            )
        sparse = self.stride[0] * self.stride[1] >= 4
        return [replace(way.on_map(values, window, self.size), sparse=sparse)]


class MaxPoolWithIndices(MaxPool):
    """Max pooling that hands its switches to the model, too (SegNet's encoder)."""

    def run(self, forward: Callable[[], Any]) -> Any:
        output = forward()
        self._argument, self._switches = None, output[1]
        return output


class AvgPool(Rule):
    """The signal is spread evenly over the places that were averaged (the transpose)."""

    extension = "average pooling"
    kind = "pool"
    step = "spread"

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
        super().__init__()
        if x.ndim != 4:
            raise NotExact
        self.padding = pair(padding)
        self.stride = pair(stride if stride not in (None, [], ()) else kernel_size)
        self.kernel = on_the_map(pair(kernel_size), x, self.padding, (1, 1))
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
        dtype = torch.promote_types(output.dtype, torch.float32)
        self.share = share.to(output.device, dtype).expand(len(output), 1, *output.shape[2:])
        return output

    def _counts(self, axis: int, size: int, outputs: int) -> Tensor:
        """How many places each output averages over along one axis."""
        first = torch.arange(outputs) * self.stride[axis] - self.padding[axis]
        last = (first + self.kernel[axis]).clamp(max=size + self.padding[axis])
        if not self.include_pad:
            first, last = first.clamp(min=0), last.clamp(max=size)
        return (last - first).to(torch.float64)

    def out_axes(self, shape: tuple[int, ...]) -> Pair | None:
        return 2, 3

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
    step = "spread"

    def __init__(self, x: Tensor, output_size: int | Sequence[int | None] | None) -> None:
        super().__init__()
        if x.ndim != 4:
            raise NotExact
        asked = output_size if isinstance(output_size, Sequence) else (output_size, output_size)
        self.outputs = pair(
            [n if want is None else want for n, want in zip(x.shape[2:], asked, strict=True)]
        )
        self.same = self.outputs == tuple(x.shape[2:])
        self.kind = None if self.same else "pool"

    def out_axes(self, shape: tuple[int, ...]) -> Pair | None:
        return 2, 3

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
