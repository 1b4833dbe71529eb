"""What is added up for the usage of one layer, on the device.

Sums of floating-point numbers depend on their order. A scan adds up runs of pictures, each from
zero, and then the runs in their order: the same bits in one go, resumed, and shared out.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

TOTALS = ("mean", "energy", "fires", "response", "square", "population")


def treves_rolls(mean: Tensor, square: Tensor, n: int) -> Tensor:
    """Sparsity of n responses r >= 0 from their mean and mean square: 0 all alike, 1 only one.

    S = (1 - a) / (1 - 1/n), a = mean(r)^2 / mean(r^2): a is the activity ratio of Treves & Rolls
    1991, S its rescaling by Vinje & Gallant 2000. NaN where nothing responds, or for n = 1.
    """
    scale = 1 - 1 / n if n > 1 else float("nan")
    return ((1 - mean.square() / square) / scale).clamp(0, 1)


@dataclass(slots=True)
class Sums:
    """Over `images` pictures. peak: [C], the highest activation; None before the first picture.

    totals: sums over pictures by name, see `TOTALS`: [C], of the mean, the energy (mean square),
    whether the channel fires, its response (strongest activation, negative ones as 0) and that
    squared; "population" is [2], the sparsity of the pictures that excite anything, and how many
    those are. classes: per label the sum [C] of the positive activations' means, and how many.
    """

    images: int = 0
    peak: Tensor | None = None
    totals: dict[str, Tensor] = field(default_factory=dict)
    classes: dict[Hashable, tuple[Tensor, int]] = field(default_factory=dict)

    def add(
        self, maps: Tensor, peaks: Tensor, labels: Sequence[Hashable | None], threshold: float
    ) -> None:
        """maps: [B, C, H, W]; peaks: [B, C], their maxima; labels: one per picture or None."""
        # Sums of many pictures need more digits than one activation; MPS has no float64.
        wide = torch.float32 if maps.device.type == "mps" else torch.float64
        places = maps.shape[2] * maps.shape[3]
        response = peaks.to(wide)
        positive = response.clamp(min=0)
        flat = maps.flatten(2).float()
        batch = {
            "mean": flat.sum(2).to(wide).sum(0) / places,
            "energy": torch.linalg.vector_norm(flat, dim=2).to(wide).square().sum(0) / places,
            "fires": (response > threshold).to(wide).sum(0),
            "response": positive.sum(0),
            "square": positive.square().sum(0),
            "population": _population(positive),
        }
        part = Sums(len(maps), response.amax(0), batch, _classes(flat, labels, wide))
        self.merge(part)

    def merge(self, other: Sums) -> None:
        """Add what was summed up over other pictures."""
        if other.peak is None:
            return
        self.images += other.images
        self.peak = other.peak if self.peak is None else torch.maximum(self.peak, other.peak)
        for name, value in other.totals.items():
            self.totals[name] = self.totals.get(name, 0) + value
        for label, (total, count) in other.classes.items():
            mine, seen = self.classes.get(label, (0, 0))
            self.classes[label] = (mine + total, seen + count)

    def copy(self) -> Sums:
        """One that goes on by itself; tensors are never changed in place."""
        return Sums(self.images, self.peak, dict(self.totals), dict(self.classes))


def _population(positive: Tensor) -> Tensor:
    sparsity = treves_rolls(positive.mean(1), positive.square().mean(1), positive.shape[1])
    return torch.stack([sparsity.nansum(), sparsity.isfinite().sum().to(sparsity.dtype)])


def _classes(
    flat: Tensor, labels: Sequence[Hashable | None], wide: torch.dtype
) -> dict[Hashable, tuple[Tensor, int]]:
    known = [label for label in dict.fromkeys(labels) if label is not None]
    if not known:
        return {}
    means = flat.clamp(min=0).sum(2).to(wide) / flat.shape[2]
    rows = {label: [i for i, one in enumerate(labels) if one == label] for label in known}
    return {label: (means[some].sum(0), len(some)) for label, some in rows.items()}
