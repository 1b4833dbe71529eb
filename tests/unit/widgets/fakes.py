"""A network without torch modules: enough of DeconvNet and Recording for the widgets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from PIL import Image

SIDE = 32


@dataclass(frozen=True)
class FakeLayer:
    name: str
    kind: str
    channels: int
    height: int
    width: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    receptive_field: tuple[int, int] = (8, 8)
    jump: tuple[int, int] = (4, 4)
    inputs: tuple[str, ...] = ()
    offset: tuple[int, int] = (-2, -2)


LAYERS = {
    "conv1": FakeLayer("conv1", "conv", 4, 8, 8),
    "pool1": FakeLayer("pool1", "pool", 4, 4, 4, inputs=("conv1",)),
    "conv2": FakeLayer("conv2", "conv", 6, 4, 4, inputs=("pool1",)),
    "fc3": FakeLayer("fc3", "linear", 3, 1, 1, receptive_field=(64, 64), inputs=("conv2",)),
}


class FakeNeurons:
    """One neuron per channel; channel c answers with c + brightness, at row c % h, column 1."""

    def __init__(self, layer: FakeLayer, channels: list[int], brightness: float) -> None:
        self.layer = layer.name
        self.channel = torch.tensor(channels)
        self.image = torch.zeros(len(channels), dtype=torch.long)
        self.row = self.channel % layer.height
        self.col = torch.ones(len(channels), dtype=torch.long) % layer.width
        self.value = self.channel.float() + brightness

    def __getitem__(self, _index: object) -> FakeNeurons:
        return self


class FakeProjection:
    """A window whose pixels are the channel's number plus one."""

    def __init__(self, neurons: FakeNeurons) -> None:
        row, col = int(neurons.row[0]), int(neurons.col[0])
        self.level = int(neurons.channel[0]) + 1
        self.boxes = torch.tensor([[4 * row - 2, 4 * col - 2, 4 * row + 6, 4 * col + 6]])

    def on_canvas(self) -> torch.Tensor:
        canvas = torch.zeros(1, 3, SIDE, SIDE)
        top, left, bottom, right = self.boxes[0].clamp(0, SIDE).tolist()
        canvas[:, :, top:bottom, left:right] = self.level
        return canvas

    def to_rgb(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels

    def shown(self, *, canvas: bool) -> tuple[Any, str]:
        assert canvas
        return np.full((1, SIDE, SIDE, 3), self.level, np.uint8), "contrast: as it is"


@dataclass
class FakeRecording:
    net: FakeNet
    picture: np.ndarray[Any, Any]
    layers: dict[str, FakeLayer] = field(default_factory=lambda: dict(LAYERS))

    size: tuple[int, int] = (SIDE, SIDE)

    def __len__(self) -> int:
        return 1

    @property
    def logits(self) -> torch.Tensor | None:
        return torch.zeros(1, 2) if self.net.categories else None

    def top_classes(self, k: int) -> list[list[tuple[str, float]]]:
        names = self.net.categories or []
        return [[(name, 1 / (i + 2)) for i, name in enumerate(names[:k])]]

    def seen(self) -> np.ndarray[Any, Any]:
        return self.picture[None]

    def strongest(self, layer: str, channels: list[int] | None = None) -> FakeNeurons:
        found = self.layers[layer]
        chosen = list(range(found.channels)) if channels is None else channels
        if any(not 0 <= channel < found.channels for channel in chosen):
            raise IndexError(f"channel {chosen[0]} of layer {layer!r}: expected less")
        return FakeNeurons(found, chosen, float(self.picture.mean()))

    def neurons(self, layer: str, image: int, channel: int, row: int, col: int) -> FakeNeurons:
        assert image == 0
        found = self.strongest(layer, [channel])
        found.row, found.col = torch.tensor([row]), torch.tensor([col])
        return found

    def project(self, neurons: FakeNeurons, rule: str) -> FakeProjection:
        self.net.rules.append(rule)
        if self.net.broken:
            raise RuntimeError("the way back is blocked")
        return FakeProjection(neurons)


class FakeNet:
    """Counts what it is asked; refuses pictures wider than `widest`."""

    name = "fake"
    device = "cpu"

    def __init__(self, categories: list[str] | None = None, widest: int = 4000) -> None:
        self.categories = categories
        self.layers = dict(LAYERS)
        self.widest = widest
        self.broken = False
        self.recorded: list[tuple[int, int]] = []
        self.rules: list[str] = []

    def record(self, image: Image.Image) -> FakeRecording:
        self.recorded.append(image.size)
        if image.width > self.widest:
            raise ValueError(f"got a picture {image.width} wide; expected {self.widest} at most")
        small = np.asarray(image.convert("RGB").resize((SIDE, SIDE)))
        return FakeRecording(self, small)


def picture(colour: str = "red", size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A plain picture."""
    return Image.new("RGB", size, colour)
