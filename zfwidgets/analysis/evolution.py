"""How features come about during training: the paper's Fig. 4, over any checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.exemplars import exemplars
from zfwidgets.analysis.shared_images import SharedImages
from zfwidgets.analysis.stream import Images, find, prepared
from zfwidgets.analysis.strongest import Exemplars
from zfwidgets.deconv import DeconvNet, Neurons, Projections
from zfwidgets.deconv.checkpoints import Checkpoints

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MOST = 8
"""Channels that are drawn unless others are asked for."""
AT_ONCE = 32
"""Pictures whose switches are held at the same time while neurons are projected."""


@dataclass(frozen=True, slots=True, eq=False)
class Evolution:
    """Per checkpoint and channel the strongest activation over all pictures, and its projection.

    net, layer: their names. unit, steps: T checkpoints, earliest first. channels: C of them.
    ids: the pictures that are named below. scanned: how many were seen. value: Tensor [T, C], the
    highest activation. image, row, col: LongTensor [T, C], where it is; image counts in `ids`.
    top: LongTensor [T, C, k], the k strongest pictures, -1 where fewer were seen. similarity:
    Tensor [T, C], cosine of a filter with that of the last checkpoint, NaN for layers without
    filters. projections: one per checkpoint, neuron c that of channels[c]. patches: uint8
    [T, C, h, w, 3], what these neurons saw, grey outside of the picture.

    An activation that is 0 has no picture of its own: the first in order of the ids stands there.
    """

    net: str
    layer: str
    unit: str
    steps: tuple[int, ...]
    channels: tuple[int, ...]
    ids: tuple[str, ...]
    scanned: int
    value: Tensor
    image: Tensor
    row: Tensor
    col: Tensor
    top: Tensor
    similarity: Tensor
    projections: tuple[Projections, ...]
    patches: np.ndarray[Any, np.dtype[np.uint8]]

    def __repr__(self) -> str:
        return (
            f"Evolution({self.net}, {self.layer}: {len(self.channels)} channels at "
            f"{len(self.steps)} checkpoints, {self.scanned} images)"
        )

    @property
    def jumps(self) -> Tensor:
        """Where the strongest picture is another than at the checkpoint before: bool [T, C].

        What Fig. 4 shows as sudden jumps. False at the first checkpoint, and where a channel is
        silent before or after.
        """
        alive = self.value > 0
        jumped = torch.zeros_like(alive)
        jumped[1:] = (self.image[1:] != self.image[:-1]) & alive[1:] & alive[:-1]
        return jumped

    @property
    def overlap(self) -> Tensor:
        """Stability of the exemplars: Jaccard index of the k strongest pictures, [T, C].

        Of each checkpoint with the one before: 1 the same pictures, 0 all others. NaN at the first.
        """
        same = self.top[1:, :, :, None] == self.top[:-1, :, None, :]
        shared = (same & (self.top[1:, :, :, None] >= 0)).sum((2, 3))
        seen = (self.top >= 0).sum(2)
        union = seen[1:] + seen[:-1] - shared
        found = torch.full(self.value.shape, float("nan"))
        found[1:] = shared / union.clamp_min(1)
        return found

    @property
    def chance(self) -> float:
        """The overlap that two draws of k pictures at random out of all of them have."""
        k = self.top.shape[2]
        drawn = min(k, self.scanned)
        # Mean of s / (2k - s), s hypergeometric: how many are in both draws.
        return _chance(drawn, self.scanned)

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per checkpoint and channel."""
        import pandas as pd

        steps = torch.tensor(self.steps)[:, None].expand_as(self.image)
        channels = torch.tensor(self.channels)[None].expand_as(self.image)
        names = [self.ids[i] if i >= 0 else None for i in self.image.flatten().tolist()]
        columns: dict[str, Any] = {
            self.unit: steps.flatten().tolist(),
            "channel": channels.flatten().tolist(),
            "value": self.value.flatten().tolist(),
            "image": names,
        }
        for name in ("row", "col", "jumps", "overlap", "similarity"):
            columns[name] = getattr(self, name).flatten().tolist()
        return pd.DataFrame(columns).rename(columns={"jumps": "jumped"})

    def summary(self) -> pd.DataFrame:
        """A pandas table, one row per checkpoint: how settled the layer is.

        jumped: share of channels whose strongest picture changed. overlap: mean Jaccard index of
        the k strongest pictures with the checkpoint before. similarity: mean cosine of the filters
        with the final ones. silent: share of channels that no picture excites.
        """
        import pandas as pd

        jumped = self.jumps.float().mean(1)
        jumped[0] = float("nan")
        rows = {
            "jumped": jumped,
            "overlap": self.overlap.nanmean(1),
            "similarity": self.similarity.nanmean(1),
            "silent": (self.value <= 0).float().mean(1),
        }
        table = pd.DataFrame({name: row.tolist() for name, row in rows.items()}, index=self.steps)
        return table.rename_axis(self.unit)

    def plot(self, channels: Sequence[int] | None = None, patches: bool = False) -> Figure:
        """Fig. 4: a row per channel, a column per checkpoint; a mark where the picture changed.

        channels: some of `channels`, by default the first 8. patches: what the neurons saw,
        instead of their projections.
        """
        from zfwidgets.analysis.plot.evolution import plot_evolution

        shown = list(self.channels[:MOST] if channels is None else channels)
        missing = [channel for channel in shown if channel not in self.channels]
        if missing or not shown:
            raise ValueError(
                f"plot(channels={shown}): expected some of the channels that were looked at, "
                f"{', '.join(map(str, self.channels[:12]))}."
            )
        rows = [self.channels.index(channel) for channel in shown]
        if patches:
            tiles = [column[rows] for column in self.patches]
        else:
            tiles = [projections[rows].to_images() for projections in self.projections]
        what = "what they saw" if patches else "projected"
        return plot_evolution(
            tiles,
            shown,
            self.steps,
            jumped=self.jumps[:, rows],
            silent=self.value[:, rows] <= 0,
            title=f"{self.net}, {self.layer}: strongest of {self.scanned} images per channel, "
            f"{what}\ncolumns: {self.unit}; orange edge: another image than before",
        )

    def plot_stability(self) -> Figure:
        """How settled the layer is at each checkpoint: the columns of `summary`."""
        from zfwidgets.analysis.plot.evolution import plot_stability

        title = f"{self.net}, {self.layer}, {len(self.channels)} channels"
        return plot_stability(self.summary(), self.top.shape[2], self.chance, title)


@torch.no_grad()
def evolution(
    checkpoints: Checkpoints,
    images: Images,
    layer: str,
    channels: Sequence[int] | None = None,
    k: int = 9,
    *,
    batch: int = 32,
    progress: bool = True,
    should_stop: Callable[[], bool] | None = None,
) -> Evolution:
    """How the features of a layer come about (section 4.1, Fig. 4).

    At every checkpoint, per channel, the strongest activation over all pictures, projected back
    to pixels. The paper looks over its training pictures at epochs 1 to 64.

    images: a folder, a mapping from id to picture, any iterable; see `Images`. More than 256 are
    read anew at each checkpoint, so no iterator that runs dry then. channels: all by default;
    each costs a projection per checkpoint, which is kept. k: pictures per channel whose change
    `overlap` measures. should_stop: asked after each checkpoint; the ones done come back.

    Raises KeyError for a layer, IndexError for a channel that does not exist, ValueError if
    there are no images.
    """
    if not len(checkpoints):
        raise ValueError("evolution() got no checkpoints; expected one or more.")
    last = checkpoints[-1]
    images = SharedImages(images, batch).of(last)
    found: list[Column] = []
    asked: list[int] = []
    bar = tqdm(checkpoints.steps, desc=f"checkpoints, {layer}", disable=not progress)
    for step in bar:
        net = checkpoints.at(step)
        scan = exemplars(net, images, layer, k, batch=batch, progress=False)
        asked = asked or asked_channels(scan, channels)
        found.append(column(net, last, images, scan, asked))
        if should_stop is not None and should_stop():
            break
    return joined(checkpoints, asked, found)


@dataclass(frozen=True, slots=True)
class Column:
    """One checkpoint: its scan and, in the order of the channels asked for, the rest."""

    scan: Exemplars
    similarity: Tensor
    projections: Projections
    patches: np.ndarray[Any, np.dtype[np.uint8]]


def asked_channels(scan: Exemplars, channels: Sequence[int] | None) -> list[int]:
    """The channels as a list, all for None. Raises IndexError for one that the layer has not."""
    count = len(scan.value)
    asked = list(range(count)) if channels is None else [int(channel) for channel in channels]
    if not asked:
        raise ValueError("evolution() got no channels; expected one or more, or None for all.")
    for channel in asked:
        if not 0 <= channel < count:
            raise IndexError(
                f"channel {channel} of layer {scan.layer!r}: expected 0 to {count - 1}."
            )
    return asked


def column(
    net: DeconvNet, last: DeconvNet, images: Images, scan: Exemplars, asked: list[int]
) -> Column:
    """What there is to know of one checkpoint; last: the network that its filters end as."""
    projections, patches = projected(net, images, scan, asked)
    return Column(scan, _similarity(net, last, scan.layer, asked), projections, patches)


def projected(
    net: DeconvNet, images: Images, scan: Exemplars, asked: list[int]
) -> tuple[Projections, np.ndarray[Any, np.dtype[np.uint8]]]:
    """The strongest neuron of each channel, sent back, and what it saw.

    images: those that were scanned. Each is recorded once. patches: uint8 [N, h, w, 3].
    """
    chosen = torch.tensor(asked)
    image, row, col = (t[chosen, 0] for t in (scan.image, scan.row, scan.col))
    used = image.unique().tolist()
    parts, patches, order = [], [], []
    for first in range(0, len(used), AT_ONCE):
        some = used[first : first + AT_ONCE]
        names = [scan.ids[index] for index in some]
        recording = net.record(prepared(net, find(images, names)), upto=scan.layer)
        where = torch.isin(image, torch.tensor(some)).nonzero().flatten()
        neurons = recording.neurons(
            scan.layer,
            [some.index(index) for index in image[where].tolist()],
            chosen[where],
            row[where],
            col[where],
        )
        part = recording.project(neurons)
        parts.append(part)
        patches.append(_patches(recording.seen(), neurons, part.boxes))
        order.append(where)
    back = torch.cat(order).argsort()
    joined = Projections.joined(parts)[back]
    return joined, np.concatenate(patches)[back.numpy()]


def _patches(
    seen: np.ndarray[Any, np.dtype[np.uint8]], neurons: Neurons, boxes: Tensor
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What the network saw in each box: uint8 [N, h, w, 3], grey outside of the picture."""
    height, width = seen.shape[1:3]
    edges = boxes.tolist()
    tall, wide = edges[0][2] - edges[0][0], edges[0][3] - edges[0][1]
    found = np.full((len(edges), tall, wide, 3), 128, np.uint8)
    for patch, image, (top, left, bottom, right) in zip(
        found, neurons.image.tolist(), edges, strict=True
    ):
        rows = slice(max(top, 0), max(0, min(bottom, height)))
        cols = slice(max(left, 0), max(0, min(right, width)))
        patch[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left] = seen[
            image, rows, cols
        ]
    return found


def _similarity(net: DeconvNet, last: DeconvNet, layer: str, asked: list[int]) -> Tensor:
    """Cosine of the filters of two networks, [C]; NaN where the layer has no filters."""
    mine, theirs = filters_of(net, layer), filters_of(last, layer)
    if mine is None or theirs is None:
        return torch.full((len(asked),), float("nan"))
    return F.cosine_similarity(mine[asked].flatten(1), theirs[asked].flatten(1))


def filters_of(net: DeconvNet, layer: str) -> Tensor | None:
    """The layer's own weights [N, ...], in float32 on the CPU; None if it has none."""
    try:
        module = net.model.get_submodule(net.layers[layer].path)
    except AttributeError:
        return None
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor) or weight.ndim < 2:
        return None
    return weight.detach().float().cpu()


def joined(checkpoints: Checkpoints, asked: list[int], found: list[Column]) -> Evolution:
    """The first checkpoints' columns, with one list of ids for all."""
    ids = tuple(sorted({name for column in found for name in column.scan.ids}))
    place = {name: index for index, name in enumerate(ids)}
    tops = []
    for column in found:
        table = torch.tensor([*(place[name] for name in column.scan.ids), -1])
        tops.append(table[column.scan.image[asked]])
    first = {
        name: torch.stack([getattr(column.scan, name)[asked, 0] for column in found])
        for name in ("value", "row", "col")
    }
    top = torch.stack(tops)
    scan = found[-1].scan
    return Evolution(
        net=checkpoints.name,
        layer=scan.layer,
        unit=checkpoints.unit,
        steps=checkpoints.steps[: len(found)],
        channels=tuple(asked),
        ids=ids,
        scanned=scan.scanned,
        image=top[:, :, 0],
        top=top,
        similarity=torch.stack([column.similarity for column in found]),
        projections=tuple(column.projections for column in found),
        patches=np.stack([column.patches for column in found]),
        **first,
    )


def _chance(k: int, n: int) -> float:
    """Mean Jaccard index of two draws of k out of n."""
    if k < 1 or n < 1:
        return float("nan")
    shares = [
        comb(k, s) * comb(n - k, k - s) * s / (2 * k - s) for s in range(k + 1) if k - s <= n - k
    ]
    return sum(shares) / comb(n, k)
