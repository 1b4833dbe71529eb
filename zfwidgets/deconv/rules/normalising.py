"""Normalisation: a scale per channel in evaluation, and contrast normalisation across channels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from zfwidgets.deconv.rules.base import NotExact, Rule
from zfwidgets.deconv.rules.derivative import at_recorded
from zfwidgets.deconv.signals import Signal, Way


class BatchNorm(Rule):
    """In evaluation a scale per channel; the shift is dropped like a bias.

    A negative scale turns a positive signal round: what is rectified afterwards is then no longer
    "the positive features". By the batch's own statistics it is no scale: its derivative is taken.
    """

    extension = "batch normalisation"
    kind = "norm"
    step = "normalise"

    def __init__(
        self,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        training: bool,
        momentum: float,
        eps: float,
        cudnn_enabled: bool = True,
    ) -> None:
        super().__init__()
        if training or running_var is None or x.ndim < 2:
            raise NotExact
        scale = (running_var + eps).rsqrt()
        self.scale = (scale if weight is None else scale * weight).detach()

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        scale = self.scale.to(signal.raw.dtype).view(1, -1, *[1] * (signal.raw.ndim - 2))
        return [signal.with_values(signal.values * scale)]


class LocalResponseNorm(Rule):
    """Contrast normalisation across channels: the signal passes, or its derivative does."""

    kind = "norm"
    step = "normalise"

    def __init__(
        self, x: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
    ) -> None:
        super().__init__()
        self.input = self.keep(x)
        self.function = lambda value: F.local_response_norm(value, size, alpha, beta, k)

    def back(self, signal: Signal, way: Way) -> list[Signal | None]:
        if way.method.lrn == "identity":
            return [signal]
        return [at_recorded(self.function, [self.input.tensor], signal, way)[0]]
