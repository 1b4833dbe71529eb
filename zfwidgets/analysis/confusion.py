"""What is taken for what: confusion matrices over labelled pictures, for several checkpoints.

After deepViz (Bruckner, Rosen & Sparks 2013), whose cells open the confused pictures.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from zfwidgets.analysis.arguments import NETWORKS, takes
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.shared_images import SharedImages, repeatable
from zfwidgets.analysis.similarity import responses
from zfwidgets.analysis.stream import Images, batches, items, no_images, pair, plain
from zfwidgets.deconv import DeconvNet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Confusion(Result):
    """Answers of T networks on N pictures, by class.

    nets: their names. by: how they answered. classes: names of the K classes, in order. truth:
    LongTensor [N], the class of each picture. answer: LongTensor [T, N]. ids: of the pictures.
    """

    nets: tuple[str, ...]
    by: str
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    truth: Tensor
    answer: Tensor

    @property
    def counts(self) -> Tensor:
        """LongTensor [T, K, K]: how many pictures of the row's class are taken for the column's."""
        k = len(self.classes)
        flat = self.truth[None] * k + self.answer
        return torch.stack([torch.bincount(row, minlength=k * k) for row in flat]).view(-1, k, k)

    @property
    def accuracy(self) -> Tensor:
        """Share of pictures whose answer is their class, [T]."""
        return (self.answer == self.truth).float().mean(1)

    def cell(self, truth: str, answer: str, at: int = -1) -> list[str]:
        """The pictures of one class that are taken for another. at: which network."""
        row, column = (self._index(name) for name in (truth, answer))
        chosen = (self.truth == row) & (self.answer[at] == column)
        return [self.ids[index] for index in chosen.nonzero().flatten().tolist()]

    def _index(self, name: str) -> int:
        if name not in self.classes:
            raise KeyError(f"no class {name!r}; there are {', '.join(self.classes)}.")
        return self.classes.index(name)

    def to_frame(self, at: int = -1) -> pd.DataFrame:
        """A pandas table of counts: rows are the classes, columns the answers of one network."""
        import pandas as pd

        return pd.DataFrame(
            self.counts[at].numpy(),
            index=pd.Index(self.classes, name="class"),
            columns=pd.Index(self.classes, name=f"answer of {self.nets[at]}"),
        )

    def plot(self, at: int | Sequence[int] | None = None) -> Figure:
        """The matrices as pictures, shares of each row's pictures. at: which networks; all."""
        from zfwidgets.analysis.plot.confusion import plot_confusion

        chosen = list(range(len(self.nets)) if at is None else [at] if isinstance(at, int) else at)
        titles = [f"{self.nets[i]}: {float(self.accuracy[i]):.0%} on the diagonal" for i in chosen]
        title = f"{len(self.ids)} pictures, by {self.by}"
        return plot_confusion(self.counts[chosen], self.classes, titles, title)


@takes(nets=NETWORKS)
@torch.no_grad()
def confusion(
    nets: DeconvNet | Iterable[DeconvNet],
    images: Images,
    labels: Iterable[Hashable] | None = None,
    *,
    layer: str | None = None,
    against: DeconvNet | None = None,
    batch: int = 32,
) -> Confusion:
    """What is taken for what, by one network, several, or `Checkpoints`.

    labels: the true class of each picture, in order, or labels that come with the pictures: numbers
    of outputs, or names in `net.categories`. Without, against: another network, whose answers
    count as truth; this is agreement, not accuracy.
    layer: answer by features instead of by outputs, for networks without a head: a picture belongs
    to the class whose other pictures' mean features in this layer point most nearly in its
    direction (each picture left out of its own class's mean). Labels may then be anything.

    Raises ValueError for labels that do not fit, or a network without class outputs.
    """
    several = [nets] if isinstance(nets, DeconvNet) else list(nets)
    if not several:
        raise ValueError("confusion() got no networks; expected one or more.")
    images = repeatable(images)
    ids, given = _labels(images, labels)
    shared = SharedImages(images, batch)
    wide = 0
    if against is not None:
        answered, wide = _outputs(against, shared, batch)
        given = list(answered)
    missing = [name for name, label in zip(ids, given, strict=True) if label is None]
    if missing:
        raise ValueError(
            f"image {missing[0]!r} has no label: give labels=, one per image, or against= a "
            "network whose answers count as truth."
        )
    if layer is not None:
        truth, classes = _classes(given)
        answers = [_by_features(net, shared, layer, truth, len(classes), batch) for net in several]
        names, by = [str(one) for one in classes], f"features of {layer}, leave one out"
    else:
        outputs, sizes = zip(*(_outputs(net, shared, batch) for net in several), strict=True)
        numbers = [_number(several[0], label, max(*sizes, wide)) for label in given]
        used = sorted({*numbers, *(answer for row in outputs for answer in row)})
        place = {number: index for index, number in enumerate(used)}
        truth = torch.tensor([place[number] for number in numbers])
        answers = [torch.tensor([place[answer] for answer in row]) for row in outputs]
        known = several[0].categories
        names = [known[number] if known and number < len(known) else str(number) for number in used]
        by = "outputs" if against is None else f"outputs, {against.name} taken as truth"
    return Confusion(
        tuple(net.name for net in several),
        by,
        tuple(names),
        tuple(ids),
        truth,
        torch.stack(answers),
    )


def _labels(
    images: Images, labels: Iterable[Hashable] | None
) -> tuple[list[str], list[Hashable | None]]:
    """Every picture's id and label; pictures are only loaded where the label comes with them."""
    listed = list(items(images))
    if not listed:
        raise no_images("confusion()", images)
    if labels is None:
        given = [pair(item.load())[1] for item in listed]
    else:
        given = [plain(label) for label in labels]
    if len(given) != len(listed):
        raise ValueError(f"got {len(given)} labels for {len(listed)} images; expected one each.")
    return [item.id for item in listed], given


def _classes(given: list[Hashable | None]) -> tuple[Tensor, list[Hashable]]:
    classes = [label for label in dict.fromkeys(given) if label is not None]
    place = {label: index for index, label in enumerate(classes)}
    return torch.tensor([place[label] for label in given if label is not None]), classes


def _number(net: DeconvNet, label: Hashable, outputs: int) -> int:
    if isinstance(label, int):
        if not 0 <= label < outputs:
            raise ValueError(
                f"label {label} is none of the {outputs} outputs of {net.name}; expected a number "
                f"from 0 to {outputs - 1}."
            )
        return label
    if isinstance(label, str) and label in (net.categories or ()):
        return (net.categories or []).index(label)
    raise ValueError(
        f"label {label!r}: expected the number of an output of {net.name} or a name in its "
        "categories; labels of any kind go with layer=, which compares features."
    )


def _outputs(net: DeconvNet, shared: SharedImages, batch: int) -> tuple[list[int], int]:
    """The answers, and of how many outputs."""
    found, size = list[int](), 0
    for part in batches(net, shared.of(net), batch, progress=False):
        logits = net.record(part.inputs).logits
        if logits is None:
            raise ValueError(
                f"{net.name} gives no class outputs; give layer= to answer by features."
            )
        found += logits.argmax(1).tolist()
        size = logits.shape[1]
    return found, size


def _by_features(
    net: DeconvNet, shared: SharedImages, layer: str, truth: Tensor, classes: int, batch: int
) -> Tensor:
    """The class of the nearest mean direction, each picture left out of its own class's: [N]."""
    counts = torch.bincount(truth, minlength=classes)
    if int(counts.min()) < 2:
        raise ValueError(
            "features are compared with the other pictures of each class; expected 2 or more "
            "pictures of every class."
        )
    features = responses(net, shared.of(net), [layer], batch=batch)[net.layers[layer].name]
    x = F.normalize(features, dim=1)
    sums = torch.zeros(classes, x.shape[1], dtype=x.dtype).index_add_(0, truth, x)
    scores = x @ F.normalize(sums, dim=1).T
    own = F.cosine_similarity(x, sums[truth] - x, dim=1)
    scores[torch.arange(len(x)), truth] = own
    return scores.argmax(1)
