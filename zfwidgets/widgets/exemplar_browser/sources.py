"""Where an exemplar browser gets what it shows: a network to scan, or what a scan has found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from zfwidgets.analysis.scan import Scan
from zfwidgets.analysis.scanning.scanner import Scanner
from zfwidgets.analysis.shipped import K, exemplars_that_ship, ships
from zfwidgets.analysis.stream import Indexed
from zfwidgets.analysis.strongest import Exemplars
from zfwidgets.analysis.usage import Usage
from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.load import load


def is_net(source: Any) -> bool:
    """Whether it is a network, or a text that can only be the name of one."""
    if isinstance(source, str):
        return Path(source).suffix != ".safetensors" and not Path(source).exists()
    return isinstance(source, nn.Module) or hasattr(source, "record")


def shipped_scan(net: DeconvNet) -> Scan:
    """The scan of the gallery by a bundled network, as it ships.

    Raises:
        TypeError: none ships of a network of this name.
        ValueError: it is of other weights, or of another gallery.
    """
    if not ships(net.name):
        raise TypeError(
            f"no scan of {net.name!r} ships; give pictures to scan: "
            "ExemplarBrowser(net, zf.gallery())"
        )
    return scan_in(exemplars_that_ship(net, K))


def scanner_of(
    net: DeconvNet,
    images: Any,
    layers: Sequence[str] | None,
    k: int,
    labels: Any,
    batch: int,
    checkpoint: str | Path | None,
    *,
    usage: bool = True,
) -> Scanner:
    """The scan that shall go on in the background. Raises TypeError for one-way images."""
    known: Any = images
    if not isinstance(images, str | Path | Mapping | Indexed):
        raise TypeError(
            f"images={type(images).__name__}: expected a folder, a mapping, a list or a dataset; "
            "what can be gone through only once cannot be shown afterwards."
        )
    return Scanner(
        net,
        known,
        layers,
        k,
        usage=usage,
        batch=batch,
        labels=labels,
        checkpoint=checkpoint,
        progress=False,
    )


def scan_in(source: Any) -> Scan:
    """A `Scan`, or exemplars as one without usage."""
    if isinstance(source, str | Path):
        try:
            source = Scan.load(source)
        except ValueError:
            source = Exemplars.load(source)
    if isinstance(source, Exemplars):
        source = {source.layer: source}
    if isinstance(source, Mapping) and source:
        first = next(iter(source.values()))
        return Scan(dict(source), Usage(first.net, first.scanned, {}))
    if isinstance(source, Scan):
        return source
    raise TypeError(
        f"ExemplarBrowser got {type(source).__name__}; expected a network (zf.load(...)), a Scan "
        "(zf.scan(...)), Exemplars (zf.exemplars(...)) or a file saved by one of them"
    )


def network_of(found: Exemplars) -> DeconvNet:
    """The network that was scanned, if it is one that can be loaded by its name."""
    try:
        return load(found.net)
    except Exception as error:
        raise TypeError(
            f"the exemplars are of {found.net!r}, which cannot be loaded by that name ({error}); "
            "give the network: ExemplarBrowser(exemplars, images, net=net)"
        ) from error
