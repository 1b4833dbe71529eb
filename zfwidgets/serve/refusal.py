"""What a server says instead of an answer: a status and JSON, in words for people."""

from __future__ import annotations

import json

from zfwidgets.images.limits import ImageError

Reply = tuple[int, bytes]
"""HTTP status and body: a message for 200, else a refusal."""

_STATUS: tuple[tuple[type[Exception], str, int], ...] = (
    (ImageError, "ImageError", 422),
    (KeyError, "KeyError", 404),
    (IndexError, "IndexError", 400),
    (ValueError, "ValueError", 400),
    (TypeError, "TypeError", 400),
    (RuntimeError, "RuntimeError", 500),
)


def refusal(status: int, kind: str, title: str, message: str, hint: str = "") -> Reply:
    """A refusal. kind: what the client raises."""
    told = {"kind": kind, "title": title, "message": message, "hint": hint}
    return status, json.dumps({"error": told}).encode()


def refused(error: Exception) -> Reply:
    """What an exception of the engine becomes: the same kind at the other end."""
    for known, kind, status in _STATUS:
        if isinstance(error, known):
            words = [getattr(error, name, "") for name in ("title", "message", "hint")]
            # KeyError's str() is the repr of its key.
            text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
            return refusal(status, kind, str(words[0]), str(words[1]) or text, str(words[2]))
    name = type(error).__name__
    return refusal(500, "ServerError", f"Something broke on the server ({name})", str(error))
