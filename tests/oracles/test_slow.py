"""The engine against NumPy loops that share no code with it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.oracles import slow
from zfwidgets.deconv import DeconvNet


def net_with(*rows: tuple[nn.Module, slow.Operation]) -> tuple[nn.Sequential, list[slow.Operation]]:
    """A torch model and its slow twin, with the same random weights."""
    for module, twin in rows:
        if isinstance(module, nn.Conv2d) and isinstance(twin, slow.Conv):
            twin.weight = module.weight.detach().numpy()
            twin.bias = module.bias.detach().numpy() if module.bias is not None else np.zeros(0)
    return nn.Sequential(*[m for m, _ in rows]).double(), [twin for _, twin in rows]


def conv(inputs: int, outputs: int, kernel: int, **options: Any) -> tuple[nn.Module, slow.Conv]:
    module = nn.Conv2d(inputs, outputs, kernel, **options).double()
    return module, slow.Conv(np.zeros((1, 1, kernel, kernel)), **options)


def pool(kernel: int, stride: int, **options: Any) -> tuple[nn.Module, slow.Pool]:
    ceil = bool(options.pop("ceil", 0))
    module = nn.MaxPool2d(kernel, stride, ceil_mode=ceil, **options)
    return module, slow.Pool(kernel, stride, ceil=ceil, **options)


def relu() -> tuple[nn.Module, slow.Relu]:
    return nn.ReLU(), slow.Relu()


NETS = {
    "as in ZFNet: overlapping pools that round up, strides": lambda: net_with(
        conv(3, 6, 5, stride=2, padding=1),
        relu(),
        pool(3, 2, ceil=1),
        (nn.LocalResponseNorm(5, 0.5, 0.75, 2.0), slow.Lrn(5, 0.5, 0.75, 2.0)),
        conv(6, 8, 3, stride=2),
        relu(),
        pool(3, 2, ceil=1),
        conv(8, 5, 3, padding=1),
        relu(),
    ),
    "pools that round down and lose a border": lambda: net_with(
        conv(3, 4, 4), relu(), pool(3, 2), conv(4, 6, 2), relu(), pool(2, 2), conv(6, 4, 2), relu()
    ),
    "padded pools": lambda: net_with(
        conv(3, 4, 3, padding=2), relu(), pool(3, 2, padding=1), conv(4, 5, 3, padding=1), relu()
    ),
    "padded pools that round up": lambda: net_with(
        conv(3, 4, 3), relu(), pool(4, 3, padding=2, ceil=1), conv(4, 5, 2), relu()
    ),
    "dilated convolutions and pools": lambda: net_with(
        conv(3, 4, 3, dilation=2, padding=2), relu(), pool(3, 1, dilation=2), conv(4, 5, 3), relu()
    ),
    "groups": lambda: net_with(
        conv(3, 6, 3, groups=3), relu(), pool(2, 2), conv(6, 8, 3, groups=2), relu()
    ),
    "strides that skip pixels": lambda: net_with(
        conv(3, 5, 2, stride=3), relu(), conv(5, 4, 2, stride=2, padding=1), relu()
    ),
}


RULES = ("deconvnet", "guided", "gradient", "linear")


@pytest.mark.parametrize("name", NETS)
def test_engine_equals_loops(name: str) -> None:
    torch.manual_seed(len(name))
    model, twins = NETS[name]()
    photo = torch.randn(1, 3, 33, 27, dtype=torch.float64)
    recording = DeconvNet(model, device="cpu").record(photo)
    outputs = slow.forward(twins, photo[0].numpy())
    for layer in recording.layers.values():
        last = layer.step - 1  # step 0 is the input
        maps = recording.feature_maps(layer.name)[0]
        np.testing.assert_allclose(maps.numpy(), outputs[last], rtol=1e-9, atol=1e-12)
        neurons = recording.strongest(layer.name)
        neurons = neurons[neurons.value > 0]
        for rule, seed in itertools.product(RULES, ("activation", "one")):
            got = recording.project(neurons, rule=rule, seed=seed).on_canvas()  # type: ignore[arg-type]
            for i, channel in enumerate(neurons.channel.tolist()):
                want = slow.project(twins, outputs[last], last, channel, rule, seed)
                np.testing.assert_allclose(got[i].numpy(), want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in NETS if "pool" in n])
def test_overwriting_keeps_the_last_window_in_reading_order(name: str) -> None:
    torch.manual_seed(1)
    model, twins = NETS[name]()
    for twin in twins:
        if isinstance(twin, slow.Pool):
            twin.overwrite = True
    photo = torch.randn(1, 3, 33, 27, dtype=torch.float64)
    recording = DeconvNet(model, device="cpu").record(photo)
    output = slow.forward(twins, photo[0].numpy())[-1]
    neurons = recording.strongest(list(recording.layers)[-1])
    neurons = neurons[neurons.value > 0]
    got = recording.project(neurons, unpool="overwrite").on_canvas()
    for i, channel in enumerate(neurons.channel.tolist()):
        last = len(twins) - 1
        want = slow.project(twins, output, last, channel, "deconvnet", "activation")
        np.testing.assert_allclose(got[i].numpy(), want, rtol=1e-9, atol=1e-12)


def test_one_convolution_gives_the_filter_times_the_value() -> None:
    torch.manual_seed(0)
    module = nn.Conv2d(3, 7, 5, stride=2)
    recording = DeconvNet(module, device="cpu").record(torch.randn(1, 3, 33, 33))
    neurons = recording.strongest(next(iter(recording.layers)))
    got = recording.project(neurons).pixels
    want = module.weight.detach() * neurons.value[:, None, None, None]
    assert torch.equal(got, want)
