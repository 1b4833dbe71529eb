"""Every linear way back is the transpose of the way forward: <F x, y> = <x, B y>."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zfwidgets.deconv import DeconvNet

LINEAR: dict[str, nn.Module] = {
    "convolution": nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False),
    "dilated convolution in groups": nn.Conv2d(4, 6, 3, dilation=2, groups=2, bias=False),
    "convolution that keeps the size": nn.Conv2d(4, 6, 4, padding="same", bias=False),
    "convolution padded by reflection": nn.Conv2d(
        4, 6, 3, stride=2, padding=2, padding_mode="reflect", bias=False
    ),
    "convolution padded round the back": nn.Conv2d(
        4, 6, 5, padding=2, padding_mode="circular", bias=False
    ),
    "convolution padded by its border": nn.Conv2d(
        4, 6, 3, stride=3, padding=1, padding_mode="replicate", bias=False
    ),
    "transposed convolution": nn.ConvTranspose2d(4, 6, 3, stride=2, bias=False),
    "average pool": nn.AvgPool2d(3, 2),
    "average pool that counts its padding": nn.AvgPool2d(3, 2, padding=1, ceil_mode=True),
    "average pool that does not": nn.AvgPool2d(3, 2, 1, True, count_include_pad=False),
    "average pool larger than the map": nn.AvgPool2d(640, padding=1, ceil_mode=True),
    "average pool with a divisor": nn.AvgPool2d(2, divisor_override=3),
    "adaptive average pool": nn.AdaptiveAvgPool2d((4, 3)),
    "global average pool": nn.AdaptiveAvgPool2d(1),
    "upsampling": nn.Upsample(scale_factor=2, mode="bilinear"),
    "zero padding": nn.ZeroPad2d((1, 2, 0, 3)),
    "pixel shuffle": nn.PixelShuffle(2),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", LINEAR)
def test_transpose(name: str) -> None:
    torch.manual_seed(0)
    operation = LINEAR[name].double().eval()
    model = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False).double(), operation)
    x = torch.randn(1, 3, 13, 11, dtype=torch.float64)
    recording = DeconvNet(model, device="cpu").record(x)
    output = model(x)[0].detach()
    step = len(recording._calls) - 1
    y = torch.randn_like(output)
    back = _sent_back(recording, step, y)
    assert torch.allclose((output * y).sum(), (x[0] * back).sum(), rtol=1e-10)


def _sent_back(recording: object, step: int, y: Tensor) -> Tensor:
    """A whole map y [C, H, W] at the output of a step, linearly back to the input."""
    from zfwidgets.deconv import backward
    from zfwidgets.deconv.method import Method
    from zfwidgets.deconv.recording import Recording
    from zfwidgets.deconv.signals import Way
    from zfwidgets.deconv.windows import Places

    assert isinstance(recording, Recording)
    zero = torch.zeros(1, dtype=torch.long)
    way = Way(Method(rule="linear"), Places.of(zero, zero, zero, torch.device("cpu")))
    signal = backward.from_maps(recording._calls, step, y[None])
    signal = backward.send_back(recording._calls, step, signal, way)
    return way.whole(signal, recording._calls[0].size).values[0]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "ceil"),
    [(3, 2, 0, True), (3, 1, 1, False), (2, 2, 0, False), (640, 640, 1, True)],
)
def test_unpooling_is_the_transpose_of_picking_the_maxima(
    kernel: int, stride: int, padding: int, ceil: bool
) -> None:
    torch.manual_seed(0)
    pool = nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)
    x = torch.randn(1, 3, 14, 12, dtype=torch.float64)
    recording = DeconvNet(nn.Sequential(pool), device="cpu").record(x)
    _, switches = F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil, return_indices=True)
    picked = x.flatten(2).gather(2, switches.flatten(2)).view(switches.shape)[0]
    y = torch.randn_like(picked)
    back = _sent_back(recording, 1, y)
    assert torch.allclose((picked * y).sum(), (x[0] * back).sum(), rtol=1e-10)
