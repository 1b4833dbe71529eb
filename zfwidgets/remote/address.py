"""`connect`: a network by the address of its server."""

from __future__ import annotations

import os

from zfwidgets.remote.client import SECONDS, Client
from zfwidgets.remote.net import RemoteNet

ENGINE, TOKEN = "ZFWIDGETS_ENGINE", "ZFWIDGETS_TOKEN"
"""Names in the environment: of the address that networks are looked for at by name, and of its
token."""


def connect(
    url: str | None = None,
    net: str = "zfnet",
    token: str | None = None,
    *,
    tensors: bool = False,
    seconds: float = SECONDS,
) -> RemoteNet:
    """A network that computes on a server of `zfwidgets serve`; this kernel needs no torch.

    It is looked into as a `DeconvNet` is: `record`, `layers`, and of recordings `feature_maps`,
    `strongest`, `neurons`, `project`, `top_classes`; `Inspector`, `Compare` and their parts take
    it. Tensors come as NumPy arrays of the same shapes.

    url: as the server printed it; default: that of ``ZFWIDGETS_ENGINE``. net: as for `load`, of
    those that the server offers. token: default: that of ``ZFWIDGETS_TOKEN``. tensors: give
    torch's tensors instead, for the analyses that need no module: `occlusion`, `tuning`, `scan` and
    others compute on the server then. seconds: how long an answer is waited for.

        >>> net = zf.connect("http://127.0.0.1:8900", token="…")
        >>> zf.Inspector(net)

    Raises:
        ValueError: no address. Unavailable: nobody answers there. ServerError: wrong token, or no
        such network.
    """
    url = url or os.environ.get(ENGINE)
    if not url:
        raise ValueError(
            f"connect() got no address; expected that of a server, as connect('http://…'), or in "
            f"{ENGINE}. `zfwidgets serve` starts one."
        )
    found = RemoteNet(Client(url, token or os.environ.get(TOKEN, ""), seconds), net)
    return with_tensors(found) if tensors else found


def with_tensors(net: RemoteNet) -> RemoteNet:
    """The same network with torch's tensors; this needs torch."""
    from zfwidgets.remote.tensors import TensorNet

    return net if isinstance(net, TensorNet) else TensorNet(net.client, net.name)
