"""One net of a zoo, looked at: does it record, project, and agree with autograd?"""

from __future__ import annotations

import resource
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import zfwidgets as zf
from benchmarks.zoo_libraries import LIBRARIES, NET_SIZES, awake
from tests.oracles.agreement import differences, liveliest, spread
from zfwidgets.deconv import Recording

TOLERANCE = 1e-4
"""Relative difference of the gradients that counts as agreement."""

Json = dict[str, Any]


@dataclass(slots=True)
class Look:
    """What is known of a net so far; what happens later is added.

    status: "ok"; "refused" (UnsupportedModel), "error" (any other exception), "wrong" (it runs, and
    its gradient is another), "none" (it takes no single picture), or "crash", "timeout", "memory"
    for a child process that did not come back. kind: "cnn", or "patches" without a convolution
    beyond those that cut the picture into patches. convolutions: executed, 0 if the plain net did
    not run. agrees: per layer, relative difference to autograd.
    """

    library: str
    name: str
    status: str = "running"
    reason: str = ""
    kind: str = "cnn"
    size: int = 0
    convolutions: int = 0
    operations: int = 0
    layers: int = 0
    projected: int = 0
    tried: int = 0
    agrees: dict[str, float] = field(default_factory=dict)
    precision: str = "float32"
    record_s: float = 0.0
    project_s: float = 0.0
    memory_gb: float = 0.0


class Convolutions(TorchDispatchMode):
    """Counts the convolutions of a plain run; those apart that cut the picture into patches."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.count = self.patches = 0

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.ops.aten.convolution.default and args[0].ndim == 4:
            filters, stride = args[1], args[3]
            cuts = list(filters.shape[2:]) == list(stride) and stride[0] > 1
            self.count += 1
            self.patches += cuts and args[0].shape[1] == self.channels
        return func(*args, **(kwargs or {}))


def operations(recording: Recording) -> int:
    """How many operations were recorded, the input not counted."""
    return len(recording._calls) - 1


def peak_gb() -> float:
    """Resident memory of this process at its highest."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


class NoPictureError(Exception):
    """The net takes no single picture, or looks at it without convolutions."""


def in_one_line(error: BaseException | None) -> str:
    """An error on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"


def short_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "allocate memory" in str(error)


def look(library: str, name: str, size: int, layers: int, tell: Callable[[Json], None]) -> None:
    """All of it; `tell` gets what is known when the plain net has run, and in the end.

    Exceptions end up in the result: this is the child process's whole work.
    """
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    found = Look(library, name)
    try:
        model, photo = plain_run(found, size)
        tell(asdict(found))
        compare(found, model, photo, layers)
        if found.status == "wrong":
            # Rounding grows without bounds through random weights; a wrong rule is wrong in double.
            found.precision = "float64"
            compare(found, model.double(), photo.double(), layers)
    except zf.UnsupportedModel as error:
        found.status, found.reason = "refused", in_one_line(error)
    except NoPictureError as error:
        found.status, found.reason = "none", str(error)
    except Exception as error:  # noqa: BLE001
        found.status = "memory" if short_of_memory(error) else "error"
        found.reason = in_one_line(error)
    found.memory_gb = peak_gb()
    tell(asdict(found))


def plain_run(found: Look, size: int) -> tuple[nn.Module, Tensor]:
    """The model and a picture that it takes, of the asked size or the next that works."""
    library = LIBRARIES[found.library]
    sizes: list[int | None] = [size]
    problem: Exception | None = None
    while sizes:
        side, model = sizes.pop(0), None
        torch.manual_seed(0)
        try:
            model = awake(library.build(found.name, side or size))
            side = side or library.own_size(model) or size
            photo = torch.randn(1, library.channels(model), side, side)
            with torch.no_grad(), Convolutions(photo.shape[1]) as counts:
                model(photo.clone())
        except (ImportError, OSError) as error:
            raise NoPictureError(f"cannot be built here, {in_one_line(error)}") from error
        except Exception as error:
            if short_of_memory(error):
                raise
            if problem is None:
                # The first says why the net takes no picture; later ones, which size it wants.
                problem, sizes = error, [None, *NET_SIZES]
            continue
        if not counts.count:
            raise NoPictureError("no Conv2d runs")
        found.size, found.convolutions = side, counts.count
        found.kind = "cnn" if counts.count > counts.patches else "patches"
        return model, photo
    raise NoPictureError(in_one_line(problem)) from problem


def compare(found: Look, model: nn.Module, photo: Tensor, layers: int) -> None:
    start = time.perf_counter()
    net = zf.DeconvNet(model, device="cpu")
    recording = net.record(photo)
    found.record_s = time.perf_counter() - start
    found.operations, found.layers = operations(recording), len(recording.layers)
    if not found.layers:
        found.status, found.reason = "error", "no layers were found"
        return
    found.tried = found.projected = 0
    start = time.perf_counter()
    for name in spread(list(recording.layers), layers):
        found.tried += 1
        pixels = recording.project(liveliest(recording, name)).pixels
        found.projected += bool(pixels.isfinite().all())
    found.project_s = time.perf_counter() - start
    agree(found, model, recording)


def agree(found: Look, model: nn.Module, recording: Recording) -> None:
    """The gradient of one neuron in the middle, of the last map and of the last layer."""
    off, found.reason = differences(model, recording, chosen(recording)), ""
    found.agrees = {name: value for name, value in off.items() if value is not None}
    unknown = [name for name, value in off.items() if value is None]
    wrong = {name: value for name, value in found.agrees.items() if not value < TOLERANCE}
    if unknown:
        found.reason = f"the model computes no maps like those of {', '.join(unknown)}"
    elif wrong:
        found.reason = ", ".join(f"{name} off by {value:.1e}" for name, value in wrong.items())
    found.status = "wrong" if unknown or wrong else "ok"


def chosen(recording: Recording) -> list[str]:
    names = list(recording.layers)
    maps = [n for n in names if recording.layers[n].height * recording.layers[n].width > 1] or names
    return list(dict.fromkeys([maps[len(maps) // 2], maps[-1], names[-1]]))
