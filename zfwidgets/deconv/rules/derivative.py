"""What the paper's idea does not cover: the exact derivative at the recorded values.

Such a way back is marked: a rule of these carries an `extension`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree

from zfwidgets.deconv.rules.base import Kept, Kind, Operand, Rule, on_operand
from zfwidgets.deconv.signals import Signal, Way
from zfwidgets.deconv.windows import Window


class Pointwise(Rule):
    """Acts on every place by itself: its derivative at the recorded values, on the window.

    channels: a place means all of its channels, which stand in the last dimension (layer
    normalisation), not every number by itself (a gate).
    """

    def __init__(
        self, function: Callable[..., Tensor], x: Tensor, *, extension: str, channels: bool = False
    ) -> None:
        super().__init__()
        self.function, self.extension = function, extension
        self.input = self.keep(x)
        self.elementwise = not channels
        self.channels, self.ndim = channels, x.ndim

    def applies(self) -> bool:
        """False if the last dimension of a map is not that of its channels."""
        return not self.channels or self.ndim != 4 or self.axes == (1, 2)

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        return [at_recorded(self.function, [self.input.tensor], signal, way)[0]]


class Derivative(Rule):
    """Any differentiable operation, on whole maps: its derivative by every operand.

    function: called with args and options; of several outputs, `output` is the one meant.
    by_picture: the pictures of a batch do not mix in it; how a batch is recorded depends on it.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        options: dict[str, Any],
        *,
        output: int | None = None,
        extension: str = "",
        by_picture: bool = False,
        kind: Kind | None = None,
    ) -> None:
        super().__init__()
        self.function, self.output, self.by_picture = function, output, by_picture
        self.extension, self.kind = extension, kind
        leaves, self.spec = _pytree.tree_flatten((tuple(args), dict(options)))
        self.leaves = [self.keep(v) if isinstance(v, Tensor) else v for v in leaves]
        self.out: Operand | None = None
        """What its output is; set by the recorder."""

    def window(self, window: Window | None) -> Window | None:
        return None

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        assert self.out is not None
        values = way.whole(signal, self.out.size).values
        if not self.out.lead:
            return self._back(values, slice(None))
        values = values[:, None]
        if way.places.image is not None:
            return self._back(values, _only(way.places.image))
        # Neurons of several pictures: each goes back at its own picture's values.
        images = way.places.images
        found: list[Signal | None] = []
        for image in images.unique().tolist():
            mine = images == image
            parts = self._back(values[mine], _only(image))
            if not found:
                found = [None if part is None else _blank(part, len(images)) for part in parts]
            for into, part in zip(found, parts, strict=True):
                if into is not None and part is not None:
                    into.raw[mine] = part.values
        return found

    def _back(self, values: Tensor, picture: slice) -> list[Signal | None]:
        """Signals [N, *output's shape] of neurons of one picture, at every operand."""
        tensors = [leaf.tensor if isinstance(leaf, Kept) else leaf for leaf in self.leaves]
        operands = [*self.operands, *[None] * (len(tensors) - len(self.operands))]
        leaves: list[Tensor] = []
        arguments = list[Any]()
        where: list[int | None] = []
        for value, operand in zip(tensors, operands, strict=True):
            if operand is None:
                arguments.append(self._cut(value, picture))
                where.append(None)
                continue
            part = value[picture] if operand.lead else value
            leaf = part.detach().clone().requires_grad_()
            where.append(len(leaves))
            leaves.append(leaf)
            arguments.append(leaf)
        grads = self._gradients(leaves, arguments, values)
        found: list[Signal | None] = []
        for operand, place in zip(operands, where, strict=True):
            grad = None if place is None else grads[place]
            if operand is None or grad is None:
                found.append(None)
                continue
            if not grad.is_complex():
                grad = grad.to(values.real.dtype)
            found.append(on_operand(grad[:, 0] if operand.lead else grad, operand))
        return found

    def _cut(self, value: Any, picture: slice) -> Any:
        """A constant; one that has a row for every picture, such as a mask, that row."""
        lead = self.first
        if (
            isinstance(value, Tensor)
            and self.by_picture
            and lead.lead
            and value.ndim == len(lead.shape)
            and value.shape[0] == lead.shape[0]
        ):
            return value[picture]
        return value

    def _gradients(
        self, leaves: list[Tensor], arguments: list[Any], signals: Tensor
    ) -> list[Tensor | None]:
        with torch.inference_mode(False), torch.enable_grad(), _silent_fallback():
            args, options = _pytree.tree_unflatten(arguments, self.spec)
            output = self.function(*args, **options)
            if self.output is not None:
                output = output[self.output]
            # Contiguous: channels last, that of instance normalisation is wrong for one picture.
            signals = signals.to(output.dtype).reshape(len(signals), *output.shape).contiguous()
            differentiable: bool = output.requires_grad
            if not differentiable:
                return [None for _ in leaves]
            if len(signals) == 1:
                one: Sequence[Tensor | None] = torch.autograd.grad(
                    output, leaves, signals[0], allow_unused=True
                )
                return [None if grad is None else grad[None] for grad in one]
            try:
                return list(
                    torch.autograd.grad(
                        output,
                        leaves,
                        signals,
                        allow_unused=True,
                        is_grads_batched=True,
                        retain_graph=True,
                    )
                )
            except torch.OutOfMemoryError:
                raise
            except RuntimeError:  # an operation that torch cannot batch
                each = [
                    torch.autograd.grad(output, leaves, s, allow_unused=True, retain_graph=True)
                    for s in signals
                ]
                return [
                    None if grads[0] is None else torch.stack(list(grads))
                    for grads in zip(*each, strict=True)
                ]


class Written(Rule):
    """A tensor after another one that shares its memory was changed in place.

    Its values stand where they stood, but for those at the places [...] that were written.
    places: LongTensor of the tensor's shape (of one picture): where in the written tensor each
    value comes from, -1 for the tensor's own.
    """

    step = "join"

    def __init__(self, places: Tensor, written: tuple[int, ...]) -> None:
        super().__init__()
        self.places, self.written = places, written
        self.out: Operand | None = None
        """What its output is; set by the recorder."""

    def window(self, window: Window | None) -> Window | None:
        return None

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        own, new = (*self.operands, None, None)[:2]
        assert self.out is not None
        values = way.whole(signal, self.out.size).values
        flat = values.reshape(len(values), -1)
        places = self.places.to(flat.device).reshape(-1)
        kept = places < 0
        found: list[Signal | None] = [None, None]
        if own is not None:
            shape = own.shape[1:] if own.lead else own.shape
            found[0] = on_operand((flat * kept).reshape(len(flat), *shape), own)
        if new is not None:
            shape = new.shape[1:] if new.lead else new.shape
            taken = flat.new_zeros(len(flat), int(torch.Size(shape).numel()))
            taken.index_add_(1, places[~kept], flat[:, ~kept])
            found[1] = on_operand(taken.reshape(len(flat), *shape), new)
        return found


def at_recorded(
    function: Callable[..., Tensor], recorded: list[Tensor], signal: Signal, way: Way
) -> list[Signal]:
    """The signal times the derivative of a function of every place by itself, on the window."""
    inputs = [way.recorded(x, signal) for x in recorded]
    inputs = [x.expand(len(signal.values), *x.shape[1:]) for x in inputs]
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [x.clone().requires_grad_() for x in inputs]
        output = function(*leaves)
        # Channels last, the derivative of instance normalisation is wrong for a batch of one.
        values = signal.values.to(output.dtype, memory_format=torch.contiguous_format, copy=True)
        grads = torch.autograd.grad(output, leaves, values)
    # Other channels than the neuron's own may have a signal now.
    made = replace(signal, rectified=False, channel=None)
    return [made.with_values(g.to(signal.raw.dtype)) for g in grads]


def _blank(signal: Signal, number: int) -> Signal:
    """Zeros for so many neurons, like this signal."""
    return signal.with_values(signal.raw.new_zeros(number, *signal.raw.shape[1:]))


def _only(image: int) -> slice:
    return slice(image, image + 1)


@contextmanager
def _silent_fallback() -> Iterator[None]:
    """torch loops where it cannot batch a derivative; slower, not worse, and no news to anyone."""
    functorch: Any = torch._C._functorch  # noqa: SLF001 - there is no other way
    talk = functorch._set_vmap_fallback_warning_enabled  # noqa: SLF001
    talk(False)
    try:
        yield
    finally:
        talk(True)
