"""Words for channels: what is over-represented among the pictures that excite them most.

Pictures with known classes, and a count: of the strongest pictures of a channel so many are birds,
where so many would be by lot. What stands out is named, and how sure that is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zfwidgets.analysis.arguments import EXEMPLARS, takes
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.stream import Images
from zfwidgets.analysis.strongest import Exemplars
from zfwidgets.analysis.vocabulary import LEVEL, TOP, Concept, Labels, Vocabulary
from zfwidgets.images import gallery

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class Concepts(Result):
    """What `concepts` found. net, layer: names. pictures: how many were scanned. tried: how many
    names were tried. channels: of each channel the names that stand out, surest first.
    """

    net: str
    layer: str
    pictures: int
    tried: int
    channels: dict[int, tuple[Concept, ...]]

    def __getitem__(self, channel: int) -> tuple[Concept, ...]:
        """The names of a channel; KeyError for one that was not asked for."""
        return self.channels[channel]

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per channel and name; channels without any are not in it."""
        import pandas as pd

        columns = ["channel", "name", "count", "of", "lift", "p"]
        rows = [
            (channel, one.name, one.count, one.of, one.lift, one.p)
            for channel, found in self.channels.items()
            for one in found
        ]
        return pd.DataFrame(rows, columns=columns).set_index(["channel", "name"])


@takes(found=EXEMPLARS)
def concepts(
    found: Exemplars,
    images: Images | None = None,
    labels: Labels | None = None,
    *,
    channels: Iterable[int] | None = None,
    top: int = TOP,
    level: float = LEVEL,
) -> Concepts:
    """What the strongest pictures of each channel have in common, by their known classes.

    found: a scan, best with 50 pictures a channel: `zf.exemplars("zfnet", layer="conv5", k=50)`.
    images: those that were scanned; default: `gallery()`, of which true classes and their families
    (dog, bird, vehicle, food, building, ...) are known. Of a folder the names of the folders within
    are the classes. labels: one per picture in order instead, each a name or number, or several.
    channels: which ones, all by default. top: of how many pictures of a channel; those that it does
    not answer to at all do not count. level: probability that a channel whose pictures are a draw
    by lot gets a name.

    Pictures drawn by lot without replacement follow the hypergeometric distribution, so that its
    tail is exact; it is multiplied by the number of names (Bonferroni), since the most striking of
    many is chosen. A second and third name are given only if they stand out among the pictures that
    the names before do not cover: "vehicle" is not said beside "car" for the same pictures.

    The idea of giving units the names of human concepts is that of Network Dissection (Bau et al.
    2017, "Network Dissection: Quantifying Interpretability of Deep Visual Representations", CVPR).
    They compare maps with segmentations, pixel by pixel; here only whole pictures have names. What
    a name does *not* mean: that the channel detects that thing (it may answer to grass, where cows
    stand); that it answers to all of them; that weaker pictures are alike; or that the network uses
    it for that class. No name means that these classes do not tell, not that the channel is noise:
    an edge has none.

    Raises ValueError if nothing is known of the pictures, or they are not those that were scanned;
    IndexError for a channel that there is not.
    """
    if top < 1 or not 0 < level < 1:
        raise ValueError(f"top={top}, level={level}: expected 1 or more, and a probability.")
    vocabulary = Vocabulary.of(found, gallery() if images is None else images, labels)
    asked = range(len(found.value)) if channels is None else channels
    answered = {channel: vocabulary.named(found, channel, top, level) for channel in asked}
    tried = int(vocabulary.members.shape[1])
    return Concepts(found.net, found.layer, len(vocabulary.members), tried, answered)
