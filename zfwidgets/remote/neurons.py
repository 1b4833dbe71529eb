"""Neurons and projections of a network on a server: as the engine's own, of NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zfwidgets.deconv.origin import Origin
from zfwidgets.images.contrast import Contrast, contrast

Array = np.ndarray[Any, Any]
Indices = int | Sequence[int] | Array
Index = slice | Indices

FIELDS = ("image", "channel", "row", "col", "value")


@dataclass(frozen=True, slots=True, eq=False)
class RemoteNeurons:
    """N neurons of one layer in one recording, see `zfwidgets.deconv.Neurons`.

    image, channel, row, col: int64 [N]. value: [N], their activations.
    """

    layer: str
    image: Array
    channel: Array
    row: Array
    col: Array
    value: Array

    def __len__(self) -> int:
        return len(self.channel)

    def __getitem__(self, index: Index) -> RemoteNeurons:
        """Some of the neurons; an integer gives neurons of length 1."""
        some = places(index)
        return RemoteNeurons(self.layer, *(getattr(self, name)[some] for name in FIELDS))

    def __repr__(self) -> str:
        return f"RemoteNeurons({self.layer}: {len(self)})"


def places(index: Index) -> slice | Array:
    """What picks some of N things: a slice, or positions, or truth values."""
    if isinstance(index, slice):
        return index
    array = np.asarray(index).reshape(-1)
    return array if array.size else array.astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class RemoteProjections:
    """Signed pictures in the network's input space, see `zfwidgets.deconv.Projections`.

    pixels: [N, C, h, w]. boxes: int64 [N, 4]. size: rows and columns of the input. colours:
    [3, C], from input space to red, green and blue.
    """

    pixels: Array
    boxes: Array
    neurons: RemoteNeurons
    size: tuple[int, int]
    origin: Origin
    colours: Array

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: Index) -> RemoteProjections:
        """Some of the projections; an integer gives projections of length 1."""
        some = places(index)
        return replace(
            self, pixels=self.pixels[some], boxes=self.boxes[some], neurons=self.neurons[some]
        )

    def on_canvas(self) -> Array:
        """The windows in their places on the whole input: [N, C, H, W], zero elsewhere."""
        height, width = self.size
        canvas = np.zeros((*self.pixels.shape[:2], height, width), self.pixels.dtype)
        for target, window, (top, left, bottom, right) in zip(
            canvas, self.pixels, self.boxes.tolist(), strict=True
        ):
            first, last = max(0, top), min(bottom, height)
            start, stop = max(0, left), min(right, width)
            if first < last and start < stop:
                target[:, first:last, start:stop] = window[
                    :, first - top : last - top, start - left : stop - left
                ]
        return canvas

    def to_rgb(self, pixels: Array) -> Array:
        """Signed pictures of input space [N, C, h, w] as red, green, blue: [N, 3, h, w]."""
        rgb: Array = np.einsum("dc,nchw->ndhw", self.colours, pixels)
        return rgb

    def to_images(self, *, canvas: bool = False, **options: Any) -> Array:
        """Pictures for people: uint8 [N, h, w, 3], see `zfwidgets.deconv.Projections`."""
        return self.shown(canvas=canvas, **options)[0]

    def shown(self, *, canvas: bool = False, **options: Any) -> tuple[Array, Contrast]:
        """As `to_images`, with the contrast rule that was used."""
        return contrast(self.to_rgb(self.on_canvas() if canvas else self.pixels), **options)

    @staticmethod
    def joined(parts: Sequence[RemoteProjections]) -> RemoteProjections:
        """Projections of one call, put together again."""
        first = parts[0]
        neurons = [part.neurons for part in parts]
        return replace(
            first,
            pixels=np.concatenate([part.pixels for part in parts]),
            boxes=np.concatenate([part.boxes for part in parts]),
            neurons=RemoteNeurons(
                first.neurons.layer,
                *(np.concatenate([getattr(n, name) for n in neurons]) for name in FIELDS),
            ),
        )
