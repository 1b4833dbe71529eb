"""What is looked at: architectures, where their weights come from, what each of them is."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zfwidgets.nets.info import Built, MissingWeightsError, NetError, NetInfo, NetList

if TYPE_CHECKING:
    from zfwidgets.nets.alexnet import AlexNet
    from zfwidgets.nets.chatfield import CNN_F, CNN_M, CNN_S
    from zfwidgets.nets.download import DownloadError
    from zfwidgets.nets.registry import build, list_nets
    from zfwidgets.nets.zfnet import ZFNet

_LATER = {
    "AlexNet": "alexnet",
    "CNN_F": "chatfield",
    "CNN_M": "chatfield",
    "CNN_S": "chatfield",
    "DownloadError": "download",
    "ZFNet": "zfnet",
    "build": "registry",
    "list_nets": "registry",
}
"""Names that need torch or the network, and the module that each of them waits in."""

__all__ = [
    "CNN_F",
    "CNN_M",
    "CNN_S",
    "AlexNet",
    "Built",
    "DownloadError",
    "MissingWeightsError",
    "NetError",
    "NetInfo",
    "NetList",
    "ZFNet",
    "build",
    "list_nets",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LATER[name]}", __name__), name)
