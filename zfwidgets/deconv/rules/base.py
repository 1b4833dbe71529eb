"""What every rule is: how a signal goes back through one call of one operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from zfwidgets.deconv.signals import Signal, Way
from zfwidgets.deconv.windows import Pair, Window

Kind = Literal["conv", "linear", "pool", "norm", "add", "concat"]
"""What a layer is called after."""

StepKind = Literal[
    "unpool", "rectify", "filter", "spread", "normalise", "join", "split", "reshape", "other"
]
"""What happens to a signal on its way back."""


class NotExact(Exception):  # noqa: N818
    """The exact rule does not hold for this call; its derivative is taken instead."""


class Kept:
    """A tensor of the forward pass that the way back needs.

    Should the model change it in place later, the recorder puts a copy here before.
    """

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@dataclass(frozen=True, slots=True)
class Operand:
    """An operand that depends on the picture.

    lead: its first dimension counts the pictures, so that the signals of neurons can take its
    place. axes: the dimensions of rows and columns, if it is a map.
    """

    shape: tuple[int, ...]
    axes: Pair | None
    lead: bool

    @property
    def size(self) -> Pair | None:
        """Rows and columns, if it is a map."""
        return None if self.axes is None else (self.shape[self.axes[0]], self.shape[self.axes[1]])


class Rule:
    """The signal passes unchanged. Base of all rules.

    A rule is made anew for every call of an operation, from what the operation is called with, so
    that a module used three times has three of them. Its constructor raises NotExact for calls
    that it does not cover, and ValueError for those that have no way back at all.

    operands: one for every operand of the call, None for those that do not depend on the picture;
    operation: its name; both set by the recorder.
    """

    extension = ""
    """Why this goes beyond the paper; empty where the paper defines it."""
    kind: Kind | None = None
    """What a layer with this operation is called after; None if it is none."""
    step: StepKind = "other"
    elementwise = False
    """Every number by itself, whatever the dimensions mean."""
    operands: tuple[Operand | None, ...] = ()
    operation = ""
    """What the recorder calls the operation."""

    def __init__(self) -> None:
        self.boxes: list[Kept] = []

    def keep(self, tensor: Tensor) -> Kept:
        """The tensor as it is now, even if the model changes it in place later."""
        box = Kept(tensor)
        self.boxes.append(box)
        return box

    @property
    def first(self) -> Operand:
        """The first operand that depends on the picture."""
        return next(o for o in self.operands if o is not None)

    @property
    def size(self) -> Pair | None:
        """Rows and columns of the first operand, if it is a map."""
        return self.first.size

    @property
    def axes(self) -> Pair | None:
        """Which dimensions of the first operand these are."""
        return self.first.axes

    @property
    def live(self) -> tuple[bool, ...]:
        """For every operand whether it depends on the picture."""
        return tuple(o is not None for o in self.operands)

    def run(self, forward: Callable[[], Any]) -> Any:
        """The forward value; rules that must keep something of it do so here."""
        return forward()

    def applies(self) -> bool:
        """False if the operands turn out to be none that the rule holds for."""
        return True

    def out_axes(self, shape: tuple[int, ...]) -> Pair | None:
        """Which dimensions of an output of this shape are rows and columns."""
        return self.axes or guessed_axes(shape) if len(shape) == 4 else None

    def window(self, window: Window | None) -> Window | None:
        """The inputs that this window of outputs sees; None for all of them."""
        return window

    def back(self, signal: Signal, way: Way) -> Sequence[Signal | None]:
        """The signal at each operand, in the order of the call."""
        return [signal]


def guessed_axes(shape: tuple[int, ...]) -> Pair:
    """Rows and columns [B, ., ., .] where nothing says which: most pictures are squares."""
    _, one, two, three = shape
    return (1, 2) if one == two != three else (2, 3)


def on_operand(values: Tensor, operand: Operand) -> Signal:
    """A signal on the whole of an operand."""
    if operand.size is None or not operand.lead:
        return Signal(values, None, free=not operand.lead)
    assert operand.axes is not None
    return Signal(values, Window.whole(operand.size), operand.axes)


def pair(value: Any) -> Pair:
    """A number, or a number per axis, as torch takes both."""
    if isinstance(value, int):
        return value, value
    numbers = [int(v) for v in value]
    return (numbers[0], numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
