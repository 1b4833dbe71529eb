"""What an InvarianceView shows beside its curves: the changed photo, and the controls."""

from __future__ import annotations

from typing import get_args

import traitlets as t

from zfwidgets.analysis.transforms import Transform
from zfwidgets.widgets.core.base import ZFWidget

TRANSFORMS = get_args(Transform)


class InvariancePanel(ZFWidget):
    """The changed photo, what the network makes of it, and the controls."""

    bundle_name = "invariance-panel"

    transform = t.Enum(TRANSFORMS, "translation").tag(sync=True)
    value = t.Float(0.0).tag(sync=True)
    running = t.Bool(False).tag(sync=True)
    progress = t.Float(0.0).tag(sync=True)
    status = t.Enum(["empty", "busy", "ready", "error"], "empty").tag(sync=True)

    _transforms = t.List(t.Unicode(), list(TRANSFORMS)).tag(sync=True)
    epoch = t.Int(0).tag(sync=True)
    facts = t.Dict().tag(sync=True)
    photo = t.Bytes().tag(sync=True)

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"InvariancePanel({self.transform}, {self.value})"
