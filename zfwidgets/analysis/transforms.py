"""Pictures changed in one respect, by an amount: what an invariance is tried with.

The prepared input is changed, of the size the network sees, so that what comes in from outside is
the fill and not more of the photo.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from zfwidgets.analysis.fill import Fill, fill_colour, grey
from zfwidgets.deconv import DeconvNet

Transform = Literal["translation", "scale", "rotation", "brightness", "contrast", "blur", "hue"]

DEFAULTS: dict[str, tuple[float, ...]] = {
    "translation": tuple(range(-60, 61, 10)),
    "scale": tuple(1 + step / 10 for step in range(9)),
    "rotation": tuple(range(0, 360, 10)),
    "brightness": tuple(step / 10 for step in range(-4, 5)),
    "contrast": tuple(step / 5 for step in range(1, 10)),
    "blur": (0, 0.5, 1, 1.5, 2, 3, 4, 6, 8),
    "hue": tuple(range(-180, 181, 20)),
}
"""The values tried where none are given."""

NEUTRAL: dict[str, float] = {
    "translation": 0,
    "scale": 1,
    "rotation": 0,
    "brightness": 0,
    "contrast": 1,
    "blur": 0,
    "hue": 0,
}
"""The value that leaves a picture as it is."""

UNITS: dict[str, str] = {
    "translation": "pixels down",
    "scale": "times larger",
    "rotation": "degrees counter-clockwise",
    "brightness": "share of black to white",
    "contrast": "times the contrast",
    "blur": "pixels (standard deviation)",
    "hue": "degrees of hue",
}
"""What a value counts, for axes."""


def changer(
    net: DeconvNet, inputs: Tensor, transform: Transform, fill: Fill
) -> Callable[[float], Tensor]:
    """The transform of the inputs [B, C, H, W] as a function of its value.

    Values and fill are those of `zfwidgets.invariance`. Raises ValueError for an unknown transform.
    """
    if transform not in get_args(Transform):
        known = ", ".join(get_args(Transform))
        raise ValueError(f"transform={transform!r}: expected one of {known}.")
    if transform == "blur":
        return lambda sigma: _blurred(inputs, sigma)
    if transform == "contrast":
        mean = inputs.mean((2, 3), keepdim=True)
        return lambda factor: mean + factor * (inputs - mean)
    if transform == "brightness":
        channels = inputs.shape[1]
        span = grey(net, 255, channels) - grey(net, 0, channels)
        return lambda share: inputs + share * span
    if transform == "hue":
        return _hue(net, inputs)
    outside = fill_colour(net, inputs, fill)
    if transform == "translation":
        return lambda pixels: _moved(inputs, pixels, outside)
    if transform == "scale":
        return lambda factor: _turned(inputs, 0, factor, outside)
    return lambda degrees: _turned(inputs, degrees, 1, outside)


def _hue(net: DeconvNet, inputs: Tensor) -> Callable[[float], Tensor]:
    """Colours turned about the grey axis of the colour cube: red to green at 120 degrees.

    Linear, so nothing is clipped; greys and the sum of the three colours stay.
    """
    if inputs.shape[1] != 3:
        raise ValueError(f"hue needs red, green and blue; the input has {inputs.shape[1]} channels")
    black = grey(net, 0, 3)
    units = torch.eye(3, dtype=torch.float64, device=inputs.device)[:, :, None, None]
    to_rgb = net.preparation.to_rgb(units)[:, :, 0, 0].T

    def turned(degrees: float) -> Tensor:
        angle = math.radians(degrees)
        cos, sin = math.cos(angle), math.sin(angle) / math.sqrt(3)
        own, up, down = (1 + 2 * cos) / 3, (1 - cos) / 3 + sin, (1 - cos) / 3 - sin
        turn = to_rgb.new_tensor([[own, down, up], [up, own, down], [down, up, own]])
        matrix = torch.linalg.inv(to_rgb) @ turn @ to_rgb
        return torch.einsum("dc,bchw->bdhw", matrix.to(inputs), inputs - black) + black

    return turned


def _moved(inputs: Tensor, pixels: float, outside: Tensor) -> Tensor:
    """Downwards; between whole pixels the two neighbouring moves are mixed."""
    whole = math.floor(pixels)
    share = pixels - whole
    height = inputs.shape[2]

    def by(rows: int) -> Tensor:
        moved = outside.expand_as(inputs).clone()
        if abs(rows) < height:
            moved[:, :, max(0, rows) : height + min(0, rows)] = inputs[
                :, :, max(0, -rows) : height - max(0, rows)
            ]
        return moved

    return by(whole) if not share else (1 - share) * by(whole) + share * by(whole + 1)


def _turned(inputs: Tensor, degrees: float, factor: float, outside: Tensor) -> Tensor:
    """Counter-clockwise about the centre, and magnified."""
    if factor <= 0:
        raise ValueError(f"scale {factor}: expected a magnification above 0.")
    if degrees % 360 == 0 and factor == 1:
        return inputs
    height, width = inputs.shape[2:]
    angle = math.radians(degrees)
    cos, sin = math.cos(angle) / factor, math.sin(angle) / factor
    # From output to input, in coordinates that run from -1 to 1 along both sides.
    matrix = [[cos, -sin * height / width, 0], [sin * width / height, cos, 0]]
    theta = inputs.new_tensor(matrix).expand(len(inputs), 2, 3)
    grid = F.affine_grid(theta, list(inputs.shape), align_corners=False)
    return F.grid_sample(inputs - outside, grid, align_corners=False) + outside


def _blurred(inputs: Tensor, sigma: float) -> Tensor:
    """A Gaussian of this standard deviation; the border's pixels are repeated outwards."""
    if sigma < 0:
        raise ValueError(f"blur {sigma}: expected a standard deviation of 0 pixels or more.")
    reach = math.ceil(3 * sigma)
    if reach == 0:
        return inputs
    place = torch.arange(-reach, reach + 1, device=inputs.device, dtype=inputs.dtype)
    kernel = (-place.square() / (2 * sigma**2)).exp()
    kernel = (kernel / kernel.sum()).expand(inputs.shape[1], 1, -1)
    padded = F.pad(inputs, (reach, reach, reach, reach), mode="replicate")
    rows = F.conv2d(padded, kernel[:, :, :, None], groups=inputs.shape[1])
    return F.conv2d(rows, kernel[:, :, None, :], groups=inputs.shape[1])
