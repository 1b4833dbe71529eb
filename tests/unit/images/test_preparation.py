"""Whoever wrote the preparation: what the network sees is shown as it was, in its own colours."""

from __future__ import annotations

import random
from collections import UserDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image, ImageOps
from timm.data.transforms_factory import create_transform
from torch import Tensor
from torchvision import transforms as T
from torchvision.transforms import v2

from zfwidgets.images import Planes, Preparation, Preprocess
from zfwidgets.images.preparation import prepared, unfit, usual_preprocess

Array = np.ndarray[Any, Any]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def photo(side: int = 64) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    return Image.fromarray(pixels)


def floats(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)


def caffe(image: Image.Image) -> Tensor:
    return floats(image).flip(0) - torch.tensor([104.0, 117, 123])[:, None, None]


class Processor:
    """Answers as the image processors of transformers do: channels first, in a mapping of lists."""

    def __call__(self, images: Image.Image) -> UserDict[str, list[Array]]:
        values = np.asarray(images).transpose(2, 0, 1) * 0.00392156862745098
        mean, std = (np.array(numbers)[:, None, None] for numbers in (MEAN, STD))
        return UserDict({"pixel_values": [((values - mean) / std).astype(np.float32)]})


class TextAndPictures:
    """As their processors for two kinds of input."""

    image_processor = Processor()

    def __call__(self, text: str) -> None:
        raise TypeError(text)


EXACT: dict[str, Callable[[Any], Any]] = {
    "Compose": T.Compose([T.ToTensor(), T.Normalize(MEAN, STD)]),
    "nested": T.Compose([T.Compose([T.ToTensor()]), T.Compose([T.Normalize(MEAN, STD)])]),
    "two Normalize": T.Compose([T.ToTensor(), T.Normalize(MEAN, STD), T.Normalize(STD, MEAN)]),
    "ConvertImageDtype": T.Compose(
        [T.PILToTensor(), T.ConvertImageDtype(torch.float32), T.Normalize(MEAN, STD)]
    ),
    "0..255": T.Compose([T.PILToTensor(), T.Lambda(lambda values: values.float())]),
    "v2": v2.Compose(
        [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    ),
    "v2, 0..255": v2.Compose(
        [v2.PILToTensor(), v2.ToDtype(torch.float32), v2.Normalize(MEAN, STD)]
    ),
    "timm": create_transform((3, 64, 64), crop_pct=1.0, mean=MEAN, std=STD),
    "Caffe": caffe,
    "inverted": lambda image: 1 - floats(image) / 255,
    "a batch of one": lambda image: floats(image)[None],
    "an array": lambda image: np.asarray(image).transpose(2, 0, 1),
    "processor": Processor(),
    "text and pictures": TextAndPictures(),
}


@pytest.mark.parametrize("transforms", EXACT.values(), ids=EXACT.keys())
def test_what_is_seen_is_the_picture_to_the_grey_level(transforms: Callable[[Any], Any]) -> None:
    preparation = Preparation(transforms, 3)
    inputs = preparation(photo())
    assert type(inputs) is Tensor
    np.testing.assert_array_equal(preparation.undo(inputs[None])[0], np.asarray(photo()))
    assert preparation.note == ""


@pytest.mark.parametrize("transforms", EXACT.values(), ids=EXACT.keys())
def test_a_change_of_the_input_has_the_colour_of_the_change_of_the_picture(
    transforms: Callable[[Any], Any],
) -> None:
    preparation = Preparation(transforms, 3)
    black, orange = (Image.new("RGB", (64, 64), colour) for colour in ("black", (204, 102, 51)))
    change = preparation(orange).float() - preparation(black).float()
    rgb = preparation.to_rgb(change[None])
    np.testing.assert_allclose(rgb[0, :, 30, 30], [0.8, 0.4, 0.2], atol=1e-5)
    assert float(preparation.to_rgb(torch.zeros(1, 3, 4, 4)).abs().max()) == 0


def test_torchvisions_presets_are_undone_without_being_known() -> None:
    weights = torchvision.models
    for preset, side in (
        (weights.ResNet18_Weights.DEFAULT, 224),
        (weights.segmentation.LRASPP_MobileNet_V3_Large_Weights.DEFAULT, 520),
    ):
        preparation = Preparation(preset.transforms(), 3)
        assert preparation.size == (side, side)
        np.testing.assert_allclose(preparation.pixel_gain, STD, rtol=1e-5)
        np.testing.assert_allclose(-preparation.black * preparation.pixel_gain, MEAN, rtol=1e-5)


def test_a_mean_and_std_that_are_only_named_are_not_believed() -> None:
    """Attributes may say anything; what counts is what happens to the picture."""

    class Misleading:
        mean, std, size = (9.0, 9.0, 9.0), (7.0, 7.0, 7.0), 11

        def __call__(self, image: Image.Image) -> Tensor:
            return floats(image) / 255

    preparation = Preparation(Misleading(), 3)
    seen = preparation.undo(preparation(photo())[None])[0]
    np.testing.assert_array_equal(seen, np.asarray(photo()))
    assert preparation.size is None


def test_mixed_colours_are_unmixed() -> None:
    """As for a network that was trained on brightness and two differences of colour."""
    mix = torch.tensor([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
    preparation = Preparation(lambda image: torch.einsum("dc,chw->dhw", mix, floats(image)), 3)
    seen = preparation.undo(preparation(photo())[None])[0].astype(int)
    assert np.abs(seen - np.asarray(photo())).max() <= 1


def test_the_size_is_what_every_square_picture_becomes() -> None:
    to_tensor = T.ToTensor()
    assert Preparation(T.Compose([T.Resize((48, 40)), to_tensor]), 3).size == (48, 40)
    assert Preparation(T.Compose([T.Resize(32), to_tensor]), 3).size == (32, 32)
    assert Preparation(to_tensor, 3).size is None
    assert Preparation(Preprocess(size=99), 3).size == (99, 99)


def test_margins_crops_and_flips_change_no_level() -> None:
    for step in (
        T.Pad(30, fill=200),
        T.CenterCrop(300),
        T.RandomCrop(300),
        T.RandomHorizontalFlip(1),
        T.RandomResizedCrop(40),
    ):
        preparation = Preparation(T.Compose([step, T.ToTensor(), T.Normalize(MEAN, STD)]), 3)
        assert preparation.note == "", step
        np.testing.assert_allclose(preparation.pixel_gain, STD, rtol=1e-5)


@pytest.mark.parametrize(
    ("transforms", "reason"),
    [
        (lambda image: floats(ImageOps.equalize(image)), "its own way"),
        (lambda image: floats(ImageOps.autocontrast(image)), "its own way"),
        (lambda image: floats(image) ** 2.2, "its own way"),
        (lambda image: floats(image) - floats(image).mean(), "its own way"),
        (lambda image: floats(image) - floats(image).mean((1, 2), True), "same of every plain"),
        (lambda _image: torch.zeros(3, 8, 8), "same of every plain picture"),
        (lambda _image: torch.rand(3, 8, 8), "its own way"),
        (lambda image: floats(image)[:2], "made 2 channels"),
        (lambda image: {}[image.size], "KeyError"),
    ],
)
def test_what_is_no_line_is_said_and_stretched(
    transforms: Callable[[Any], Any], reason: str
) -> None:
    preparation = Preparation(transforms, 3)
    assert reason in preparation.note
    assert "from their least to their greatest value" in preparation.note
    ramp = torch.linspace(-3, 5, 64).reshape(1, 1, 8, 8).expand(1, 3, 8, 8)
    seen = preparation.undo(ramp)
    assert (seen.min(), seen.max()) == (0, 255)
    assert torch.equal(preparation.to_rgb(ramp), ramp)


def dice() -> tuple[float, float, float]:
    """One of each kind that transforms throw."""
    return torch.rand(1).item(), random.random(), np.random.rand()  # noqa: NPY002


def seed_dice() -> None:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002


def test_the_measurement_throws_nobodys_dice() -> None:
    seed_dice()
    expected = dice()
    seed_dice()
    assert "its own way" in Preparation(lambda image: floats(image) + 100 * sum(dice()), 3).note
    assert dice() == expected


def test_nothing_is_measured_before_it_is_asked_for_and_then_once() -> None:
    asked: list[Image.Image] = []

    def counting(image: Image.Image) -> Tensor:
        asked.append(image)
        return floats(image)

    preparation = Preparation(counting, 3)
    inputs = preparation(photo())[None]
    assert len(asked) == 1
    preparation.undo(inputs)
    count = len(asked)
    assert count < 15
    preparation.undo(inputs)
    preparation.to_rgb(inputs)
    assert len(asked) == count


# -------------------------------------------------------------------------- grey, and planes


def test_a_grey_network_gets_grey_where_transforms_keep_the_mode() -> None:
    keeps = Preparation(T.Compose([T.ToTensor(), T.Normalize((0.1307,), (0.3081,))]), 1)
    turns = Preparation(T.Compose([T.Grayscale(), T.ToTensor(), T.Normalize(0.13, 0.31)]), 1)
    wants = Preparation(lambda image: floats(image)[1:2], 1)
    grey = np.asarray(photo().convert("L"))
    for preparation, expected in (
        (keeps, grey),
        (turns, grey),
        (wants, np.asarray(photo())[..., 1]),
    ):
        inputs = preparation(photo())
        assert inputs.shape == (1, 64, 64)
        for plane in range(3):
            np.testing.assert_array_equal(preparation.undo(inputs[None])[0, ..., plane], expected)


def test_three_times_grey_is_shown_grey() -> None:
    preparation = Preparation(T.Compose([T.Grayscale(3), T.ToTensor(), T.Normalize(MEAN, STD)]), 3)
    seen = preparation.undo(preparation(photo())[None])[0]
    np.testing.assert_array_equal(seen, np.asarray(photo().convert("L").convert("RGB")))


def test_planes_of_an_array_are_measured_too() -> None:
    mean = torch.arange(13.0)[:, None, None]
    std = 1 + torch.arange(13.0)[:, None, None]

    def own(scene: Array) -> Tensor:
        return (torch.from_numpy(scene).permute(2, 0, 1) - mean) / std

    preparation = Preparation(own, 13)
    scene = np.random.default_rng(0).random((10, 12, 13), np.float32)
    inputs = preparation(preparation.open(scene))
    seen = preparation.undo(inputs[None], Planes(red=12, green=0, blue=5))[0]
    np.testing.assert_allclose(seen, scene[..., [12, 0, 5]] * 255, atol=0.51)
    np.testing.assert_allclose(preparation.pixel_gain, std.flatten(), rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
def test_without_transforms_any_number_of_channels_can_be_shown(channels: int) -> None:
    preparation = Preparation(None, channels)
    assert preparation.size == (224, 224)
    assert preparation.note == ""
    scene = np.random.default_rng(0).random((300, 300, channels), np.float32)
    inputs = preparation(preparation.open(scene))
    assert inputs.shape == (channels, 224, 224)
    assert preparation.undo(inputs[None]).shape == (1, 224, 224, 3)
    # Of a tensor that somebody else prepared nothing is known: its own range is shown.
    seen = preparation.undo(torch.linspace(-2, 2, channels * 16).reshape(1, channels, 4, 4))
    assert seen.min() == 0


def test_three_channels_without_transforms_are_imagenets() -> None:
    assert Preparation(None, 3).transforms == usual_preprocess(3) == Preprocess()


def test_a_preprocess_is_its_own_way_back() -> None:
    own = Preprocess(size=64, resize=64)
    preparation = Preparation(own, 3)
    inputs = own(photo())[None]
    np.testing.assert_array_equal(preparation.undo(inputs), own.undo(inputs))
    assert torch.equal(preparation.to_rgb(inputs), own.to_rgb(inputs))
    assert torch.equal(preparation.pixel_gain, own.pixel_gain)


def test_pictures_are_opened_with_a_word_where_their_range_was_guessed() -> None:
    xray = np.linspace(0, 4095, 64, dtype=np.uint16).reshape(8, 8)
    with pytest.warns(UserWarning, match="4095.*12 bits"):
        opened = Preparation(None, 3).open(xray)
    assert np.asarray(opened).max() == 255


# ------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("gives", "says"),
    [
        (Image.new("RGB", (4, 4)), r"gave Image.*ToTensor\(\)"),
        (None, "gave NoneType"),
        (torch.zeros(4, 4), r"gave a Tensor \[4, 4\]"),
        (torch.zeros(2, 3, 4, 4), r"gave a Tensor \[2, 3, 4, 4\]"),
        (np.zeros((2, 2)), r"gave a ndarray \[2, 2\]"),
        (np.zeros((3, 2, 2), object), "gave a ndarray"),
        ({"image": 1}, "gave a dict of image"),
        ([1, 2], "gave list"),
    ],
)
def test_what_is_no_input_is_named(gives: Any, says: str) -> None:
    with pytest.raises(ValueError, match=rf"transforms {says}") as caught:
        prepared(lambda _picture: gives, photo())
    assert "expected a Tensor [C, H, W]" in str(caught.value)


def test_undo_tells_the_shape_it_needs() -> None:
    with pytest.raises(ValueError, match=r"\[batch, 3, height, width\].*inputs\[None\]"):
        Preparation(caffe, 3).undo(torch.zeros(3, 4, 4))


def test_a_size_that_does_not_fit_names_one_that_does() -> None:
    text = unfit("LeNet", 1, [1, 224, 224], RuntimeError("shapes differ"), lambda side: side == 28)
    assert text == (
        "record() got pictures of [1, 224, 224]. LeNet takes 1 channels and could not take these: "
        "shapes differ. It takes 28 x 28: give transforms=Preprocess(size=28, resize=28)."
    )
    assert "Preprocess(size=…)" in unfit("Odd", 1, [1, 9, 9], "no", lambda _side: False)
    assert "[3, H, W]" in unfit("Colour", 3, [1, 9, 9], "no", lambda _side: True)
