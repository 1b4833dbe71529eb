"""One page of a site, in one language, before it becomes a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Content:
    """path: its file. name: what links to it say. lead: its first paragraph.

    payload: `Payload` of js/src/page/payload.ts; addresses in it and in `scripts`, the files of its
    pictures, are from the site's folder. parts, rules, facts: as `document` takes them.
    """

    locale: str
    path: str
    name: str
    title: str
    lead: str
    payload: dict[str, Any]
    parts: Sequence[str | Sequence[str]]
    rules: int
    facts: Sequence[tuple[str, str]]
    scripts: Sequence[str]
