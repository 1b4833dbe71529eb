"""A network on a server, with the public face of `DeconvNet`."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zfwidgets.deconv.layer import Layers
from zfwidgets.images.decode import decode
from zfwidgets.images.files import read_file
from zfwidgets.images.limits import ImageError, check_bytes, get_limits
from zfwidgets.images.numbers import floats, is_tensor
from zfwidgets.images.photo import Photo
from zfwidgets.images.preprocess import Preprocess
from zfwidgets.remote import wire
from zfwidgets.remote.client import Client, ServerError, UnknownPictures
from zfwidgets.remote.recording import RemoteRecording, layers_of
from zfwidgets.remote.wire import Arrays

Strip = tuple[np.ndarray[Any, np.dtype[np.uint8]], list[dict[str, Any]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Kernels:
    """See `zfwidgets.widgets.exemplar_strip.kernels.Kernels`."""

    layer: str
    count: int
    heaviest: Sequence[int]


class RemoteNet:
    """A network on a server. Made by `connect`.

    name, device, categories, layers, input_channels: as `DeconvNet`'s. url: the server's.
    transforms: its preparation if it is a `Preprocess`, else None. colours: [3, C], from input
    space to red, green, blue. weights: their SHA-256. exemplars: layers of which the scan of the
    gallery ships, and how many pictures it has seen. synthesised: layers of which synthesised
    pictures ship, and their size.
    """

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name, self.url = client, name, client.url
        told, arrays = client.ask({"op": "net", "net": name})
        if told.get("version") != wire.VERSION:
            raise ServerError(
                "Server and kernel do not match",
                f"{self.url} speaks version {told.get('version')!r:.9}, not {wire.VERSION}.",
                "Install the same zfwidgets on both.",
            )
        self.device: str = told["device"]
        self.categories: list[str] | None = told["categories"]
        self.input_channels: int = told["input_channels"]
        self.layers: Layers = layers_of(told["layers"])
        self.colours = arrays["colours"]
        how = told["preprocess"]
        self.transforms = None if how is None else Preprocess(**how)
        self.preparation = self.transforms
        self.weights: str = told["weights"]
        self.exemplars: dict[str, int] = told["exemplars"]
        self.synthesised = {name: (h, w) for name, (h, w) in told["synthesised"].items()}

    def __repr__(self) -> str:
        return f"RemoteNet({self.name}, {len(self.layers)} layers, {self.device} at {self.url})"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"a network on a server has no {name!r}: its module and weights are not here. "
            f"zf.load({self.__dict__.get('name', '')!r}) loads the network into this kernel."
        )

    def record(self, images: Any, upto: str | None = None) -> RemoteRecording:
        """One forward pass on the server, see `DeconvNet.record`.

        images: one or several PIL images, paths, encoded bytes or uint8 arrays [H, W, 3], or
        prepared floats [B, C, H, W], an array or a tensor. What is sent of files is the files.

        Raises ImageError for what is no picture, and as `connect`.
        """
        pictures = sent(images)
        key = wire.key_of(pictures)
        told, arrays = self.ask_about(key, pictures, "record")
        made = RemoteRecording(self, key, pictures, told, arrays)
        if upto is not None:
            made.layers = made.layers.up_to(upto)
        return made

    def preprocess(self, images: Any) -> Any:
        """Pictures as the network takes them, prepared by the server: [B, C, H, W]."""
        return RemoteNet.record(self, images).inputs

    def undo(self, inputs: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Prepared inputs [B, C, H, W] as pictures, uint8 [B, H, W, 3]."""
        return RemoteNet.record(self, inputs).seen()

    def to_rgb(self, pixels: Any) -> Any:
        """Signed input-space pictures [N, C, h, w] as red, green, blue: [N, 3, h, w]."""
        return np.einsum("dc,nchw->ndhw", self.colours, pixels)

    def weights_hash(self) -> str:
        """SHA-256 of the weights, see `DeconvNet.weights_hash`."""
        return self.weights

    def strip(self, layer: str, channel: int, rule: str, px: int) -> Strip:
        """A channel's exemplars, drawn for `ExemplarStrip`: pictures, facts, words."""
        said = {"layer": layer, "channel": channel, "rule": rule, "px": px}
        told, arrays = self.client.ask({"op": "strip", "net": self.name, **said})
        return arrays["pictures"], told["facts"], told["words"]

    def kernels(self, layer: str, channel: int) -> Kernels | None:
        """Which channels before it a filter weighs most, for `ExemplarStrip`."""
        said = {"layer": layer, "channel": channel}
        told, _ = self.client.ask({"op": "kernels", "net": self.name, **said})
        found = told["kernels"]
        return None if found is None else Kernels(**found)

    def on_return(self, method: Callable[[], None]) -> None:
        """Call a method whenever the server has been away and is back; it is held weakly."""
        self.client.on_return(method)

    def ask_about(
        self, key: str, pictures: Arrays, op: str, arrays: Arrays | None = None, **said: Any
    ) -> tuple[Any, Arrays]:
        """Ask about pictures by their key; they are sent if the server does not have them."""
        head = {"op": op, "net": self.name, "key": key, **said}
        try:
            return self.client.ask(head, arrays)
        except UnknownPictures:
            return self.client.ask(head, {**(arrays or {}), **pictures})


def sent(images: Any) -> Arrays:
    """Pictures as they travel: files as their bytes, images as lossless files, inputs as floats.

    Raises ImageError for what is no picture, ValueError for none at all.
    """
    if is_tensor(images) or (isinstance(images, np.ndarray) and images.dtype.kind == "f"):
        values = floats(images)
        return {wire.INPUTS: values[None] if values.ndim == 3 else values}
    listed: Sequence[Any] = images if isinstance(images, list | tuple) else [images]
    if not listed:
        raise ValueError("record() got no pictures; expected one or more.")
    return {f"{wire.PICTURE}{index}": _bytes(one) for index, one in enumerate(listed)}


def _bytes(picture: Any) -> np.ndarray[Any, Any]:
    limits = get_limits()
    if isinstance(picture, Photo):
        picture = picture.open()
    if isinstance(picture, str | Path):
        picture = read_file(picture, limits, Path(picture).name)
    if isinstance(picture, np.ndarray):
        return picture
    if isinstance(picture, Image.Image):
        out = io.BytesIO()
        # Upright and in sRGB first, as the network will see it: not all of that travels in a file.
        decode(picture).save(out, "PNG", compress_level=1)
        picture = out.getvalue()
    if not isinstance(picture, bytes | bytearray | memoryview):
        raise ImageError(
            "This is not a picture",
            f"Got an object of type {type(picture).__name__}; expected the bytes of a file, a "
            "path, a PIL image or a NumPy array.",
            "A tensor becomes an array with tensor.cpu().numpy().",
        )
    check_bytes(len(picture), limits, "the picture")
    return np.frombuffer(bytes(picture), np.uint8)
