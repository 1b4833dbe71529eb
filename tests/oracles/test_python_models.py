"""Models written as people write them: branches, loops, outputs of any kind, things kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.oracles.agreement import agree
from zfwidgets.deconv import DeconvNet

PHOTO = (1, 3, 12, 12)


class Base(nn.Module):
    """Two convolutions; what happens between is told by `between`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.look = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Any:
        return self.look(self.between(F.relu(self.conv(x))))

    def between(self, x: Tensor) -> Tensor:
        return x


# ------------------------------------------------------------------------------- branches and loops


class Asserts(Base):
    def between(self, x: Tensor) -> Tensor:
        assert x.ndim == 4, f"expected maps, got {x.shape}"
        assert len(x), "no picture"
        assert torch.isfinite(x).all()
        return x


class Unbatched(Base):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x[None] if x.dim() == 3 else x)


class SamePadding(Base):
    """As TensorFlow pads."""

    def between(self, x: Tensor) -> Tensor:
        over = [max((-(-n // 2) - 1) * 2 + 3 - n, 0) for n in x.shape[-2:]]
        x = F.pad(x, [over[1] // 2, over[1] - over[1] // 2, over[0] // 2, over[0] - over[0] // 2])
        return F.max_pool2d(x, 3, 2)


class BranchOnValues(Base):
    def between(self, x: Tensor) -> Tensor:
        if x.mean() > 1e6:
            return x * 0
        scale = float(x.detach().amax().item())
        return x / scale if scale > 0 else x


class LoopOnShape(Base):
    def between(self, x: Tensor) -> Tensor:
        while min(x.shape[-2:]) > 4:
            x = F.avg_pool2d(x, 2)
        return x


class EachPicture(Base):
    def between(self, x: Tensor) -> Tensor:
        return torch.stack([one * (i + 1) for i, one in enumerate(x)]) / len(x)


class Flags(Base):
    def forward(self, x: Tensor, task: str | None = None, mask: Tensor | None = None) -> Any:
        x = F.relu(self.conv(x))
        if mask is not None:
            x = x * mask
        if task == "features":
            return x
        return self.look(x)


class EarlyExit(Base):
    def forward(self, x: Tensor) -> Any:
        x = F.relu(self.conv(x))
        scores = self.look(x)
        if bool((scores.mean((2, 3)).softmax(1).amax(1) > 0.999).all()):
            return scores
        return self.look(x + x.flip(3))


class Reused(Base):
    """One layer, called with maps of several sizes, as the heads of detectors are."""

    def forward(self, x: Tensor) -> Any:
        levels = [self.conv(x)]
        for _ in range(2):
            levels.append(F.max_pool2d(levels[-1], 2))
        return [self.look(level) for level in levels]


class Tried(Base):
    def between(self, x: Tensor) -> Tensor:
        try:
            return x.view(x.size(0), 5, -1)
        except RuntimeError:
            return x * torch.tensor([2.0, 1.0] * 4, device=x.device).view(1, -1, 1, 1).to(x)


class Positions(Base):
    def between(self, x: Tensor) -> Tensor:
        b, c, h, w = map(int, x.size())
        rows = torch.linspace(0, 1, h, device=x.device, dtype=x.dtype).view(1, 1, h, 1)
        return x + rows.expand(b, c, h, w) * (h / w)


class Generated(Base):
    def between(self, x: Tensor) -> Tensor:
        def halves() -> Iterator[Tensor]:
            yield from x.split(x.size(1) // 2, dim=1)

        return torch.cat([half.tanh() for half in halves()], dim=1)


class Recursive(Base):
    def between(self, x: Tensor) -> Tensor:
        return x if x.shape[-1] <= 3 else self.between(x[..., ::2, ::2] + x[..., 1::2, 1::2])


class Recurrent(Base):
    def __init__(self) -> None:
        super().__init__()
        self.again = nn.Conv2d(8, 8, 3, padding=1)

    def between(self, x: Tensor) -> Tensor:
        state = torch.zeros_like(x)
        for _ in range(3):
            state = torch.tanh(self.again(state) + x)
        return state


class WithoutModules(Base):
    """Parameters and functions; the weights derived from others in the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.randn(8, 8, 3, 3))

    def between(self, x: Tensor) -> Tensor:
        mean, std = self.raw.mean((1, 2, 3), True), self.raw.std((1, 2, 3), keepdim=True)
        return F.conv2d(x, (self.raw - mean) / std, padding=1)


class Checkpointed(Base):
    def __init__(self, reentrant: bool = False) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU(inplace=True))
        self.reentrant = reentrant

    def between(self, x: Tensor) -> Tensor:
        return checkpoint(self.block, x, use_reentrant=self.reentrant)


class SwishFunction(torch.autograd.Function):
    """With a backward of its own, as EfficientNet ports have for their memory's sake."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad * s * (1 + x * (1 - s))


class OwnFunction(Base):
    def between(self, x: Tensor) -> Tensor:
        return SwishFunction.apply(x)


class Normalises(Base):
    """Its own input, in place."""

    def forward(self, x: Tensor) -> Any:
        return super().forward(x.sub_(0.5).div_(0.25))


class Parted(Base):
    """Heads over parts of one map, written into one output."""

    def forward(self, x: Tensor) -> Any:
        x = self.conv(x)
        out = x.new_zeros(x.shape)
        for i, part in enumerate(x.chunk(4, dim=1)):
            out[:, 2 * i : 2 * i + 2] = part.relu() if i % 2 else part.sigmoid()
        return self.look(out)


class RowsAsSequences(Base):
    """A recurrent network along every row and column of the map, channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.along = nn.GRU(8, 4, batch_first=True), nn.GRU(8, 4, batch_first=True)

    def between(self, x: Tensor) -> Tensor:
        maps = x.permute(0, 2, 3, 1)
        b, h, w, c = maps.shape
        down = self.down(maps.permute(0, 2, 1, 3).reshape(-1, h, c))[0]
        down = down.reshape(b, w, h, -1).permute(0, 2, 1, 3)
        along = self.along(maps.reshape(-1, w, c))[0].reshape(b, h, w, -1)
        return (maps + torch.cat([down, along], dim=-1)).permute(0, 3, 1, 2)


class OneOfFiveDimensions(Base):
    """Maps of several groups beside one another, of which one is taken."""

    def between(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        groups = x.reshape(b, 2, c // 2, h, w)
        return torch.cat([groups[:, 1], groups[:, 0].sigmoid()], dim=1)


class DropoutThatIsOff(Base):
    """Of a bias that no picture reaches, added to what one does; attention that drops nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.bias, self.drop = nn.Parameter(torch.randn(8, 1, 1)), nn.Dropout(0.5)

    def between(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.bias)
        tokens = x.flatten(2).transpose(1, 2)[:, None]
        seen = F.scaled_dot_product_attention(tokens, tokens, tokens, dropout_p=0.0)
        return seen[:, 0].transpose(1, 2).unflatten(2, x.shape[2:])


WRITTEN = [
    Asserts, Unbatched, SamePadding, BranchOnValues, LoopOnShape, EachPicture, Flags, EarlyExit,
    Reused, Tried, Positions, Generated, Recursive, Recurrent, WithoutModules, Checkpointed,
    OwnFunction, Normalises, Parted, RowsAsSequences, OneOfFiveDimensions, DropoutThatIsOff,
]  # fmt: skip


@pytest.mark.parametrize("kind", WRITTEN)
def test_python_of_any_kind(kind: Callable[[], nn.Module]) -> None:
    agree(kind().eval().double(), torch.randn(PHOTO, dtype=torch.float64), 1e-6)


@pytest.mark.parametrize("kind", WRITTEN)
def test_python_of_any_kind_on_several_pictures(kind: Callable[[], nn.Module]) -> None:
    if kind is EachPicture:  # weighs the pictures of a batch by their number
        model = kind().eval().double()
        recording = DeconvNet(model, device="cpu").record(torch.randn(3, *PHOTO[1:]))
        with pytest.raises(RuntimeError, match="influence one another"):
            recording.project(recording.strongest("look"))
        return
    agree(kind().eval().double(), torch.randn(3, *PHOTO[1:], dtype=torch.float64), 1e-6)


def gradient_of_the_last(model: nn.Module, photo: Tensor) -> Tensor:
    recording = DeconvNet(model, device="cpu").record(photo)
    neuron = recording.neurons(list(recording.layers)[-1], 0, 2, 5, 5)
    return recording.project(neuron, "gradient", "one", lrn="vjp").on_canvas()


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_a_reentrant_checkpoint_is_no_obstacle() -> None:
    """torch.autograd.grad refuses it; it changes nothing of what is computed."""
    model, photo = Checkpointed().eval(), torch.randn(PHOTO)
    want = gradient_of_the_last(model, photo)
    model.reentrant = True
    torch.testing.assert_close(gradient_of_the_last(model, photo), want)


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")
def test_branches_go_as_the_picture_tells() -> None:
    """Two pictures, two ways: each recording shows the one that was gone."""

    class Either(Base):
        def between(self, x: Tensor) -> Tensor:
            return x.flip(2) if float(x.sum()) > 100 else x.tanh()

    model = Either().eval()
    for size in (0.1, 10.0):
        agree(model, size * torch.randn(PHOTO))


# ------------------------------------------------------------------------------------------ outputs


class ModelOutput(OrderedDict[str, Any]):
    """As in transformers and diffusers."""


@dataclass
class Result:
    logits: Tensor
    features: list[Tensor]
    loss: Tensor | None = None


class Pair(NamedTuple):
    scores: Tensor
    maps: Tensor


OUTPUTS: dict[str, Callable[[Tensor], Any]] = {
    "ModelOutput": lambda x: ModelOutput(logits=x.mean((2, 3)), features=x),
    "dataclass": lambda x: Result(x.mean((2, 3)), [x]),
    "dict": lambda x: {"out": x, "aux": None},
    "named tuple": lambda x: Pair(x.mean((2, 3)), x),
    "tuple with None": lambda x: (x, None, 3, "name"),
    "nested": lambda x: {"levels": [{"maps": x}, (x.relu(),)]},
    "nothing": lambda _: None,
    "a number": lambda x: float(x.mean()),
    "one value": lambda x: x.mean(),
    "a row of one picture": lambda x: x[0].mean((1, 2)),
    "classes": lambda x: x.mean((2, 3)).argmax(1),
    "a list per picture": lambda x: [{"boxes": one.flatten(1)[:, :4]} for one in x],
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_of_any_kind(name: str) -> None:
    class Gives(Base):
        def forward(self, x: Tensor) -> Any:
            return OUTPUTS[name](super().forward(x))

    recording = agree(Gives().eval(), torch.randn(PHOTO))
    assert list(recording.layers)[:2] == ["conv", "look"]


@pytest.mark.parametrize("name", ["ModelOutput", "dataclass"])
def test_logits_are_found_in_outputs_that_name_them(name: str) -> None:
    class Gives(Base):
        def forward(self, x: Tensor) -> Any:
            return OUTPUTS[name](super().forward(x))

    model, photo = Gives().eval(), torch.randn(PHOTO)
    logits = DeconvNet(model, device="cpu").record(photo).logits
    assert logits is not None
    given = model(photo)
    want = given["logits"] if name == "ModelOutput" else given.logits
    torch.testing.assert_close(logits, want.detach())


# --------------------------------------------------------------------------------- what models keep


class Keeps(Base):
    """Activations and losses in lists, dicts and attributes, a lock, an open file, a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Tensor] = {}
        self.losses: list[Tensor] = []
        self.last: Tensor | None = None
        self.lock = threading.Lock()
        self.log = Path("/dev/null").open("w")  # noqa: SIM115
        self.act = lambda x: F.leaky_relu(x, 0.2)
        self.calls = 0
        self.seen = nn.Buffer(torch.zeros(8))
        self.conv.register_forward_hook(lambda _, __, out: self.kept.update(conv=out))

    def between(self, x: Tensor) -> Tensor:
        with self.lock:
            self.calls += 1
        self.log.write(f"{x.shape}\n")
        self.last = x
        self.losses.append(x.mean())
        return self.act(x)


def test_what_a_model_keeps_is_its_own() -> None:
    model = Keeps().eval()
    photo = torch.randn(PHOTO)
    model(photo)
    agree(model, photo)
    model(photo)[0, 0, 0, 0].backward()
    assert model.conv.weight.grad is not None
    model.log.close()


def test_hooks_that_change_what_flows_are_part_of_the_model() -> None:
    model = Base().eval()
    model.conv.register_forward_hook(lambda _, __, out: out.tanh())
    model.look.register_forward_pre_hook(lambda _, given: (given[0] * 0.5,))
    agree(model, torch.randn(PHOTO))


def test_a_buffer_that_the_forward_pass_fills() -> None:
    class Filled(Base):
        def __init__(self) -> None:
            super().__init__()
            self.room = nn.Buffer(torch.zeros(1, 8, 12, 12), persistent=False)

        def between(self, x: Tensor) -> Tensor:
            room = self.room.detach().clone()
            room.copy_(x)
            return room * 2 + x

    agree(Filled().eval(), torch.randn(PHOTO))


def test_an_output_that_was_changed_after_it_was_read() -> None:
    """The convolution saw what was there before; autograd itself gives up on such a model."""

    class Later(Base):
        place = True

        def forward(self, x: Tensor) -> Any:
            x = self.conv(x)
            seen = self.look(x)
            x = x.mul_(0.5) if self.place else x * 0.5
            return seen + x[:, :4]

    model, photo = Later().eval(), torch.randn(PHOTO)
    got = gradient_of_the_last(model, photo)
    model.place = False
    torch.testing.assert_close(got, gradient_of_the_last(model, photo))
