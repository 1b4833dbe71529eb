"""`load`: a network by name, ready to be looked into."""

from __future__ import annotations

from typing import Any

import torch

from zfwidgets.deconv.deconvnet import DeconvNet


def load(name: str, device: str | torch.device = "auto", **options: Any) -> DeconvNet:
    """A network by name, in evaluation mode, with its preparation and its class names.

    name: one of `list_nets()` ("zfnet", "alexnet", ...), "torchvision:NAME", "pytorchcv:NAME",
        "timm:NAME", "onnx:zfnet512", or the path of a .safetensors or .pt file of weights.
    device: see `DeconvNet`. options: see `zfwidgets.nets.build`.
    """
    from zfwidgets.nets import build

    built = build(name, **options)
    return DeconvNet(built.model, built.transforms, built.categories, device=device, name=name)
