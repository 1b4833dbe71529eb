"""Frames a second of live mode on the kernel's side: zfwidgets against captum, in one process.

    python benchmarks/live.py [--layers conv1 conv2 conv5] [--frames 30]

A frame is a JPEG of 224 x 224 pixels, as the page sends it. Both sides decode it, run ZFNet on it,
make one picture of all maps of the layer, and send the strongest neuron back to pixels. zfwidgets
is `LiveView` itself, from the message that arrives to the message that leaves; captum is
`NeuronDeconvolution` for the neuron, a forward hook for the maps, and Pillow for the files.
Random weights, no contrast normalisation (captum knows no rule for it). Medians; the two sides take
turns. "CPU" is the processor time of a frame, which does not grow when other programs want the
processor too: frames a second are those of one core that has nothing else to do.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import zfwidgets as zf
from zfwidgets.images import contrast, decode, encode, heat, resize, sprite
from zfwidgets.nets.zfnet import ZFNet
from zfwidgets.widgets.live_view import LiveView
from zfwidgets.widgets.live_view.frames import shades

SIDE = 224


def model() -> nn.Module:
    torch.manual_seed(0)
    net = ZFNet(head="light", norm=False).eval()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return net


def jpegs(count: int) -> list[bytes]:
    """What a camera panning over the sample photographs would send."""
    pictures = [sample.open().resize((SIDE + 40, SIDE + 40)) for sample in zf.samples().values()]
    files = []
    for number in range(count):
        shift = number % 40
        frame = pictures[number // 40 % len(pictures)].crop(
            (shift, shift, shift + SIDE, shift + SIDE)
        )
        out = io.BytesIO()
        frame.save(out, "JPEG", quality=92)
        files.append(out.getvalue())
    return files


def ours(net: zf.DeconvNet, layer: str) -> Callable[[bytes], Any]:
    """LiveView without a page: a message in, a message out."""
    live = LiveView(net, layer=layer, inline=True)
    sent: list[Any] = []
    live._responder._send = lambda content, buffers: sent.append((content, buffers))

    def frame(data: bytes) -> Any:
        message = {"v": 1, "id": 0, "epoch": 0, "op": "frame"}
        live._responder.on_msg(live, message, [memoryview(data)])
        content, buffers = sent.pop()
        assert content["ok"], content
        return buffers

    return frame


def captums(net: nn.Module, layer: str) -> Callable[[bytes], Any]:
    """The same pictures with captum and a hook."""
    from captum.attr import NeuronDeconvolution

    place = net.get_submodule(layer.replace("conv", "relu"))
    attribution = NeuronDeconvolution(net, place)
    prepare = zf.Preprocess(resize=SIDE)
    kept: list[Tensor] = []
    place.register_forward_hook(lambda _module, _inputs, output: kept.append(output.detach()))

    def frame(data: bytes) -> Any:
        inputs = prepare(decode(data))[None]
        kept.clear()
        with torch.inference_mode():
            net(inputs)
        maps = kept[0][0]
        channel, row, col = np.unravel_index(int(maps.argmax()), maps.shape)
        where = int(channel), int(row), int(col)
        back = attribution.attribute(inputs.clone().requires_grad_(), where)
        side = shades(maps, maps.amax((1, 2)))[0].shape[1]
        sheet = sprite(heat(resize(maps[:, None], side, side)[:, 0]))
        return encode(sheet, "image/png"), encode(contrast(back.detach())[0][0], "image/png")

    return frame


def spent(frame: Callable[[bytes], Any], data: bytes) -> tuple[float, float]:
    """Milliseconds of a frame: by the clock, and of the processor."""
    start, cpu = time.perf_counter(), time.process_time()
    frame(data)
    return 1e3 * (time.perf_counter() - start), 1e3 * (time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--layers", nargs="+", default=["conv1", "conv2", "conv3", "conv5"])
    parser.add_argument("--frames", type=int, default=30)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="captum")
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads, {platform.machine()}, load {os.getloadavg()[0]:.1f}\n"
    )
    print("| layer | captum, clock | CPU | zfwidgets, clock | CPU | frames/s | ratio of CPU |")
    print("|---|---|---|---|---|---|---|")
    files = jpegs(options.frames)
    for layer in options.layers:
        mine, theirs = ours(zf.DeconvNet(model(), device="cpu"), layer), captums(model(), layer)
        for frame in (mine, theirs, mine):
            frame(files[0])
        rows = [(*spent(theirs, data), *spent(mine, data)) for data in files]
        clock, cpu, our_clock, our_cpu = (
            statistics.median(column) for column in zip(*rows, strict=True)
        )
        print(
            f"| {layer} | {clock:.0f} ms | {cpu:.0f} ms | {our_clock:.0f} ms | {our_cpu:.1f} ms "
            f"| {1e3 / our_cpu:.0f} | {cpu / our_cpu:.1f}x |",
            flush=True,
        )


if __name__ == "__main__":
    main()
