"""The same values in another shape or order, repeated, or with a border of zeros."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from zfwidgets.deconv.rules.base import NotExact, Rule, guessed_axes, on_operand, pair
from zfwidgets.deconv.rules.joining import shrunk
from zfwidgets.deconv.signals import Signal, Way
from zfwidgets.deconv.windows import Pair, Window


class Reshape(Rule):
    """flatten, view, reshape, squeeze: the same values in another shape, picture by picture."""

    step = "reshape"

    def __init__(self, x: Tensor, *args: Any, **options: Any) -> None:
        super().__init__()
        if any(isinstance(argument, torch.dtype) for argument in args):
            raise ValueError("bits were read as another type: no signal goes back through that")
        self.shape = tuple(x.shape)
        self.out_shape: tuple[int, ...] = ()

    def run(self, forward: Callable[[], Any]) -> Any:
        output = forward()
        self.out_shape = tuple(output.shape)
        return output

    def applies(self) -> bool:
        """False if pictures were mixed with other dimensions."""
        return self.out_shape[:1] == self.shape[:1]

    @property
    def same(self) -> bool:
        """True if nothing changes, as for a map of one place that is asked to stay one."""
        return self.out_shape == self.shape

    def out_axes(self, shape: tuple[int, ...]) -> Pair | None:
        if self.same:
            return self.axes
        return guessed_axes(shape) if len(shape) == 4 else None

    def window(self, window: Window | None) -> Window | None:
        return window if self.same else None

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        if self.same:
            return [signal]
        if signal.window is not None:
            signal = way.whole(signal, pair([self.out_shape[a] for a in signal.axes]))
        values = signal.values.reshape(len(signal.values), *self.shape[1:])
        return [on_operand(values, self.first)]


class Permute(Rule):
    """permute and transpose: dimensions change places; rows and columns are followed."""

    def __init__(self, x: Tensor, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = [d % x.ndim for d in dims]
        if not self.dims or self.dims[0] != 0:
            raise NotExact

    def applies(self) -> bool:
        """False if rows and columns do not stay beside each other, in this order."""
        return self.axes is None or self._moved_axes() in ((1, 2), (2, 3))

    def out_axes(self, shape: tuple[int, ...]) -> Pair | None:
        if self.axes is None:
            return guessed_axes(shape) if len(shape) == 4 else None
        return self._moved_axes()

    def _moved_axes(self) -> Pair:
        assert self.axes is not None
        return self.dims.index(self.axes[0]), self.dims.index(self.axes[1])

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        inverse = sorted(range(len(self.dims)), key=self.dims.__getitem__)
        axes = pair([self.dims[a] for a in signal.axes]) if signal.window else (2, 3)
        return [Signal(signal.values.permute(inverse), signal.window, axes)]


class Expand(Rule):
    """expand: every place that a value was repeated to gives its signal back."""

    def __init__(self, x: Tensor, size: Sequence[int], implicit: bool = False) -> None:
        super().__init__()
        if len(size) != x.ndim or size[0] not in (-1, x.shape[0]):
            raise NotExact
        self.shape = tuple(x.shape)

    def window(self, window: Window | None) -> Window | None:
        return window

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        return [shrunk(signal, self.shape)]


class Pad(Rule):
    """A border of a constant: windows move with it, and what stands on it is dropped."""

    def __init__(self, x: Tensor, pad: Sequence[int], value: float = 0) -> None:
        super().__init__()
        if x.ndim != 4 or len(pad) not in (2, 4):
            raise NotExact
        sides = [*pad, 0, 0][:4]
        self.before = sides[2], sides[0]
        self.after = sides[3], sides[1]

    def applies(self) -> bool:
        """False for maps whose channels come last: there the border is elsewhere."""
        return self.axes == (2, 3)

    def out_axes(self, shape: tuple[int, ...]) -> Pair | None:
        return 2, 3

    def window(self, window: Window | None) -> Window | None:
        return window and window.back((1, 1), (1, 1), self.before, (1, 1))

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        assert self.size is not None
        window = self.window(signal.window)
        assert window is not None
        # A copy, for what lies on the border is blanked in place.
        return [way.on_map(signal.values.clone(), window, self.size)]


class Same(Rule):
    """Copies, casts and moves: the same values, perhaps as other numbers or elsewhere."""

    def __init__(self, x: Tensor, *args: Any, **options: Any) -> None:
        super().__init__()
        self.complex, self.device = x.is_complex(), x.device

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        values = signal.raw
        if values.is_complex() and not self.complex:
            return [signal.with_values(values.real)]
        if values.device != self.device:
            return [signal.with_values(signal.values.to(self.device))]
        return [signal]
