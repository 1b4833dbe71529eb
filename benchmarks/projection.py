"""All channels of a layer, projected: the engine against captum, in one process, on one machine.

    python benchmarks/projection.py [--device cuda] [--layers conv5 conv3] [--repeats 3]

Prints the tables that the README shows. ZFNet at 224 pixels with random weights and without
contrast normalisation (captum knows no rule for it). Both sides include the forward pass, which
zfwidgets can stop after the layer. captum is taken at its best of one neuron a call and 16 neurons
a call. Medians; the two sides take turns.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.deconv.precision import exactly
from zfwidgets.deconv.rules import Conv
from zfwidgets.deconv.windows import Window
from zfwidgets.nets.zfnet import ZFNet

LAYERS = ("conv5", "conv4", "conv3", "conv2", "conv1")
CAPTUM_NEURONS = 4
"""captum's time a neuron does not depend on how many there are: a few suffice."""


def model() -> nn.Module:
    torch.manual_seed(0)
    net = ZFNet(head="light", norm=False).eval()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return net


def seconds(work: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def captum_each(net: nn.Module, layer: str, photo: Tensor, batch: int) -> float:
    """Seconds a channel, `batch` neurons in one call."""
    from captum.attr import NeuronDeconvolution

    attribution = NeuronDeconvolution(net, net.get_submodule(layer.replace("conv", "relu")))
    calls = max(1, CAPTUM_NEURONS // batch)

    def work() -> None:
        for call in range(calls):
            inputs = photo.expand(batch, *photo.shape[1:]).clone().requires_grad_()
            if batch == 1:
                attribution.attribute(inputs, (call, 6, 6))
            else:
                index = torch.arange(batch)

                def pick(maps: Tensor, index: Tensor = index) -> Tensor:
                    return maps[index, index, 6, 6]

                attribution.attribute(inputs, pick)

    return seconds(work, photo.device) / (calls * batch)


def against_captum(device: torch.device, layers: list[str], repeats: int) -> None:
    net = model().to(device)
    deconvnet = DeconvNet(net, device=device)
    photo = torch.randn(1, 3, 224, 224, device=device)
    print("| all channels of | captum, one a call | captum, 16 a call | zfwidgets | ratio |")
    print("|---|---|---|---|---|")
    for layer in layers:
        channels = deconvnet.layers[layer].channels

        def all_channels(layer: str = layer) -> object:
            recording = deconvnet.record(photo, upto=layer)
            return recording.project(recording.strongest(layer))

        all_channels()
        one, many, ours = [], [], []
        for _ in range(repeats):
            one.append(captum_each(net, layer, photo, 1))
            many.append(captum_each(net, layer, photo, 16))
            ours.append(seconds(all_channels, device) / channels)
        a, b, c = (statistics.median(times) * 1e3 for times in (one, many, ours))
        print(
            f"| {layer} | {a:.1f} ms a channel | {b:.1f} | {c:.3f} | {min(a, b) / c:.0f}x |",
            flush=True,
        )


def recording_cost(device: torch.device, repeats: int) -> float:
    """How many times as long as a bare forward pass it takes to record four pictures."""
    net = model().to(device)
    deconvnet = DeconvNet(net, device=device)
    photo = torch.randn(4, 3, 224, 224, device=device)

    def bare() -> None:
        with torch.inference_mode(), exactly():
            net(photo)

    pairs = [
        (seconds(bare, device), seconds(lambda: deconvnet.record(photo), device))
        for _ in range(4 * repeats + 1)
    ]
    return statistics.median(record for _, record in pairs[1:]) / statistics.median(
        forward for forward, _ in pairs[1:]
    )


def ablation_cost(device: torch.device, repeats: int) -> None:
    """What it takes to switch channels of a layer off, beside a bare forward pass."""
    net = model().to(device)
    recording = DeconvNet(net, device=device).record(torch.randn(1, 3, 224, 224, device=device))

    def bare() -> None:
        with torch.inference_mode(), exactly():
            net(recording.inputs)

    bare()
    whole = statistics.median(seconds(bare, device) for _ in range(4 * repeats))
    told = []
    for layer in LAYERS:

        def without(layer: str = layer) -> object:
            return recording.ablate(layer, [1, 5])

        without()
        cost = statistics.median(seconds(without, device) for _ in range(4 * repeats))
        told.append(f"{layer} {cost / whole:.2f}")
    print(f"Ablation, of a bare forward pass of {1e3 * whole:.0f} ms: {', '.join(told)}.")


def multiply_adds(recording: Recording, layer: str) -> int:
    """Of the windowed way back from one neuron, zeros counted as if they were there."""
    calls = recording._calls
    step = recording.layers[layer].step
    window: Window | None = Window.neuron()
    total = 0
    for call in calls[step:0:-1]:
        assert window is not None
        if isinstance(call.rule, Conv):
            outputs, inputs, rows, cols = call.rule.weight.shape
            places = window.size[0] * window.size[1]
            # A single neuron's filter is copied, not convolved.
            total += places * (inputs if places == 1 else outputs * inputs) * rows * cols
        window = call.rule.window(window)
    return total


def efficiency(device: torch.device, repeats: int) -> None:
    net = model().to(device)
    deconvnet = DeconvNet(net, device=device)
    photo = torch.randn(1, 3, 224, 224, device=device)
    recording = deconvnet.record(photo)
    neurons = recording.strongest("conv5")
    recording.project(neurons)
    batch = torch.randn(16, 3, 224, 224, device=device)
    weights = dict(net.named_parameters())
    forward_adds = 16 * sum(
        layer.height * layer.width * weights[f"{layer.path}.weight"].numel()
        for layer in deconvnet.layers.values()
        if layer.kind == "conv"
    )

    def dense() -> None:
        with torch.inference_mode():
            net(batch)

    dense()
    forward = statistics.median(seconds(dense, device) for _ in range(repeats))
    back = statistics.median(
        seconds(lambda: recording.project(neurons), device) for _ in range(repeats)
    )
    dense_rate = forward_adds / forward / 1e9
    window_rate = multiply_adds(recording, "conv5") * len(neurons) / back / 1e9
    print(
        f"Multiply-adds a second: dense forward pass {dense_rate:.0f} G, windowed way back from "
        f"conv5 {window_rate:.0f} G ({window_rate / dense_rate:.0%}; skipped zeros count as done)."
    )


def where_it_goes(device: torch.device) -> None:
    """Milliseconds a channel of conv5 that each step of the way back takes."""
    deconvnet = DeconvNet(model().to(device), device=device)
    recording = deconvnet.record(torch.randn(1, 3, 224, 224, device=device))
    neurons = recording.strongest("conv5")
    recording.project(neurons)
    spent: dict[str, float] = {}

    def timed(name: str, back: Callable[..., object]) -> Callable[..., object]:
        def work(*arguments: object) -> object:
            result: list[object] = []
            spent[name] = spent.get(name, 0) + seconds(
                lambda: result.append(back(*arguments)), device
            )
            return result[0]

        return work

    for call in recording._calls:
        call.rule.back = timed(call.path, call.rule.back)  # type: ignore[method-assign,assignment]
    whole = seconds(lambda: recording.project(neurons), device)
    spent["between the steps"] = whole - sum(spent.values())
    each = {name: 1e3 * time / len(neurons) for name, time in spent.items()}
    steps = ", ".join(f"{name} {time:.2f}" for name, time in each.items() if time >= 0.005)
    print(f"Milliseconds a channel on the way back from conv5: {steps}.")


def peak_memory(device: torch.device) -> None:
    """Of a fresh process each, by the operating system: before projecting, and at the end."""
    for count in (64, 256):
        command = [sys.executable, __file__, "--memory", str(count), "--device", str(device)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(output.strip())


def memory_of(device: torch.device, count: int) -> None:
    deconvnet = DeconvNet(model().to(device), device=device)
    recording = deconvnet.record(torch.randn(1, 3, 224, 224))
    recording.project(recording.strongest("conv5", channels=[0]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for part in recording.project_iter(recording.strongest("conv5", channels=range(count))):
        del part
    streamed = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    recording.project(recording.strongest("conv5", channels=range(count)))
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"Peak memory of {count} conv5 projections: {whole / 1024:.0f} MB in all, of which "
        f"{(streamed - before) / 1024:.0f} MB when streamed, {(whole - before) / 1024:.0f} MB "
        "when kept."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--layers", nargs="+", default=list(LAYERS), choices=LAYERS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="captum")
    device = torch.device(options.device)
    if options.memory:
        memory_of(device, options.memory)
        return
    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor()
    print(
        f"torch {torch.__version__}, {name or device}, {torch.get_num_threads()} threads, load "
        f"{os.getloadavg()[0]:.1f}, medians of {options.repeats}\n"
    )
    against_captum(device, options.layers, options.repeats)
    print()
    ratio = recording_cost(device, options.repeats)
    print(f"Recording 4 pictures: {ratio:.2f}x a bare forward pass under inference mode.")
    ablation_cost(device, options.repeats)
    efficiency(device, options.repeats)
    where_it_goes(device)
    peak_memory(device)


if __name__ == "__main__":
    main()
