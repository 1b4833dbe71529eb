"""The strongest pictures of every channel, as a scan has found them: kept, merged, shown again.

The order is total (value downwards, then image id, row, column), so scans of parts of the pictures,
merged in any order, equal one scan of all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from zfwidgets.analysis.scanning.checkpoint import provenance, read, write
from zfwidgets.analysis.scanning.scanner import Scanner
from zfwidgets.analysis.scanning.top import NAMES, Top
from zfwidgets.analysis.stream import Images, find, prepared
from zfwidgets.deconv import DeconvNet, Layer, Neurons, Projections, Recording
from zfwidgets.deconv.method import RuleName
from zfwidgets.deconv.neurons import check

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_TEXTS = ("net", "weights", "preprocessing", "layer")
_FORMAT = "zfwidgets exemplars 1"
PICTURES_AT_ONCE = 32
"""Pictures in one recording, for all that is recorded lies in memory."""


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
        rows = zip(*(getattr(self, n)[channel].tolist() for n in NAMES), strict=True)
        return [(self.ids[i], row, col, value) for value, i, row, col in rows if i >= 0]

    def first(self, k: int) -> Exemplars:
        """The k strongest of each channel; all that there are if there are fewer."""
        best, kept = Top(*(getattr(self, name)[:, :k] for name in NAMES)).compact(self.ids)
        return replace(
            self, value=best.value, image=best.image, row=best.row, col=best.col, ids=kept
        )

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
        mine, theirs = (Top(one.value, one.image, one.row, one.col) for one in (self, other))
        ids = [*self.ids, *other.ids]
        best, kept = mine.merged(theirs.moved(len(self.ids)), ids).compact(ids)
        return replace(
            self,
            value=best.value,
            image=best.image,
            row=best.row,
            col=best.col,
            ids=kept,
            scanned=self.scanned + other.scanned,
            complete=self.complete and other.complete,
        )

    def save(self, path: str | Path) -> None:
        """One safetensors file; where it comes from stands in its header."""
        tensors, header = self.parts()
        write(Path(path), tensors, {"format": _FORMAT, **header})

    def parts(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Everything as named tensors and texts, for a file."""
        texts = {name: getattr(self, name) for name in _TEXTS}
        more = {
            "ids": json.dumps(self.ids),
            "scanned": str(self.scanned),
            "complete": json.dumps(self.complete),
        }
        return {name: getattr(self, name) for name in NAMES}, texts | more

    @staticmethod
    def load(path: str | Path) -> Exemplars:
        """What `save` wrote. Raises ValueError for any other file."""
        hint = "expected a file made by Exemplars.save(). Scan.load() reads those of Scan.save()."
        tensors, header = read(path, "exemplars", _FORMAT, hint)
        return Exemplars.of_parts(tensors, header, str(path))

    @staticmethod
    def of_parts(tensors: dict[str, Tensor], texts: dict[str, str], path: str) -> Exemplars:
        """What `parts` gave. Raises ValueError naming the file if something is wrong with it."""
        try:
            top = Top(*(tensors[name] for name in NAMES))
            ids = tuple(json.loads(texts["ids"]))
            scanned, complete = int(texts["scanned"]), bool(json.loads(texts["complete"]))
            net, weights, preprocessing, layer = (texts[name] for name in _TEXTS)
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(
                f"{path} holds no exemplars ({error!r} is wrong or missing)."
            ) from error
        image, shapes = top.image, {tuple(tensor.shape) for tensor in top.tensors()}
        in_range = image.numel() == 0 or -1 <= int(image.min()) <= int(image.max()) < len(ids)
        if len(shapes) != 1 or image.ndim != 2 or not in_range:
            raise ValueError(f"{path} holds exemplars that do not fit each other; scan again.")
        return Exemplars(
            net,
            weights,
            preprocessing,
            layer,
            *top.tensors(),
            ids=ids,
            scanned=scanned,
            complete=complete,
        )

    def patches(
        self, net: DeconvNet, images: Images, channel: int
    ) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Tensor]:
        """The channel's receptive fields, strongest first: uint8 [N, h, w, 3], bool [N].

        They show what the network saw, grey where the field reaches outside; the second result
        says for which it does. images: those that were scanned, under the same names.
        """
        self.check(net)
        inputs, names = self._inputs(net, images, [channel])
        # Where a field lies depends on nothing but the size of the pictures.
        layer = net.record(inputs[:1], upto=self.layer).layers[self.layer]
        image, _, row, col = self._places(names, [channel])
        return cut(layer, net.undo(inputs), image, row, col)

    def project(
        self, net: DeconvNet, images: Images, channel: int, rule: RuleName = "deconvnet"
    ) -> Panel:
        """The channel as in Fig. 2: its patches and the projection of each of its neurons.

        images: those that were scanned, under the same names. Raises ValueError if the network
        is not the one that was scanned, KeyError for an image that is missing.
        """
        return next(self.panels(net, images, [channel], rule))

    def panels(
        self,
        net: DeconvNet,
        images: Images,
        channels: Sequence[int],
        rule: RuleName = "deconvnet",
    ) -> Iterator[Panel]:
        """As `project`, one channel after the other; a picture of several is recorded once."""
        self.check(net)
        for some in self._together(channels):
            inputs, names = self._inputs(net, images, some)
            recording = net.record(inputs, upto=self.layer)
            seen = recording.seen()
            for channel in some:
                neurons = self.neurons(recording, names, [channel])
                patches, outside = patches_of(recording, neurons, seen)
                ids = tuple(name for name, *_ in self.of(channel))
                projections = recording.project(neurons, rule)
                yield Panel(ids, neurons.value, patches, outside, projections)

    def plot(
        self,
        net: DeconvNet,
        images: Images,
        channels: Sequence[int] = range(9),
        rule: RuleName = "deconvnet",
    ) -> Figure:
        """Some channels as the paper prints them: projections beside patches (Fig. 2)."""
        from zfwidgets.analysis.plot.exemplars import plot_panels

        panels = []
        for channel, panel in zip(channels, self.panels(net, images, channels, rule), strict=True):
            label = f"channel {channel}, up to {float(panel.values[0]):.3g}"
            panels.append((label, panel.projections.to_images(), panel.patches))
        return plot_panels(panels, f"{self.net} {self.layer}, strongest of {self.scanned} images")

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per channel and picture, strongest first."""
        import pandas as pd

        rows = [
            (channel, rank, *found)
            for channel in range(len(self.value))
            for rank, found in enumerate(self.of(channel))
        ]
        names = ["channel", "rank", "image", "row", "col", "value"]
        return pd.DataFrame(rows, columns=names).set_index(["channel", "rank"])

    def check(self, net: DeconvNet) -> None:
        """Raise ValueError if the network is not the one that was scanned."""
        origin = provenance(net)
        for name in ("weights", "preprocessing"):
            if getattr(self, name) != origin[name]:
                raise ValueError(
                    f"{net.name} has other {name} than the network that was scanned "
                    f"({self.net}): {origin[name]} instead of {getattr(self, name)}."
                )

    def neurons(
        self, recording: Recording, names: Sequence[str], channels: Sequence[int]
    ) -> Neurons:
        """The neurons of some channels, one after the other, in a recording of the pictures named.

        Raises KeyError for a picture that is not among them.
        """
        return recording.neurons(self.layer, *self._places(names, channels))

    def _places(
        self, names: Sequence[str], channels: Sequence[int]
    ) -> tuple[list[int], list[int], list[int], list[int]]:
        """Of each neuron of the channels the picture among those named, channel, row, column."""
        place = {name: index for index, name in enumerate(names)}
        found = [(place[name], c, y, x) for c in channels for name, y, x, _ in self.of(c)]
        image, channel, row, col = (list(part) for part in zip(*found, strict=True))
        return image, channel, row, col

    def _together(self, channels: Sequence[int]) -> Iterator[list[int]]:
        """The channels in their order, as many at once as have few enough pictures together."""
        some: list[int] = []
        names: set[str] = set()
        for channel in channels:
            own = {name for name, *_ in self.of(channel)}
            if some and len(names | own) > PICTURES_AT_ONCE:
                yield some
                some, names = [], set()
            some.append(channel)
            names |= own
        if some:
            yield some

    def _inputs(
        self, net: DeconvNet, images: Images, channels: Sequence[int]
    ) -> tuple[Tensor, list[str]]:
        """The pictures of some channels, prepared, each once: [B, C, H, W]; and their names."""
        names = list(dict.fromkeys(name for c in channels for name, *_ in self.of(c)))
        if not names:
            raise ValueError("no image was scanned: there is nothing to show.")
        return prepared(net, find(images, names)), names


def exemplars_of(scanner: Scanner) -> dict[str, Exemplars]:
    """What a scan has found so far, by layer."""
    assert scanner.state is not None
    origin = provenance(scanner.net)
    result = {}
    for name, top in scanner.state.tops.items():
        best, kept = top.compact(scanner.state.ids)
        result[name] = Exemplars(
            origin["net"],
            origin["weights"],
            origin["preprocessing"],
            name,
            *best.tensors(),
            ids=kept,
            scanned=len(scanner.state.ids),
            complete=scanner.complete,
        )
    return result


def patches_of(
    recording: Recording,
    neurons: Neurons,
    seen: np.ndarray[Any, np.dtype[np.uint8]] | None = None,
) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Tensor]:
    """Receptive fields as the network saw them, see `cut`.

    seen: what `recording.seen()` gave, if it is known.
    """
    pictures = recording.seen() if seen is None else seen
    places = (part.tolist() for part in (neurons.image, neurons.row, neurons.col))
    return cut(recording.layers[neurons.layer], pictures, *places)


def cut(
    layer: Layer,
    pictures: np.ndarray[Any, np.dtype[np.uint8]],
    image: Sequence[int],
    row: Sequence[int],
    col: Sequence[int],
) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Tensor]:
    """Receptive fields cut out of pictures: uint8 [N, h, w, 3], and bool [N], which reach out.

    What is outside the picture is mid-grey, as projections show places without signal. pictures:
    uint8 [B, H, W, 3]. image, row, col: of N neurons of the layer, whatever their channels.

    Raises IndexError for a place that is not on the layer's map.
    """
    where = [torch.tensor(part, dtype=torch.long) for part in (image, (0,) * len(image), row, col)]
    check(layer.name, where, (len(pictures), *layer.shape))
    height, width = pictures.shape[1:3]
    patches = np.full((len(image), *layer.receptive_field, 3), 128, dtype=np.uint8)
    outside = torch.zeros(len(image), dtype=torch.bool)
    for index, (number, at_row, at_col) in enumerate(zip(image, row, col, strict=True)):
        top, left, bottom, right = layer.box(at_row, at_col)
        inside = slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))
        part = pictures[number][inside]
        y, x = inside[0].start - top, inside[1].start - left
        patches[index, y : y + part.shape[0], x : x + part.shape[1]] = part
        outside[index] = top < 0 or left < 0 or bottom > height or right > width
    return patches, outside
