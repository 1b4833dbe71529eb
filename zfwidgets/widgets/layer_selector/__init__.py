"""The network drawn as a row of blocks, to choose a layer from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import traitlets as t

from zfwidgets.images.numbers import is_module
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.layers import default_layer, describe
from zfwidgets.widgets.core.nets import as_net


class LayerSelector(ZFWidget):
    """Choose a layer of a network with the mouse or the keyboard.

    The blocks are drawn to scale, as in Fig. 3 of Zeiler & Fergus (2013): the side of a block is
    proportional to the side of the maps, its depth to the number of channels. Fully connected
    layers are bars, not to scale.

    Parameters:
        net: a name for `zfwidgets.load`, a `torch.nn.Module`, a `DeconvNet`, or anything with a
            mapping ``layers`` of name -> layer.
        layers: instead of `net`, the layers themselves: objects with the attributes of
            `zfwidgets.deconv.Layer`, or dictionaries with these keys. Only ``name`` is needed.
        value: name of the chosen layer. Default: conv5 if there is one, else the last
            convolution, else the last layer.

    Raises:
        TypeError: `net` is no network.
        traitlets.TraitError: a layer without a name, two of one name, or an unknown `value`.

    Examples:
        >>> selector = LayerSelector(zf.load("zfnet"))
        >>> ipywidgets.dlink((selector, "value"), (browser, "layer"))
    """

    bundle_name = "layer-selector"

    layers = t.List(t.Dict()).tag(sync=True)
    """The layers in order, each ``{name, kind, channels, height, width, kernel, stride, padding,
    receptive_field, jump, inputs}``; what is not known is None."""

    value = t.Unicode().tag(sync=True)
    """Name of the chosen layer; empty only while there are no layers."""

    disabled = t.Bool(False).tag(sync=True)
    """Whether choosing is off for the moment. The choice stays visible."""

    input_size = t.List(t.Int()).tag(sync=True)
    """Height and width of the network's input in pixels, or empty if not known. Draws the picture
    in front of the first block, and each receptive field in proportion to it."""

    def __init__(
        self,
        net: Any = None,
        *,
        layers: Iterable[Any] | None = None,
        value: str | None = None,
        **kwargs: Any,
    ) -> None:
        if net is not None and layers is not None:
            raise TypeError("LayerSelector() got both a net and layers; expected one of them")
        if net is not None and (is_module(net) or not hasattr(net, "layers")):
            net = as_net(net)
        found = net.layers.values() if net is not None else layers or ()
        described = [describe(layer) for layer in found]
        chosen = default_layer(described) if value is None else value
        super().__init__(layers=described, value=chosen, **kwargs)

    @t.validate("layers")
    def _check_layers(self, proposal: dict[str, Any]) -> list[dict[str, Any]]:
        layers = [describe(layer) for layer in proposal["value"]]
        names = [layer["name"] for layer in layers]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise t.TraitError(f"layers got {', '.join(twice)} more than once; names must differ")
        return layers

    @t.validate("value")
    def _check_value(self, proposal: dict[str, Any]) -> str:
        value: str = proposal["value"]
        names = [layer["name"] for layer in self.layers]
        if value not in names and (names or value):
            known = ", ".join(names) or "none, since there are no layers"
            raise t.TraitError(f"value got {value!r}; expected one of {known}")
        return value

    @t.observe("layers")
    def _keep_value(self, _change: object) -> None:
        if self.value not in [layer["name"] for layer in self.layers]:
            self.value = default_layer(self.layers)

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"LayerSelector(value={self.value!r}, {len(self.layers)} layers)"
