"""What an Inspector shows as one dictionary, taken from it and given to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zfwidgets.widgets.channel_browser.tiles import MODES
from zfwidgets.widgets.core import address
from zfwidgets.widgets.core.layers import default_layer
from zfwidgets.widgets.core.neuron import RULES
from zfwidgets.widgets.image_picker import wall


def state_of(inspector: Any) -> dict[str, Any]:
    """The state of an Inspector, with the keys of `address.KEYS`."""
    place = inspector.view.place
    return {
        "net": inspector.net.name,
        "photo": inspector.picker.value,
        "layer": inspector.layer,
        "channel": inspector.channel,
        "at": None if place is None else tuple(place),
        "rule": inspector.rule,
        "mode": inspector.browser.mode,
    }


def checked(net: Any, given: str | Mapping[str, Any], begin: str | None) -> dict[str, Any]:
    """The state that `given` says of this network. begin: the layer if it says none.

    Raises:
        TypeError, ValueError, KeyError: what there is not, and what there is.
    """
    state = address.read(given)
    if state.get("net", net.name) != net.name:
        raise ValueError(
            f"state is of net={state['net']!r}, and this Inspector of {net.name!r}: give the "
            "network, too, as in zf.Inspector(net, state=...)"
        )
    for key, known in (("rule", RULES), ("mode", tuple(MODES))):
        if state.get(key, known[0]) not in known:
            raise ValueError(f"state has {key}={state[key]!r}; expected one of {', '.join(known)}")
    name = state.get("layer") or begin or default_layer(net.layers.values())
    layer = net.layers[name]
    state["layer"] = layer.name
    channel, at = state.get("channel"), state.get("at")
    if channel is not None and channel >= layer.channels:
        raise ValueError(
            f"state has channel={channel}; {layer.name} has channels 0 to {layer.channels - 1}"
        )
    if at is not None and channel is None:
        raise ValueError("state has at, a place of a channel, but no channel")
    if at is not None and not (at[0] < layer.height and at[1] < layer.width):
        raise ValueError(
            f"state has at={at[0]},{at[1]}; the maps of {layer.name} have {layer.height} rows and "
            f"{layer.width} columns, counted from 0"
        )
    return state


def show(inspector: Any, state: Mapping[str, Any]) -> None:
    """Set the parts to a checked state: the layer with its channel, the photo when all else is set.

    Raises:
        KeyError: neither the picker nor the gallery has such a photo.
    """
    photo = state.get("photo")
    picker = inspector.picker
    names = [item["id"] for item in picker.items]
    on_wall = photo is not None and picker.gallery and wall.known(photo)
    if photo is not None and photo not in names and not on_wall:
        more = ", and those of zf.gallery()" if picker.gallery else ""
        raise KeyError(f"state has photo={photo!r}; there are {', '.join(names) or 'none'}{more}")
    neuron = state["layer"], state.get("channel"), state.get("at")
    inspector.go(*neuron)
    inspector.rule = state.get("rule", inspector.rule)
    inspector.browser.mode = state.get("mode", inspector.browser.mode)
    inspector.go(*neuron)  # before anything is recorded, another mode forgets the channel
    if photo is not None:
        picker.value = photo
