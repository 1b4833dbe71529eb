"""Several threads look into one model: each sees it in evaluation, and it stays as it was."""

from __future__ import annotations

import copy
import threading
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.models import evaluating


class Interleaved(nn.Module):
    """The second recording starts during the first, and goes on when that one is through."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)
        self.last = nn.Conv2d(4, 2, 3)
        self.first_is_in, self.second_is_in = threading.Event(), threading.Event()
        self.first_is_out = threading.Event()

    def forward(self, x: Tensor) -> Tensor:
        if threading.current_thread().name == "first":
            self.first_is_in.set()
            assert self.second_is_in.wait(60)
        elif threading.current_thread().name == "second":
            self.second_is_in.set()
            assert self.first_is_out.wait(60)
        seen: Tensor = self.last(self.drop(self.norm(self.conv(x)).relu()))
        return seen


def test_of_two_threads_that_record_a_model_in_training_the_last_one_puts_it_back() -> None:
    torch.manual_seed(0)
    model, photos = Interleaved().train(), torch.randn(2, 3, 9, 9)
    net = DeconvNet(model, device="cpu")
    want = net.record(photos).feature_maps("last")
    before = copy.deepcopy(model.state_dict())
    found: dict[str, Tensor] = {}

    def look() -> None:
        found[threading.current_thread().name] = net.record(photos).feature_maps("last")

    first, second = (threading.Thread(target=look, name=name) for name in ("first", "second"))
    first.start()
    assert model.first_is_in.wait(60)
    second.start()
    first.join()
    model.first_is_out.set()
    second.join()
    assert torch.equal(found["first"], want)
    assert torch.equal(found["second"], want)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), f"{name} was changed"
    assert all(module.training for module in model.modules())


def test_a_part_that_two_networks_share_waits_for_both() -> None:
    part, frozen = nn.BatchNorm2d(2), nn.BatchNorm2d(2).eval()
    whole, other = nn.Sequential(part, frozen, nn.Dropout()), nn.Sequential(part)
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(evaluating(whole))
        second.enter_context(evaluating(other))
        first.close()
        assert [m.training for m in whole] == [False, False, True]
    assert [m.training for m in whole] == [True, False, True]
    assert other.training
