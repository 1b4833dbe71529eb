"""Which pictures excite a channel most: the paper's Fig. 2, over any number of pictures.

One pass keeps, per channel, the k pictures of highest activation and where in them it is. The order
is total (value downwards, then image id, row, column), so scans of parts of the pictures, merged in
any order, equal one scan of all.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from zfwidgets.analysis.stream import Images, batches, find, prepared
from zfwidgets.deconv import DeconvNet, Neurons, Projections, Recording
from zfwidgets.deconv.signals import RuleName

_TENSORS = ("value", "image", "row", "col")
_TEXTS = ("net", "weights", "preprocessing", "layer")
_FORMAT = "zfwidgets exemplars 1"

State = tuple[Tensor, Tensor, Tensor, Tensor]
"""value, image, row, col, each [C, n]."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One channel as in Fig. 2: N <= k pictures, strongest first.

    ids: of the pictures. values: Tensor [N], the activations. patches: uint8 [N, h, w, 3], the
    receptive field as the network saw it, grey where it reaches outside the picture; outside:
    bool [N], which do. projections: of the same neurons.
    """

    ids: tuple[str, ...]
    values: Tensor
    patches: np.ndarray[Any, np.dtype[np.uint8]]
    outside: Tensor
    projections: Projections


@dataclass(frozen=True, slots=True, eq=False)
class Exemplars:
    """The k strongest pictures of every channel of a layer; one maximum per picture and channel.

    value: Tensor [C, k], descending. image: LongTensor [C, k], places in `ids`; row, col:
    LongTensor [C, k], where on the feature map. Where fewer than k pictures were seen, image is -1
    and value -inf. ids: the pictures that are kept, sorted. scanned: how many were seen. complete:
    False if the scan was stopped. net, weights, preprocessing: name, SHA-256 and description of
    what they were scanned with.
    """

    net: str
    weights: str
    preprocessing: str
    layer: str
    value: Tensor
    image: Tensor
    row: Tensor
    col: Tensor
    ids: tuple[str, ...]
    scanned: int
    complete: bool = True

    def __repr__(self) -> str:
        stopped = "" if self.complete else ", stopped"
        return (
            f"Exemplars({self.net}, {self.layer}: {len(self.value)} channels x {self.k}, "
            f"{self.scanned} images{stopped})"
        )

    @property
    def k(self) -> int:
        """How many are kept per channel."""
        return self.value.shape[1]

    def of(self, channel: int) -> list[tuple[str, int, int, float]]:
        """The channel's pictures, strongest first: (image id, row, column, activation)."""
        if not 0 <= channel < len(self.value):
            raise IndexError(
                f"channel {channel} of layer {self.layer!r}: expected 0 to {len(self.value) - 1}."
            )
        rows = zip(*(getattr(self, n)[channel].tolist() for n in _TENSORS), strict=True)
        return [(self.ids[i], row, col, value) for value, i, row, col in rows if i >= 0]

    def merge(self, other: Exemplars) -> Exemplars:
        """Both scans as one: of different pictures, with the same network, layer and k.

        The order of merging does not matter. Raises ValueError if they cannot be merged.
        """
        for name in (*_TEXTS, "k"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise ValueError(f"merge: {name} is {mine!r} here and {theirs!r} there.")
        both = set(self.ids) & set(other.ids)
        if both:
            raise ValueError(
                f"merge: image {min(both)!r} is in both scans; expected scans of different images."
            )
        moved = torch.where(other.image < 0, other.image, other.image + len(self.ids))
        mine = (self.value, self.image, self.row, self.col)
        state = _joined(mine, (other.value, moved, other.row, other.col))
        ids = [*self.ids, *other.ids]
        state, kept = _compact(_best(state, self.k, _ranks(ids, state[1])), ids)
        return replace(
            self,
            value=state[0],
            image=state[1],
            row=state[2],
            col=state[3],
            ids=kept,
            scanned=self.scanned + other.scanned,
            complete=self.complete and other.complete,
        )

    def save(self, path: str | Path) -> None:
        """One safetensors file; where it comes from stands in its header."""
        texts = {name: getattr(self, name) for name in _TEXTS}
        header = texts | {
            "format": _FORMAT,
            "ids": json.dumps(self.ids),
            "scanned": str(self.scanned),
            "complete": json.dumps(self.complete),
        }
        tensors = {name: getattr(self, name).contiguous() for name in _TENSORS}
        save_file(tensors, str(path), metadata=header)

    @staticmethod
    def load(path: str | Path) -> Exemplars:
        """What `save` wrote. Raises ValueError for any other file."""
        try:
            with safe_open(str(path), framework="pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in _TENSORS}
            ids = tuple(json.loads(header["ids"]))
            scanned, complete = int(header["scanned"]), bool(json.loads(header["complete"]))
            texts = {name: header[name] for name in _TEXTS}
        except (SafetensorError, KeyError, ValueError, TypeError) as error:
            raise ValueError(
                f"{path} holds no exemplars ({error}); expected a file made by Exemplars.save()."
            ) from error
        shapes = {tuple(tensor.shape) for tensor in tensors.values()}
        image = tensors["image"]
        in_range = image.numel() == 0 or -1 <= int(image.min()) <= int(image.max()) < len(ids)
        if header.get("format") != _FORMAT or len(shapes) != 1 or image.ndim != 2 or not in_range:
            raise ValueError(f"{path} holds no exemplars of format {_FORMAT}; scan again.")
        return Exemplars(**texts, **tensors, ids=ids, scanned=scanned, complete=complete)

    def patches(
        self, net: DeconvNet, images: Images, channel: int
    ) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Tensor]:
        """The channel's receptive fields, strongest first: uint8 [N, h, w, 3], bool [N].

        They show what the network saw, grey where the field reaches outside; the second result
        says for which it does. images: those that were scanned, under the same names.
        """
        recording, neurons = self._record(net, images, channel)
        return _patches(recording, neurons)

    def project(
        self, net: DeconvNet, images: Images, channel: int, rule: RuleName = "deconvnet"
    ) -> Panel:
        """The channel as in Fig. 2: its patches and the projection of each of its neurons.

        images: those that were scanned, under the same names. Raises ValueError if the network
        is not the one that was scanned, KeyError for an image that is missing.
        """
        recording, neurons = self._record(net, images, channel)
        patches, outside = _patches(recording, neurons)
        projections = recording.project(neurons, rule)
        names = tuple(name for name, *_ in self.of(channel))
        return Panel(names, neurons.value, patches, outside, projections)

    def _record(self, net: DeconvNet, images: Images, channel: int) -> tuple[Recording, Neurons]:
        for name, given in (
            ("weights", net.weights_hash()),
            ("preprocessing", _preprocessing(net)),
        ):
            if getattr(self, name) != given:
                raise ValueError(
                    f"{net.name} has other {name} than the network that was scanned "
                    f"({self.net}): {given} instead of {getattr(self, name)}."
                )
        found = self.of(channel)
        if not found:
            raise ValueError("no image was scanned: there is nothing to show.")
        names, rows, cols, _ = (list(column) for column in zip(*found, strict=True))
        recording = net.record(prepared(net, find(images, names)), upto=self.layer)
        places = range(len(names))
        return recording, recording.neurons(self.layer, places, channel, rows, cols)


@torch.no_grad()
def exemplars(
    net: DeconvNet,
    images: Images,
    layer: str,
    k: int = 9,
    *,
    batch: int = 32,
    progress: bool = True,
    should_stop: Callable[[], bool] | None = None,
) -> Exemplars:
    """The k pictures that excite each channel of a layer most (section 4.1, Fig. 2), in one pass.

    images: a folder, a mapping from id to picture, a dataset or any iterable; see `Images`. Parts
    that are to be merged need ids of their own: files or a mapping. k: pictures per channel.
    should_stop: asked after each batch. Then, or at KeyboardInterrupt, what was found so far comes
    back with `complete=False`.

    Raises KeyError for a layer that does not exist, ValueError for an id that comes twice.
    """
    if k < 1:
        raise ValueError(f"k={k}: expected 1 or more pictures per channel.")
    state: State | None = None
    ids: list[str] = []
    seen: set[str] = set()
    last, scanned, complete = "", 0, True
    try:
        for part in batches(net, images, batch, progress=progress):
            _check_new(part.ids, seen)
            recording = net.record(part.inputs, upto=layer)
            layer = recording.layers[layer].name
            maps = recording.feature_maps(layer)
            if state is None:
                state = _empty(maps.shape[1], k, maps.device)
            joined = _joined(state, _maxima(maps, len(ids)))
            # In the order of the ids a stable sort keeps ties right; ranks cost a trip to the host.
            ordered = part.ids == sorted(part.ids) and last < part.ids[0]
            ids += part.ids
            state = _best(joined, k, None if ordered else _ranks(ids, joined[1]))
            last, scanned = max(last, *part.ids), len(ids)
            if should_stop is not None and should_stop():
                complete = False
                break
    except KeyboardInterrupt:
        if state is None:
            raise
        complete = False
    if state is None:
        raise ValueError("exemplars() got no images; expected one or more.")
    state, kept = _compact(state, ids)
    return Exemplars(
        net.name,
        net.weights_hash(),
        _preprocessing(net),
        layer,
        *state,
        ids=kept,
        scanned=scanned,
        complete=complete,
    )


def _empty(channels: int, k: int, device: torch.device) -> State:
    value = torch.full((channels, k), -torch.inf, device=device)
    zero = torch.zeros((channels, k), dtype=torch.long, device=device)
    return value, zero - 1, zero, zero.clone()


def _joined(first: State, second: State) -> State:
    value, image, row, col = (torch.cat(pair, 1) for pair in zip(first, second, strict=True))
    return value, image, row, col


def _maxima(maps: Tensor, first: int) -> State:
    """Per channel and picture the highest activation; of equal ones the first in reading order.

    maps: [B, C, H, W] -> [C, B] each; pictures are numbered from `first`.
    """
    flat = maps.flatten(2).transpose(0, 1).float()
    value, where = flat.max(2)  # torch promises the first of equal ones
    image = torch.arange(first, first + flat.shape[1], device=flat.device).expand_as(where)
    return value, image, where // maps.shape[3], where % maps.shape[3]


def _best(state: State, k: int, ranks: Tensor | None) -> State:
    """The k best of each channel: value downwards, then rank; without ranks, as they stand."""
    value, image, row, col = state
    if ranks is not None:
        first = ranks[image].sort(dim=1, stable=True)[1]
        value, image, row, col = (part.gather(1, first) for part in state)
    order = value.sort(dim=1, descending=True, stable=True)[1][:, :k]
    return (
        value.gather(1, order),
        image.gather(1, order),
        row.gather(1, order),
        col.gather(1, order),
    )


def _ranks(ids: list[str], image: Tensor) -> Tensor:
    """Place of each picture among the sorted ids; the last entry is of -1, no picture."""
    used = sorted(_used(image), key=ids.__getitem__)
    ranks = torch.full((len(ids) + 1,), len(ids), dtype=torch.long)
    ranks[used] = torch.arange(len(used))
    return ranks.to(image.device)


def _used(image: Tensor) -> list[int]:
    return image[image >= 0].unique().tolist()


def _compact(state: State, ids: list[str]) -> tuple[State, tuple[str, ...]]:
    """On the CPU, with only the ids that are needed, sorted, so that equal scans are equal."""
    value, image, row, col = (part.cpu() for part in state)
    kept = tuple(sorted(ids[index] for index in _used(image)))
    place = torch.where(image < 0, image, _ranks(ids, image)[image])
    return (value, place, row, col), kept


def _check_new(names: list[str], seen: set[str]) -> None:
    for name in names:
        if name in seen:
            raise ValueError(f"image {name!r} comes twice; expected a different id for each image.")
        seen.add(name)


def _preprocessing(net: DeconvNet) -> str:
    return " ".join(repr(net.transforms).split())


def _patches(
    recording: Recording, neurons: Neurons
) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Tensor]:
    """Receptive field of one neuron per picture: uint8 [N, h, w, 3] and bool [N]."""
    layer, pictures = recording.layers[neurons.layer], recording.seen()
    height, width = pictures.shape[1:3]
    # Mid-grey, as projections show places without signal.
    patches = np.full((len(neurons), *layer.receptive_field, 3), 128, dtype=np.uint8)
    outside = torch.zeros(len(neurons), dtype=torch.bool)
    places = zip(neurons.row.tolist(), neurons.col.tolist(), strict=True)
    for index, (row, col) in enumerate(places):
        top, left, bottom, right = layer.box(row, col)
        inside = slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))
        part = pictures[index][inside]
        y, x = inside[0].start - top, inside[1].start - left
        patches[index, y : y + part.shape[0], x : x + part.shape[1]] = part
        outside[index] = top < 0 or left < 0 or bottom > height or right > width
    return patches, outside
