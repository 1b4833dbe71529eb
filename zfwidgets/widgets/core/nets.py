"""The network that a widget is given: by name, as a torch module, or as a `DeconvNet`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from zfwidgets.images.numbers import is_module
from zfwidgets.remote import RemoteNet
from zfwidgets.remote.address import ENGINE, connect, with_tensors

# Widgets of one name share one network and its device memory, as long as one of them lives.
_loaded: WeakValueDictionary[str, Any] = WeakValueDictionary()


def as_net(net: Any, *, tensors: bool = False) -> Any:
    """The `DeconvNet`; a name is loaded once for all who look at it, a module is wrapped.

    A module is prepared for as `DeconvNet` does by default: ImageNet's usual preparation, no class
    names. Anything else that records as a `DeconvNet` does is taken as it is.

    tensors: for widgets that compute with torch; a network on a server gives tensors then.

    Raises:
        LookupError, ValueError, UnsupportedModel: the network is unknown, or cannot be recorded.
        TypeError: it is no network.
    """
    if isinstance(net, str):
        found = _loaded.get(net)
        if found is None:
            found = _loaded[net] = _load(net)
        net = found
    if is_module(net):
        from zfwidgets.deconv import DeconvNet

        return DeconvNet(net)
    if not hasattr(net, "record"):
        raise TypeError(
            f"got {net!r:.60}; expected a network: a name for zf.load(), a torch.nn.Module or a "
            "DeconvNet"
        )
    return with_tensors(net) if tensors and isinstance(net, RemoteNet) else net


def when_back(net: Any, look_again: Callable[[], None]) -> None:
    """Call a method, held weakly, when a network's server has been away and is back."""
    if hasattr(net, "on_return"):
        net.on_return(look_again)


def _load(name: str) -> Any:
    """A network here; or on the server that the environment names."""
    if os.environ.get(ENGINE):
        return connect(net=name)
    from zfwidgets.deconv.load import load

    return load(name)
