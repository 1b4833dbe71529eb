"""Pictures as sums of waves in decorrelated colours, and the small changes they must bear.

The parameterisation and the robustness of Olah, Mordvintsev & Schubert 2017, "Feature
Visualization" (doi 10.23915/distill.00007, sections "Preconditioning" and "Transformation
robustness"): the gradient then climbs large forms as willingly as fine ones, and colours together
as they go together in photographs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

COLOURS = (
    (0.568, 0.214, 0.069),
    (0.580, 0.018, -0.123),
    (0.584, -0.227, 0.055),
)
"""Red, green and blue by three colours that are independent in photographs: light, warm against
cold, and magenta against green. A root of the covariance of all pixels of `zf.gallery()` in 0..1,
its largest column scaled to length 1; a test computes it again."""

_NOISE = 0.01
"""Standard deviation of the waves at the start: a picture that is nearly grey."""
_SHARE = 0.25
"""Of the spectrum's inverse transform, so that a step of 0.05 does not leap to black and white."""

_CONTRAST = 1.5
"""Largest root mean square of the planes before the sigmoid. Without a bound a channel that is
nearly linear in the picture, as the first ones are, drives every pixel to black or white."""


class Canvas:
    """One picture a channel: levels 0..1 [N, C, side, side], made of waves that can be moved.

    Args:
        channels: their numbers, which choose the noise of the start, each its own.
        planes: colours of a picture; three have `COLOURS`, others are independent.
        side: rows and columns in pixels.
        seed: another seed, another start.
    """

    def __init__(
        self, channels: Sequence[int], planes: int, side: int, seed: int, device: torch.device
    ) -> None:
        shape = planes, side, side // 2 + 1, 2
        noise = [_noise(shape, seed, channel) for channel in channels]
        self.waves = (_NOISE * torch.stack(noise)).to(device).requires_grad_()
        """What is moved: real and imaginary parts [N, C, side, side // 2 + 1, 2]."""
        rows = torch.fft.fftfreq(side)[:, None]
        frequency = (rows**2 + torch.fft.rfftfreq(side)[None] ** 2).sqrt()
        # As in photographs, amplitude falls with frequency.
        weight = _SHARE * side / frequency.clamp_min(1 / side)
        self._weight = weight[..., None].to(device)
        self._side = side
        mixed = torch.tensor(COLOURS) if planes == 3 else torch.eye(planes) * COLOURS[0][0]
        self._colours = mixed.to(device)

    def pictures(self) -> Tensor:
        """The levels as they are now, differentiable by `waves`."""
        spectrum = torch.view_as_complex(self.waves * self._weight)
        planes = torch.fft.irfft2(spectrum, s=(self._side, self._side))
        contrast = planes.square().mean((1, 2, 3), keepdim=True).sqrt()
        planes = planes * (_CONTRAST / contrast.clamp_min(_CONTRAST))
        return torch.einsum("dc,nchw->ndhw", self._colours, planes).sigmoid()


def _noise(shape: tuple[int, ...], seed: int, channel: int) -> Tensor:
    own = torch.Generator().manual_seed((seed * 1_000_003 + channel) % 2**63)
    return torch.randn(shape, generator=own)


class Unsteady:
    """Looks at pictures a little moved, turned and enlarged, each time by another lot.

    What bears this is no accident of single pixels. All pictures of one look are moved alike.

    Args:
        side: rows and columns that are seen, out of the middle of a larger picture.
        jitter: largest shift in pixels, along rows and columns.
        turn: largest turn in degrees. zoom: largest change of scale, as a share.
    """

    def __init__(self, side: int, jitter: float, turn: float, zoom: float, seed: int) -> None:
        self._side, self._most = side, (jitter, math.radians(turn), zoom)
        self._lots = torch.Generator().manual_seed(seed)

    def look(self, pictures: Tensor) -> Tensor:
        """[N, C, S, S] to [N, C, side, side]."""
        jitter, turn, zoom = self._most
        down, right, angle, scale = (2 * torch.rand(4, generator=self._lots) - 1).tolist()
        scale = 1 + zoom * scale
        cos, sin = scale * math.cos(turn * angle), scale * math.sin(turn * angle)
        return _resampled(pictures, self._side, (cos, sin), (jitter * down, jitter * right))


def _resampled(
    pictures: Tensor, side: int, turn: tuple[float, float], shift: tuple[float, float]
) -> Tensor:
    """The middle of turned, scaled and shifted pictures, in two passes (Catmull & Smith 1980).

    First along rows, then along columns, each a product of matrices: its gradient has the same bits
    in every run, also on CUDA, where that of `grid_sample` has not.
    """
    cos, sin = turn
    whole = pictures.shape[-1]
    there = torch.arange(whole, device=pictures.device, dtype=pictures.dtype) - (whole - 1) / 2
    here = torch.arange(side, device=pictures.device, dtype=pictures.dtype) - (side - 1) / 2
    # The pixel (row v, column u) is seen at column cos u - sin v and row sin u + cos v; a row y of
    # the picture gives to column u what lies there once v is put in terms of y and u.
    column = ((cos * cos + sin * sin) * here[None] - sin * there[:, None]) / cos + shift[1]
    row = sin * here[:, None] + cos * here[None] + shift[0]
    across = _tents(column, there)  # [whole rows, side, whole]
    down = _tents(row, there)  # [side columns, side rows, whole rows]
    half = torch.einsum("yux,ncyx->ncuy", across, pictures)
    return torch.einsum("uvy,ncuy->ncvu", down, half)


def _tents(wanted: Tensor, known: Tensor) -> Tensor:
    """Weights of linear interpolation at the places wanted [...] between those known [K]."""
    return (1 - (wanted[..., None] - known).abs()).clamp_min(0)
