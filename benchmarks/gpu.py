"""The engine on a GPU, or whatever device there is: does it agree with the CPU, how fast is it?

    python benchmarks/gpu.py [--device cuda] [--part checks|speed] [--small] [--json gpu.json]

Takes at most four minutes on a GPU. Checks are in `gpu_checks.py`. Speeds: ZFNet at 224 pixels with
random weights and without contrast normalisation (captum knows no rule for it), one photograph; for
the scan the bundled weights. Medians; forward passes included where nothing else is said, and so is
waiting for the device. captum runs with torch's own settings, which allow TF32 in convolutions, at
the best of several batches; zfwidgets in float32. --small (always on a CPU): fewer repeats, fewer
neurons, so that it can be tried anywhere. Ends with an error if a check fails.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import zfwidgets as zf
from benchmarks import live, scan
from benchmarks.gpu_checks import Check, all_checks, distance, photos
from benchmarks.projection import LAYERS, captum_each, model, recording_cost, seconds
from zfwidgets.deconv import DeconvNet, Recording


@dataclass(frozen=True)
class Speed:
    """What was measured; the goal is for an H100 or H200."""

    name: str
    value: float
    unit: str
    goal: str = ""


def median_ms(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    work()
    return 1e3 * statistics.median(seconds(work, device) for _ in range(repeats))


GOALS = {"conv5": "≤ 15", "conv3": "≤ 4"}


def layers(device: torch.device, repeats: int, *, small: bool) -> list[Speed]:
    """All channels of every layer, the way back alone; all five of a photo; against captum."""
    net = model().to(device)
    deconvnet = DeconvNet(net, device=device)
    photo = photos(1, 224).to(device)
    recording = deconvnet.record(photo)
    found = []
    for layer in LAYERS:
        some = recording.strongest(layer)
        count = len(some)

        def whole(layer: str = layer) -> object:
            made = deconvnet.record(photo, upto=layer)
            return made.project(made.strongest(layer))

        back = median_ms(lambda some=some: recording.project(some), device, repeats)  # type: ignore[misc]
        fast = median_ms(
            lambda some=some: recording.project(some, precision="fast"),  # type: ignore[misc]
            device,
            repeats,
        )
        ours = median_ms(whole, device, repeats) / count
        batches = (1, 16) if small else (1, 16, 64)
        theirs = {batch: best_of(captum_each, net, layer, photo, batch) for batch in batches}
        best = min(theirs, key=theirs.__getitem__)
        ratio = theirs[best] / ours
        found += [
            Speed(f"all {count} channels of {layer}, way back", back, "ms", GOALS.get(layer, "")),
            Speed(
                f"the same, filters in bfloat16 ({off_by(recording, layer):.1e} off)", fast, "ms"
            ),
            Speed(f"{layer}, with the forward pass, a channel", ours, "ms"),
            Speed(f"captum, {best} a call, a channel", theirs[best], "ms"),
            Speed(f"captum / zfwidgets, {layer}", ratio, "x", "≥ 25" if layer == "conv5" else ""),
        ]

    def five() -> None:
        made = deconvnet.record(photo)
        for layer in LAYERS:
            made.project(made.strongest(layer))

    found.append(
        Speed("all five layers of a photo", median_ms(five, device, repeats), "ms", "≤ 40")
    )
    return found


def best_of(each: Callable[..., float], *given: object) -> float:
    """Milliseconds: the first call warms up, the better of two others counts."""
    return 1e3 * min([each(*given) for _ in range(3)][1:])


def off_by(recording: Recording, layer: str) -> float:
    some = recording.strongest(layer)[:16]
    exact, fast = recording.project(some), recording.project(some, precision="fast")
    return distance(fast.pixels, exact.pixels)


def scanning(device: torch.device, repeats: int, *, small: bool) -> list[Speed]:
    batch, batches = (4, 2) if small else (64, 6)
    times = scan.measure(zf.load("zfnet", device=device), batch, batches, repeats)
    clock = {name: [taken for taken, _ in turns] for name, turns in times.items()}
    bare = clock["bare forward pass"]
    found = []
    for name, taken in clock.items():
        rate = batch * batches / statistics.median(taken)
        found.append(Speed(f"scan, {name}", rate, "pictures/s"))
        if taken is not bare:
            goal = "≥ 0.9" if name == "exemplars" else ""
            found.append(Speed("of the bare forward pass", scan.share(bare, taken), "x", goal))
    return found


def live_frames(device: torch.device, *, small: bool) -> list[Speed]:
    found = []
    files = live.jpegs(4 if small else 60)
    for layer in ("conv1", "conv5"):
        frame = live.ours(DeconvNet(live.model(), device=device), layer)
        frame(files[0])
        each = statistics.median(live.spent(frame, data)[0] for data in files)
        found.append(Speed(f"live, {layer}", 1e3 / each, "frames/s"))
    return found


def peak_memory(device: torch.device) -> Speed:
    """Of all 256 projections of conv5 at the default budget: the device's, or the process's."""
    recording = DeconvNet(model(), device=device).record(photos(1, 224))
    if device.type != "cuda":
        recording.project(recording.strongest("conv5"))
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return Speed("peak memory of the process", kilobytes / 1024, "MB")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    recording.project(recording.strongest("conv5"))
    peak = torch.cuda.max_memory_allocated(device)
    return Speed("peak memory on the device, conv5", peak / 2**20, "MB")


def operations(device: torch.device, number: int = 15) -> list[dict[str, str | float | int]]:
    """Where the time of conv5's way back goes: torch's operations, the longest first."""
    from torch.profiler import ProfilerActivity, profile

    recording = DeconvNet(model(), device=device).record(photos(1, 224))
    some = recording.strongest("conv5")
    recording.project(some)
    on_gpu = device.type == "cuda"
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=kinds) as made:
        recording.project(some)
        if on_gpu:
            torch.cuda.synchronize()
    rows: list[dict[str, str | float | int]] = []
    for event in made.key_averages():
        spent = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        rows.append({"operation": event.key, "ms": spent / 1e3, "calls": event.count})
    return sorted(rows, key=lambda row: -float(row["ms"]))[:number]


def speeds(device: torch.device, *, small: bool) -> list[Speed]:
    repeats = 1 if small else 9
    return [
        *layers(device, repeats, small=small),
        Speed("recording / bare forward pass", recording_cost(device, repeats), "x"),
        *scanning(device, 1 if small else 3, small=small),
        *live_frames(device, small=small),
        peak_memory(device),
    ]


def name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()} ({device})"


def told(
    checks: list[Check], measured: list[Speed], spent: list[dict[str, str | float | int]]
) -> None:
    """The tables."""
    if checks:
        print("| check | | |\n|---|---|---|")
        words = {True: "yes", False: "**NO**", None: "not here"}
        for check in checks:
            print(f"| {check.name} | {words[check.ok]} | {check.said} |")
        print()
    if measured:
        print("| measured | | goal on an H100 |\n|---|---|---|")
        for speed in measured:
            print(f"| {speed.name} | {speed.value:.4g} {speed.unit} | {speed.goal} |")
        print()
    if spent:
        print("| operation of conv5's way back | ms | calls |\n|---|---|---|")
        for row in spent:
            print(f"| {row['operation']} | {row['ms']:.2f} | {row['calls']} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--part", choices=["checks", "speed"], help="default: both")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="captum")
    device = torch.device(options.device)
    small = options.small or device.type == "cpu"
    start = time.perf_counter()
    checks = all_checks(device, small=small) if options.part != "speed" else []
    measured = speeds(device, small=small) if options.part != "checks" else []
    spent = operations(device) if options.part != "checks" else []
    took = time.perf_counter() - start
    where = f"{name_of(device)}, torch {torch.__version__}, {torch.get_num_threads()} threads"
    print(f"{where}{', small sizes' if small else ''}, {took:.0f} s\n")
    told(checks, measured, spent)
    if options.json:
        options.json.write_text(
            json.dumps(
                {
                    "device": name_of(device),
                    "torch": torch.__version__,
                    "small": small,
                    "seconds": took,
                    "checks": [asdict(check) for check in checks],
                    "speeds": [asdict(speed) for speed in measured],
                    "operations": spent,
                },
                indent=1,
            )
        )
    return int(any(check.ok is False for check in checks))


if __name__ == "__main__":
    sys.exit(main())
