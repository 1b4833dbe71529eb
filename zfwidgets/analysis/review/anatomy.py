"""What a network is and what it costs: layers, parameters, multiply-adds, memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from zfwidgets.analysis.layer_table import parameters_of
from zfwidgets.analysis.result import Result
from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.models import evaluating


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One layer, for one picture.

    shape: channels, rows, columns of its maps. multiply_adds: of its own operation, 0 where it has
    no module of its own. map_bytes: of its maps, as later layers read them. weight_bytes: of its
    parameters.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    receptive_field: tuple[int, int]
    parameters: int
    multiply_adds: int
    map_bytes: int
    weight_bytes: int


@dataclass(frozen=True, slots=True, repr=False)
class Anatomy(Result):
    """A network for inputs of one size. input: channels, rows, columns.

    parameters, multiply_adds: of the whole model; there may be more than the layers have.
    """

    net: str
    input: tuple[int, int, int]
    layers: tuple[LayerCost, ...]
    parameters: int
    multiply_adds: int

    @property
    def map_bytes(self) -> int:
        """Of the maps of all layers, for one picture."""
        return sum(layer.map_bytes for layer in self.layers)


def anatomy(net: DeconvNet, inputs: Tensor) -> Anatomy:
    """Count what one pass of a prepared picture [1, C, H, W] takes.

    Multiply-adds are counted while the model runs, in convolutions, products of matrices and
    attention; what is added to or compared with each value is not.
    """
    recording = net.record(inputs)
    with evaluating(net.model), torch.no_grad(), FlopCounterMode(display=False) as counter:
        net.forward(inputs.clone())
    # A multiply-add is two operations.
    counted = {name: sum(of.values()) // 2 for name, of in counter.get_flop_counts().items()}
    root = type(net.model).__name__
    shared = Counter(layer.path for layer in recording.layers.values())
    layers = []
    for layer in recording.layers.values():
        maps, parameters = recording.feature_maps(layer.name), parameters_of(net, layer)
        layers.append(
            LayerCost(
                name=layer.name,
                kind=layer.kind,
                shape=layer.shape,
                kernel=layer.kernel,
                stride=layer.stride,
                receptive_field=layer.receptive_field,
                parameters=parameters,
                multiply_adds=counted.get(f"{root}.{layer.path}", 0) // shared[layer.path],
                map_bytes=maps[0].numel() * maps.element_size(),
                weight_bytes=parameters * maps.element_size(),
            )
        )
    channels, height, width = inputs.shape[1:]
    return Anatomy(
        net=net.name,
        input=(channels, height, width),
        layers=tuple(layers),
        parameters=sum(parameter.numel() for parameter in net.model.parameters()),
        multiply_adds=counted.get("Global", 0),
    )


def check_weights(net: DeconvNet) -> None:
    """Raise ValueError, naming tensors, for weights that are NaN or infinite."""
    wrong = [
        f"{name} ({int((~tensor.isfinite()).sum())} of {tensor.numel()})"
        for name, tensor in net.model.state_dict().items()
        if tensor.is_floating_point() and not bool(tensor.isfinite().all())
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more tensors" if len(wrong) > 5 else ""
        raise ValueError(
            f"{net.name} has weights that are NaN or infinite: {', '.join(wrong[:5])}{more}. "
            "Nothing that it says can be judged. Expected finite weights: take an earlier "
            "checkpoint."
        )
