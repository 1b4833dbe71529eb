"""The forward pass up to a layer with autograd's graph behind it, for what climbs its gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from zfwidgets.deconv import models
from zfwidgets.deconv.deconvnet import DeconvNet
from zfwidgets.deconv.graph import Call, UnsupportedModel
from zfwidgets.deconv.outputs import tensors_in
from zfwidgets.deconv.rules import Rectifier


class _Reached(BaseException):
    """The layer has answered. No model catches a BaseException."""


class Preactivation:
    """What a layer's neurons sum up, after batch normalisation and before the rectifier.

    A neuron at rest has a gradient here, which it has no longer behind its rectifier. The model's
    own forward pass runs, and ends at the layer; so a picture of any size will do that the layers
    up to there can take.

    Args:
        net: the network.
        layer: name of the layer.

    Raises:
        KeyError: there is no such layer.
        UnsupportedModel: the layer is no module's output, so that there is no place to stop at.
    """

    def __init__(self, net: DeconvNet, layer: str) -> None:
        self.net, self.layer = net, net.layers[layer]
        shape = net._shape  # noqa: SLF001 - of our kind
        assert shape is not None
        self.side = shape[1], shape[2]
        """Rows and columns of the input for which `layer` has its height and width."""
        calls = net.record(torch.zeros(1, *shape), upto=layer)._calls  # noqa: SLF001 - of our kind
        end = calls[self.layer.step]
        step, self._rectify = self.layer.step, None
        if isinstance(end.rule, Rectifier) and end.sources[0] is not None:
            step, self._rectify = end.sources[0], end.rule.function
        self._call: Call = calls[step]
        self.any_size = self.layer.jump != (0, 0) and self._call.grid is None
        """False if the layer's places are those of one size of input alone."""
        self._module = _module(net, self._call)
        # Of weights that are used several times it is this use that counts.
        self._earlier = sum(call.path == self._call.path for call in calls[:step])

    def __call__(self, inputs: Tensor) -> Tensor:
        """Prepared pictures [B, C, H, W] to maps [B, K, h, w], differentiable by the pictures.

        Raises:
            UnsupportedModel: the module does not give one map.
        """
        waiting, found = self._earlier, list[Tensor]()

        def reached(_module: nn.Module, _inputs: Any, output: Any) -> None:
            nonlocal waiting
            if waiting == 0:
                found.extend(tensors_in(output))
                raise _Reached
            waiting -= 1

        hook = self._module.register_forward_hook(reached)
        try:
            with models.evaluating(self.net.model), models.as_written():
                self.net.forward(inputs)
        except _Reached:
            pass
        finally:
            hook.remove()
        if len(found) != 1 or found[0].ndim != len(self._call.shape):
            raise _no_place(self.net, self._call)
        return self._call.maps(found[0])

    def rectified(self, maps: Tensor) -> Tensor:
        """The layer's maps as `Recording.feature_maps` has them, of what a call gave."""
        return maps if self._rectify is None else self._rectify(maps)


def _module(net: DeconvNet, call: Call) -> nn.Module:
    """The module whose output a call is."""
    module = models.paths_of(net.model).get(call.path)
    if module is None or call.path == "":
        raise _no_place(net, call)
    return module


def _no_place(net: DeconvNet, call: Call) -> UnsupportedModel:
    return UnsupportedModel(
        f"{call.path or 'an operation'} of {net.name} is no module with this one output, so the "
        "forward pass cannot be stopped there. Choose a layer that is an nn.Conv2d, nn.Linear or "
        "another module of its own."
    )
