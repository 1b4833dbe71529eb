"""The same channels at every checkpoint, with or without a picture (after deepViz)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from zfwidgets.analysis.evolution import filters_of
from zfwidgets.analysis.result import Result
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import contrast, heat
from zfwidgets.images.samples import Sample

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison(Result):
    """A matrix of networks x channels. nets: T names. channels: C of them.

    values: Tensor [T, C, h, w] with a picture, the rectified maps; without, [T, C, c, h, w], the
    filters, c planes each. tiles: uint8 [T, C, h, w, 3], as they are shown: maps as heat on one
    scale per channel, so that growth is seen; filters each on its own scale, of a layer that sees
    no colours their root mean square over its inputs.
    """

    nets: tuple[str, ...]
    layer: str
    channels: tuple[int, ...]
    applied: bool
    values: Tensor
    tiles: np.ndarray[Any, np.dtype[np.uint8]]

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per network and channel.

        rms, largest: of the values. similarity: cosine with the last network's.
        """
        import pandas as pd

        flat = self.values.flatten(2)
        cosine = torch.nn.functional.cosine_similarity(flat, flat[-1:], dim=2)
        rows = [
            {
                "net": net,
                "channel": channel,
                "rms": float(flat[t, c].square().mean().sqrt()),
                "largest": float(flat[t, c].max()),
                "similarity": float(cosine[t, c]),
            }
            for t, net in enumerate(self.nets)
            for c, channel in enumerate(self.channels)
        ]
        return pd.DataFrame(rows)

    def plot(self) -> Figure:
        """A row per channel, a column per network."""
        from zfwidgets.analysis.plot.comparison import plot_comparison

        what = "maps of one picture, a scale per channel" if self.applied else "filters"
        return plot_comparison(self.tiles, self.nets, self.channels, f"{self.layer}: {what}")


@torch.no_grad()
def compare_channels(
    nets: Iterable[DeconvNet],
    layer: str,
    channels: Sequence[int] | None = None,
    image: Any = None,
) -> Comparison:
    """The same channels of several networks or `Checkpoints`: their filters, or their maps.

    channels: by default 8, evenly spread. image: a picture; then the layer's maps of it are
    compared, else the layer's filters.

    Raises IndexError for a channel that does not exist, ValueError for a layer without filters.
    """
    names: list[str] = []
    found: list[Tensor] = []
    tiles: list[np.ndarray[Any, np.dtype[np.uint8]]] = []
    picture = image.path if isinstance(image, Sample) else image
    for net in nets:
        whole = _filters(net, layer) if picture is None else _maps(net, layer, picture)
        count = len(whole)
        asked = _spread(count) if channels is None else list(channels)
        for channel in asked:
            if not 0 <= channel < count:
                raise IndexError(
                    f"channel {channel} of layer {layer!r}: expected 0 to {count - 1}."
                )
        names.append(net.name)
        found.append(whole[asked])
        if picture is None:
            tiles.append(_drawn(net, whole[asked]))
    if not names:
        raise ValueError("compare_channels() got no networks; expected one or more.")
    values = torch.stack(found)
    shown = _heated(values) if picture is not None else np.stack(tiles)
    return Comparison(tuple(names), layer, tuple(asked), picture is not None, values, shown)


def _maps(net: DeconvNet, layer: str, picture: Any) -> Tensor:
    return net.record(picture, upto=layer).feature_maps(layer)[0].float().cpu().clone()


def _filters(net: DeconvNet, layer: str) -> Tensor:
    weights = filters_of(net, layer)
    if weights is None or weights.ndim != 4:
        raise ValueError(f"layer {layer!r} has no filters; give image= to compare its maps.")
    return weights


def _drawn(net: DeconvNet, weights: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    if weights.shape[1] in (1, 3):
        return contrast(net.to_rgb(weights.to(net.device)).cpu())[0]
    return heat(weights.square().mean(1).sqrt())


def _heated(values: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """One scale for the same channel of all networks: uint8 [T, C, h, w, 3]."""
    return np.stack([heat(values[:, c], share="all") for c in range(values.shape[1])], axis=1)


def _spread(count: int, most: int = 8) -> list[int]:
    shown = min(most, count)
    return [index * count // shown for index in range(shown)]
