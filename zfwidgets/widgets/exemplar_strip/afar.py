"""The strips of a network that is on a server, which draws them: one drawing for a whole class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zfwidgets.images import gallery
from zfwidgets.images.gallery import GalleryPhoto
from zfwidgets.widgets.exemplar_strip.strip import PX, Strip


@dataclass(frozen=True)
class Found:
    """What a strip says of the scan that it is of."""

    layer: str
    scanned: int
    complete: bool


@dataclass(frozen=True)
class Word:
    """See `zfwidgets.analysis.vocabulary.Concept`."""

    name: str
    korean: str
    count: int
    of: int
    lift: float
    p: float


class Afar:
    """As `Source.shipped`, of a network that `zf.connect` gave."""

    def __init__(self, net: Any) -> None:
        self._net, self.images = net, gallery()
        self.found: Mapping[str, Found] = {
            layer: Found(layer, scanned, True) for layer, scanned in net.exemplars.items()
        }

    def draw(
        self, layer: str, channel: int, rule: str, check: Callable[[], None], px: int = PX
    ) -> Strip:
        """The strip of a channel, see `Source.draw`."""
        check()
        pictures, facts, words = self._net.strip(layer, channel, rule, px)
        some: Any = tuple(Word(**word) for word in words)
        found: Any = self.found[layer]
        return Strip(found, pictures, facts, some)

    def picture(self, name: str) -> tuple[Any, bool]:
        """The photograph of this name; it becomes the very same input."""
        return gallery()[name].open(), True

    def about(self, name: str) -> GalleryPhoto | None:
        """What must be said of a photograph of the gallery."""
        return gallery().get(name)
