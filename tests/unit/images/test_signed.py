"""Signed numbers as colours: zero is white, signs are told apart, lightness falls both ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from zfwidgets.images.contrast import contrast
from zfwidgets.images.signed import colour_mean, signed, signed_colours


def lightness(colours: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """CIE L* of sRGB colours [n, 3], by the standard's formula."""
    c = colours / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


def test_zero_is_white_and_both_ways_grow_darker() -> None:
    table = signed_colours()
    assert table.shape == (255, 3)
    assert table[127].tolist() == [255, 255, 255]
    light = lightness(table)
    assert (np.diff(light[:128]) >= 0).all()
    assert (np.diff(light[127:]) <= 0).all()
    assert abs(light[0] - light[-1]) < 12, "both ends are about as dark"


def test_below_zero_is_blue_and_above_orange() -> None:
    maps = torch.tensor([[[-2.0, 0.0, 2.0, 1.0]]])
    pixels, full = signed(maps, percentile=100)
    below, zero, above, half = pixels[0, 0].astype(int)
    assert full == (2.0,)
    assert zero.tolist() == [255, 255, 255]
    assert below[2] > below[0]
    assert above[0] > above[2]
    assert half.sum() > above.sum()


def test_one_number_for_full_colour_makes_pictures_comparable() -> None:
    maps = torch.stack([torch.full((2, 2), 0.5), torch.full((2, 2), 1.0)])
    (weak, strong), full = signed(maps, full=1.0)
    assert full == (1.0, 1.0)
    assert weak[0, 0].tolist() != strong[0, 0].tolist()
    own, _ = signed(maps)
    assert (own[0] == own[1]).all(), "each on its own they look alike"


def test_a_fixed_contrast_is_said_and_clips() -> None:
    pixels, how = contrast(torch.tensor([-9.0, 0.0, 0.5, 9.0]).view(1, 1, 1, 4), full=1.0)
    assert pixels[0, 0, :, 0].tolist() == [1, 128, 192, 255]
    assert str(how) == "contrast: zero is mid-grey, full at |x| = 1, as given"
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="positive"):
            contrast(torch.zeros(1, 1, 2, 2), full=wrong)
    with pytest.raises(ValueError, match="symmetric"):
        contrast(torch.zeros(1, 1, 2, 2), rule="minmax", full=1.0)


def test_the_colour_mean_and_wrong_shapes() -> None:
    pixels = torch.tensor([[[[3.0]], [[-1.0]], [[1.0]]]])
    assert colour_mean(pixels).tolist() == [[[1.0]]]
    with pytest.raises(ValueError, match=r"\[N, h, w\]"):
        signed(torch.zeros(2, 3, 4, 4))
