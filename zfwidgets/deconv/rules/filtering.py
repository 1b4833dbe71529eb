"""Filtering: the transposed filters of convolutions and of fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from zfwidgets.deconv import kernels
from zfwidgets.deconv.rules.base import NotExact, Rule, pair
from zfwidgets.deconv.signals import Signal, Way
from zfwidgets.deconv.windows import Pair, Window


class Conv(Rule):
    """Transposed filters, no bias (Zeiler & Fergus 2013, section 2.1, "Filtering")."""

    kind = "conv"
    step = "filter"

    def __init__(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        if x.ndim != 4:
            raise NotExact
        self.weight = weight
        self.kernel = pair(weight.shape[2:])
        self.stride, self.dilation, self.groups = pair(stride), pair(dilation), groups
        self.padding = self._before(padding)
        self._filters: Tensor | None = None

    def _before(self, padding: int | Sequence[int] | str) -> Pair:
        """Padding before each axis."""
        if padding == "valid":
            return 0, 0
        if padding == "same":
            return pair([(k - 1) * d // 2 for k, d in zip(self.kernel, self.dilation, strict=True)])
        return pair(padding)

    def out_axes(self, shape: tuple[int, ...]) -> Pair | None:
        return 2, 3

    def window(self, window: Window | None) -> Window | None:
        if window is None:
            return None
        return window.back(self.kernel, self.stride, self.padding, self.dilation)

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        assert self.size is not None
        window = self.window(signal.window)
        assert window is not None
        return [way.on_map(self._transpose(signal, _numbers(signal, way)), window, self.size)]

    def _transpose(self, signal: Signal, numbers: torch.dtype) -> Tensor:
        """Each value spread out through its filter: [N, K, h, w] -> [N, C, h', w']."""
        weight = self.weight.detach().to(signal.raw.dtype)
        plain = self.groups == 1 and self.dilation == (1, 1)
        exact = numbers == signal.raw.dtype
        if plain and signal.sparse and exact and kernels.usable(signal.raw):
            if self._filters is None or self._filters.dtype != weight.dtype:
                self._filters = kernels.packed(weight)
            return kernels.spread(signal.raw, self._filters, self.stride, rectify=signal.rectified)
        single = signal.channel is not None and signal.values.shape[2:] == (1, 1)
        if plain and single and signal.channel is not None:
            # A single neuron: the transposed filter is a copy of the filter, times the value.
            value = signal.values.flatten(1).gather(1, signal.channel[:, None])
            return weight[signal.channel] * value[:, :, None, None]
        return F.conv_transpose2d(
            signal.values.to(numbers),
            weight.to(numbers),
            stride=self.stride,
            dilation=self.dilation,
            groups=self.groups,
        ).to(signal.raw.dtype)


class Linear(Rule):
    """The transposed weights of a fully connected layer, no bias; of maps, place by place."""

    kind = "linear"
    step = "filter"

    def __init__(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        if x.ndim < 2 or weight.ndim != 2:
            raise NotExact
        self.weight = weight
        self.ndim = x.ndim

    def applies(self) -> bool:
        """False if the last dimension is not that of channels, but of columns."""
        return self.ndim != 4 or self.axes in (None, (1, 2))

    def out_axes(self, shape: tuple[int, ...]) -> Pair | None:
        return (1, 2) if self.ndim == 4 else None

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        numbers = _numbers(signal, way)
        values = signal.values.to(numbers) @ self.weight.detach().to(numbers)
        return [Signal(values.to(signal.raw.dtype), signal.window, signal.axes)]


def _numbers(signal: Signal, way: Way) -> torch.dtype:
    """What a signal and its filters are multiplied in, see `Method.precision`."""
    return torch.bfloat16 if way.method.precision == "fast" else signal.raw.dtype
