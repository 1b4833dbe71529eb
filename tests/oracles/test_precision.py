"""Whatever precision the user has allowed: what is recorded and sent back has the same bits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import zfwidgets as zf
from zfwidgets.deconv import DeconvNet, Method, precision
from zfwidgets.deconv.precision import exactly

backends: Any = torch.backends
WAYS: dict[str, Callable[[], None]] = {
    "allow_tf32": lambda: setattr(backends.cuda.matmul, "allow_tf32", True),
    "cudnn.allow_tf32": lambda: setattr(backends.cudnn, "allow_tf32", False),
    "matmul precision": lambda: torch.set_float32_matmul_precision("medium"),
    "everything": lambda: setattr(backends, "fp32_precision", "tf32"),
    "everything, bfloat16": lambda: setattr(backends, "fp32_precision", "bf16"),
    "oneDNN's filters": lambda: setattr(backends.mkldnn.conv, "fp32_precision", "bf16"),
    "cuDNN's filters": lambda: setattr(backends.cudnn.conv, "fp32_precision", "ieee"),
    "autotuning": lambda: setattr(backends.cudnn, "benchmark", True),
}


def settings() -> list[object]:
    """What the user sees, by both of torch's ways."""
    cudnn, matmul, mkldnn = backends.cudnn, backends.cuda.matmul, backends.mkldnn
    owners = backends, cudnn, cudnn.conv, cudnn.rnn, matmul, mkldnn, mkldnn.conv, mkldnn.matmul
    old: list[object] = []
    for ask in (lambda: cudnn.allow_tf32, lambda: matmul.allow_tf32):
        try:
            old.append(ask())
        except RuntimeError:  # torch finds that both ways were used
            old.append("mixed")
    new = [owner.fp32_precision for owner in owners]
    return [*old, *new, cudnn.deterministic, cudnn.benchmark]


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    backends.fp32_precision = "none"
    backends.mkldnn.conv.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    backends.cuda.matmul.fp32_precision = backends.mkldnn.matmul.fp32_precision = "none"
    backends.cudnn.allow_tf32 = True
    backends.cudnn.benchmark = False


@pytest.fixture
def net() -> DeconvNet:
    model = nn.Sequential(
        nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(16, 32, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 36, 10),
    )  # fmt: skip
    return DeconvNet(model, device="cpu")


def looked_at(net: DeconvNet) -> list[Tensor]:
    photo = torch.randn(2, 3, 21, 21, generator=torch.Generator().manual_seed(1))
    recording = net.record(photo)
    names = list(net.layers)
    sent = [recording.project(recording.strongest(name)).pixels for name in names]
    assert recording.logits is not None
    return [*(recording.feature_maps(name) for name in names), *sent, recording.logits]


@pytest.mark.parametrize("way", WAYS)
def test_the_users_settings_change_no_bit_and_stay(net: DeconvNet, way: str) -> None:
    want = looked_at(net)
    WAYS[way]()
    before = settings()
    for got, expected in zip(looked_at(net), want, strict=True):
        assert torch.equal(got, expected)
    assert settings() == before


@pytest.fixture
def _gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has one: the settings are there everywhere."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.usefixtures("_gpu")
def test_what_was_inherited_is_inherited_afterwards() -> None:
    with exactly():
        inside = settings()
    assert inside[2:] == ["ieee"] * 8 + [True, False]
    backends.fp32_precision = "ieee"
    assert backends.cuda.matmul.fp32_precision == "ieee"
    backends.fp32_precision = "tf32"
    assert backends.cuda.matmul.fp32_precision == "tf32"


class WithoutCudnn(nn.Module):
    """Switches cuDNN off by itself, as networks do whose derivatives it lacks."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.backends.cudnn.flags(enabled=False):
            both: Tensor = self.two(self.one(x).relu())
            return both


def test_without_a_gpu_a_model_may_have_flags_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    recording = DeconvNet(WithoutCudnn(), device="cpu").record(torch.randn(1, 3, 12, 12))
    assert recording.project(recording.strongest("two")).pixels.any()


@pytest.mark.usefixtures("_gpu")
def test_of_two_threads_the_last_one_out_puts_back() -> None:
    backends.cuda.matmul.fp32_precision = "tf32"
    before, first_is_in, first_may_go = settings(), threading.Event(), threading.Event()

    def first() -> None:
        with exactly():
            first_is_in.set()
            assert first_may_go.wait(60)

    thread = threading.Thread(target=first)
    thread.start()
    assert first_is_in.wait(60)
    with exactly():
        first_may_go.set()
        thread.join()
        assert backends.cuda.matmul.fp32_precision == "ieee"
    assert settings() == before


def test_an_error_puts_back_too() -> None:
    before = settings()

    def fails() -> None:
        with exactly():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert settings() == before


def test_before_torch_2_9_the_older_flags_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_backends", SimpleNamespace(cudnn=backends.cudnn))
    torch.set_float32_matmul_precision("medium")
    with exactly():
        assert torch.get_float32_matmul_precision() == "highest"
        assert not backends.cudnn.allow_tf32
        assert backends.cudnn.deterministic
    assert torch.get_float32_matmul_precision() == "medium"
    assert backends.cudnn.allow_tf32
    assert not backends.cudnn.deterministic


def test_fast_is_coarser_on_the_way_back_alone_and_says_so(net: DeconvNet) -> None:
    recording = net.record(torch.randn(1, 3, 21, 21))
    last = list(net.layers)[-1]
    exact = recording.project(recording.strongest(last))
    fast = recording.project(recording.strongest(last), precision="fast")
    off = (fast.pixels - exact.pixels).norm() / exact.pixels.norm()
    assert 1e-5 < off < 2e-2
    assert fast.pixels.dtype == torch.float32
    assert "filters in bfloat16" in str(fast.origin)
    assert "bfloat16" not in str(exact.origin)
    assert "precision='fast'" in repr(fast.origin.method)
    again = recording.project(recording.strongest(last), Method(precision="fast"))
    assert torch.equal(again.pixels, fast.pixels)
    assert torch.equal(recording.project(recording.strongest(last)).pixels, exact.pixels)


def test_fast_filters_see_the_same_switches(net: DeconvNet) -> None:
    # Nothing but ones and powers of two, which bfloat16 holds: only other switches could differ.
    for module in net.model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.5)
    recording = net.record(torch.randn(1, 3, 21, 21))
    neurons = recording.strongest("conv2", range(4))
    fast = recording.project(neurons, "linear", "one", precision="fast")
    assert torch.equal(fast.pixels, recording.project(neurons, "linear", "one").pixels)


def test_a_figure_of_fast_projections_says_so() -> None:
    from zfwidgets.analysis.figure import _caption

    recording = zf.load("zfnet", device="cpu").record(zf.sample("cat").path)
    neurons = recording.strongest("conv1", [0])
    made = recording.project(neurons, precision="fast")
    assert "deconvnet (float32, filters in bfloat16)" in _caption(made, "none", "all")
    assert "bfloat16" not in _caption(recording.project(neurons), "none", "all")


def test_other_precisions_are_refused(net: DeconvNet) -> None:
    with pytest.raises(ValueError, match=r"precision='half': expected one of exact, fast"):
        Method(precision="half")  # type: ignore[arg-type]
    recording = net.record(torch.randn(1, 3, 21, 21))
    with pytest.raises(ValueError, match=r"precision='fast' beside it"):
        recording.project(recording.strongest("conv1"), Method("guided"), "one", precision="fast")
