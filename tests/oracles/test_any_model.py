"""Any CNN: the same output, a true gradient, and nothing of it changed."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from zfwidgets.deconv import DeconvNet, UnsupportedModel

TORCHVISION = [
    "alexnet", "vgg11", "vgg16_bn", "squeezenet1_0", "googlenet", "resnet18", "resnet50",
    "densenet121", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "convnext_tiny",
    "shufflenet_v2_x1_0",
]  # fmt: skip


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    # Drawing GoogLeNet's first weights from a truncated normal takes half a minute.
    options = {"init_weights": False} if name == "googlenet" else {}
    model: nn.Module = getattr(torchvision.models, name)(weights=None, **options).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) / 10
            module.running_var = torch.rand(module.num_features) + 0.5
    return model


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision(name: str) -> None:
    model = build(name)
    photo = torch.randn(1, 3, 96, 96)
    net = DeconvNet(model, device="cpu")
    recording = net.record(photo)
    leaf = photo.clone().requires_grad_()
    output = model(leaf)
    torch.testing.assert_close(recording.logits, output, rtol=0, atol=0)
    output[0, 7].backward()
    last = list(net.layers)[-1]
    neuron = recording.neurons(last, channel=7)
    gradient = recording.project(neuron, "gradient", "one", lrn="vjp").on_canvas()
    assert leaf.grad is not None
    assert torch.linalg.norm(gradient - leaf.grad) < 1e-5 * torch.linalg.norm(leaf.grad)
    for layer in list(net.layers)[:: max(1, len(net.layers) // 6)]:
        projected = recording.project(recording.strongest(layer, channels=[0, 1]))
        assert projected.pixels.isfinite().all()


@pytest.mark.parametrize("name", ["zfnet", "zfnetb", "alexnet"])
def test_pytorchcv(name: str) -> None:
    from pytorchcv.model_provider import get_model

    torch.manual_seed(0)
    model = get_model(name, pretrained=False).eval()
    photo = torch.randn(1, 3, 224, 224)
    recording = DeconvNet(model, device="cpu").record(photo)
    with torch.no_grad():
        torch.testing.assert_close(recording.logits, model(photo), rtol=0, atol=0)
    convs = [layer for layer in recording.layers.values() if layer.kind == "conv"]
    fields = [layer.receptive_field[0] for layer in convs]
    assert fields == ([7, 27, 75, 107, 139] if "zfnet" in name else [11, 51, 99, 131, 163])
    assert any(layer.kind == "norm" for layer in recording.layers.values())
    assert recording.project(recording.strongest(convs[-1].name, [0])).pixels.isfinite().all()


class Traps(nn.Module):
    """What module hooks miss: one ReLU for all, in place, functional pools, inputs read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.conv3 = nn.Conv2d(16, 8, 1)
        self.relu = nn.ReLU(inplace=True)
        self.mean = nn.Buffer(torch.full((1, 3, 1, 1), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv1(x - self.mean))
        x = F.max_pool2d(x, 3, stride=2, ceil_mode=True)
        y = self.conv2(x)
        z = F.relu(y, inplace=True)
        x = x + y  # y is what relu left of it
        x = torch.cat([x, z * 0.5], dim=1).clamp(min=0.0)
        a, b = self.conv3(x).chunk(2, dim=1)
        x = torch.cat([b, a], 1)
        x.relu_()
        return x.mean([2, 3]).view(x.size(0), -1)


def test_traps() -> None:
    torch.manual_seed(0)
    model = Traps().double()
    photo = torch.randn(1, 3, 21, 18, dtype=torch.float64)
    recording = DeconvNet(model, device="cpu").record(photo)
    leaf = photo.clone().requires_grad_()
    output = model(leaf)
    torch.testing.assert_close(recording.logits, output)
    output[0, 5].backward()
    # The mean is no layer; its neurons are reached through the last rectified concatenation.
    last = list(recording.layers)[-1]
    maps = recording.feature_maps(last)
    height, width = maps.shape[2:]
    total = recording.project_map(last, 5, rule="gradient", seed="one").pixels[0]
    assert leaf.grad is not None
    torch.testing.assert_close(total / (height * width), leaf.grad[0])


def test_the_model_is_left_as_it_was() -> None:
    model = Traps().train()
    model.conv1.weight.requires_grad_(False)
    model.conv2.register_forward_hook(lambda *_: None)
    state = copy.deepcopy(model.state_dict())
    net = DeconvNet(model, device="cpu")
    recording = net.record(torch.randn(1, 3, 21, 18))
    recording.project(recording.strongest("conv3"), rule="guided")
    assert model.training
    assert model.relu.inplace
    assert [p.requires_grad for p in model.parameters()] == [False, *[True] * 5]
    assert [len(m._forward_hooks) for m in model.modules()] == [0, 0, 1, 0, 0]
    assert all(not m._forward_pre_hooks and not m._backward_hooks for m in model.modules())
    assert all(torch.equal(state[k], v) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert net.model is model


def test_a_model_in_training_is_recorded_as_in_evaluation() -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.ReLU(), nn.Dropout(0.5)).train()
    photo = torch.randn(2, 3, 9, 9)
    maps = DeconvNet(model, device="cpu").record(photo).feature_maps("conv1")
    assert norm.running_mean is not None
    assert not norm.running_mean.any()
    torch.testing.assert_close(maps, copy.deepcopy(model).eval()(photo))


def test_a_projection_says_what_made_it_and_not_what_came_later() -> None:
    model = Traps()
    net = DeconvNet(model, device="cpu", name="traps")
    recording = net.record(torch.randn(1, 3, 21, 18))
    projected = recording.project(recording.strongest("conv2"), rule="guided", seed="one")
    origin = projected.origin
    assert (origin.net, origin.layer, origin.precision) == ("traps", "conv2", "float32")
    assert (origin.method.rule, origin.method.seed) == ("guided", "one")
    before = origin.weights()
    assert before == net.weights_hash()
    with torch.no_grad():
        model.conv1.weight += 1
    assert net.weights_hash() != before
    for late in (origin.weights, lambda: recording.project(recording.strongest("conv2"))):
        with pytest.raises(RuntimeError, match="record the picture again"):
            late()


class Between(nn.Module):
    """An operation between two convolutions."""

    def __init__(self, operation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)
        self.operation = operation

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.operation(self.first(x)))


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: torch.fft.ifft2(torch.fft.fft2(x) * 2).real,
        lambda x: x.cumsum(2),
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x / torch.linalg.vector_norm(x, dim=1, keepdim=True),
    ],
    ids=["Fourier transform", "running sum", "a branch on values", "vector norm"],
)
def test_what_has_no_rule_goes_back_by_its_derivative(
    operation: Callable[[Tensor], Tensor],
) -> None:
    torch.manual_seed(0)
    model = Between(operation).double()
    photo = torch.randn(1, 3, 9, 9, dtype=torch.float64)
    recording = DeconvNet(model, device="cpu").record(photo)
    leaf = photo.clone().requires_grad_()
    output = model(leaf)
    torch.testing.assert_close(recording.feature_maps("second"), output.detach())
    (want,) = torch.autograd.grad(output[0, 1, 2, 3], leaf)
    neuron = recording.neurons("second", channel=1, row=2, col=3)
    got = recording.project(neuron, "gradient", "one", lrn="vjp").on_canvas()
    torch.testing.assert_close(got, want)


def test_what_has_no_rule_is_marked_and_can_be_refused() -> None:
    model = Between(lambda x: x.cumsum(2))
    photo = torch.randn(1, 3, 9, 9)
    recording = DeconvNet(model, device="cpu").record(photo)
    assert recording.project(recording.strongest("second")).origin.extensions == ("cumsum",)
    strict = DeconvNet(model, device="cpu", strict=True).record(photo)
    assert strict.project(strict.strongest("first")).pixels.isfinite().all()
    with pytest.raises(UnsupportedModel, match=r"cumsum.*test_any_model\.py:\d+.*strict"):
        strict.project(strict.strongest("second"))


def test_random_numbers_in_evaluation_are_refused() -> None:
    draws: list[Callable[[Tensor], Tensor]] = [
        F.dropout,
        lambda x: x + torch.randn_like(x),
        lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5),
    ]
    for draw in draws:
        with pytest.raises(UnsupportedModel, match="random numbers"):
            DeconvNet(Between(draw), device="cpu").record(torch.randn(1, 3, 9, 9))


def test_a_layer_that_is_not_there() -> None:
    net = DeconvNet(Traps(), device="cpu")
    with pytest.raises(KeyError, match=r"conv1, .*conv2"):
        net.record(torch.randn(1, 3, 21, 18)).strongest("conv9")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.zeros(1, 4, 21, 18), "takes 3"),
        (torch.zeros(3, 3), "expected prepared floats"),
        (torch.zeros(1, 3, 21, 18, dtype=torch.uint8), "uint8 arrays"),
        ([], "one or more"),
    ],
)
def test_pictures_that_are_none(given: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DeconvNet(Traps(), device="cpu").record(given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "asked", [{"rule": "relu"}, {"seed": "two"}, {"unpool": "max"}, {"lrn": "inverse"}]
)
def test_methods_that_do_not_exist(asked: dict[str, str]) -> None:
    recording = DeconvNet(Traps(), device="cpu").record(torch.randn(1, 3, 21, 18))
    with pytest.raises(ValueError, match="expected one of"):
        recording.project(recording.strongest("conv2"), **asked)  # type: ignore[arg-type]
