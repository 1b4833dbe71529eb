"""What does a network decide without some of its channels? Over a set of pictures."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zfwidgets.analysis.arguments import NETWORK, takes
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.stream import Images, batches, no_images
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.deconv.neurons import Indices

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AblationStudy(Result):
    """Decisions on N pictures with all channels of a network, and without some.

    net, layer: their names. channels: LongTensor, those that were switched off; value: what stood
    in their place. ids: of the pictures. before, after: LongTensor [N], the most probable class.
    probability_before, probability_after: Tensor [N], of the class `before`. truth: LongTensor [N],
    the class that a picture's label names, -1 where there is none. categories: names of the
    classes, if known.
    """

    net: str
    layer: str
    channels: Tensor
    value: str
    ids: tuple[str, ...]
    before: Tensor
    after: Tensor
    probability_before: Tensor
    probability_after: Tensor
    truth: Tensor
    categories: tuple[str, ...] | None

    @property
    def changed(self) -> Tensor:
        """BoolTensor [N]: pictures that are decided otherwise."""
        return self.before != self.after

    @property
    def accuracy(self) -> tuple[float, float] | None:
        """Share of labelled pictures that are decided right, before and after; None without."""
        known = self.truth >= 0
        if not bool(known.any()):
            return None
        right = [
            float((answer == self.truth)[known].float().mean())
            for answer in (self.before, self.after)
        ]
        return right[0], right[1]

    def name(self, label: int) -> str:
        """The class in words, or its number."""
        return self.categories[label] if self.categories else str(label)

    def __str__(self) -> str:
        told = (
            f"{self.net} without {len(self.channels)} channels of {self.layer} ({self.value}): "
            f"{int(self.changed.sum())} of {len(self.ids)} decisions changed, probability of the "
            f"first decision {float(self.probability_before.mean()):.1%} -> "
            f"{float(self.probability_after.mean()):.1%}"
        )
        right = self.accuracy
        return told if right is None else f"{told}, accuracy {right[0]:.1%} -> {right[1]:.1%}"

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per class, those with most changed decisions first.

        The class is that of the labels; without labels, the decision with all channels.
        """
        import pandas as pd

        labelled = bool((self.truth >= 0).any())
        of = self.truth if labelled else self.before
        rows = []
        for label in of[of >= 0].unique().tolist():
            here = of == label
            row: dict[str, object] = {
                "class": self.name(label),
                "pictures": int(here.sum()),
                "changed": int(self.changed[here].sum()),
                "before": float(self.probability_before[here].mean()),
                "after": float(self.probability_after[here].mean()),
            }
            if labelled:
                row["right before"] = int((self.before == label)[here].sum())
                row["right after"] = int((self.after == label)[here].sum())
            rows.append(row)
        table = pd.DataFrame(rows).set_index("class")
        return table.sort_values(["changed", "pictures"], ascending=False, kind="stable")

    def plot(self, most: int = 20) -> Figure:
        """Probability before and after, class by class. most: how many classes."""
        from zfwidgets.analysis.plot.ablate import plot_ablation

        table = self.to_frame().head(most)
        names = [f"{name} ({n})" for name, n in zip(table.index, table["changed"], strict=True)]
        return plot_ablation(names, table["before"].tolist(), table["after"].tolist(), str(self))


@takes(net=NETWORK)
@torch.no_grad()
def ablate(
    net: DeconvNet,
    images: Images,
    layer: str,
    channels: Indices,
    *,
    value: str | float | Tensor | Recording = "zero",
    keep: bool = False,
    labels: Iterable[Hashable] | None = None,
    batch: int = 32,
    progress: bool = True,
) -> AblationStudy:
    """Switch channels of a layer off and see which decisions change, over a set of pictures.

    layer, channels, value, keep: see `Recording.ablate`; a value from another picture is that of
    one. labels: one per picture, by number or a name in `net.categories`; those that come with the
    pictures count otherwise, and labels that name no class count as none. batch: pictures at once.
    Two forward passes for each picture.

    Raises ValueError for a network without class outputs or if there are no images, KeyError for a
    layer, IndexError for a channel that does not exist.
    """
    names = {name: index for index, name in enumerate(net.categories or ())}
    ids: list[str] = []
    truth: list[int] = []
    numbers: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    off, said = torch.zeros(0, dtype=torch.long), ""
    for part in batches(net, images, batch, labels, progress):
        recording = net.record(part.inputs)
        logits = recording.logits
        if logits is None:
            raise ValueError(
                f"{net.name} gives no [B, classes] output; ablate() compares decisions. "
                "Recording.ablate() shows what later maps become."
            )
        found = recording.ablate(layer, channels, value, keep=keep)
        off, said = found.channels, found.value
        assert found.outputs is not None
        was, now = logits.float().softmax(1), found.outputs.float().softmax(1)
        chosen = was.argmax(1, keepdim=True)
        first = chosen[:, 0].cpu()
        p = [probability.gather(1, chosen)[:, 0].cpu() for probability in (was, now)]
        numbers.append((first, now.argmax(1).cpu(), p[0], p[1]))
        ids += part.ids
        truth += [_class(label, names, was.shape[1]) for label in part.labels]
    if not ids:
        raise no_images("ablate()", images)
    before, after, p_before, p_after = (torch.cat(each) for each in zip(*numbers, strict=True))
    return AblationStudy(
        net=net.name,
        layer=net.layers[layer].name,
        channels=off,
        value=said,
        ids=tuple(ids),
        before=before,
        after=after,
        probability_before=p_before,
        probability_after=p_after,
        truth=torch.tensor(truth),
        categories=tuple(net.categories) if net.categories else None,
    )


def _class(label: Hashable | None, names: dict[str, int], classes: int) -> int:
    if isinstance(label, str):
        return names.get(label, -1)
    return label if isinstance(label, int) and 0 <= label < classes else -1
