"""A scan of a network's convolutions against the bare forward pass over the same decoded pictures.

    python benchmarks/scan.py [--device cuda] [--batch 32] [--batches 6] [--repeats 5] [--threads 1]

ZFNet with the bundled weights at 224 pixels. The bare pass is the model itself, in inference mode,
on batches that are ready in memory; a scan gets the single pictures and has to stack them. The
sides take turns; medians. The shares are of the bare pass's throughput, by the clock and, on the
CPU, by processor time: only the latter means something on a machine that others use, too, and with
one thread, because threads that wait count as busy.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

import zfwidgets as zf
from zfwidgets.deconv.precision import exactly

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")


def seconds(work: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """By the clock, and of processor time."""
    start, used = time.perf_counter(), time.process_time()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start, time.process_time() - used


def share(base: list[float], other: list[float]) -> float:
    """Of the throughput: each turn by itself, since a busy machine slows down turns unequally."""
    return statistics.median(one / two for one, two in zip(base, other, strict=True))


def measure(
    net: zf.DeconvNet, batch: int, batches: int, repeats: int
) -> dict[str, list[tuple[float, float]]]:
    """Seconds of every turn, by the clock and of processor time, of the bare pass and of scans."""
    model = net.model
    torch.manual_seed(0)
    photos = torch.stack([net.preprocess(one.path)[0] for one in zf.samples().values()])
    number = batch * batches
    # Every picture another one: a sample with noise, so that maxima do not settle at once.
    chosen = torch.randint(len(photos), (number,)).to(photos.device)
    pictures = photos[chosen] + 0.2 * torch.randn(number, *photos.shape[1:], device=photos.device)
    stacked, singles = pictures.split(batch), list(pictures)

    def bare() -> None:
        with torch.inference_mode(), exactly():
            for some in stacked:
                model(some)

    how: dict[str, Any] = {"batch": batch, "progress": False}
    sides: dict[str, Callable[[], object]] = {
        "bare forward pass": bare,
        "exemplars": lambda: zf.exemplars(net, singles, layers=LAYERS, k=9, **how),
        "exemplars and usage": lambda: zf.scan(net, singles, LAYERS, k=9, **how),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, work in sides.items():
            taken = seconds(work, net.device)
            if turn:  # the first warms up
                times[name].append(taken)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--batches", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    number = options.batch * options.batches
    net = zf.load("zfnet", device=options.device)
    times = measure(net, options.batch, options.batches, options.repeats)

    where = torch.cuda.get_device_name() if options.device == "cuda" else platform.machine()
    load = os.getloadavg()[0]
    print(f"{where}, {torch.get_num_threads()} threads, load {load:.1f}, torch {torch.__version__}")
    print(f"zfnet, {', '.join(LAYERS)}, batches of {options.batch} at 224 px, {number} pictures\n")
    print("| | pictures/s | share, clock | share, processor |\n|--|--|--|--|")
    clock, used = zip(*times["bare forward pass"], strict=True)
    for name, both in times.items():
        mine, mine_used = zip(*both, strict=True)
        shares = f"{share(list(clock), list(mine)):.2f} | {share(list(used), list(mine_used)):.2f}"
        print(f"| {name} | {number / statistics.median(mine):.1f} | {shares} |")


if __name__ == "__main__":
    main()
