"""Which channels a filter weighs most: what can be said of one that does not read pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zfwidgets.deconv import DeconvNet

MOST = 3
"""Channels that are named."""


@dataclass(frozen=True)
class Kernels:
    """The kernels of one filter, one for each channel that it reads.

    layer: whose channels they are. count: how many. heaviest: the numbers of those with the largest
    kernels, by the root of the sum of their squares, largest first.
    """

    layer: str
    count: int
    heaviest: tuple[int, ...]


def kernels_of(net: DeconvNet, layer: str, channel: int) -> Kernels | None:
    """The kernels of a channel; None if it is no convolution's, or not of one layer's channels."""
    place = net.layers[layer]
    module: Any = net.model.get_submodule(place.path) if place.kind == "conv" else None
    weight = getattr(module, "weight", None)
    if weight is None or weight.ndim != 4 or len(place.inputs) != 1:
        return None
    (before,) = place.inputs
    groups = net.layers[before].channels // weight.shape[1]
    if len(weight) != place.channels or groups * weight.shape[1] != net.layers[before].channels:
        return None
    first = channel // (place.channels // groups) * weight.shape[1]
    sizes = weight[channel].detach().flatten(1).norm(dim=1)
    order = sizes.argsort(descending=True, stable=True)[:MOST].tolist()
    return Kernels(before, weight.shape[1], tuple(first + one for one in order))
