"""What a preparation of unknown make does to grey levels, found by asking it.

torchvision's, timm's and transformers' preparations, and those that people write themselves, have
no attributes in common.  But they are functions of pictures, so they are measured: pictures of one
colour each show the line ``value = gain * level + offset`` of every channel, whatever steps it is
composed of, in which order, in which units, red first or blue first.  Two colours in one picture
show whether the line is the same for every picture: of a flat one, equalising or standardising
would be missed.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Array = np.ndarray[Any, Any]
Colour = tuple[float, ...]

SIDES = (64, 1024)
"""Sides of the pictures that are fed; the second for preparations that refuse the first."""

_OFF = 2.5 / 255
"""So far from the line, in units of white, is still on it: steps that round to 8 bits, twice."""


@dataclass(frozen=True)
class Measured:
    """``value = gain * level + offset``, per channel; levels run from 0 (black) to 1 (white).

    gain, offset: [C]. colours: [3, C], from values less their offset to red, green, blue, where the
    channels hold a picture's colours. size: rows and columns of the input, if every square picture
    is brought to them. note: why there is no such line, empty where there is; gain is 1 and offset
    0 then.
    """

    gain: Tensor
    offset: Tensor
    colours: Tensor | None = None
    size: tuple[int, int] | None = None
    note: str = ""


def measure(prepare: Callable[[Any], Tensor], channels: int) -> Measured:
    """Feed pictures of few colours to `prepare`, a function to the network's input [C, H, W].

    Photographs are tried first, then arrays [H, W, channels] of floats 0..1.
    """
    planes = (3,) if channels in (1, 3) else (3, channels)
    problem: Exception | None = None
    with _undisturbed():
        for count in planes:
            for side in SIDES:
                try:
                    return _Asked(prepare, channels, count, side).answer()
                except Exception as error:  # noqa: BLE001 - whatever a stranger's function raises
                    problem = problem or error
    reason = f"it does not take a plain picture ({type(problem).__name__}: {problem})"
    return _unknown(channels, None, reason)


class _Asked:
    """Pictures of one size and kind, and what the preparation makes of them."""

    def __init__(
        self, prepare: Callable[[Any], Tensor], channels: int, planes: int, side: int
    ) -> None:
        self._prepare, self._channels, self._side = prepare, channels, side
        self._planes, self._photo = planes, planes == 3

    def answer(self) -> Measured:
        planes = self._planes
        black, white = (0.0,) * planes, (1.0,) * planes
        offset, size = self._flat(black, self._side)
        _, other = self._flat(black, self._side + 32)
        known = size if size == other else None
        single = [tuple(float(k == plane) for k in range(planes)) for plane in range(planes)]
        matrix = torch.stack([self._flat(colour)[0] - offset for colour in single], dim=1)
        reach = matrix.abs().sum(1)
        if not bool(torch.isfinite(matrix).all()) or float(reach.max()) < 1e-8:
            return _unknown(self._channels, known, "it makes the same of every plain picture")
        gain = self._flat(white)[0] - offset
        # A channel of differences (as of chroma) has no level of its own; its reach is its unit.
        gain = torch.where(gain.abs() > 0.01 * reach, gain, reach)
        gain = torch.where(gain.abs() > 0, gain, torch.ones_like(gain))
        if not self._is_line(matrix, offset, reach):
            return _unknown(self._channels, known, "it treats each picture in its own way")
        colours = _colours(matrix) if self._photo else None
        return Measured(gain.float(), offset.float(), _float(colours), known)

    def _is_line(self, matrix: Tensor, offset: Tensor, reach: Tensor) -> bool:
        def expected(colour: Colour) -> Tensor:
            return offset + matrix @ torch.tensor(colour, dtype=torch.float64)

        off = _OFF * reach + 1e-6
        mixed = tuple((200, 120, 40)[k % 3] / 255 for k in range(self._planes))
        grey, light = ((level / 255,) * self._planes for level in (64, 128))
        for colour in (grey, light, mixed):
            if not bool(((self._flat(colour)[0] - expected(colour)).abs() <= off).all()):
                return False
        # Wherever the crop lies, its centre shows one of the two colours, or a blend at their edge.
        seen, _ = self._centre(self._picture(light, self._side, around=grey))
        ends = torch.stack([expected(grey), expected(light)])
        return bool(((seen >= ends.amin(0) - off) & (seen <= ends.amax(0) + off)).all())

    def _flat(self, colour: Colour, side: int = 0) -> tuple[Tensor, tuple[int, int]]:
        return self._centre(self._picture(colour, side or self._side))

    def _centre(self, picture: Any) -> tuple[Tensor, tuple[int, int]]:
        """The middle pixel of the input: wherever padding is, it is not there."""
        values = self._prepare(picture)
        count, height, width = values.shape
        if count != self._channels:
            raise ValueError(f"it made {count} channels of {self._planes}, not {self._channels}")
        return values[:, height // 2, width // 2].double().cpu(), (height, width)

    def _picture(self, colour: Colour, side: int, around: Colour | None = None) -> Any:
        pixels = np.empty((side, side, self._planes), np.float32)
        pixels[:] = colour if around is None else around
        quarter = side // 4
        pixels[quarter : side - quarter, quarter : side - quarter] = colour
        if not self._photo:
            return pixels
        return Image.fromarray(np.rint(pixels * 255).astype(np.uint8))


def _colours(matrix: Tensor) -> Tensor | None:
    """From [C, 3] back to [3, C]: exact where the first three channels tell the colours apart."""
    channels = len(matrix)
    if channels < 3:
        return None
    first = matrix[:3]
    scaled = first / first.abs().sum(1, keepdim=True).clamp(min=1e-30)
    if float(torch.linalg.cond(scaled)) > 100:
        return None  # three times grey
    back = matrix.new_zeros(3, channels)
    back[:, :3] = torch.linalg.inv(first)
    return back


def _unknown(channels: int, size: tuple[int, int] | None, reason: str) -> Measured:
    note = (
        f"What transforms does to grey levels cannot be undone: {reason}. Inputs are shown from "
        "their least to their greatest value, projections in the network's own units."
    )
    return Measured(torch.ones(channels), torch.zeros(channels), size=size, note=note)


def _float(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.float()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Whatever is thrown inside, dice fall outside as if nobody had thrown; no gradients."""
    own, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002 - transforms use it
    try:
        with (
            torch.random.fork_rng(devices=[]),
            torch.inference_mode(False),
            torch.no_grad(),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(own)
        np.random.set_state(legacy)  # noqa: NPY002
