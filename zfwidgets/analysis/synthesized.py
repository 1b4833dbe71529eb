"""Synthesised pictures that ship: one a channel, of every convolution of the bundled networks.

One safetensors file a network: of each layer a sheet of tiles, as the bytes of a WebP, and what
each channel answers to its picture. The header names the weights that it was made with.
"""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zfwidgets.analysis.scanning.checkpoint import read, write
from zfwidgets.analysis.synthesize import Pixels, Synthesis, synthesize
from zfwidgets.deconv import DeconvNet
from zfwidgets.images.tiles import resize, sprite
from zfwidgets.nets.fingerprint import fingerprint
from zfwidgets.nets.sources.papers import WEIGHTS

SHEETS = Path(__file__).parent / "sheets"
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
TILE = 64
"""Longest side of a tile in pixels; pictures of smaller fields keep theirs."""

_RECIPE: dict[str, dict[str, Any]] = {
    "conv1": {"steps": 64, "rate": 0.05},
    "conv2": {"steps": 96, "rate": 0.05},
    "conv3": {"steps": 40, "rate": 0.08},
    "conv4": {"steps": 32, "rate": 0.1},
    "conv5": {"steps": 32, "rate": 0.1},
}
"""Larger pictures cost more a step and are clear after fewer."""

_LARGE, _MIDDLE = 96, 0.8
"""Of receptive fields with more pixels a side, pictures have this share. What excites a neuron lies
in the middle of what it can see (Luo et al. 2016, "Understanding the Effective Receptive Field"):
the rest would be half of the work, and grey."""

_LOSSLESS = 32
"""Tiles of no more pixels a side are kept as they are: squares of a few pixels bear no loss."""
_QUALITY = 72
_FORMAT = "zfwidgets synthesised pictures 1"


def make(net: DeconvNet, path: str | Path, weights: Path = WEIGHTS) -> None:
    """Synthesise a picture for every channel of a bundled network, and write what ships.

    The file is written after each layer; the same call goes on from it.
    """
    path = Path(path)
    about = {
        "format": _FORMAT,
        "net": net.name,
        "weights": net.weights_hash(),
        "fingerprint": fingerprint(weights / f"{net.name}.safetensors"),
    }
    tensors: dict[str, Tensor] = {}
    layers: dict[str, Any] = {}
    if path.is_file():
        known, header = read(path, "synthesised pictures")
        if {key: header.get(key) for key in about} == about:
            tensors, layers = known, json.loads(header["layers"])
    for layer in LAYERS:
        recipe = _recipe(net, layer)
        if layers.get(layer, {}).items() >= recipe.items():
            continue
        made = synthesize(net, layer, **recipe)
        tensors |= {
            f"{layer}/sheet": torch.from_numpy(np.frombuffer(_webp(made.images), np.uint8).copy()),
            f"{layer}/activation": made.activations,
            f"{layer}/start": made.start,
        }
        side = min(TILE, made.images.shape[1])
        layers[layer] = {"tile": side, "seed": made.seed, "objective": made.objective, **recipe}
        write(path, tensors, about | {"layers": json.dumps(layers)})


def _recipe(net: DeconvNet, layer: str) -> dict[str, Any]:
    field = max(net.layers[layer].receptive_field)
    if field <= _LARGE:
        return _RECIPE[layer]
    return _RECIPE[layer] | {"size": round(_MIDDLE * field / 8) * 8}


def _webp(images: Pixels) -> bytes:
    side = min(TILE, images.shape[1])
    out = io.BytesIO()
    sheet = Image.fromarray(sprite(resize(images, side, side)))
    exact = side <= _LOSSLESS
    sheet.save(out, "WEBP", lossless=exact, quality=100 if exact else _QUALITY, method=6)
    return out.getvalue()


def synthesized(
    net: str, layer: str, *, folder: Path = SHEETS, weights: Path = WEIGHTS
) -> Synthesis:
    """The pictures that `synthesize` made of a layer of a bundled network, from the shipped file.

    Nothing is computed. The images are tiles of at most 64 pixels a side; activations are of the
    pictures before they were made that small.

    Args:
        net: ``"zfnet"`` or ``"alexnet"``.
        layer: a convolution, ``"conv1"`` to ``"conv5"``.

    Raises:
        KeyError: no pictures of such a network or layer ship.
        ValueError: they were made with other weights than those that are installed.
    """
    path = folder / f"{net}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.safetensors")))
        raise KeyError(
            f"no synthesised pictures of {net!r} ship; there are those of {known}. Of others: "
            "zf.synthesize(net, layer)."
        )
    changed = path.stat().st_mtime_ns
    _, header = _read(path, changed)
    installed = fingerprint(weights / f"{net}.safetensors")
    if header["fingerprint"] != installed:
        raise ValueError(
            f"{path.name} was made with other weights of {net} ({header['fingerprint'][:12]}…) "
            f"than those that are installed ({installed[:12]}…). Install zfwidgets again; from a "
            "checkout, `python -m training remake` makes it anew."
        )
    return _of_layer(path, changed, layer)


def shipped_for(net: DeconvNet, layer: str, folder: Path = SHEETS) -> Synthesis | None:
    """The pictures that ship for a network's layer; None if they are of other weights, or none."""
    path = folder / f"{net.name}.safetensors"
    if not path.is_file():
        return None
    changed = path.stat().st_mtime_ns
    _, header = _read(path, changed)
    if layer not in json.loads(header["layers"]) or header["weights"] != _hash(net):
        return None
    return _of_layer(path, changed, layer)


_hashes: WeakKeyDictionary[DeconvNet, tuple[object, str]] = WeakKeyDictionary()
"""Of all weights, once as long as they are the same: it is asked for with every layer."""


def _hash(net: DeconvNet) -> str:
    version = net.weights_version()
    if _hashes.get(net, (None, ""))[0] != version:
        _hashes[net] = version, net.weights_hash()
    return _hashes[net][1]


@cache
def _of_layer(path: Path, changed: int, layer: str) -> Synthesis:
    tensors, header = _read(path, changed)
    layers = json.loads(header["layers"])
    if layer not in layers:
        raise KeyError(
            f"no synthesised pictures of {header['net']} {layer!r} ship; there are those of "
            f"{', '.join(layers)}."
        )
    about = layers[layer]
    activations = tensors[f"{layer}/activation"]
    return Synthesis(
        net=header["net"],
        weights=header["weights"],
        layer=layer,
        objective=about["objective"],
        channels=tuple(range(len(activations))),
        images=_tiles(tensors[f"{layer}/sheet"], about["tile"])[: len(activations)],
        activations=activations,
        start=tensors[f"{layer}/start"],
        steps=about["steps"],
        seed=about["seed"],
    )


def _tiles(sheet: Tensor, side: int) -> Pixels:
    """uint8 [N, side, side, 3], with the cells left over at the end."""
    picture = np.asarray(Image.open(io.BytesIO(sheet.numpy().tobytes())).convert("RGB"))
    rows, columns = (length // side for length in picture.shape[:2])
    cells = picture.reshape(rows, side, columns, side, 3).transpose(0, 2, 1, 3, 4)
    tiles = cells.reshape(-1, side, side, 3)
    tiles.flags.writeable = False  # whoever asks again gets the same
    return tiles


@cache
def _read(path: Path, changed: int) -> tuple[dict[str, Tensor], dict[str, str]]:  # noqa: ARG001
    return read(path, "synthesised pictures", _FORMAT)
