"""Signed pictures keep their zero, their signs and their order; heat keeps its order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from zfwidgets.images import contrast, heat, heat_colours

Array = np.ndarray[Any, Any]

#: Numbers as single precision has them, of very different sizes, with exact zeros among them.
TILES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.sampled_from([1, 3]), st.integers(1, 6), st.integers(1, 6)),
    elements=st.one_of(
        st.just(0.0), st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False)
    ),
)


@given(TILES)
def test_zero_is_always_the_same_mid_grey(tiles: Array) -> None:
    for share in ("tile", "all"):
        picture, _ = contrast(tiles, share=share)
        values = np.broadcast_to(tiles.transpose(0, 2, 3, 1), picture.shape)
        assert (picture[values == 0] == 128).all()
        assert (picture[values > 0] >= 128).all()
        assert (picture[values < 0] <= 128).all()


@given(TILES)
def test_turning_the_sign_mirrors_the_grey_levels(tiles: Array) -> None:
    plus, minus = contrast(tiles)[0].astype(int), contrast(-tiles)[0].astype(int)
    np.testing.assert_array_equal(plus - 128, 128 - minus)


@given(TILES)
def test_larger_is_never_darker_within_a_tile(tiles: Array) -> None:
    for rule in ("symmetric", "minmax"):
        picture, _ = contrast(tiles, rule=rule)
        for tile, shown in zip(tiles, picture, strict=True):
            planes = np.broadcast_to(tile.transpose(1, 2, 0), shown.shape)
            order = np.argsort(planes.ravel(), kind="stable")
            assert (np.diff(shown.ravel()[order].astype(int)) >= 0).all()


@given(TILES, st.sampled_from([2.0**-20, 0.5, 4.0, 2.0**20]))
def test_a_tile_looks_the_same_at_any_scale(tiles: Array, factor: float) -> None:
    tiles = np.where(np.abs(tiles) < 1e-6, 0, tiles).astype(np.float32)
    np.testing.assert_array_equal(contrast(tiles)[0], contrast(tiles * np.float32(factor))[0])


def test_the_scale_is_the_percentile_of_the_size_of_what_is_not_zero() -> None:
    tiles = torch.randn(5, 3, 31, 37)
    tiles[:, :, :10] = 0
    _, how = contrast(tiles, percentile=99.5)
    for tile, high, low in zip(tiles.numpy(), how.high, how.low, strict=True):
        sizes = np.abs(tile[tile != 0])
        assert high == np.percentile(sizes, 99.5, method="higher")
        assert low == -high


SIDE = 200  # of a tile of which a sample is looked at first: 120,000 numbers, every 58th of them


@pytest.mark.parametrize("percentile", [50, 99.5, 100])
@pytest.mark.parametrize("large", ["anywhere", "sampled", "not sampled", "nowhere"])
def test_so_is_that_of_a_large_tile_wherever_its_large_numbers_are(
    large: str, percentile: float
) -> None:
    tile = np.random.default_rng(0).normal(size=3 * SIDE * SIDE).astype(np.float32)
    sampled = np.arange(tile.size) % 58 == 0
    places = {"sampled": sampled, "not sampled": ~sampled, "nowhere": np.zeros_like(sampled)}
    if large in places:
        tile[places[large]] *= 1000
    tile[: tile.size // 3] = 0
    _, how = contrast(tile.reshape(1, 3, SIDE, SIDE), percentile=percentile)
    sizes = np.abs(tile[tile != 0])
    assert how.high == (np.percentile(sizes, percentile, method="higher"),)


def test_full_contrast_is_reached_and_only_the_tail_is_clipped() -> None:
    tiles = torch.randn(4, 3, 64, 64)
    picture, _ = contrast(tiles)
    assert picture.max() == 255
    assert picture.min() == 1
    clipped = ((picture == 255) | (picture == 1)).mean()
    assert 0.004 < clipped < 0.012


def test_a_projection_looks_the_same_alone_and_on_an_empty_canvas() -> None:
    window = torch.randn(6, 3, 11, 11)
    canvas = torch.zeros(6, 3, 224, 224)
    canvas[:, :, 40:51, 90:101] = window
    alone, on_canvas = contrast(window)[0], contrast(canvas)[0]
    np.testing.assert_array_equal(on_canvas[:, 40:51, 90:101], alone)
    assert (on_canvas[:, :40] == 128).all()


@pytest.mark.parametrize("rule", ["symmetric", "minmax"])
@pytest.mark.parametrize("share", ["tile", "all"])
def test_nothing_is_flat_grey_not_noise(rule: Any, share: Any) -> None:
    for nothing in (torch.zeros(2, 3, 5, 5), torch.full((2, 3, 5, 5), 1e-44)):
        assert (contrast(nothing, rule=rule, share=share)[0] == 128).all()


def test_a_silent_tile_among_loud_ones_stays_grey() -> None:
    tiles = torch.randn(3, 3, 8, 8)
    tiles[1] = 0
    picture, how = contrast(tiles)
    assert (picture[1] == 128).all()
    assert picture[0].std() > 30
    assert how.high[1] == 0


def test_sharing_makes_tiles_comparable() -> None:
    tile = torch.randn(1, 3, 16, 16)
    both = torch.cat([tile, tile / 4])
    alone, together = contrast(both)[0].astype(int), contrast(both, share="all")[0].astype(int)
    np.testing.assert_array_equal(alone[0], alone[1])
    weak, strong = together[1] - 128, together[0] - 128
    unclipped = np.abs(strong) < 127
    assert np.abs(weak - strong / 4)[unclipped].max() <= 1


def test_gain_balances_the_colours() -> None:
    """A grey change of the photo, divided by each channel's deviation, is shown grey again."""
    deviation = torch.tensor([0.1, 0.2, 0.4])
    change = torch.randn(2, 1, 9, 9).expand(2, 3, 9, 9) / deviation[:, None, None]
    picture = contrast(change, gain=deviation)[0].astype(int)
    assert np.abs(picture - picture.mean(-1, keepdims=True).round()).max() <= 1
    tinted = contrast(change)[0].astype(int)
    assert (tinted.max(-1) - tinted.min(-1)).max() > 50


def test_minmax_reaches_black_and_white() -> None:
    picture, how = contrast(torch.randn(3, 3, 9, 9) + 5, rule="minmax")
    assert (picture.reshape(3, -1).min(1) == 0).all()
    assert (picture.reshape(3, -1).max(1) == 255).all()
    assert len(how.low) == len(how.high) == 3


def test_one_channel_is_shown_grey_and_arrays_are_as_good_as_tensors() -> None:
    tiles = torch.randn(2, 1, 6, 7)
    picture, _ = contrast(tiles)
    assert picture.shape == (2, 6, 7, 3)
    assert picture.dtype == np.uint8
    assert (picture[..., 0] == picture[..., 1]).all()
    np.testing.assert_array_equal(contrast(tiles.numpy())[0], picture)
    np.testing.assert_array_equal(contrast(tiles.double())[0], picture)


@pytest.mark.parametrize("rule", ["symmetric", "minmax"])
def test_arrays_and_tensors_agree_where_a_last_bit_decides(rule: Any) -> None:
    """127 / scale as torch and as NumPy write it differ in half of all scales."""
    numbers = np.random.default_rng(3).normal(0, 0.01, (256, 1, 1, 64)).astype(np.float32)
    # Beside the ends, what lies within some bits of the border between two greys.
    top = np.abs(numbers).max((1, 2, 3), keepdims=True)
    beside = (np.arange(60)[:, None] + 0.5) / 127 * (1 + np.arange(-60, 60) * 2.0**-24)
    edges = beside.ravel().astype(np.float32) * top
    numbers = np.concatenate([edges, -top, top], 3)
    tiles = torch.from_numpy(numbers.copy())
    found = contrast(tiles, rule=rule, percentile=100)[0]
    assert np.array_equal(found, contrast(numbers, rule=rule, percentile=100)[0])


def test_the_caption_says_what_was_done() -> None:
    tiles = torch.randn(2, 3, 4, 4)
    assert "99.5th percentile" in str(contrast(tiles)[1])
    assert "each tile" in str(contrast(tiles)[1])
    shared = contrast(tiles, share="all", percentile=100)[1]
    assert "largest" in str(shared)
    assert "one scale" in str(shared)
    assert len(shared.high) == 1
    assert "white" in str(contrast(tiles, rule="minmax")[1])


def test_the_values_given_are_not_changed() -> None:
    tiles = torch.randn(2, 3, 4, 4)
    before = tiles.clone()
    for rule in ("symmetric", "minmax"):
        contrast(tiles, rule=rule, gain=(2, 2, 2))
    heat(tiles[0])
    assert torch.equal(tiles, before)


def test_no_tiles_give_no_pictures() -> None:
    for share in ("tile", "all"):
        assert contrast(torch.zeros(0, 3, 4, 5), share=share)[0].shape == (
            0,
            4,
            5,
            3,
        )
        assert heat(torch.zeros(0, 4, 5), share=share).shape == (0, 4, 5, 3)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_an_error_not_a_picture(bad: float) -> None:
    tiles = torch.zeros(2, 3, 4, 4)
    tiles[1, 2, 3, 3] = bad
    with pytest.raises(ValueError, match="1 values that are not finite"):
        contrast(tiles)
    with pytest.raises(ValueError, match="not finite"):
        heat(tiles[:, 2])


@pytest.mark.parametrize(
    ("shape", "options", "says"),
    [
        ((3, 4, 4), {}, "values\\[None\\]"),
        ((1, 96, 4, 4), {}, "heat"),
        ((1, 3, 0, 4), {}, "at least one pixel"),
        ((1, 3, 4, 4), {"rule": "log"}, "symmetric"),
        ((1, 3, 4, 4), {"share": "layer"}, "'tile' or 'all'"),
        ((1, 3, 4, 4), {"percentile": 0}, "percentile"),
        ((1, 3, 4, 4), {"gain": (1, 2)}, "one factor for each"),
    ],
)
def test_errors_say_what_was_expected(
    shape: tuple[int, ...], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        contrast(torch.zeros(shape), **options)


# ------------------------------------------------------------------------------------- heat


def luminance(table: Array, matrix: Array | None = None) -> Array:
    """Relative luminance (IEC 61966-2-1), optionally as a colour-blind eye mixes the channels."""
    srgb = table / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    if matrix is not None:
        linear = (linear @ matrix.T).clip(0, 1)
    return np.asarray(linear @ np.array([0.2126, 0.7152, 0.0722]))


def lightness(table: Array, matrix: Array | None = None) -> Array:
    """CIE L*, another measure than the one that the table was made with."""
    y = luminance(table, matrix)
    return np.asarray(np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * 24389 / 27))


def test_heat_colours_grow_lighter_at_an_even_pace() -> None:
    table = heat_colours()
    assert table.shape == (256, 3)
    assert (np.diff(luminance(table)) > 0).all()
    light = lightness(table)
    assert light[0] < 5
    assert light[-1] > 95
    paces = np.diff(light[::16])
    assert paces.max() / paces.min() < 2


@pytest.mark.parametrize(
    "matrix",
    [
        # Machado, Oliveira & Fernandes 2009, severity 1.0: protanopia, deuteranopia.
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.0039, -0.0481, 1.052],
        ],
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.0118, 0.0429, 0.9689],
        ],
    ],
    ids=["protanopia", "deuteranopia"],
)
def test_heat_can_be_read_without_telling_red_from_green(matrix: list[list[float]]) -> None:
    assert (np.diff(lightness(heat_colours()[::4], np.array(matrix))) > 0).all()


def test_zero_is_the_darkest_colour_and_the_largest_the_brightest() -> None:
    maps = torch.rand(4, 13, 13).relu()
    maps[:, 0, 0] = 0
    shown = heat(maps)
    assert shown.shape == (4, 13, 13, 3)
    table = heat_colours()
    for values, picture in zip(maps, shown, strict=True):
        assert (picture[0, 0] == table[0]).all()
        at = np.unravel_index(int(values.argmax()), values.shape)
        assert (picture[at] == table[-1]).all()


@settings(deadline=None)
@given(arrays.arrays(np.float32, (2, 4, 5), elements=st.floats(0, 2.0**40, width=32)))
def test_hotter_is_never_darker(maps: Array) -> None:
    for values, picture in zip(maps, heat(maps), strict=True):
        order = np.argsort(values.ravel(), kind="stable")
        assert (np.diff(luminance(picture.reshape(-1, 3)[order])) >= 0).all()


def test_silence_is_dark_and_negative_is_silence() -> None:
    dark = heat_colours()[0]
    assert (heat(torch.zeros(2, 3, 3)) == dark).all()
    assert (heat(-torch.rand(2, 3, 3)) == dark).all()


def test_shared_heat_compares_maps() -> None:
    maps = torch.ones(2, 3, 3)
    maps[1] = 0.5
    assert (heat(maps)[0] == heat(maps)[1]).all()
    shared = heat(maps, share="all")
    assert (shared[0] == heat_colours()[255]).all()
    assert (shared[1] == heat_colours()[128]).all()


def test_the_table_cannot_be_spoilt() -> None:
    with pytest.raises(ValueError, match="read-only"):
        heat_colours()[0] = 9
