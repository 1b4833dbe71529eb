"""Receptive-field arithmetic: which places of a map the neurons under study can touch.

Going back through a convolution or a pooling with kernel k, stride s, padding p and dilation d, the
outputs [first, first + size) see the inputs

    first' = first * s - p          size' = (size - 1) * s + (k - 1) * d + 1

Every neuron has its own `first`, but all windows of a map have one size, so that a batch of neurons
is one tensor. `first` is linear in the neuron's own position, hence three small numbers per axis
(jump, offset, size) describe the windows of all neurons at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Pair = tuple[int, int]


def inputs_seen(size: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> Pair:
    """Rows and columns of inputs that a window of `size` outputs sees."""
    rows, cols = (
        (n - 1) * s + (k - 1) * d + 1
        for n, s, k, d in zip(size, stride, kernel, dilation, strict=True)
    )
    return rows, cols


@dataclass(frozen=True, slots=True)
class Window:
    """One window per neuron on one map: first row and column = jump * position + offset.

    jump, offset, size: (rows, columns) in places of the map. A window with jump (0, 0) stands at
    the same place for every neuron. Windows may reach outside the map, where no signal exists.
    """

    jump: Pair
    offset: Pair
    size: Pair

    @staticmethod
    def neuron() -> Window:
        """The neuron itself, on its own map."""
        return Window((1, 1), (0, 0), (1, 1))

    @staticmethod
    def whole(size: Pair) -> Window:
        """All of a map of this size."""
        return Window((0, 0), (0, 0), size)

    @property
    def fixed(self) -> bool:
        """True if the window stands at the same place for every neuron."""
        return self.jump == (0, 0)

    def back(self, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Window:
        """The window of inputs that this window of outputs sees."""
        return Window(
            (self.jump[0] * stride[0], self.jump[1] * stride[1]),
            (self.offset[0] * stride[0] - padding[0], self.offset[1] * stride[1] - padding[1]),
            inputs_seen(self.size, kernel, stride, dilation),
        )

    def union(self, other: Window) -> Window | None:
        """The smallest window that holds both; None if they do not move alike."""
        if self.jump != other.jump:
            return None
        first = [min(a, b) for a, b in zip(self.offset, other.offset, strict=True)]
        last = [
            max(a + n, b + m)
            for a, n, b, m in zip(self.offset, self.size, other.offset, other.size, strict=True)
        ]
        return Window(self.jump, (first[0], first[1]), (last[0] - first[0], last[1] - first[1]))

    def flattened(self, axis: int) -> Window:
        """This window on a map that has but one row (axis 0) or one column (axis 1)."""
        if axis == 0:
            return Window((0, self.jump[1]), (0, self.offset[1]), (1, self.size[1]))
        return Window((self.jump[0], 0), (self.offset[0], 0), (self.size[0], 1))

    def covers(self, size: Pair) -> bool:
        """True if the window has as many places as a whole map of this size, or more."""
        return self.size[0] * self.size[1] >= size[0] * size[1]

    def origins(self, places: Places) -> tuple[Tensor, Tensor]:
        """First row and first column of every neuron's window, LongTensors [N]."""
        return (
            places.rows * self.jump[0] + self.offset[0],
            places.cols * self.jump[1] + self.offset[1],
        )


@dataclass(frozen=True, slots=True)
class Places:
    """Where the neurons of one batch stand: image, row and column, LongTensors [N]."""

    images: Tensor
    rows: Tensor
    cols: Tensor
    image: int | None
    """The image, if all neurons belong to one: its switches are then shared, not copied."""
    bounds: tuple[Pair, Pair]
    """(lowest, highest) row and (lowest, highest) column, known without asking the device."""

    @staticmethod
    def of(images: Tensor, rows: Tensor, cols: Tensor, device: torch.device) -> Places:
        """Places from CPU LongTensors [N], N >= 1, moved to the device."""
        first = int(images[0])
        low_high = [(int(t.min()), int(t.max())) for t in (rows, cols)]
        return Places(
            images.to(device),
            rows.to(device),
            cols.to(device),
            first if bool((images == first).all()) else None,
            (low_high[0], low_high[1]),
        )

    def inside(self, window: Window, size: Pair) -> bool:
        """True if no neuron's window reaches outside a map of this size."""
        return all(
            low * jump + offset >= 0 and high * jump + offset + extent <= limit
            for (low, high), jump, offset, extent, limit in zip(
                self.bounds, window.jump, window.offset, window.size, size, strict=True
            )
        )


def _axis(first: Tensor, extent: int, limit: int) -> tuple[Tensor, Tensor]:
    """Positions [N, extent] from `first` [N], clamped to the map, and whether each lies on it."""
    position = first[:, None] + torch.arange(extent, device=first.device)
    return position.clamp(0, limit - 1), (position >= 0) & (position < limit)


def blank_outside(values: Tensor, window: Window, places: Places, size: Pair) -> None:
    """Set to zero, in place, what of values [N, C, h, w] does not lie on a map of this size."""
    top, left = window.origins(places)
    if values.device.type != "cpu":
        on_rows = _axis(top, window.size[0], size[0])[1]
        on_cols = _axis(left, window.size[1], size[1])[1]
        values.masked_fill_(~(on_rows[:, :, None] & on_cols[:, None, :])[:, None], 0)
        return
    # A few slices cost less here than a mask over everything.
    arrays = values.numpy()
    for neuron, row, col in zip(arrays, top.tolist(), left.tolist(), strict=True):
        neuron[:, : max(0, -row)] = 0
        neuron[:, max(0, size[0] - row) :] = 0
        neuron[:, :, : max(0, -col)] = 0
        neuron[:, :, max(0, size[1] - col) :] = 0


def cut(maps: Tensor, window: Window, places: Places) -> Tensor:
    """Each neuron's window of recorded maps.

    maps [B, C, H, W] -> [N, C, h, w]. Outside the map the nearest place is repeated: the signal
    there is zero, so what stands beside it never matters.
    """
    batch, channels, height, width = maps.shape
    top, left = window.origins(places)
    rows = _axis(top, window.size[0], height)[0]
    cols = _axis(left, window.size[1], width)[0]
    flat = (places.images[:, None, None] * height + rows[:, :, None]) * width + cols[:, None, :]
    table = maps.permute(0, 2, 3, 1).reshape(batch * height * width, channels)
    picked = table.index_select(0, flat.reshape(-1))
    return picked.view(len(flat), *window.size, channels).permute(0, 3, 1, 2)


def paste(values: Tensor, window: Window, places: Places, size: Pair) -> Tensor:
    """Windows put back on whole maps: [N, C, h, w] -> [N, C, H, W], zero elsewhere."""
    number, channels, extent_rows, extent_cols = values.shape
    top, left = window.origins(places)
    rows, on_rows = _axis(-top, size[0], extent_rows)
    cols, on_cols = _axis(-left, size[1], extent_cols)
    index = torch.arange(number, device=values.device)[:, None, None]
    flat = (index * extent_rows + rows[:, :, None]) * extent_cols + cols[:, None, :]
    table = values.permute(0, 2, 3, 1).reshape(number * extent_rows * extent_cols, channels)
    canvas = table.index_select(0, flat.reshape(-1)).view(number, *size, channels)
    canvas = torch.where((on_rows[:, :, None] & on_cols[:, None, :])[..., None], canvas, 0.0)
    return canvas.permute(0, 3, 1, 2)
