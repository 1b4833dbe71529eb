"""How much each layer knows of a task it was not trained for (sections 5.2 and 5.3, Tables 4 to 7).

Features are kept as they are; a linear classifier on top is all that learns. Where it does well,
the classes are easy to tell apart in that layer. The same on untrained networks is the control:
random convolutions alone are good features already, and a small task may be solved on pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from zfwidgets.analysis.arguments import NETWORK, check_finite, layer_names, takes
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.stream import Images, batches
from zfwidgets.analysis.untrained import untrained
from zfwidgets.deconv import DeconvNet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float32]
Classifier = Literal["logistic", "svm"]


@dataclass(frozen=True, slots=True, repr=False)
class LinearProbe(Result):
    """Accuracies on held-out pictures, for L layers and R runs (seeds times folds).

    accuracy: Tensor [L, R] of the network; control: Tensor [L, R] of the same architecture with
    random weights, None if it was not asked for. The first layer is "pixels", the prepared input.
    chance: share of the largest class. classes: names in order. images: how many. features: how
    many numbers per picture each layer gave.
    """

    layers: tuple[str, ...]
    accuracy: Tensor
    control: Tensor | None
    chance: float
    classes: tuple[str, ...]
    images: int
    features: tuple[int, ...]
    folds: int

    def interval(self, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, and 95 % of it downwards and upwards: three Tensors [L].

        The runs of one seed test each picture once; the interval is Wilson's for that many pictures
        and the mean accuracy, so that more seeds do not make it narrower than the data allow.
        """
        mean, n, z = values.mean(1), self.images, 1.96
        centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
        half = z * (mean * (1 - mean) / n + z * z / (4 * n * n)).sqrt() / (1 + z * z / n)
        return mean, centre - half, centre + half

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per layer (needs pandas)."""
        import pandas as pd

        mean, low, high = self.interval(self.accuracy)
        columns: dict[str, Any] = {
            "layer": self.layers,
            "features": self.features,
            "accuracy": mean.tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
        }
        if self.control is not None:
            columns["untrained"] = self.control.mean(1).tolist()
        return pd.DataFrame(columns)

    def plot(self) -> Figure:
        """Accuracy against depth, with the untrained network and chance."""
        from zfwidgets.analysis.plot.probe import plot_probe

        untrained = None if self.control is None else self.interval(self.control)
        title = f"{len(self.classes)} classes, {self.images} pictures"
        return plot_probe(self.layers, self.interval(self.accuracy), untrained, self.chance, title)


@takes(net=NETWORK)
def linear_probe(
    net: DeconvNet,
    images: Images,
    labels: Iterable[Hashable] | None = None,
    *,
    layers: Sequence[str] | None = None,
    pool: int = 4,
    folds: int = 5,
    seeds: Sequence[int] = (0, 1),
    classifier: Classifier = "logistic",
    control: bool | DeconvNet = True,
    batch: int = 64,
    progress: bool = True,
) -> LinearProbe:
    """Accuracy of a linear classifier on the features of each layer, by cross-validation.

    images, labels: a labelled dataset, images with labels, or a folder with one sub-folder per
    class. layers: by default all convolutions and fully connected layers but the scores. pool: maps
    are averaged to at most pool x pool places, so that layers are compared on similar terms; 0
    keeps them whole. folds: of a stratified split, each with the given seeds. Features are
    standardised on the training part alone. classifier: "logistic" regression or linear "svm".
    control: another network to compare with, or True: the same one with random weights, see
    `untrained`.

    Pictures that belong together (frames, crops of one photo) leak between the folds; split such
    data yourself. Raises ValueError without labels, for fewer pictures of a class than folds, or
    for a network with NaN or infinite values.
    """
    if classifier not in ("logistic", "svm") or folds < 2 or not seeds:
        raise ValueError(
            f"classifier={classifier!r}, folds={folds}, seeds={list(seeds)}: expected "
            '"logistic" or "svm", 2 folds or more, and a seed.'
        )
    labels = _folder_labels(images) if labels is None else labels
    known = None if labels is None else list(labels)
    chosen = _layers(net) if layers is None else layer_names(layers)
    features, names = _features(net, images, known, chosen, pool, batch, progress)
    classes, codes = np.unique(names, return_inverse=True)
    fewest = int(np.bincount(codes).min())
    if len(classes) < 2 or fewest < folds:
        raise ValueError(
            f"{len(classes)} classes, {fewest} pictures of the smallest: expected 2 classes and "
            f"{folds} pictures of each, as many as folds."
        )
    other = None
    if control is not False:
        rival = untrained(net) if control is True else control
        other, _ = _features(rival, images, known, chosen, pool, batch, progress)

    def scores(table: list[Array]) -> Tensor:
        return torch.tensor([_scores(x, codes, folds, seeds, classifier) for x in table])

    return LinearProbe(
        layers=("pixels", *chosen),
        accuracy=scores(features),
        control=None if other is None else scores(other),
        chance=float(np.bincount(codes).max() / len(codes)),
        classes=tuple(classes.tolist()),
        images=len(codes),
        features=tuple(x.shape[1] for x in features),
        folds=folds,
    )


def _layers(net: DeconvNet) -> tuple[str, ...]:
    found = [layer.name for layer in net.layers.values() if layer.kind in ("conv", "linear")]
    last = list(net.layers.values())[-1]
    return tuple(name for name in found if last.kind != "linear" or name != last.name)


def _features(
    net: DeconvNet,
    images: Images,
    labels: list[Hashable] | None,
    layers: tuple[str, ...],
    pool: int,
    batch: int,
    progress: bool,
) -> tuple[list[Array], list[str]]:
    """Features [N, D] of the pixels and of each layer, and the pictures' classes."""
    rows: list[list[Array]] = [[] for _ in range(len(layers) + 1)]
    names: list[str] = []
    deepest = net.layers.last_of(layers) if layers else None
    for part in batches(net, images, batch, labels, progress):
        seen = net.record(part.inputs, upto=deepest)
        rows[0].append(_pooled(part.inputs, max(pool, 1) * 4 if pool else 0))
        for kept, layer in zip(rows[1:], layers, strict=True):
            maps = seen.feature_maps(layer)
            check_finite(maps, layer, f"pictures {len(names)} to {len(names) + len(maps) - 1}")
            kept.append(_pooled(maps, pool))
        names += [str(label) for label in part.labels if label is not None]
    count = sum(len(each) for each in rows[0])
    if len(names) != count or not count:
        raise ValueError(
            f"{len(names)} labels for {count} pictures; expected one each: give labels, a dataset "
            "with labels, or a folder with one sub-folder per class."
        )
    return [np.concatenate(kept) for kept in rows], names


def _pooled(maps: Tensor, pool: int) -> Array:
    maps = maps.float()
    if pool:
        height, width = (min(pool, side) for side in maps.shape[2:])
        maps = F.adaptive_avg_pool2d(maps, (height, width))
    flat: Array = maps.flatten(1).cpu().numpy()
    return flat


def _scores(
    features: Array,
    codes: npt.NDArray[Any],
    folds: int,
    seeds: Sequence[int],
    classifier: Classifier,
) -> list[float]:
    """Accuracy on each held-out fold of each seed."""
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    found: list[float] = []
    for seed in seeds:
        model = (
            LogisticRegression(C=0.01, max_iter=300)
            if classifier == "logistic"
            else LinearSVC(C=0.01, random_state=seed)
        )
        split = StratifiedKFold(folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            # Nearly there is near enough: the accuracy does not change in the last digits.
            warnings.simplefilter("ignore", ConvergenceWarning)
            steps = [StandardScaler(), model]
            if features.shape[1] > len(codes):
                # A rotation into the space that the pictures span changes nothing but the time:
                # the penalty of both classifiers is a length.
                steps.insert(1, PCA(svd_solver="full"))
            pipeline = make_pipeline(*steps)
            found += cross_val_score(pipeline, features, codes, cv=split).tolist()
    return found


def _folder_labels(images: Images) -> list[Hashable] | None:
    """The names of the sub-folders that pictures lie in; None if it is no folder."""
    from zfwidgets.analysis.stream import items

    if not isinstance(images, str | Path):
        return None
    return [Path(item.id).parts[0] if "/" in item.id else "" for item in items(images)]
