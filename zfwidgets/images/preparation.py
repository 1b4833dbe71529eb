"""How pictures become a network's input, and inputs pictures again, whoever wrote the preparation.

A `Preprocess` knows its own way back; any other callable (torchvision's, timm's, transformers',
one's own) is measured when the way back is first asked for, see `zfwidgets.images.measure`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from zfwidgets.images.decode import Source, decode, decode_planes
from zfwidgets.images.numbers import is_tensor
from zfwidgets.images.planes import Planes
from zfwidgets.images.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import Tensor

    from zfwidgets.images.measure import Measured

Array = np.ndarray[Any, Any]
Transforms = Callable[[Any], Any]


def usual_preprocess(channels: int) -> Preprocess:
    """What is taken for a network of so many channels if nothing is known of its preparation.

    ImageNet's for three; 0..1, without a mean, for one channel of grey or for other planes.
    """
    if channels == 3:
        return Preprocess()
    names: Any = "L" if channels == 1 else channels
    return Preprocess(mean=(0.0,) * channels, std=(1.0,) * channels, channels=names)


def prepared(transforms: Transforms, picture: Image.Image | Array) -> Tensor:
    """The network's input ``[C, H, W]`` that `transforms` makes of one picture.

    transforms may give a Tensor or array ``[C, H, W]`` or ``[1, C, H, W]``, or a mapping that has
    it as ``pixel_values``, as the processors of transformers do.

    Raises:
        ValueError: it gives something else.
    """
    import torch

    # A processor of text and pictures has one of pictures only.
    call = getattr(transforms, "image_processor", None) or transforms
    given = found = call(picture)
    if isinstance(found, Mapping):
        found = found.get("pixel_values")
    if isinstance(found, list | tuple) and len(found) == 1:
        found = found[0]
    if isinstance(found, np.ndarray) and found.dtype.kind in "biuf":
        found = torch.from_numpy(np.array(found))
    if isinstance(found, torch.Tensor):
        found = found.detach().as_subclass(torch.Tensor)
        if found.ndim == 4 and len(found) == 1:
            found = found[0]
        if found.ndim == 3:
            return found
    raise ValueError(
        f"transforms gave {_kind(given)}; expected a Tensor [C, H, W], or a mapping that has it as "
        "'pixel_values'." + (" End it with ToTensor()." if isinstance(given, Image.Image) else "")
    )


_SIDES = (32, 28, 64, 96, 128, 160, 192, 224, 227, 256, 299, 320, 384, 448, 512)


def unfit(
    name: str, channels: int, shape: Sequence[int], error: object, takes: Callable[[int], bool]
) -> str:
    """Why a network cannot take inputs of this shape ``[C, H, W]``, and what to give it.

    takes: whether the network can take squares of so many pixels; asked for the usual ones.
    """
    text = (
        f"record() got pictures of {list(shape)}. {name} takes {channels} channels and could not "
        f"take these: {str(error).rstrip('.')}."
    )
    if shape[0] != channels:
        return f"{text} Give it transforms that make [{channels}, H, W]."
    side = next((side for side in _SIDES if takes(side)), None)
    if side is None:
        return f"{text} Give it the size it was made for, with transforms=Preprocess(size=…)."
    return (
        f"{text} It takes {side} x {side}: give transforms=Preprocess(size={side}, resize={side})."
    )


class Preparation:
    """Pictures to inputs and back, for a network of `channels` channels.

    Args:
        transforms: from a PIL image (an array ``[H, W, C]`` for networks of other than one or three
            channels) to what `prepared` accepts; None: `usual_preprocess`.
        channels: how many the network takes.

    Attributes:
        transforms: as given, or the usual one.
        channels: as given.
    """

    def __init__(self, transforms: Transforms | None, channels: int) -> None:
        self.transforms = usual_preprocess(channels) if transforms is None else transforms
        self.channels = channels
        self._guessed = transforms is None and channels != 3
        self._in_grey = False  # whether transforms keeps a picture's mode, and the network is grey

    # ------------------------------------------------------------------------- to the input

    def open(self, source: Source, name: str = "") -> Image.Image | Array:
        """A picture as `transforms` takes it: RGB, or an array ``[H, W, channels]``.

        Says as a warning what `decode` had to guess.

        Raises:
            ImageError: see `zfwidgets.images.decode`.
        """
        picture: Image.Image | Array
        if self._takes_planes:
            picture = decode_planes(source, self.channels, name=name)
        else:
            picture = decode(source, name=name)
        note = picture.info.get("note") if isinstance(picture, Image.Image) else None
        if note:
            warnings.warn(note, stacklevel=2)
        return picture

    def __call__(self, picture: Image.Image | Array) -> Tensor:
        """The input ``[C, H, W]``. A grey network's transforms that keep a picture's mode get grey.

        Raises:
            ValueError: transforms gives no input.
            ImageError: transforms is a `Preprocess` and this is no picture for it.
        """
        if self.channels != 1 or not isinstance(picture, Image.Image):
            return prepared(self.transforms, picture)
        if self._in_grey:
            return prepared(self.transforms, picture.convert("L"))
        return self._grey(picture)

    def _grey(self, picture: Image.Image) -> Tensor:
        """Of a photograph for a grey network: in colour first, for transforms may want that."""
        problem: Exception | None = None
        try:
            values = prepared(self.transforms, picture)
            if len(values) == 1:
                return values
        except Exception as error:  # noqa: BLE001 - raised again if grey does no better
            problem = error
        try:
            grey = prepared(self.transforms, picture.convert("L"))
        except Exception:  # noqa: BLE001 - the first error says more
            if problem is None:
                return values
            raise problem from None
        self._in_grey = len(grey) == 1
        return grey

    @property
    def _takes_planes(self) -> bool:
        own = isinstance(self.transforms, Preprocess) and isinstance(self.transforms.channels, int)
        return own or self.channels not in (1, 3)

    # ----------------------------------------------------------------------------- and back

    @property
    def size(self) -> tuple[int, int] | None:
        """Rows and columns of the input, if all square pictures are brought to the same."""
        if isinstance(self.transforms, Preprocess):
            return self.transforms.size, self.transforms.size
        return self._measured.size

    @property
    def note(self) -> str:
        """Why inputs cannot be shown in their own levels; empty where they can."""
        if isinstance(self.transforms, Preprocess):
            return ""
        return self._measured.note

    @property
    def pixel_gain(self) -> Tensor:
        """Tensor ``[C]``: one unit of each channel's input, 1 being the step from black to white.

        See `Preprocess.pixel_gain`.
        """
        if isinstance(self.transforms, Preprocess):
            return self.transforms.pixel_gain
        return 1 / self._measured.gain

    @property
    def black(self) -> Tensor:
        """Tensor ``[C]``: the value of a black pixel, in input units."""
        if isinstance(self.transforms, Preprocess):
            import torch

            return -torch.tensor(self.transforms.mean) / torch.tensor(self.transforms.std)
        return self._measured.offset

    def undo(self, inputs: Tensor | Array, planes: Planes | None = None) -> Array:
        """What the network sees, for people: ``[B, C, H, W]`` -> uint8 RGB ``[B, H, W, 3]``.

        Where the preparation is not known (see `note`, or no transforms were given to a network of
        other than three channels), values that leave 0..1 are shown from the batch's least to its
        greatest.

        planes: which channels are shown; default: the picture's colours, or `Planes.usual`.

        Raises:
            ValueError: another number of channels or axes.
        """
        known = isinstance(self.transforms, Preprocess) and not self._guessed
        if isinstance(self.transforms, Preprocess) and known:
            return self.transforms.undo(inputs, planes)
        if inputs.ndim != 4 or inputs.shape[1] != self.channels:
            raise ValueError(
                f"undo() got a tensor of shape {list(inputs.shape)}; expected "
                f"[batch, {self.channels}, height, width]. For one image give inputs[None]."
            )
        assert is_tensor(inputs), "only a Preprocess makes arrays"
        values = inputs.detach().float()
        levels = self.to_rgb(values - self.black.to(values)[:, None, None], planes)
        if self._guessed or self.note:
            levels = _fitted(levels)
        pixels = (levels * 255).round().clamp(0, 255)
        return pixels.byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def to_rgb(self, pixels: Tensor, planes: Planes | None = None) -> Tensor:
        """A signed picture in input space (a projection) ``[N, C, h, w]`` -> ``[N, 3, h, w]``.

        Each channel is brought to units of black to white; zero stays zero. planes: as for `undo`.
        """
        if isinstance(self.transforms, Preprocess):
            return self.transforms.to_rgb(pixels, planes)
        measured = self._measured
        if planes is None and measured.colours is not None:
            import torch

            return torch.einsum("dc,nchw->ndhw", measured.colours.to(pixels), pixels)
        planes = planes or Planes.usual(self.channels)
        rgb: Tensor = planes.of(pixels / measured.gain.to(pixels)[:, None, None])
        return rgb

    @cached_property
    def _measured(self) -> Measured:
        from zfwidgets.images.measure import measure

        return measure(self, self.channels)


def _fitted(levels: Tensor) -> Tensor:
    """Levels as they are if they fit into 0..1, else from the least to the greatest."""
    low, high = levels.min(), levels.max()
    if float(low) >= 0 and float(high) <= 1:
        return levels
    return (levels - low) / (high - low).clamp(min=1e-30)


def _kind(value: object) -> str:
    if is_tensor(value) or isinstance(value, np.ndarray):
        return f"a {type(value).__name__} {list(value.shape)}"
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} of {', '.join(map(str, list(value)[:4])) or 'nothing'}"
    return type(value).__name__
