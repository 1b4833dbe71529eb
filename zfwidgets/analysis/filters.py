"""What the filters of a layer look like, in numbers: the paper's choice of architecture (Fig. 6).

Zeiler & Fergus saw in AlexNet's first layer very high and very low frequencies with little between,
dead filters, and aliasing from its stride of 4 (section 4.1). These are the numbers for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from zfwidgets.analysis.arguments import NETWORK, takes
from zfwidgets.analysis.result import Result
from zfwidgets.deconv import DeconvNet

if TYPE_CHECKING:
    import pandas as pd

RADIUS = 0.1
"""The paper renormalises filters whose root mean square exceeds this (section 3). Its inputs span
about -128 to 128; with inputs of unit variance the same filter has weights far larger."""

SIDE = 64
"""Filters are padded with zeros to this side (or twice their own) before the Fourier transform."""


@dataclass(frozen=True, slots=True, repr=False)
class Filters(Result):
    """One row per filter of a convolution.

    weights: Tensor [N, C, h, w]. rms: [N], root mean square of a filter's weights. frequency: [N],
    cycles per pixel of the layer's input at the peak of the power spectrum, each plane's mean
    removed. orientation: [N], degrees of the stripes, counter-clockwise from horizontal, 0 to 180.
    coherence: [N], 0 (no orientation) to 1 (a grating). opponency: [N], 0 (grey) to 1 (pure colour
    contrast); NaN unless there are three input channels. aliasing: [N], share of the energy beyond
    what the layer's stride can sample, 0.5 / stride cycles per pixel along rows or columns. dead:
    bool [N], RMS below a hundredth of the median. duplicate_of: LongTensor [N], the first earlier
    filter with a cosine above 0.95, or -1. NaN for a filter without energy.
    """

    net: str
    layer: str
    stride: tuple[int, int]
    weights: Tensor
    rms: Tensor
    frequency: Tensor
    orientation: Tensor
    coherence: Tensor
    opponency: Tensor
    aliasing: Tensor
    dead: Tensor
    duplicate_of: Tensor

    def clipped(self, radius: float = RADIUS) -> Tensor:
        """The weights [N, C, h, w], filters with a larger RMS scaled down to the radius."""
        factor = (radius / self.rms.clamp_min(1e-30)).clamp_max(1)
        return self.weights * factor[:, None, None, None]

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per filter (needs pandas)."""
        import pandas as pd

        columns = ("rms", "frequency", "orientation", "coherence", "opponency", "aliasing", "dead")
        table = {name: getattr(self, name).tolist() for name in columns}
        return pd.DataFrame(
            table
            | {
                "above clip": (self.rms > RADIUS).tolist(),
                "duplicate of": self.duplicate_of.tolist(),
            }
        )


@dataclass(frozen=True, slots=True, repr=False)
class FilterComparison(Result):
    """The filters of several networks, side by side."""

    reports: tuple[Filters, ...]

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per network (needs pandas).

        Shares are of filters that are not dead, but for "dead" itself. Low, middle and high
        frequencies are divided at 0.12 and 0.24 cycles per pixel.
        """
        import pandas as pd

        return pd.DataFrame([_summary(report) for report in self.reports])


@takes(net=NETWORK)
def filters(net: DeconvNet, layer: str | None = None) -> Filters:
    """Measure the filters of a convolution, by default the network's first one.

    Raises ValueError for a layer that is no 2-D convolution with weights of its own.
    """
    name = layer or next((item.name for item in net.layers.values() if item.kind == "conv"), None)
    if name is None:
        raise ValueError(f"{net.name} has no convolution, so there are no filters to measure.")
    return measure(_weights(net, name), net.layers[name].stride, net=net.name, layer=name)


def measure(
    weights: Tensor, stride: tuple[int, int] = (1, 1), *, net: str = "", layer: str = ""
) -> Filters:
    """Measure filters [N, C, h, w] that belong to no DeconvNet, such as a checkpoint's."""
    rms = weights.square().mean((1, 2, 3)).sqrt()
    dead = rms <= 0.01 * rms.median()
    frequency, orientation, coherence = _stripes(weights)
    rows = {
        "frequency": frequency,
        "orientation": orientation,
        "coherence": coherence,
        "opponency": _opponency(weights),
        "aliasing": _aliasing(weights, stride),
    }
    return Filters(
        net=net,
        layer=layer,
        stride=stride,
        weights=weights,
        rms=rms,
        dead=dead,
        duplicate_of=_duplicates(weights, dead),
        **{key: row.float().where(rms > 0, float("nan")) for key, row in rows.items()},
    )


def compare_filters(*nets: DeconvNet, layer: str | None = None) -> FilterComparison:
    """The same layer of several networks, by default the first convolution of each."""
    if not nets:
        raise ValueError("compare_filters() got no networks; expected two or more.")
    return FilterComparison(tuple(filters(net, layer) for net in nets))


def _weights(net: DeconvNet, name: str) -> Tensor:
    found = net.layers[name]
    parameters = dict(net.model.named_parameters())
    weights = parameters.get(f"{found.path}.weight")
    if found.kind != "conv" or weights is None or weights.ndim != 4:
        raise ValueError(
            f"layer {name!r} is a {found.kind} without filters [N, C, h, w] of its own; give a "
            "layer that is an nn.Conv2d."
        )
    return weights.detach().float().cpu()


def spectrum(weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Power [N, S, S] of filters [N, C, h, w] summed over input channels, zero frequency first.

    Besides, the vertical and the horizontal frequency [S, S] in cycles per pixel.
    """
    side = max(SIDE, 2 * max(weights.shape[2:]))
    lags = [2 * length - 1 for length in weights.shape[2:]]
    # The spectrum of the planes' summed autocorrelation: one large transform a filter, not one a
    # plane, of which a second layer has a hundred.
    small = torch.fft.fft2(weights.double(), s=lags).abs().square().sum(1)
    around = torch.fft.fftshift(torch.fft.ifft2(small).real, (1, 2))
    rows, cols = (torch.arange(count) - (count // 2) for count in lags)
    spread = around.new_zeros(len(weights), side, side)
    spread[:, rows[:, None] % side, cols % side] = around
    power = torch.fft.fft2(spread).real.clamp_min(0)
    axis = torch.fft.fftfreq(side, dtype=torch.float64)
    vertical, horizontal = torch.meshgrid(axis, axis, indexing="ij")
    return power, vertical, horizontal


def _stripes(weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Frequency, orientation in degrees and coherence, each [N]."""
    power, fy, fx = spectrum(weights - weights.mean((2, 3), keepdim=True))
    peak = power.flatten(1).argmax(1)
    frequency = (fy.square() + fx.square()).sqrt().flatten()[peak]
    # Doubled angles: a wave and its mirror image are one orientation. Rows count downwards.
    moment = (power * torch.exp(2j * torch.atan2(-fy, fx))).sum((1, 2))
    orientation = (moment.angle().rad2deg() / 2 + 90) % 180
    return frequency, orientation, moment.abs() / power.sum((1, 2)).clamp_min(1e-30)


def _aliasing(weights: Tensor, stride: tuple[int, int]) -> Tensor:
    """Share of energy [N] beyond the Nyquist frequency of the stride, along rows or columns."""
    power, fy, fx = spectrum(weights)
    beyond = (fy.abs() > 0.5 / stride[0]) | (fx.abs() > 0.5 / stride[1])
    return (power * beyond).sum((1, 2)) / power.sum((1, 2)).clamp_min(1e-30)


def _opponency(weights: Tensor) -> Tensor:
    """Share of energy in the strongest colour direction, times its part that is off grey: [N]."""
    if weights.shape[1] != 3:
        return torch.full((len(weights),), float("nan"))
    direction, strength, _ = torch.linalg.svd(weights.flatten(2).double(), full_matrices=False)
    share = strength[:, 0].square() / strength.square().sum(1).clamp_min(1e-30)
    return share * (1 - direction[:, :, 0].sum(1).square() / 3)


def _duplicates(weights: Tensor, dead: Tensor, cosine: float = 0.95) -> Tensor:
    unit = F.normalize(weights.flatten(1), dim=1).masked_fill(dead[:, None], 0)
    alike = (unit @ unit.T > cosine).tril(-1)
    return alike.int().argmax(1).where(alike.any(1), -1)


def _summary(report: Filters) -> dict[str, object]:
    alive = ~report.dead
    band = torch.bucketize(report.frequency[alive], torch.tensor([0.12, 0.24]))
    low, middle, high = (float((band == index).float().mean()) for index in range(3))
    return {
        "net": report.net,
        "layer": report.layer,
        "filters": len(report.rms),
        "stride": report.stride[0],
        "dead": float(report.dead.float().mean()),
        "duplicates": float((report.duplicate_of[alive] >= 0).float().mean()),
        "largest RMS / median": float(report.rms.max() / report.rms.median()),
        "low frequency": low,
        "middle frequency": middle,
        "high frequency": high,
        "aliasing": float(report.aliasing[alive].mean()),
        "coherence": float(report.coherence[alive].mean()),
        "opponency": float(report.opponency[alive].mean()),
    }
