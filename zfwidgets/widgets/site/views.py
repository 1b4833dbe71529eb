"""Pages of one widget for a network of a site: the way back, hidden parts, the camera."""

from __future__ import annotations

from typing import Any

from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.export.engine import InPage
from zfwidgets.widgets.export.offstage import Blobs
from zfwidgets.widgets.export.plan import Plan
from zfwidgets.widgets.export.view import Chosen, view_of
from zfwidgets.widgets.live_view import LiveView
from zfwidgets.widgets.occlusion_view import OcclusionView
from zfwidgets.widgets.site.content import Content
from zfwidgets.widgets.steps_view import BELONGS, StepsView

VIEWS = ("steps", "occlusion", "live")
"""Names of the widgets in js/src/page/sides.ts, of their files and texts."""

_SMALL_FIELDS = "conv2"
"""The layer of the camera's page: its channels answer to what can be held before a camera."""


def view_of_part(plan: Plan, inside: InPage, part: str, blobs: Blobs) -> Content:
    """The page of one widget, in the language of the plan; its pictures go to `blobs`."""

    def made(recording: Any, **say: Any) -> Any:
        if part == "live":
            layer = _SMALL_FIELDS if _SMALL_FIELDS in plan.net.layers else plan.layer
            return LiveView.without_kernel(plan.net, layer, **say)
        return (StepsView if part == "steps" else OcclusionView)(recording, **say)

    # A camera needs no photos.
    chosen = Chosen(plan.layer, None, plan.rule, BELONGS) if part == "steps" else None
    view = view_of(plan, inside, part, made, blobs, album=part != "live", chosen=chosen)
    return Content(
        locale=plan.locale,
        path="",
        name=table("site", plan.locale)[part].format(net=plan.net.name),
        title=view.title,
        lead=view.lead,
        payload=view.payload,
        parts=view.parts,
        rules=1,
        facts=view.facts,
        scripts=(),
    )
