"""Measures whether first-layer filters look like something: orientation, opponency, repetition.

Every threshold is set by the untrained network: a filter counts as oriented, opponent or clean only
beyond what 99 % of random filters of the same shape reach by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

GREY = torch.full((3,), 3**-0.5)


@dataclass(frozen=True)
class FilterReport:
    """Shares of the filters, 0 to 1."""

    oriented: float
    opponent: float
    either: float
    noise: float
    chequered: float
    dead: float
    near_duplicates: float
    frequency_bands: tuple[float, float, float]

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def spectrum(filters: Tensor, side: int = 32) -> tuple[Tensor, Tensor, Tensor]:
    """Power [N,side,side] of filters [N,3,h,w] summed over colours, and the frequency axes."""
    power = torch.fft.fft2(filters.double(), s=(side, side)).abs().square().sum(1)
    axis = torch.fft.fftfreq(side, dtype=torch.float64)
    return power, axis[:, None].expand(side, side), axis[None, :].expand(side, side)


def orientation(filters: Tensor) -> Tensor:
    """Orientation coherence [N], 0 to 1: |sum P exp(2 i angle)| / sum P over non-zero frequencies.

    One for a grating or a straight edge, near zero for a blob or for noise. The mean of each colour
    plane is removed first, so that a blob's constant does not count as orientation.
    """
    power, fy, fx = spectrum(filters - filters.mean((2, 3), keepdim=True))
    angle = torch.atan2(fy, fx)
    moment = (power * torch.exp(2j * angle)).sum((1, 2)).abs()
    return moment / power.sum((1, 2)).clamp_min(1e-30)


def concentration(filters: Tensor, radius: float = 0.11) -> Tensor:
    """Share of the power [N] near the filter's strongest frequency; low for noise.

    `radius` is in cycles a pixel; a frequency and its mirror image count together.
    """
    power, fy, fx = spectrum(filters)
    peak = power.flatten(1).argmax(1)
    py, px = fy.flatten()[peak], fx.flatten()[peak]

    def near(sign: int) -> Tensor:
        dy, dx = fy - sign * py[:, None, None], fx - sign * px[:, None, None]
        return (dy - dy.round()).square() + (dx - dx.round()).square() < radius**2

    share = (power * (near(1) | near(-1))).sum((1, 2))
    return share / power.sum((1, 2)).clamp_min(1e-30)


def opponency(filters: Tensor) -> Tensor:
    """Colour opponency [N], 0 to 1: the share of energy along one colour direction, times the part
    of that direction which is off grey."""
    planes = filters.flatten(2).double()
    u, s, _ = torch.linalg.svd(planes, full_matrices=False)
    one_colour = s[:, 0].square() / s.square().sum(1).clamp_min(1e-30)
    off_grey = 1 - (u[:, :, 0] @ GREY.double()).square()
    return one_colour * off_grey


def near_duplicates(filters: Tensor, cosine: float = 0.95) -> float:
    """Share of filters that have another one with a cosine above 0.95."""
    unit = F.normalize(filters.flatten(1), dim=1)
    likeness = unit @ unit.T - 2 * torch.eye(len(unit))
    return (likeness.amax(1) > cosine).float().mean().item()


def peak_frequency(filters: Tensor) -> Tensor:
    """Strongest non-constant frequency [N] in cycles a pixel."""
    power, fy, fx = spectrum(filters - filters.mean((2, 3), keepdim=True))
    peak = power.flatten(1).argmax(1)
    return (fy.square() + fx.square()).sqrt().flatten()[peak]


def chequered(filters: Tensor, finest: float = 0.3) -> Tensor:
    """Which filters [N] are a lattice rather than a grating: fine, and without one orientation.

    More than 40 % of the power (constants left out) lies beyond `finest` cycles a pixel, and the
    orientation coherence is below a half. An eye sees a woven pattern, which the share of noise
    misses because such a pattern is regular.
    """
    power, fy, fx = spectrum(filters - filters.mean((2, 3), keepdim=True))
    fine = (fy.square() + fx.square()).sqrt() > finest
    share = (power * fine).sum((1, 2)) / power.sum((1, 2)).clamp_min(1e-30)
    return (share > 0.4) & (orientation(filters) < 0.5)


def report(filters: Tensor, seed: int = 0, chance: float = 0.99) -> FilterReport:
    """Measure filters [N,3,h,w] against 4,096 random ones of the same shape."""
    generator = torch.Generator().manual_seed(seed)
    random = torch.randn(4096, *filters.shape[1:], generator=generator)

    def beyond(measure: Callable[[Tensor], Tensor]) -> Tensor:
        return measure(filters) > measure(random).quantile(chance)

    rms = filters.square().mean((1, 2, 3)).sqrt()
    dead = rms < 0.01 * rms.median()
    clean = beyond(concentration)
    oriented, opponent = beyond(orientation) & clean, beyond(opponency) & clean
    frequency = peak_frequency(filters)
    noise = ~clean & ~beyond(orientation)
    bands = torch.bucketize(frequency, torch.tensor([0.12, 0.24], dtype=frequency.dtype))
    return FilterReport(
        oriented=_share(oriented),
        opponent=_share(opponent),
        either=_share(oriented | opponent),
        noise=_share(noise & ~dead),
        chequered=_share(chequered(filters)),
        dead=_share(dead),
        near_duplicates=near_duplicates(filters),
        frequency_bands=(_share(bands == 0), _share(bands == 1), _share(bands == 2)),
    )


def _share(mask: Tensor) -> float:
    return mask.float().mean().item()
