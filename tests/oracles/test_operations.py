"""Every kind of operation between two convolutions: maps and gradient as the model has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import ops

from tests.oracles.agreement import agree
from zfwidgets.deconv import DeconvNet

CHANNELS, SIDE = 8, 12
Step = Callable[[Tensor], Tensor]


class Between(nn.Module):
    """A convolution, the step under study on [B, 8, 12, 12], a convolution of what comes out."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.step = step
        with torch.no_grad():
            given = step(torch.randn(1, CHANNELS, SIDE, SIDE))
        self.look = nn.Conv2d(given.shape[1], 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.look(self.step(self.conv(x)))


def photos(count: int) -> Tensor:
    return torch.randn(count, 3, SIDE, SIDE, dtype=torch.float64)


def tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def grid(x: Tensor) -> Tensor:
    return x.transpose(1, 2).unflatten(2, (SIDE, SIDE))


def attention(x: Tensor) -> Tensor:
    q, k, v = tokens(x).unflatten(2, (2, 4)).transpose(1, 2).repeat(1, 1, 1, 3).chunk(3, 3)
    return grid(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def filled(x: Tensor) -> Tensor:
    out = torch.zeros_like(x)
    for i in range(x.shape[1]):
        out[:, i] = x[:, i] * (i + 1)
    return out


def every_other(x: Tensor) -> Tensor:
    out = x.clone()
    out[:, ::2] = torch.sigmoid(x[:, 1::2])
    return out


def some_added(x: Tensor) -> Tensor:
    x[:, :4] += 1
    x[..., 2:5] *= x.mean()
    return x


def part_rectified(x: Tensor) -> Tensor:
    x.view(len(x), -1)[:, 600:].mul_(-2)
    x[:, :4].relu_()
    return x


def swapped(x: Tensor) -> Tensor:
    x[:, [0, 1]] = x[:, [1, 0]]
    return x


def shifted(x: Tensor) -> Tensor:
    """The temporal shift, over columns."""
    out = torch.zeros_like(x)
    out[:, :2, :, 1:] = x[:, :2, :, :-1]
    out[:, 2:4, :, :-1] = x[:, 2:4, :, 1:]
    out[:, 4:] = x[:, 4:]
    return out


def written_out(x: Tensor) -> Tensor:
    out = x.new_empty(x.shape)
    out.copy_(x)
    torch.flatten(out, 1).mul_(2)
    return out


def wavelet(x: Tensor) -> Tensor:
    a, b = x[:, :, 0::2] / 2, x[:, :, 1::2] / 2
    parts = [p[..., i::2] for p in (a + b, a - b) for i in (0, 1)]
    return torch.cat([parts[0] + parts[1], parts[2] - parts[3]], 1)


def unpooled(x: Tensor) -> Tensor:
    pooled, where = F.max_pool2d(x, 2, return_indices=True)
    return F.max_unpool2d(pooled.sigmoid(), where, [2, 2], output_size=x.shape)


def deformed(x: Tensor) -> Tensor:
    offsets = x.repeat(1, 3, 1, 1)[:, :18].tanh()
    filters = torch.linspace(-1, 1, 4 * CHANNELS * 9, dtype=x.dtype).view(4, CHANNELS, 3, 3)
    return ops.deform_conv2d(x, offsets, filters, padding=1)


def regions(x: Tensor) -> Tensor:
    boxes = torch.tensor([[0.0, 1.0, 2.0, 9.0, 8.0]], dtype=x.dtype)
    return ops.roi_align(x, boxes, (6, 6), aligned=True).expand(len(x), -1, -1, -1) + x[..., :6, :6]


def turned(x: Tensor) -> Tensor:
    """A spatial transformer: where to look is computed from the picture."""
    theta = x.mean((2, 3))[:, :6].view(-1, 2, 3) + torch.eye(2, 3, dtype=x.dtype)
    where = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, where, align_corners=False)


def own_filters(x: Tensor) -> Tensor:
    """A hypernetwork: weights made from the picture, for each of the batch."""
    b, c, h, w = x.shape
    filters = x.mean((2, 3)).tanh().view(b * c, 1, 1, 1) * torch.ones(1, 1, 3, 3, dtype=x.dtype)
    return F.conv2d(x.reshape(1, b * c, h, w), filters, groups=b * c).view(b, c, h - 2, w - 2)


def mixed_experts(x: Tensor) -> Tensor:
    """Dynamic convolution: filters of several experts, mixed for each picture."""
    experts = torch.linspace(-1, 1, CHANNELS * 4 * CHANNELS, dtype=x.dtype)
    experts = experts.view(CHANNELS, 4 * CHANNELS)
    shares = x.mean((2, 3)).softmax(1)
    filters = (shares @ experts).view(-1, 4, CHANNELS, 1, 1)
    return torch.cat([F.conv2d(one[None], own) for one, own in zip(x, filters, strict=True)])


def demodulated(x: Tensor) -> Tensor:
    style = x.mean((2, 3), keepdim=True)
    return x * style * torch.rsqrt((style * style).sum(1, keepdim=True) + 1e-5)


def coordinates(x: Tensor) -> Tensor:
    """CoordConv: each place is told where it is."""
    rows, cols = torch.meshgrid(*(torch.arange(n) / n for n in x.shape[2:]), indexing="ij")
    where = torch.stack([rows, cols]).to(x).expand(len(x), -1, -1, -1)
    return torch.cat([x, where], 1)


def warped(x: Tensor) -> Tensor:
    theta = torch.tensor([[[0.9, 0.2, 0.1], [-0.2, 0.8, 0.0]]]).to(x).expand(len(x), 2, 3)
    where = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, where, align_corners=False)


def patches_moved(x: Tensor) -> Tensor:
    return F.fold(F.unfold(x, 3, padding=1).flip(1), (SIDE, SIDE), 3, padding=1)


OPERATIONS: dict[str, Step] = {
    # rectifiers and their like, in other words
    "clamp": lambda x: torch.clamp(x, min=0),
    "clamp both sides": lambda x: x.clamp(-0.2, 0.3),
    "maximum with zero": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "mask as a factor": lambda x: x * (x > 0),
    "masked_fill": lambda x: x.masked_fill(x < 0, 0.0),
    "x * sigmoid(x)": lambda x: x * x.sigmoid(),
    "hardswish": F.hardswish,
    "gelu by tanh": lambda x: F.gelu(x, approximate="tanh"),
    "maxout": lambda x: torch.max(x[:, :4], x[:, 4:]),
    "both signs": lambda x: torch.cat([x.relu(), (-x).relu()], 1),
    "a threshold learnt per channel": lambda x: F.relu(x - x.mean((2, 3), keepdim=True)),
    # arithmetic
    "x ** 2": lambda x: x**2,
    "root": lambda x: (x * x + 1).sqrt(),
    "exp and log": lambda x: torch.log1p(x.exp()),
    "quotient of maps": lambda x: x / (1 + x.abs()),
    "1 - x": lambda x: 1 - x,
    "abs, sin": lambda x: x.abs() + x.sin(),
    "lerp": lambda x: torch.lerp(x, x.flip(2), 0.3),
    "addcmul": lambda x: torch.addcmul(x, x, x.flip(3), value=0.5),
    # sums over axes
    "sum": lambda x: x + torch.sum(x, (2, 3), keepdim=True),
    "sum of each picture": lambda x: x * x.sum((1, 2, 3), keepdim=True),
    "max over channels": lambda x: x - torch.max(x, 1, keepdim=True)[0],
    "amax, amin": lambda x: x.amax((2, 3), keepdim=True) - x.amin(1, keepdim=True),
    "deviation": lambda x: (x - x.mean(1, True)) / (x.std(1, keepdim=True) + 1),
    "norm": F.normalize,
    "vector_norm": lambda x: x / torch.linalg.vector_norm(x, dim=1, keepdim=True),
    "logsumexp": lambda x: x - x.logsumexp(1, keepdim=True),
    "softmax over places": lambda x: x.flatten(2).softmax(2).view_as(x),
    "log_softmax": lambda x: F.log_softmax(x, 1),
    "cumsum": lambda x: x.cumsum(2),
    "topk": lambda x: x.topk(3, 1).values,
    "sort": lambda x: x.sort(1).values,
    "median": lambda x: x - x.median(1, keepdim=True).values,
    # axes and places
    "expand": lambda x: x.mean((2, 3), keepdim=True).expand(-1, -1, 5, 5),
    "repeat": lambda x: x.repeat(1, 2, 1, 2),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 1),
    "tile": lambda x: x.tile(1, 1, 2, 1),
    "stack": lambda x: torch.stack([x, x.relu()], 2).flatten(1, 2),
    "unbind": lambda x: torch.stack(x.unbind(1)[::-1], 1),
    "split": lambda x: torch.cat(x.split([3, 5], 1)[::-1], 1),
    "chunk": lambda x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "over the batch": lambda x: torch.cat([x, -x]).relu().chunk(2)[1],
    "flip, roll": lambda x: x.flip(3).roll((1, -2), (2, 3)),
    "rot90": lambda x: torch.rot90(x, 1, (2, 3)),
    "mT": lambda x: x.mT,
    "T of a matrix": lambda x: x.flatten(1).T.relu().T.view(x.shape),
    "real": lambda x: x.real,
    "movedim": lambda x: x.movedim(1, -1).contiguous().movedim(-1, 1),
    "swapaxes": lambda x: x.swapaxes(2, 3),
    "channel shuffle": lambda x: x.view(-1, 2, 4, SIDE, SIDE).transpose(1, 2).flatten(1, 2),
    "rows as columns": lambda x: x.reshape(-1, 2 * CHANNELS, SIDE, SIDE // 2),
    "narrow": lambda x: x.narrow(1, 2, 4).narrow(2, 1, 8),
    "unfold": lambda x: x.unfold(2, 3, 2).unfold(3, 3, 2).amax((-1, -2)),
    "channels by number": lambda x: x[:, [3, 1, 3, 0]],
    "index_select": lambda x: x.index_select(1, torch.tensor([5, 5, 2])),
    "gather": lambda x: x.gather(1, x.argsort(1)[:, :3]),
    "take_along_dim": lambda x: torch.take_along_dim(x, x.argmax(1, keepdim=True), 1),
    "scatter": lambda x: torch.zeros_like(x).scatter(1, x.argsort(1), x),
    "diagonal": lambda x: torch.diag_embed(torch.diagonal(x, dim1=2, dim2=3)),
    "tril": lambda x: x.tril(),
    "space to depth": lambda x: F.pixel_unshuffle(x, 2),
    "depth to space": lambda x: F.pixel_shuffle(x, 2),
    "Haar wavelet": wavelet,
    "fold of unfold": patches_moved,
    "coordinates": coordinates,
    # edges
    "circular": lambda x: F.pad(x, (1, 1, 2, 0), mode="circular"),
    "reflect": lambda x: F.pad(x, (2, 1, 0, 3), mode="reflect"),
    "replicate": lambda x: F.pad(x, (1, 1, 1, 1), mode="replicate"),
    "a constant": lambda x: F.pad(x, (1, 0, 0, 2), value=0.7),
    "cut by padding": lambda x: F.pad(x, (-1, -2, 1, -3)),
    # scales
    **{
        f"interpolate {mode}": partial(F.interpolate, size=(9, 17), mode=mode)
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
    },
    "antialias": lambda x: F.interpolate(x, (5, 7), mode="bilinear", antialias=True),
    "corners": lambda x: F.interpolate(x, scale_factor=1.5, mode="bicubic", align_corners=True),
    "grid_sample": warped,
    "spatial transformer": turned,
    # pools
    "adaptive max": lambda x: F.adaptive_max_pool2d(x, (5, 7)),
    "adaptive mean": lambda x: F.adaptive_avg_pool2d(x, 5),
    "max with dilation": lambda x: F.max_pool2d(x, 3, 2, dilation=2, ceil_mode=True),
    "mean without padding": lambda x: F.avg_pool2d(x, 3, 2, 1, True, False),
    "divisor": lambda x: F.avg_pool2d(x, 2, divisor_override=3),
    "switches": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "unpooling": unpooled,
    "of squares": lambda x: F.avg_pool2d(x * x, 2).sqrt(),
    "min": lambda x: -F.max_pool2d(-x, 2),
    # filters that are functions
    "conv_transpose2d": lambda x: F.conv_transpose2d(x, x[:1, :4].new_ones(8, 4, 3, 3), stride=2),
    "blur": lambda x: F.conv2d(
        x, torch.ones(CHANNELS, 1, 3, 3, dtype=x.dtype) / 9, groups=CHANNELS, stride=2),
    "deform_conv2d": deformed,
    "weights of each picture": own_filters,
    "experts": mixed_experts,
    "demodulated": demodulated,
    "roi_align": regions,
    # products of maps
    "gram": lambda x: (x.flatten(2) @ x.flatten(2).transpose(1, 2))[:, None],
    "rows by columns": lambda x: x @ x.mT.softmax(3),
    "einsum": lambda x: torch.einsum("bchw,bdhw->bcd", x, x)[:, None],
    "einsum of one": lambda x: x + torch.einsum("bchw->bc", x)[:, :, None, None],
    "bmm": lambda x: torch.bmm(x.flatten(0, 1), x.flatten(0, 1).transpose(1, 2)).view(x.shape),
    "attention": attention,
    "outer": lambda x: x.mean(3)[..., None] * x.mean(2)[:, :, None],
    # changes in place
    "filled in a loop": filled,
    "every other channel": every_other,
    "augmented": some_added,
    "through views": part_rectified,
    "swapped": swapped,
    "shifted": shifted,
    "copy_, then through a view": written_out,
    "add_, mul_": lambda x: x.add_(1).mul_(2),
    "masked_fill_": lambda x: x.masked_fill_(x < 0, 0.0),
    "index_add_": lambda x: x.clone().index_add_(1, torch.tensor([0, 3]), x[:, :2]),
    "index_put_": lambda x: x.index_put_((torch.arange(len(x)), torch.tensor(2)), x[:, 3] * 2),
    "clamp_ of a slice": lambda x: (x[:, 2:5].clamp_(0, 1), x)[1],
    # kinds of numbers
    "to half and back": lambda x: x.float().to(x.dtype),
    "memory format": lambda x: x.contiguous(memory_format=torch.channels_last),
    "clone": lambda x: x.clone(),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name: str) -> None:
    model = Between(OPERATIONS[name]).eval().double()
    recording = agree(model, photos(1), 1e-6)
    assert [n for n in recording.layers if n in ("conv", "look")] == ["conv", "look"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_on_several_pictures(name: str) -> None:
    model = Between(OPERATIONS[name]).eval().double()
    if name == "roi_align":  # all regions are of the first picture, seen in the second, too
        recording = DeconvNet(model, device="cpu").record(photos(2))
        with pytest.raises(RuntimeError, match="influence one another"):
            recording.project(recording.strongest("look"))
        return
    agree(model, photos(2), 1e-6)


class Columns(nn.Module):
    """A module that works on the last axis."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        out = self.module(tokens(x))
        return grid(out[0] if isinstance(out, tuple) else out)


class Self(nn.MultiheadAttention):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x, x, x, need_weights=False)[0]


MODULES: dict[str, Callable[[], nn.Module]] = {
    "SyncBatchNorm": lambda: nn.SyncBatchNorm(8),
    "GroupNorm": lambda: nn.GroupNorm(4, 8),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(8, affine=True),
    "LocalResponseNorm": lambda: nn.LocalResponseNorm(3),
    "LayerNorm": lambda: nn.LayerNorm([8, 12, 12]),
    "LayerNorm over columns": lambda: nn.LayerNorm(12),
    "RMSNorm": lambda: nn.RMSNorm(12),
    "FrozenBatchNorm2d": lambda: ops.FrozenBatchNorm2d(8),
    "Linear over columns": lambda: nn.Linear(12, 9),
    "MLP": lambda: Columns(nn.Sequential(nn.Linear(8, 4), nn.GELU(), nn.Linear(4, 8))),
    "MultiheadAttention": lambda: Columns(Self(8, 2, batch_first=True)),
    "Transformer": lambda: Columns(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)),
    "LSTM": lambda: Columns(nn.LSTM(8, 4, batch_first=True, bidirectional=True)),
    "GRU": lambda: Columns(nn.GRU(8, 8, batch_first=True)),
    "UpsamplingBilinear2d": lambda: nn.UpsamplingBilinear2d(scale_factor=2),
    "UpsamplingNearest2d": lambda: nn.UpsamplingNearest2d(scale_factor=2),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(8, 6, 3, 2, 1, 1, groups=2, dilation=2),
    "Conv2d, padding by name": lambda: nn.Conv2d(8, 6, 4, padding="same", dilation=2),
    "Conv2d, reflecting": lambda: nn.Conv2d(8, 6, 3, padding=1, padding_mode="reflect"),
    "GLU": lambda: nn.GLU(1),
    "PReLU": lambda: nn.PReLU(8),
    "RReLU": nn.RReLU,
    "Hardtanh": nn.Hardtanh,
    "SELU": nn.SELU,
    "CELU": nn.CELU,
    "Mish": nn.Mish,
    "Softshrink": nn.Softshrink,
    "Hardshrink": lambda: nn.Hardshrink(0.1),
    "Tanhshrink": nn.Tanhshrink,
    "Threshold": lambda: nn.Threshold(0.1, -0.2),
    "LogSigmoid": nn.LogSigmoid,
    "Softmax2d": nn.Softmax2d,
    "Softmin": lambda: nn.Softmin(1),
    "CircularPad2d": lambda: nn.CircularPad2d(1),
    "ZeroPad2d": lambda: nn.ZeroPad2d((1, 0, 2, 1)),
    "PixelUnshuffle": lambda: nn.PixelUnshuffle(2),
    "ChannelShuffle": lambda: nn.ChannelShuffle(4),
    "AdaptiveMaxPool2d": lambda: nn.AdaptiveMaxPool2d(5),
    "Dropout3d": nn.Dropout3d,
    "AlphaDropout": nn.AlphaDropout,
    "StochasticDepth": lambda: ops.StochasticDepth(0.5, "row"),
    "SqueezeExcitation": lambda: ops.SqueezeExcitation(8, 4),
    "DropBlock2d": lambda: ops.DropBlock2d(0.5, 3),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*channel_shuffle:UserWarning")
@pytest.mark.parametrize("name", MODULES)
def test_module(name: str) -> None:
    module = MODULES[name]().eval()
    model = nn.Sequential(nn.Conv2d(3, CHANNELS, 3, padding=1), module)
    with torch.no_grad():
        given = model(torch.randn(1, 3, SIDE, SIDE))
    model.append(nn.Conv2d(given.shape[1], 4, 3, padding=1)).double()
    agree(model.eval(), photos(1), 1e-6)
    agree(model, photos(2), 1e-6)
