"""What a channel's strongest pictures have in common, as the page is told it."""

from __future__ import annotations

from typing import Any

from zfwidgets.analysis.vocabulary import Concept, Labels


def told(word: Concept, locale: str) -> dict[str, Any]:
    """A word, as `Word` of core/concepts.ts has it."""
    name = word.korean if locale == "ko" else word.name
    return {"name": name, "count": word.count, "of": word.of, "lift": word.lift, "p": word.p}


def named(labels: Any) -> Labels | None:
    """Labels that are names; those that are numbers say nothing."""
    if isinstance(labels, list | tuple) and all(isinstance(label, str) for label in labels):
        return labels
    return None
