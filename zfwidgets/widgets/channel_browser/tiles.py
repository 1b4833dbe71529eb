"""How the channels of a layer become pictures: one class a mode, entered in `MODES`.

Knows nothing of Jupyter. A tile of a silent channel is flat: it has no strongest neuron, so there
is no place to crop and no signal to send back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from zfwidgets.images import contrast, heat
from zfwidgets.images.contrast import MID_GREY
from zfwidgets.images.numbers import library
from zfwidgets.images.tiles import resize
from zfwidgets.widgets.channel_browser.responses import Responses

if TYPE_CHECKING:
    from torch import Tensor

    from zfwidgets.deconv import DeconvNet, Layer, Projections

MOST_AT_ONCE = 256
"""Channels in one batch at most."""

_AFAR_AT_ONCE = 32
"""Channels in one question to a server at least."""

Pictures = npt.NDArray[np.uint8]
Size = tuple[int, int]


class Mode(Protocol):
    """One kind of picture."""

    per_batch: int
    """Channels to start with in one batch; `drawn` finds out how many are quick enough."""

    def suits(self, net: DeconvNet, layer: Layer) -> bool:
        """Whether the channels of a layer of the network have such pictures."""

    def native(self, responses: Responses) -> Size:
        """Height and width of a picture before it is shrunk."""

    def tiles(self, responses: Responses, ids: Sequence[int], size: Size) -> Pictures:
        """The pictures of channels `ids`: uint8 [N, height, width, 3]."""


class _ForEveryLayer:
    def suits(self, net: DeconvNet, layer: Layer) -> bool:  # noqa: ARG002 - a mode may look at it
        """Every layer has it."""
        return True


class FeatureMap(_ForEveryLayer):
    """The rectified map itself, as heat; each map's own largest value is brightest."""

    per_batch = 256

    def native(self, responses: Responses) -> Size:
        """One pixel for each place of the map."""
        return responses.layer.height, responses.layer.width

    def tiles(self, responses: Responses, ids: Sequence[int], size: Size) -> Pictures:
        """The maps as heat."""
        maps = responses.recording.feature_maps(responses.layer.name)[responses.image]
        chosen = maps[list(ids)]
        if chosen.shape[-2:] == (1, 1):
            # One value alone would always be its own largest: compare with the layer's largest.
            largest = maps.amax().reshape(1, 1, 1)
            return heat(library(maps).concatenate([chosen, largest]), share="all")[:-1]
        return heat(resize(chosen[:, None], *size)[:, 0])


class Projection(_ForEveryLayer):
    """The channel's strongest neuron sent back to pixels (Zeiler & Fergus 2013, section 2.1)."""

    per_batch = 8

    def native(self, responses: Responses) -> Size:
        """One pixel for each of the input's that the neuron can touch."""
        return _window(responses)

    def tiles(self, responses: Responses, ids: Sequence[int], size: Size) -> Pictures:
        """The windows that the neurons can touch, as signed pictures around mid-grey."""
        found = _projected(responses, ids)
        return _signed(found.to_rgb(found.pixels), size)


class InPlace(_ForEveryLayer):
    """The same projection on the whole picture, where it lies; grey elsewhere."""

    per_batch = 8

    def native(self, responses: Responses) -> Size:
        """The network's input."""
        return _picture(responses)

    def tiles(self, responses: Responses, ids: Sequence[int], size: Size) -> Pictures:
        """The projections on the whole canvas."""
        found = _projected(responses, ids)
        return _signed(found.to_rgb(found.on_canvas()), size)


class PhotoPatch(_ForEveryLayer):
    """What the channel's strongest neuron sees of the photo; grey where it sees padding."""

    per_batch = 64

    def native(self, responses: Responses) -> Size:
        """The receptive field."""
        return _window(responses)

    def tiles(self, responses: Responses, ids: Sequence[int], size: Size) -> Pictures:
        """The photo cut along the receptive fields."""
        height, width = _window(responses)
        photo, neurons = responses.photo, responses.strongest
        patches = np.full((len(ids), height, width, 3), MID_GREY, np.uint8)
        for patch, i in zip(patches, ids, strict=True):
            if neurons.value[i] != 0:
                box = responses.layer.box(int(neurons.row[i]), int(neurons.col[i]))
                _paste(patch, photo, *((0, 0) if responses.sees_all else box[:2]))
        return resize(patches, min(size[0], height), min(size[1], width))


class Filter:
    """The weights of a convolution that reads the picture itself, as colours.

    Filters of deeper layers have one plane for each channel before them, and no colours.
    """

    per_batch = 256

    def suits(self, net: DeconvNet, layer: Layer) -> bool:  # noqa: ARG002 - it is the layer's
        """A convolution with nothing before it."""
        return layer.kind == "conv" and not layer.inputs

    def native(self, responses: Responses) -> Size:
        """The kernel."""
        return responses.layer.kernel

    def tiles(self, responses: Responses, ids: Sequence[int], size: Size) -> Pictures:
        """The filters as signed pictures around mid-grey, in the colours of projections."""
        net = responses.recording.net
        parameters = dict(net.model.named_parameters())
        weights = parameters[f"{responses.layer.path}.weight"].detach()
        return _signed(net.to_rgb(weights[list(ids)]), size)


class Synthesised:
    """What was made to excite the channel, by gradient ascent: the same whatever the photo.

    Of the bundled networks, with whose weights such pictures ship.
    """

    per_batch = 256

    def suits(self, net: DeconvNet, layer: Layer) -> bool:
        """A layer whose pictures ship, of a network with the weights that they were made for."""
        return _synthesised_size(net, layer) is not None

    def native(self, responses: Responses) -> Size:
        """The pictures as they ship."""
        size = _synthesised_size(responses.recording.net, responses.layer)
        if size is None:
            raise ValueError(f"no synthesised pictures of {responses.layer.name} ship")
        return size

    def tiles(self, responses: Responses, ids: Sequence[int], size: Size) -> Pictures:
        """The pictures, read from the file that ships."""
        return resize(self._pictures(responses)[list(ids)], *size)

    @staticmethod
    def _pictures(responses: Responses) -> Pictures:
        from zfwidgets.analysis.synthesized import shipped_for

        found = shipped_for(responses.recording.net, responses.layer.name)
        assert found is not None, "native() was asked before"
        return found.images


MODES: dict[str, Mode] = {
    "feature map": FeatureMap(),
    "projection": Projection(),
    "in place": InPlace(),
    "photo patch": PhotoPatch(),
    "filter": Filter(),
    "synthesised": Synthesised(),
}
"""By the value of `ChannelBrowser.mode`."""


def native_size(responses: Responses) -> Size:
    """Height and width of a tile at full resolution."""
    return MODES[responses.mode].native(responses)


def size_within(responses: Responses, px: int) -> Size:
    """Height and width of a tile whose longer side has at most `px` pixels."""
    height, width = native_size(responses)
    scale = min(1.0, px / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def tiles_of(responses: Responses, ids: Sequence[int], px: int) -> Pictures:
    """Pictures of the channels `ids`, longer side at most `px`: uint8 [N, h, w, 3]."""
    if (afar := getattr(responses.recording, "tiles", None)) is not None:
        how = {"image": responses.image, "mode": responses.mode, "rule": responses.rule}
        made: Pictures = afar(responses.layer.name, list(ids), px, **how)
        return made
    return MODES[responses.mode].tiles(responses, ids, size_within(responses, px))


def drawn(
    responses: Responses, ids: Sequence[int], px: int, seconds: float = 0.15
) -> Iterator[tuple[Sequence[int], Pictures]]:
    """The pictures of `ids` in batches that take about `seconds` each, as they are ready.

    Between batches a question can be taken back. How many channels make a batch is learnt from the
    ones before: at most doubled or halved, since one may have been slow for another reason.
    """
    step, first = MODES[responses.mode].per_batch, 0
    if hasattr(responses.recording, "tiles"):
        # A server's time is shared: what one batch took says little about the next.
        yield from _evenly(responses, ids, px, max(step, _AFAR_AT_ONCE))
        return
    while first < len(ids):
        some = ids[first : first + step]
        began = time.perf_counter()
        tiles = tiles_of(responses, some, px)
        rate = seconds / max(1e-4, time.perf_counter() - began)
        yield some, tiles
        step = max(1, min(MOST_AT_ONCE, round(step * min(max(rate, 0.5), 2.0))))
        first += len(some)


def _evenly(
    responses: Responses, ids: Sequence[int], px: int, step: int
) -> Iterator[tuple[Sequence[int], Pictures]]:
    for first in range(0, len(ids), step):
        some = ids[first : first + step]
        yield some, tiles_of(responses, some, px)


def _synthesised_size(net: DeconvNet, layer: Layer) -> Size | None:
    """Rows and columns of the pictures of a layer that ship; None if none do."""
    afar: dict[str, Size] | None = getattr(net, "synthesised", None)
    if afar is not None:
        return afar.get(layer.name)
    from zfwidgets.analysis.synthesized import shipped_for

    found = shipped_for(net, layer.name)
    return None if found is None else (found.images.shape[1], found.images.shape[2])


def _picture(responses: Responses) -> Size:
    return responses.recording.size


def _window(responses: Responses) -> Size:
    return _picture(responses) if responses.sees_all else responses.layer.receptive_field


def _projected(responses: Responses, ids: Sequence[int]) -> Projections:
    return responses.recording.project(responses.strongest[list(ids)], rule=responses.rule)


def _signed(pixels: Tensor, size: Size) -> Pictures:
    height, width = min(size[0], pixels.shape[2]), min(size[1], pixels.shape[3])
    return contrast(resize(pixels, height, width))[0]


def _paste(patch: Pictures, photo: Pictures, top: int, left: int) -> None:
    """Fill `patch` with the photo from (top, left) on, as far as it reaches."""
    first, before = max(0, top), max(0, left)
    part = photo[first : max(first, top + len(patch)), before : max(before, left + patch.shape[1])]
    rows, columns = part.shape[:2]
    patch[first - top :, before - left :][:rows, :columns] = part
