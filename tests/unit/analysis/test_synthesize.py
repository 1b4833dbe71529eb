"""Gradient ascent finds what a channel was made for, whatever stands around it in the network."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

import zfwidgets as zf
from zfwidgets.analysis import canvas
from zfwidgets.analysis.shipped import shipped_exemplars
from zfwidgets.images import Preprocess

PLAIN = Preprocess(size=32, resize=32, mean=(0.5,) * 3, std=(0.5,) * 3)
RED_AGAINST_GREEN = torch.tensor([1.0, -1.0, 0.0])


def wave(degrees: float, side: int = 9) -> Tensor:
    """A Gabor filter [side, side] whose stripes stand at this angle, without a mean."""
    at = torch.linspace(-1, 1, side)
    rows, cols = torch.meshgrid(at, at, indexing="ij")
    along = cols * math.cos(math.radians(degrees)) + rows * math.sin(math.radians(degrees))
    found = torch.cos(4 * along) * torch.exp(-2 * (rows**2 + cols**2))
    return found - found.mean()


def detectors() -> nn.Conv2d:
    """Two Gabor filters in grey and a spot of red against green: 3 x [3, 9, 9]."""
    conv = nn.Conv2d(3, 3, 9, bias=False)
    spot = torch.exp(-3 * torch.linspace(-1, 1, 9).square())
    with torch.no_grad():
        conv.weight[0] = wave(0).expand(3, 9, 9)
        conv.weight[1] = wave(60).expand(3, 9, 9)
        conv.weight[2] = RED_AGAINST_GREEN[:, None, None] * torch.outer(spot, spot)
    return conv


def looked_into(model: nn.Module, **options: object) -> zf.DeconvNet:
    return zf.DeconvNet(model.eval(), **({"transforms": PLAIN, "device": "cpu"} | options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def planted() -> zf.DeconvNet:
    return looked_into(nn.Sequential(detectors(), nn.ReLU(), nn.AdaptiveAvgPool2d(1)))


def likeness(image: np.ndarray, weights: Tensor) -> float:
    """The cosine between a picture [h, w, 3] and a filter [3, h, w], both without their mean."""
    seen = torch.from_numpy(image).permute(2, 0, 1).double()
    seen, wanted = seen - seen.mean(), weights.double() - weights.double().mean()
    return float((seen * wanted).sum() / (seen.norm() * wanted.norm()))


def test_a_known_filter_gets_a_picture_of_itself(planted: zf.DeconvNet) -> None:
    made = zf.synthesize(planted, "conv1", progress=False)
    assert made.images.shape == (3, 9, 9, 3), "as large as the receptive field"
    weights = planted.model[0].weight.detach()  # type: ignore[index]
    alike = [[likeness(image, each) for each in weights] for image in made.images]
    for channel in range(3):
        assert alike[channel][channel] > 0.7
        assert alike[channel][channel] == max(alike[channel])
    red, green, _ = made.images[2, 4, 4].tolist()
    assert red > green + 100


def test_the_activation_is_that_of_the_neuron_in_the_middle(planted: zf.DeconvNet) -> None:
    made = zf.synthesize(planted, "conv1", steps=16, progress=False)
    inputs = (torch.from_numpy(made.images).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    maps = planted.record(inputs).feature_maps("conv1")
    torch.testing.assert_close(maps.diagonal()[0, 0], made.activations, atol=0.1, rtol=0.02)
    assert (made.activations > made.start + 1).all()


def test_deeper_neurons_climb_above_every_photograph_of_the_gallery() -> None:
    net = zf.load("zfnet", device="cpu")
    channels = [5, 9, 40, 100]
    made = zf.synthesize(net, "conv2", channels, steps=32, progress=False)
    best = shipped_exemplars("zfnet")["conv2"].value[channels, 0]
    assert made.images.shape == (4, 27, 27, 3)
    assert (made.activations > best).all()
    assert made.weights == net.weights_hash()
    assert all(parameter.grad is None for parameter in net.model.parameters())
    assert net.layers["conv5"].height == 13, "the layers' sizes are of photographs as before"


def test_the_mean_of_a_channel_makes_a_pattern_that_repeats(planted: zf.DeconvNet) -> None:
    made = zf.synthesize(
        planted, "conv1", 0, objective="channel", size=30, steps=64, progress=False
    )
    assert made.images.shape == (1, 30, 30, 3)
    middle = made.images[0, 6:-6, 6:-6].mean(-1)
    across, down = np.abs(np.diff(middle, axis=1)).mean(), np.abs(np.diff(middle, axis=0)).mean()
    assert across > 2 * down, "upright stripes"
    assert made.activations > 5 * made.start


def test_a_seed_gives_the_same_bits_and_another_a_different_start(planted: zf.DeconvNet) -> None:
    first, again, other = (
        zf.synthesize(planted, "conv1", steps=8, seed=seed, progress=False) for seed in (0, 0, 1)
    )
    assert (first.images == again.images).all()
    assert (first.activations == again.activations).all()
    assert (first.start != other.start).all()


def test_a_channel_does_not_depend_on_those_that_are_asked_for_with_it() -> None:
    torch.manual_seed(0)
    net = looked_into(nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 6, 5)))
    together = zf.synthesize(net, "conv2", steps=12, batch=4, progress=False)
    alone = zf.synthesize(net, "conv2", [5, 2], steps=12, progress=False)
    assert alone.channels == (5, 2)
    apart = np.abs(together.images[[5, 2]].astype(int) - alone.images.astype(int))
    assert apart.max() <= 2


class Branches(nn.Module):
    """A net with all that stands in the way: normalisation that turns signs, changes in place, a
    filter used twice, a sum of branches."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.twice = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        nn.init.constant_(self.norm.weight, -1.0)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.first(x)))
        return self.relu(self.twice(self.relu(self.twice(x)))) + x


def test_what_stands_before_a_rectifier_is_climbed_wherever_it_stands() -> None:
    torch.manual_seed(3)
    net = looked_into(Branches())
    assert [name for name in net.layers if name.startswith("twice")] == ["twice", "twice#2"]
    for layer in ("first", "twice", "twice#2"):
        made = zf.synthesize(net, layer, steps=24, progress=False)
        assert (made.activations > made.start).all(), layer
        assert made.images.shape[1] == max(net.layers[layer].receptive_field)
    with pytest.raises(zf.UnsupportedModel, match="add of Branches is no module"):
        zf.synthesize(net, "add", progress=False)


def test_layers_that_see_all_of_the_picture_get_one_of_its_size() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(detectors(), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 24 * 24, 4))
    net = looked_into(model)
    made = zf.synthesize(net, "fc2", [1, 3], steps=8, progress=False)
    assert made.images.shape == (2, 32, 32, 3)
    assert (made.activations > made.start).all()
    with pytest.raises(ValueError, match="expected size=32 or None"):
        zf.synthesize(net, "fc2", size=48, progress=False)
    assert zf.synthesize(net, "conv1", 0, size=20, steps=2, progress=False).images.shape[1] == 20


def test_colours_are_shown_as_people_see_them_whatever_their_order_in_the_network() -> None:
    bgr = Preprocess(size=32, resize=32, mean=(103.9, 116.8, 123.7), std=(1,) * 3, scale=255,
                     channels="BGR")  # fmt: skip
    conv = nn.Conv2d(3, 1, 5)
    with torch.no_grad():
        conv.weight[0] = torch.tensor([-1.0, 0.0, 1.0])[:, None, None] / 255
    net = looked_into(nn.Sequential(conv, nn.ReLU()), transforms=bgr)
    made = zf.synthesize(net, "conv1", progress=False)
    red, _, blue = made.images[0, 2, 2].tolist()
    assert red > blue + 50


@pytest.mark.parametrize("planes", [1, 5])
def test_networks_of_other_planes_are_climbed_too(planes: int) -> None:
    torch.manual_seed(0)
    net = zf.DeconvNet(nn.Sequential(nn.Conv2d(planes, 4, 5), nn.ReLU()).eval(), device="cpu")
    made = zf.synthesize(net, "conv1", steps=16, progress=False)
    assert made.images.shape == (4, 5, 5, 3)
    assert (made.activations > made.start).all()


class ByHand(nn.Module):
    """A convolution that is no module."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(F.conv2d(x, self.weight))


def test_a_layer_that_is_no_module_is_refused_in_words() -> None:
    net = looked_into(ByHand())
    with pytest.raises(zf.UnsupportedModel, match="no module with this one output"):
        zf.synthesize(net, next(iter(net.layers)), progress=False)


def test_what_was_made_until_it_was_stopped_comes_back(planted: zf.DeconvNet) -> None:
    asked = 0

    def enough() -> bool:
        nonlocal asked
        asked += 1
        return asked == 5

    made = zf.synthesize(planted, "conv1", steps=4, batch=1, progress=False, should_stop=enough)
    assert not made.complete
    assert made.channels == (0, 1)
    assert len(made.images) == len(made.activations) == 2

    def interrupted() -> bool:
        raise KeyboardInterrupt

    made = zf.synthesize(planted, "conv1", batch=2, progress=False, should_stop=interrupted)
    assert (made.complete, made.channels) == (False, (0, 1))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"layer": "conv7"}, KeyError, "no layer 'conv7'"),
        ({"channels": [0, 3]}, IndexError, "channel 3 of layer 'conv1': expected 0 to 2"),
        ({"channels": []}, ValueError, "no channels"),
        ({"steps": 0}, ValueError, "steps=0: expected 1 or more"),
        ({"batch": 0}, ValueError, "batch=0"),
        ({"size": 5000}, ValueError, "size=5000: expected 1 to 1024"),
        ({"rate": math.nan}, ValueError, "rate=nan"),
        ({"jitter": -1.0}, ValueError, "jitter=-1.0"),
        ({"objective": "class"}, ValueError, "'neuron' or 'channel'"),
    ],
)
def test_what_cannot_be_made_is_said(
    planted: zf.DeconvNet, given: dict[str, object], error: type[Exception], words: str
) -> None:
    asked = {"layer": "conv1", "progress": False} | given
    with pytest.raises(error, match=words):
        zf.synthesize(planted, **asked)  # type: ignore[arg-type]


def test_a_result_is_told_in_a_line_and_kept_as_a_sheet(
    planted: zf.DeconvNet, tmp_path: Path
) -> None:
    made = zf.synthesize(planted, "conv1", [2, 0], steps=3, progress=False)
    assert "images=[2, 9, 9, 3]" in repr(made)
    assert made.to_frame().index.tolist() == [2, 0]
    assert [picture.size for picture in made.to_images()] == [(9, 9), (9, 9)]
    made.save(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 2 * 96
    assert [axes.get_title() for axes in made.plot().axes[:2]] == made.labels()


def test_the_colours_are_those_of_photographs() -> None:
    photos = zf.gallery().values()
    pixels = np.concatenate([np.asarray(p.open())[::4, ::4].reshape(-1, 3) for p in photos]) / 255
    strength, direction = np.linalg.eigh(np.cov(pixels.T))
    root = (direction * np.sqrt(strength))[:, ::-1]
    root = root * np.sign(root[0]) / np.linalg.norm(root, axis=0).max()
    np.testing.assert_allclose(canvas.COLOURS, root, atol=0.002)


def test_a_look_that_does_not_move_is_the_middle_of_the_picture() -> None:
    pictures = torch.rand(2, 3, 15, 15)
    steady = canvas.Unsteady(9, jitter=0, turn=0, zoom=0, seed=0)
    torch.testing.assert_close(steady.look(pictures), pictures[..., 3:12, 3:12])


def test_turning_in_two_passes_is_turning_in_one() -> None:
    """Compared with torch's own sampling of the same places, on a picture without fine detail."""
    at = torch.linspace(-1, 1, 61)
    rows, cols = torch.meshgrid(at, at, indexing="ij")
    picture = torch.exp(-4 * (rows - 0.2) ** 2 - 9 * (cols + 0.3) ** 2)[None, None]
    unsteady = canvas.Unsteady(41, jitter=2, turn=8, zoom=0.1, seed=5)
    down, right, angle, scale = (
        2 * torch.rand(4, generator=torch.Generator().manual_seed(5)) - 1
    ).tolist()
    turn, zoom = math.radians(8) * angle, 1 + 0.1 * scale
    here = torch.arange(41) - 20.0
    v, u = torch.meshgrid(here, here, indexing="ij")
    x = zoom * (math.cos(turn) * u - math.sin(turn) * v) + 2 * right
    y = zoom * (math.sin(turn) * u + math.cos(turn) * v) + 2 * down
    grid = torch.stack([x, y], -1)[None] / 30
    wanted = F.grid_sample(picture, grid, align_corners=True)
    torch.testing.assert_close(unsteady.look(picture), wanted, atol=0.02, rtol=0)
