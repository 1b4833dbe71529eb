"""One side of a comparison: a network, its first line, and what is seen of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets as t

from zfwidgets.images.numbers import floats
from zfwidgets.widgets.channel_browser import ChannelBrowser
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.layers import default_layer, describe
from zfwidgets.widgets.core.rpc import Job
from zfwidgets.widgets.core.spoken import SPOKEN_CLASSES
from zfwidgets.widgets.image_picker import ImagePicker
from zfwidgets.widgets.projection_view import ProjectionView


class SideHead(ZFWidget):
    """The first line of a side: which network, which layer, what it takes the picture for."""

    bundle_name = "compare-side"

    name = t.Unicode().tag(sync=True)
    """Name of the network or of the checkpoint."""

    layers = t.List(t.Dict()).tag(sync=True)
    """The layers to choose from, as `LayerSelector.layers`."""

    layer = t.Unicode().tag(sync=True)
    """Name of the chosen one."""

    classes = t.List(t.Dict()).tag(sync=True, **SPOKEN_CLASSES)
    """The most probable classes, ``{label, p}``; empty if the network names none."""

    status = t.Enum(["empty", "busy", "ready", "error"], "empty").tag(sync=True)

    @t.validate("layer")
    def _is_layer(self, proposal: dict[str, Any]) -> str:
        name: str = proposal["value"]
        known = [layer["name"] for layer in self.layers]
        if name not in known and (known or name):
            raise t.TraitError(f"layer got {name!r}; expected one of {', '.join(known)}")
        return name

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"SideHead({self.name!r}, layer={self.layer!r})"


class Side:
    """One half: a network and what is seen of it.

    net: the `DeconvNet`. head, browser, view: its widgets. picker: its own, or the one of both.
    """

    def __init__(self, net: Any, name: str, picker: ImagePicker, **looks: Any) -> None:
        self.net, self.picker = net, picker
        described = [describe(layer) for layer in net.layers.values()]
        layer = default_layer(described)
        locale = looks.pop("locale")
        rule, mode, inline = looks["rule"], looks["mode"], looks["inline"]
        self.head = SideHead(name=name, layers=described, layer=layer, locale=locale)
        self.browser = ChannelBrowser(
            layer=layer, mode=mode, rule=rule, sort="strength", inset=False, locale=locale
        )
        self.view = ProjectionView(layer=layer, rule=rule, inline=inline, locale=locale)
        self.recording: Any = None
        self.seen: Any = None  # the picture that it is of
        self.job: Job | None = None
        self.told: int | None = None  # the channel that the other side brought here

    @property
    def parts(self) -> list[ZFWidget]:
        """The widgets that belong to this side alone."""
        return [self.head, self.browser, self.view]

    @property
    def layer(self) -> str:
        """Name of the chosen layer; set it to choose another."""
        return str(self.head.layer)

    @layer.setter
    def layer(self, name: str) -> None:
        self.head.layer = name

    def ranks(self, layer: str) -> list[int]:
        """Channels of the layer, the strongest first."""
        value = floats(self.recording.strongest(layer).value)
        order: list[int] = np.argsort(-value, kind="stable").tolist()
        return order
