"""A line of a review: what was found, its numbers, how it was judged; and what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["missed", "look", "good", "fact", "open"]
"""missed: a limit that was asked for; look: worth a look; good: passed its test; fact: a number
without a test; open: it cannot be told from what was given."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What makes a review fail; None: not asked. Shares from 0 to 1.

    max_dead, max_duplicates, max_gini: of each layer, as `assert_healthy`. min_accuracy: of all
    pictures whose class is known. max_aliasing: of the first layer, see `Filters.aliasing`.
    """

    max_dead: float | None = 0.05
    max_duplicates: float | None = None
    max_gini: float | None = None
    min_accuracy: float | None = None
    max_aliasing: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the summary. about: what. text: a sentence. test: how it was judged."""

    about: str
    verdict: Verdict
    text: str
    test: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.verdict:<6}  {self.about}: {self.text} [{self.test}]"
