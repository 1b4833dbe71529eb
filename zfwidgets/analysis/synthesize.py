"""Pictures that no camera took: what a channel answers to most, by gradient ascent."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from inspect import GEN_CLOSED, getgeneratorstate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.arguments import NETWORK, takes
from zfwidgets.analysis.canvas import Canvas, Unsteady
from zfwidgets.analysis.result import Result
from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.preactivation import Preactivation
from zfwidgets.deconv.precision import exactly
from zfwidgets.images import Planes
from zfwidgets.images.preprocess import Preprocess
from zfwidgets.images.sheet import contact_sheet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Objective = Literal["neuron", "channel"]
Pixels = np.ndarray[Any, np.dtype[np.uint8]]

_REST = 0.01
"""Share of what is below zero that counts for a channel's mean, so that one at rest can start."""
_LARGEST = 1024


@dataclass(frozen=True, slots=True)
class Ascent:
    """How pictures climb. The parts are those of `synthesize`, and a wrong one a ValueError."""

    objective: Objective = "neuron"
    steps: int = 128
    size: int | None = None
    seed: int = 0
    rate: float = 0.05
    jitter: float = 1.0
    batch: int = 32

    def __post_init__(self) -> None:
        if self.objective not in get_args(Objective):
            raise ValueError(f"objective={self.objective!r}: expected 'neuron' or 'channel'.")
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected 1 or more.")
        if self.size is not None and not 1 <= self.size <= _LARGEST:
            raise ValueError(f"size={self.size}: expected 1 to {_LARGEST} pixels, or None.")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"rate={self.rate}: expected a number above 0.")
        if not (math.isfinite(self.jitter) and 0 <= self.jitter <= 4):
            raise ValueError(f"jitter={self.jitter}: expected 0 to 4.")


@dataclass(frozen=True, slots=True, repr=False)
class Synthesis(Result):
    """One picture a channel that was made to excite it.

    channels: their numbers, N of them. images: uint8 [N, h, w, 3]. activations: Tensor [N], what
    the objective is on them, in the units of `Recording.feature_maps`; start: [N], what it was on
    the noise that the ascent began with. complete: False if it was stopped. net, weights: name and
    SHA-256.
    """

    net: str
    weights: str
    layer: str
    objective: Objective
    channels: tuple[int, ...]
    images: Pixels
    activations: Tensor
    start: Tensor
    steps: int
    seed: int
    complete: bool = True

    def to_images(self) -> list[Image.Image]:
        """The pictures, one a channel, as PIL images."""
        return [Image.fromarray(pixels) for pixels in self.images]

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per channel (needs pandas)."""
        import pandas as pd

        rows = {"start": self.start.tolist(), "activation": self.activations.tolist()}
        return pd.DataFrame(rows, index=pd.Index(self.channels, name="channel"))

    def plot(self) -> Figure:
        """All pictures by channel, with the activation that each reaches (needs matplotlib)."""
        from zfwidgets.analysis.plot.synthesize import plot_synthesis

        return plot_synthesis(self.images, self.labels(), self._title())

    def save(self, path: str | Path, tile_size: int = 96, columns: int | None = None) -> None:
        """All pictures as a labelled sheet: .png, .webp, .jpg or what else Pillow writes."""
        caption = f"Gradient ascent, {self.steps} steps, seed {self.seed}, to the {self.objective}."
        sheet = contact_sheet(
            self.images, self.labels(), self._title(), caption, columns, tile_size
        )
        sheet.save(path)

    def labels(self) -> list[str]:
        """What stands at each picture: its channel and its activation."""
        values = zip(self.channels, self.activations.tolist(), strict=True)
        return [f"{channel} · {value:.3g}" for channel, value in values]

    def _title(self) -> str:
        return f"{self.net} {self.layer}, synthesised"


@takes(net=NETWORK)
def synthesize(
    net: DeconvNet,
    layer: str,
    channels: int | Iterable[int] | None = None,
    *,
    objective: Objective = "neuron",
    steps: int = 128,
    size: int | None = None,
    seed: int = 0,
    rate: float = 0.05,
    jitter: float = 1.0,
    batch: int = 32,
    progress: bool = True,
    should_stop: Callable[[], bool] | None = None,
) -> Synthesis:
    """The picture that a channel answers to most, by gradient ascent from noise.

    Sums of waves in decorrelated colours are moved up the gradient, and looked at a little shifted,
    turned and enlarged at every step (Olah et al. 2017, "Feature Visualization"). What comes out is
    what the channel would like to see, which need not be what it meets in photographs.

    Args:
        net: the network; `load`, or `DeconvNet` of any model.
        layer: name of the layer; convolutions, fully connected layers and their like.
        channels: one or several; default: all.
        objective: "neuron", the answer of the neuron in the middle of the map, whose receptive
            field is the picture; or "channel", the mean over all places of the map, which makes
            patterns that repeat.
        steps: of the ascent.
        size: side of the picture in pixels; default: the receptive field, for "channel" some places
            more, and the network's own input where that is smaller. Of a picture smaller than the
            receptive field, which is quicker, the neuron sees the layers' padding around it.
        seed: the same seed gives the same bits on the same device. A channel's start does not
            depend on which others are asked for.
        rate: of a step (Adam).
        jitter: how far pictures are moved at each step; 0 not at all, which gives fine patterns
            that no camera takes; 1 up to a sixteenth of the side, 5 degrees, 5 % in scale.
        batch: channels at once.
        progress: whether a bar shows how far it is.
        should_stop: asked after each step. Then, or at KeyboardInterrupt, the pictures so far come
            back, not `complete`.

    Raises:
        KeyError: there is no such layer. IndexError: no such channel. ValueError: another number or
            objective than these. UnsupportedModel: the forward pass cannot be stopped at the layer.

    Examples:
        >>> made = zf.synthesize(zf.load("zfnet"), "conv3", [3, 17])
        >>> made.plot()
    """
    how = Ascent(objective, steps, size, seed, rate, jitter, batch)
    ascending = ascent(net, layer, channels, how)
    total = next(ascending)
    stop = False
    with tqdm(total=total, desc="ascent", disable=not progress) as bar:
        while True:
            try:
                bar.update(ascending.send(stop))
                stop = should_stop is not None and should_stop()
            except KeyboardInterrupt:
                if getgeneratorstate(ascending) == GEN_CLOSED:
                    raise  # before there was anything to come back with
                stop = True
            except StopIteration as end:
                made: Synthesis = end.value
                return made


def ascent(
    net: DeconvNet, layer: str, channels: int | Iterable[int] | None, how: Ascent
) -> Generator[int, bool, Synthesis]:
    """`synthesize` a step at a time, for whoever does something else in between.

    Yields at first how many steps there are, then 1 after each; `send(True)` ends it before its
    time. The pictures are what it returns.
    """
    climber = _Climber(net, layer, how)
    chosen = _chosen(channels, climber.layer.channels, climber.layer.name)
    made: list[tuple[list[int], Pixels, Tensor, Tensor]] = []
    groups = [chosen[first : first + how.batch] for first in range(0, len(chosen), how.batch)]
    stopped = False
    yield how.steps * len(groups)
    for group in groups:
        canvas = climber.canvas(group)
        start = climber.answers(canvas, group)
        try:
            for _ in climber.climb(canvas, group):
                if stopped := bool((yield 1)):
                    break
        except KeyboardInterrupt:
            stopped = True
        made.append((group, climber.images(canvas), climber.answers(canvas, group), start))
        if stopped:
            break
    numbers, images, reached, begun = zip(*made, strict=True)
    return Synthesis(
        net=net.name,
        weights=net.weights_hash(),
        layer=climber.layer.name,
        objective=how.objective,
        channels=tuple(channel for group in numbers for channel in group),
        images=np.concatenate(images),
        activations=torch.cat(reached),
        start=torch.cat(begun),
        steps=how.steps,
        seed=how.seed,
        complete=not stopped,
    )


class _Climber:
    """The way from pictures to what is to become large."""

    def __init__(self, net: DeconvNet, layer: str, how: Ascent) -> None:
        self._net, self._how = net, how
        self._before = Preactivation(net, layer)
        self.layer = self._before.layer
        self._side, self._shown, self._place = self._geometry(how.size)
        # Small fields bear no shift of a whole pixel, nor does a filter bear being turned.
        most = how.jitter * max(0, self._side - _STEADY) / 16
        turned = how.jitter * min(1.0, max(0, self._side - _STEADY) / 64)
        self._moves = (min(most, 8.0 * how.jitter), 5 * turned, 0.05 * turned)
        reach = self._side / 2 * (math.radians(self._moves[1]) + self._moves[2]) + self._moves[0]
        self._margin = math.ceil(reach)
        preparation, device = net.preparation, net.device
        gain = 1 / preparation.pixel_gain
        self._gain = gain.to(device)[:, None, None]
        self._black = preparation.black.to(device)[:, None, None]
        transforms = preparation.transforms
        self._bgr = isinstance(transforms, Preprocess) and transforms.channels == "BGR"
        self._dtype = next((p.dtype for p in net.model.parameters()), torch.float32)

    def _geometry(self, size: int | None) -> tuple[int, tuple[int, int], tuple[int, int] | None]:
        """Side of the input, the first and last row of it that is shown, and the neuron's place.

        No place: the middle of the map, whatever its size.
        """
        layer, native = self.layer, min(self._before.side)
        if not self._before.any_size:
            if size not in (None, native):
                raise ValueError(
                    f"size={size}: neurons of {layer.name} see all of the picture, which "
                    f"{self._net.name} takes with {native} pixels; expected size={native} or None."
                )
            return native, (0, native), None
        field, jump = max(layer.receptive_field), max(layer.jump)
        if self._how.objective == "channel" or size is not None:
            side = size or min(native, max(64, field + 4 * jump))
            return side, (0, side), None
        places = [-(offset // jump) for offset in layer.offset]
        first = max(p * jump + o for p, o in zip(places, layer.offset, strict=True))
        if first + field > native:
            return native, (0, native), None
        return first + field, (first, first + field), (places[0], places[1])

    def canvas(self, channels: Sequence[int]) -> Canvas:
        """The start of some channels."""
        side = self._side + 2 * self._margin
        return Canvas(channels, self._net.input_channels, side, self._how.seed, self._net.device)

    def climb(self, canvas: Canvas, channels: Sequence[int]) -> Iterator[None]:
        """Step by step."""
        optimizer = torch.optim.Adam([canvas.waves], lr=self._how.rate)
        unsteady = Unsteady(self._side, *self._moves, seed=self._how.seed)
        for _ in range(self._how.steps):
            with torch.enable_grad(), exactly():
                answers = self._answers(unsteady.look(canvas.pictures()), channels)
                # By hand, so that nothing is left at the model's weights.
                (canvas.waves.grad,) = torch.autograd.grad(-answers.sum(), canvas.waves)
            optimizer.step()
            yield

    @torch.no_grad()
    def answers(self, canvas: Canvas, channels: Sequence[int]) -> Tensor:
        """What the pictures reach, unmoved and rectified: [N] on the CPU."""
        with exactly():
            return self._answers(self._middle(canvas), channels, rectified=True).float().cpu()

    @torch.no_grad()
    def images(self, canvas: Canvas) -> Pixels:
        """What is shown of the pictures, for people: uint8 [N, h, w, 3]."""
        rows = slice(*self._shown)
        levels = self._middle(canvas)[..., rows, rows]
        if levels.shape[1] != 3:
            levels = (self._net.planes or Planes.usual(levels.shape[1])).of(levels)
        pixels = (levels * 255).round().clamp(0, 255).to(torch.uint8)
        return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def _middle(self, canvas: Canvas) -> Tensor:
        part = slice(self._margin, self._margin + self._side)
        return canvas.pictures()[..., part, part]

    def _answers(
        self, pictures: Tensor, channels: Sequence[int], *, rectified: bool = False
    ) -> Tensor:
        pictures = pictures.flip(1) if self._bgr else pictures
        inputs = (pictures * self._gain + self._black).to(self._dtype)
        maps = self._before(inputs)
        own = maps[torch.arange(len(channels)), list(channels)]
        if rectified:
            own = self._before.rectified(own)
        if self._how.objective == "channel":
            above = own if rectified else own.clamp_min(0) + _REST * own
            return above.mean((1, 2))
        row, col = self._place or (own.shape[1] // 2, own.shape[2] // 2)
        return own[:, row, col]


_STEADY = 16
"""Pictures of no more pixels a side are looked at as they are."""


def _chosen(channels: int | Iterable[int] | None, count: int, layer: str) -> list[int]:
    if channels is None:
        return list(range(count))
    asked = [channels] if isinstance(channels, int) else [int(channel) for channel in channels]
    if not asked:
        raise ValueError("synthesize() got no channels; expected one or more, or None for all.")
    if bad := [channel for channel in asked if not 0 <= channel < count]:
        raise IndexError(f"channel {bad[0]} of layer {layer!r}: expected 0 to {count - 1}.")
    return list(dict.fromkeys(asked))
