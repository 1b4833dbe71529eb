"""Does a feature map move with the picture? Not the same as staying the same when it does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.arguments import NETWORK, layer_names, takes
from zfwidgets.analysis.fill import Fill
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.transforms import changer
from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.deconvnet import Picture

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, repr=False)
class Equivariance(Result):
    """Correlations of feature maps before and after S shifts of B pictures, for L layers.

    along: Tensor [L, B, S], with the old maps moved along by shift / jump rows: 1 if the layer is
    equivariant. still: Tensor [L, B, S], with the old maps where they were: 1 if it is invariant.
    NaN where no row is left to compare, or maps are constant. shifts: Tensor [S] in pixels
    downwards. jump: of each layer, in pixels.
    """

    layers: tuple[str, ...]
    jump: tuple[int, ...]
    shifts: Tensor
    along: Tensor
    still: Tensor

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per layer, picture and shift (needs pandas)."""
        import pandas as pd

        _, pictures, shifts = self.along.shape
        each = pictures * shifts
        return pd.DataFrame(
            {
                "layer": [name for name in self.layers for _ in range(each)],
                "picture": torch.arange(pictures)
                .repeat_interleave(shifts)
                .repeat(len(self.layers))
                .tolist(),
                "shift": self.shifts.repeat(len(self.layers) * pictures).tolist(),
                "along": self.along.flatten().tolist(),
                "still": self.still.flatten().tolist(),
            }
        )

    def plot(self) -> Figure:
        """Both correlations over the shift, a panel per layer, means over pictures."""
        from zfwidgets.analysis.plot.tuning import plot_equivariance

        return plot_equivariance(self.layers, self.jump, self.shifts, self.along, self.still)


@takes(net=NETWORK)
def equivariance(
    net: DeconvNet,
    images: Picture | Sequence[Picture] | Tensor,
    shifts: Sequence[float] = (0, 2, 4, 8, 12, 16, 24, 32, 48),
    *,
    layers: Sequence[str] | None = None,
    fill: Fill = "grey",
    progress: bool = True,
) -> Equivariance:
    """Move pictures down and correlate their feature maps with the old ones moved along.

    layers: convolutions by default. A shift that is no multiple of the layer's jump moves the old
    maps by linear interpolation between rows. Rows that came in from outside are left out; those
    near the border still see the fill, so a convolution with padding stays a little below 1.
    Pooled layers fall below 1 between multiples of their jump: they alias.

    Raises ValueError for a layer whose neurons have no place, such as a fully connected one.
    """
    if not len(shifts):
        raise ValueError("0 shifts: expected 1 or more, in pixels.")
    inputs = net.preprocess(images)
    clean = net.record(inputs)
    convs = [layer.name for layer in clean.layers.values() if layer.kind == "conv"]
    chosen = layer_names(convs if layers is None else layers)
    jumps = [clean.layers[name].jump[0] for name in chosen]
    if flat := [name for name, jump in zip(chosen, jumps, strict=True) if jump < 1]:
        raise ValueError(f"layer {flat[0]!r} sees the whole picture at once; it has no places.")
    change = changer(net, inputs, "translation", fill)
    deepest = clean.layers.last_of(chosen)
    before = [clean.feature_maps(name).float() for name in chosen]
    along, still = [], []
    for shift in tqdm(shifts, desc="shifts", disable=not progress, leave=False):
        seen = net.record(change(float(shift)), upto=deepest)
        pairs = [
            _correlations(old, seen.feature_maps(name).float(), shift / jump)
            for name, old, jump in zip(chosen, before, jumps, strict=True)
        ]
        along.append(torch.stack([pair[0] for pair in pairs]))
        still.append(torch.stack([pair[1] for pair in pairs]))
    return Equivariance(
        layers=tuple(chosen),
        jump=tuple(jumps),
        shifts=torch.tensor([float(shift) for shift in shifts]),
        along=torch.stack(along, 2).cpu(),
        still=torch.stack(still, 2).cpu(),
    )


def _correlations(old: Tensor, new: Tensor, rows: float) -> tuple[Tensor, Tensor]:
    """Of new maps with old ones moved down by so many rows, and with the old ones: [B] each."""
    height = old.shape[2]
    whole = math.floor(rows)
    share = rows - whole
    first, last = max(0, math.ceil(rows)), height + min(0, whole)
    if first >= last:
        nothing = torch.full((len(old),), float("nan"))
        return nothing, nothing
    moved = (1 - share) * old[:, :, first - whole : last - whole]
    if share:
        moved = moved + share * old[:, :, first - whole - 1 : last - whole - 1]
    kept = new[:, :, first:last]
    return _correlation(moved, kept), _correlation(old[:, :, first:last], kept)


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's, over all channels and places; each channel's own mean is taken off."""
    a, b = (x - x.mean((2, 3), keepdim=True) for x in (a, b))
    a, b = a.flatten(1), b.flatten(1)
    length = a.norm(dim=1) * b.norm(dim=1)
    return ((a * b).sum(1) / length.clamp_min(1e-12)).where(length > 0, float("nan"))
