"""From a name to a network: `build` finds the source, `list_nets` asks every source what it has.

A new source is a module in ``sources/`` with ``listed()`` and ``build(name, **options)``, and a row
in `SOURCES`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from zfwidgets.nets.info import Built, NetError, NetList, did_you_mean

SOURCES = {
    "": "zfwidgets.nets.sources.papers",
    "torchvision": "zfwidgets.nets.sources.hub_torchvision",
    "pytorchcv": "zfwidgets.nets.sources.hub_pytorchcv",
    "timm": "zfwidgets.nets.sources.hub_timm",
    "onnx": "zfwidgets.nets.onnx_zfnet512",
    "path": "zfwidgets.nets.sources.files",
}
"""What stands before the colon of a name, and the module that answers for it."""


def list_nets() -> NetList:
    """Every network that `build` knows by name, bundled ones first, and what else it takes."""
    return NetList(info for module in SOURCES.values() for info in import_module(module).listed())


def build(name: str | Path, **options: Any) -> Built:
    """A network by name, in eval mode, with its preparation of images and its class names.

    Args:
        name: one of `list_nets`: ``"zfnet"``, ``"zfnet-untrained"``, ``"torchvision:vgg16"``,
            ``"pytorchcv:zfnet"``, ``"timm:resnet18.a1_in1k"``, ``"onnx:zfnet512"``, or the path of
            a weights file.
        options: those of the source, see the ``build`` in ``zfwidgets.nets.sources``: for
            instance ``weights=`` for torchvision, ``untrained=`` and ``seed=`` for the papers'
            nets, ``arch=``, ``preprocess=`` and ``categories=`` for a path.

    Raises:
        TypeError: `name` is no text and no path.
        NetError: the name is not known, or does not go with the options.
        MissingWeightsError: there are no trained weights of that name.
        DownloadError: weights have to be fetched and cannot.
    """
    source, rest = _source(name)
    builder: Callable[..., Built] = import_module(SOURCES[source]).build
    _check_options(builder, str(name), options)
    return builder(rest, **options)


def _source(name: str | Path) -> tuple[str, str | Path]:
    if isinstance(name, Path):
        return "path", name
    if not isinstance(name, str):
        raise TypeError(f"got {name!r:.60}; expected the name of a network, or a weights file.")
    if name.endswith((".safetensors", ".pt", ".pth", ".onnx")):
        return "path", name.removeprefix("path:").removeprefix("onnx:")
    source, colon, rest = name.partition(":")
    if colon and source in SOURCES and rest:
        return source, rest
    from zfwidgets.nets.sources.papers import PAPERS

    known = [*PAPERS, *(f"{paper}-untrained" for paper in PAPERS)]
    if name in known:
        return "", name
    raise NetError(
        f"There is no network {name!r}.{did_you_mean(name, [*known, *list_nets().names()])} "
        "list_nets() shows what there is; others come as 'torchvision:NAME', 'pytorchcv:NAME', "
        "'timm:NAME', or as the path of a .safetensors or .pt file."
    )


def _check_options(builder: Callable[..., Built], name: str, options: dict[str, Any]) -> None:
    parameters = list(inspect.signature(builder).parameters.values())[1:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    unknown = [option for option in options if option not in {p.name for p in parameters}]
    if unknown:
        known = ", ".join(parameter.name for parameter in parameters) or "none"
        raise NetError(f"{name!r} got {', '.join(unknown)}; the options it takes are: {known}.")
