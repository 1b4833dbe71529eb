"""Rectification: the signal itself is rectified, masked by the forward value, both, or neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from zfwidgets.deconv.rules.base import Kept, Rule
from zfwidgets.deconv.rules.derivative import at_recorded
from zfwidgets.deconv.signals import Signal, Way


class Rectifier(Rule):
    """What `Method.rule` says (Zeiler & Fergus 2013, section 2.1, "Rectification").

    function: the operation of its first operand alone. Where its slope is not 0 or 1 (extension),
    the derivative needs the input as it was.
    """

    step = "rectify"
    elementwise = True

    def __init__(
        self, function: Callable[[Tensor], Tensor], x: Tensor, extension: str = ""
    ) -> None:
        super().__init__()
        self.function = function
        self.extension = extension
        self.input = self.keep(x) if extension else None
        self.output: Kept | None = None

    def run(self, forward: Callable[[], Any]) -> Any:
        output = forward()
        self.output = self.keep(output)
        return output

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        rule = way.method.rule
        if rule == "linear":
            return [signal]
        if rule == "deconvnet":
            if signal.sparse:
                return [replace(signal, rectified=True)]
            return [signal.with_values(signal.values.clamp(min=0))]
        if rule == "gradient" and self.input is not None:
            return [at_recorded(self.function, [self.input.tensor], signal, way)[0]]
        assert self.output is not None
        recorded = way.recorded(self.output.tensor, signal)
        values = signal.values if rule == "gradient" else signal.values.clamp(min=0)
        # In one go: comparing and multiplying apart take almost three times as long.
        passed = torch.ops.aten.threshold_backward(values, recorded, 0)
        return [signal.with_values(passed.to(values.dtype))]
