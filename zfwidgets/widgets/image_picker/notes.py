"""What decoding and preparing had to guess, in the language of the person who looks.

`zfwidgets.images` says it in English sentences. Those that `strings.json` knows, under keys that
begin with ``note_``, are said in the other language; what it does not know stays as it is.
"""

from __future__ import annotations

import re
from functools import cache

from zfwidgets.widgets.core.strings import LOCALES, table

_PREFIX = "note_"


def spoken(note: str, locale: str) -> str:
    """The sentences of `note` in the language `locale`."""
    if locale == LOCALES[0]:
        return note
    for pattern, text in _sentences(locale):
        # From the end, so that what is replaced does not move what is still to be.
        for found in reversed(list(pattern.finditer(note))):
            note = note[: found.start()] + text.format(**found.groupdict()) + note[found.end() :]
    return note


@cache
def _sentences(locale: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """English sentences as patterns, a name in braces being anything, and their other texts."""
    english, other = table("image-picker", LOCALES[0]), table("image-picker", locale)
    found = []
    for key, text in english.items():
        if key.startswith(_PREFIX):
            parts = re.split(r"\{(\w+)\}", text)
            for i, part in enumerate(parts):
                parts[i] = f"(?P<{part}>.+?)" if i % 2 else re.escape(part)
            found.append((re.compile("".join(parts), re.DOTALL), other[key]))
    return tuple(found)
