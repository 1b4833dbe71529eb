"""Preparation agrees with torchvision, can be undone, and knows what part of a photo is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from zfwidgets.images import Preprocess, sample

Array = np.ndarray[Any, Any]

CAFFE = Preprocess(mean=(104, 117, 123), std=(1, 1, 1), scale=255, channels="BGR")
GREY = Preprocess(size=28, resize=32, mean=(0.13,), std=(0.31,), channels="L")


def noise(height: int, width: int) -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    "photo",
    [sample("cat").open(), sample("dogs").open(), noise(37, 100), noise(2000, 31), noise(224, 224)],
    ids=["cat", "dogs", "wide", "tall", "exact"],
)
@pytest.mark.parametrize("size", [(224, 256), (224, 224), (64, 72)])
def test_crop_is_what_torchvision_does(photo: Image.Image, size: tuple[int, int]) -> None:
    ours = Preprocess(size=size[0], resize=size[1])
    theirs = transforms.Compose(
        [
            transforms.Resize(size[1]),
            transforms.CenterCrop(size[0]),
            transforms.ToTensor(),
            transforms.Normalize(ours.mean, ours.std),
        ]
    )
    difference = (ours(photo) - theirs(photo)).abs() * torch.tensor(ours.std)[:, None, None] * 255
    # Resampling only the crop may round a pixel the other way, by one grey level of 255.
    assert float(difference.max()) < 1.01
    assert float(difference.mean()) < 0.3


@pytest.mark.parametrize(
    "pre",
    [
        Preprocess(),
        CAFFE,
        Preprocess(mode="squash"),
        Preprocess(mode="fit"),
        Preprocess(size=227, interpolation="bicubic"),
    ],
    ids=["crop", "caffe", "squash", "fit", "bicubic"],
)
@pytest.mark.parametrize("shape", [(300, 451), (500, 120), (1, 9)])
def test_undo_shows_the_part_of_the_photo_that_is_seen(
    pre: Preprocess, shape: tuple[int, int]
) -> None:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    ramps = np.stack([x * 255 / shape[1], y * 255 / shape[0], 255 - x * 255 / shape[1]], -1)
    photo = Image.fromarray(ramps.round().astype(np.uint8))
    inputs = pre(photo)
    assert inputs.shape == (3, pre.size, pre.size)
    assert inputs.dtype == torch.float32
    seen = pre.undo(inputs[None])[0].astype(float)
    left, top, right, bottom = pre.crop_box(*photo.size)
    # Each ramp has the value of its position, so positions can be read back off what is seen.
    centres = (np.arange(pre.size) + 0.5) / pre.size
    at_x = left + (right - left) * centres - 0.5
    at_y = top + (bottom - top) * centres - 0.5
    inside_x = (at_x > 0.5) & (at_x < shape[1] - 1.5)
    inside_y = (at_y > 0.5) & (at_y < shape[0] - 1.5)
    inner = seen[pre.size // 2, inside_x]
    tolerance = 255 / shape[1] * 0.5 + 1.5
    np.testing.assert_allclose(inner[:, 0], at_x[inside_x] * 255 / shape[1], atol=tolerance)
    np.testing.assert_allclose(
        seen[inside_y, pre.size // 2, 1],
        at_y[inside_y] * 255 / shape[0],
        atol=255 / shape[0] * 0.5 + 1.5,
    )
    np.testing.assert_allclose(inner[:, 0] + inner[:, 2], 255, atol=2)  # red and blue not swapped


def test_undo_gives_back_every_grey_level() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    photo = Image.fromarray(np.stack([levels, levels.T, 255 - levels], -1))
    for pre in (
        Preprocess(size=16, resize=16),
        Preprocess(16, 16, (104, 117, 123), (1, 1, 1), 255.0, "BGR"),
    ):
        np.testing.assert_array_equal(pre.undo(pre(photo)[None])[0], np.asarray(photo))


def test_caffe_weights_get_blue_first_in_0_to_255() -> None:
    red = Image.new("RGB", (300, 300), (255, 0, 0))
    np.testing.assert_allclose(CAFFE(red)[:, 100, 100], [-104, -117, 255 - 123], atol=1e-4)


def test_a_grey_network_sees_one_channel_and_people_see_grey() -> None:
    inputs = GREY(sample("photographer").open())
    assert inputs.shape == (1, 28, 28)
    seen = GREY.undo(inputs[None])
    assert seen.shape == (1, 28, 28, 3)
    assert (seen[..., 0] == seen[..., 2]).all()
    assert seen.std() > 20


def test_crop_keeps_proportions_and_the_centre() -> None:
    for width, height in [(451, 300), (300, 451), (640, 640), (2000, 100)]:
        left, top, right, bottom = Preprocess(size=224, resize=256).crop_box(width, height)
        side = min(width, height) * 224 / 256
        assert right - left == pytest.approx(side, rel=0.01)
        assert bottom - top == pytest.approx(side, rel=0.01)
        assert (left + right) / 2 == pytest.approx(width / 2, abs=width / 256)
        assert (top + bottom) / 2 == pytest.approx(height / 2, abs=height / 256)
        assert min(left, top) >= 0
        assert right <= width
        assert bottom <= height


def test_squash_sees_the_whole_photo_and_fit_even_more() -> None:
    assert Preprocess(mode="squash").crop_box(451, 300) == (0, 0, 451, 300)
    left, top, right, bottom = Preprocess(mode="fit").crop_box(400, 200)
    assert (left, right) == (0, 400)
    assert (top, bottom) == (-100, 300)


def test_the_margin_of_fit_is_zero_for_the_network() -> None:
    inputs = Preprocess(mode="fit")(Image.new("RGB", (400, 200), "white"))
    assert bool((inputs[:, :56] == 0).all())
    assert bool((inputs[:, 168:] == 0).all())
    assert bool((inputs[:, 56:168] > 1).all())


def test_pixel_gain_undoes_the_standard_deviation() -> None:
    """A step of one grey level, in any channel of any network, is 1/255 after the gain."""
    for pre in (Preprocess(), CAFFE, GREY):
        low = pre(Image.new("RGB", (40, 40), (100, 100, 100)))
        high = pre(Image.new("RGB", (40, 40), (101, 101, 101)))
        step = (high - low)[:, 5, 5] * pre.pixel_gain
        np.testing.assert_allclose(step, 1 / 255, rtol=1e-3)


def test_to_rgb_puts_red_first_and_keeps_zero() -> None:
    change = CAFFE(Image.new("RGB", (40, 40), (255, 0, 0))) - CAFFE(Image.new("RGB", (40, 40)))
    rgb = CAFFE.to_rgb(change[None])
    np.testing.assert_allclose(rgb[0, :, 3, 3], [1, 0, 0], atol=1e-6)
    assert GREY.to_rgb(torch.zeros(2, 1, 5, 5)).shape == (2, 3, 5, 5)


def test_photos_of_any_kind_can_be_prepared() -> None:
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"):
        inputs = Preprocess(size=32, resize=32)(Image.new(mode, (50, 40)))
        assert inputs.shape == (3, 32, 32)
        assert bool(torch.isfinite(inputs).all())


def test_extreme_proportions_need_no_memory() -> None:
    for mode in ("crop", "squash", "fit"):
        pre = Preprocess(mode=mode)
        assert pre(Image.new("RGB", (60_000, 1))).shape == (3, 224, 224)


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": "GBR"},
        {"mode": "stretch"},
        {"interpolation": "cubic"},
        {"size": 0},
        {"size": 300},
        {"mean": (0.5,)},
        {"mean": (0.5, 0.5, float("nan"))},
        {"std": (1, 1, 0)},
        {"scale": 0},
        {"channels": "L"},
    ],
)
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Preprocess(**wrong)


def test_undo_tells_the_shape_it_needs() -> None:
    with pytest.raises(ValueError, match=r"inputs\[None\]"):
        Preprocess().undo(torch.zeros(3, 224, 224))
    with pytest.raises(ValueError, match="expected"):
        Preprocess().undo(torch.zeros(1, 1, 224, 224))


def test_equal_preparations_are_equal_and_hashable() -> None:
    listed: Any = [0.485, 0.456, 0.406]
    assert Preprocess(mean=listed) == Preprocess()
    assert len({Preprocess(mean=listed), Preprocess(), CAFFE}) == 2
