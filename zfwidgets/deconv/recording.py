"""A recording: one forward pass of a batch of pictures, with all that the way back needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from zfwidgets.deconv import ablation, backward, neurons
from zfwidgets.deconv.ablation import Ablation
from zfwidgets.deconv.graph import Call, Record, UnsupportedModel
from zfwidgets.deconv.layer import Layer, Layers
from zfwidgets.deconv.method import (
    LrnName,
    Method,
    PrecisionName,
    RuleName,
    SeedName,
    UnpoolName,
)
from zfwidgets.deconv.neurons import Indices, Neurons
from zfwidgets.deconv.origin import Origin
from zfwidgets.deconv.outputs import most_probable, scores_in
from zfwidgets.deconv.precision import exactly
from zfwidgets.deconv.projections import Projections
from zfwidgets.deconv.signals import Signal, Way
from zfwidgets.deconv.steps import OPTIONAL, Step, left_out, steps
from zfwidgets.deconv.windows import Pair, Places

if TYPE_CHECKING:
    from zfwidgets.deconv.deconvnet import DeconvNet


class Recording:
    """What a network did with a batch of pictures. Made by `DeconvNet.record`.

    net: the network. inputs: [B, C, H, W], the pictures as the network got them. layers: as
    `DeconvNet.layers`, for this input size.
    """

    def __init__(self, net: DeconvNet, inputs: Tensor, record: Record, layers: Layers) -> None:
        self.net = net
        self.inputs = inputs
        self.layers = layers
        self._record = record
        self._calls = record.calls
        self._output = record.output
        self._alone: dict[int, Recording] = {}
        self._weights_version = net.weights_version()

    def __repr__(self) -> str:
        return f"Recording({self.net.name}, {len(self)} x {tuple(self.inputs.shape[1:])})"

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def size(self) -> Pair:
        """Rows and columns of the input."""
        height, width = self.inputs.shape[2:]
        return height, width

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it holds, on the network's device."""
        kept = [call.value for call in self._calls if call.value is not None]
        boxes = [box.tensor for call in self._calls for box in call.rule.boxes]
        held = {t.untyped_storage().data_ptr(): t for t in (self.inputs, *kept, *boxes)}
        return sum(t.untyped_storage().nbytes() for t in held.values())

    def seen(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """What the network saw, its preparation undone: uint8 [B, H, W, 3]."""
        return self.net.undo(self.inputs)

    def feature_maps(self, layer: str) -> Tensor:
        """The layer's maps [B, C, H, W], rectified: what the next layer sees.

        Fully connected layers give [B, K, 1, 1].
        """
        call = self.call_of(layer)
        assert call.value is not None
        return call.maps(call.value)

    def call_of(self, layer: str) -> Call:
        """The step of the record where a layer ends."""
        return self._calls[self.layers[layer].step]

    @property
    def logits(self) -> Tensor | None:
        """The network's output [B, K], or None if it is not one row of numbers per picture."""
        return scores_in(self._output, len(self.inputs))

    def top_classes(self, k: int = 5) -> list[list[tuple[str, float]]]:
        """Per picture the k most probable classes: (label, softmax probability).

        Classes are numbered if the network has no names for them.
        """
        logits = self.logits
        if logits is None:
            raise ValueError(
                f"{self.net.name} gives no [B, classes] output; top_classes needs a classifier."
            )
        return most_probable(logits, self.net.categories, k)

    def strongest(self, layer: str, channels: Indices | None = None) -> Neurons:
        """Per picture and channel the neuron with the highest activation (the paper's choice).

        channels: which ones, all by default. Order: picture by picture, channel by channel.
        """
        maps, found = self.feature_maps(layer), self.layers[layer]
        asked = neurons.listed("channels", range(found.channels) if channels is None else channels)
        first = torch.zeros_like(asked)
        neurons.check(found.name, [first, asked, first, first], (1, *found.shape))
        return neurons.strongest(found.name, maps, asked.tolist())

    def neurons(
        self,
        layer: str,
        image: Indices = 0,
        channel: Indices = 0,
        row: Indices = 0,
        col: Indices = 0,
    ) -> Neurons:
        """Neurons by their indices; lists of one length, single numbers are repeated."""
        found = self.layers[layer]
        return neurons.chosen(found.name, self.feature_maps(layer), image, channel, row, col)

    def project(
        self,
        neurons: Neurons,
        rule: RuleName | Method = "deconvnet",
        seed: SeedName = "activation",
        unpool: UnpoolName = "sum",
        lrn: LrnName = "identity",
        precision: PrecisionName = "exact",
    ) -> Projections:
        """Send neurons back to pixels, all in one go (Zeiler & Fergus 2013, section 2.1).

        rule, seed, unpool, lrn, precision: see `Method`, one of which may be given in place of the
        rule, to send several things back alike. With rule="gradient", seed="one", lrn="vjp" the
        result is the derivative of each neuron by the input.
        """
        parts = list(self.project_iter(neurons, rule, seed, unpool, lrn, precision))
        if parts:
            return Projections.joined(parts)
        height, width = self.inputs.shape[2:]
        method = Method.of(rule, seed, unpool, lrn, precision)
        empty = torch.zeros(0, 4, dtype=torch.long)
        pixels = self.inputs.new_zeros(0, self.inputs.shape[1], height, width)
        return self._projections(pixels, empty, neurons, method)

    def project_iter(
        self,
        neurons: Neurons,
        rule: RuleName | Method = "deconvnet",
        seed: SeedName = "activation",
        unpool: UnpoolName = "sum",
        lrn: LrnName = "identity",
        precision: PrecisionName = "exact",
    ) -> Iterator[Projections]:
        """As `project`, in parts that fit the memory budget, as they are ready.

        Stop iterating to cancel. A part that does not fit the device's memory is halved.
        """
        method = Method.of(rule, seed, unpool, lrn, precision)
        step = self._step(neurons)
        at_once = self.net.neurons_at_once(backward.values_per_neuron(self._calls, step))
        return _in_parts(neurons, at_once, lambda some: self._project(some, method))

    def _step(self, some: Neurons) -> int:
        """The step of the neurons' layer. Raises IndexError for neurons it does not have here."""
        layer = self.layers[some.layer]
        where = some.image, some.channel, some.row, some.col
        neurons.check(layer.name, where, (len(self), *layer.shape))
        self._check_way(layer.step)
        return layer.step

    def _check_way(self, step: int) -> None:
        """Refuse what strictness forbids, and ways back that autograd does not confirm."""
        self._check_weights()
        if self.net.strict:
            for call in backward.derivatives_on_the_way(self._calls, step):
                raise UnsupportedModel(
                    f"{call.path} ({call.rule.extension}; {call.where or 'no line known'}) has no "
                    "rule for the way back but its derivative, which strict=True forbids. Look at "
                    "a layer before it, or leave strict off."
                )
        own = len(self) == 1 and self.layers.complete
        self.net.check_way_back(self.inputs[:1], self._record if own else None)

    def _of(self, image: int) -> Recording:
        """One picture of the batch, recorded by itself.

        For networks that mix the pictures' dimension with others: there only the record of a single
        picture says which values belong to it. Raises RuntimeError if the pictures influence one
        another.
        """
        if image not in self._alone:
            self._check_weights()
            one = self.inputs[image : image + 1]
            layers = self.net.layers_alone(one)
            if not self.layers.complete:
                layers = layers.up_to(list(self.layers)[-1])
            alone = Recording(self.net, one, self.net.record_again(one, layers), layers)
            for name in self.layers:
                here, there = self.feature_maps(name)[image], alone.feature_maps(name)[0]
                off = torch.linalg.vector_norm((here - there).float())
                if here.shape != there.shape or off > 1e-2 * torch.linalg.vector_norm(here.float()):
                    raise RuntimeError(
                        f"{self.net.name} sees other values at {name} when picture {image} is "
                        "recorded by itself: the pictures of a batch influence one another. Record "
                        "them one at a time."
                    )
            self._alone[image] = alone
        return self._alone[image]

    def _each_alone(
        self, some: Neurons, project: Callable[[Recording, Neurons], Projections]
    ) -> tuple[Tensor, Tensor]:
        """Pixels and boxes of neurons, each projected in the record of its own picture."""
        pixels: Tensor | None = None
        boxes = torch.zeros(len(some), 4, dtype=torch.long)
        for image in some.image.unique().tolist():
            mine = some.image == image
            here = replace(some[mine], image=torch.zeros(int(mine.sum()), dtype=torch.long))
            part = project(self._of(image), here)
            if pixels is None:
                pixels = part.pixels.new_zeros(len(some), *part.pixels.shape[1:])
            pixels[mine.to(pixels.device)], boxes[mine] = part.pixels, part.boxes
        assert pixels is not None
        return pixels, boxes

    @torch.no_grad()
    def ablate(
        self,
        layer: str | Mapping[str, Indices],
        channels: Indices | None = None,
        value: str | float | Tensor | Recording = "zero",
        *,
        keep: bool = False,
    ) -> Ablation:
        """The same pictures again, with some channels of a layer switched off.

        layer, channels: which ones; for several layers at once a mapping from their names to
        channels, ``{"conv3": [7], "conv5": [1, 70]}``. With `keep` they stay, and all others of
        these layers are switched off. value: what
        stands in their place: "zero"; "mean", each map's own mean over its places; a number;
        another picture's maps, as its Recording or a Tensor [B, C, H, W], of one picture or of as
        many as there are here. Maps are changed as `feature_maps` shows them, rectified, for all
        that reads them; class tokens stay.

        Only what follows these layers is computed anew. The model runs as a whole, for Python may
        do anything between its operations, but those that the change does not reach give what they
        gave when it was recorded. A model that reads values between operations, as a comparison
        does, or with hooks, costs a whole forward pass.

        Raises KeyError for a layer, IndexError for a channel that does not exist, ValueError for
        values of another shape or with NaN in them, for no layer, and for layers of directions,
        which nothing reads.
        """
        self._check_weights()
        asked = layer if isinstance(layer, Mapping) else {layer: channels}
        if isinstance(layer, Mapping) and channels is not None:
            raise TypeError("ablate() got channels beside a mapping from layers to channels.")
        off: dict[str, Tensor] = {}
        changes = []
        for name, some in asked.items():
            if some is None:
                raise TypeError(f"ablate({name!r}) got no channels; expected one or more.")
            found = self.layers[name]
            off[found.name] = self._switched_off(found, some, keep=keep)
            stands = self._standing_in(found.name, value)
            call = self.call_of(name)
            changes.append(ablation.change(call, found.step, off[found.name], stands))
        if not changes:
            raise ValueError("ablate() got no layer; expected one or more, with channels of each.")
        again = self.net.record_changed(self.inputs, self.layers, self._record, changes)
        last = max(change.step for change in changes)
        names = [[c.name for c in calls[: last + 1]] for calls in (self._calls, again.calls)]
        if names[0] != names[1]:
            raise RuntimeError(
                f"{self.net.name} took other steps up to {', '.join(off)} than when it was "
                "recorded; expected a model that does the same every time."
            )
        without = Recording(self.net, self.inputs, again, self.layers)
        said = "given values" if isinstance(value, Tensor | Recording) else str(value)
        return Ablation(self, without, off, said)

    def _switched_off(self, layer: Layer, channels: Indices, *, keep: bool) -> Tensor:
        if self.call_of(layer.name).added:
            raise ValueError(
                f"{layer.name!r} holds directions, which no later layer reads; expected a layer of "
                "the model."
            )
        asked = neurons.listed("channels", channels)
        first = torch.zeros_like(asked)
        neurons.check(layer.name, [first, asked, first, first], (1, *layer.shape))
        return ablation.switched_off(asked, layer.channels, keep=keep)

    def _standing_in(self, layer: str, value: str | float | Tensor | Recording) -> str | Tensor:
        """Values that take others' place: a word, or maps that broadcast to the layer's."""
        if isinstance(value, Recording):
            value = value.feature_maps(layer)
        return ablation.standing_in(layer, self.feature_maps(layer), value)

    def project_map(
        self,
        layer: str,
        channel: Indices,
        image: int = 0,
        rule: RuleName | Method = "deconvnet",
        seed: SeedName = "activation",
        unpool: UnpoolName = "sum",
        lrn: LrnName = "identity",
        precision: PrecisionName = "exact",
    ) -> Projections:
        """Send the whole map of a channel back at once, not a single neuron.

        One projection per channel, as large as the input; `neurons` names the strongest of each.
        With seed="one" every place of the map starts as 1.
        """
        method = Method.of(rule, seed, unpool, lrn, precision)
        strongest = self.strongest(layer, channel)
        strongest = strongest[strongest.image == image]
        step = self._step(strongest)
        at_once = self.net.neurons_at_once(
            backward.values_per_neuron(self._calls, step, whole=True)
        )
        parts = list(
            _in_parts(strongest, at_once, lambda some: self._project_maps(some, image, method))
        )
        if not parts:
            raise ValueError(f"project_map: no channel of image {image} was given.")
        return Projections.joined(parts)

    @torch.no_grad()
    @exactly()
    def steps(
        self,
        neurons: Neurons,
        rule: RuleName | Method = "deconvnet",
        seed: SeedName = "activation",
        unpool: UnpoolName = "sum",
        lrn: LrnName = "identity",
        off: Collection[str] = (),
        precision: PrecisionName = "exact",
    ) -> list[Step]:
        """One projection operation by operation: unpool, rectify, filter, layer by layer.

        off: names of steps to leave out, of those whose kind is in `OPTIONAL`. Without a
        rectification the signal passes as it is; unpooling without switches puts every value into
        the middle of its window. With nothing off, the last step's signal is what `project` gives.
        All signals are kept, on whole maps: for a few neurons, not for a layer.

        Raises:
            ValueError: no neuron, or a step that cannot be left out.
        """
        if not len(neurons):
            raise ValueError("steps() got no neuron; expected one or a few.")
        self._check_weights()
        step = self._step(neurons)
        self._check_off(off, step)
        if len(self) > 1 and backward.mixes_pictures(self._calls, step):
            raise ValueError(
                f"{self.net.name} mixes the pictures of a batch on the way; steps() needs a "
                "recording of one picture."
            )
        signal, way = self._start(neurons, step, Method.of(rule, seed, unpool, lrn, precision))

        def back(call: Call, signal: Signal, way: Way) -> Sequence[Signal | None]:
            gone = call.name in off
            return left_out(call.rule, signal, way) if gone else call.rule.back(signal, way)

        passages = backward.passages(self._calls, step, signal, way, back)
        return steps(self._calls, self.layers, passages, way, frozenset(off))

    def _check_off(self, off: Collection[str], step: int) -> None:
        known = [c.name for c in self._calls[1 : step + 1] if c.rule.step in OPTIONAL]
        if wrong := [name for name in off if name not in known]:
            raise ValueError(
                f"off={wrong}: expected names of steps that can be left out "
                f"({', '.join(OPTIONAL)}): {', '.join(known)}."
            )

    def _start(self, some: Neurons, step: int, method: Method) -> tuple[Signal, Way]:
        """The neurons' own activations, or ones, and the way they go back."""
        device = self.inputs.device
        way = Way(method, Places.of(some.image, some.row, some.col, device))
        channel = some.channel.to(device)
        value = some.value.to(device)
        if value.dtype in (torch.float16, torch.bfloat16):
            value = value.float()  # signals are sums of many
        if method.seed == "one":
            value = torch.ones_like(value)
        start = backward.Start(step, way.places, channel, value)
        return backward.from_neurons(self._calls, start), way

    @torch.no_grad()
    @exactly()
    def _project(self, some: Neurons, method: Method) -> Projections:
        step = self.layers[some.layer].step
        if len(self) > 1 and backward.mixes_pictures(self._calls, step):
            pixels, boxes = self._each_alone(
                some,
                lambda one, here: one._project(here, method),  # noqa: SLF001 - of our kind
            )
            return self._projections(pixels, boxes, some, method)
        signal, way = self._start(some, step, method)
        signal = backward.send_back(self._calls, step, signal, way)
        assert signal.window is not None
        boxes = backward.boxes_of(signal.window, way.places).cpu()
        return self._projections(signal.values, boxes, some, method)

    @torch.no_grad()
    @exactly()
    def _project_maps(self, strongest: Neurons, image: int, method: Method) -> Projections:
        step = self.layers[strongest.layer].step
        if len(self) > 1 and backward.mixes_pictures(self._calls, step):
            pixels, boxes = self._each_alone(
                strongest,
                lambda one, here: one._project_maps(here, 0, method),  # noqa: SLF001 - of our kind
            )
            return self._projections(pixels, boxes, strongest, method)
        maps = self.feature_maps(strongest.layer)[image]
        channels = strongest.channel.to(maps.device)
        values = torch.zeros(len(channels), *maps.shape, dtype=maps.dtype, device=maps.device)
        index = torch.arange(len(channels), device=maps.device)
        values[index, channels] = maps[channels] if method.seed == "activation" else 1.0
        call = self._calls[step]
        if call.grid is not None:
            grid, tokens = call.grid, values.new_zeros(len(values), *call.shape[1:])
            last = grid.first + grid.height * grid.width
            tokens[:, grid.first : last] = values.flatten(2).transpose(1, 2)
            values = tokens
        elif call.axes == (1, 2):
            values = values.permute(0, 2, 3, 1)
        elif call.axes is None:
            values = values.flatten(1)
        way = Way(method, Places.of(strongest.image, strongest.row, strongest.col, self.net.device))
        signal = backward.from_maps(self._calls, step, values)
        signal = way.whole(backward.send_back(self._calls, step, signal, way), self._calls[0].size)
        height, width = self.inputs.shape[2:]
        boxes = torch.tensor([[0, 0, height, width]]).expand(len(channels), 4)
        return self._projections(signal.values, boxes, strongest, method)

    def _check_weights(self) -> None:
        """Switches of one set of weights and filters of another make pictures of neither."""
        if self.net.weights_version() != self._weights_version:
            raise RuntimeError(
                f"The weights of {self.net.name} have changed since this recording was made; "
                "record the picture again."
            )

    def _weights_hash(self) -> str:
        self._check_weights()
        return self.net.weights_hash()

    def _projections(
        self, pixels: Tensor, boxes: Tensor, some: Neurons, method: Method
    ) -> Projections:
        self._check_weights()
        step = self.layers[some.layer].step
        origin = Origin(
            net=self.net.name,
            weights=self._weights_hash,
            layer=some.layer,
            method=method,
            precision=method.numbers(pixels.dtype),
            extensions=backward.extensions_on_the_way(self._calls, step),
        )
        height, width = self.inputs.shape[2:]
        return Projections(pixels, boxes, some, (height, width), origin, self.net.to_rgb)


def _in_parts(
    neurons: Neurons, at_once: int, project: Callable[[Neurons], Projections]
) -> Iterator[Projections]:
    """Some neurons at once; fewer, when the device's memory does not hold so many."""
    first = 0
    while first < len(neurons):
        some = neurons[first : first + at_once]
        try:
            part = project(some)
        except torch.OutOfMemoryError:
            if len(some) == 1:
                raise
            torch.cuda.empty_cache()
            at_once = -(-len(some) // 2)
            continue
        yield part
        first += len(some)
