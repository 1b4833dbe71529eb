"""Where an Inspector's pictures are computed: in the kernel, or in the page that shows it."""

from __future__ import annotations

import os
from typing import Any

from zfwidgets.remote import RemoteNet

COMPUTES = ("kernel", "page")
"""What there is to choose from; the kernel also asks the server of a network that is there."""


def computing(net: Any, asked: str | None) -> str:
    """One of `COMPUTES` for a network: what is asked for, or else ``ZFWIDGETS_COMPUTE``.

    Raises:
        ValueError: there is no such place, or the network is not here to be handed to a page.
    """
    afar = isinstance(net, RemoteNet)
    if asked is None:
        usual = os.environ.get("ZFWIDGETS_COMPUTE", "")
        return usual if usual in COMPUTES and not afar else COMPUTES[0]
    if asked not in COMPUTES:
        raise ValueError(f"compute={asked!r}: expected one of {', '.join(COMPUTES)}")
    if asked == "page" and afar:
        raise ValueError(
            f'compute="page": {net.name} computes on a server; expected a network that is here, '
            "as zf.load gives it. Or leave compute out."
        )
    return asked
