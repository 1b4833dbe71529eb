"""What a channel's strongest pictures have in common, as the page is told it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zfwidgets.analysis.vocabulary import Concept


def told(word: Concept, locale: str) -> dict[str, Any]:
    """A word, as `Word` of core/concepts.ts has it."""
    name = word.korean if locale == "ko" else word.name
    return {"name": name, "count": word.count, "of": word.of, "lift": word.lift, "p": word.p}
