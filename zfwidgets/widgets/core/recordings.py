"""What widgets take as a recording and as one of its pictures, and what they say of others."""

from __future__ import annotations

from typing import Any

import traitlets as t

from zfwidgets.images.numbers import is_module
from zfwidgets.widgets.core.wire import WireError


class RecordingTrait(t.TraitType[Any, Any]):
    """A recorded forward pass, as `DeconvNet.record` and networks on servers give it; or None.

    What it can do is looked at, not its class: one on a server is another than one here.
    """

    default_value = None
    allow_none = True

    def validate(self, obj: Any, value: Any) -> Any:
        """The value, if it is a recording."""
        if hasattr(value, "strongest"):
            return value
        if hasattr(value, "record") or is_module(value):
            todo = "Record a photo with the network first"
        else:
            todo = "Record it with a network first"
        owner = "" if obj is None else f"{type(obj).__name__}: "
        raise t.TraitError(
            f"{owner}{self.name} got {value!r:.60}; expected what net.record(photo) returns. "
            f"{todo}: zf.load('zfnet').record('photo.jpg')"
        )


def check_picture(recording: Any, image: int) -> None:
    """Look whether a recording has a picture of that number, counted from 0.

    Raises:
        WireError: it has not.
    """
    if not 0 <= image < len(recording):
        raise WireError(
            "No such picture",
            f"The recording has no picture number {image}.",
            f"Set image to a number from 0 to {len(recording) - 1}.",
        )
