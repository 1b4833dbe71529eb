"""The messages between a widget in the page and its Python half; mirrored by js/src/core/wire.ts.

The page asks ``{v, id, epoch, op, ...}`` + buffers. Python answers with one or more
``{v, id, epoch, ok: true, last, ...}`` + buffers, or once with ``{v, id, ok: false, error}``.
``{v, op: "cancel", id}`` takes a question back. ``epoch`` is the version of what is being looked
at; both sides drop what belongs to an older one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from zfwidgets.images import tiles as tile_files

PROTOCOL = 1
"""Version of the messages; a page of another version is told to restart."""

MAX_IDS = 256
"""Most channels one question may name; the page asks in batches of at most 64."""


class WireError(Exception):
    """An error meant for a person: what went wrong, what exactly, and what to do about it."""

    def __init__(self, title: str, message: str, hint: str = "") -> None:
        super().__init__(f"{title}: {message}")
        self.title = title
        self.message = message
        self.hint = hint


def describe_error(error: BaseException) -> dict[str, str]:
    """Any exception as ``{title, message, hint}`` for the page.

    An exception that has ``title``, ``message`` and ``hint`` (:class:`WireError`, `ImageError`)
    keeps them; one of the kinds that arguments cause shows its message; any other also shows its
    class name, so that a report can name it.
    """
    told = {name: getattr(error, name, None) for name in ("title", "message", "hint")}
    if all(isinstance(text, str) for text in told.values()):
        return {name: str(text) for name, text in told.items()}
    # KeyError's str() is the repr of its key.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    message = text or "no further explanation"
    if isinstance(error, (ValueError, LookupError)):
        return {"title": "That did not work", "message": message, "hint": ""}
    hint = "What was shown before stays. If it happens again, restart the kernel."
    return {"title": f"Something broke ({type(error).__name__})", "message": message, "hint": hint}


@dataclass(frozen=True)
class Request:
    """A validated question of the page."""

    id: int
    epoch: int
    op: str
    body: Mapping[str, Any]
    buffers: Sequence[memoryview] = ()

    @classmethod
    def parse(cls, content: Any, buffers: Sequence[memoryview] | None = None) -> Request:
        """Check the envelope of a received message.

        Raises:
            WireError: it is not a question of this protocol version.
        """
        if not isinstance(content, dict):
            raise WireError("Unreadable message", f"expected an object, got {content!r:.80}")
        if content.get("v") != PROTOCOL:
            raise WireError(
                "The page and the kernel do not match",
                f"the page speaks protocol {content.get('v')!r:.20}, the kernel {PROTOCOL}",
                "Restart the kernel and reload the page.",
            )
        op, number, epoch = content.get("op"), content.get("id"), content.get("epoch", 0)
        if not isinstance(op, str) or not _is_int(number) or not _is_int(epoch):
            raise WireError(
                "Unreadable message",
                f"expected op (text), id and epoch (whole numbers), got {content!r:.80}",
            )
        return cls(number, epoch, op, content, tuple(buffers or ()))

    def ids(self, key: str, count: int) -> list[int]:
        """The list of indices ``0 <= i < count`` in the body's field `key`, at most `MAX_IDS`.

        Raises:
            WireError: it is anything else.
        """
        value = self.body.get(key)
        if (
            not isinstance(value, list)
            or not 0 < len(value) <= MAX_IDS
            or not all(_is_int(i) and 0 <= i < count for i in value)
        ):
            raise WireError(
                "Unreadable message",
                f"expected {key} as 1 to {MAX_IDS} numbers below {count}, got {value!r:.80}",
            )
        return value

    def integer(self, key: str, low: int, high: int) -> int:
        """The whole number in the body's field `key`, clipped into ``low..high``.

        Raises:
            WireError: it is not a whole number.
        """
        value = self.body.get(key)
        if not _is_int(value):
            raise WireError("Unreadable message", f"expected {key} as a number, got {value!r:.80}")
        return min(max(value, low), high)


@dataclass(frozen=True)
class Answer:
    """One chunk of an answer: JSON fields and raw buffers. `last` ends the answer."""

    body: Mapping[str, Any] = field(default_factory=dict)
    buffers: Sequence[bytes | memoryview] = ()
    last: bool = False

    def message(self, request: Request) -> dict[str, Any]:
        """The chunk in its envelope."""
        envelope = {"v": PROTOCOL, "id": request.id, "epoch": request.epoch, "ok": True}
        return {**self.body, **envelope, "last": self.last}


def refusal(number: int, error: BaseException) -> dict[str, Any]:
    """The message that ends question `number` with an error."""
    return {"v": PROTOCOL, "id": number, "ok": False, "error": describe_error(error)}


@dataclass(frozen=True)
class Sheet:
    """Equally large tiles, row-major on one encoded picture.

    One picture a batch, not one a tile: 64 feature maps of 13 x 13 take the kernel 1 ms, not 6, and
    the page 1 ms, not 25; 64 projections of 96 x 96 take the page 20 ms, not 42.
    """

    ids: tuple[int, ...]
    data: bytes
    mime: str
    tile: tuple[int, int]
    columns: int

    def head(self) -> dict[str, Any]:
        """Everything but the picture, as `SheetHead` of wire.ts."""
        return {
            "ids": list(self.ids),
            "mime": self.mime,
            "tile": list(self.tile),
            "columns": self.columns,
        }


def sheet(
    ids: Sequence[int],
    tiles: npt.NDArray[np.uint8],
    mime: str = "image/webp",
    quality: int | None = None,
) -> Sheet:
    """Put tiles ``[N, h, w, 3]`` of the channels `ids` on one sheet, as square as possible.

    mime, quality: as for `encode`; for photographs a quality saves nine bytes of ten.
    """
    count, height, width, _ = tiles.shape
    if count != len(ids):
        raise ValueError(f"expected one tile per id, got {count} tiles for {len(ids)} ids")
    columns = max(1, round((count * height / width) ** 0.5))
    columns = min(columns, count)
    data = tile_files.encode(tile_files.sprite(tiles, columns), mime, quality)
    return Sheet(tuple(ids), data, mime, (height, width), columns)


def _is_int(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
