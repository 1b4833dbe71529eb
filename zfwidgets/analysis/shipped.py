"""Scans of the gallery that ship: the strongest photographs of every channel of the bundled nets.

One safetensors file a network: of each convolution, by channel, the 50 strongest photographs and
where in them the channel answers most. Numbers are as small as they can be (photographs int16,
places uint8), values float32. The header names the weights and the gallery that were scanned.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from zfwidgets.analysis.scanning.checkpoint import read, write
from zfwidgets.analysis.scanning.scanner import Scanner
from zfwidgets.analysis.scanning.top import NAMES, Top
from zfwidgets.analysis.strongest import Exemplars, exemplars_of
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Gallery, gallery

SCANS = Path(__file__).parent / "scans"
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
K = 50
"""Photographs kept a channel: nine to be shown, the rest to say what they have in common."""

_FORMAT = "zfwidgets scan of the gallery 1"
_KINDS = (torch.float32, torch.int16, torch.uint8, torch.uint8)
_TEXTS = ("net", "weights", "preprocessing")


def make(net: DeconvNet, path: str | Path, shown: Gallery | None = None) -> None:
    """Scan the gallery with a network and write what ships."""
    shown = gallery() if shown is None else shown
    scanner = Scanner(net, shown, LAYERS, K, usage=False)
    scanner.run()
    found = exemplars_of(scanner)
    names = sorted(shown)
    place = {name: number for number, name in enumerate(names)}
    tensors = {}
    for layer, one in found.items():
        numbers = torch.tensor([place[name] for name in one.ids] + [-1])  # the last is of none
        parts = (one.value, numbers[one.image], one.row, one.col)
        for name, part, kind in zip(NAMES, parts, _KINDS, strict=True):
            tensors[f"{layer}/{name}"] = part.to(kind)
    first = next(iter(found.values()))
    texts = {name: getattr(first, name) for name in _TEXTS}
    header = {"format": _FORMAT, "gallery": shown.sha256, "names": json.dumps(names), **texts}
    write(Path(path), tensors, header)


def shipped_exemplars(
    net: str, k: int = 9, *, folder: Path = SCANS, shown: Gallery | None = None
) -> dict[str, Exemplars]:
    """The strongest photographs of the gallery for every channel of a bundled network, by layer.

    Nothing is computed; `Exemplars.check` refuses a network of other weights.

    Args:
        net: ``"zfnet"`` or ``"alexnet"``.
        k: photographs a channel, up to 50.

    Raises:
        KeyError: no scan of a network of this name ships.
        ValueError: the scan is of another gallery than the one that is installed, or k is none
            of 1 to 50.
    """
    if not 1 <= k <= K:
        raise ValueError(
            f"k={k}: a scan that ships keeps {K} photographs a channel; expected 1 to {K}."
        )
    shown = gallery() if shown is None else shown
    if not ships(net, folder):
        raise KeyError(
            f"no scan of {net!r} ships; there are {', '.join(_shipped(folder))}. Others: "
            "zf.exemplars(net, images)."
        )
    path = folder / f"{net}.safetensors"
    tensors, header = _read(path, path.stat().st_mtime_ns)
    if header["gallery"] != shown.sha256:
        raise ValueError(
            f"{path.name} is a scan of another gallery ({header['gallery'][:12]}…) than the one "
            f"that is installed ({shown.sha256[:12]}…). Install zfwidgets again; from a checkout, "
            "`python -m training remake` scans anew."
        )
    names = json.loads(header["names"])
    return {layer: _exemplars(layer, tensors, header, names, k) for layer in LAYERS}


def ships(net: str, folder: Path = SCANS) -> bool:
    """Whether a scan of the gallery by a network of this name ships."""
    return net in _shipped(folder)


def exemplars_that_ship(net: DeconvNet, k: int = 9) -> dict[str, Exemplars]:
    """The same for a network that is there, which must be the one that was scanned.

    Raises:
        KeyError, ValueError: as `shipped_exemplars`; ValueError also for a network of other weights
            or another preparation than those that were scanned.
    """
    found = shipped_exemplars(net.name, k)
    # All layers were scanned in one pass: what holds for one holds for all.
    next(iter(found.values())).check(net)
    return found


def _shipped(folder: Path) -> Sequence[str]:
    return sorted(file.stem for file in folder.glob("*.safetensors"))


def _exemplars(
    layer: str, tensors: dict[str, Tensor], header: dict[str, str], names: list[str], k: int
) -> Exemplars:
    value, *places = (tensors[f"{layer}/{name}"][:, :k] for name in NAMES)
    best, ids = Top(value, *(part.long() for part in places)).compact(names)
    net, weights, preprocessing = (header[name] for name in _TEXTS)
    return Exemplars(
        net, weights, preprocessing, layer, *best.tensors(), ids=ids, scanned=len(names)
    )


@cache
def _read(path: Path, changed: int) -> tuple[dict[str, Tensor], dict[str, str]]:  # noqa: ARG001
    return read(path, "scan of the gallery", _FORMAT)
