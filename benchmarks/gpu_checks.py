"""What `gpu.py` asks of the engine on a device: the CPU's answers, and the same bits always."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

import zfwidgets as zf
from zfwidgets.deconv import DeconvNet, gpu, kernels
from zfwidgets.deconv.method import RuleName
from zfwidgets.deconv.rules.pooling import MaxPool

RULES: tuple[RuleName, ...] = "deconvnet", "guided", "gradient", "linear"
backends: Any = torch.backends


@dataclass(frozen=True)
class Check:
    """What was asked, whether it holds (None: it cannot be asked on this device), and numbers."""

    name: str
    ok: bool | None
    said: str


class Traps(nn.Module):
    """Changes in place, pools that overlap, reach outside or leave gaps, branches, groups."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 12, 5, stride=2, padding=2)
        self.two = nn.Conv2d(12, 12, 3, padding=2, dilation=2, groups=3)
        self.turned = nn.BatchNorm2d(12)
        self.three = nn.Conv2d(24, 16, 3, padding="same")
        self.last = nn.Linear(16 * 4, 10)
        nn.init.uniform_(self.turned.weight, -1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.one(x), inplace=True)
        x = F.local_response_norm(x, 5)
        x = F.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True)
        y = F.max_pool2d(self.turned(self.two(x)), 2, stride=1, dilation=2).clamp_(min=0)
        x = F.avg_pool2d(x, 3, stride=1) + y[..., : x.shape[2] - 2, : x.shape[3] - 2]
        x = torch.cat([x, F.interpolate(y, x.shape[2:])], 1)
        return self.last(F.adaptive_avg_pool2d(F.relu(self.three(x)), 2).flatten(1))


def nets() -> dict[str, tuple[nn.Module, int]]:
    """The bundled ones, and some with random weights; each with its pictures' side."""
    torch.manual_seed(0)
    resnet = torchvision.models.resnet50(weights=None)
    for module in resnet.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics such as a trained one has
            module.running_mean = 0.1 * torch.randn(module.num_features)
            module.running_var = 0.5 + torch.rand(module.num_features)
    bundled = {name: (zf.load(name, device="cpu").model, 224) for name in ("zfnet", "alexnet")}
    return {**bundled, "ResNet-50": (resnet.eval(), 224), "traps": (Traps().eval(), 64)}


def photos(number: int, side: int) -> Tensor:
    """Sample photographs as networks take them, [N, 3, side, side]."""
    prepare = zf.Preprocess(resize=side, size=side)
    some = list(zf.samples().values())[:number]
    return torch.stack([prepare(one.open()) for one in some])


def switches_of(recording: zf.Recording) -> list[Tensor]:
    return [c.rule.codes.cpu() for c in recording._calls if isinstance(c.rule, MaxPool)]


@contextmanager
def as_on_a_gpu() -> Iterator[None]:
    """Torch does what numba's loops do on the CPU, so that there, too, something is compared."""
    before, kernels._AVAILABLE = kernels._AVAILABLE, False
    try:
        yield
    finally:
        kernels._AVAILABLE = before


def equal_to_the_cpu(device: torch.device, neurons: int) -> list[Check]:
    """Maps, switches and the projections of some neurons of three layers, by every rule."""
    found = []
    for name, (model, side) in nets().items():
        picture = photos(1, side)
        sides = [DeconvNet(model, device=where, name=name) for where in ("cpu", device)]
        here, there = (net.record(picture) for net in sides)
        maps = max(
            distance(there.feature_maps(layer).cpu(), here.feature_maps(layer))
            for layer in here.layers
        )
        pairs = list(zip(switches_of(here), switches_of(there), strict=True))
        same = sum(int((a == b).sum()) for a, b in pairs) / max(1, sum(a.numel() for a, _ in pairs))
        names = list(here.layers)
        for rule in RULES:
            off: list[float] = []
            for layer in dict.fromkeys((names[0], names[len(names) // 2], names[-1])):
                some = here.strongest(layer)[:neurons]
                a = here.project(some, rule).pixels
                with as_on_a_gpu():
                    b = there.project(some, rule).pixels.cpu()
                off += [distance(y, x) for x, y in zip(a, b, strict=True)]
            middle, worst = sorted(off)[len(off) // 2], max(off)
            found.append(
                Check(
                    f"equal to the CPU: {name}, {rule}",
                    maps < 1e-3 and same > 0.9999 and middle < 1e-4,
                    f"maps off by {maps:.1e}, {same:.4%} of switches the same, projections off by "
                    f"{middle:.1e} (median), {worst:.1e} (worst) of their length",
                )
            )
    return found


def distance(got: Tensor, want: Tensor) -> float:
    """The length of the difference, as a share of the length of what is wanted."""
    off = torch.linalg.vector_norm((got - want).double())
    return float(off / max(float(torch.linalg.vector_norm(want.double())), 1e-30))


def everything(net: DeconvNet, picture: Tensor) -> list[Tensor]:
    """All maps and switches of one picture, and projections of some neurons of eight layers."""
    recording = net.record(picture)
    some = list(net.layers)[:: max(1, len(net.layers) // 8)]
    sent = [recording.project(recording.strongest(layer)[:16]).pixels for layer in some]
    maps = [recording.feature_maps(layer) for layer in net.layers]
    return [*maps, *switches_of(recording), *sent]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def same_bits(device: torch.device) -> list[Check]:
    found = []
    for name, (model, side) in nets().items():
        picture = photos(2, side)[1:]
        runs = [everything(DeconvNet(model, device=device), picture) for _ in range(2)]
        found.append(Check(f"the same bits in two runs: {name}", same(*runs), ""))
    return found


WAYS: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "allow_tf32": (
        lambda: setattr(backends.cuda.matmul, "allow_tf32", True),
        lambda: setattr(backends.cuda.matmul, "allow_tf32", False),
    ),
    "set_float32_matmul_precision": (
        lambda: torch.set_float32_matmul_precision("medium"),
        lambda: torch.set_float32_matmul_precision("highest"),
    ),
    "cudnn.benchmark": (
        lambda: setattr(backends.cudnn, "benchmark", True),
        lambda: setattr(backends.cudnn, "benchmark", False),
    ),
}
"""Settings of the user's, and how they are taken back."""
if hasattr(backends, "fp32_precision"):
    WAYS["fp32_precision"] = (
        lambda: setattr(backends, "fp32_precision", "tf32"),
        lambda: setattr(backends, "fp32_precision", "none"),
    )
    WAYS["cuda.matmul.fp32_precision"] = (
        lambda: setattr(backends.cuda.matmul, "fp32_precision", "tf32"),
        lambda: setattr(backends.cuda.matmul, "fp32_precision", "none"),
    )


def settings() -> list[object]:
    """What the user sees of these settings; torch refuses to show those that were mixed."""
    seen: list[object] = []
    for owner in (backends, backends.cudnn, backends.cuda.matmul):
        for name in ("fp32_precision", "allow_tf32", "benchmark", "deterministic"):
            with suppress(RuntimeError, AttributeError):
                seen.append((name, getattr(owner, name)))
    return seen


def settings_change_nothing(device: torch.device) -> list[Check]:
    net, picture = zf.load("zfnet", device=device), photos(1, 224)
    want, found = everything(net, picture), []
    for name, (allow, forbid) in WAYS.items():
        allow()
        try:
            before = settings()
            bits, stay = same(everything(net, picture), want), settings() == before
        finally:
            forbid()
        said = f"{'the same' if bits else 'other'} bits, settings {'stay' if stay else 'change'}"
        found.append(Check(f"whatever is set: {name}", bits and stay, said))
    return found


def two_threads(device: torch.device) -> Check:
    """Two pictures through one network at once, three times, as one after the other."""
    net, pictures = zf.load("zfnet", device=device), photos(2, 224).split(1)
    want = [everything(net, picture) for picture in pictures]
    got: dict[int, list[bool]] = {0: [], 1: []}

    def work(index: int) -> None:
        for _ in range(3):
            got[index].append(same(everything(net, pictures[index]), want[index]))

    threads = [threading.Thread(target=work, args=(index,)) for index in got]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers = got[0] + got[1]
    return Check("two threads at once", len(answers) == 6 and all(answers), f"{sum(answers)} of 6")


def halved(device: torch.device, room: int) -> Check:
    """All of conv5 asked for at once, with less memory than that takes."""
    name = "halved where memory ends"
    if device.type != "cuda":
        return Check(name, None, "the CPU's memory has no cap to set")
    net = zf.load("zfnet", device=device)
    recording = net.record(photos(1, 224))
    some = recording.strongest("conv5")
    want = recording.project(some).pixels.cpu()
    net.memory = 2**40  # whatever the device has
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    before = torch.cuda.memory_stats(device).get("num_ooms", 0)
    torch.cuda.set_per_process_memory_fraction(
        min(1.0, (torch.cuda.memory_reserved(device) + room) / total), device
    )
    try:
        got = recording.project(some).pixels.cpu()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    refused = torch.cuda.memory_stats(device).get("num_ooms", 0) - before
    off = distance(got, want)
    said = f"with {room / 2**20:.0f} MB, refused {refused} times, off by {off:.1e}"
    return Check(name, refused > 0 and off < 1e-5, said)


def kernel(device: torch.device) -> Check:
    """Whether unpooling runs as one kernel here, with torch's bits."""
    name = "unpooling in one kernel"
    if device.type != "cuda":
        return Check(name, None, "numba's loops on the CPU")
    try:
        equal = torch.equal(*gpu.both_ways(device))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return Check(name, False, f"{type(error).__name__}: {error}"[:200])
    return Check(name, equal, "torch's bits" if equal else "differs from torch's")


def all_checks(device: torch.device, *, small: bool) -> list[Check]:
    return [
        *equal_to_the_cpu(device, 4 if small else 16),
        *same_bits(device),
        *settings_change_nothing(device),
        two_threads(device),
        halved(device, 512 * 2**20),
        kernel(device),
    ]
