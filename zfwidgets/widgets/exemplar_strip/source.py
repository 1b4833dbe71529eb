"""What a strip of exemplars is made of: a scan, its pictures and their names. Knows no Jupyter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from zfwidgets.analysis.shipped import K, exemplars_that_ship
from zfwidgets.analysis.stream import Images, loaded, pair
from zfwidgets.analysis.strongest import Exemplars, patches_of
from zfwidgets.analysis.vocabulary import Labels
from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.method import RuleName
from zfwidgets.images import Photo, contrast, gallery
from zfwidgets.images.gallery import GalleryPhoto
from zfwidgets.images.tiles import resize
from zfwidgets.widgets.exemplar_browser.tiles import Gallery, Pictures
from zfwidgets.widgets.exemplar_strip.strip import PX, Strip

SHOWN = 9
"""Pictures of a channel, as in the paper's Fig. 2."""
_AT_ONCE = 3
"""Pictures that go through the network before somebody else may have a turn."""


class Source:
    """A scan of a network's layers, with the pictures that were scanned."""

    def __init__(
        self,
        net: DeconvNet,
        images: Images,
        found: Mapping[str, Exemplars],
        labels: Labels | None = None,
    ) -> None:
        self.found, self.images = found, images
        self._net = net
        self._gallery = Gallery(net, images, labels)

    @staticmethod
    def shipped(net: DeconvNet) -> Source:
        """The scan of the gallery that ships. Raises as `exemplars_that_ship`."""
        return Source(net, gallery(), exemplars_that_ship(net, K))

    def draw(
        self, layer: str, channel: int, rule: RuleName, check: Callable[[], None], px: int = PX
    ) -> Strip:
        """The strip of a channel; `check` may raise to stop in between.

        px: longer side of a picture at most.

        Raises KeyError for a layer that was not scanned, IndexError for a channel there is not.
        """
        every = self.found[layer]
        best = [one for one in every.of(channel)[:SHOWN] if one[3] > 0]
        patches, projections, facts = list[Pictures](), list[Pictures](), list[dict[str, Any]]()
        for first in range(0, len(best), _AT_ONCE):
            check()
            names, rows, cols, values = zip(*best[first : first + _AT_ONCE], strict=True)
            inputs = loaded(self._net, self._gallery.find(names)).inputs
            recording = self._net.record(inputs, upto=layer)
            here = [*range(len(names))]
            neurons = recording.neurons(layer, here, [channel] * len(names), rows, cols)
            seen, outside = patches_of(recording, neurons)
            projected = recording.project(neurons, rule)
            size = _size(seen.shape[1], seen.shape[2], px)
            patches.append(resize(seen, *size))
            # Small first: contrast looks for percentiles.
            pixels = projected.to_rgb(projected.pixels)
            least = min(size[0], pixels.shape[2]), min(size[1], pixels.shape[3])
            projections.append(resize(contrast(resize(pixels, *least))[0], *size))
            facts += [
                {"id": name, "row": row, "col": col, "value": value, "outside": out}
                for name, row, col, value, out in zip(
                    names, rows, cols, values, outside.tolist(), strict=True
                )
            ]
        made = np.concatenate(patches + projections) if best else np.zeros((0, 1, 1, 3), np.uint8)
        return Strip(every, made, facts, self._gallery.words(every, channel))

    def picture(self, name: str) -> tuple[Any, bool]:
        """The picture of this id as a picker takes it, and whether it becomes the very same input.

        It does not if it was an input, a Tensor, already. Raises KeyError for one that is missing.
        """
        picture = pair(self._gallery.find([name])[0].load())[0]
        if isinstance(picture, Tensor):
            return self._net.undo(picture[None])[0], False
        return picture.open() if isinstance(picture, Photo) else picture, True

    def about(self, name: str) -> GalleryPhoto | None:
        """What must be said of a photograph of the gallery; None for others'."""
        shown = gallery() if self.images is gallery() else {}
        return shown.get(name)


def _size(height: int, width: int, px: int) -> tuple[int, int]:
    scale = min(1.0, px / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))
