"""Measures whether first-layer filters look like something: orientation, opponency, repetition.

Every threshold is set by the untrained network: a filter counts as oriented, opponent or clean only
beyond what 99 % of random filters of the same shape reach by chance.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache

import torch
from torch import Tensor

from zfwidgets.analysis.filters import measure, spectrum


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


def chequered(filters: Tensor, finest: float = 0.3) -> Tensor:
    """Which filters [N] are a lattice rather than a grating: fine, and without one orientation.

    More than 40 % of the power (constants left out) lies beyond `finest` cycles a pixel, and the
    orientation coherence is below a half. An eye sees a woven pattern, which the share of noise
    misses because such a pattern is regular.
    """
    power, fy, fx = spectrum(filters - filters.mean((2, 3), keepdim=True))
    fine = (fy.square() + fx.square()).sqrt() > finest
    share = (power * fine).sum((1, 2)) / power.sum((1, 2)).clamp_min(1e-30)
    return (share > 0.4) & (measure(filters).coherence < 0.5)


@cache
def by_chance(shape: tuple[int, ...], chance: float = 0.99, seed: int = 0) -> dict[str, float]:
    """What `chance` of 2,048 random filters [3, h, w] stay below, for each measure."""
    generator = torch.Generator().manual_seed(seed)
    random = torch.randn(2048, *shape, generator=generator)
    found = measure(random)
    values = {
        "coherence": found.coherence,
        "opponency": found.opponency,
        "concentration": concentration(random),
    }
    return {name: float(value.quantile(chance)) for name, value in values.items()}


def report(filters: Tensor) -> FilterReport:
    """Measure filters [N,3,h,w] against random ones of the same shape."""
    found, chance = measure(filters), by_chance(tuple(filters.shape[1:]))
    striped = found.coherence > chance["coherence"]
    clean = concentration(filters) > chance["concentration"]
    oriented, opponent = striped & clean, (found.opponency > chance["opponency"]) & clean
    copies = found.duplicate_of
    copied = torch.isin(torch.arange(len(copies)), copies)
    bands = torch.bucketize(found.frequency, torch.tensor([0.12, 0.24]))
    return FilterReport(
        oriented=_share(oriented),
        opponent=_share(opponent),
        either=_share(oriented | opponent),
        noise=_share(~clean & ~striped & ~found.dead),
        chequered=_share(chequered(filters)),
        dead=_share(found.dead),
        near_duplicates=_share((copies >= 0) | copied),
        frequency_bands=(_share(bands == 0), _share(bands == 1), _share(bands == 2)),
    )


def _share(mask: Tensor) -> float:
    return mask.float().mean().item()
