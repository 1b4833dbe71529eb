"""More or fewer than three colours: which planes are shown, and how arrays are prepared."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from zfwidgets.images import ImageError, Limits, Planes, Preprocess, decode
from zfwidgets.images.decode import decode_planes

Array = np.ndarray[Any, Any]


def scene(channels: int, side: int = 20) -> Array:
    """Planes that differ: plane c is flat, of the level 0.05 + c / 20."""
    flat = 0.05 + np.arange(channels, dtype=np.float32) / 20
    return np.broadcast_to(flat, (side, side, channels)).copy()


def of(channels: int, **options: Any) -> Preprocess:
    numbers: dict[str, Any] = {"mean": (0.0,) * channels, "std": (1.0,) * channels}
    return Preprocess(16, 16, channels=channels, **(numbers | options))


# ----------------------------------------------------------------------------------- choosing


def test_three_planes_become_red_green_and_blue_and_one_becomes_grey() -> None:
    values = torch.arange(5.0)[None, :, None, None].expand(2, 5, 3, 3)
    assert Planes(red=3, green=2, blue=1).of(values)[1, :, 0, 0].tolist() == [3, 2, 1]
    assert Planes(grey=4).of(values)[1, :, 0, 0].tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    ("channels", "planes", "caption"),
    [
        (1, Planes(grey=0), "channel 0 in grey"),
        (2, Planes(grey=0), "channel 0 in grey"),
        (3, Planes(red=0, green=1, blue=2), "channels 0, 1, 2 as red, green, blue"),
        (13, Planes(red=0, green=1, blue=2), "channels 0, 1, 2 as red, green, blue"),
    ],
)
def test_the_usual_planes_are_said_in_words(channels: int, planes: Planes, caption: str) -> None:
    assert Planes.usual(channels) == planes
    assert str(planes) == caption


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"red": 1},
        {"red": 1, "green": 2, "grey": 0},
        {"red": 1, "green": 2, "blue": 3, "grey": 0},
        {"grey": -1},
        {"grey": 0.5},
        {"grey": True},
    ],
)
def test_half_a_choice_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected channels counted from 0.*Planes\(grey=7\)"):
        Planes(**wrong)


def test_a_plane_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"grey=7.*\[1, 4, 2, 2\].*more than 7 channels"):
        Planes(grey=7).of(torch.zeros(1, 4, 2, 2))
    with pytest.raises(ValueError, match="at least one"):
        Planes.usual(0)


# ---------------------------------------------------------------------------------- preparing


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 13])
def test_planes_are_normalised_each_by_its_own_numbers(channels: int) -> None:
    mean = tuple(c / 10 for c in range(channels))
    std = tuple(1 + c for c in range(channels))
    inputs = of(channels, mean=mean, std=std)(scene(channels))
    assert inputs.shape == (channels, 16, 16)
    assert inputs.dtype == torch.float32
    expected = [(0.05 + c / 20 - mean[c]) / std[c] for c in range(channels)]
    np.testing.assert_allclose(inputs[:, 5, 5], expected, atol=1e-6)


def test_planes_are_resampled_as_photographs_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    for mode in ("crop", "squash", "fit"):
        options: Any = {"mode": mode, "mean": (0.1, 0.2, 0.3), "std": (2, 3, 4)}
        planes = Preprocess(16, 20, channels=3, **options)(pixels)
        colours = Preprocess(16, 20, **options)(Image.fromarray(pixels))
        # Photographs are rounded to 8 bits along rows and again along columns, planes are not.
        np.testing.assert_allclose(planes, colours, atol=1.01 / 255 / 2)


@pytest.mark.parametrize(
    ("kind", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.bool_, 1), (np.float32, 10_000.0)]
)
def test_white_is_scale_whatever_the_type(kind: Any, white: float) -> None:
    full = np.full((16, 16, 2), white, kind)
    assert of(2, scale=10_000.0)(full).unique().tolist() == [10_000]


def test_sensor_units_stay_as_they_are() -> None:
    """Reflectances times 10000, as satellites deliver them, with means in the same units."""
    bands = np.full((16, 16, 4), 1500, np.uint16)
    inputs = of(4, mean=(1400,) * 4, std=(50,) * 4, scale=65535)(bands)
    np.testing.assert_allclose(inputs, 2.0, rtol=1e-5)


def test_undo_shows_the_chosen_planes_in_their_levels() -> None:
    pre = of(13, mean=tuple(c / 10 for c in range(13)), std=tuple(1 + c for c in range(13)))
    inputs = pre(scene(13))[None]
    level = [round(255 * (0.05 + c / 20)) for c in range(13)]
    assert pre.undo(inputs)[0, 3, 3].tolist() == level[:3]
    assert pre.undo(inputs, Planes(red=7, green=3, blue=1))[0, 3, 3].tolist() == [
        level[7],
        level[3],
        level[1],
    ]
    assert pre.undo(inputs, Planes(grey=12))[0, 3, 3].tolist() == [level[12]] * 3


def test_projections_of_planes_are_balanced_by_their_deviations() -> None:
    pre = of(4, std=(1, 2, 4, 8), scale=2.0)
    one = torch.ones(1, 4, 2, 2)
    assert pre.to_rgb(one)[0, :, 0, 0].tolist() == [0.5, 1, 2]
    assert pre.to_rgb(one, Planes(grey=3))[0, :, 0, 0].tolist() == [4, 4, 4]


def test_colours_can_be_chosen_of_a_photograph_too() -> None:
    blue_first = Preprocess(16, 16, (0, 0, 0), (1, 1, 1), 255.0, "BGR")
    inputs = blue_first(Image.new("RGB", (20, 20), (10, 20, 30)))[None]
    assert blue_first.undo(inputs)[0, 0, 0].tolist() == [10, 20, 30]
    assert blue_first.undo(inputs, Planes(grey=0))[0, 0, 0].tolist() == [30] * 3


@pytest.mark.parametrize("wrong", [{"channels": 0}, {"channels": True}, {"channels": 4}])
def test_as_many_numbers_as_planes(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|at least 1"):
        Preprocess(**wrong)


def test_a_photograph_for_thirteen_planes_is_refused_in_words() -> None:
    with pytest.raises(ImageError, match=r"13 planes.*mode RGB with 3.*\[height, width, 13\]"):
        of(13)(Image.new("RGB", (30, 30)))


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((13, 20, 20), np.uint8), r"transpose\(1, 2, 0\)"),
        (np.zeros((20, 20, 12), np.uint8), r"expected \[height, width, 13\]"),
        (np.zeros((5, 20, 20, 13), np.uint8), r"array\[0\]"),
        (np.zeros((20, 20), np.uint8), r"expected \[height, width, 13\]"),
        (np.zeros((0, 20, 13), np.uint8), "is empty"),
        (np.zeros((20, 20, 13), np.int16), r"int16.*astype\('float32'\)"),
        (np.zeros((20, 20, 13), complex), "complex128"),
        (np.full((20, 20, 13), np.nan), "nan_to_num"),
        (np.zeros((20, 20, 13), object), "object"),
        (np.broadcast_to(np.uint8(0), (9000, 9000, 13)), "too many pixels"),
    ],
)
def test_scenes_of_another_make_are_told_the_right_one(array: Array, says: str) -> None:
    with pytest.raises(ImageError, match=says):
        of(13)(array)


# -------------------------------------------------------------------------------- from a file


def npy(array: Array) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def test_an_npy_file_is_an_array(tmp_path: Path) -> None:
    file = tmp_path / "scene.npy"
    np.save(file, scene(13))
    np.testing.assert_array_equal(decode_planes(file, 13), scene(13))
    np.testing.assert_array_equal(decode_planes(scene(13), 13), scene(13))
    columns = np.asfortranarray(scene(2))
    np.testing.assert_array_equal(decode_planes(npy(columns), 2), columns)
    colours = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(decode(npy(colours))), colours)


def test_four_planes_are_no_transparency_to_a_network_of_four() -> None:
    four = scene(4)
    np.testing.assert_array_equal(decode_planes(four, 4), four)
    assert isinstance(decode_planes(four, 5), Image.Image)


class Hostile:
    """Whoever unpickles it makes a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return Path.mkdir, (Path(self.folder),)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    made = tmp_path / "made"
    out = io.BytesIO()
    np.save(out, np.array([Hostile(str(made))], object), allow_pickle=True)
    for data in (out.getvalue(), pickle.dumps(Hostile(str(made)))):
        with pytest.raises(ImageError):
            decode(data)
    assert not made.exists()


def test_damaged_npy_files_are_refused() -> None:
    good = npy(scene(3))
    huge = good.replace(b"(20, 20, 3)", b"(9999999999, 9999, 3)")
    for data in (good[:-1], good + b"1", good[:20], good[:6], huge, good.replace(b"<f4", b"<q9")):
        with pytest.raises(ImageError, match=r"damaged or incomplete.*\.npy"):
            decode(data)
    with pytest.raises(ImageError, match="too large a file"):
        decode(good, Limits(max_bytes=100))
