"""A quiz as a page: its questions with their pictures, to be answered without Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import trange

from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.export import SavedPage
from zfwidgets.widgets.export.offstage import Blobs, Tape
from zfwidgets.widgets.export.single import SinglePage

_QUALITY = 90


Asked = tuple[dict[str, Any], list[float]]
"""What is shown of a question, and what the channel makes of the two pictures."""


def asked_by(quiz: Any, *, progress: bool) -> list[Asked]:
    """All questions of a `Quiz`."""
    return [quiz.asked(at) for at in trange(quiz.count, desc="questions", disable=not progress)]


def quiz_page(quiz: Any, every: Sequence[Asked], locale: str, blobs: Blobs) -> SinglePage:
    """What the page of a `Quiz` is made of; its pictures go to `blobs`."""
    from zfwidgets import __version__

    texts, answers = table("export", locale), quiz.answers
    questions = [
        {
            "asked": {name: value for name, value in shown.items() if name != "data"},
            "data": blobs.plain(shown["data"], _QUALITY),
            "exciting": question.exciting,
            "values": values,
        }
        for question, (shown, values) in zip(answers.questions, every, strict=True)
    ]
    authors = sorted({credit for shown, _ in every for credit in shown["credits"] if credit})
    first = {**every[0][0], "data": questions[0]["data"]}
    state = {
        **Tape(quiz).state(),
        "at": 0,
        "code": "",
        "status": "ready",
        "error": {},
        "locale": locale,
        "_question": first,
        "_solution": {},
        "_score": {"rows": []},
        "_strings": table("quiz", locale),
    }
    kernelless = {key: texts[f"kernelless_{key}"] for key in ("title", "message", "hint")}
    return SinglePage(
        payload={
            "absent": kernelless,
            "kernelless": kernelless,
            "parts": [{"name": "quiz", "bundle": "quiz", "state": blobs.plain(state)}],
            "links": [],
            "starts": [],
            "scenes": [],
            "sheets": {},
            "quiz": {
                "code": answers.code(quiz.weights).rsplit(":", 2)[0],
                "weights": quiz.weights,
                "questions": questions,
            },
        },
        parts=("quiz",),
        title=texts["quiz_title"].format(net=answers.net),
        lead=texts["quiz_lead"].format(count=quiz.count),
        facts=[
            (texts["fact_net"], answers.net),
            (texts["fact_weights"], quiz.weights),
            *(((texts["fact_photos"], "; ".join(authors)),) if authors else ()),
            (texts["fact_made"], f"zfwidgets {__version__}"),
        ],
    )


def write_quiz(
    path: str | Path, quiz: Any, locale: str, *, max_mb: float, progress: bool
) -> SavedPage:
    """Write the page. See `Quiz.to_html`."""
    blobs = Blobs()
    made = quiz_page(quiz, asked_by(quiz, progress=progress), locale, blobs)
    leave_out = f"Ask less than {quiz.count} questions"
    target, size = made.write(path, blobs, max_mb=max_mb, leave_out=leave_out, locale=locale)
    return SavedPage(target, size, quiz.answers.net, (), quiz.answers.layers, (), {})
