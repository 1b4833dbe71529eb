"""The first line of the Inspector, and of an exported page."""

from __future__ import annotations

from typing import Any

import traitlets as t

from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.rpc import Responder
from zfwidgets.widgets.core.spoken import SPOKEN_CLASSES

_TOP = 5


class InspectorHead(ZFWidget):
    """The first line: which network, what it takes the picture for, and what went wrong."""

    bundle_name = "inspector-head"

    name = t.Unicode().tag(sync=True)
    """Name of the network, and where it computes."""

    classes = t.List(t.Dict()).tag(sync=True, **SPOKEN_CLASSES)
    """The most probable classes, ``{label, p}``; empty if the network names none."""

    note = t.Unicode().tag(sync=True)
    """What must be said of where is computed; empty: nothing."""

    status = t.Enum(["empty", "busy", "ready", "error"], "empty").tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        self._responder = Responder(self.send, {})  # answers only whether somebody is there
        super().__init__(**kwargs)
        self.on_msg(self._responder.on_msg)

    def close(self) -> None:
        """Close the widget."""
        self._responder.close()
        super().close()

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"InspectorHead({self.name!r})"


def top_classes(recording: Any) -> list[dict[str, Any]]:
    """The most probable classes of the first picture, ``{label, p}``; none without a classifier."""
    if recording.logits is None:
        return []
    return [{"label": label, "p": p} for label, p in recording.top_classes(_TOP)[0]]
