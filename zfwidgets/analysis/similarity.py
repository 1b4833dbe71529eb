"""How alike layers are, of one network, of two, or of one network at several checkpoints.

A response is the mean of a channel's rectified map over one cell of a grid laid over the picture,
so that layers of any size can be compared place by place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from zfwidgets.analysis.arguments import NETWORK, NETWORKS, layer_names, takes
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.shared_images import SharedImages
from zfwidgets.analysis.stream import Images, batches, no_images
from zfwidgets.deconv import DeconvNet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def cka(x: Tensor, y: Tensor) -> float:
    """Linear centred kernel alignment of responses [n, p] and [n, q] of the same n examples.

    1 for the same responses up to rotation and one scale, near 0 for independent ones. The
    unbiased estimator (Song et al. 2012, eq. 5; Kornblith et al. 2019), without which few examples
    of many channels look alike whatever they are; it can be slightly below 0. NaN if one of
    the two never changes. Raises ValueError for fewer than 4 examples.
    """
    if len(x) != len(y):
        raise ValueError(f"cka() got {len(x)} and {len(y)} examples; expected equally many.")
    return float(_alike([_Rows.of(x), _Rows.of(y)])[0, 1])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Similarity(Result):
    """`cka` of every two sites. sites: (network, layer), S of them. matrix: Tensor [S, S]."""

    sites: tuple[tuple[str, str], ...]
    matrix: Tensor
    examples: int

    @property
    def labels(self) -> list[str]:
        """The sites in a word or two: what they share is left out."""
        nets, layers = ({site[part] for site in self.sites} for part in (0, 1))
        if len(nets) == 1:
            return [layer for _, layer in self.sites]
        if len(layers) == 1:
            return [net for net, _ in self.sites]
        return [f"{net} {layer}" for net, layer in self.sites]

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, sites by sites."""
        import pandas as pd

        index = pd.MultiIndex.from_tuples(self.sites, names=["net", "layer"])
        return pd.DataFrame(self.matrix.numpy(), index=index, columns=index)

    def plot(self) -> Figure:
        """The matrix as a picture with its numbers."""
        from zfwidgets.analysis.plot.similarity import plot_similarity

        nets, layers = ({site[part] for site in self.sites} for part in (0, 1))
        shared = next((next(iter(one)) for one in (layers, nets) if len(one) == 1), "")
        about = f"{shared}: " if shared else ""
        title = f"{about}linear CKA, {self.examples:,} examples"
        return plot_similarity(self.matrix, self.labels, title)


@takes(nets=NETWORKS)
@torch.no_grad()
def similarity(
    nets: DeconvNet | Iterable[DeconvNet],
    images: Images,
    layers: str | Sequence[str],
    *,
    grid: int = 4,
    batch: int = 32,
) -> Similarity:
    """How alike layers respond: `cka` of every layer of every network with every other.

    nets: one, several, or `Checkpoints`. images: the same for all. grid: rows and columns of cells;
    examples are images x grid x grid. Cells of one photo are no independent examples, so the
    numbers describe these images and do not come with an error.
    """
    names = layer_names(layers)
    several = [nets] if isinstance(nets, DeconvNet) else nets
    sites: list[tuple[str, str]] = []
    found: list[Tensor] = []
    shared = SharedImages(images, batch)
    for net in several:
        for layer, rows in responses(net, shared.of(net), names, grid, batch).items():
            sites.append((net.name, layer))
            found.append(rows)
    if not found:
        raise ValueError("similarity() got no networks or no layers; expected one or more.")
    return Similarity(
        tuple(sites), _alike([_Rows.of(rows) for rows in found]).float(), len(found[0])
    )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Matches(Result):
    """For each channel of one layer the channel of another that responds most like it.

    match: LongTensor [C], the other channel. correlation: Tensor [C], Pearson's, of the two;
    NaN and -1 for a channel that never changes. mutual: bool [C], whether it is the other's best
    as well. matrix: Tensor [C, D], all correlations.
    """

    first: tuple[str, str]
    second: tuple[str, str]
    match: Tensor
    correlation: Tensor
    mutual: Tensor
    matrix: Tensor

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per channel."""
        import pandas as pd

        columns = {
            name: getattr(self, name).tolist() for name in ("match", "correlation", "mutual")
        }
        return pd.DataFrame(columns).rename_axis("channel")

    def plot(self) -> Figure:
        """How well the channels are matched."""
        from zfwidgets.analysis.plot.similarity import plot_matches

        first, second = (" ".join(site) for site in (self.first, self.second))
        mutual = f"{int(self.mutual.sum())} of {len(self.mutual)} mutual"
        return plot_matches(self.correlation, self.matrix, f"{first} in {second}; {mutual}")


@takes(first=NETWORK, second=NETWORK)
@torch.no_grad()
def best_match(
    first: DeconvNet,
    second: DeconvNet,
    images: Images,
    layer: str,
    other: str | None = None,
    *,
    grid: int = 4,
    batch: int = 32,
) -> Matches:
    """Which channel of the second network responds most like each channel of the first.

    Follows a feature through training or from one architecture to another, whatever its number.
    layer, other: of the first and of the second network; the same unless told. grid, batch: see
    `similarity`. With few responses some channel always fits well by chance.
    """
    shared = SharedImages(images, batch)
    (name, x), (also, y) = (
        next(iter(responses(net, shared.of(net), [one], grid, batch).items()))
        for net, one in ((first, layer), (second, other or layer))
    )
    matrix = _unit(x).T @ _unit(y)
    silent = (_unit(x).norm(dim=0) == 0)[:, None] | (_unit(y).norm(dim=0) == 0)[None]
    score = matrix.masked_fill(silent, -torch.inf)
    best, match = score.max(1)
    back = score.argmax(0)
    known = best.isfinite()
    return Matches(
        (first.name, name),
        (second.name, also),
        match.where(known, -1),
        best.where(known, float("nan")).float(),
        known & (back[match] == torch.arange(len(match))),
        matrix.masked_fill(silent, float("nan")).float(),
    )


def responses(
    net: DeconvNet, images: Images, layers: Sequence[str], grid: int = 1, batch: int = 32
) -> dict[str, Tensor]:
    """Per layer the responses [images * cells, C], float64 on the CPU, picture by picture."""
    if grid < 1:
        raise ValueError(f"grid={grid}: expected 1 or more cells a side.")
    deepest = net.layers.last_of(layers)
    found: dict[str, list[Tensor]] = {net.layers[name].name: [] for name in layers}
    for part in batches(net, images, batch, progress=False):
        recording = net.record(part.inputs, upto=deepest)
        for name, rows in found.items():
            maps = recording.feature_maps(name)
            side = min(grid, *maps.shape[2:])
            cells = F.interpolate(F.adaptive_avg_pool2d(maps, side), (grid, grid))
            rows.append(cells.flatten(2).transpose(1, 2).flatten(0, 1).double().cpu())
    if not all(found.values()):
        raise no_images("responses()", images)
    return {name: torch.cat(rows) for name, rows in found.items()}


def _centred(x: Tensor) -> Tensor:
    x = x.double()
    return x - x.mean(0)


def _unit(x: Tensor) -> Tensor:
    """Columns of mean 0 and length 1; a column that never changes becomes 0."""
    centred = _centred(x)
    length = centred.norm(dim=0)
    still = length <= 1e-9 * x.abs().amax(0)
    return torch.where(still, 0.0, centred / length.clamp_min(1e-300))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Centred responses x [n, p]; of their kernel x x' the diagonal, and the sums without it."""

    x: Tensor
    diagonal: Tensor
    sums: Tensor

    @staticmethod
    def of(responses: Tensor) -> _Rows:
        if len(responses) < 4:
            raise ValueError(f"CKA of {len(responses)} examples; expected 4 or more.")
        x = _centred(responses)
        diagonal = x.square().sum(1)
        return _Rows(x, diagonal, x @ x.sum(0) - diagonal)


def _alike(parts: Sequence[_Rows]) -> Tensor:
    """Linear CKA of every two, [S, S]; NaN where one never changes."""
    found = torch.zeros(len(parts), len(parts), dtype=torch.float64)
    for row, a in enumerate(parts):
        for column, b in enumerate(parts[: row + 1]):
            found[row, column] = found[column, row] = _hsic(a, b)
    scale = found.diagonal()
    length = scale.where(scale > 0, float("nan")).sqrt()
    return found / length[:, None] / length


def _hsic(a: _Rows, b: _Rows) -> Tensor:
    """Unbiased HSIC of linear kernels, without ever making the n x n matrices.

    With K = x x' and L = y y', their diagonals set to 0: tr KL + (1'K1)(1'L1) / ((n-1)(n-2)) -
    2 / (n-2) 1'KL1, all over n (n-3).
    """
    n = len(a.x)
    trace = (a.x.T @ b.x).square().sum() - (a.diagonal * b.diagonal).sum()
    sums = a.sums.sum() * b.sums.sum() / ((n - 1) * (n - 2))
    return (trace + sums - 2 / (n - 2) * (a.sums * b.sums).sum()) / (n * (n - 3))
