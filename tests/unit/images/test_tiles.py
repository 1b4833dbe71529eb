"""Tiles keep their pixels through sheets and files, and their values through resizing."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zfwidgets.images import encode, heat, resize, sprite

Array = np.ndarray[Any, Any]


def noise(*shape: int) -> Array:
    return np.random.default_rng(2).integers(0, 256, shape, np.uint8)


def decoded(data: bytes) -> Array:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(("mime", "kind"), [("image/webp", "WEBP"), ("image/png", "PNG")])
def test_every_pixel_survives_the_default_encoding(mime: str, kind: str) -> None:
    for pixels in (noise(40, 56, 3), np.zeros((1, 1, 3), np.uint8), heat(torch.rand(1, 9, 9))[0]):
        data = encode(pixels, mime)
        np.testing.assert_array_equal(decoded(data), pixels)
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == kind


def test_grey_and_cut_out_pixels_can_be_encoded() -> None:
    grey = noise(9, 11)
    np.testing.assert_array_equal(decoded(encode(grey))[..., 1], grey)
    part = noise(20, 20, 3)[2:9, ::2]
    np.testing.assert_array_equal(decoded(encode(part)), part)


def test_lossy_files_are_smaller_and_close() -> None:
    y, x = np.mgrid[0:64, 0:64]
    smooth = np.stack([x * 4, y * 4, 255 - x * 2], -1).astype(np.uint8)
    for mime in ("image/jpeg", "image/webp"):
        good, poor = encode(smooth, mime, 95), encode(smooth, mime, 10)
        assert len(poor) < len(good)
        assert np.abs(decoded(good).astype(int) - smooth).mean() < 4


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (np.zeros((4, 4, 3)), {}),
        (noise(4, 4, 3, 1), {}),
        (noise(0, 4, 3), {}),
        (noise(4, 4, 3), {"mime": "image/gif"}),
        (noise(4, 4, 3), {"mime": "image/png", "quality": 50}),
        (noise(4, 4, 3), {"quality": 0}),
        (noise(1, 16_384, 3), {}),
    ],
)
def test_what_cannot_be_encoded_says_why(pixels: Array, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|Use"):
        encode(pixels, **options)


@given(st.integers(1, 30), st.one_of(st.none(), st.integers(1, 9)))
def test_tile_i_lies_at_its_row_and_column(count: int, columns: int | None) -> None:
    tiles = noise(count, 3, 4, 3)
    sheet = sprite(tiles, columns, fill=7)
    across = sheet.shape[1] // 4
    assert across == columns if columns else across**2 >= count
    for i in range(sheet.shape[0] // 3 * across):
        row, column = divmod(i, across)
        cell = sheet[row * 3 : row * 3 + 3, column * 4 : column * 4 + 4]
        np.testing.assert_array_equal(cell, tiles[i] if i < count else np.full((3, 4, 3), 7))


def test_a_sheet_needs_tiles() -> None:
    for wrong in (noise(0, 4, 4, 3), noise(4, 4, 3), np.zeros((2, 4, 4, 3)), noise(2, 4, 4, 1)):
        with pytest.raises(ValueError, match="expected at least one tile"):
            sprite(wrong)
    with pytest.raises(ValueError, match="columns=0"):
        sprite(noise(2, 4, 4, 3), 0)


def test_enlarging_repeats_pixels() -> None:
    tiles = torch.randn(3, 2, 13, 7)
    by_hand = tiles.repeat_interleave(4, 2).repeat_interleave(3, 3)
    assert torch.equal(resize(tiles, 52, 21), by_hand)
    uneven = resize(tiles, 64, 64)
    assert set(uneven.unique().tolist()) == set(tiles.unique().tolist())
    assert torch.equal(resize(tiles.flip(3), 64, 64), uneven.flip(3))  # no drift to one side


def test_shrinking_keeps_the_mean_and_lets_fine_stripes_vanish() -> None:
    stripes = torch.tensor([1.0, -1.0]).repeat(64).expand(1, 1, 128, 128)
    shrunk = resize(stripes + 3, 32, 32)
    assert float(shrunk.mean()) == pytest.approx(3, abs=0.02)
    assert float((shrunk - 3)[..., 2:-2].abs().max()) < 0.05


def test_pictures_and_tensors_are_resized_alike() -> None:
    pictures = noise(4, 40, 50, 3)
    for height, width in [(16, 20), (80, 100), (16, 100), (40, 50)]:
        shown = resize(pictures, height, width)
        assert shown.shape == (4, height, width, 3)
        assert shown.dtype == np.uint8
        planes = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
        expected = resize(planes, height, width).permute(0, 2, 3, 1).numpy()
        assert np.abs(shown - expected).max() <= 1.5
    assert resize(noise(0, 8, 8, 3), 4, 4).shape == (0, 4, 4, 3)


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        resize(torch.zeros(1, 3, 4, 4), 0, 4)
    with pytest.raises(ValueError, match="expected"):
        resize(torch.zeros(3, 4, 4), 2, 2)
