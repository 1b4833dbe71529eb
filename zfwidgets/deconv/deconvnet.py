"""DeconvNet: a convolutional network one can look into."""

from __future__ import annotations

import copy
import hashlib
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from zfwidgets.deconv.graph import Graph, Record
from zfwidgets.deconv.layers import Layers, find_layers
from zfwidgets.deconv.precision import exactly
from zfwidgets.deconv.recording import Recording
from zfwidgets.images import Preprocess, decode

Picture = Image.Image | str | Path | bytes | np.ndarray[Any, Any]
Transforms = Callable[[Image.Image], Tensor]


class DeconvNet:
    """A network, traced once, that records forward passes and sends neurons back to pixels.

    Args:
        model: any torch CNN that torch.fx can trace. It is not changed: no hooks, no flags; its
            parameters are shared as long as it stays on its device. Hooks it has do not run.
        transforms: from a PIL image to the network's input [C, H, W]. A `Preprocess`, torchvision's
            `weights.transforms()`, or any callable; default: ImageNet's usual preparation.
        categories: names of the classes, in the order of the outputs.
        device: "auto" takes CUDA, then MPS, then the CPU, but leaves a model that is on an
            accelerator where it is.
        name: what it is called in captions; default: the model's class.
        memory: how many bytes the signals of one batch of neurons may take.

    Raises:
        UnsupportedModel: what cannot be traced, or has no rule, with the node's name.
    """

    def __init__(
        self,
        model: nn.Module,
        transforms: Transforms | None = None,
        categories: Sequence[str] | None = None,
        device: str | torch.device = "auto",
        name: str = "",
        memory: int = 256 * 2**20,
    ) -> None:
        self.name = name or type(model).__name__
        self.transforms: Transforms = Preprocess() if transforms is None else transforms
        self.categories = list(categories) if categories is not None else None
        self.memory = memory
        self.device, self._dtype = _device(model, device), _dtype(model)
        self.graph = Graph(_moved(model, self.device))
        self._layers: dict[tuple[int, ...], Layers] = {}
        self._shape: tuple[int, ...] | None = None

    def __repr__(self) -> str:
        return f"DeconvNet({self.name}, {len(self.layers)} layers, {self.device})"

    @property
    def layers(self) -> Layers:
        """The layers by name, in order, with sizes for the input last recorded.

        Before the first recording: for the size that `transforms` makes.
        """
        if self._shape is None:
            side = getattr(self.transforms, "size", None) or getattr(
                self.transforms, "crop_size", [224]
            )
            side = side[0] if isinstance(side, list | tuple) else side
            self.record(torch.zeros(1, self.input_channels, int(side), int(side)))
        assert self._shape is not None
        return self._layers[self._shape]

    @property
    def input_channels(self) -> int:
        """Colour planes that the network takes."""
        for module in self.graph.modules():
            if isinstance(module, nn.Conv2d):
                return module.in_channels
        return 3

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
        batch = torch.stack([self._prepared(decode(picture)) for picture in pictures])
        return batch.to(self.device, self._dtype)

    def _prepared(self, picture: Image.Image) -> Tensor:
        prepared = self.transforms(picture)
        if getattr(prepared, "ndim", 0) != 3:
            raise ValueError(f"transforms gave {_shape_of(prepared)}; expected a Tensor [C, H, W].")
        return prepared

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
        with torch.inference_mode(), exactly():
            layers = self._layers.get(shape)
            if layers is None:
                first = self._first(inputs[:1])
                layers = self._layers[shape] = find_layers(first.calls)
            if upto is None:
                record = self.graph.run(inputs, layers.steps)
            else:
                layers = layers.up_to(upto)
                record = self.graph.run(inputs, layers.steps, max(layers.steps))
        self._shape = shape
        return Recording(self, inputs, record, layers)

    def _first(self, inputs: Tensor) -> Record:
        """The first forward pass of inputs of this size, compared with the model's own."""
        try:
            record = self.graph.run(inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise ValueError(
                f"record() got pictures of {list(inputs.shape[1:])}. {self.name} takes "
                f"{self.input_channels} channels and could not take these: {error}"
            ) from error
        self.graph.check(inputs, record)
        return record

    def undo(self, inputs: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Prepared inputs [B, C, H, W] as pictures, uint8 [B, H, W, 3]."""
        return self._preparation().undo(inputs)

    def to_rgb(self, pixels: Tensor) -> Tensor:
        """Signed input-space pictures [N, C, h, w] as red, green, blue: [N, 3, h, w].

        The preparation's scale per channel is undone, or colours would be out of balance.
        """
        return self._preparation().to_rgb(pixels)

    def _preparation(self) -> Preprocess:
        """The preparation, or what can be known of it."""
        if isinstance(self.transforms, Preprocess):
            return self.transforms
        channels = self.input_channels
        mean = tuple(getattr(self.transforms, "mean", None) or (0.0,) * channels)
        std = tuple(getattr(self.transforms, "std", None) or (1.0,) * channels)
        return Preprocess(mean=mean, std=std, channels="L" if channels == 1 else "RGB")

    def neurons_at_once(self, values: int) -> int:
        """How many neurons of so many values each fit the memory budget."""
        # Signal in, signal out and one temporary are alive at the same time.
        return max(1, self.memory // (2 * values * torch.empty(0, dtype=self._dtype).itemsize))

    def weights_version(self) -> tuple[int, ...]:
        """Counts of the changes to each parameter and buffer: another one means other weights."""
        state = itertools.chain(self.graph.model.parameters(), self.graph.model.buffers())
        return tuple(0 if t.is_inference() else t._version for t in state)  # noqa: SLF001

    def weights_hash(self) -> str:
        """SHA-256 over names, shapes and values of the model's parameters and buffers."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.graph.model.state_dict().items()):
            digest.update(f"{name}{list(tensor.shape)}{tensor.dtype}".encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def _device(model: nn.Module, device: str | torch.device) -> torch.device:
    if device != "auto":
        return torch.device(device)
    tensors = itertools.chain(model.parameters(), model.buffers())
    current = next((t.device for t in tensors), torch.device("cpu"))
    if current.type != "cpu":
        return current
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _dtype(model: nn.Module) -> torch.dtype:
    tensors = itertools.chain(model.parameters(), model.buffers())
    floats = (t.dtype for t in tensors if t.is_floating_point())
    return next(floats, torch.float32)


def _moved(model: nn.Module, device: torch.device) -> nn.Module:
    """The model itself if all of it is on the device, else a copy there."""
    tensors = [*model.parameters(), *model.buffers()]
    if all(
        t.device.type == device.type and device.index in (None, t.device.index) for t in tensors
    ):
        return model
    return copy.deepcopy(model).to(device)


def _shape_of(value: object) -> str:
    return f"a Tensor {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
