"""What the widgets say, in every language: one JSON file per widget, the languages side by side.

A file maps a key to ``{"en": "Show {count} channels", "ko": "..."}``; names in braces are filled in
where the text is shown. `common.json` belongs to all widgets. The page gets the table of its
language in the trait `_strings`; TypeScript takes the keys from the same files.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

LOCALES = ("en", "ko")
"""Languages, English first."""

_FOLDER = Path(__file__).parent


def default_locale() -> str:
    """The language of ``ZFWIDGETS_LOCALE`` if it is one of `LOCALES`, else English."""
    asked = os.environ.get("ZFWIDGETS_LOCALE", "")[:2].lower()
    return asked if asked in LOCALES else LOCALES[0]


@cache
def table(name: str, locale: str) -> dict[str, str]:
    """All texts of the widget whose bundle is `name`, with the common ones, by key.

    Raises:
        ValueError: there is no such language.
    """
    if locale not in LOCALES:
        raise ValueError(f"locale={locale!r}: expected one of {', '.join(LOCALES)}")
    texts = {}
    for stem in ("common", name.replace("-", "_")):
        path = _FOLDER / f"{stem}.json"
        if path.is_file():
            entries = json.loads(path.read_text(encoding="utf-8"))
            texts.update({key: languages[locale] for key, languages in entries.items()})
    return texts
