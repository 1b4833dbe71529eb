"""Pictures that a network finds alike: clusters by features, over checkpoints (after deepViz).

Bruckner, Rosen and Sparks (deepViz, 2013) cluster pictures by class probabilities and show the
nearest to each centre at every checkpoint. Here any layer's features serve.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zfwidgets.analysis.arguments import NETWORKS, takes
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.shared_images import SharedImages, repeatable
from zfwidgets.analysis.similarity import responses
from zfwidgets.analysis.stream import Images, find, items, prepared
from zfwidgets.deconv import DeconvNet
from zfwidgets.images.tiles import resize

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

THUMB = 72
"""Side of the small pictures that are kept for figures."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Clusters(Result):
    """Clusters of N pictures at T checkpoints (or of T networks).

    nets, layer: their names. ids: of the pictures. label: LongTensor [T, N], the cluster of each;
    clusters are numbered by size, largest first. distance: Tensor [T, N], from its centre. inertia:
    Tensor [T], sum of their squares. thumbs: uint8 [N, h, w, 3], what the network saw.
    """

    nets: tuple[str, ...]
    layer: str
    k: int
    ids: tuple[str, ...]
    label: Tensor
    distance: Tensor
    inertia: Tensor
    thumbs: np.ndarray[Any, np.dtype[np.uint8]]

    def nearest(self, cluster: int, n: int = 9, at: int = -1) -> list[str]:
        """The pictures of a cluster, nearest to its centre first. at: which checkpoint."""
        if not 0 <= cluster < self.k:
            raise IndexError(f"cluster {cluster}: expected 0 to {self.k - 1}.")
        return [self.ids[index] for index in self._nearest(cluster, n, at)]

    def _nearest(self, cluster: int, n: int, at: int) -> list[int]:
        members = (self.label[at] == cluster).nonzero().flatten()
        order = self.distance[at][members].argsort(stable=True)
        return members[order][:n].tolist()

    @property
    def agreement(self) -> Tensor:
        """Adjusted Rand index of every two checkpoints, [T, T]: 1 the same clusters, 0 chance."""
        from sklearn.metrics import adjusted_rand_score

        return torch.tensor(
            [[adjusted_rand_score(a.numpy(), b.numpy()) for b in self.label] for a in self.label]
        )

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per checkpoint and picture."""
        import pandas as pd

        rows = [
            {"net": net, "image": name, "cluster": cluster, "distance": distance}
            for net, labels, distances in zip(
                self.nets, self.label.tolist(), self.distance.tolist(), strict=True
            )
            for name, cluster, distance in zip(self.ids, labels, distances, strict=True)
        ]
        return pd.DataFrame(rows)

    def plot(self, at: int = -1, n: int = 8) -> Figure:
        """A row per cluster: its n pictures nearest to the centre. at: which checkpoint."""
        from zfwidgets.analysis.plot.clusters import plot_clusters

        sizes = self.label[at].bincount(minlength=self.k).tolist()
        nearest = [self.thumbs[self._nearest(cluster, n, at)] for cluster in range(self.k)]
        title = f"{self.nets[at]}, {self.layer}: {self.k} clusters, number of pictures"
        return plot_clusters(nearest, sizes, title)

    def plot_agreement(self) -> Figure:
        """`agreement` as a picture with its numbers."""
        from zfwidgets.analysis.plot.clusters import plot_agreement

        title = f"{self.layer}: agreement of clusters (adjusted Rand)"
        return plot_agreement(self.agreement, self.nets, title)


@takes(nets=NETWORKS)
@torch.no_grad()
def clusters(
    nets: DeconvNet | Iterable[DeconvNet],
    images: Images,
    layer: str,
    k: int = 6,
    *,
    seed: int = 0,
    batch: int = 32,
) -> Clusters:
    """Clusters of pictures by their features in a layer (k-means of scikit-learn).

    A picture's features are the means of the rectified maps, as a vector of length 1, so that its
    contrast does not matter. nets: one, several, or `Checkpoints`. seed: of the starts, of
    which the best of 10 is taken.

    Raises ValueError for more clusters than pictures.
    """
    from sklearn.cluster import KMeans

    several = [nets] if isinstance(nets, DeconvNet) else nets
    images = repeatable(images)
    ids = [item.id for item in items(images)]
    if not 1 <= k <= len(ids):
        raise ValueError(f"k={k}: expected 1 to {len(ids)} clusters for {len(ids)} images.")
    names: list[str] = []
    labels, distances, inertia = [], [], []
    shared = SharedImages(images, batch)
    for net in several:
        pictures = shared.of(net)
        if not names:
            thumbs = _thumbs(net, pictures, ids)
        features = responses(net, pictures, [layer], batch=batch)[net.layers[layer].name]
        x = F.normalize(features, dim=1)
        fitted = KMeans(k, n_init=10, random_state=seed).fit(x.numpy())
        label = _by_size(torch.from_numpy(fitted.labels_.astype(np.int64)), k)
        names.append(net.name)
        labels.append(label)
        distances.append(torch.from_numpy(fitted.transform(x.numpy()).min(1)))
        inertia.append(float(fitted.inertia_))
    if not names:
        raise ValueError("clusters() got no networks; expected one or more.")
    return Clusters(
        tuple(names),
        layer,
        k,
        tuple(ids),
        torch.stack(labels),
        torch.stack(distances).float(),
        torch.tensor(inertia),
        thumbs,
    )


def _by_size(label: Tensor, k: int) -> Tensor:
    """Clusters numbered by size, equal ones by their first member: no number is left to chance."""
    first = [int((label == one).nonzero()[0]) if (label == one).any() else 0 for one in range(k)]
    size = torch.bincount(label, minlength=k).tolist()
    order = sorted(range(k), key=lambda one: (-size[one], first[one]))
    rank = torch.empty(k, dtype=torch.long)
    rank[torch.tensor(order)] = torch.arange(k)
    return rank[label]


def _thumbs(
    net: DeconvNet, images: Images, ids: list[str], at_once: int = 64
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    parts = []
    for first in range(0, len(ids), at_once):
        seen = net.undo(prepared(net, find(images, ids[first : first + at_once])))
        parts.append(resize(seen, THUMB, THUMB))
    return np.concatenate(parts)
