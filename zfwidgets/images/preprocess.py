"""From a photograph to the network's input and back: the network's own preparation, invertible.

The preparation belongs to the weights: a network fed with the channels swapped, or with 0..1 where
it was trained on 0..255, still answers, only wrongly.  So it is data (a frozen dataclass) that is
kept beside the weights, and it can say which part of the photograph the network sees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zfwidgets.images.decode import decode

Channels = Literal["RGB", "BGR", "L"]
Mode = Literal["crop", "squash", "fit"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Preprocess:
    """``(pixel / 255 * scale - mean) / std``, on a square cut out of the photograph.

    Args:
        size: side of the network's input, in pixels.
        resize: side that the photograph's shorter side is brought to before the centre is cropped
            (mode ``"crop"``; at least ``size``); not used by the other modes.
        mean, std: one number per channel, in the network's channel order and in units of ``scale``.
        scale: the value that a white pixel has before ``mean`` is taken off: 1 for most PyTorch
            weights, 255 for those that came from Caffe.
        channels: order of the network's input channels.  ``"L"`` is one grey channel.
        mode: ``"crop"`` keeps proportions and cuts the middle out (the usual evaluation);
            ``"squash"`` presses the whole photograph into the square; ``"fit"`` keeps the whole
            photograph and its proportions, with the mean colour (zero for the network) around it.
        interpolation: how pixels are resampled; shrinking always averages (except ``"nearest"``).

    ``"crop"`` with ``"bilinear"`` gives what torchvision's ``Resize(resize)``, ``CenterCrop(size)``
    and ``Normalize`` give on a PIL image, but the part outside the crop is never computed.
    """

    size: int = 224
    resize: int = 256
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    scale: float = 1.0
    channels: Channels = "RGB"
    mode: Mode = "crop"
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("channels", ("RGB", "BGR", "L")),
            ("mode", ("crop", "squash", "fit")),
            ("interpolation", tuple(_RESAMPLING)),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"Preprocess({name}={getattr(self, name)!r}): expected one of {allowed}."
                )
        if self.size < 1 or (self.mode == "crop" and self.resize < self.size):
            raise ValueError(
                f"Preprocess(size={self.size}, resize={self.resize}): expected 1 <= size <= "
                "resize; for no margin around the crop give resize=size."
            )
        count = 1 if self.channels == "L" else 3
        for name in ("mean", "std"):
            values = tuple(float(v) for v in getattr(self, name))
            if len(values) != count or not all(map(math.isfinite, values)):
                raise ValueError(
                    f"Preprocess({name}={values}): expected {count} finite numbers for "
                    f"channels={self.channels!r}, in that order."
                )
            object.__setattr__(self, name, values)
        if min(self.std) <= 0 or not (math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(
                f"Preprocess(std={self.std}, scale={self.scale}): expected numbers above 0; "
                "std=(1, 1, 1) divides by nothing."
            )

    def __call__(self, image: Image.Image) -> Tensor:
        """A PIL image of any size and mode -> float Tensor ``[C, size, size]``.

        Raises:
            ImageError: see `zfwidgets.images.decode`.
        """
        photo = decode(image)
        if self.channels == "L":
            photo = photo.convert("L")
        paste, box = self._placement(*photo.size)
        left, top, width, height = paste
        part = photo.resize((width, height), _RESAMPLING[self.interpolation], box=box)
        values = torch.from_numpy(np.array(part, dtype=np.float32))
        values = values[None] if values.ndim == 2 else values.permute(2, 0, 1)
        if self.channels == "BGR":
            values = values.flip(0)
        mean, std = self._column(self.mean, values), self._column(self.std, values)
        values = (values * (self.scale / 255) - mean) / std
        if (width, height) == (self.size, self.size):
            return values.contiguous()
        canvas = values.new_zeros(values.shape[0], self.size, self.size)
        canvas[:, top : top + height, left : left + width] = values
        return canvas

    def undo(self, inputs: Tensor) -> np.ndarray[Any, Any]:
        """What the network sees, for people: ``[B, C, H, W]`` -> uint8 RGB ``[B, H, W, 3]``."""
        if inputs.ndim != 4 or inputs.shape[1] != len(self.mean):
            raise ValueError(
                f"undo() got a tensor of shape {list(inputs.shape)}; expected "
                f"[batch, {len(self.mean)}, height, width]. For one image give inputs[None]; for "
                "a network of other channels, transforms that fit it."
            )
        values = inputs.detach().float()
        values = values * self._column(self.std, values) + self._column(self.mean, values)
        rgb = self._rgb_order(values * (255 / self.scale)).round().clamp(0, 255)
        return rgb.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()

    @property
    def pixel_gain(self) -> Tensor:
        """Tensor ``[C]``, in the network's channel order: one unit of the input, in pixel units.

        A projection lives in the network's input space, where each channel was divided by its own
        ``std``.  Multiplied by this gain its colours are balanced again; 1.0 is then the step
        from black to white.
        """
        return torch.tensor(self.std, dtype=torch.float32) / self.scale

    def to_rgb(self, pixels: Tensor) -> Tensor:
        """A signed picture in input space (a projection) ``[N, C, h, w]`` -> ``[N, 3, h, w]``.

        Channels come back in the order red, green, blue, each multiplied by `pixel_gain`; the mean
        is not added, so zero stays zero.
        """
        gain = self.pixel_gain.to(pixels)
        return self._rgb_order(pixels * gain[:, None, None])

    def crop_box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The rectangle of a ``width`` x ``height`` photograph that the input square shows.

        Returns ``(left, top, right, bottom)`` in pixels of the upright photograph, not rounded.
        Column ``x`` of the input lies at ``left + (right - left) * x / size``, rows likewise.  In
        mode ``"fit"`` the rectangle reaches beyond the photograph, where the margin is.
        """
        paste, box = self._placement(width, height)
        left, top, w, h = paste
        step_x, step_y = (box[2] - box[0]) / w, (box[3] - box[1]) / h
        x, y = box[0] - left * step_x, box[1] - top * step_y
        return x, y, x + self.size * step_x, y + self.size * step_y

    def _placement(
        self, width: int, height: int
    ) -> tuple[tuple[int, int, int, int], tuple[float, float, float, float]]:
        """Where in the input the photograph goes (left, top, width, height), and which part of it
        (left, top, right, bottom, in photograph pixels)."""
        size, whole = self.size, (0.0, 0.0, float(width), float(height))
        if self.mode == "squash":
            return (0, 0, size, size), whole
        if self.mode == "fit":
            shrink = size / max(width, height)
            w, h = max(1, round(width * shrink)), max(1, round(height * shrink))
            return ((size - w) // 2, (size - h) // 2, w, h), whole
        # The resized photograph is (w, h); only the crop at (x, y) of it is ever computed.
        short = min(width, height)
        w, h = self.resize * width // short, self.resize * height // short
        x, y = round((w - size) / 2), round((h - size) / 2)
        step_x, step_y = width / w, height / h
        right, bottom = min((x + size) * step_x, width), min((y + size) * step_y, height)
        return (0, 0, size, size), (x * step_x, y * step_y, right, bottom)

    def _rgb_order(self, values: Tensor) -> Tensor:
        if self.channels == "L":
            return values.expand(-1, 3, -1, -1)
        return values.flip(1) if self.channels == "BGR" else values

    @staticmethod
    def _column(numbers: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(numbers, dtype=like.dtype, device=like.device)[:, None, None]
