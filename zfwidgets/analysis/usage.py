"""Are the features of a network used evenly, or are a few of them doing the work?

One pass over pictures. Per layer: which channels never fire, how unevenly the energy is spread over
the channels, how sparse the responses are, which filters are copies of another, and how much each
channel prefers one class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

import torch
from torch import Tensor, nn

from zfwidgets.analysis.arguments import NETWORK, takes, told
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.scanning.scanner import Scanner, UsageOptions
from zfwidgets.analysis.scanning.sums import Sums, treves_rolls
from zfwidgets.analysis.stream import Images
from zfwidgets.deconv import DeconvNet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Duplicate = tuple[int, int, float]


def gini(values: Tensor) -> float:
    """Gini coefficient of n values >= 0: 0 if all are equal, (n - 1) / n if one has everything.

    G = 2 sum(i x_i) / (n sum(x)) - (n + 1) / n, with x sorted upwards and i = 1 ... n
    (Gini 1912). NaN if the sum is zero.
    """
    ordered = values.double().sort()[0]
    n, total = len(ordered), ordered.sum()
    rank = torch.arange(1, n + 1, dtype=ordered.dtype, device=ordered.device)
    return float(2 * (rank * ordered).sum() / (n * total) - (n + 1) / n)


def entropy(values: Tensor) -> float:
    """Shannon entropy in nats of n values >= 0, taken as shares of their sum; NaN if it is zero.

    H = -sum(p_i ln p_i), p_i = x_i / sum(x).
    """
    shares = values.double() / values.double().sum()
    return float(-torch.special.xlogy(shares, shares).sum())


@dataclass(frozen=True, slots=True, repr=False)
class LayerUsage(Result):
    """How the channels of one layer are used. Tensors are [C], float64, on the CPU.

    layer: its name. max: highest activation of all. mean, energy: of the activation and of its
    square over all pictures and places. fires: share of pictures in which the channel is above the
    threshold anywhere. lifetime: `treves_rolls` of each channel over the pictures, where its
    response to one is its strongest activation there (negative ones count as 0). population: the
    same over the channels, one number per picture, averaged. duplicates: pairs of channels whose
    filters have a cosine above .95, with it. selectivity: (m_max - m_rest) / (m_max + m_rest),
    m_max the largest mean of a class, m_rest the mean of the other classes' means, of the mean over
    places of positive activations (Morcos et al. 2018); None without two classes. near: share of
    pictures below which a channel counts as near-dead.
    """

    layer: str
    max: Tensor
    mean: Tensor
    energy: Tensor
    fires: Tensor
    lifetime: Tensor
    population: float
    duplicates: tuple[Duplicate, ...]
    selectivity: Tensor | None
    near: float

    @property
    def channels(self) -> int:
        """How many there are."""
        return len(self.max)

    @property
    def dead(self) -> list[int]:
        """Channels that fire in no picture."""
        return _where((self.fires == 0) & self.energy.isfinite())

    @property
    def near_dead(self) -> list[int]:
        """Channels that fire in some picture, but in a smaller share of them than `near`."""
        return _where((self.fires > 0) & (self.fires < self.near))

    @property
    def broken(self) -> list[int]:
        """Channels with an activation that is infinite or no number."""
        return _where(~self.energy.isfinite())

    @property
    def gini(self) -> float:
        """Of the channels' energy: 0 spread evenly, near 1 skewed to a few. See `gini`."""
        return gini(self.energy)

    @property
    def evenness(self) -> float:
        """Entropy of the channels' energy by that of an even spread, H / ln C: 1 is even."""
        return entropy(self.energy) / math.log(self.channels) if self.channels > 1 else 1.0

    @property
    def effective(self) -> float:
        """exp(H) of the channels' energy: as many even channels would have this entropy."""
        return math.exp(entropy(self.energy))

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per channel (needs pandas)."""
        import pandas as pd

        columns = {
            name: getattr(self, name).tolist()
            for name in ("max", "mean", "energy", "fires", "lifetime")
        }
        if self.selectivity is not None:
            columns["selectivity"] = self.selectivity.tolist()
        return pd.DataFrame(columns).rename_axis("channel")

    def plot(self) -> Figure:
        """The energy of each channel, and in how many pictures it fires."""
        from zfwidgets.analysis.plot.usage import plot_layer

        title = (
            f"{self.layer}: {self.channels} channels, as many as {self.effective:.0f} even ones, "
            f"Gini {self.gini:.2f}"
        )
        return plot_layer(self.energy, self.fires, len(self.dead), title)


@dataclass(frozen=True, slots=True, repr=False)
class Usage(Result):
    """What `usage` found. net: its name. images: how many were seen. layers: by name, in order."""

    net: str
    images: int
    layers: dict[str, LayerUsage]

    def __getitem__(self, layer: str) -> LayerUsage:
        return self.layers[layer]

    def __str__(self) -> str:
        return self.report()

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per layer (needs pandas); `usage[layer].to_frame()`: channels."""
        import pandas as pd

        rows = [
            {
                "layer": one.layer,
                "channels": one.channels,
                "dead": len(one.dead),
                "near-dead": len(one.near_dead),
                "gini": one.gini,
                "evenness": one.evenness,
                "effective": one.effective,
                "lifetime": float(one.lifetime.nanmean()),
                "population": one.population,
                "duplicates": len(one.duplicates),
                "selectivity": _average(one.selectivity),
            }
            for one in self.layers.values()
        ]
        return pd.DataFrame(rows).set_index("layer")

    def plot(self) -> Figure:
        """The report card: skew, wasted channels and sparsity of every layer."""
        from zfwidgets.analysis.plot.usage import plot_usage

        layers = self.layers.values()
        wasted = {
            "dead": [len(one.dead) for one in layers],
            "near-dead": [len(one.near_dead) for one in layers],
            "duplicates": [len({other for _, other, _ in one.duplicates}) for one in layers],
        }
        title = f"{self.net}: how evenly the channels are used, {self.images} images"
        return plot_usage(self.to_frame(), [one.energy for one in layers], wasted, title)

    def report(self) -> str:
        """A report card as text, one line per layer, and what to look at below it."""
        heading = (
            f"{'layer':<12}{'channels':>9}{'dead':>6}{'near':>6}{'gini':>6}{'even':>6}"
            f"{'effective':>11}{'lifetime':>10}{'population':>12}{'duplicates':>12}"
        )
        lines = [f"{self.net}, {self.images} images", heading]
        remarks = []
        for one in self.layers.values():
            lines.append(
                f"{one.layer:<12}{one.channels:>9}{len(one.dead):>6}{len(one.near_dead):>6}"
                f"{one.gini:>6.2f}{one.evenness:>6.2f}{one.effective:>11.1f}"
                f"{float(one.lifetime.nanmean()):>10.2f}{one.population:>12.2f}"
                f"{len(one.duplicates):>12}"
            )
            for what in ("dead", "near_dead", "broken"):
                found = getattr(one, what)
                if found:
                    remarks.append(f"{one.layer}: {what.replace('_', '-')} {_listed(found)}")
            if one.duplicates:
                pairs = [f"{a}={b} ({cosine:.3f})" for a, b, cosine in one.duplicates]
                remarks.append(f"{one.layer}: duplicates {_listed(pairs)}")
        return "\n".join([*lines, *remarks])


@takes(net=NETWORK)
@told(UsageOptions, Scanner)
def usage(
    net: DeconvNet,
    images: Images,
    *,
    layers: Sequence[str] | None = None,
    near: float = 0.01,
    **options: Unpack[UsageOptions],
) -> Usage:
    """How evenly the channels of a network are used, in one streaming pass over pictures.

    images: a folder, or any iterable of pictures or (picture, label); see `Images`. layers: which
    ones; default: the convolutions and fully connected layers without the outputs, which are
    no features. near: share of pictures below which a channel is near-dead.

    options: threshold=0.0, activation above which a channel fires; labels, one per picture, for the
    class selectivity; batch=32, pictures at once; progress=True, a bar; checkpoint, ray: see
    `scan`, which finds the exemplars in the same pass.

    Raises ValueError if there are no images, KeyError for a layer that does not exist.
    """
    scanner = Scanner(net, images, layers, k=0, usage=True, **options)
    scanner.run()
    return usage_of(scanner, near)


def usage_of(scanner: Scanner, near: float) -> Usage:
    """What a scan knows so far."""
    assert scanner.state is not None
    layers = {
        name: _averages(name, sums, duplicates(scanner.net, name), near)
        for name, sums in scanner.state.sums().items()
    }
    return Usage(scanner.net.name, len(scanner.state.ids), layers)


def _averages(layer: str, sums: Sums, duplicates: tuple[Duplicate, ...], near: float) -> LayerUsage:
    assert sums.peak is not None
    totals = {name: total.cpu().double() for name, total in sums.totals.items()}
    n, (population, excited) = sums.images, totals["population"].tolist()
    return LayerUsage(
        layer=layer,
        max=sums.peak.cpu().double(),
        mean=totals["mean"] / n,
        energy=totals["energy"] / n,
        fires=totals["fires"] / n,
        lifetime=treves_rolls(totals["response"] / n, totals["square"] / n, n),
        population=population / excited if excited else float("nan"),
        duplicates=duplicates,
        selectivity=_selectivity(sums),
        near=near,
    )


def _selectivity(sums: Sums) -> Tensor | None:
    if len(sums.classes) < 2:
        return None
    means = torch.stack([total / count for total, count in sums.classes.values()])
    best = means.amax(0)
    rest = (means.sum(0) - best) / (len(means) - 1)
    return ((best - rest) / (best + rest)).cpu().double()


@torch.no_grad()
def duplicates(net: DeconvNet, layer: str, above: float = 0.95) -> tuple[Duplicate, ...]:
    """Pairs of channels whose filters point the same way: (channel, channel, cosine).

    The bias is left out. Of a grouped convolution only filters of one group are compared, others
    see other inputs. Empty for layers without a Conv2d or Linear module of their own.
    """
    try:
        module = net.model.get_submodule(net.layers[layer].path)
    except AttributeError:
        return ()
    if not isinstance(module, nn.Conv2d | nn.Linear):
        return ()
    groups = module.groups if isinstance(module, nn.Conv2d) else 1
    found: list[Duplicate] = []
    size = len(module.weight) // groups
    for group, filters in enumerate(module.weight.detach().flatten(1).float().split(size)):
        unit = nn.functional.normalize(filters, dim=1)
        cosine = (unit @ unit.T).triu(1)
        found += [
            (group * size + a, group * size + b, float(cosine[a, b]))
            for a, b in (cosine > above).nonzero().tolist()
        ]
    return tuple(found)


@takes(net=NETWORK)
def assert_healthy(
    net: DeconvNet,
    images: Images,
    *,
    max_dead: float = 0.05,
    max_duplicates: float | None = None,
    max_gini: float | None = None,
    layers: Sequence[str] | None = None,
    batch: int = 32,
    progress: bool = False,
) -> Usage:
    """Raise AssertionError, naming layers and channels, if a network wastes its channels.

    For tests of one's own training. max_dead: largest share of a layer's channels that may fire in
    no picture. max_duplicates: largest share of channels that may copy an earlier one. max_gini:
    of the energy. None: not asked. Activations that are infinite or no number always fail.
    Use enough pictures: a rare feature is silent in a few. Returns the `Usage` if all is well.
    """
    found = usage(net, images, layers=layers, batch=batch, progress=progress)
    faults = []
    for name, one in found.layers.items():
        copies = sorted({b for _, b, _ in one.duplicates})
        if one.broken:
            faults.append(f"{name}: channels {_listed(one.broken)} are infinite or no number")
        faults += _too_many(name, "dead", one.dead, one.channels, max_dead)
        faults += _too_many(name, "duplicates", copies, one.channels, max_duplicates)
        if max_gini is not None and one.gini > max_gini:
            strongest = one.energy.argsort(descending=True)[:5].tolist()
            faults.append(
                f"{name}: Gini of energy {one.gini:.2f} > {max_gini:.2f}, "
                f"most of it in channels {_listed(strongest)}"
            )
    if faults:
        raise AssertionError(
            f"{net.name} is not healthy on {found.images} images:\n  " + "\n  ".join(faults)
        )
    return found


def _too_many(
    layer: str, what: str, channels: list[int], of: int, limit: float | None
) -> list[str]:
    if limit is None or len(channels) <= limit * of:
        return []
    share = f"{len(channels) / of:.1%} > {limit:.1%}"
    return [f"{layer}: {len(channels)} of {of} channels {what} ({share}): {_listed(channels)}"]


def _where(mask: Tensor) -> list[int]:
    return mask.nonzero().flatten().tolist()


def _average(values: Tensor | None) -> float:
    return float("nan") if values is None else float(values.nanmean())


def _listed(members: Sequence[object], limit: int = 20) -> str:
    text = ", ".join(str(member) for member in members[:limit])
    return text + (f" and {len(members) - limit} more" if len(members) > limit else "")
