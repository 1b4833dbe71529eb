"""Filters that are known are measured right."""

from __future__ import annotations

import math

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from zfwidgets.analysis import compare_filters, filters
from zfwidgets.analysis.filters import spectrum
from zfwidgets.deconv import DeconvNet


def with_filters(weights: Tensor, stride: int = 1, name: str = "") -> DeconvNet:
    """A network whose first convolution has these filters [N, 3, h, w]."""
    conv = nn.Conv2d(3, len(weights), weights.shape[-1], stride, bias=False)
    with torch.no_grad():
        conv.weight.copy_(weights)
    return DeconvNet(nn.Sequential(conv, nn.ReLU()), device="cpu", name=name)


def grating(frequency: float, direction: float, side: int = 16) -> Tensor:
    """A grey wave [3, side, side] that travels in this direction, degrees counter-clockwise."""
    angle = math.radians(direction)
    picture = [
        [
            math.cos(2 * math.pi * frequency * (col * math.cos(angle) - row * math.sin(angle)))
            for col in range(side)
        ]
        for row in range(side)
    ]
    return torch.tensor(picture).expand(3, side, side)


@pytest.mark.parametrize("direction", [0, 30, 45, 90, 120])
@pytest.mark.parametrize("frequency", [0.125, 0.25, 0.375])
def test_a_grating_has_its_frequency_and_stripes_across_its_wave(
    frequency: float, direction: float
) -> None:
    result = filters(with_filters(grating(frequency, direction)[None]))
    assert float(result.frequency[0]) == pytest.approx(frequency, abs=0.02)
    off = (float(result.orientation[0]) - (direction + 90)) % 180
    assert min(off, 180 - off) < 4
    # Below 1, as the filter's square edges have a direction too.
    assert float(result.coherence[0]) > 0.75


def test_a_grating_beyond_nyquist_is_aliased_and_a_constant_is_not() -> None:
    weights = torch.stack([grating(0.4, 0, 31), torch.ones(3, 31, 31)])
    aliased, constant = filters(with_filters(weights, stride=2)).aliasing.tolist()
    assert aliased > 0.95
    # The edges of the square leave 1 / (31 pi) of the energy beyond 0.25 in each direction.
    assert constant == pytest.approx(1 - (1 - 1 / (31 * math.pi)) ** 2, abs=2e-3)
    assert filters(with_filters(weights, stride=1)).aliasing.tolist() == [0, 0]


def test_a_coarser_stride_aliases_what_a_finer_one_keeps() -> None:
    weights = grating(0.2, 90, 31)[None]
    assert float(filters(with_filters(weights, stride=2)).aliasing[0]) < 0.05
    assert float(filters(with_filters(weights, stride=4)).aliasing[0]) > 0.9


def test_planted_duplicate_and_dead_filters_are_found() -> None:
    torch.manual_seed(0)
    weights = torch.randn(6, 3, 7, 7)
    weights[4] = 3 * weights[1]
    weights[2] = 0
    weights[5] *= 1e-4
    result = filters(with_filters(weights))
    assert result.duplicate_of.tolist() == [-1, -1, -1, -1, 1, -1]
    assert result.dead.tolist() == [False, False, True, False, False, True]
    assert math.isnan(float(result.aliasing[2]))


def test_rms_is_the_root_of_the_mean_square_and_is_clipped_to_the_papers_radius() -> None:
    weights = torch.stack([torch.full((3, 5, 5), 0.4), torch.full((3, 5, 5), -0.05)])
    result = filters(with_filters(weights))
    torch.testing.assert_close(result.rms, torch.tensor([0.4, 0.05]))
    torch.testing.assert_close(result.clipped()[0], torch.full((3, 5, 5), 0.1))
    torch.testing.assert_close(result.clipped()[1], weights[1])
    assert result.to_frame()["above clip"].tolist() == [True, False]


def test_grey_has_no_colour_opponency_and_red_against_green_has_all() -> None:
    grey = grating(0.25, 0)
    red_green = grey * torch.tensor([1.0, -1.0, 0.0])[:, None, None]
    red = grey * torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    result = filters(with_filters(torch.stack([grey, red_green, red])))
    torch.testing.assert_close(result.opponency, torch.tensor([0.0, 1.0, 2 / 3]), atol=1e-5, rtol=0)


def test_two_networks_stand_side_by_side() -> None:
    fine = with_filters(torch.stack([grating(0.4, 0), grating(0.05, 0)]), stride=4, name="coarse")
    middle = with_filters(torch.stack([grating(0.18, 0), grating(0.18, 90)]), name="even")
    table = compare_filters(fine, middle).to_frame()
    assert isinstance(table, pd.DataFrame)
    assert table["net"].tolist() == ["coarse", "even"]
    assert table["middle frequency"].tolist() == [0, 1]
    assert table["high frequency"].tolist() == [0.5, 0]
    assert table["aliasing"][0] > 0.4
    assert table["aliasing"][1] == 0


def test_a_layer_without_filters_is_refused() -> None:
    net = DeconvNet(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.MaxPool2d(2)), device="cpu")
    with pytest.raises(ValueError, match=r"nn\.Conv2d"):
        filters(net, "pool1")


def test_thespectrum_is_the_sum_of_the_planes_spectra() -> None:
    weights = torch.randn(3, 5, 4, 7)
    planes = torch.fft.fft2(weights.double(), s=(64, 64)).abs().square().sum(1)
    power, vertical, horizontal = spectrum(weights)
    assert torch.allclose(power, planes, atol=1e-9)
    assert float(vertical[1, 0]) == float(horizontal[0, 1]) == 1 / 64
