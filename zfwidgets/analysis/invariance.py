"""What the network does not mind: pictures moved, scaled, turned, and their features (Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.arguments import NETWORK, class_index, layer_names, takes
from zfwidgets.analysis.fill import Fill
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.transforms import DEFAULTS, Transform, changer
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.deconv.deconvnet import Picture

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, repr=False)
class Invariance(Result):
    """Curves over V values of one transform, for B pictures.

    distance: Tensor [L, B, V], Euclidean distance of a layer's feature vector from that of the
    picture as it was. norm: Tensor [L, B], length of that vector, to compare layers by.
    probability: Tensor [B, V], softmax probability of the picture's class `labels` LongTensor [B];
    both None if the network does not classify. names: of the pictures, their classes in words.
    """

    transform: str
    values: Tensor
    layers: tuple[str, ...]
    distance: Tensor
    norm: Tensor
    probability: Tensor | None
    labels: Tensor | None
    names: tuple[str, ...]

    @property
    def relative(self) -> Tensor:
        """Distances as shares of the layer's own length, to compare layers: [L, B, V]."""
        return self.distance / self.norm[:, :, None].clamp_min(1e-12)

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per picture and value (needs pandas)."""
        import pandas as pd

        pictures, values = self.distance.shape[1:]
        columns: dict[str, list[float]] = {
            "picture": torch.arange(pictures).repeat_interleave(values).tolist(),
            self.transform: self.values.repeat(pictures).tolist(),
        }
        for name, distance in zip(self.layers, self.distance, strict=True):
            columns[f"distance {name}"] = distance.flatten().tolist()
        if self.probability is not None:
            columns["probability"] = self.probability.flatten().tolist()
        return pd.DataFrame(columns)

    def plot(self) -> Figure:
        """Fig. 5: distances per layer, absolute and as shares of their length, and p(class)."""
        from zfwidgets.analysis.plot.invariance import plot_invariance

        return plot_invariance(
            self.layers,
            self.distance,
            self.relative,
            self.probability,
            values=self.values,
            transform=self.transform,
            names=self.names,
        )


@takes(net=NETWORK)
def invariance(
    net: DeconvNet,
    images: Picture | Sequence[Picture] | Tensor,
    transform: Transform = "translation",
    values: Sequence[float] | None = None,
    *,
    layers: Sequence[str] | None = None,
    labels: Sequence[int | str] | None = None,
    fill: Fill = "grey",
    batch: int = 64,
    progress: bool = True,
) -> Invariance:
    """How far features and p(class) move as pictures are transformed (section 4.1, Fig. 5).

    The prepared input is transformed, of the size the network sees. translation: pixels downwards,
    as in the paper; scale: magnification about the centre; rotation: degrees counter-clockwise;
    brightness: shares of the way from black to white that are added; contrast: factor about the
    picture's mean colour; blur: standard deviation of a Gaussian in pixels; hue: degrees about the
    grey axis of the colour cube. Brightness, contrast and hue are not clipped at black and white.
    fill: what comes in from outside the picture, "grey", "mean" (each picture's mean colour) or a
    number; the paper does not say. Moves by whole pixels are exact, other geometry is bilinear.

    layers: by default the first one and the last before the class scores. That is fc7 where there
    is one, as in the paper (its layers 1 and 7), and the global average of conv5 in networks with
    one light layer on top. labels: the class of each picture by number or name, by default the
    most probable one of the picture as it was.
    """
    trial = Trial(net, images, transform, layers=layers, labels=labels, fill=fill, batch=batch)
    values = DEFAULTS[transform] if values is None else values
    if not len(values):
        raise ValueError("0 values: expected 1 or more.")
    steps = tqdm(values, desc=transform, disable=not progress, leave=False)
    return trial.result(values, [trial.at(float(value)) for value in steps])


@dataclass(frozen=True, slots=True)
class Moved:
    """One value of a transform: distance [L, B] and class probabilities [B, K]."""

    distance: Tensor
    chances: Tensor | None


class Trial:
    """Pictures, and how far their features move under one transform. See `invariance`."""

    def __init__(
        self,
        net: DeconvNet,
        images: Picture | Sequence[Picture] | Tensor,
        transform: Transform,
        *,
        layers: Sequence[str] | None = None,
        labels: Sequence[int | str] | None = None,
        fill: Fill = "grey",
        batch: int = 64,
    ) -> None:
        if batch < 1:
            raise ValueError(f"batch={batch}: expected 1 or more.")
        inputs = net.preprocess(images)
        self._net, self._batch, self.transform = net, batch, transform
        self._change = changer(net, inputs, transform, fill)
        self.layers = ends(net.record(inputs[:1])) if layers is None else layer_names(layers)
        self._clean, self.chances = _features(net, inputs, self.layers, batch)
        self.labels = _labels(net, self.chances, labels)
        self.norm = torch.stack([c.norm(dim=1) for c in self._clean])

    def changed(self, value: float) -> Tensor:
        """The pictures at one value: [B, C, H, W]."""
        return self._change(value)

    def at(self, value: float) -> Moved:
        """Their features at one value."""
        features, chances = _features(self._net, self._change(value), self.layers, self._batch)
        pairs = zip(features, self._clean, strict=True)
        return Moved(torch.stack([(f - c).norm(dim=1) for f, c in pairs]), chances)

    def result(self, values: Sequence[float], moved: Sequence[Moved]) -> Invariance:
        """The curves through these values."""
        probability = None
        if self.labels is not None:
            wanted = self.labels[:, None]
            chances = [each.chances.gather(1, wanted) for each in moved if each.chances is not None]
            probability = torch.cat(chances, 1)
        return Invariance(
            transform=self.transform,
            values=torch.tensor([float(value) for value in values]),
            layers=self.layers,
            distance=torch.stack([each.distance for each in moved], 2),
            norm=self.norm,
            probability=probability,
            labels=self.labels,
            names=self.names,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The pictures' classes in words, or their places."""
        if self.labels is None:
            return tuple(f"picture {i}" for i in range(self.norm.shape[1]))
        known = self._net.categories
        return tuple(known[i] if known else str(i) for i in self.labels.tolist())


def ends(recording: Recording) -> tuple[str, str]:
    """The first layer, and the last one before the class scores."""
    layers = list(recording.layers.values())
    scores = recording.logits is not None and layers[-1].kind == "linear" and len(layers) > 1
    return layers[0].name, layers[-2 if scores else -1].name


def _features(
    net: DeconvNet, inputs: Tensor, layers: tuple[str, ...], batch: int
) -> tuple[list[Tensor], Tensor | None]:
    """Feature vectors [B, D] of each layer, and class probabilities [B, K], on the CPU."""
    features: list[list[Tensor]] = [[] for _ in layers]
    chances = []
    for part in inputs.split(batch):
        seen = net.record(part)
        for kept, layer in zip(features, layers, strict=True):
            kept.append(seen.feature_maps(layer).flatten(1).float().cpu())
        if seen.logits is not None:
            chances.append(seen.logits.float().softmax(1).cpu())
    return [torch.cat(kept) for kept in features], torch.cat(chances) if chances else None


def _labels(
    net: DeconvNet, chances: Tensor | None, labels: Sequence[int | str] | None
) -> Tensor | None:
    if chances is None:
        if labels is not None:
            raise ValueError(f"{net.name} gives no [B, classes] output; labels mean nothing here.")
        return None
    if labels is None:
        return chances.argmax(1)
    if len(labels) != len(chances):
        raise ValueError(f"{len(labels)} labels for {len(chances)} pictures; expected one each.")
    return torch.tensor([class_index(net, label, chances.shape[1]) for label in labels])
