"""The engine against captum, one neuron at a time, on networks without contrast normalisation.

captum sends a one back, knows ReLU modules only and sums where pooling windows overlap.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torchvision
from captum.attr import NeuronDeconvolution, NeuronGradient, NeuronGuidedBackprop
from torch import nn

from zfwidgets.deconv import DeconvNet
from zfwidgets.nets.zfnet import ZFNet

METHODS = {
    "deconvnet": NeuronDeconvolution,
    "guided": NeuronGuidedBackprop,
    "gradient": NeuronGradient,
}


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "ZFNet": lambda: ZFNet(head="light", norm=False),
    "AlexNet": lambda: torchvision.models.alexnet(weights=None),
    "VGG11 with batch normalisation": lambda: torchvision.models.vgg11_bn(
        weights=None, init_weights=False
    ),
    "SqueezeNet": lambda: torchvision.models.squeezenet1_1(weights=None),
}


@pytest.fixture(scope="module", params=NETWORKS)
def model(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(3)
    model = NETWORKS[request.param]()
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # captum cannot look behind those
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) / 10
            module.running_var = torch.rand(module.num_features) + 0.5
            nn.init.normal_(module.weight)  # some turn the sign
    return model.eval()


@pytest.mark.filterwarnings("ignore:Setting .* hooks on ReLU")
@pytest.mark.parametrize("rule", METHODS)
def test_projections_equal_captums(model: nn.Module, rule: str) -> None:
    photo = torch.randn(1, 3, 96, 96)
    recording = DeconvNet(model, device="cpu").record(photo)
    rectified = {  # the ReLU after each convolution
        layer: _relu_after(model, recording.layers[layer].path)
        for layer in recording.layers
        if recording.layers[layer].kind == "conv"
    }
    for layer, module in list(rectified.items())[::3]:
        neurons = recording.strongest(layer, channels=[0, 5])
        got = recording.project(neurons, rule=rule, seed="one").on_canvas()  # type: ignore[arg-type]
        attribution = METHODS[rule](model, module)
        for i in range(len(neurons)):
            place = (int(neurons.channel[i]), int(neurons.row[i]), int(neurons.col[i]))
            want = attribution.attribute(photo.clone().requires_grad_(), place)[0].detach()
            assert torch.linalg.norm(got[i] - want) <= 2e-6 * torch.linalg.norm(want) + 1e-12


def _relu_after(model: nn.Module, path: str) -> nn.Module:
    modules = list(model.modules())
    start = modules.index(model.get_submodule(path))
    return next(m for m in modules[start:] if isinstance(m, nn.ReLU))
