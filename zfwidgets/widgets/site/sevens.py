"""Bytes as text of seven bits a letter, for scripts; js/src/page/sevens.ts reads them.

Base64 has six bits a letter: a site of ZFNet would be a megabyte larger. All letters are ASCII, so
that no server's idea of an encoding changes them.
"""

from __future__ import annotations

import numpy as np

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"}


def sevens(data: bytes) -> str:
    """ceil(8 n / 7) letters of n bytes, the first bits first."""
    given = np.frombuffer(data, np.uint8)
    sevenths = np.pad(given, (0, -len(given) % 7)).reshape(-1, 7)
    letters = np.zeros((len(sevenths), 8), np.uint8)
    for n in range(7):  # the first bits of a byte end one letter, the rest begin the next
        letters[:, n] |= sevenths[:, n] >> (n + 1)
        letters[:, n + 1] = sevenths[:, n] << (6 - n) & 127
    count = -(-8 * len(given) // 7)
    return letters.reshape(-1)[:count].tobytes().decode("ascii")


def literal(text: str) -> str:
    """The text as JavaScript has it; only what would end it is escaped."""
    for letter, escaped in _ESCAPES.items():  # the backslash first: the others bring some
        text = text.replace(letter, escaped)
    return f'"{text}"'
