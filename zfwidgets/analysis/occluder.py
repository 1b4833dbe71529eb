"""A square that hides one place of a picture, and what the network makes of the rest."""

from __future__ import annotations

from torch import Tensor

from zfwidgets.analysis.arguments import class_index
from zfwidgets.analysis.fill import Fill, fill_colour
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.deconv.deconvnet import Picture


class Occluder:
    """One picture, looked at with a place of it hidden (Zeiler & Fergus 2013, section 4.2).

    image: one picture, or a prepared Tensor [C, H, W] or [1, C, H, W]. layer, channel: the feature
    map whose sum is taken; by default the channel with the strongest neuron on the clean picture.
    label: a class by number or name, by default the most probable one. fill: "grey", "mean" (the
    picture's mean colour) or a number in units of the input; the paper says grey.

    Raises ValueError for several pictures or a network that does not classify.
    """

    def __init__(
        self,
        net: DeconvNet,
        image: Picture | Tensor,
        *,
        layer: str = "conv5",
        channel: int | None = None,
        label: int | str | None = None,
        fill: Fill = "grey",
    ) -> None:
        inputs = net.preprocess(image)
        if len(inputs) != 1:
            raise ValueError(f"occlusion() got {len(inputs)} pictures; expected one.")
        self.net, self.layer, self.inputs = net, layer, inputs
        self.clean = net.record(inputs)
        maps, chances = self.clean.feature_maps(layer), self._chances(self.clean)
        self.channel = int(maps.amax((2, 3)).argmax()) if channel is None else channel
        if not 0 <= self.channel < maps.shape[1]:
            last = maps.shape[1] - 1
            raise ValueError(f"channel={channel}: {layer} has the channels 0 to {last}.")
        classes = chances.shape[1]
        self.label = int(chances.argmax()) if label is None else class_index(net, label, classes)
        self.clean_activation = float(maps[0, self.channel].sum())
        self.clean_chances = chances[0].cpu()
        self.paint(fill)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input in pixels."""
        return int(self.inputs.shape[2]), int(self.inputs.shape[3])

    def paint(self, fill: Fill) -> None:
        """Hide with another colour from now on."""
        self.colour = fill_colour(self.net, self.inputs, fill)[0]

    def check(self, side: int) -> None:
        """Raise ValueError for a square that does not fit into the picture."""
        if not 1 <= side <= min(self.size):
            raise ValueError(f"size={side}: expected 1 to {min(self.size)} pixels of the input.")

    def hidden(self, places: Tensor, side: int) -> Tensor:
        """The picture with each of these places hidden: [N, C, H, W].

        places: LongTensor [N, 2], first row and column of the square in input pixels.
        """
        pictures = self.inputs.repeat(len(places), 1, 1, 1)
        for picture, (top, left) in zip(pictures, places.tolist(), strict=True):
            picture[:, top : top + side, left : left + side] = self.colour
        return pictures

    def look(self, places: Tensor, side: int) -> tuple[Tensor, Tensor]:
        """Sum of the feature map [N] and class probabilities [N, K], with each place hidden."""
        seen = self.net.record(self.hidden(places, side))
        total = seen.feature_maps(self.layer)[:, self.channel].sum((1, 2))
        return total.float().cpu(), self._chances(seen).cpu()

    def _chances(self, seen: Recording) -> Tensor:
        if seen.logits is None:
            raise ValueError(f"{self.net.name} gives no [B, classes] output; expected a classifier")
        return seen.logits.float().softmax(1)
