"""Small nets of five public libraries, random weights: every layer agrees with autograd.

`benchmarks/zoo.py` does the same for all that the libraries have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.zoo_libraries import LIBRARIES, awake
from tests.oracles.agreement import agree
from zfwidgets.deconv import DeconvNet

NETS = {
    "torchvision": {
        **dict.fromkeys(["resnet18", "squeezenet1_1", "swin_t", "convnext_tiny"], 64),
        **dict.fromkeys(["shufflenet_v2_x0_5", "mobilenet_v3_small", "mnasnet0_5"], 64),
        **dict.fromkeys(["googlenet", "efficientnet_b0", "regnet_y_400mf"], 64),
        **dict.fromkeys(["quantized_mobilenet_v2", "lraspp_mobilenet_v3_large"], 64),
        "densenet121": 32,
        "inception_v3": 75,
        "fasterrcnn_mobilenet_v3_large_320_fpn": 64,
    },
    "timm": {
        **dict.fromkeys(["test_byobnet", "test_convnext", "test_efficientnet", "test_vit"], 64),
        **dict.fromkeys(["test_nfnet", "test_resnet", "test_maxvit", "test_mambaout"], 64),
        **dict.fromkeys(["ghostnet_050", "repvgg_a0", "lcnet_035", "mobilevit_xxs"], 64),
    },
    "pytorchcv": {
        **dict.fromkeys(["shufflenet_g1_wd4", "espnetv2_wd2"], 224),
        **dict.fromkeys(["bninception", "octresnet10_ad2"], 224),
        "segnet_cityscapes": 64,
        "resnet20_cifar10": 32,
    },
    "transformers": {
        **dict.fromkeys(["resnet", "regnet", "convnext", "convnextv2", "mobilenet_v1"], 64),
        **dict.fromkeys(["mobilenet_v2", "efficientnet", "bit", "focalnet", "cvt"], 64),
        **dict.fromkeys(["poolformer", "segformer"], 64),
    },
    "smp": {
        **dict.fromkeys(["unetplusplus", "manet", "linknet", "fpn", "pspnet", "deeplabv3plus"], 64),
        "pan": 128,
    },
}
"""Name of the net and side of the picture."""

RESTLESS = {"efficientnet"}
"""With random weights they magnify rounding a thousandfold: only double precision tells."""

CASES = [(library, name, side) for library, nets in NETS.items() for name, side in nets.items()]


def build(library: str, name: str, side: int) -> nn.Module:
    torch.manual_seed(0)
    full = {"transformers": f"classification/{name}", "smp": f"{name}/resnet18"}.get(library, name)
    return awake(LIBRARIES[library].build(full, side))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("library", "name", "side"), CASES, ids=[name for _, name, _ in CASES])
def test_a_net_of_a_library(library: str, name: str, side: int) -> None:
    # Rounding grows through random weights; a wrong rule is off by far more.
    kind = torch.float64 if name in RESTLESS else torch.float32
    photo = torch.randn(1, 3, side, side, dtype=kind)
    recording = agree(build(library, name, side).to(kind), photo, 1e-3, most=3)
    last = recording.strongest(list(recording.layers)[-1])[:2]
    assert recording.project(last).pixels.isfinite().all()


def windows(x: Tensor, side: int) -> Tensor:
    """Cut into windows that stand in the batch, as Swin does."""
    b, c, h, w = x.shape
    x = x.view(b, c, h // side, side, w // side, side).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(-1, c, side, side)


class Windowed(nn.Module):
    """Attention within windows, batch and windows on one axis, put together again afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.look = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1)
        self.qkv = nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        b, _, h, w = x.shape
        tokens = windows(self.conv(x), 4).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(tokens).view(-1, 16, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = (q @ k.transpose(-2, -1)).softmax(-1) @ v
        mixed = mixed.transpose(1, 2).reshape(b, h // 4, w // 4, 4, 4, 8)
        return self.look(mixed.permute(0, 5, 1, 3, 2, 4).reshape(b, 8, h, w))


class Grouped(nn.Module):
    """Each picture filtered by its own weights: the batch becomes groups of one picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.look = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.make = nn.Linear(4, 4 * 9)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        b, c, h, w = x.shape
        filters = self.make(x.mean((2, 3))).view(b * c, 1, 3, 3)
        x = nn.functional.conv2d(x.reshape(1, b * c, h, w), filters, groups=b * c)
        return self.look(x.view(b, c, *x.shape[2:]))


def tiny_swin() -> nn.Module:
    from torchvision.models.swin_transformer import SwinTransformer

    return SwinTransformer([4, 4], 24, [2, 2], [2, 4], [4, 4], num_classes=5)


def tiny_vit() -> nn.Module:
    import timm

    return timm.create_model("test_vit", img_size=32)


MIXED: dict[str, Callable[[], nn.Module]] = {
    "windows": Windowed,
    "weights of each picture": Grouped,
    "Swin": tiny_swin,
    "ViT": tiny_vit,
    "ResNet": lambda: build("torchvision", "resnet18", 32),
}


@pytest.mark.parametrize("name", MIXED)
def test_pictures_of_a_batch_do_not_meet(name: str) -> None:
    """Also where the net puts the batch on one axis with windows, groups or heads."""
    torch.manual_seed(0)
    model = MIXED[name]().eval().double()
    photos = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    together = agree(model, photos, 1e-6)
    last = list(together.layers)[-1]
    how: dict[str, Any] = {"rule": "guided", "seed": "activation"}
    some = together.project(together.strongest(last, [0, 1]), **how).on_canvas()
    net = DeconvNet(model, device="cpu")
    for i, photo in enumerate(photos):
        alone = net.record(photo)
        torch.testing.assert_close(alone.feature_maps(last)[0], together.feature_maps(last)[i])
        want = alone.project(alone.strongest(last, [0, 1]), **how).on_canvas()
        torch.testing.assert_close(some[2 * i : 2 * i + 2], want)
