"""The deconvnet engine: pure torch. Record a forward pass, send neurons back to pixels.

Names are imported when they are first used: what only names layers or methods needs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zfwidgets.deconv.ablation import Ablation
    from zfwidgets.deconv.deconvnet import DeconvNet
    from zfwidgets.deconv.graph import UnsupportedModel
    from zfwidgets.deconv.layer import Layer, Layers
    from zfwidgets.deconv.method import Method
    from zfwidgets.deconv.neurons import Neurons
    from zfwidgets.deconv.projections import Projections
    from zfwidgets.deconv.recording import Recording

__all__ = [
    "Ablation",
    "DeconvNet",
    "Layer",
    "Layers",
    "Method",
    "Neurons",
    "Projections",
    "Recording",
    "UnsupportedModel",
]

_HOME = {
    "Ablation": "ablation",
    "DeconvNet": "deconvnet",
    "Layer": "layer",
    "Layers": "layer",
    "Method": "method",
    "Neurons": "neurons",
    "Projections": "projections",
    "Recording": "recording",
    "UnsupportedModel": "graph",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'zfwidgets.deconv' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"zfwidgets.deconv.{_HOME[name]}"), name)
    globals()[name] = value
    return value
