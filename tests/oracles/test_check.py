"""Before the first projection the way back is compared with autograd: wrong is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import zfwidgets as zf
from tests.oracles.agreement import agree


class Louder(torch.autograd.Function):
    """The identity, with a derivative of its own: gradients are doubled."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return 2 * gradient


class OfItsOwn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(x).relu()
        both: Tensor = self.two(x + Louder.apply(x))
        return both


class Tokens(nn.Module):
    """Maps that are read as tokens right after their normalisation, as CvT's projections are."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.read = nn.Linear(8, 4)
        nn.init.uniform_(self.norm.get_buffer("running_var"), 0.5, 1.5)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.norm(self.conv(x))
        tokens = F.pad(maps.flatten(2).transpose(1, 2), (0, 0, 1, 0))
        read: Tensor = self.read(tokens)
        return read


def test_another_derivative_than_that_of_what_runs_is_refused() -> None:
    torch.manual_seed(0)
    model, photo = OfItsOwn().eval(), torch.randn(1, 3, 12, 12)
    recording = zf.DeconvNet(model, device="cpu").record(photo)
    with pytest.raises(zf.UnsupportedModel, match=r"is not the one that autograd finds"):
        recording.project(recording.strongest("two"))
    unchecked = zf.DeconvNet(model, device="cpu", check=False).record(photo)
    assert unchecked.project(unchecked.strongest("two")).pixels.any()


def test_a_batch_is_no_way_around_the_check() -> None:
    torch.manual_seed(0)
    net = zf.DeconvNet(OfItsOwn().eval(), device="cpu")
    for number in (2, 1):
        recording = net.record(torch.randn(number, 3, 12, 12))
        with pytest.raises(zf.UnsupportedModel, match=r"is not the one that autograd finds"):
            recording.project(recording.strongest("two"))


def test_nor_is_a_forward_pass_that_stops_early() -> None:
    torch.manual_seed(0)
    net = zf.DeconvNet(OfItsOwn().eval(), device="cpu")
    recording = net.record(torch.randn(2, 3, 12, 12), upto="two")
    with pytest.raises(zf.UnsupportedModel, match=r"is not the one that autograd finds"):
        recording.project(recording.strongest("two"))


def test_a_picture_without_gradients_leaves_the_check_to_the_next_one() -> None:
    torch.manual_seed(0)
    model = OfItsOwn().eval()
    nn.init.constant_(model.one.bias, -100.0)  # type: ignore[arg-type]
    net = zf.DeconvNet(model, device="cpu")
    black = net.record(torch.zeros(1, 3, 12, 12))
    assert not black.project(black.strongest("two"), "gradient").pixels.any()
    bright = net.record(100 * torch.randn(1, 3, 12, 12))
    with pytest.raises(zf.UnsupportedModel, match=r"is not the one that autograd finds"):
        bright.project(bright.strongest("two"))


class Counted(nn.Module):
    """Counts how often it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)
        self.passes = 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        seen: Tensor = self.two(self.one(x).relu())
        return seen


class CountedWithoutGradients(Counted):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


def sent(net: zf.DeconvNet, number: int, side: int, upto: str | None) -> int:
    """How often the model runs for projections of so many pictures, their recording aside."""
    recording = net.record(torch.randn(number, 3, side, side), upto)
    model: Any = net.model
    recorded: int = model.passes
    recording.project(recording.strongest("one"))
    recording.project_map("one", 0)
    return int(model.passes) - recorded


@pytest.mark.parametrize("upto", [None, "one"])
@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("kind", [Counted, CountedWithoutGradients])
def test_the_check_is_paid_once_for_every_size(
    kind: type[Counted], number: int, upto: str | None
) -> None:
    torch.manual_seed(0)
    net = zf.DeconvNet(kind().eval(), device="cpu")
    passes = [sent(net, number, side, upto) for side in (12, 12, 9, 12, 9)]
    once = passes[0]
    assert passes == [once, 0, once, 0, 0]
    assert kind is CountedWithoutGradients or once == 1 + (number > 1 or upto is not None)


def test_normalised_maps_read_as_tokens_agree() -> None:
    torch.manual_seed(0)
    agree(Tokens().eval(), torch.randn(1, 3, 6, 6))


class Cancelling(nn.Module):
    """The difference of two layers that are nearly the same, made large: rounding decides."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.look = nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 2, 1)
        self.one, self.other = (nn.Conv2d(64, 64, 3, bias=False) for _ in range(2))
        with torch.no_grad():
            self.other.weight.copy_(self.one.weight * (1 + 1e-6 * torch.randn(64, 64, 3, 3)))

    def forward(self, x: Tensor) -> Tensor:
        maps = F.max_pool2d(self.conv(x).relu(), 2)
        one, other = (F.max_pool2d(each(maps), 2) for each in (self.one, self.other))
        seen: Tensor = self.look(1e6 * (one - other))
        return seen


def test_what_rounding_decides_is_not_taken_for_a_wrong_way() -> None:
    torch.manual_seed(0)
    model, photo = Cancelling().eval(), torch.randn(1, 3, 32, 32)
    recording = zf.DeconvNet(model, device="cpu").record(photo)
    assert recording.project(recording.strongest("look"), "gradient").pixels.isfinite().all()
    agree(model.double(), photo.double(), 1e-4)
