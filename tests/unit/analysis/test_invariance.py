"""Invariance curves of networks whose invariance is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms.functional import to_tensor

from zfwidgets.analysis import invariance
from zfwidgets.analysis.invariance import ends
from zfwidgets.analysis.transforms import Transform, changer
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Preprocess


class Identity(nn.Module):
    """Layer conv1 is the picture itself; the output is its mean colour."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 1, bias=False)
        with torch.no_grad():
            self.conv1.weight.copy_(torch.eye(3)[:, :, None, None])

    def forward(self, picture: Tensor) -> Tensor:
        return self.conv1(picture).mean((2, 3))


def blob() -> Tensor:
    """Two pictures, zero but for a patch in the middle."""
    torch.manual_seed(0)
    pictures = torch.zeros(2, 3, 24, 24)
    pictures[:, :, 9:15, 9:15] = torch.randn(2, 3, 6, 6)
    return pictures


def test_the_mean_of_a_circular_convolution_does_not_mind_translation() -> None:
    torch.manual_seed(1)
    conv = nn.Conv2d(3, 5, 3, padding=1, padding_mode="circular")
    pooled = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    connected = nn.Sequential(nn.Flatten(), nn.Linear(3 * 24 * 24, 5))
    values = [-9, -4, 0, 3, 9]
    still = invariance(
        DeconvNet(pooled, device="cpu"), blob(), "translation", values, fill=0.0, progress=False
    )
    assert still.layers[0] == "conv1"
    assert float(still.distance[-1].max()) < 1e-6
    assert float(still.distance[0][:, [0, 1, 3, 4]].min()) > 0.1
    assert still.probability is not None
    assert float((still.probability - still.probability[:, 2:3]).abs().max()) < 1e-6
    moved = invariance(
        DeconvNet(connected, device="cpu"), blob(), "translation", values, fill=0.0, progress=False
    )
    assert float(moved.distance[-1][:, [0, 1, 3, 4]].min()) > 0.01


def test_a_move_by_three_pixels_is_a_roll_and_its_distance_is_theirs() -> None:
    pictures = blob().abs()
    result = invariance(
        DeconvNet(Identity(), device="cpu"),
        pictures,
        "translation",
        [3],
        layers=["conv1"],
        fill=0.0,
        batch=1,
        progress=False,
    )
    expected = (pictures.roll(3, 2) - pictures).flatten(1).norm(dim=1)
    torch.testing.assert_close(result.distance[0, :, 0], expected)
    torch.testing.assert_close(result.norm[0], pictures.flatten(1).norm(dim=1))


@pytest.mark.parametrize(
    ("transform", "neutral"),
    [
        ("translation", 0),
        ("scale", 1),
        ("rotation", 0),
        ("rotation", 360),
        ("brightness", 0),
        ("contrast", 1),
        ("blur", 0),
        ("hue", 0),
        ("hue", 360),
    ],
)
def test_a_transform_that_changes_nothing_leaves_no_distance(
    transform: Transform, neutral: float
) -> None:
    net = DeconvNet(Identity(), device="cpu")
    result = invariance(net, blob(), transform, [neutral], layers=["conv1"], progress=False)
    assert float(result.distance.max()) < 1e-5


def test_a_quarter_turn_equals_a_turned_array() -> None:
    picture = torch.rand(1, 3, 24, 24)
    net = DeconvNet(Identity(), device="cpu")
    result = invariance(net, picture, "rotation", [90], layers=["conv1"], progress=False)
    expected = (picture.rot90(1, (2, 3)) - picture).flatten(1).norm(dim=1)
    torch.testing.assert_close(result.distance[0, :, 0], expected, rtol=1e-4, atol=0)


def test_rotation_is_counter_clockwise_and_translation_goes_down() -> None:
    # Class 0 is light in the upper half, class 1 in the lower one.
    linear = nn.Linear(3 * 24 * 24, 2, bias=False)
    halves = torch.zeros(2, 3, 24, 24)
    halves[0, :, :12], halves[1, :, 12:] = 1, 1
    with torch.no_grad():
        linear.weight.copy_(halves.flatten(1))
    net = DeconvNet(nn.Sequential(nn.Flatten(), linear), device="cpu")
    right = torch.zeros(1, 3, 24, 24)
    right[:, :, 10:14, 18:22] = 1
    turned = invariance(
        net, right, "rotation", [0, 90, 270], labels=[0], fill=0.0, progress=False
    ).probability
    assert turned is not None
    torch.testing.assert_close(turned, torch.tensor([[0.5, 1.0, 0.0]]))
    moved = invariance(
        net, right, "translation", [-6, 0, 6], labels=[1], fill=0.0, progress=False
    ).probability
    assert moved is not None
    torch.testing.assert_close(moved, torch.tensor([[0.0, 0.5, 1.0]]))


def test_magnification_by_two_makes_a_square_four_times_as_large() -> None:
    picture = torch.zeros(1, 3, 24, 24)
    picture[:, :, 8:16, 8:16] = 1
    net = DeconvNet(Identity(), device="cpu")
    result = invariance(net, picture, "scale", [2], layers=["conv1"], fill=0.0, progress=False)
    # Along a side: 14 ones, and at both ends 3/4 and 1/4, which bilinear interpolation makes.
    side = 14 + 2 * (0.75**2 + 0.25**2)
    assert float(result.distance[0, 0, 0]) ** 2 == pytest.approx(3 * (side**2 - 8**2), rel=1e-4)


def test_contrast_scales_the_distance_from_the_mean_colour() -> None:
    picture = torch.rand(1, 3, 24, 24) + 1
    net = DeconvNet(Identity(), device="cpu")
    result = invariance(net, picture, "contrast", [0, 0.5], layers=["conv1"], progress=False)
    whole = (picture - picture.mean((2, 3), keepdim=True)).flatten().norm()
    torch.testing.assert_close(result.distance[0, 0], torch.stack([whole, whole / 2]))


def test_blur_and_brightness_do_what_they_say_to_a_constant() -> None:
    picture = torch.ones(1, 3, 24, 24)
    net = DeconvNet(Identity(), device="cpu")
    blurred = invariance(net, picture, "blur", [2], layers=["conv1"], progress=False)
    assert float(blurred.distance.max()) < 1e-4
    bright = invariance(net, picture, "brightness", [0.5], layers=["conv1"], progress=False)
    # ImageNet's preparation divides by these: half of the way from black to white is 0.5 / std.
    step = 0.5 / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(bright.distance[0, 0, 0], 24 * step.norm(), rtol=1e-4, atol=0)


def test_hue_by_a_third_of_a_circle_makes_red_green_and_green_blue() -> None:
    net = DeconvNet(Identity(), Preprocess(size=24, resize=24), device="cpu")
    photo = np.zeros((24, 24, 3), np.uint8)
    photo[:12, :, 0], photo[12:, :, 1], photo[:, :6] = 200, 150, 90
    turned = changer(net, net.preprocess(photo), "hue", "grey")(120.0)
    np.testing.assert_array_equal(net.undo(turned)[0], np.roll(photo, 1, axis=2))
    # The same photo, prepared for a network that takes blue first.
    caffe = DeconvNet(
        Identity(), Preprocess(size=24, resize=24, channels="BGR", scale=255), device="cpu"
    )
    turned = changer(caffe, caffe.preprocess(photo), "hue", "grey")(120.0)
    np.testing.assert_array_equal(caffe.undo(turned)[0], np.roll(photo, 1, axis=2))
    # A preparation of somebody's own, which mixes the colours; what it does is measured.
    mixed = torch.tensor([[0.1, 0.2, 0.9], [0.0, 0.8, 0.1], [0.7, 0.0, 0.1]])
    own = DeconvNet(
        Identity(),
        lambda picture: torch.einsum("dc,chw->dhw", mixed, to_tensor(picture)) - 0.3,
        device="cpu",
    )
    turned = changer(own, own.preprocess(photo), "hue", "grey")(120.0)
    np.testing.assert_allclose(own.undo(turned)[0], np.roll(photo, 1, axis=2), atol=1)


def test_a_grey_picture_does_not_mind_hue() -> None:
    net = DeconvNet(Identity(), device="cpu")
    grey = net.preprocess(np.full((24, 24, 3), 77, np.uint8))
    result = invariance(net, grey, "hue", [-100, 33, 180], layers=["conv1"], progress=False)
    assert float(result.relative.max()) < 1e-5


def test_the_last_layer_is_the_one_before_the_class_scores() -> None:
    full = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten())
    full.extend([nn.Linear(2 * 22 * 22, 5), nn.ReLU(), nn.Linear(5, 4)])
    seen = DeconvNet(full, device="cpu").record(blob())
    first, last = ends(seen)
    assert first == "conv1"
    assert last == list(seen.layers)[-2]
    assert seen.feature_maps(last).shape[1] == 5
    pooled = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    seen = DeconvNet(pooled, device="cpu").record(blob())
    assert ends(seen) == ("conv1", list(seen.layers)[-1])


def test_the_plot_shows_every_curve_absolute_and_relative() -> None:
    net = DeconvNet(Identity(), device="cpu")
    result = invariance(net, blob(), "scale", [1.5, 1, 2], layers=["conv1"], progress=False)
    drawn = [np.asarray(line.get_ydata()) for axes in result.plot().axes for line in axes.lines]
    assert result.probability is not None
    for curves in (result.distance[0], result.relative[0], result.probability):
        for curve in curves:
            expected = curve[[1, 0, 2]]
            assert any(len(y) == 3 and np.allclose(y, expected) for y in drawn)


def test_the_table_has_a_row_per_picture_and_value() -> None:
    net = DeconvNet(Identity(), device="cpu")
    table = invariance(
        net, blob(), "scale", [1, 1.5], layers=["conv1"], labels=[2, 0], progress=False
    ).to_frame()
    assert table["picture"].tolist() == [0, 0, 1, 1]
    assert table["scale"].tolist() == [1, 1.5, 1, 1.5]
    assert {"distance conv1", "probability"} <= set(table.columns)


def test_what_is_unknown_is_named() -> None:
    net = DeconvNet(Identity(), device="cpu")
    with pytest.raises(ValueError, match="expected one of translation"):
        invariance(net, blob(), "shear", progress=False)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1 labels for 2 pictures"):
        invariance(net, blob(), "scale", labels=[0], progress=False)
