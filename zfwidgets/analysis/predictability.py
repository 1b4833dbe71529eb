"""Can it be predicted, by likeness to a channel's exemplars, which pictures excite it?

The question of Borowski et al. 2021 put to a machine: of two patches that one excites a channel
more, it says, which is more like the channel's nine strongest. What is alike is told by all other
channels of the layer at the same place. A channel of which even that cannot tell asks for more than
the look of its exemplars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.arguments import NETWORK, takes
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.stream import Images, find, prepared
from zfwidgets.analysis.strongest import Exemplars
from zfwidgets.deconv import DeconvNet

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 9


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Predictability(Result):
    """How often likeness to its exemplars tells what excites a channel.

    score: Tensor [C], the share of pairs of patches that are told right, 0.5 by chance; NaN for a
    channel with too few exemplars. pairs: LongTensor [C], how many were tried.
    """

    net: str
    layer: str
    score: Tensor
    pairs: Tensor

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per channel, those that can be predicted best first."""
        import pandas as pd

        table = pd.DataFrame({"predicted": self.score.tolist(), "pairs": self.pairs.tolist()})
        table.index.name = "channel"
        return table.sort_values("predicted", ascending=False, kind="stable")


@takes(net=NETWORK)
@torch.no_grad()
def predictability(
    net: DeconvNet,
    layer: str,
    exemplars: Exemplars | None = None,
    images: Images | None = None,
    *,
    others: int = 100,
    seed: int = 0,
    batch: int = 16,
    progress: bool = True,
) -> Predictability:
    """How well can it be predicted which patches excite each channel of a layer?

    From each channel's nine strongest patches a mean is made, of all *other* channels of the layer
    at their places, each patch of length 1. Each further exemplar of the channel is held against
    `others` patches that excite other channels, in pictures that are not among its strongest: which
    of the two is more like the mean, by cosine? The channel itself takes no part.

    exemplars, images: a scan with more than nine pictures a channel, and what was scanned; by
    default those that ship and the gallery. batch: pictures at once, one forward pass each.

    Raises ValueError for exemplars of another network or layer, or with nine pictures or fewer a
    channel; KeyError for a layer that was not scanned.
    """
    if exemplars is None or images is None:
        from zfwidgets.analysis.shipped import K, exemplars_that_ship
        from zfwidgets.images.gallery import gallery

        shipped = exemplars_that_ship(net, K)
        if layer not in shipped:
            raise KeyError(f"{layer!r} was not scanned; there are {', '.join(shipped)}.")
        exemplars, images = shipped[layer], gallery()
    exemplars.check(net)
    if exemplars.layer != layer or exemplars.k <= _SHOWN:
        raise ValueError(
            f"got {exemplars}; expected exemplars of {layer!r}, more than {_SHOWN} a channel."
        )
    if others < 1:
        raise ValueError(f"others={others}: expected 1 or more patches to hold against.")
    features = _features(net, layer, exemplars, images, batch, progress=progress)
    lot = torch.Generator().manual_seed(seed)
    found = [_score(features, exemplars, channel, others, lot) for channel in range(len(features))]
    score, pairs = zip(*found, strict=True)
    return Predictability(net.name, layer, torch.tensor(score), torch.tensor(pairs))


def _features(
    net: DeconvNet,
    layer: str,
    exemplars: Exemplars,
    images: Images,
    batch: int,
    *,
    progress: bool,
) -> Tensor:
    """All channels at the place of each exemplar: [C, k, C]; zero where there is none."""
    channels, k = exemplars.value.shape
    features = torch.zeros(channels, k, channels)
    names = exemplars.ids
    for first in tqdm(range(0, len(names), batch), desc=layer, disable=not progress):
        some = names[first : first + batch]
        recording = net.record(prepared(net, find(images, some)), upto=layer)
        maps = recording.feature_maps(layer).float().cpu()
        here = (exemplars.image >= first) & (exemplars.image < first + len(some))
        at = exemplars.image[here] - first
        features[here] = maps[at, :, exemplars.row[here].long(), exemplars.col[here].long()]
    return features


def _score(
    features: Tensor, exemplars: Exemplars, channel: int, others: int, lot: torch.Generator
) -> tuple[float, int]:
    mine = exemplars.value[channel] > 0
    if int(mine.sum()) <= _SHOWN:
        return float("nan"), 0
    strange = (exemplars.value > 0) & ~torch.isin(exemplars.image, exemplars.image[channel])
    places = strange.flatten().nonzero().flatten()
    if not len(places):
        return float("nan"), 0
    drawn = places[torch.randperm(len(places), generator=lot)[:others]]
    own = _unit(features[channel][mine], channel)
    wrong = _unit(features.flatten(0, 1)[drawn], channel)
    mean = own[:_SHOWN].mean(0)
    right, alike = own[_SHOWN:] @ mean, wrong @ mean
    margin = right[:, None] - alike[None]
    told = (margin > 0).float() + 0.5 * (margin == 0)
    return float(told.mean()), told.numel()


def _unit(vectors: Tensor, channel: int) -> Tensor:
    """Without the channel itself, of length 1."""
    without = vectors.clone()
    without[:, channel] = 0
    return F.normalize(without, dim=1)
