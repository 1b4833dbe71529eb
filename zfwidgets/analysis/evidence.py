"""What in the photo speaks for a class, and what against it.

A class score is a sum over the neurons of the last hidden layer, each times its weight, plus a
bias: an exact account. Where only averages, maxima and rectifiers lie between feature maps and that
layer (the light head of the bundled networks), the account goes on exactly to every channel and
place of the maps; with an average alone that is the class activation map of Zhou et al. (2016).
Projections show pixels, and add up to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from zfwidgets.analysis.arguments import RECORDING, class_index, takes
from zfwidgets.analysis.result import Result
from zfwidgets.deconv import Recording
from zfwidgets.deconv.method import RuleName
from zfwidgets.deconv.neurons import Neurons

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, repr=False)
class Evidence(Result):
    """The account of one class score of one picture, or of how far it is above another one.

    logit: the score, less that of the class `versus` if there is one; so are all parts. bias: the
    part that no picture changes. hidden: the layer before the scores; contribution: Tensor [K],
    activation times weight of each of its neurons. They sum to logit - bias, always. layer: the
    feature maps that are looked at, [C, H, W]; by_channel: Tensor [C] and by_place: Tensor [H, W],
    what each of their channels and places contributes. exact: whether those, too, sum to
    logit - bias; `remainder` is what they miss.
    photo: uint8 Tensor [H, W, 3]. channels_for, channels_against: LongTensor, those that contribute
    most; pictures_for, pictures_against: uint8 Tensors [k, H, W, 3], their strongest neurons sent
    back to pixels. whole: uint8 Tensor [H, W, 3], the score itself sent back to pixels by `rule`.
    """

    label: int
    name: str
    versus: str | None
    logit: float
    bias: float
    probability: float
    hidden: str
    contribution: Tensor
    layer: str
    by_channel: Tensor
    by_place: Tensor
    exact: bool
    photo: Tensor
    channels_for: Tensor
    channels_against: Tensor
    pictures_for: Tensor
    pictures_against: Tensor
    whole: Tensor
    rule: str

    @property
    def remainder(self) -> float:
        """What `by_channel` leaves out of logit - bias; 0 up to rounding where it is exact."""
        return self.logit - self.bias - float(self.by_channel.sum())

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per channel, what speaks most for the class first."""
        import pandas as pd

        order = self.by_channel.argsort(descending=True)
        return pd.DataFrame(
            {"channel": order.tolist(), "contribution": self.by_channel[order].tolist()}
        )

    def plot(self) -> Figure:
        """Photo, places and channels for and against, with the pictures of the channels."""
        from zfwidgets.analysis.plot.evidence import plot_evidence

        account = "exact" if self.exact else f"remainder {self.remainder:+.2f}"
        subject = self.name if self.versus is None else f"{self.name} rather than {self.versus}"
        title = (
            f"{subject}: score {self.logit:.2f} (p = {self.probability:.2f}) = bias "
            f"{self.bias:+.2f}, evidence in {self.layer} {float(self.by_channel.sum()):+.2f} "
            f"({account})"
        )
        sides = (
            ("for", (self.channels_for, self.pictures_for)),
            ("against", (self.channels_against, self.pictures_against)),
        )
        return plot_evidence(
            self.photo,
            self.by_place,
            self.by_channel,
            self.whole,
            sides,
            layer=self.layer,
            rule=self.rule,
            title=title,
        )


@takes(recording=RECORDING)
def evidence(
    recording: Recording,
    label: int | str | None = None,
    *,
    versus: int | str | None = None,
    layer: str | None = None,
    image: int = 0,
    channels: int = 4,
    rule: RuleName = "deconvnet",
) -> Evidence:
    """What in the picture speaks for a class and against it.

    label: by number or name; by default the most probable one. versus: another class: then it is
    the evidence for the one rather than the other. Probabilities depend on differences between
    scores alone: a score below zero may well be the highest, and what speaks against a class may
    speak even more against all others. layer: the feature maps to look at,
    by default the last that have places. channels: how many to show on either side. rule: how
    neurons and the score go back to pixels, see `Recording.project`.

    What a value of a map contributes is the value times the score's derivative by it. That is exact
    where every operation in between gives k times as much for k times the input: averages, maxima
    (the place that won has all of it), rectifiers, linear layers without bias. fc6 and fc7 of the
    papers' networks have biases; then the sum misses what these let through, and `exact` is False.

    Raises ValueError where there are no class scores from a linear layer, or no feature maps;
    KeyError for a layer, IndexError for an image that does not exist.
    """
    net, layers = recording.net, list(recording.layers.values())
    logits = recording.logits
    if logits is None or layers[-1].kind != "linear":
        raise ValueError(
            f"{net.name} has no class scores from a linear layer; expected a classifier."
        )
    if not 0 <= image < len(logits):
        raise IndexError(f"image={image}: expected 0 to {len(logits) - 1}, those recorded.")
    scores = logits[image].float()
    wanted = int(scores.argmax()) if label is None else class_index(net, label, len(scores))
    if layer is None:
        placed = [each.name for each in layers[:-1] if each.height * each.width > 1]
        if not placed:
            raise ValueError(f"{net.name} has no feature maps before its scores.")
        layer = placed[-1]
    layer = recording.layers[layer].name

    other = None if versus is None else class_index(net, versus, len(scores))
    score = recording.neurons(
        layers[-1].name, image, [wanted] if other is None else [wanted, other]
    )
    hidden, bias = layers[-1].inputs[0], _bias(recording, wanted)
    logit = float(scores[wanted])
    if other is not None:
        bias, logit = bias - _bias(recording, other), logit - float(scores[other])
    shares = _shares(recording, score, (hidden, layer), image)
    contribution, account = shares[hidden].flatten(), shares[layer]
    by_channel = account.sum((1, 2))
    order = by_channel.argsort(descending=True)
    some = min(channels, int((by_channel > 0).sum()))
    less = min(channels, int((by_channel < 0).sum()))
    for_, against = order[:some].cpu(), order.flip(0)[:less].cpu()
    between = logit - bias - float(by_channel.sum())
    return Evidence(
        label=wanted,
        name=net.categories[wanted] if net.categories else str(wanted),
        versus=None if other is None else net.categories[other] if net.categories else str(other),
        logit=logit,
        bias=bias,
        probability=float(scores.softmax(0)[wanted]),
        hidden=hidden,
        contribution=contribution.cpu(),
        layer=layer,
        by_channel=by_channel.cpu(),
        by_place=account.sum(0).cpu(),
        exact=abs(between) <= 1e-4 * max(1.0, abs(logit - bias)),
        photo=torch.from_numpy(recording.seen()[image]),
        channels_for=for_,
        channels_against=against,
        pictures_for=_pictures(recording, layer, image, for_, rule),
        pictures_against=_pictures(recording, layer, image, against, rule),
        whole=torch.from_numpy(recording.project(score[0], rule=rule).to_images(canvas=True))[0],
        rule=rule,
    )


def _bias(recording: Recording, label: int) -> float:
    """The last layer's bias for a class."""
    path = list(recording.layers.values())[-1].path
    module = recording.net.model.get_submodule(path)
    if not isinstance(module, nn.Linear):
        raise ValueError(f"{path!r} is {type(module).__name__}; expected nn.Linear for the scores.")
    bias: Tensor | None = module.bias
    return 0.0 if bias is None else float(bias.detach()[label])


def _shares(
    recording: Recording, score: Neurons, layers: tuple[str, ...], image: int
) -> dict[str, Tensor]:
    """Activation times derivative of the score, for each value of some layers: [C, H, W].

    Of two scores: of the first less the second.
    """
    found: dict[str, Tensor] = {}
    for step in recording.steps(score, rule="gradient", seed="one", lrn="vjp"):
        if step.layer in layers and step.layer not in found:
            maps = recording.feature_maps(step.layer)[image]
            slope = step.before[0] - step.before[1] if len(step.before) > 1 else step.before[0]
            found[step.layer] = slope.reshape(maps.shape) * maps
    if missing := [name for name in layers if name not in found]:
        raise ValueError(f"the score does not go through {missing[0]!r}; choose another layer.")
    return found


def _pictures(
    recording: Recording, layer: str, image: int, channels: Tensor, rule: RuleName
) -> Tensor:
    """The strongest neuron of each channel, back in pixels: uint8 [k, H, W, 3]."""
    if not len(channels):
        height, width = recording.inputs.shape[2:]
        return torch.zeros(0, height, width, 3, dtype=torch.uint8)
    neurons = recording.strongest(layer, channels)
    neurons = neurons[neurons.image == image]
    return torch.from_numpy(recording.project(neurons, rule=rule).to_images(canvas=True))
