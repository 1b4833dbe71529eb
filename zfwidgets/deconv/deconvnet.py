"""DeconvNet: a convolutional network one can look into."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from zfwidgets.deconv import models
from zfwidgets.deconv.changes import Added, Change
from zfwidgets.deconv.check import check as compare
from zfwidgets.deconv.graph import Grid, Record, UnsupportedModel
from zfwidgets.deconv.layer import Layers
from zfwidgets.deconv.layers import find_layers
from zfwidgets.deconv.models import Inputs
from zfwidgets.deconv.precision import exactly
from zfwidgets.deconv.recorder import Recorder
from zfwidgets.deconv.recording import Recording
from zfwidgets.deconv.resumed import NotResumed, Resumed
from zfwidgets.deconv.windows import Pair
from zfwidgets.images import Planes, Preparation, Preprocess
from zfwidgets.images.preparation import unfit

Picture = Image.Image | str | Path | bytes | np.ndarray[Any, Any]
Transforms = Callable[[Any], Any]

_SIZES = 224, 32, 28, 64, 96, 128, 160, 192, 256, 288, 299, 320, 384, 448, 512
"""Sides of pictures that networks are made for, the most usual first."""

_TRAINED_DIFFERENTLY = nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd  # noqa: SLF001
"""Modules that do something else in training."""


class DeconvNet:
    """A network that records forward passes and sends neurons back to pixels.

    Args:
        model: any torch CNN; what wraps it (`torch.compile`, DataParallel, averaging) is taken
            off. It runs itself, hooks and all, in evaluation mode, and stays as it was.
        transforms: from a PIL image to the network's input [C, H, W]. A `Preprocess`, torchvision's
            `weights.transforms()`, or any callable; default: ImageNet's usual preparation, at the
            size that the network takes.
        categories: names of the classes, in the order of the outputs.
        device: "auto" takes CUDA, then MPS, then the CPU, but leaves a model that is on an
            accelerator where it is.
        name: what it is called in captions; default: the model's class.
        memory: how many bytes the signals of one batch of neurons may take.
        inputs: what the model takes besides the picture, by name or in order.
        planes: which channels people are shown, as colours or one in grey; default: the picture's
            colours, of other than three channels `Planes.usual`.
        strict: refuse to send a signal through an operation that has no rule of its own, instead
            of taking its derivative.
        check: compare the way back with autograd, once for every size of pictures.

    Raises:
        TypeError: no module. UnsupportedModel: scripted modules.
    """

    def __init__(
        self,
        model: nn.Module,
        transforms: Transforms | None = None,
        categories: Sequence[str] | None = None,
        device: str | torch.device = "auto",
        name: str = "",
        memory: int = 256 * 2**20,
        inputs: Inputs | None = None,
        *,
        planes: Planes | None = None,
        strict: bool = False,
        check: bool = True,
    ) -> None:
        inner = models.unwrapped(model)
        self.name = name or type(inner).__name__
        self.categories = list(categories) if categories is not None else None
        self.memory, self.strict = memory, strict
        self.inputs: Inputs = () if inputs is None else inputs
        self.device, self._dtype = models.device_of(inner, device), models.dtype_of(inner)
        self.model = models.moved(inner, self.device, device != "auto")
        self._any_size = transforms is None
        self._channels = self._first_channels()
        self.preparation = Preparation(transforms, self._channels)
        self.planes = planes
        self._layers: dict[tuple[int, ...], Layers] = {}
        self._batched: dict[tuple[int, ...], Layers] = {}
        self._steps: dict[tuple[int, ...], tuple[str, ...]] = {}
        self._forms: dict[tuple[int, ...], dict[str, tuple[Pair | None, Grid | None]]] = {}
        self._shape: tuple[int, ...] | None = None
        self._checked_ways: set[tuple[int, ...]] = set()
        self._added: tuple[Added, ...] = ()
        self._check = check
        if inner.training and any(isinstance(m, _TRAINED_DIFFERENTLY) for m in inner.modules()):
            models.warn_of_training(inner)

    def __repr__(self) -> str:
        known = "nothing recorded yet" if self._shape is None else f"{len(self.layers)} layers"
        return f"DeconvNet({self.name}, {known}, {self.device})"

    @property
    def layers(self) -> Layers:
        """The layers by name, in order, with sizes for the input last recorded.

        Before the first recording: for the size that `transforms` makes, by a picture of zeros.
        """
        if self._shape is None:
            side = self._fitting_size() if self._any_size else self.preparation.size or (224, 224)
            self.record(torch.zeros(1, self.input_channels, *side))
        assert self._shape is not None
        return self._layers[self._shape]

    @property
    def input_channels(self) -> int:
        """Colour planes that the network takes."""
        return self._channels if self._shape is None else self._shape[0]

    def _first_channels(self) -> int:
        """Of the first convolution; where it is not the first to run, colours are tried, too."""
        channels = models.input_channels(self.model)
        usual = channels in (1, 3) or not any(self._takes(side, 3) for side in _SIZES)
        return channels if usual else 3

    def _fitting_size(self) -> Pair:
        """The first usual size of pictures that the network takes; the preparation makes it."""
        side = next((side for side in _SIZES if self._takes(side)), None)
        if side is None:
            zeros = torch.zeros(1, self._channels, _SIZES[0], _SIZES[0])
            self._any_size = False
            self._recorded(zeros, frozenset(), None)  # says what is wrong
            side = _SIZES[0]
        usual = self.transforms
        if isinstance(usual, Preprocess) and side != usual.size:
            fitting = replace(usual, size=side, resize=round(side * 8 / 7))
            self.preparation = Preparation(fitting, self._channels)
        self._any_size = False
        return side, side

    @property
    def transforms(self) -> Transforms:
        """From a picture to the network's input."""
        return self.preparation.transforms

    @transforms.setter
    def transforms(self, transforms: Transforms) -> None:
        self.preparation = Preparation(transforms, self.preparation.channels)
        self._any_size = False

    def preprocess(self, images: Picture | Sequence[Picture] | Tensor) -> Tensor:
        """Pictures as the network takes them: [B, C, H, W] on its device.

        A float Tensor [B, C, H, W] (or [C, H, W]) is taken as prepared already.
        Raises ImageError for what is no picture, ValueError for tensors of another shape.
        """
        if isinstance(images, Tensor):
            # A copy: whoever fills the tensor anew must not change what was recorded.
            return self._checked(images).to(self.device, self._dtype, copy=True)
        pictures: list[Any] = list(images) if isinstance(images, list | tuple) else [images]
        if not pictures:
            raise ValueError("record() got no pictures; expected one or more.")
        if self._any_size and self._shape is None:
            self._fitting_size()
        prepare = self.preparation
        batch = torch.stack([prepare(prepare.open(picture)) for picture in pictures])
        return batch.to(self.device, self._dtype)

    def _checked(self, images: Tensor) -> Tensor:
        images = images[None] if images.ndim == 3 else images
        if images.ndim != 4 or not images.is_floating_point():
            raise ValueError(
                f"record() got a tensor {list(images.shape)} of {images.dtype}; expected prepared "
                f"floats [B, {self.input_channels}, H, W]. Give raw pictures as uint8 arrays "
                "[H, W, 3] or PIL images."
            )
        return images

    def record(
        self, images: Picture | Sequence[Picture] | Tensor, upto: str | None = None
    ) -> Recording:
        """One forward pass, with the switches and maps that the way back needs.

        images: one or several PIL images, paths, encoded bytes or uint8 arrays [H, W, 3], or a
        prepared Tensor [B, C, H, W].
        upto: the layer to stop after, when later ones and the output are not wanted.
        """
        inputs = self.preprocess(images)
        shape = tuple(inputs.shape[1:])
        layers = self._layers.get(shape)
        if layers is None:
            record = self._recorded(inputs[:1], None, None)
            layers = self._layers[shape] = find_layers(record.calls)
            self._steps[shape] = tuple(call.name for call in record.calls)
            self._forms[shape] = {
                name: (record.calls[layer.step].axes, record.calls[layer.step].grid)
                for name, layer in layers.items()
            }
            _forget(record, layers.steps)
            if len(inputs) > 1 or upto is not None:
                del record
                layers, record = self._again(inputs, layers, upto)
        else:
            layers, record = self._again(inputs, layers, upto)
        self._shape = shape
        return Recording(self, inputs, record, layers)

    def _again(self, inputs: Tensor, layers: Layers, upto: str | None) -> tuple[Layers, Record]:
        """The record of a batch, and its layers with their places in it."""
        shape = tuple(inputs.shape[1:])
        if len(inputs) > 1:
            layers = self._batched.get(shape, layers)
        some = layers if upto is None else layers.up_to(upto)
        record = self.record_again(inputs, some)
        if len(inputs) > 1:
            for name, layer in some.items():  # what is rows and columns, a single picture tells
                if layer.step < len(record.calls):
                    call = record.calls[layer.step]
                    call.axes, call.grid = self._forms[shape][name]
        if len(inputs) == 1 or shape in self._batched:
            return some, record
        # What one picture and several go through may differ by a step, as after changes in place.
        names = tuple(call.name for call in record.calls)
        known = self._steps[shape] if upto is None else self._steps[shape][: len(names)]
        if names == known and some.fit(record.calls):
            self._batched[shape] = layers
            return some, record
        there = find_layers(self._recorded(inputs, frozenset(), None).calls)
        self._batched[shape] = layers.placed_as(there)
        return self._again(inputs, layers, upto)

    def _recorded(
        self,
        inputs: Tensor,
        keep: frozenset[int] | None,
        last: int | None,
        changes: Sequence[Change] = (),
        resumed: Resumed | None = None,
    ) -> Record:
        """One forward pass of the user's model, watched."""
        recorder = Recorder(self.model, keep, last, changes, self._added, resumed)
        # A copy, for the model may change its input in place.
        inputs = inputs.to(self.device, self._dtype, copy=True)
        try:
            with models.evaluating(self.model), exactly():
                return recorder.run(self.forward, inputs)
        except (UnsupportedModel, torch.OutOfMemoryError):
            raise
        except (RuntimeError, ValueError, AssertionError, TypeError) as error:
            if other := models.other_dimensions(self.model):
                raise UnsupportedModel(
                    f"{self.name} has a {other}, which takes no picture [B, C, H, W]: {error}. "
                    "Only networks of 2-D convolutions can be looked into; give a module whose "
                    "forward takes a picture."
                ) from error
            shape = list(inputs.shape[1:])
            raise ValueError(
                unfit(self.name, self._channels, shape, error, self._takes)
                + " Further inputs of the model are given with inputs=."
            ) from error

    def _takes(self, side: int, channels: int | None = None) -> bool:
        """True if a square of so many pixels goes through the model."""
        x = torch.zeros(1, channels or self._channels, side, side)
        try:
            with models.evaluating(self.model), torch.no_grad():
                self.forward(x.to(self.device, self._dtype))
        except Exception:  # noqa: BLE001 - a model may say anything about a size
            return False
        return True

    def record_again(
        self,
        inputs: Tensor,
        layers: Layers,
        changes: Sequence[Change] = (),
        resumed: Resumed | None = None,
    ) -> Record:
        """The record of prepared inputs whose layers, and their places in it, are known.

        changes: of the outputs of steps on the way, one each. resumed: what need not be computed.
        """
        last = None if layers.complete else max(layers.steps)
        return self._recorded(inputs, layers.steps, last, changes, resumed)

    def record_changed(
        self, inputs: Tensor, layers: Layers, before: Record, changes: Sequence[Change]
    ) -> Record:
        """As `record_again`, computing only what the changes reach where the model lets us."""
        if models.has_hooks(self.model):  # they may keep what they see
            return self.record_again(inputs, layers, changes)
        try:
            resumed = Resumed(before, [change.step for change in changes])
            return self.record_again(inputs, layers, changes, resumed)
        except (NotResumed, RuntimeError, ValueError):
            # It reads what was not computed; if that was not the reason, a whole pass says so, too.
            return self.record_again(inputs, layers, changes)

    def with_directions(
        self,
        name: str,
        layer: str,
        matrix: Tensor | np.ndarray[Any, Any],
        bias: Tensor | np.ndarray[Any, Any] | None = None,
    ) -> DeconvNet:
        """The same network with one more layer, whose channels are directions in another one.

        A direction is a vector over the channels of a layer: a linear probe's weights, the
        difference of two classes, a factor of NMF or PCA, a sparse autoencoder's feature. Its
        activation at a place is the inner product of the vector with the channels there (as
        `feature_maps` shows them), plus its bias. On the way back the neuron's signal is spread
        over the channels at its place by the same vector: the transposed matrix, as through a
        convolution of 1 x 1. A unit vector is its channel, bit for bit.

        name: of the new layer, which recordings, `scan`, `exemplars` and the widgets treat as any
        other. layer: the one that is looked at. matrix: [D, C], a direction in each row, or [C].
        bias: [D]. The network itself stays as it was; its model and weights are shared.

        Raises KeyError for a layer that does not exist, ValueError for a name that there is, and
        for a matrix or bias of another shape or with NaN in it.
        """
        base = self.layers[layer]
        if not name or name in self.layers:
            raise ValueError(f"directions {name!r}: expected a name that no layer has yet.")
        recording = self.record(torch.zeros(1, *self._known_shape()), upto=base.name)
        call = recording.call_of(base.name)
        some = [None if t is None else torch.as_tensor(t).detach().clone() for t in (matrix, bias)]
        vectors, offsets = (None if t is None else t.to(self.device, self._dtype) for t in some)
        assert vectors is not None
        other = copy.copy(self)
        added = Added.checked(name, base.name, call, base.channels, vectors, offsets)
        other._added = (*self._added, added)  # noqa: SLF001 - of our kind
        other._forget_sizes()  # noqa: SLF001 - of our kind
        return other

    def with_model(self, model: nn.Module, name: str = "") -> DeconvNet:
        """The same settings and added directions around another model of this architecture.

        model: on this network's device. name: the same one by default. Nothing is known of any size
        of pictures, but ways back that autograd has confirmed are those of the same operations.
        """
        other = copy.copy(self)
        other.model, other.name = model, name or self.name
        # Once a size has been seen, that of prepared pictures is settled here as well as there.
        other._any_size = self._any_size and self._shape is None  # noqa: SLF001 - of our kind
        other._forget_sizes()  # noqa: SLF001 - of our kind
        other._checked_ways = set(self._checked_ways)  # noqa: SLF001 - of our kind
        return other

    def _known_shape(self) -> tuple[int, ...]:
        assert self._shape is not None
        return self._shape

    def _forget_sizes(self) -> None:
        """Nothing is known of any size of pictures."""
        self._layers, self._batched = {}, {}
        self._steps, self._forms = {}, {}
        self._shape, self._checked_ways = None, set()

    def layers_alone(self, inputs: Tensor) -> Layers:
        """The layers as they stand in the record of a single picture of this size."""
        return self._layers[tuple(inputs.shape[1:])]

    def check_way_back(self, x: Tensor, record: Record | None = None) -> None:
        """Compare the way back with autograd, if not done for pictures of this size.

        x: one picture [1, C, H, W]. record: its own, to the end; made here if there is none yet,
        for in that of a batch no single picture's output can be held against autograd's. Raises
        UnsupportedModel if they differ.
        """
        shape = tuple(x.shape[1:])
        if not self._check or shape in self._checked_ways:
            return
        if record is None:
            record = self.record_again(x, self._layers[shape])
        with models.evaluating(self.model), models.as_written(), exactly():
            settled = compare(self.name, self.forward, record, x)
        if settled:
            self._checked_ways.add(shape)

    def forward(self, x: Tensor) -> Any:
        """What the model makes of prepared pictures [B, C, H, W] and its further inputs."""
        if isinstance(self.inputs, Mapping):
            return self.model(x, **self.inputs)
        return self.model(x, *self.inputs)

    def undo(self, inputs: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Prepared inputs [B, C, H, W] as pictures, uint8 [B, H, W, 3]."""
        return self.preparation.undo(inputs, self.planes)

    def to_rgb(self, pixels: Tensor) -> Tensor:
        """Signed input-space pictures [N, C, h, w] as red, green, blue: [N, 3, h, w].

        The preparation's scale per channel is undone, or colours would be out of balance.
        """
        return self.preparation.to_rgb(pixels, self.planes)

    def neurons_at_once(self, values: int) -> int:
        """How many neurons of so many values each fit the memory budget."""
        # Signal in, signal out and one temporary are alive at the same time.
        return max(1, self.memory // (2 * values * max(4, self._dtype.itemsize)))

    def weights_version(self) -> tuple[object, ...]:
        """A fingerprint of the weights, in milliseconds: another one means other weights."""
        return models.fingerprint(self.model)

    def weights_hash(self) -> str:
        """SHA-256 over names, shapes and values of the model's parameters and buffers.

        Those of added directions count, too.
        """
        digest = hashlib.sha256()
        tensors = self.model.state_dict()
        for added in self._added:
            tensors[f"{added.base} -> {added.name}"] = added.matrix
            if added.bias is not None:
                tensors[f"{added.base} -> {added.name}, bias"] = added.bias
        for name, tensor in sorted(tensors.items()):
            digest.update(f"{name}{list(tensor.shape)}{tensor.dtype}".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy())
        return digest.hexdigest()


def _forget(record: Record, steps: frozenset[int]) -> None:
    """Let go of all outputs but those of layers."""
    for index, call in enumerate(record.calls):
        if index not in steps:
            call.kept = None
