"""Projections: what the neurons looked like once they were sent back to pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from zfwidgets.deconv.neurons import Index, Neurons, places
from zfwidgets.deconv.origin import Origin
from zfwidgets.deconv.windows import Pair

if TYPE_CHECKING:
    from zfwidgets.images.contrast import Contrast


@dataclass(frozen=True, slots=True)
class Projections:
    """Signed pictures in the network's input space, one per neuron.

    pixels: [N, C, h, w], the windows that the neurons can touch. boxes: LongTensor [N, 4]: top,
    left, bottom, right of the window in the input; it may reach outside it, and pixels there are
    zero. size: rows and columns of the input. origin: what made them.
    """

    pixels: Tensor
    boxes: Tensor
    neurons: Neurons
    size: Pair
    origin: Origin
    to_rgb: Callable[[Tensor], Tensor]

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: Index) -> Projections:
        """Some of the projections; an integer gives Projections of length 1."""
        some = places(index)
        return replace(
            self, pixels=self.pixels[some], boxes=self.boxes[some], neurons=self.neurons[some]
        )

    def on_canvas(self) -> Tensor:
        """The windows in their places on the whole input: [N, C, H, W], zero elsewhere."""
        height, width = self.size
        canvas = self.pixels.new_zeros(*self.pixels.shape[:2], height, width)
        for target, window, (top, left, bottom, right) in zip(
            canvas, self.pixels, self.boxes.tolist(), strict=True
        ):
            rows, cols = _on_map(top, bottom, height), _on_map(left, right, width)
            target[:, rows, cols] = window[
                :, rows.start - top : rows.stop - top, cols.start - left : cols.stop - left
            ]
        return canvas

    def to_images(
        self,
        *,
        canvas: bool = False,
        rule: Any = "symmetric",
        share: Any = "tile",
        percentile: float = 99.5,
    ) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Pictures for people: uint8 [N, h, w, 3], grey where there is no signal.

        canvas: whole inputs instead of windows. rule, share, percentile: how contrast is set, see
        `zfwidgets.images.contrast.contrast`; `shown()` gives it back along with the pictures.
        """
        return self.shown(canvas=canvas, rule=rule, share=share, percentile=percentile)[0]

    def shown(
        self,
        *,
        canvas: bool = False,
        rule: Any = "symmetric",
        share: Any = "tile",
        percentile: float = 99.5,
    ) -> tuple[np.ndarray[Any, np.dtype[np.uint8]], Contrast]:
        """As `to_images`, with the contrast rule that was used; `str()` of it is a caption."""
        from zfwidgets.images.contrast import contrast

        pixels = self.to_rgb(self.on_canvas() if canvas else self.pixels)
        return contrast(pixels, rule=rule, share=share, percentile=percentile)

    @staticmethod
    def joined(parts: Sequence[Projections]) -> Projections:
        """Projections of one call, put together again."""
        first = parts[0]
        neurons = [part.neurons for part in parts]
        return replace(
            first,
            pixels=torch.cat([part.pixels for part in parts]),
            boxes=torch.cat([part.boxes for part in parts]),
            neurons=Neurons(
                first.neurons.layer,
                *(
                    torch.cat([getattr(n, name) for n in neurons])
                    for name in ("image", "channel", "row", "col", "value")
                ),
            ),
        )


def _on_map(first: int, last: int, limit: int) -> slice:
    """The part of [first, last) that lies in [0, limit); empty if none does."""
    start = min(max(0, first), limit)
    return slice(start, max(start, min(limit, last)))
