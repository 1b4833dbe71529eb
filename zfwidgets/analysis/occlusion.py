"""What the network needs to see: a square slides over the picture (section 4.2, Fig. 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.levels import Fill, class_index, colour
from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.deconvnet import Picture

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Occlusion:
    """Three maps with a value for every place of the square, [R, S] for R rows of places.

    activation: Tensor [R, S], sum of the feature map `channel` of `layer`. probability: Tensor
    [R, S], softmax probability of class `label`. most_probable: LongTensor [R, S], the class that
    wins. clean_activation, clean_probability: the same with nothing hidden.
    top, left: LongTensor [R] and [S], the square's first row and column in input pixels. size: its
    side in pixels. height, width: of the input. categories: names of the classes, if known.
    """

    layer: str
    channel: int
    label: int
    activation: Tensor
    probability: Tensor
    most_probable: Tensor
    clean_activation: float
    clean_probability: float
    top: Tensor
    left: Tensor
    size: int
    height: int
    width: int
    categories: tuple[str, ...] | None

    @property
    def boxes(self) -> Tensor:
        """Where the square was: LongTensor [R, S, 4], top, left, bottom, right in input pixels."""
        top, left = torch.meshgrid(self.top, self.left, indexing="ij")
        return torch.stack([top, left, top + self.size, left + self.size], -1)

    def name(self, label: int) -> str:
        """The class in words, or its number."""
        return self.categories[label] if self.categories else str(label)

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per place of the square (needs pandas)."""
        import pandas as pd

        boxes = self.boxes.flatten(0, 1)
        columns = dict(zip(("top", "left", "bottom", "right"), boxes.T.tolist(), strict=True))
        columns["activation"] = self.activation.flatten().tolist()
        columns["probability"] = self.probability.flatten().tolist()
        columns["most probable"] = [self.name(i) for i in self.most_probable.flatten().tolist()]
        return pd.DataFrame(columns)


def occlusion(
    net: DeconvNet,
    image: Picture | Tensor,
    *,
    size: int = 32,
    stride: int = 8,
    fill: Fill = "grey",
    layer: str = "conv5",
    channel: int | None = None,
    label: int | str | None = None,
    batch: int = 64,
    progress: bool = True,
) -> Occlusion:
    """Hide one place of the picture after the other and see what the network loses.

    image: one picture, or a prepared Tensor [C, H, W] or [1, C, H, W]. size, stride: of the grey
    square, in input pixels; the paper does not give them. The square stays inside the picture, and
    the last row and column of places touch its border even if they are less than a stride away.
    fill: "grey", "mean" (the picture's mean colour) or a number in units of the input.
    channel: by default the one with the strongest neuron on the clean picture. label: a class by
    number or name, by default the most probable one of the clean picture. batch: squares at once.

    Raises ValueError for several pictures, a square larger than the picture, or a network that does
    not classify.
    """
    inputs = net.preprocess(image)
    height, width = inputs.shape[2:]
    _check(inputs, size, stride, batch)
    clean = net.record(inputs)
    maps, probability = clean.feature_maps(layer), _probability(net, clean.logits)
    channel = int(maps.amax((2, 3)).argmax()) if channel is None else channel
    if not 0 <= channel < maps.shape[1]:
        raise ValueError(f"channel={channel}: {layer} has the channels 0 to {maps.shape[1] - 1}.")
    classes = probability.shape[1]
    wanted = int(probability.argmax()) if label is None else class_index(net, label, classes)

    top, left = _places(height, size, stride), _places(width, size, stride)
    places = torch.cartesian_prod(top, left)
    paint = colour(net, inputs, fill)
    rows = []
    bar = tqdm(total=len(places), desc="hiding places", disable=not progress, leave=False)
    for hidden in _hidden(inputs, places, size, paint, batch):
        seen = net.record(hidden)
        chances = _probability(net, seen.logits)
        total = seen.feature_maps(layer)[:, channel].sum((1, 2))
        rows.append((total.cpu(), chances[:, wanted].cpu(), chances.argmax(1).cpu()))
        bar.update(len(hidden))
    bar.close()
    total, chance, winner = (
        torch.cat(part).view(len(top), len(left)) for part in zip(*rows, strict=True)
    )
    return Occlusion(
        layer=layer,
        channel=channel,
        label=wanted,
        activation=total,
        probability=chance,
        most_probable=winner,
        clean_activation=float(maps[0, channel].sum()),
        clean_probability=float(probability[0, wanted]),
        top=top,
        left=left,
        size=size,
        height=height,
        width=width,
        categories=tuple(net.categories) if net.categories else None,
    )


def _check(inputs: Tensor, size: int, stride: int, batch: int) -> None:
    height, width = inputs.shape[2:]
    if len(inputs) != 1:
        raise ValueError(f"occlusion() got {len(inputs)} pictures; expected one.")
    if not 1 <= size <= min(height, width):
        raise ValueError(f"size={size}: expected 1 to {min(height, width)} pixels of the input.")
    if stride < 1 or batch < 1:
        raise ValueError(f"stride={stride}, batch={batch}: expected 1 or more.")


def _places(length: int, size: int, stride: int) -> Tensor:
    """First pixels of the square along one side, the last one at the border."""
    last = length - size
    return torch.tensor(sorted({*range(0, last + 1, stride), last}))


def _hidden(
    inputs: Tensor, places: Tensor, size: int, paint: Tensor, batch: int
) -> Iterator[Tensor]:
    """The picture with the square at each place, `batch` places at a time."""
    for part in places.split(batch):
        pictures = inputs.repeat(len(part), 1, 1, 1)
        for picture, (top, left) in zip(pictures, part.tolist(), strict=True):
            picture[:, top : top + size, left : left + size] = paint[0]
        yield pictures


def _probability(net: DeconvNet, logits: Tensor | None) -> Tensor:
    if logits is None:
        raise ValueError(f"{net.name} gives no [B, classes] output; expected a classifier.")
    return logits.float().softmax(1)
