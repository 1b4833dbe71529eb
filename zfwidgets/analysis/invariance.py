"""What the network does not mind: pictures moved, scaled, turned, and their features (Fig. 5)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.levels import Fill, class_index, colour, level
from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.deconvnet import Picture

if TYPE_CHECKING:
    import pandas as pd

Transform = Literal["translation", "scale", "rotation", "brightness", "contrast", "blur"]

DEFAULTS: dict[str, tuple[float, ...]] = {
    "translation": tuple(range(-60, 61, 10)),
    "scale": tuple(1 + step / 10 for step in range(9)),
    "rotation": tuple(range(0, 360, 10)),
    "brightness": tuple(step / 10 for step in range(-4, 5)),
    "contrast": tuple(step / 5 for step in range(1, 10)),
    "blur": (0, 0.5, 1, 1.5, 2, 3, 4, 6, 8),
}
"""The values tried where none are given."""


@dataclass(frozen=True, slots=True)
class Invariance:
    """Curves over V values of one transform, for B pictures.

    distance: Tensor [L, B, V], Euclidean distance of a layer's feature vector from that of the
    picture as it was. norm: Tensor [L, B], length of that vector, to compare layers by.
    probability: Tensor [B, V], softmax probability of the picture's class `labels` LongTensor [B];
    both None if the network does not classify.
    """

    transform: str
    values: Tensor
    layers: tuple[str, ...]
    distance: Tensor
    norm: Tensor
    probability: Tensor | None
    labels: Tensor | None

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
    picture's mean colour; blur: standard deviation of a Gaussian in pixels. Brightness and contrast
    are not clipped at black and white. fill: what comes in from outside the picture, "grey", "mean"
    (each picture's mean colour) or a number; the paper does not say. Moves by whole pixels are
    exact, other geometry is bilinear.

    layers: by default the first and the last one; the paper's are 1 and 7. labels: the class of
    each picture by number or name, by default the most probable one of the picture as it was.
    """
    if transform not in get_args(Transform):
        known = ", ".join(get_args(Transform))
        raise ValueError(f"transform={transform!r}: expected one of {known}.")
    values = DEFAULTS[transform] if values is None else values
    if not len(values) or batch < 1:
        raise ValueError(f"{len(values)} values, batch={batch}: expected 1 or more of each.")
    inputs = net.preprocess(images)
    names = list(net.record(inputs[:1]).layers)
    chosen = (names[0], names[-1]) if layers is None else tuple(layers)
    change = _changer(net, inputs, transform, fill)

    clean, chances = _features(net, inputs, chosen, batch)
    wanted = _labels(net, chances, labels)
    distance, probability = [], []
    for value in tqdm(values, desc=transform, disable=not progress, leave=False):
        features, now = _features(net, change(float(value)), chosen, batch)
        distance.append(
            torch.stack([(f - c).norm(dim=1) for f, c in zip(features, clean, strict=True)])
        )
        if now is not None and wanted is not None:
            probability.append(now.gather(1, wanted[:, None])[:, 0])
    return Invariance(
        transform=transform,
        values=torch.tensor([float(value) for value in values]),
        layers=chosen,
        distance=torch.stack(distance, 2),
        norm=torch.stack([c.norm(dim=1) for c in clean]),
        probability=torch.stack(probability, 1) if probability else None,
        labels=wanted,
    )


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


def _changer(
    net: DeconvNet, inputs: Tensor, transform: Transform, fill: Fill
) -> Callable[[float], Tensor]:
    """The transform of the inputs [B, C, H, W] as a function of its value."""
    if transform == "blur":
        return lambda sigma: _blurred(inputs, sigma)
    if transform == "contrast":
        mean = inputs.mean((2, 3), keepdim=True)
        return lambda factor: mean + factor * (inputs - mean)
    if transform == "brightness":
        channels = inputs.shape[1]
        span = level(net, 255, channels) - level(net, 0, channels)
        return lambda share: inputs + share * span
    outside = colour(net, inputs, fill)
    if transform == "translation":
        return lambda pixels: _moved(inputs, pixels, outside)
    if transform == "scale":
        return lambda factor: _turned(inputs, 0, factor, outside)
    return lambda degrees: _turned(inputs, degrees, 1, outside)


def _moved(inputs: Tensor, pixels: float, outside: Tensor) -> Tensor:
    """Downwards; between whole pixels the two neighbouring moves are mixed."""
    whole = math.floor(pixels)
    share = pixels - whole
    height = inputs.shape[2]

    def by(rows: int) -> Tensor:
        moved = outside.expand_as(inputs).clone()
        if abs(rows) < height:
            moved[:, :, max(0, rows) : height + min(0, rows)] = inputs[
                :, :, max(0, -rows) : height - max(0, rows)
            ]
        return moved

    return by(whole) if not share else (1 - share) * by(whole) + share * by(whole + 1)


def _turned(inputs: Tensor, degrees: float, factor: float, outside: Tensor) -> Tensor:
    """Counter-clockwise about the centre, and magnified."""
    if factor <= 0:
        raise ValueError(f"scale {factor}: expected a magnification above 0.")
    if degrees % 360 == 0 and factor == 1:
        return inputs
    height, width = inputs.shape[2:]
    angle = math.radians(degrees)
    cos, sin = math.cos(angle) / factor, math.sin(angle) / factor
    # From output to input, in coordinates that run from -1 to 1 along both sides.
    matrix = [[cos, -sin * height / width, 0], [sin * width / height, cos, 0]]
    theta = inputs.new_tensor(matrix).expand(len(inputs), 2, 3)
    grid = F.affine_grid(theta, list(inputs.shape), align_corners=False)
    return F.grid_sample(inputs - outside, grid, align_corners=False) + outside


def _blurred(inputs: Tensor, sigma: float) -> Tensor:
    """A Gaussian of this standard deviation; the border's pixels are repeated outwards."""
    if sigma < 0:
        raise ValueError(f"blur {sigma}: expected a standard deviation of 0 pixels or more.")
    reach = math.ceil(3 * sigma)
    if reach == 0:
        return inputs
    place = torch.arange(-reach, reach + 1, device=inputs.device, dtype=inputs.dtype)
    kernel = (-place.square() / (2 * sigma**2)).exp()
    kernel = (kernel / kernel.sum()).expand(inputs.shape[1], 1, -1)
    padded = F.pad(inputs, (reach, reach, reach, reach), mode="replicate")
    rows = F.conv2d(padded, kernel[:, :, :, None], groups=inputs.shape[1])
    return F.conv2d(rows, kernel[:, :, None, :], groups=inputs.shape[1])
