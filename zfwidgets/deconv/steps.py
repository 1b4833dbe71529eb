"""One projection taken apart: the signal before and after every operation on the way back.

What `Recording.project` does in one go (Zeiler & Fergus 2013, section 2.1: unpool, rectify, filter)
is given here operation by operation, with the switches that unpooling follows, for teaching and for
checking.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from zfwidgets.deconv.backward import Passage
from zfwidgets.deconv.graph import Call
from zfwidgets.deconv.layer import Layers
from zfwidgets.deconv.rules import Conv, MaxPool, Rule, StepKind
from zfwidgets.deconv.signals import Signal, Way
from zfwidgets.deconv.windows import Pair

OPTIONAL: tuple[StepKind, ...] = ("unpool", "rectify", "normalise")
"""Kinds of steps that can be switched off: the maps before and after have as many channels."""


@dataclass(frozen=True, slots=True)
class Switches:
    """Where unpooling puts each value.

    rows, cols: LongTensor [N, C, h, w], the place on the larger map that the maximum of each
    pooling window had. kernel, stride, padding: (rows, columns) of the windows.
    """

    rows: Tensor
    cols: Tensor
    kernel: Pair
    stride: Pair
    padding: Pair


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on the way back, of N neurons.

    name: unique, as in the recording; layer: the layer it belongs to. kind: what it does.
    before, signal: Tensor [N, C, H, W] on whole maps, or [N, K] where the model has no maps, the
    signal as it arrives and as it leaves. off: it was left out; an unpooling that is off puts every
    value into the middle of its window. switches: of an unpooling. filters: of a convolution,
    [K, C, h, w] as the forward pass has them.
    """

    name: str
    layer: str
    kind: StepKind
    before: Tensor
    signal: Tensor
    off: bool
    switches: Switches | None = None
    filters: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, rows, columns of the signal as it leaves."""
        return tuple(self.signal.shape[1:])

    @property
    def zeros(self) -> float:
        """Share of the signal's values that are exactly zero, 0 to 1."""
        return 1 - int(torch.count_nonzero(self.signal)) / max(self.signal.numel(), 1)


def steps(
    calls: list[Call], layers: Layers, passages: Iterable[Passage], way: Way, off: frozenset[str]
) -> list[Step]:
    """The passages of a signal as steps, in the order in which it goes back.

    Where the way parts (a sum, a concatenation), `signal` is the one that leaves to the first
    branch; each branch goes on from its own part. Operations that change nothing (dropout in
    evaluation, LRN passed unchanged) are left out.
    """
    found: list[Step] = []
    last: Signal | None = None
    for passage in passages:
        call = calls[passage.index]
        kind = call.rule.step
        routes = zip(call.sources, passage.leaving, strict=False)
        alive = [(source, out) for source, out in routes if source is not None and out is not None]
        if not alive:
            continue
        source, leaving = alive[0]
        # Where nothing else joined in, what arrives is what left the step before.
        same = bool(found) and passage.arriving is last
        before = found[-1].signal if same else _plain(passage.arriving, call, way)
        after, last = _plain(leaving, calls[source], way), leaving
        idle = kind in ("other", "normalise") and call.name not in off
        if idle and before.shape == after.shape and torch.equal(before, after):
            continue
        found.append(
            Step(
                name=call.name,
                layer=_layer_of(passage.index, layers),
                kind=kind,
                before=before,
                signal=after,
                off=call.name in off,
                switches=_switches(call.rule, way) if isinstance(call.rule, MaxPool) else None,
                filters=call.rule.weight.detach() if isinstance(call.rule, Conv) else None,
            )
        )
    return found


def left_out(rule: Rule, signal: Signal, way: Way) -> list[Signal | None]:
    """The signal behind an operation that is switched off."""
    if not isinstance(rule, MaxPool):
        return [signal]
    return list(rule.blind().back(signal, way))


def _plain(signal: Signal, call: Call, way: Way) -> Tensor:
    """The values on the whole map, channels first."""
    values = way.whole(signal, call.size).values
    return values.permute(0, 3, 1, 2) if signal.axes == (1, 2) and values.ndim == 4 else values


def _switches(rule: MaxPool, way: Way) -> Switches:
    codes = rule.codes[way.places.images].long()
    rows = torch.arange(codes.shape[2], device=codes.device) * rule.stride[0] - rule.padding[0]
    cols = torch.arange(codes.shape[3], device=codes.device) * rule.stride[1] - rule.padding[1]
    return Switches(
        rows[:, None] + codes // rule.kernel[1] * rule.dilation[0],
        cols + codes % rule.kernel[1] * rule.dilation[1],
        rule.kernel,
        rule.stride,
        rule.padding,
    )


def _layer_of(index: int, layers: Layers) -> str:
    """The first layer that is complete at or after this call."""
    return next((layer.name for layer in layers.values() if layer.step >= index), "")
