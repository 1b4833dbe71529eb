"""The way back: signals of a batch of neurons through the recorded calls, last to first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zfwidgets.deconv.graph import Call, windows_back
from zfwidgets.deconv.rules import Derivative, Pointwise
from zfwidgets.deconv.signals import Signal, Way, one_hot
from zfwidgets.deconv.windows import Places, Window


@dataclass(frozen=True, slots=True)
class Start:
    """Where signals begin: a call's output, at these places and channels, with values [N]."""

    step: int
    places: Places
    channel: Tensor
    value: Tensor


def from_neurons(calls: list[Call], start: Start) -> Signal:
    """One neuron each: everything else in the layer is zero."""
    call = calls[start.step]
    axis = call.channel_axis
    values = one_hot(start.value, start.channel, call.shape[axis])
    if call.grid is not None:
        tokens = values.new_zeros(len(values), *call.shape[1:])
        where = call.grid.first + start.places.rows * call.grid.width + start.places.cols
        tokens[torch.arange(len(values), device=values.device), where] = values
        return Signal(tokens, None)
    if call.axes is None:
        return Signal(values.reshape(len(values), *call.shape[1:]), None)
    values = values[:, None, None, :] if axis == 3 else values[:, :, None, None]
    return Signal(values, Window.neuron(), call.axes, start.channel if axis == 1 else None)


def from_maps(calls: list[Call], step: int, maps: Tensor) -> Signal:
    """Whole feature maps [N, ...] as the start."""
    size = calls[step].size
    return Signal(maps, Window.whole(size) if size else None, calls[step].axes or (2, 3))


@dataclass(frozen=True, slots=True)
class Passage:
    """The signal at one call: as it arrives at its output and as it leaves at each argument."""

    index: int
    arriving: Signal
    leaving: Sequence[Signal | None]


Back = Callable[[Call, Signal, Way], Sequence[Signal | None]]


def by_rule(call: Call, signal: Signal, way: Way) -> Sequence[Signal | None]:
    """The signal goes back as the call's rule says."""
    return call.rule.back(signal, way)


def passages(
    calls: list[Call], step: int, signal: Signal, way: Way, back: Back = by_rule
) -> Iterator[Passage]:
    """The signal at every call on its way from `step` to the input, which is the last one.

    The input's passage has nothing leaving. back: how the signal goes through a call.
    """
    pending = {step: signal}
    for index in range(step, 0, -1):
        arriving = pending.pop(index, None)
        if arriving is None:
            continue
        call = calls[index]
        passage = Passage(index, arriving, back(call, arriving, way))
        yield passage
        for source, leaving in zip(call.sources, passage.leaving, strict=False):
            if source is None or leaving is None:
                continue
            other = pending.get(source)
            pending[source] = (
                leaving if other is None else way.add(other, leaving, calls[source].size)
            )
        del passage  # or the last signal would be kept while the next is made
    if 0 not in pending:
        size = calls[0].size
        assert size is not None
        zeros = signal.values.new_zeros(len(signal.values), calls[0].shape[1], *size)
        pending[0] = Signal(zeros, Window.whole(size))
    yield Passage(0, pending[0], ())


def send_back(calls: list[Call], step: int, signal: Signal, way: Way) -> Signal:
    """The signal at the network's input, [N, C, h, w] with its window."""
    for passage in passages(calls, step, signal, way):
        if passage.index == 0:
            return passage.arriving
        del passage
    raise AssertionError("the input's passage is always the last")


def extensions_on_the_way(calls: list[Call], step: int) -> tuple[str, ...]:
    """The operations between a step and the input that go beyond the paper, each once."""
    reached = (calls[index].rule.extension for index, _ in windows_back(calls, step, None))
    return tuple(dict.fromkeys(extension for extension in reached if extension))


def mixes_pictures(calls: list[Call], step: int) -> bool:
    """True if pictures of a batch cannot be told apart somewhere before a step."""
    return any(not calls[index].lead for index, _ in windows_back(calls, step, None))


def derivatives_on_the_way(calls: list[Call], step: int) -> list[Call]:
    """The calls before a step that go back by their derivative alone."""
    found = [calls[index] for index, _ in windows_back(calls, step, None)]
    return [call for call in found if isinstance(call.rule, Derivative | Pointwise)]


def boxes_of(window: Window, places: Places) -> Tensor:
    """Top, left, bottom, right of each neuron's window: LongTensor [N, 4]."""
    top, left = window.origins(places)
    return torch.stack([top, left, top + window.size[0], left + window.size[1]], 1)


def values_per_neuron(calls: list[Call], step: int, *, whole: bool = False) -> int:
    """How many numbers the two largest signals of one neuron hold, for the memory budget.

    whole: of a whole map that is sent back, not a neuron.
    """
    started = Window.neuron() if calls[step].axes and not whole else None
    sizes = []
    for index, window in windows_back(calls, step, started, bounded=True):
        call = calls[index]
        count = math.prod(call.shape[1:] if call.lead else call.shape)
        if window is not None and call.size is not None:
            count = count * math.prod(window.size) // math.prod(call.size)
        sizes.append(count)
    return sum(sorted(sizes)[-2:])
