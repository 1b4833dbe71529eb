"""Where branches meet and part: sums, products, concatenations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from zfwidgets.deconv.rules.base import Kept, NotExact, Rule, on_operand, pair
from zfwidgets.deconv.signals import Signal, Way
from zfwidgets.deconv.windows import Pair, Window


class Add(Rule):
    """Branches that were added each receive the signal, times the weight they were added with."""

    extension = "sum of branches"
    step = "join"

    def __init__(self, *operands: Any, weights: tuple[float, float] = (1, 1)) -> None:
        super().__init__()
        self.shapes = _shapes(operands)
        self.weights = weights
        self.ndim = 0

    def run(self, forward: Callable[[], Any]) -> Any:
        if sum(self.live) < 2:
            self.extension = ""
        else:
            self.kind = "add"
        output = forward()
        self.ndim = output.ndim
        return output

    def applies(self) -> bool:
        """False if an operand lacks dimensions that its signal has."""
        return all(o is None or len(o.shape) == self.ndim for o in self.operands)

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        return [
            shrunk(
                signal if weight == 1 else signal.with_values(signal.values * weight),
                shape,
            )
            if alive
            else None
            for shape, weight, alive in zip(self.shapes, self.weights, self.live, strict=False)
        ]


class Product(Rule):
    """Products and quotients: each operand receives the signal times the slope of the result.

    slopes: for every operand the derivative of the result by it, given the operands; asked for on
    the way back.
    """

    extension = "product"

    def __init__(self, *operands: Any, slopes: Sequence[Callable[[Any, Any], Any]]) -> None:
        super().__init__()
        if any(isinstance(o, Tensor) and o.is_complex() for o in operands):
            raise NotExact
        self.shapes = _shapes(operands)
        self.values = [self.keep(o) if isinstance(o, Tensor) else o for o in operands]
        self.slopes = slopes
        self.shape: tuple[int, ...] = ()

    def run(self, forward: Callable[[], Any]) -> Any:
        output = forward()
        self.shape = tuple(output.shape)
        if sum(self.live) < 2:
            self.extension = ""
        return output

    def applies(self) -> bool:
        """False if an operand lacks dimensions that its signal has."""
        return all(o is None or len(o.shape) == len(self.shape) for o in self.operands)

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        values = [v.tensor.detach() if isinstance(v, Kept) else v for v in self.values]
        return [
            shrunk(
                signal.with_values(signal.values * self._under(slope(*values), signal, way)), shape
            )
            if alive
            else None
            for shape, slope, alive in zip(self.shapes, self.slopes, self.live, strict=False)
        ]

    def _under(self, slope: Any, signal: Signal, way: Way) -> Any:
        """The slope as it stands under the signal."""
        if not isinstance(slope, Tensor):
            return slope
        slope = slope.to(signal.raw.dtype)[(None,) * (len(self.shape) - slope.ndim)]
        shape = [self.shape[0], *slope.shape[1:]]
        if signal.window is None or all(slope.shape[a] == 1 for a in signal.axes):
            return way.recorded(slope.expand(shape), Signal(signal.values, None))
        for axis in signal.axes:
            shape[axis] = self.shape[axis]
        return way.recorded(slope.expand(shape), signal)


def _shapes(operands: Sequence[Any]) -> list[tuple[int, ...]]:
    return [tuple(o.shape) if isinstance(o, Tensor) else () for o in operands]


def shrunk(signal: Signal, shape: tuple[int, ...]) -> Signal:
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
    """Each of the concatenated maps receives its part of the signal."""

    extension = "concatenation"
    kind = "concat"
    step = "split"

    def __init__(self, parts: Sequence[Tensor], dim: int = 0) -> None:
        super().__init__()
        shaped = [part for part in parts if part.ndim > 1]
        if len(shaped) != len(parts):  # torch passes over parts of shape [0]
            raise NotExact
        self.dim = dim % parts[0].ndim
        if self.dim == 0:
            raise NotExact
        self.widths = [part.shape[self.dim] for part in parts]
        self.shape = list(parts[0].shape)
        self.shape[self.dim] = sum(self.widths)

    def window(self, window: Window | None) -> Window | None:
        return None if self.axes and self.dim in self.axes else window

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        along = signal.window is not None and self.dim in signal.axes
        if along:
            signal = way.whole(signal, pair([self.shape[a] for a in signal.axes]))
        found: list[Signal | None] = []
        for values in torch.split(signal.values, self.widths, self.dim):
            window = signal.window
            if along:
                window = Window.whole(pair([values.shape[a] for a in signal.axes]))
            found.append(Signal(values, window, signal.axes))
        return [s if alive else None for s, alive in zip(found, self.live, strict=False)]


class Slice(Rule):
    """A part of each map along one dimension: every `step`-th from `start` on, `length` of them.

    drop: the dimension is gone afterwards (one place was selected).
    """

    step = "split"

    def __init__(
        self, x: Tensor, dim: int, start: int, length: int, step: int = 1, *, drop: bool = False
    ) -> None:
        super().__init__()
        self.dim = dim % x.ndim
        self.start, self.length, self.every, self.drop = start, length, step, drop
        self.shape = tuple(x.shape)
        self.same = not drop and length == self.shape[self.dim]
        if self.dim == 0 and not self.same:
            raise NotExact

    def out_axes(self, shape: tuple[int, ...]) -> Pair | None:
        if self.axes is None or not self.drop:
            return super().out_axes(shape)
        return None

    def window(self, window: Window | None) -> Window | None:
        if self.same or window is None:
            return window
        if self.drop:
            return None
        if self.axes is None or self.dim not in self.axes:
            return window
        return self._moved(window, self.axes.index(self.dim))

    def _moved(self, window: Window, which: int) -> Window:
        """The window of outputs on the inputs, which lie `start` further along one axis."""
        stride, before = [1, 1], [0, 0]
        stride[which], before[which] = self.every, -self.start
        return window.back((1, 1), pair(stride), pair(before), (1, 1))

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        if self.same:
            return [signal]
        if self.drop and signal.window is not None:
            out = (*self.shape[: self.dim], *self.shape[self.dim + 1 :])
            signal = way.whole(signal, pair([out[a] for a in signal.axes]))
        values, axes = signal.values, signal.axes
        if self.drop:
            values = values.unsqueeze(self.dim)
        elif signal.window is not None and self.dim in axes and self.axes is not None:
            window = self._moved(signal.window, self.axes.index(self.dim))
            assert self.size is not None
            spread = self._spread(values, window.size[self.axes.index(self.dim)], 0)
            if axes == (2, 3):
                return [way.on_map(spread, window, self.size)]
            moved = way.on_map(spread.permute(0, 3, 1, 2), window, self.size)
            return [Signal(moved.values.permute(0, 2, 3, 1), moved.window, (1, 2))]
        spread = self._spread(values, self.shape[self.dim], self.start)
        if self.drop:
            return [on_operand(spread, self.first)]
        return [Signal(spread, signal.window, axes)]

    def _spread(self, values: Tensor, extent: int, start: int) -> Tensor:
        """The values at every so many places of a dimension, zero between them."""
        shape = list(values.shape)
        shape[self.dim] = extent
        canvas = values.new_zeros(shape)
        last = start + (values.shape[self.dim] - 1) * self.every + 1
        index = [slice(None)] * values.ndim
        index[self.dim] = slice(start, last, self.every)
        canvas[tuple(index)] = values
        return canvas
