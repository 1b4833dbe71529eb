"""The same network on a server with torch's tensors, for kernels that have torch: the analyses.

Forward passes and projections are the server's; what an analysis computes with them is done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zfwidgets.deconv.method import LrnName, Method, PrecisionName, RuleName, SeedName, UnpoolName
from zfwidgets.deconv.neurons import Neurons
from zfwidgets.deconv.projections import Projections
from zfwidgets.images.numbers import Array, floats
from zfwidgets.remote.net import RemoteNet
from zfwidgets.remote.neurons import FIELDS, RemoteNeurons, RemoteProjections
from zfwidgets.remote.recording import RemoteRecording


class TensorNet(RemoteNet):
    """As `RemoteNet`; what it gives are tensors on the CPU of this machine. See `connect`."""

    def preprocess(self, images: Any) -> Tensor:
        """Pictures as the network takes them: [B, C, H, W]."""
        return torch.from_numpy(super().preprocess(images).copy())

    def to_rgb(self, pixels: Tensor | Array) -> Any:
        """Signed input-space pictures [N, C, h, w] as red, green, blue: [N, 3, h, w]."""
        return torch.from_numpy(super().to_rgb(floats(pixels)))

    def record(self, images: Any, upto: str | None = None) -> Any:
        """One forward pass on the server, see `DeconvNet.record`."""
        return TensorRecording(self, super().record(images, upto))


class TensorRecording:
    """A recording on a server, with tensors: see `zfwidgets.deconv.Recording`."""

    def __init__(self, net: TensorNet, there: RemoteRecording) -> None:
        self.net, self._there = net, there
        self.layers, self.size = there.layers, there.size

    def __len__(self) -> int:
        return len(self._there)

    def __repr__(self) -> str:
        return repr(self._there)

    @property
    def inputs(self) -> Tensor:
        """The pictures as the network got them: [B, C, H, W]."""
        return torch.from_numpy(self._there.inputs)

    @property
    def logits(self) -> Tensor | None:
        """The network's output [B, K], or None if it is not one row of numbers per picture."""
        logits = self._there.logits
        return None if logits is None else torch.from_numpy(logits)

    def seen(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """What the network saw, its preparation undone: uint8 [B, H, W, 3]."""
        return self._there.seen()

    def feature_maps(self, layer: str) -> Tensor:
        """The layer's maps [B, C, H, W], rectified: what the next layer sees."""
        return torch.from_numpy(self._there.feature_maps(layer))

    def top_classes(self, k: int = 5) -> list[list[tuple[str, float]]]:
        """Per picture the k most probable classes: (label, softmax probability)."""
        return self._there.top_classes(k)

    def strongest(self, layer: str, channels: Any = None) -> Neurons:
        """Per picture and channel the neuron with the highest activation (the paper's choice)."""
        return _neurons(self._there.strongest(layer, channels))

    def neurons(
        self, layer: str, image: Any = 0, channel: Any = 0, row: Any = 0, col: Any = 0
    ) -> Neurons:
        """Neurons by their indices; lists of one length, single numbers are repeated."""
        return _neurons(self._there.neurons(layer, image, channel, row, col))

    def project(
        self,
        neurons: Neurons,
        rule: RuleName | Method = "deconvnet",
        seed: SeedName = "activation",
        unpool: UnpoolName = "sum",
        lrn: LrnName = "identity",
        precision: PrecisionName = "exact",
    ) -> Projections:
        """Send neurons back to pixels (Zeiler & Fergus 2013, section 2.1)."""
        return self._made(self._there.project(_asked(neurons), rule, seed, unpool, lrn, precision))

    def project_iter(
        self,
        neurons: Neurons,
        rule: RuleName | Method = "deconvnet",
        seed: SeedName = "activation",
        unpool: UnpoolName = "sum",
        lrn: LrnName = "identity",
        precision: PrecisionName = "exact",
    ) -> Iterator[Projections]:
        """As `project`, in parts that are a few megabytes each, as they are ready."""
        for part in self._there.project_iter(_asked(neurons), rule, seed, unpool, lrn, precision):
            yield self._made(part)

    def project_map(
        self,
        layer: str,
        channel: Any,
        image: int = 0,
        rule: RuleName | Method = "deconvnet",
        seed: SeedName = "activation",
        unpool: UnpoolName = "sum",
        lrn: LrnName = "identity",
        precision: PrecisionName = "exact",
    ) -> Projections:
        """Send the whole map of a channel back at once, not a single neuron."""
        made = self._there.project_map(layer, channel, image, rule, seed, unpool, lrn, precision)
        return self._made(made)

    def _made(self, there: RemoteProjections) -> Projections:
        pixels, boxes = torch.from_numpy(there.pixels), torch.from_numpy(there.boxes)
        neurons = _neurons(there.neurons)
        return Projections(pixels, boxes, neurons, there.size, there.origin, self.net.to_rgb)


def _neurons(there: RemoteNeurons) -> Neurons:
    fields = [torch.from_numpy(np.array(getattr(there, name))) for name in FIELDS]
    return Neurons(there.layer, *fields)


def _asked(neurons: Neurons) -> RemoteNeurons:
    fields = [getattr(neurons, name).cpu().numpy() for name in FIELDS]
    return RemoteNeurons(neurons.layer, *fields)
