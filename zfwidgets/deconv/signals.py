"""The signal on its way back, and what a rule may know about that way.

A `Signal` is a batch of maps, one per neuron, each cut to the window which that neuron can touch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from zfwidgets.deconv.method import Method
from zfwidgets.deconv.windows import Pair, Places, Window, blank_outside, cut, paste


@dataclass(frozen=True, slots=True)
class Signal:
    """raw: [N, C, h, w] for maps, [N, h, w, C] for maps with channels last, else [N, ...].

    window: where each neuron's values stand on their map; None for tensors that are no maps.
    axes: the dimensions of rows and columns.
    channel: LongTensor [N] if each neuron's values are zero in all channels but this one.
    sparse: most of raw is zero, as after unpooling.
    rectified: negative values of raw count as zero; whoever spreads a sparse signal skips them on
        the way, which is cheaper than a pass of its own.
    free: raw is [N, *all dimensions of the tensor], of one whose first dimension does not count the
        pictures.
    """

    raw: Tensor
    window: Window | None
    axes: Pair = (2, 3)
    channel: Tensor | None = None
    sparse: bool = False
    rectified: bool = False
    free: bool = False

    @property
    def values(self) -> Tensor:
        """The signal itself, rectified if it was."""
        return self.raw.clamp(min=0) if self.rectified else self.raw

    def with_values(self, values: Tensor) -> Signal:
        """The same places with other values."""
        return replace(self, raw=values, rectified=False)


@dataclass(frozen=True, slots=True)
class Way:
    """What a rule may look at while one batch of neurons goes back."""

    method: Method
    places: Places

    def recorded(self, tensor: Tensor, signal: Signal) -> Tensor:
        """The part of a recorded tensor [B, ...] that lies under the signal, per neuron.

        Broadcasts against `signal.values`: neurons of one image share one copy.
        """
        window = signal.window
        if signal.free:
            return tensor[None]
        if window is None or window.fixed:
            if self.places.image is not None:
                return tensor[self.places.image : self.places.image + 1]
            return tensor[self.places.images]
        if signal.axes == (2, 3):
            return cut(tensor, window, self.places)
        return cut(tensor.permute(0, 3, 1, 2), window, self.places).permute(0, 2, 3, 1)

    def whole(self, signal: Signal, size: Pair | None) -> Signal:
        """The signal on the whole map of this size, windows pasted into place."""
        window = signal.window
        if window is None or size is None or window == Window.whole(size):
            return replace(signal, channel=None)
        if signal.axes == (2, 3):
            values = paste(signal.values, window, self.places, size)
        else:
            values = paste(signal.values.permute(0, 3, 1, 2), window, self.places, size)
            values = values.permute(0, 2, 3, 1)
        return Signal(values, Window.whole(size), signal.axes)

    def on_map(self, values: Tensor, window: Window, size: Pair) -> Signal:
        """Values [N, C, h, w] with everything outside the map of this size taken away.

        What lies outside is padding: no signal lives there. Windows as large as the map become
        the whole map. The values must be fresh: they may be changed in place.
        """
        if window.fixed:
            top, left = (max(0, -o) for o in window.offset)
            bottom, right = (
                min(n, limit - o)
                for n, limit, o in zip(window.size, size, window.offset, strict=True)
            )
            values = values[:, :, top:bottom, left:right]
            kept = Window(
                (0, 0),
                (window.offset[0] + top, window.offset[1] + left),
                (bottom - top, right - left),
            )
            return self.whole(Signal(values, kept), size)
        if window.covers(size):
            return self.whole(Signal(values, window), size)
        if not self.places.inside(window, size):
            blank_outside(values, window, self.places, size)
        return Signal(values, window)

    def add(self, one: Signal, other: Signal, size: Pair | None) -> Signal:
        """The sum of two signals that meet where a map fans out to several operations."""
        if one.window == other.window or one.window is None or other.window is None:
            return Signal(one.values + other.values, one.window, one.axes, free=one.free)
        union = one.window.union(other.window)
        if union is None or one.axes != (2, 3) or (size is not None and union.covers(size)):
            one, other = self.whole(one, size), self.whole(other, size)
            return one.with_values(one.values + other.values)
        total = sum(_grown(signal, union) for signal in (one, other))
        assert isinstance(total, Tensor)
        return Signal(total, union)


def _grown(signal: Signal, window: Window) -> Tensor:
    """The values in a larger window that moves alike, zero around them."""
    assert signal.window is not None
    before = [a - b for a, b in zip(signal.window.offset, window.offset, strict=True)]
    after = [n - b - m for n, b, m in zip(window.size, before, signal.window.size, strict=True)]
    return F.pad(signal.values, (before[1], after[1], before[0], after[0]))


def one_hot(values: Tensor, channel: Tensor, channels: int) -> Tensor:
    """values [N] at their channels: [N, channels], zero elsewhere."""
    seed = torch.zeros(len(values), channels, dtype=values.dtype, device=values.device)
    return seed.scatter_(1, channel[:, None], values[:, None])
