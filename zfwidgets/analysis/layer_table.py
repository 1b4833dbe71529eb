"""Architectures side by side as tables: sizes, strides, receptive fields, parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zfwidgets.deconv import DeconvNet, Layer
from zfwidgets.nets.info import NetError
from zfwidgets.nets.sources.papers import PAPERS
from zfwidgets.nets.state import on_meta

if TYPE_CHECKING:
    import pandas as pd


def layer_table(*nets: str | DeconvNet) -> pd.DataFrame:
    """One row per layer of each network, as a pandas table.

    nets: networks, or names of the papers' architectures ("zfnet", "alexnet", "cnn-f", "cnn-m",
    "cnn-s", ...). A name means the architecture as published, with its full head, whose weights are
    not needed; the bundled "zfnet" has a lighter one: ``layer_table(zf.load("zfnet"))``.

    Columns: kernel, stride, padding; maps and their height and width; receptive field and jump in
    pixels of the input (a jump of 0: it sees all); parameters of the operation itself.

    Raises NetError for a name that is no paper's.
    """
    import pandas as pd

    if not nets:
        raise ValueError("layer_table() got no networks; expected one or more.")
    rows = []
    for net in nets:
        made = net if isinstance(net, DeconvNet) else skeleton(net)
        rows += [_row(made, layer) for layer in made.layers.values()]
    return pd.DataFrame(rows).set_index(["net", "layer"])


def skeleton(name: str) -> DeconvNet:
    """The architecture of a paper with zeros for weights: its sizes are right, nothing else is."""
    plain = name.removesuffix("-untrained")
    if plain not in PAPERS:
        raise NetError(
            f"layer_table() knows no architecture {name!r}; expected a network (zf.load(...)) or "
            f"one of {', '.join(PAPERS)}."
        )
    model = on_meta(PAPERS[plain].make).to_empty(device="cpu").eval().requires_grad_(False)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    return DeconvNet(model, PAPERS[plain].preprocess, device="cpu", name=plain)


def parameters_of(net: DeconvNet, layer: Layer) -> int:
    """How many numbers the layer's operation has learned; 0 if it has no module of its own."""
    try:
        module = net.model.get_submodule(layer.path)
    except AttributeError:
        return 0
    return sum(parameter.numel() for parameter in module.parameters())


def _row(net: DeconvNet, layer: Layer) -> dict[str, object]:
    return {
        "net": net.name,
        "layer": layer.name,
        "kind": layer.kind,
        "kernel": layer.kernel[0],
        "stride": layer.stride[0],
        "padding": layer.padding[0],
        "maps": layer.channels,
        "height": layer.height,
        "width": layer.width,
        "receptive field": layer.receptive_field[0],
        "jump": layer.jump[0],
        "parameters": parameters_of(net, layer),
    }
