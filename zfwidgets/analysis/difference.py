"""Which channels answer otherwise? One network, two pictures: a photo before and after an edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zfwidgets.analysis.arguments import RECORDING, check_finite, layer_names, takes
from zfwidgets.analysis.result import Result
from zfwidgets.deconv import Recording

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LayerDifference(Result):
    """A layer's C channels on two pictures.

    before, after: Tensor [C], the strongest response on each. distance: Tensor [C], of the whole
    maps, 0 where they are alike to 1 where no place answers to both: ‖after - before‖ / (‖after‖ +
    ‖before‖); NaN where both are silent, or where the maps are of different sizes.
    """

    before: Tensor
    after: Tensor
    distance: Tensor

    @property
    def change(self) -> Tensor:
        """Tensor [C]: of the strongest response, after less before."""
        return self.after - self.before

    @property
    def share(self) -> Tensor:
        """Tensor [C]: the change as a share of the layer's strongest response to either picture.

        So that channels of several layers can be ordered together.
        """
        largest = torch.stack([self.before, self.after]).max()
        return self.change / largest if largest > 0 else torch.zeros_like(self.change)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Difference(Result):
    """What two pictures make of the same channels. layers: by name. classes: (label, probability
    before, after), the most probable before first; empty without a classifier."""

    layers: dict[str, LayerDifference]
    classes: tuple[tuple[str, float, float], ...]

    def most(self, k: int = 9, layer: str | None = None) -> list[tuple[str, int, float, float]]:
        """The k channels that changed most, as (layer, channel, before, after).

        layer: of one only; else of all, by `LayerDifference.share`.
        """
        names = [*self.layers] if layer is None else [layer]
        found = [
            (abs(share), name, channel)
            for name in names
            for channel, share in enumerate(self.layers[name].share.tolist())
        ]
        found.sort(key=lambda one: -one[0])
        return [
            (
                name,
                channel,
                float(self.layers[name].before[channel]),
                float(self.layers[name].after[channel]),
            )
            for _, name, channel in found[:k]
        ]

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per channel of every layer, the most changed first."""
        import pandas as pd

        rows = [
            pd.DataFrame(
                {
                    "layer": name,
                    "channel": range(len(one.before)),
                    "before": one.before.tolist(),
                    "after": one.after.tolist(),
                    "change": one.change.tolist(),
                    "share": one.share.tolist(),
                    "distance": one.distance.tolist(),
                }
            )
            for name, one in self.layers.items()
        ]
        table = pd.concat(rows, ignore_index=True)
        order = table["share"].abs().sort_values(ascending=False, kind="stable").index
        return table.loc[order].reset_index(drop=True)

    def plot(self, most: int = 20) -> Figure:
        """Before and after of the channels that changed most, each as a share of its layer's
        strongest response."""
        from zfwidgets.analysis.plot.ablate import plot_before_after

        rows = self.most(most)
        scale = {
            name: max(float(torch.stack([one.before, one.after]).max()), 1e-12)
            for name, one in self.layers.items()
        }
        return plot_before_after(
            [f"{name} {channel}" for name, channel, _, _ in rows],
            [before / scale[name] for name, _, before, _ in rows],
            [after / scale[name] for name, _, _, after in rows],
            "strongest response, as a share of the layer's largest",
            f"The {len(rows)} channels that changed most",
        )


@takes(before=RECORDING, after=RECORDING)
def difference(
    before: Recording, after: Recording, layers: Sequence[str] | None = None
) -> Difference:
    """Which channels answer otherwise to another picture, to a photo after an edit for instance?

    before, after: recordings of one picture each, by one network, or by two whose layers have as
    many channels, as checkpoints have. layers: by default all that are convolutions.

        >>> photo = zf.sample("cat").open()
        >>> edited = zfwidgets.images.hide(photo, (60, 150, 190, 300))
        >>> zf.difference(net.record(photo), net.record(edited)).to_frame()

    Raises KeyError for a layer that does not exist, ValueError for recordings of several pictures,
    for layers of different numbers of channels, and for NaN in the maps.
    """
    for recording in (before, after):
        if len(recording) != 1:
            raise ValueError(
                f"difference() got a recording of {len(recording)} pictures; expected one each."
            )
    if layers is None:
        layers = [name for name, layer in before.layers.items() if layer.kind == "conv"]
    found = {before.layers[name].name: _layer(before, after, name) for name in layer_names(layers)}
    return Difference(found, _classes(before, after))


def _layer(before: Recording, after: Recording, layer: str) -> LayerDifference:
    maps = [recording.feature_maps(layer)[0].float().cpu() for recording in (before, after)]
    for one, on in zip(maps, ("the first picture", "the second picture"), strict=True):
        check_finite(one[None], layer, on)
    if len(maps[0]) != len(maps[1]):
        raise ValueError(
            f"layer {layer!r} has {len(maps[0])} channels in {before.net.name} and "
            f"{len(maps[1])} in {after.net.name}; expected as many in both."
        )
    strongest = [one.flatten(1).amax(1) for one in maps]
    if maps[0].shape == maps[1].shape:
        norm = maps[0].flatten(1).norm(dim=1) + maps[1].flatten(1).norm(dim=1)
        distance = (maps[1] - maps[0]).flatten(1).norm(dim=1) / norm
    else:
        distance = torch.full_like(strongest[0], torch.nan)
    return LayerDifference(strongest[0], strongest[1], distance)


def _classes(
    before: Recording, after: Recording, k: int = 5
) -> tuple[tuple[str, float, float], ...]:
    outputs = before.logits, after.logits
    if outputs[0] is None or outputs[1] is None or outputs[0].shape != outputs[1].shape:
        return ()
    now = dict(after.top_classes(outputs[1].shape[1])[0])
    return tuple((label, p, now.get(label, 0.0)) for label, p in before.top_classes(k)[0])
