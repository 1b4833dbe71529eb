"""Tuning curves and equivariance of networks for which both are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from zfwidgets.analysis.equivariance import equivariance
from zfwidgets.analysis.tuning import Tuning, tuning
from zfwidgets.deconv import DeconvNet


def bars() -> DeconvNet:
    """conv1: channel 0 answers to a horizontal line, channel 1 to a point, channel 2 never."""
    conv = nn.Conv2d(1, 3, 7, padding=3, bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, 0, 3] = 1
        conv.weight[1, 0, 3, 3] = 1
        conv.weight[2] = -1
    return DeconvNet(nn.Sequential(conv, nn.ReLU()), device="cpu")


def line() -> torch.Tensor:
    picture = torch.zeros(1, 1, 31, 31)
    picture[0, 0, 15, 4:27] = 1
    return picture


def test_a_line_detector_is_tuned_to_orientation_and_a_point_is_not() -> None:
    result = tuning(
        bars(), line(), "conv1", "rotation", values=range(-90, 91, 10), fill=0.0, progress=False
    )
    share = result.response[0] / result.clean[0][:, None]
    middle = len(result.values) // 2
    assert share[0, middle] == pytest.approx(1)
    assert share[0, 0] == pytest.approx(1 / 7, abs=0.02)
    assert share[0, -1] == pytest.approx(1 / 7, abs=0.02)
    down, up = result.half_width[0, 0].tolist()
    # A line of width 1 leaves a row of 7 at atan(1 / 3.5) on either side.
    assert down == pytest.approx(up, rel=0.15)
    assert 8 < up < 45
    assert result.half_width[0, 1].tolist() == [math.inf, math.inf]
    assert result.half_width[0, 2].isnan().all()


def test_the_maximum_does_not_mind_translation_within_the_picture() -> None:
    result = tuning(
        bars(), line(), "conv1", "translation", values=[-9, 0, 9], fill=0.0, progress=False
    )
    torch.testing.assert_close(result.response[0, :2], result.clean[0, :2, None].expand(2, 3))


def test_half_widths_lie_between_the_values_tried() -> None:
    values = torch.tensor([4.0, -2.0, 0.0, 2.0, -4.0])
    response = torch.tensor([[[2.0, 8.0, 10.0, 6.0, 4.0]]])
    made = Tuning(
        "translation", "conv1", torch.tensor([0]), values, response, torch.tensor([[10.0]])
    )
    # Upwards 10, 6, 2 at 0, 2, 4: 5 is a quarter of the way from 2 to 4; downwards 8 and 4.
    torch.testing.assert_close(made.half_width, torch.tensor([[[3.5, 2.5]]]))
    never = Tuning("scale", "conv1", torch.tensor([0]), values + 1, response, response[:, :, 0] / 9)
    assert never.half_width.isinf().all()


def test_the_table_and_the_plot_hold_every_curve() -> None:
    result = tuning(
        bars(), line(), "conv1", "scale", values=[1, 2], channels=[1, 0], fill=0.0, progress=False
    )
    table = result.to_frame()
    assert table["channel"].tolist() == [1, 1, 0, 0]
    np.testing.assert_allclose(table["response"], result.response.flatten())
    drawn = [np.asarray(curve.get_ydata()) for curve in result.plot().axes[0].lines]
    share = result.response[0] / result.clean[0][:, None]
    for channel in range(2):
        assert any(len(y) == 2 and np.allclose(y, share[channel]) for y in drawn)


def test_channels_that_are_not_there_are_named() -> None:
    with pytest.raises(ValueError, match="0 to 2"):
        tuning(bars(), line(), "conv1", "scale", channels=[3], fill=0.0, progress=False)


def test_a_convolution_moves_along_by_shift_over_jump() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, bias=False), nn.ReLU())
    model.append(nn.Conv2d(6, 4, 3, stride=2, bias=False))
    picture = torch.zeros(1, 3, 65, 65)
    picture[:, :, 20:40, 20:40] = torch.randn(1, 3, 20, 20)
    result = equivariance(
        DeconvNet(model, device="cpu"), picture, [0, 4, 8, -8, 2, 1], fill=0.0, progress=False
    )
    assert result.jump == (2, 4)
    torch.testing.assert_close(result.along[:, 0, :4], torch.ones(2, 4))
    # A shift of half a jump falls between rows; the first layer has no such trouble with 2.
    assert result.along[0, 0, 4] == pytest.approx(1)
    assert result.along[1, 0, 4] < 0.97
    assert result.along[0, 0, 5] < 0.97
    torch.testing.assert_close(result.still[:, 0, 0], torch.ones(2))
    assert float(result.still[:, 0, 1:4].max()) < 0.5


def test_stripes_moved_by_their_period_stay_as_they_were() -> None:
    conv = nn.Conv2d(1, 1, 1, bias=False)
    stripes = torch.rand(1, 1, 4, 20, generator=torch.Generator().manual_seed(2)).repeat(1, 1, 5, 1)
    net = DeconvNet(nn.Sequential(conv), device="cpu")
    found = equivariance(net, stripes, [4, 2], layers=["conv1"], fill=0.0, progress=False)
    torch.testing.assert_close(found.along[0, 0], torch.ones(2))
    assert found.still[0, 0, 0] == pytest.approx(1)
    assert found.still[0, 0, 1] < 0.5


def test_a_shift_out_of_the_picture_leaves_nothing_to_compare() -> None:
    found = equivariance(bars(), line(), [40], layers=["conv1"], fill=0.0, progress=False)
    assert found.along.isnan().all()
    table = found.to_frame()
    assert table["shift"].tolist() == [40]
    assert found.plot().axes[0].get_title() == "conv1, jump 1"
