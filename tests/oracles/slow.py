"""A second implementation of the deconvnet, in NumPy loops, slow and plain.

It shares no code with the engine: every formula is written out again, one output at a time, so
that an error would have to be made twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass
class Conv:
    weight: Array  # [K, C / groups, k, k]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    bias: Array = field(default_factory=lambda: np.zeros(0))

    def places(self, size: int) -> int:
        reach = self.dilation * (self.weight.shape[2] - 1) + 1
        return (size + 2 * self.padding - reach) // self.stride + 1

    def link(self, shape: tuple[int, ...]) -> None:
        """Every connection of the layer: output place, input place, weight."""
        self.shape = shape
        outs, per_group = self.weight.shape[:2]
        self.maps = (outs, self.places(shape[1]), self.places(shape[2]))
        targets, sources, weights = [], [], []
        for k, c, i, j in np.ndindex(*self.weight.shape):
            source_channel = k // (outs // self.groups) * per_group + c
            for y, x in np.ndindex(*self.maps[1:]):
                row = y * self.stride - self.padding + i * self.dilation
                col = x * self.stride - self.padding + j * self.dilation
                if 0 <= row < shape[1] and 0 <= col < shape[2]:
                    targets.append((k, y, x))
                    sources.append((source_channel, row, col))
                    weights.append(self.weight[k, c, i, j])
        self.targets = tuple(np.array(targets).T)
        self.sources = tuple(np.array(sources).T)
        self.weights = np.array(weights)

    def forward(self, x: Array) -> Array:
        self.link(x.shape)
        out = np.zeros(self.maps)
        if len(self.bias):
            out += self.bias[:, None, None]
        np.add.at(out, self.targets, self.weights * x[self.sources])
        return out

    def back(self, signal: Array, rule: str) -> Array:
        result = np.zeros(self.shape)
        np.add.at(result, self.sources, self.weights * signal[self.targets])
        return result


@dataclass
class Relu:
    def forward(self, x: Array) -> Array:
        self.alive = x > 0
        return np.where(self.alive, x, 0.0)

    def back(self, signal: Array, rule: str) -> Array:
        if rule in ("deconvnet", "guided"):
            signal = np.where(signal > 0, signal, 0.0)
        if rule in ("gradient", "guided"):
            signal = np.where(self.alive, signal, 0.0)
        return signal


@dataclass
class Pool:
    kernel: int
    stride: int
    padding: int = 0
    dilation: int = 1
    ceil: bool = False
    overwrite: bool = False

    def places(self, size: int) -> int:
        reach = self.dilation * (self.kernel - 1) + 1
        exact = (size + 2 * self.padding - reach) / self.stride + 1
        places = math.ceil(exact) if self.ceil else math.floor(exact)
        if self.ceil and (places - 1) * self.stride >= size + self.padding:
            places -= 1  # the last window would lie in the padding alone
        return places

    def forward(self, x: Array) -> Array:
        channels, height, width = x.shape
        out = np.zeros((channels, self.places(height), self.places(width)))
        self.switch: dict[tuple[int, int, int], tuple[int, int]] = {}
        for c, y, z in np.ndindex(*out.shape):
            best = -math.inf
            for i in range(self.kernel):
                for j in range(self.kernel):
                    row = y * self.stride - self.padding + i * self.dilation
                    col = z * self.stride - self.padding + j * self.dilation
                    if 0 <= row < height and 0 <= col < width and x[c, row, col] > best:
                        best = x[c, row, col]
                        self.switch[c, y, z] = (row, col)
            out[c, y, z] = best
        self.shape = x.shape
        return out

    def back(self, signal: Array, rule: str) -> Array:
        result = np.zeros(self.shape)
        for (c, y, x), (row, col) in self.switch.items():  # in reading order
            if self.overwrite:
                result[c, row, col] = signal[c, y, x]
            else:
                result[c, row, col] += signal[c, y, x]
        return result


@dataclass
class Lrn:
    """Contrast normalisation across channels; on the way back the signal passes."""

    size: int
    alpha: float
    beta: float
    k: float

    def forward(self, x: Array) -> Array:
        out = np.zeros_like(x)
        for c in range(len(x)):
            near = x[max(0, c - self.size // 2) : c + self.size // 2 + 1]
            out[c] = x[c] / (self.k + self.alpha / self.size * (near**2).sum(0)) ** self.beta
        return out

    def back(self, signal: Array, rule: str) -> Array:
        return signal


Operation = Conv | Relu | Pool | Lrn


def forward(operations: list[Operation], x: Array) -> list[Array]:
    """The output of every operation, in order."""
    outputs = []
    for operation in operations:
        x = operation.forward(x)
        outputs.append(x)
    return outputs


def project(
    operations: list[Operation], output: Array, last: int, channel: int, rule: str, seed: str
) -> Array:
    """The strongest neuron of a channel in the output of operation `last`, sent to the input."""
    row, col = divmod(int(np.argmax(output[channel])), output.shape[2])
    signal = np.zeros_like(output)
    signal[channel, row, col] = output[channel, row, col] if seed == "activation" else 1.0
    for operation in reversed(operations[: last + 1]):
        signal = operation.back(signal, rule)
    return signal
