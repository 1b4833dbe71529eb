"""Does the network know that an eye is where an eye is? Masks on several photos (section 4.3).

The same part is hidden in every photo. If the network treats it alike everywhere, features change
alike: the signs of the changes agree between photos more than for parts hidden at random.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.arguments import NETWORK, check_finite, layer_names, takes
from zfwidgets.analysis.fill import Fill, fill_colour
from zfwidgets.analysis.invariance import ends
from zfwidgets.analysis.result import Result
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.deconv.deconvnet import Picture

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Box = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels of the network's input; bottom and right are outside."""


@dataclass(frozen=True, slots=True, repr=False)
class Correspondence(Result):
    """Table 1: consistency of P parts and of random masks at L layers; small is consistent.

    delta: Tensor [L, P], mean share of features whose changes have different signs, over pairs of
    photos. low, high: Tensor [L, P], 95 % interval from resampling the photos. random: Tensor
    [L, R], the same for each of R sets of random masks. z: Tensor [L, P], how many standard
    deviations of `random` delta lies below their mean (above, if negative). differences: Tensor
    [L, P, M], of each of the M pairs.
    """

    layers: tuple[str, ...]
    parts: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    differences: Tensor
    low: Tensor
    high: Tensor
    random: Tensor

    @property
    def delta(self) -> Tensor:
        """Mean over pairs: [L, P]."""
        return self.differences.mean(2)

    @property
    def z(self) -> Tensor:
        """(mean of random - delta) / standard deviation of random: [L, P]."""
        spread = self.random.std(1, keepdim=True).clamp_min(1e-12)
        return (self.random.mean(1, keepdim=True) - self.delta) / spread

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per layer and part, and one per layer for random masks."""
        import pandas as pd

        rows = []
        for i, layer in enumerate(self.layers):
            for j, part in enumerate(self.parts):
                values = (self.delta, self.low, self.high, self.z)
                rows.append([layer, part, *(float(table[i, j]) for table in values)])
            low, high = self.random[i].quantile(torch.tensor([0.025, 0.975])).tolist()
            rows.append([layer, "random", float(self.random[i].mean()), low, high, 0.0])
        return pd.DataFrame(rows, columns=["layer", "part", "delta", "low", "high", "z"])

    def plot(self) -> Figure:
        """Each part with its interval beside the random masks, a panel per layer."""
        from zfwidgets.analysis.plot.correspondence import plot_correspondence

        return plot_correspondence(
            self.layers,
            self.parts,
            delta=self.delta,
            low=self.low,
            high=self.high,
            z=self.z,
            random=self.random,
        )


@dataclass(frozen=True)
class Masking:
    """How masks are drawn and counted; `correspondence` says what each is."""

    random: int = 100
    together: bool = False
    samples: int = 1000
    fill: Fill = "grey"
    seed: int = 0
    batch: int = 64

    def __post_init__(self) -> None:
        if self.random < 2 or self.samples < 1 or self.batch < 1:
            raise ValueError(
                f"random={self.random}, samples={self.samples}, batch={self.batch}: expected 2, 1 "
                "and 1 or more."
            )


@takes(net=NETWORK)
def correspondence(
    net: DeconvNet,
    photos: Picture | Sequence[Picture] | Tensor,
    boxes: Mapping[str, Sequence[Box]],
    *,
    layers: Sequence[str] | None = None,
    random: int = 100,
    together: bool = False,
    samples: int = 1000,
    fill: Fill = "grey",
    seed: int = 0,
    batch: int = 64,
    progress: bool = True,
) -> Correspondence:
    """Hide the same part in several photos and see whether features change alike (Table 1).

    With x the features of photo i and x' those with the part hidden, eps_i = x - x'; delta is the
    mean over pairs of photos of the share of features in which sign(eps_i) and sign(eps_j) differ
    (the paper's sum of Hamming distances, normalised). 0: all signs equal; 1: all opposite; 0.5:
    nothing in common. A feature that did not change at all in either photo of a pair (exact zeros,
    frequent after rectifiers) is left out of that pair: it says nothing about either. A change in
    one photo and none in the other counts one half. A pair without any change is 0.5.

    boxes: per name of a part one box (top, left, bottom, right) per photo, in pixels of the
    network's input. layers: by default conv5, or the last convolution, and the last before the
    class scores; the paper's are 5 and 7. random: sets of random masks, each as large as a part's
    box in that photo. together: random masks keep their places relative to each other, all moved
    by one shift. Use it where a part lies at much the same place in every photo: masks at one place
    agree in feature maps for that reason alone, and masks that are strewn do not.
    samples: how often photos are resampled for the interval. Photos and not pairs are resampled,
    since pairs that share a photo are not independent.

    Raises ValueError for fewer than two photos, other numbers of boxes, or boxes outside, and for
    networks with NaN or infinite values.
    """
    masking = Masking(random, together, samples, fill, seed, batch)
    steps = trial(net, photos, boxes, layers, masking)
    bar = tqdm(total=random + len(boxes), desc="masks", disable=not progress, leave=False)
    while True:
        try:
            next(steps)
            bar.update()
        except StopIteration as end:
            bar.close()
            found: Correspondence = end.value
            return found


def trial(
    net: DeconvNet,
    photos: Picture | Sequence[Picture] | Tensor,
    boxes: Mapping[str, Sequence[Box]],
    layers: Sequence[str] | None,
    masking: Masking,
) -> Generator[float, None, Correspondence]:
    """As `correspondence`, one set of masks a step; yields the share done, returns the result."""
    inputs = net.preprocess(photos)
    _check(boxes, len(inputs), (int(inputs.shape[2]), int(inputs.shape[3])))
    generator = torch.Generator().manual_seed(masking.seed)
    first = net.record(inputs[:1])
    chosen = layer_names(_layers(first) if layers is None else layers)
    deepest = first.layers.last_of(chosen)
    clean = _maps(net, inputs, chosen, deepest, masking.batch)
    for name, maps in zip(chosen, clean, strict=True):
        check_finite(maps, name, "the photos")
    paint = fill_colour(net, inputs, masking.fill)
    drawn = [list(boxes[name]) for name in boxes]
    sets = drawn + [
        _elsewhere(drawn[i % len(drawn)], inputs.shape[2:], masking.together, generator)
        for i in range(masking.random)
    ]
    pairs = list(combinations(range(len(inputs)), 2))
    found = []
    for masks in sets:
        hidden = inputs.clone()
        for picture, colour_, (top, left, bottom, right) in zip(hidden, paint, masks, strict=True):
            picture[:, top:bottom, left:right] = colour_
        seen = _maps(net, hidden, chosen, deepest, masking.batch)
        signs = [(old - new).flatten(1).sign() for old, new in zip(clean, seen, strict=True)]
        found.append(
            torch.stack([torch.stack([hamming(s[i], s[j]) for i, j in pairs]) for s in signs])
        )
        yield len(found) / len(sets)
    table = torch.stack(found, 1)
    parts = table[:, : len(drawn)]
    low, high = _interval(parts, pairs, len(inputs), masking.samples, generator)
    return Correspondence(
        layers=tuple(chosen),
        parts=tuple(boxes),
        pairs=tuple(pairs),
        differences=parts,
        low=low,
        high=high,
        random=table[:, len(drawn) :].mean(2),
    )


def hamming(a: Tensor, b: Tensor) -> Tensor:
    """Share of places where signs differ, as `correspondence` counts zeros; a scalar."""
    counted = (a != 0) | (b != 0)
    if not counted.any():
        return torch.tensor(0.5)
    return (a - b).abs()[counted].float().mean() / 2


def _maps(
    net: DeconvNet, inputs: Tensor, layers: Sequence[str], deepest: str, batch: int
) -> list[Tensor]:
    """Feature maps, per layer [B, C, h, w]; the pass stops after the deepest of them.

    Photos and hidden photos are recorded in the same batches: in another one sums may be rounded
    otherwise, and every feature would have changed, if only in its last bit.
    """
    found: list[list[Tensor]] = [[] for _ in layers]
    for part in inputs.split(batch):
        seen = net.record(part, upto=deepest)
        for kept, name in zip(found, layers, strict=True):
            kept.append(seen.feature_maps(name).float().cpu())
    return [torch.cat(kept) for kept in found]


def _layers(recording: Recording) -> list[str]:
    convs = [layer.name for layer in recording.layers.values() if layer.kind == "conv"]
    middle = "conv5" if "conv5" in convs else convs[-1]
    return list(dict.fromkeys([middle, ends(recording)[1]]))


def _elsewhere(
    masks: Sequence[Box], size: Sequence[int], together: bool, generator: torch.Generator
) -> list[Box]:
    """Boxes of the same sizes at random places of each photo, or all moved by one shift."""

    def place(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    height, width = (int(side) for side in size)
    if together:
        tops, lefts, bottoms, rights = zip(*masks, strict=True)
        row = place(-min(tops), height - max(bottoms))
        col = place(-min(lefts), width - max(rights))
        return [(t + row, l + col, b + row, r + col) for t, l, b, r in masks]  # noqa: E741
    moved = []
    for top, left, bottom, right in masks:
        row, col = place(0, height - (bottom - top)), place(0, width - (right - left))
        moved.append((row, col, row + bottom - top, col + right - left))
    return moved


def _interval(
    parts: Tensor,
    pairs: list[tuple[int, int]],
    photos: int,
    samples: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """95 % of the means over pairs [L, P] when photos are drawn again with replacement."""
    drawn = torch.randint(0, photos, (samples, photos), generator=generator)
    count = torch.stack([(drawn == photo).sum(1) for photo in range(photos)], 1).float()
    first, second = (torch.tensor(side) for side in zip(*pairs, strict=True))
    weight = count[:, first] * count[:, second]
    weight = weight[weight.sum(1) > 0]
    means = torch.einsum("sm,lpm->lps", weight / weight.sum(1, keepdim=True), parts)
    low, high = means.quantile(torch.tensor([0.025, 0.975]), dim=2)
    return low, high


def _check(boxes: Mapping[str, Sequence[Box]], photos: int, size: tuple[int, int]) -> None:
    if photos < 2 or not boxes:
        raise ValueError(
            f"{photos} photos, {len(boxes)} parts: expected 2 photos and 1 part or more."
        )
    for name, masks in boxes.items():
        if len(masks) != photos:
            raise ValueError(f"part {name!r} has {len(masks)} boxes for {photos} photos.")
        for box in masks:
            top, left, bottom, right = box
            if not (0 <= top < bottom <= size[0] and 0 <= left < right <= size[1]):
                raise ValueError(
                    f"part {name!r}: box {tuple(box)}; expected top < bottom <= {size[0]} and "
                    f"left < right <= {size[1]}, in pixels of the input."
                )
