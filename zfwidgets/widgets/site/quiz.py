"""The page of a quiz over the gallery's photographs; the same questions for everybody."""

from __future__ import annotations

from typing import Any

from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.export.offstage import Blobs
from zfwidgets.widgets.export.plan import Plan
from zfwidgets.widgets.export.quiz import asked_by, quiz_page
from zfwidgets.widgets.quiz import Quiz
from zfwidgets.widgets.site.content import Content

_LAYERS, _COUNT, _SEED = 3, 18, 1
"""Six questions for each of the last three layers, where channels are hardest to put in words."""


class QuizPages:
    """How the page is made, in every language. layers: those of the scan that ships."""

    def __init__(self, layers: tuple[str, ...], *, progress: bool) -> None:
        self._layers, self._progress = layers[-_LAYERS:], progress
        self._quiz: Quiz | None = None
        self._every: list[Any] = []

    def __call__(self, plan: Plan, blobs: Blobs) -> Content:
        """The page in the language of the plan; its pictures go to `blobs`."""
        if self._quiz is None:
            self._quiz = Quiz(plan.net, self._layers, _COUNT, _SEED, inline=True)
            self._every = asked_by(self._quiz, progress=self._progress)
        page = quiz_page(self._quiz, self._every, plan.locale, blobs)
        return Content(
            locale=plan.locale,
            path="",
            name=table("site", plan.locale)["quiz"].format(net=plan.net.name),
            title=page.title,
            lead=page.lead,
            payload=page.payload,
            parts=page.parts,
            rules=1,
            facts=page.facts,
            scripts=(),
        )
