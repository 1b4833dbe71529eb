"""What the widgets say: a `strings.json` in each folder, its languages side by side.

A file maps a key to ``{"en": "Show {count} channels", "ko": "..."}``; names in braces are filled in
where the text is shown. The file beside this one belongs to all widgets. The page gets the table of
its language in the trait `_strings`; TypeScript takes the keys from the same files.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

LOCALES = ("en", "ko")
"""Languages, English first."""

_CORE = Path(__file__).parent


def default_locale() -> str:
    """The language of ``ZFWIDGETS_LOCALE`` if it is one of `LOCALES`, else English."""
    asked = os.environ.get("ZFWIDGETS_LOCALE", "")[:2].lower()
    return asked if asked in LOCALES else LOCALES[0]


@cache
def table(name: str, locale: str) -> dict[str, str]:
    """All texts in the folder of the bundle `name`, with those of every widget, by key.

    Raises:
        ValueError: there is no such language.
    """
    if locale not in LOCALES:
        raise ValueError(f"locale={locale!r}: expected one of {', '.join(LOCALES)}")
    texts = {}
    for folder in (_CORE, _CORE.parent / name.replace("-", "_")):
        path = folder / "strings.json"
        if path.is_file():
            entries = json.loads(path.read_text(encoding="utf-8"))
            texts.update({key: languages[locale] for key, languages in entries.items()})
    return texts
