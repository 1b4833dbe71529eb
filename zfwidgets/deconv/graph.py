"""The graph of one forward pass: the calls of operations that depend on the picture, in order.

`recorder.py` makes it by watching the model run; `backward.py` walks it from an output to the
picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from zfwidgets.deconv.rules import Kept, Rule
from zfwidgets.deconv.windows import Pair, Window


class UnsupportedModel(ValueError):  # noqa: N818
    """The model cannot be recorded, or an operation in it has no way back."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Tokens [B, T, C] that stand for the places of a map, row by row, from `first` on."""

    first: int
    height: int
    width: int


@dataclass(slots=True)
class Call:
    """One call of one operation, as recorded.

    name: unique name of the step; path: the module it calls, or the module it stands in and the
    operation's name. where: file and line of the model's code, if the operation's rule is only its
    derivative. sources: for every operand the call it came from, or None if it does not depend on
    the picture. axes: the dimensions of rows and columns, if the output is a map. lead: the first
    dimension counts the pictures. kept: the output, if it is kept. grid: of tokens that stand for
    a map.
    """

    name: str
    path: str
    where: str
    rule: Rule
    sources: tuple[int | None, ...]
    shape: tuple[int, ...]
    axes: Pair | None
    lead: bool
    kept: Kept | None
    grid: Grid | None = None

    @property
    def size(self) -> Pair | None:
        """Rows and columns, if the output is a map."""
        return None if self.axes is None else (self.shape[self.axes[0]], self.shape[self.axes[1]])

    @property
    def value(self) -> Tensor | None:
        """The output, if it is kept."""
        return None if self.kept is None else self.kept.tensor

    def as_maps(self, value: Tensor) -> Tensor:
        """A value of this call as maps [B, C, H, W]; rows of numbers give [B, K, 1, 1]."""
        if self.grid is not None:
            first, size = self.grid.first, (self.grid.height, self.grid.width)
            tokens = value[:, first : first + size[0] * size[1]]
            return tokens.transpose(1, 2).unflatten(2, size)
        if self.axes == (1, 2):
            return value.permute(0, 3, 1, 2)
        return value if self.axes else value.flatten(1)[:, :, None, None]

    @property
    def channel_axis(self) -> int:
        """The dimension of channels; the last one of tokens and of maps with channels last."""
        return len(self.shape) - 1 if self.axes == (1, 2) or len(self.shape) == 3 else 1


@dataclass(frozen=True, slots=True)
class Record:
    """All calls of one forward pass; the first is the input itself, `output` the model's result.

    outputs: for every tensor of the result the call it came from, if it depends on the picture.
    faithful: nothing was read out of the graph
    behind autograd's back, so that its gradient is ours.
    """

    calls: list[Call]
    output: Any
    outputs: tuple[int | None, ...]
    faithful: bool


def windows_back(
    calls: list[Call], step: int, window: Window | None, *, bounded: bool = False
) -> Iterator[tuple[int, Window | None]]:
    """Every call that feeds `step`, last to first, and the window of its output that is seen.

    window: of the output of `step`; None is the whole map. bounded: a window as large as its map
    counts as the whole map, which is how signals are sent back.
    """
    windows = {step: window}
    for index in range(step, -1, -1):
        if index not in windows:
            continue
        call, window = calls[index], windows.pop(index)
        if bounded and window is not None and (call.size is None or window.covers(call.size)):
            window = None
        yield index, window
        seen = call.rule.window(window)
        for source in call.sources:
            if source is None:
                continue
            other = windows.get(source, seen)
            windows[source] = None if seen is None or other is None else seen.union(other)
