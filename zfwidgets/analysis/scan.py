"""Exemplars and usage of a network's layers, found together in one pass over pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Unpack

from torch import Tensor

from zfwidgets.analysis.arguments import NETWORK, takes, told
from zfwidgets.analysis.scanning.checkpoint import read, write
from zfwidgets.analysis.scanning.scanner import Scanner, UsageOptions
from zfwidgets.analysis.stream import Images
from zfwidgets.analysis.strongest import Exemplars, exemplars_of
from zfwidgets.analysis.usage import LayerUsage, Usage, usage_of
from zfwidgets.deconv import DeconvNet

_FORMAT = "zfwidgets scan 1"


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What one pass found. exemplars: by layer, see `Exemplars`. usage: see `Usage`."""

    exemplars: dict[str, Exemplars]
    usage: Usage

    def __repr__(self) -> str:
        stopped = "" if self.complete else ", stopped"
        layers = ", ".join(self.exemplars)
        return f"Scan({self.usage.net}: {layers}; {self.scanned} images{stopped})"

    @property
    def scanned(self) -> int:
        """How many pictures were seen."""
        return self.usage.images

    @property
    def complete(self) -> bool:
        """False if the scan was stopped before the last picture."""
        return all(one.complete for one in self.exemplars.values())

    def save(self, path: str | Path) -> None:
        """One safetensors file; where everything comes from stands in its header."""
        tensors: dict[str, Tensor] = {}
        texts: dict[str, dict[str, str]] = {}
        numbers: dict[str, dict[str, object]] = {}
        for name, found in self.exemplars.items():
            parts, texts[name] = found.parts()
            tensors |= {f"{name}/{part}": tensor for part, tensor in parts.items()}
        for name, one in self.usage.layers.items():
            values = {field.name: getattr(one, field.name) for field in fields(LayerUsage)}
            of_channels = {k: value for k, value in values.items() if isinstance(value, Tensor)}
            tensors |= {f"{name}/usage/{part}": tensor for part, tensor in of_channels.items()}
            numbers[name] = {k: value for k, value in values.items() if k not in of_channels}
        header = {
            "format": _FORMAT,
            "exemplars": json.dumps(texts),
            "usage": json.dumps(
                {"net": self.usage.net, "images": self.usage.images, "layers": numbers}
            ),
        }
        write(Path(path), tensors, header)

    @staticmethod
    def load(path: str | Path) -> Scan:
        """What `save` wrote. Raises ValueError for any other file."""
        hint = (
            "expected a file made by Scan.save(). Exemplars.load() reads those of Exemplars.save()."
        )
        tensors, header = read(path, "scan", _FORMAT, hint)
        try:
            found = {
                name: Exemplars.of_parts(_under(tensors, f"{name}/"), texts, str(path))
                for name, texts in json.loads(header["exemplars"]).items()
            }
            known = json.loads(header["usage"])
            layers = {
                name: _layer(numbers, _under(tensors, f"{name}/usage/"))
                for name, numbers in known["layers"].items()
            }
            return Scan(found, Usage(known["net"], known["images"], layers))
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"{path} holds no whole scan ({error} is wrong or missing)."
            ) from error


@takes(net=NETWORK)
@told(UsageOptions, Scanner)
def scan(
    net: DeconvNet,
    images: Images,
    layers: Sequence[str] | None = None,
    k: int = 9,
    *,
    near: float = 0.01,
    should_stop: Callable[[], bool] | None = None,
    **options: Unpack[UsageOptions],
) -> Scan:
    """The strongest pictures of every channel, and how evenly channels are used, in one pass.

    images: a folder, a mapping from id to picture, a dataset or any iterable; see `Images`. layers:
    names; default: the convolutions and fully connected layers without the outputs. k: pictures per
    channel. near: see `usage`. should_stop: asked after each batch. Then, or at KeyboardInterrupt,
    what was found so far comes back, not `complete`.

    options: batch=32, pictures at once; progress=True, a bar; labels, one per picture (text or
    numbers), for the class selectivity, else those that come with the pictures; threshold=0.0, see
    `usage`. checkpoint: a file that is written every few seconds; the same call goes on from it and
    gives the same bits as a scan in one go; with more pictures after those that were seen it goes
    on too. Of pictures without names, and of labels that come with them, it compares those of the
    first batch. ray: True or a number of processes: share the pictures out with Ray Data
    (zfwidgets[ray]); the same bits again, where processors are alike.

    Raises KeyError for a layer that does not exist, ValueError for an id that comes twice, if there
    are no images, or for the checkpoint of another scan, other pictures or labels.
    """
    if k < 1:
        raise ValueError(f"k={k}: expected 1 or more pictures per channel.")
    scanner = Scanner(net, images, layers, k, usage=True, **options)
    scanner.run(should_stop)
    return scan_of(scanner, near)


def scan_of(scanner: Scanner, near: float = 0.01) -> Scan:
    """What a scan has found so far."""
    return Scan(exemplars_of(scanner), usage_of(scanner, near))


def _under(tensors: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}


def _layer(numbers: dict[str, object], tensors: dict[str, Tensor]) -> LayerUsage:
    pairs = tuple((a, b, cosine) for a, b, cosine in numbers.pop("duplicates"))  # type: ignore[attr-defined]
    return LayerUsage(**numbers, **tensors, duplicates=pairs)  # type: ignore[arg-type]
