"""How far a projection can be trusted: three numbers beside each one.

A projection looks like the picture even when the network knows nothing: switches and masks carry
the picture's edges back (Mahendran & Vedaldi 2016; Nie et al. 2018), and some methods look the same
after the weights were shuffled (Adebayo et al. 2018). So look at these before believing one:

* `randomised`: the same neuron projected while the weights are shuffled layer by layer from the
  neuron's own layer down (Adebayo's cascade). A projection that stays similar shows the picture,
  not what was learned.
* `neighbours`: other channels at the same place. If their projections are similar, it shows where
  the neuron looks, not what it looks for.
* `drop`: the neuron's activation when the pixels that the projection shows are painted over (the
  paper's own check, section 4.2), beside `drop_elsewhere`, as many random pixels of its receptive
  field. A projection that means something drops more.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from zfwidgets.analysis.arguments import RECORDING, takes
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.untrained import shuffle
from zfwidgets.deconv import Projections, Recording

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class Faithfulness(Result):
    """One row per projection.

    randomised: Tensor [N, L], cosine similarity with the projection after `layers[:l + 1]` were
    shuffled; layers: their names, from the neuron's own downwards. neighbours: Tensor [N], mean
    cosine similarity with other channels at the same place. drop, drop_elsewhere: Tensor [N],
    share of the activation that is lost; above 1 is not possible, below 0 it grew. NaN for a
    neuron that did not fire.
    """

    channel: Tensor
    layers: tuple[str, ...]
    randomised: Tensor
    neighbours: Tensor
    drop: Tensor
    drop_elsewhere: Tensor

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per projection (needs pandas)."""
        import pandas as pd

        columns = {
            "channel": self.channel.tolist(),
            "neighbours": self.neighbours.tolist(),
            "drop": self.drop.tolist(),
            "drop elsewhere": self.drop_elsewhere.tolist(),
        }
        for index, layer in enumerate(self.layers):
            columns[f"shuffled to {layer}"] = self.randomised[:, index].tolist()
        return pd.DataFrame(columns)


@takes(recording=RECORDING)
def faithfulness(
    recording: Recording,
    projections: Projections,
    *,
    neighbours: int = 8,
    area: float = 0.15,
    seed: int = 0,
    progress: bool = True,
) -> Faithfulness:
    """Three checks of projections that were made from this recording.

    neighbours: how many other channels to compare with. area: share of the receptive field's
    pixels that is painted over with the picture's mean colour, those where the projection is
    strongest. seed: of the shuffling and of the random pixels.
    """
    if not 0 < area < 1:
        raise ValueError(f"area={area}: expected a share between 0 and 1, such as 0.15.")
    generator = torch.Generator().manual_seed(seed)
    pictures = projections.on_canvas().flatten(1)
    drop, elsewhere = _drops(recording, projections, area, generator)
    layers, randomised = _cascade(recording, projections, pictures, generator, progress)
    return Faithfulness(
        projections.neurons.channel,
        layers,
        randomised,
        _neighbours(recording, projections, pictures, neighbours, generator),
        drop,
        elsewhere,
    )


def _again(recording: Recording, projections: Projections, channel: Tensor | None = None) -> Tensor:
    """The same places projected in the same way, each starting as a one: [N, C * H * W]."""
    some, method = projections.neurons, replace(projections.origin.method, seed="one")
    channel = some.channel if channel is None else channel
    neurons = recording.neurons(some.layer, some.image, channel, some.row, some.col)
    again = recording.project(neurons, method)
    return again.on_canvas().flatten(1)


def _cascade(
    recording: Recording,
    projections: Projections,
    pictures: Tensor,
    generator: torch.Generator,
    progress: bool,
) -> tuple[tuple[str, ...], Tensor]:
    """Similarity while the weights are shuffled from the neuron's layer down to the first."""
    net, start = recording.net, recording.layers[projections.neurons.layer].step
    weighted = [
        layer
        for layer in recording.layers.values()
        if layer.step <= start
        and layer.kind in ("conv", "linear")
        and not recording.call_of(layer.name).added  # directions are no weights of the model
    ][::-1]
    model = copy.deepcopy(net.model)
    similarity = []
    for layer in tqdm(weighted, desc="shuffling weights", disable=not progress, leave=False):
        for parameter in _module(model, layer.path).parameters():
            shuffle(parameter, generator)
        again = _again(net.with_model(model).record(recording.inputs), projections)
        similarity.append(torch.cosine_similarity(pictures, again, dim=1))
    table = torch.stack(similarity, 1) if similarity else pictures.new_zeros(len(pictures), 0)
    return tuple(layer.name for layer in weighted), table.cpu()


def _module(model: nn.Module, path: str) -> nn.Module:
    try:
        return model.get_submodule(path)
    except AttributeError:
        raise ValueError(
            f"layer {path!r} is a function call, not a module: its weights cannot be shuffled "
            "here. Make it a module, such as nn.Conv2d."
        ) from None


def _neighbours(
    recording: Recording,
    projections: Projections,
    pictures: Tensor,
    number: int,
    generator: torch.Generator,
) -> Tensor:
    """Mean similarity with the projections of other channels at the same place."""
    channels = recording.layers[projections.neurons.layer].channels
    number = min(number, channels - 1)
    if number < 1:
        return torch.full((len(pictures),), float("nan"))
    total = pictures.new_zeros(len(pictures))
    steps = torch.randperm(channels - 1, generator=generator)[:number] + 1
    for step in steps:
        other = _again(recording, projections, (projections.neurons.channel + step) % channels)
        total += torch.cosine_similarity(pictures, other, dim=1)
    return (total / number).cpu()


def _drops(
    recording: Recording, projections: Projections, area: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Share of each activation that is lost where the projection is, and at random pixels."""
    height, width = projections.size
    strength = projections.on_canvas().abs().amax(1).flatten(1).cpu()
    layer = recording.layers[projections.neurons.layer]
    some, inside = projections.neurons, torch.zeros_like(strength, dtype=torch.bool)
    for view, row, col in zip(inside, some.row.tolist(), some.col.tolist(), strict=True):
        top, left, bottom, right = layer.box(row, col)
        view.view(height, width)[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    noise = torch.rand(strength.shape, generator=generator)
    shown = _strongest(strength, inside, area)
    return (
        _lost(recording, projections, shown.view(-1, height, width)),
        _lost(recording, projections, _strongest(noise, inside, area).view(-1, height, width)),
    )


def _strongest(strength: Tensor, inside: Tensor, area: float) -> Tensor:
    """The given share of each field's pixels, those of greatest strength: bool [N, H * W]."""
    order = strength.masked_fill(~inside, -1).sort(dim=1, descending=True, stable=True)[1]
    count = (inside.sum(1, keepdim=True) * area).round()
    chosen = torch.arange(strength.shape[1]) < count
    return torch.zeros_like(inside).scatter_(1, order, chosen)


def _lost(recording: Recording, projections: Projections, mask: Tensor) -> Tensor:
    """1 - activation with the masked pixels painted over / activation as it was."""
    some, net = projections.neurons, recording.net
    left = []
    for first in range(0, len(some), 32):
        part = slice(first, first + 32)
        inputs = recording.inputs[some.image[part].to(net.device)]
        mean = inputs.mean((2, 3), keepdim=True)
        painted = torch.where(mask[part, None].to(net.device), mean, inputs)
        maps = net.record(painted).feature_maps(some.layer).cpu()
        index = torch.arange(len(maps))
        left.append(maps[index, some.channel[part], some.row[part], some.col[part]])
    return 1 - torch.cat(left) / some.value.where(some.value > 0, float("nan"))
