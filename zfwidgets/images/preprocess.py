"""From a photograph to the network's input and back: the network's own preparation, invertible.

The preparation belongs to the weights: a network fed with the channels swapped, or with 0..1 where
it was trained on 0..255, still answers, only wrongly.  So it is data (a frozen dataclass) that is
kept beside the weights, and it can say which part of the photograph the network sees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

from zfwidgets.images.arrays import array_planes
from zfwidgets.images.decode import decode
from zfwidgets.images.limits import ImageError, get_limits
from zfwidgets.images.numbers import floats
from zfwidgets.images.planes import Planes

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]
Channels = Literal["RGB", "BGR", "L"] | int
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
        channels: order of the network's input channels.  ``"L"`` is one grey channel.  A number
            stands for so many planes that are no photograph's colours (a depth map, a satellite's
            bands): arrays ``[H, W, channels]`` in place of pictures.  Their uint8 and uint16 are
            brought to 0..``scale``; floats are in units of ``scale`` already.
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
        if isinstance(self.channels, int):
            if isinstance(self.channels, bool) or self.channels < 1:
                raise ValueError(
                    f"Preprocess(channels={self.channels!r}): expected at least 1 plane."
                )
        elif self.channels not in ("RGB", "BGR", "L"):
            raise ValueError(
                f"Preprocess(channels={self.channels!r}): expected 'RGB', 'BGR', 'L' or a number."
            )
        for name, allowed in (
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
        count = {"RGB": 3, "BGR": 3, "L": 1}.get(str(self.channels), self.channels)
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

    def __call__(self, image: Image.Image | Array) -> Tensor:
        """A PIL image of any size and mode -> float Tensor ``[C, size, size]``.

        With ``channels`` a number: an array ``[H, W, channels]``.

        Raises:
            ImageError: see `zfwidgets.images.decode`; a photograph where planes are expected.
        """
        import torch

        return torch.from_numpy(self.array(image))

    def array(self, image: Image.Image | Array) -> Array:
        """The same as a float32 array ``[C, size, size]``, without torch."""
        values, left, top = self._resized(image)
        height, width = values.shape[1:]
        values = (values - self._column(self.mean)) / self._column(self.std)
        if (width, height) == (self.size, self.size):
            return np.ascontiguousarray(values)
        canvas = np.zeros((len(values), self.size, self.size), np.float32)
        canvas[:, top : top + height, left : left + width] = values
        return canvas

    def _resized(self, image: Image.Image | Array) -> tuple[Array, int, int]:
        """What of it the network sees, [C, h, w] in 0..scale, and its left and top in the input."""
        if isinstance(self.channels, int):
            scene = self._scene(image, self.channels)
            size = scene.shape[1], scene.shape[0]
            # Pillow resamples floats one plane at a time.
            planes = [Image.fromarray(scene[:, :, plane]) for plane in range(self.channels)]
        else:
            photo = decode(image)
            size = photo.size
            planes = [photo.convert("L") if self.channels == "L" else photo]
        (left, top, width, height), box = self._placement(*size)
        method = _RESAMPLING[self.interpolation]
        parts = [
            np.array(plane.resize((width, height), method, box=box), dtype=np.float32)
            for plane in planes
        ]
        values = parts[0] if len(parts) == 1 else np.stack(parts, -1)
        values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
        if isinstance(self.channels, int):
            return values, left, top
        values = values * np.float32(self.scale / 255)
        return values[::-1] if self.channels == "BGR" else values, left, top

    def _scene(self, image: Image.Image | Array, channels: int) -> Array:
        """Planes as float32 [H, W, C], a white pixel being `scale`."""
        if not isinstance(image, np.ndarray):
            colours = len(image.getbands())
            raise ImageError(
                "A picture file cannot be prepared for this network",
                f"Preprocess(channels={channels}) takes {channels} planes; got a picture "
                f"of mode {image.mode} with {colours} of colour; expected an array "
                f"[height, width, {channels}] or an .npy file of it.",
                "Give numpy.asarray(image) if its bands are these planes; for photographs use "
                "channels='RGB', 'BGR' or 'L'.",
            )
        scene = array_planes(image, channels, get_limits(), "the array")
        white = {"u": np.iinfo(scene.dtype).max if scene.dtype.kind == "u" else 1, "b": 1}
        factor = self.scale / white[scene.dtype.kind] if scene.dtype.kind in white else 1.0
        return (scene.astype(np.float64) * factor).astype(np.float32)

    def undo(self, inputs: Tensor | Array, planes: Planes | None = None) -> Array:
        """What the network sees, for people: ``[B, C, H, W]`` -> uint8 RGB ``[B, H, W, 3]``.

        planes: which of the network's channels are shown; default: its colours, or
        `Planes.usual`.
        """
        if inputs.ndim != 4 or inputs.shape[1] != len(self.mean):
            raise ValueError(
                f"undo() got a tensor of shape {list(inputs.shape)}; expected "
                f"[batch, {len(self.mean)}, height, width]. For one image give inputs[None]; for "
                "a network of other channels, transforms that fit it."
            )
        values = floats(inputs) * self._column(self.std) + self._column(self.mean)
        rgb = self._colours(values * np.float32(255 / self.scale), planes).round().clip(0, 255)
        return np.ascontiguousarray(rgb.astype(np.uint8).transpose(0, 2, 3, 1))

    @property
    def pixel_gain(self) -> Tensor:
        """Tensor ``[C]``, in the network's channel order: one unit of the input, in pixel units.

        A projection lives in the network's input space, where each channel was divided by its own
        ``std``.  Multiplied by this gain its colours are balanced again; 1.0 is then the step
        from black to white.
        """
        import torch

        return torch.tensor(self.std, dtype=torch.float32) / self.scale

    def to_rgb(self, pixels: Tensor, planes: Planes | None = None) -> Tensor:
        """A signed picture in input space (a projection) ``[N, C, h, w]`` -> ``[N, 3, h, w]``.

        Channels come back in the order red, green, blue, each multiplied by `pixel_gain`; the mean
        is not added, so zero stays zero.  planes: as for `undo`.
        """
        gain = self.pixel_gain.to(pixels)
        rgb: Tensor = self._colours(pixels * gain[:, None, None], planes)
        return rgb

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

    def _colours(self, values: Any, planes: Planes | None) -> Any:
        if planes is None:
            bgr = Planes(red=2, green=1, blue=0)
            planes = bgr if self.channels == "BGR" else Planes.usual(len(self.mean))
        return planes.of(values)

    @staticmethod
    def _column(numbers: tuple[float, ...]) -> Array:
        return np.array(numbers, np.float32)[:, None, None]
