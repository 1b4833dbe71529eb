"""A recording that lies on a server: the engine's public face, arrays in place of tensors.

The pictures stay here, too. A server that has forgotten them, or has started anew, is sent them
again, and records them once more.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from zfwidgets.deconv.layer import Layer, Layers
from zfwidgets.deconv.method import LrnName, Method, PrecisionName, RuleName, SeedName, UnpoolName
from zfwidgets.deconv.origin import Origin
from zfwidgets.remote.neurons import (
    FIELDS,
    Array,
    Indices,
    RemoteNeurons,
    RemoteProjections,
)
from zfwidgets.remote.wire import Arrays

_PARTS = ("rule", "seed", "unpool", "lrn", "precision")
_BYTES_AT_ONCE = 8 * 2**20
"""Of pixels in one answer."""
_NEURONS_AT_ONCE = 64
_KEPT_BYTES = 32 * 2**20
"""Of feature maps that are remembered here."""


class Net(Protocol):
    """What a recording needs of its network, see `RemoteNet`."""

    name: str
    url: str
    categories: list[str] | None
    input_channels: int
    colours: Array

    def weights_hash(self) -> str:
        """SHA-256 of the weights."""

    def ask_about(
        self, key: str, pictures: Arrays, op: str, arrays: Arrays | None = None, **said: Any
    ) -> tuple[Any, Arrays]:
        """The server's answer to a question about pictures."""


class RemoteRecording:
    """What a network on a server did with a batch of pictures, see `zfwidgets.deconv.Recording`.

    net: the network. layers: for this input size. size: rows and columns of the input.
    """

    def __init__(
        self, net: Net, key: str, pictures: Arrays, told: dict[str, Any], arrays: Arrays
    ) -> None:
        self.net, self.key = net, key
        self._pictures = pictures
        height, width = told["size"]
        self.size: tuple[int, int] = (height, width)
        self.layers = layers_of(told["layers"])
        self._count: int = told["count"]
        self._logits = arrays.get("logits")
        self._known: Arrays = {name: arrays[name] for name in ("seen",) if name in arrays}
        self._strongest: dict[str, RemoteNeurons] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"RemoteRecording({self.net.name}, {len(self)} x {self.size}, {self.net.url})"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"a recording on a server has no {name!r}; record the picture with a network that is "
            "here, of zf.load(), for that."
        )

    def __len__(self) -> int:
        return self._count

    def _ask(self, op: str, arrays: Arrays | None = None, **said: Any) -> tuple[Any, Arrays]:
        return self.net.ask_about(self.key, self._pictures, op, arrays, **said)

    def _array(self, op: str, **said: Any) -> Array:
        """One array, which is remembered while there is room."""
        name = f"{op} {said}"
        found = self._known.get(name)
        if found is None:
            found = self._ask(op, **said)[1]["values"]
            with self._lock:
                while self._known and found.nbytes + self._bytes() > _KEPT_BYTES:
                    self._known.pop(next(iter(self._known)))
                self._known[name] = found
        return found

    def _bytes(self) -> int:
        return sum(array.nbytes for array in self._known.values())

    # ----------------------------------------------------------------------- what was recorded

    @property
    def inputs(self) -> Array:
        """The pictures as the network got them: [B, C, H, W]."""
        return self._array("inputs")

    def seen(self) -> Array:
        """What the network saw, its preparation undone: uint8 [B, H, W, 3]."""
        seen = self._known.get("seen")
        return self._array("seen") if seen is None else seen

    def feature_maps(self, layer: str) -> Array:
        """The layer's maps [B, C, H, W], rectified: what the next layer sees."""
        return self._array("feature_maps", layer=self.layers[layer].name)

    @property
    def logits(self) -> Array | None:
        """The network's output [B, K], or None if it is not one row of numbers per picture."""
        return self._logits

    def top_classes(self, k: int = 5) -> list[list[tuple[str, float]]]:
        """Per picture the k most probable classes: (label, softmax probability)."""
        if self._logits is None:
            raise ValueError(
                f"{self.net.name} gives no [B, classes] output; top_classes needs a classifier."
            )
        logits = self._logits.astype(np.float64)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        shares = powers / powers.sum(1, keepdims=True)
        order = np.argsort(-shares, axis=1, kind="stable")[:, :k]
        names = self.net.categories
        return [
            [(names[i] if names else str(i), float(row[i])) for i in best.tolist()]
            for row, best in zip(shares, order, strict=True)
        ]

    # --------------------------------------------------------------------------------- neurons

    def strongest(self, layer: str, channels: Indices | None = None) -> RemoteNeurons:
        """Per picture and channel the neuron with the highest activation (the paper's choice)."""
        name = self.layers[layer].name
        if name not in self._strongest:
            arrays = self._ask("strongest", layer=name)[1]
            self._strongest[name] = RemoteNeurons(name, *(arrays[field] for field in FIELDS))
        every = self._strongest[name]
        if channels is None:
            return every
        asked = listed("channels", channels)
        count = self.layers[layer].channels
        _check(name, "channel", asked, count)
        return every[(np.arange(len(self))[:, None] * count + asked).ravel()]

    def neurons(
        self,
        layer: str,
        image: Indices = 0,
        channel: Indices = 0,
        row: Indices = 0,
        col: Indices = 0,
    ) -> RemoteNeurons:
        """Neurons by their indices; lists of one length, single numbers are repeated."""
        found = self.layers[layer]
        named = {"image": image, "channel": channel, "row": row, "col": col}
        arrays = [listed(name, indices) for name, indices in named.items()]
        try:
            arrays = [np.ascontiguousarray(a) for a in np.broadcast_arrays(*arrays)]
        except ValueError:
            counts = ", ".join(f"{len(a)} of {n}" for n, a in zip(named, arrays, strict=True))
            raise ValueError(
                f"neurons of {layer!r}: got {counts}; expected lists of one length, or single "
                "numbers."
            ) from None
        for name, array, limit in zip(named, arrays, (len(self), *found.shape), strict=True):
            _check(found.name, name, array, limit)
        asked = dict(zip(named, arrays, strict=True))
        value = self._ask("neurons", asked, layer=found.name)[1]["value"]
        images, channels, rows, cols = arrays
        return RemoteNeurons(found.name, images, channels, rows, cols, value)

    # ----------------------------------------------------------------------------- projections

    def project(
        self,
        neurons: RemoteNeurons,
        rule: RuleName | Method = "deconvnet",
        seed: SeedName = "activation",
        unpool: UnpoolName = "sum",
        lrn: LrnName = "identity",
        precision: PrecisionName = "exact",
    ) -> RemoteProjections:
        """Send neurons back to pixels (Zeiler & Fergus 2013, section 2.1)."""
        parts = list(self.project_iter(neurons, rule, seed, unpool, lrn, precision))
        if parts:
            return RemoteProjections.joined(parts)
        return self._part(neurons, Method.of(rule, seed, unpool, lrn, precision))

    def project_iter(
        self,
        neurons: RemoteNeurons,
        rule: RuleName | Method = "deconvnet",
        seed: SeedName = "activation",
        unpool: UnpoolName = "sum",
        lrn: LrnName = "identity",
        precision: PrecisionName = "exact",
    ) -> Iterator[RemoteProjections]:
        """As `project`, in parts that are a few megabytes each, as they are ready."""
        method = Method.of(rule, seed, unpool, lrn, precision)
        at_once = self._at_once(self.layers[neurons.layer])
        for first in range(0, len(neurons), at_once):
            yield self._part(neurons[first : first + at_once], method)

    def project_map(
        self,
        layer: str,
        channel: Indices,
        image: int = 0,
        rule: RuleName | Method = "deconvnet",
        seed: SeedName = "activation",
        unpool: UnpoolName = "sum",
        lrn: LrnName = "identity",
        precision: PrecisionName = "exact",
    ) -> RemoteProjections:
        """Send the whole map of a channel back at once, not a single neuron."""
        method = Method.of(rule, seed, unpool, lrn, precision)
        some = self.strongest(layer, channel)
        some = some[some.image == image]
        if not len(some):
            raise ValueError(f"project_map: no channel of image {image} was given.")
        return self._part(some, method, "project_map")

    def _part(self, some: RemoteNeurons, method: Method, op: str = "project") -> RemoteProjections:
        how = {name: getattr(method, name) for name in _PARTS}
        asked = {name: getattr(some, name) for name in FIELDS}
        told, arrays = self._ask(op, asked, layer=some.layer, method=how)
        origin = Origin(
            net=self.net.name,
            weights=self.net.weights_hash,
            layer=some.layer,
            method=method,
            precision=told["precision"],
            extensions=tuple(told["extensions"]),
        )
        return RemoteProjections(
            arrays["pixels"], arrays["boxes"], some, self.size, origin, self.net.colours
        )

    def _at_once(self, layer: Layer) -> int:
        field = self.size if layer.jump == (0, 0) else layer.receptive_field
        pixels = min(field[0], self.size[0]) * min(field[1], self.size[1])
        each = 4 * self.net.input_channels * pixels
        return max(1, min(_NEURONS_AT_ONCE, _BYTES_AT_ONCE // each))

    # ------------------------------------------------------------------- drawn for the widgets

    def measures(self, layer: str, image: int) -> Arrays:
        """Of a layer's channels the mean, sparsity and energy: see `ChannelBrowser.sort`."""
        return self._ask("measures", layer=layer, image=image)[1]

    def tiles(
        self, layer: str, ids: list[int], px: int, *, image: int, mode: str, rule: str
    ) -> Array:
        """Pictures of channels as `ChannelBrowser` draws them: uint8 [N, h, w, 3]."""
        said: dict[str, Any] = {
            "layer": layer,
            "ids": ids,
            "px": px,
            "image": image,
            "mode": mode,
            "rule": rule,
        }
        return self._ask("tiles", **said)[1]["tiles"]


def layers_of(told: list[dict[str, Any]]) -> Layers:
    """Layers as a server tells them."""
    pairs = ("kernel", "stride", "padding", "receptive_field", "jump", "inputs", "offset")
    return Layers(
        [Layer(**{**one, **{name: tuple(one[name]) for name in pairs}}, step=-1) for one in told]
    )


def listed(name: str, indices: Indices) -> Array:
    """Whole numbers, however they were given, as int64 [n]. Raises TypeError for others."""
    array = np.asarray(indices).reshape(-1)
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name}={indices!r}: expected a whole number, or several.")
    return array.astype(np.int64)


def _check(layer: str, name: str, given: Array, limit: int) -> None:
    wrong = given[(given < 0) | (given >= limit)]
    if len(wrong):
        raise IndexError(f"{name} {wrong[0]} of layer {layer!r}: expected 0 to {limit - 1}.")
