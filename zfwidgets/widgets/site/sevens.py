"""Bytes as text of seven bits a letter, for scripts; js/src/page/sevens.ts reads them.

Base64 has six bits a letter: a site of ZFNet would be a megabyte larger. All letters are ASCII, so
that no server's idea of an encoding changes them.
"""

from __future__ import annotations

import numpy as np

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


def sevens(data: bytes) -> str:
    """ceil(8 n / 7) letters of n bytes, the first bits first."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    rows = np.pad(bits, (0, -len(bits) % 7)).reshape(-1, 7)
    letters: bytes = np.packbits(np.pad(rows, ((0, 0), (1, 0))), axis=1).tobytes()
    return letters.decode("ascii")


def literal(text: str) -> str:
    """The text as JavaScript has it; only what would end it is escaped."""
    return f'"{text.translate(_ESCAPES)}"'
