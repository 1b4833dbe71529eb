"""What the network needs to see: a square slides over the picture (section 4.2, Fig. 7).

A fine grid of places takes hundreds of forward passes. Coarse to fine, the map is there after a
few dozen, and what comes next is measured first where the coarse map changes most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.arguments import NETWORK, takes
from zfwidgets.analysis.fill import Fill
from zfwidgets.analysis.occluder import Occluder
from zfwidgets.analysis.result import Result
from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.deconvnet import Picture

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, repr=False)
class Occlusion(Result):
    """Three maps with a value for every place of the square, [R, S] for R rows of places.

    activation: Tensor [R, S], sum of the feature map `channel` of `layer`. probability: Tensor
    [R, S], softmax probability of class `label`. most_probable: LongTensor [R, S], the class that
    wins. measured: BoolTensor [R, S], False where the values come from the places around; as long
    as the first grid is not done, NaN and -1 stand there.
    clean_activation, clean_probability: the same with nothing hidden.
    top, left: LongTensor [R] and [S], the square's first row and column in input pixels. size: its
    side in pixels. height, width: of the input. done: share of the scan that is over.
    photo: uint8 Tensor [H, W, 3], what the network saw. projection: uint8 Tensor [H, W, 3], the
    map's strongest neuron sent back to pixels. categories: names of the classes, if known.
    """

    layer: str
    channel: int
    label: int
    activation: Tensor
    probability: Tensor
    most_probable: Tensor
    measured: Tensor
    clean_activation: float
    clean_probability: float
    top: Tensor
    left: Tensor
    size: int
    height: int
    width: int
    done: float
    photo: Tensor
    projection: Tensor
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
        columns["measured"] = self.measured.flatten().tolist()
        return pd.DataFrame(columns)

    def plot(self) -> Figure:
        """Columns a to e of Fig. 7: photo, activation, projection, probability, winning class."""
        from zfwidgets.analysis.plot.occlusion import Places, plot_occlusion

        label = self.name(self.label)
        winners = self.most_probable.unique().tolist()
        return plot_occlusion(
            self.photo,
            self.projection,
            Places(self.top, self.left, self.size, self.height, self.width),
            activation=self.activation,
            probability=self.probability,
            most_probable=self.most_probable,
            feature=f"{self.layer}, channel {self.channel}",
            label=label,
            names={winner: self.name(winner) for winner in winners if winner >= 0},
            title=f"nothing hidden: activation {self.clean_activation:.4g}, "
            f"p({label}) = {self.clean_probability:.2f}",
        )


@takes(net=NETWORK)
def occlusion(
    net: DeconvNet,
    image: Picture | Tensor,
    *,
    size: int = 32,
    stride: int | Sequence[int] = 8,
    refine: float = 1.0,
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
    stride may be several, each a multiple of the next, such as (32, 8): coarse places are measured
    first. refine: share of the finer places that are measured, those where the coarser maps change
    most; the others are interpolated (`Occlusion.measured` says which). 1 measures all.
    fill: "grey", "mean" (the picture's mean colour) or a number in units of the input.
    channel: by default the one with the strongest neuron on the clean picture. label: a class by
    number or name, by default the most probable one of the clean picture. batch: squares at once.

    Raises ValueError for several pictures, a square larger than the picture, strides that do not
    divide each other, or a network that does not classify.
    """
    occluder = Occluder(net, image, layer=layer, channel=channel, label=label, fill=fill)
    bar = tqdm(total=100, desc="hiding places", unit="%", disable=not progress, leave=False)
    for result in scan(occluder, size=size, stride=stride, refine=refine, batch=batch):
        bar.update(int(100 * result.done) - bar.n)
    bar.close()
    return result


def scan(
    occluder: Occluder,
    *,
    size: int = 32,
    stride: int | Sequence[int] = (32, 8),
    refine: float = 1.0,
    batch: int = 64,
) -> Iterator[Occlusion]:
    """As `occlusion`, with what is known after each batch. Stop iterating to cancel."""
    strides = [stride] if isinstance(stride, int) else list(stride)
    if not strides or min(strides) < 1 or batch < 1:
        raise ValueError(f"stride={stride}, batch={batch}: expected 1 or more.")
    if any(coarse % fine or coarse == fine for coarse, fine in pairwise(strides)):
        raise ValueError(f"stride={stride}: expected each a multiple of the next, such as (32, 8).")
    if not 0 <= refine <= 1:
        raise ValueError(f"refine={refine}: expected a share from 0 to 1.")
    occluder.check(size)
    return _scan(_Maps(occluder, size), strides, refine, batch)


def _scan(maps: _Maps, strides: list[int], refine: float, batch: int) -> Iterator[Occlusion]:
    plan = [maps.grid(stride) for stride in strides]
    counts = [len(top) * len(left) for top, left in plan]
    wanted = [counts[0]]
    for before, count in pairwise(counts):
        wanted.append(round((count - before) * refine))
    total, done = sum(wanted), 0
    for (top, left), amount in zip(plan, wanted, strict=True):
        maps.refine(top, left)
        for places in maps.unknown()[:amount].split(batch):
            maps.measure(places)
            done += len(places)
            yield maps.result(done / total)
    if not wanted[-1]:
        yield maps.result(1.0)


class _Maps:
    """The maps as far as they are known, on a grid that grows finer."""

    def __init__(self, occluder: Occluder, size: int) -> None:
        self._of, self._size = occluder, size
        self.top = self.left = torch.zeros(0, dtype=torch.long)
        self.total = self.chance = torch.zeros(0, 0)
        self.winner = torch.zeros(0, 0, dtype=torch.long)
        self.measured = torch.zeros(0, 0, dtype=torch.bool)
        self._photo = torch.from_numpy(occluder.clean.seen()[0])
        strongest = occluder.clean.strongest(occluder.layer, [occluder.channel])
        shown = occluder.clean.project(strongest).to_images(canvas=True)
        self._projection = torch.from_numpy(shown[0])

    def grid(self, stride: int) -> tuple[Tensor, Tensor]:
        """First rows and columns of the square's places, the last ones at the border."""

        def places(length: int) -> Tensor:
            last = length - self._size
            return torch.tensor(sorted({*range(0, last + 1, stride), last}))

        height, width = self._of.size
        return places(height), places(width)

    def refine(self, top: Tensor, left: Tensor) -> None:
        """Go over to a finer grid that holds the places of the old one."""
        shape = len(top), len(left)
        measured = torch.zeros(shape, dtype=torch.bool)
        if len(self.top):
            rows, cols = _between(self.top, top), _between(self.left, left)
            self.total, self.chance = rows @ self.total @ cols.T, rows @ self.chance @ cols.T
            self.winner = self.winner[rows.argmax(1)][:, cols.argmax(1)]
            old = self.measured.float()
            # Known is what lies on an old place, and that place alone.
            measured = (rows.eq(1).float() @ old @ cols.eq(1).float().T) > 0
        else:
            self.total, self.chance = torch.full((2, *shape), float("nan"))
            self.winner = torch.full(shape, -1)
        self.top, self.left, self.measured = top, left, measured

    def unknown(self) -> Tensor:
        """Places not measured yet, [N, 2] indices, those first where the maps change most."""
        change = _change(self.total) + _change(self.chance)
        order = change.flatten().sort(descending=True, stable=True).indices
        order = order[~self.measured.flatten()[order]]
        return torch.stack([order // len(self.left), order % len(self.left)], 1)

    def measure(self, places: Tensor) -> None:
        row, col = places.T
        total, chances = self._of.look(torch.stack([self.top[row], self.left[col]], 1), self._size)
        self.total[row, col], self.chance[row, col] = total, chances[:, self._of.label]
        self.winner[row, col] = chances.argmax(1)
        self.measured[row, col] = True

    def result(self, done: float) -> Occlusion:
        """What is known now; a copy."""
        of = self._of
        return Occlusion(
            layer=of.layer,
            channel=of.channel,
            label=of.label,
            activation=self.total.clone(),
            probability=self.chance.clone(),
            most_probable=self.winner.clone(),
            measured=self.measured.clone(),
            clean_activation=of.clean_activation,
            clean_probability=float(of.clean_chances[of.label]),
            top=self.top,
            left=self.left,
            size=self._size,
            height=of.size[0],
            width=of.size[1],
            done=done,
            photo=self._photo,
            projection=self._projection,
            categories=tuple(of.net.categories) if of.net.categories else None,
        )


def _between(old: Tensor, new: Tensor) -> Tensor:
    """Weights [new, old] that interpolate linearly from the old places to the new ones."""
    if len(old) == 1:
        return torch.ones(len(new), 1)
    right = torch.searchsorted(old, new, right=True).clamp(1, len(old) - 1)
    share = (new - old[right - 1]) / (old[right] - old[right - 1])
    weights = torch.zeros(len(new), len(old))
    index = torch.arange(len(new))
    weights[index, right - 1], weights[index, right] = 1 - share, share
    return weights


def _change(values: Tensor) -> Tensor:
    """How far a map goes up and down around each place, as a share of its whole span."""
    values = values.nan_to_num(0.0)[None, None]
    highest = F.max_pool2d(values, 3, 1, 1)
    lowest = -F.max_pool2d(-values, 3, 1, 1)
    span = (values.max() - values.min()).clamp_min(1e-12)
    return ((highest - lowest) / span)[0, 0]
