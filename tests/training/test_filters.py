"""What counts as an oriented, an opponent or a noisy filter, on filters whose nature is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from training.filters import report
from zfwidgets.analysis.filters import measure

AXIS = torch.arange(7) - 3.0
Y, X = torch.meshgrid(AXIS, AXIS, indexing="ij")


def gratings(frequencies: tuple[float, ...], angles: int = 6) -> Tensor:
    """Grey Gabor filters [N,3,7,7] of every frequency (cycles a pixel) and angle."""
    tiles = []
    for frequency in frequencies:
        for k in range(angles):
            t = math.pi * k / angles
            wave = torch.cos(2 * math.pi * frequency * (X * math.cos(t) + Y * math.sin(t)))
            tiles.append(wave * torch.exp(-(X**2 + Y**2) / 10))
    return torch.stack(tiles)[:, None].expand(-1, 3, -1, -1)


def test_gratings_are_oriented_and_without_colour() -> None:
    found = report(gratings((0.15, 0.25, 0.35)))
    assert found.oriented == 1
    assert found.opponent == 0
    assert found.noise == 0


def test_a_gratings_frequency_falls_into_its_band() -> None:
    assert report(gratings((0.18,))).frequency_bands[1] == 1
    assert report(gratings((0.33,))).frequency_bands[2] == 1


def test_colour_blobs_are_opponent_and_without_orientation() -> None:
    blob = torch.exp(-(X**2 + Y**2) / 10)
    colours = torch.tensor([[1.0, -1, 0], [-1, -1, 2], [2, -1, -1], [-1, 1, 0]])
    found = report(colours[:, :, None, None] * blob)
    assert found.opponent == 1
    assert found.oriented == 0


def test_the_papers_starting_filters_are_noise() -> None:
    torch.manual_seed(5)
    found = report(torch.randn(96, 3, 7, 7) * 0.01)
    assert found.noise > 0.9
    assert found.either < 0.05
    assert found.near_duplicates == 0


def test_a_lattice_is_chequered_and_neither_gratings_nor_blobs_are() -> None:
    wave = torch.cos(2 * math.pi * 0.4 * AXIS)
    lattice = torch.outer(wave, wave).expand(1, 3, 7, 7)
    assert report(lattice).chequered == 1
    assert report(gratings((0.2, 0.35))).chequered == 0
    assert report(torch.exp(-(X**2 + Y**2) / 10).expand(1, 3, 7, 7)).chequered == 0


def test_a_filter_and_its_scaled_copy_are_near_duplicates() -> None:
    filters = torch.randn(10, 3, 7, 7)
    filters[1] = 4 * filters[0]
    assert report(filters).near_duplicates == pytest.approx(0.2)


def test_orientation_does_not_depend_on_the_angle() -> None:
    values = measure(gratings((0.25,), angles=12)).coherence
    assert values.max() - values.min() < 0.02
    assert values.min() > 0.8
