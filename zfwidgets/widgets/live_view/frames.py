"""One frame of a camera looked into: all maps of a layer, and one neuron back to pixels.

Knows nothing of Jupyter. What a frame costs is spent where it must be: the pass ends after the
layer, maps leave as one byte a place without being encoded, and a small network is computed on one
thread, because its threads would wait for each other whenever the browser has a core.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.deconv.method import RuleName
from zfwidgets.images import Limits, Preparation, Preprocess, decode, resize

Pixels = npt.NDArray[np.uint8]

MOST_VALUES = 200_000
"""Places of all maps together that travel with a frame; larger maps are shrunk to fit."""

LIMITS = Limits(max_bytes=2 * 2**20, max_pixels=4_000_000)
"""Of one frame: far more than any page sends."""

NOTE = "zero is dark, the 90th percentile of the channels' largest values is brightest"

_SLOW = 0.15  # seconds of one thread's own work beyond which a layer is computed on all
_STAY = 1.2  # how much stronger another channel must be before it becomes the one that is shown


@dataclass(frozen=True)
class Frame:
    """What is shown of one frame.

    Attributes:
        seen: uint8 ``[H, W, 3]``, what the network saw.
        levels: uint8 ``[C, h, w]``, the maps; 0 is zero, 255 is `scale` and beyond.
        scale: the activation that is brightest, the same for all channels.
        strengths: float32 ``[C]``, each channel's largest activation.
        projection: uint8 ``[H, W, 3]``, the neuron back to pixels, in its place.
        box: top, left, bottom, right of what the neuron can touch, in input pixels.
        contrast: how the projection's numbers became colours, for people.
        seconds: time taken.
    """

    seen: Pixels
    levels: Pixels
    scale: float
    strengths: npt.NDArray[np.float32]
    channel: int
    row: int
    col: int
    projection: Pixels
    box: tuple[int, int, int, int]
    contrast: str
    seconds: float


class Looker:
    """Looks into frames with one network.

    Parameters:
        net: the network.
    """

    def __init__(self, net: DeconvNet) -> None:
        self.net = net
        self.prepare, self.side, self.exact = _preparation(net)
        # exact: whether what the network sees is what was sent; else it must be sent back.
        self.inputs: Tensor | None = None
        """The last frame as the network took it, ``[1, C, H, W]``."""
        self._shown: tuple[str, int] | None = None
        self._heavy = _Heavy()

    def look(
        self, data: bytes, layer: str, channel: int | None = None, rule: RuleName = "deconvnet"
    ) -> Frame:
        """Decode a frame and look at `layer`.

        Parameters:
            data: an encoded picture; a square of `side` pixels is taken as it is.
            channel: the one whose strongest neuron is projected; None: the strongest channel's. It
                changes only when another is a fifth stronger, so that the picture stands still.

        Raises:
            ImageError: it is no picture.
            KeyError, IndexError: the network has no such layer or channel.
        """
        began = time.perf_counter()
        frame = self.prepare.open(decode(data, LIMITS, "the camera's frame"))
        inputs = self.net.preprocess(self.prepare(frame)[None])
        worked = time.thread_time()
        with _threads(None if layer in self._heavy else 1):
            found = self._seen(inputs, layer, channel, rule)
        self._heavy.tell(layer, time.thread_time() - worked)
        self.inputs = inputs
        return replace(found, seconds=time.perf_counter() - began)

    def again(self, layer: str, channel: int | None = None, rule: RuleName = "deconvnet") -> Frame:
        """The last frame, looked at another way.

        Raises:
            ValueError: there has been none.
            KeyError, IndexError: the network has no such layer or channel.
        """
        return self._seen(self._last(), layer, channel, rule)

    def record(self) -> Recording:
        """All layers of the last frame.

        Raises:
            ValueError: there has been none.
        """
        return self.net.record(self._last())

    def _last(self) -> Tensor:
        if self.inputs is None:
            raise ValueError("no frame has arrived yet; start the camera first")
        return self.inputs

    def _seen(self, inputs: Tensor, layer: str, channel: int | None, rule: RuleName) -> Frame:
        recording = self.net.record(inputs, upto=layer)
        maps = recording.feature_maps(layer)[0].float()
        neurons = recording.strongest(layer, channel)
        strengths = maps.amax((1, 2))
        if channel is None:
            neurons = neurons[[self._strongest(layer, strengths)]]
        levels, scale = shades(maps, strengths)
        found = recording.project(neurons, rule=rule)
        pictures, how = found.shown(canvas=True)
        top, left, bottom, right = found.boxes[0].tolist()
        return Frame(
            seen=recording.seen()[0],
            levels=levels,
            scale=scale,
            strengths=strengths.cpu().numpy().astype(np.float32),
            channel=int(neurons.channel[0]),
            row=int(neurons.row[0]),
            col=int(neurons.col[0]),
            projection=pictures[0],
            box=(top, left, bottom, right),
            contrast=str(how),
            seconds=0.0,
        )

    def _strongest(self, layer: str, strengths: Tensor) -> int:
        best = int(strengths.argmax())
        if self._shown is not None and self._shown[0] == layer:
            before = self._shown[1]
            if float(strengths[best]) < _STAY * float(strengths[before]):
                best = before
        self._shown = layer, best
        return best


class _Heavy:
    """The layers that are too much for one thread: three frames in a row were.

    Told by a thread's own work and not by the clock: on a busy machine, where everything takes
    long, more threads would wait for each other even longer.
    """

    def __init__(self) -> None:
        self._layers: set[str] = set()
        self._last: deque[tuple[str, float]] = deque(maxlen=3)

    def __contains__(self, layer: str) -> bool:
        return layer in self._layers

    def tell(self, layer: str, seconds: float) -> None:
        """What a frame of the layer has cost."""
        self._last.append((layer, seconds))
        if len(self._last) == 3 and all(a == layer and b > _SLOW for a, b in self._last):
            self._layers.add(layer)


def shades(maps: Tensor, strengths: Tensor) -> tuple[Pixels, float]:
    """Maps ``[C, H, W]`` and their largest values -> uint8 ``[C, h, w]`` and what 255 stands for.

    One scale for all channels, or the noise of silent ones would flicker as bright as the rest.
    """
    scale = float(torch.quantile(strengths, 0.9))
    count, height, width = maps.shape
    shrink = min(1.0, (MOST_VALUES / (count * height * width)) ** 0.5)
    size = max(1, int(height * shrink)), max(1, int(width * shrink))
    small = resize(maps[:, None], *size)[:, 0]
    levels = (small * (255 / scale if scale > 0 else 0.0)).round_().clamp_(0, 255)
    return levels.to(torch.uint8).cpu().numpy(), max(scale, 0.0)


def _preparation(net: DeconvNet) -> tuple[Preparation, int, bool]:
    """How a frame becomes an input, the side of the square that the page should send, and whether
    that square is just what the network sees.

    With a `Preprocess` in colour it is, and nothing is resized again. Of other preparations only
    their result is known: they get some more to crop.
    """
    _ = net.layers  # only then is it known which size the network takes
    given = net.preparation
    how = given.transforms
    if isinstance(how, Preprocess):
        squashed = Preparation(replace(how, mode="squash"), given.channels)
        return squashed, how.size, how.channels in ("RGB", "BGR") and net.planes is None
    return given, max(256, *(given.size or (0,))), False


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Compute on `count` threads; None: on as many as before."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
