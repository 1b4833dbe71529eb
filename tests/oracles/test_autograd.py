"""The gradient rule against autograd, on operations that are easy to get wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zfwidgets.deconv import DeconvNet, Neurons, Recording, UnsupportedModel
from zfwidgets.deconv.windows import Window

ROWS, COLS = 12, 9
"""Of the maps under study: pictures of 14 x 11, seen by a 3 x 3 convolution."""

Join = Callable[[Tensor, Tensor], Tensor]


class Joined(nn.Module):
    """A map of 6 channels and a gate of one channel, joined, then looked at by a convolution."""

    def __init__(self, join: Join, channels: int = 6) -> None:
        super().__init__()
        self.map, self.gate = nn.Conv2d(3, 6, 3), nn.Conv2d(3, 1, 3)
        self.look = nn.Conv2d(channels, 4, 3, padding=1)
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        return self.look(self.join(self.map(x), self.gate(x)).relu())


CONSTANTS = {
    "a number": (),
    "a value per column": (COLS,),
    "a value per row": (ROWS, 1),
    "a map": (ROWS, COLS),
    "a value per channel": (6, 1, 1),
    "a value per channel and row": (6, ROWS, 1),
    "a value per channel and place": (1, 6, ROWS, COLS),
}
"""Shapes that broadcast against the maps."""


def scaled(shape: tuple[int, ...]) -> Join:
    scale = torch.rand(shape, dtype=torch.float64) + 0.5
    return lambda a, _: (2 * a * scale - scale) / scale


def turned(a: Tensor, _: Tensor) -> Tensor:
    left, middle, right = a.chunk(3, 3)
    return torch.cat([middle, right, left], -1)


JOINS: dict[str, tuple[Join, int]] = {
    "a gate on all channels": (lambda a, g: a * torch.sigmoid(g), 6),
    "a sum with one channel": (lambda a, g: a + g, 6),
    "a quotient": (lambda a, g: a / (2 + torch.sigmoid(g)), 6),
    "a number over a map": (lambda a, _: 2 / (3 + torch.sigmoid(a)), 6),
    "a weighted sum": (lambda a, g: torch.add(a, g, alpha=3).sub(g, alpha=-2), 6),
    "the mean of each row added": (lambda a, g: a + g.mean(3, keepdim=True), 6),
    "the mean of each column as a factor": (lambda a, g: a * g.mean(2, keepdim=True), 6),
    "joined along rows": (lambda a, _: torch.cat([a, a * 2], 2), 6),
    "cut along columns": (turned, 6),
    "arguments by name": (lambda a, g: torch.cat(tensors=[F.relu(input=a), g], dim=-3), 7),
    "instance normalisation": (lambda a, _: F.instance_norm(a), 6),
}


def gradients_agree(model: nn.Module, photos: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windowed, on whole maps and alone, at corners and inside: as autograd has it."""
    recording = DeconvNet(model.double(), device="cpu").record(photos)
    layer = list(recording.layers)[-1]
    rows, cols = recording.layers[layer].height - 1, recording.layers[layer].width - 1
    some = recording.neurons(layer, [2, 0, 1], [3, 1, 0], [0, rows, 5], [0, cols, 4])
    leaf = photos.clone().requires_grad_()
    output = model(leaf)
    torch.testing.assert_close(recording.feature_maps(layer), output.detach())
    want = torch.stack(
        [
            torch.autograd.grad(output[where], leaf, retain_graph=True)[0][where[0]]
            for where in [(2, 3, 0, 0), (0, 1, rows, cols), (1, 0, 5, 4)]
        ]
    )
    got = [gradient(recording, some[i]) for i in range(3)]
    torch.testing.assert_close(torch.cat(got), want)
    torch.testing.assert_close(gradient(recording, some), want)
    monkeypatch.setattr(Window, "covers", lambda *_: True)
    torch.testing.assert_close(gradient(recording, some), want)


def gradient(recording: Recording, some: Neurons) -> Tensor:
    return recording.project(some, "gradient", "one", lrn="vjp").on_canvas()


@pytest.mark.parametrize("name", JOINS)
def test_joins_of_two_branches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    photos = torch.randn(3, 3, 14, 11, dtype=torch.float64)
    gradients_agree(Joined(*JOINS[name]), photos, monkeypatch)


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_broadcast_against_maps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    photos = torch.randn(3, 3, 14, 11, dtype=torch.float64)
    gradients_agree(Joined(scaled(CONSTANTS[name])), photos, monkeypatch)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize(
    "derive",
    [
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.spectral_norm,
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
    ],
    ids=["weight norm", "spectral norm", "weight norm by hook", "spectral norm by hook"],
)
def test_weights_derived_from_other_weights(derive: Callable[[nn.Module], nn.Module]) -> None:
    """They are derived anew, as a forward pass would, and the model stays as it was."""
    torch.manual_seed(0)
    model = nn.Sequential(derive(nn.Conv2d(3, 4, 3)), nn.ReLU(), nn.Conv2d(4, 2, 3)).train()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    photo = torch.randn(1, 3, 9, 9)
    net = DeconvNet(model, device="cpu")
    maps = net.record(photo).feature_maps("conv2")
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    torch.testing.assert_close(maps, model.eval()(photo).detach())
    with torch.no_grad():
        for parameter in net.model.parameters():
            parameter.copy_(parameter.flatten().flip(0).view_as(parameter))
    again = DeconvNet(net.model, device="cpu").record(photo).feature_maps("conv2")
    torch.testing.assert_close(again, model(photo).detach())


class Aliased(nn.Module):
    def __init__(self, change: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.conv, self.look = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        self.change(x)
        return self.look(x)


def plus_one(x: Tensor) -> None:
    x += 1


@pytest.mark.parametrize(
    "change",
    [lambda x: x[:, :2].relu_(), lambda x: x.view(x.size(0), -1).relu_(), plus_one],
    ids=["part", "view", "augmented assignment"],
)
@pytest.mark.parametrize("pictures", [1, 3])
def test_changes_behind_another_name_are_followed(
    change: Callable[[Tensor], object], pictures: int
) -> None:
    torch.manual_seed(0)
    model = Aliased(change).double()
    photos = torch.randn(pictures, 3, 9, 9, dtype=torch.float64)
    recording = DeconvNet(model, device="cpu").record(photos)
    leaf = photos.clone().requires_grad_()
    output = model(leaf)
    torch.testing.assert_close(recording.feature_maps("look"), output.detach())
    (want,) = torch.autograd.grad(output[-1, 1, 2, 3], leaf)
    got = gradient(recording, recording.neurons("look", pictures - 1, 1, 2, 3))
    torch.testing.assert_close(got, want[-1:])


def test_hooks_of_the_model_run_once() -> None:
    """They belong to what the model does; none is added, and no stand-in passes through them."""
    block = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    model = nn.Sequential(block, nn.Conv2d(4, 2, 3))
    seen: list[object] = []
    for module in model.modules():
        module.register_forward_hook(lambda *given: seen.append(given))
        module.register_forward_pre_hook(lambda *given: seen.append(given))
    DeconvNet(model, device="cpu").record(torch.randn(1, 3, 9, 9))
    assert len(seen) == 2 * len(list(model.modules()))


def test_division_that_rounds_is_refused() -> None:
    model = Joined(lambda a, _: torch.div(a, 2, rounding_mode="floor"))
    with pytest.raises(UnsupportedModel, match=r"div.*rounds"):
        DeconvNet(model, device="cpu").record(torch.randn(1, 3, 9, 9))


@pytest.fixture
def recording() -> Recording:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 1, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(6, 4, 3)
    )
    return DeconvNet(model, device="cpu").record(torch.randn(2, 3, 19, 17))


def test_neurons_are_named_by_any_whole_numbers(recording: Recording) -> None:
    some = recording.neurons(
        "conv1", np.int64(1), range(3), torch.tensor(2), np.array([1, 2, 3], np.int32)
    )
    assert some.channel.tolist() == [0, 1, 2]
    assert some.image.tolist() == [1, 1, 1]
    assert some.col.tolist() == [1, 2, 3]
    assert recording.strongest("conv1", np.int64(2)).channel.tolist() == [2, 2]
    assert some[np.int64(-1)].channel.tolist() == [2]
    assert len(some[[]]) == 0
    projected = recording.project(some)
    assert [len(projected[i]) for i in (1, torch.tensor(1), np.int64(1), [0, 2])] == [1, 1, 1, 2]
    with pytest.raises(TypeError, match="whole number"):
        recording.neurons("conv1", channel=1.5)  # type: ignore[arg-type]


def test_neurons_of_another_recording_are_refused(recording: Recording) -> None:
    larger = recording.net.record(torch.randn(3, 3, 40, 40))
    with pytest.raises(IndexError, match=r"row 20 .*expected 0 to 11"):
        recording.project(larger.neurons("conv1", 0, 0, 20, 0))
    with pytest.raises(IndexError, match=r"image 2 .*expected 0 to 1"):
        recording.project(larger.neurons("conv1", 2, 0, 0, 0))


def test_a_neuron_that_sees_padding_alone_projects_to_nothing(recording: Recording) -> None:
    corner = recording.project(recording.neurons("conv1"), seed="one")
    assert corner.boxes.tolist() == [[-2, -2, -1, -1]]
    assert not corner.on_canvas().any()


def test_a_recording_keeps_its_pictures() -> None:
    photo = torch.randn(1, 3, 9, 9)
    recording = DeconvNet(nn.Conv2d(3, 2, 3), device="cpu").record(photo)
    was = photo.clone()
    photo.zero_()
    assert torch.equal(recording.inputs, was)


@pytest.mark.parametrize("whole", [False, True], ids=["neurons", "whole maps"])
def test_what_does_not_fit_the_memory_is_halved(
    recording: Recording, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def project() -> Tensor:
        if whole:
            return recording.project_map("conv2", range(4), rule="gradient").pixels
        return recording.project(recording.strongest("conv2")[:4], rule="gradient").pixels

    want, asked = project(), list[int]()
    back = nn.functional.conv_transpose2d

    def short_of_memory(signal: Tensor, *given: object, **options: object) -> Tensor:
        asked.append(len(signal))
        if len(signal) > 1:
            raise torch.OutOfMemoryError
        return back(signal, *given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("zfwidgets.deconv.kernels._AVAILABLE", False)
    monkeypatch.setattr(nn.functional, "conv_transpose2d", short_of_memory)
    torch.testing.assert_close(project(), want)
    assert asked[:3] == [4, 2, 1]
