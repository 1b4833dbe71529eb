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
