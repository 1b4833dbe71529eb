"""Widgets without a page: what they would send is kept, for a page that has no kernel.

`offstage` takes a widget off the line to the notebook and puts a `Tape` there instead. `Tape.ask`
asks the questions that the page would ask and keeps the answers; `Tape.state` reads the traits that
the page would see. `Blobs` numbers the pictures, each kept once.
"""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import anywidget
import ipywidgets
from PIL import Image

from zfwidgets.widgets.core.rpc import settle
from zfwidgets.widgets.core.wire import PROTOCOL

# Not the bundle and its style either, which the page has once for all.
_NOT_OURS = {*anywidget.AnyWidget.class_trait_names(), "_esm", "_css", "_anywidget_id"}

_ENVELOPE = frozenset({"v", "id", "epoch", "ok", "last"})


class Blobs:
    """Bytes by number, every content once.

    Writing pictures smaller takes as long as projecting them, so it is done beside, on all cores.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._texts: list[Future[str]] = []
        self._pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="zfwidgets-export")
        self._lock = threading.Lock()
        self.so_far = 0
        """How many characters `texts` has at least: of those that are written."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self._texts)

    @property
    def texts(self) -> list[str]:
        """All of them in base64, by number; waits for those that are not written yet."""
        return [text.result() for text in self._texts]

    @property
    def size(self) -> int:
        """How many characters `texts` has; waits as it does."""
        wait(self._texts)
        return self.so_far

    def number(self, data: Any, quality: int | None = None) -> int:
        """The number of these bytes; the same for the same bytes.

        Pictures in lossless WebP are written smaller: to the same pixels, or with a `quality` of
        1 to 100 to similar ones.
        """
        raw = bytes(data)
        key = hashlib.sha256(raw).digest() + bytes([quality or 0])
        if key not in self._numbers:
            self._numbers[key] = len(self)
            self._texts.append(self._pool.submit(self._text, raw, quality))
        return self._numbers[key]

    def _text(self, raw: bytes, quality: int | None) -> str:
        text = base64.b64encode(_smaller(raw, quality)).decode("ascii")
        with self._lock:
            self.so_far += len(text)
        return text

    def plain(self, value: Any, quality: int | None = None) -> Any:
        """`value` as JSON has it; bytes inside become ``{"$blob": number}``, see `number`."""
        if isinstance(value, (bytes, bytearray, memoryview)):
            return {"$blob": self.number(value, quality)}
        if isinstance(value, Mapping):
            return {str(key): self.plain(item, quality) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.plain(item, quality) for item in value]
        return value


class Tape:
    """Stands where a widget's line to the page is, and keeps what the widget says."""

    _serial = itertools.count(1)

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self.comm_id = f"tape-{next(Tape._serial)}"
        self._told: list[tuple[dict[str, Any], list[Any]]] = []
        self._ids = itertools.count(1)

    # ------------------------------------------------------------ as the widget's line to a page

    def send(self, data: Any = None, buffers: Any = None, **_: Any) -> None:
        """A message of the widget; only answers are kept, traits are read when they are wanted."""
        if isinstance(data, dict) and data.get("method") == "custom":
            self._told.append((data["content"], list(buffers or ())))

    def on_msg(self, _callback: Any) -> None:
        """Nothing comes from this page but what `ask` says."""

    def close(self, *_: Any, **__: Any) -> None:
        """There is nobody to tell."""

    # --------------------------------------------------------------------------- for the export

    def state(self) -> dict[str, Any]:
        """The traits that the page sees, without those that every widget has."""
        names = [name for name in self.widget.keys if name not in _NOT_OURS]
        return dict(self.widget.get_state(names))

    def ask(self, op: str, **body: Any) -> list[tuple[dict[str, Any], list[Any]]]:
        """Every chunk of the answer that brings something: its fields and its buffers.

        Raises:
            RuntimeError: the widget refused; the message is its own.
        """
        question = {"v": PROTOCOL, "id": next(self._ids), "op": op, **body}
        self._told.clear()
        data = {"method": "custom", "content": question}
        self.widget._handle_msg({"content": {"data": data}, "buffers": []})  # noqa: SLF001
        settle()
        for content, _ in self._told:
            if not content.get("ok"):
                error = content.get("error", {})
                raise RuntimeError(f"{error.get('title')}: {error.get('message')}")
        return [
            ({key: value for key, value in content.items() if key not in _ENVELOPE}, buffers)
            for content, buffers in self._told
            if buffers
        ]


def offstage(widget: Any) -> Tape:
    """Take a widget off its line; the notebook's page forgets it."""
    # Not the widget's own close(): it ends its work, too.
    ipywidgets.Widget.close(widget)
    tape = Tape(widget)
    widget.comm = tape
    return tape


def _smaller(raw: bytes, quality: int | None) -> bytes:
    """A lossless WebP picture with more patience, or with a quality; anything else as it is."""
    if raw[:4] != b"RIFF" or raw[12:16] != b"VP8L":
        return raw
    out = io.BytesIO()
    with Image.open(io.BytesIO(raw)) as picture:
        if quality is None:
            picture.save(out, "WEBP", lossless=True, quality=60, method=4, exact=True)
        else:
            picture.save(out, "WEBP", quality=quality, method=4)
    return min(raw, out.getvalue(), key=len)
