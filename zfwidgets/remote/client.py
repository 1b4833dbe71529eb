"""Questions to an engine server over HTTP, and what is done when it does not answer.

A question is asked again once if the connection broke under it; every answer depends on nothing but
its question, so that this harms nobody. When the server cannot be reached, `Unavailable` is raised
at once, and a thread looks every second whether it has come back; who wanted to know is told then.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import urllib.parse
import uuid
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

from zfwidgets.images.limits import ImageError
from zfwidgets.remote import wire
from zfwidgets.remote.wire import Arrays, Head

SECONDS = 60.0
"""How long an answer is waited for."""
_BETWEEN = 1.0
"""Seconds between two looks at a server that is away."""

_KINDS: dict[str, type[Exception]] = {
    kind.__name__: kind for kind in (KeyError, IndexError, ValueError, TypeError, RuntimeError)
}


class ServerError(RuntimeError):
    """The server refuses: a wrong token, too many questions, no such network.

    ``title``, ``message`` and ``hint`` say what was wrong and what to do.
    """

    def __init__(self, title: str, message: str, hint: str = "") -> None:
        super().__init__(" ".join(filter(None, (f"{title}: {message}", hint))))
        self.title, self.message, self.hint = title, message, hint


class Unavailable(ServerError):  # noqa: N818
    """The server cannot be reached, or is not ready."""


class Client:
    """One kernel's way to a server.

    url: as ``http://host:port`` or ``https://…``, with a path if a proxy gives it one.
    """

    def __init__(self, url: str, token: str, seconds: float = SECONDS) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"connect({url!r}): expected an address that begins with http:// or https://, as "
                "`zfwidgets serve` prints it."
            )
        self.url = url
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + wire.PATH
        self._seconds = seconds
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/octet-stream",
            wire.CLIENT: uuid.uuid4().hex,
        }
        self._here = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        weakref.finalize(self, _close, self._open)
        self._waiting: list[weakref.WeakMethod[Callable[[], None]]] = []
        self._lock = threading.Lock()
        self._looking = False

    def ask(self, head: Head, arrays: Arrays | None = None) -> tuple[Head, Arrays]:
        """The answer to a question.

        Raises:
            Unavailable: the server cannot be reached. ServerError: it refuses.
            ImageError, KeyError, IndexError, ValueError, TypeError, RuntimeError: as the same call
            of a network that is here.
        """
        status, body = self._reach(wire.pack(head, arrays))
        if status != 200:
            self._refused(status, body)
        return wire.unpack(body)

    def on_return(self, method: Callable[[], None]) -> None:
        """Call a method (which is held weakly) whenever the server has been away and is back."""
        with self._lock:
            self._waiting = [known for known in self._waiting if known() is not None]
            self._waiting.append(weakref.WeakMethod(method))

    # ------------------------------------------------------------------------------ connection

    def _reach(self, body: bytes) -> tuple[int, bytes]:
        try:
            try:
                status, answer = self._post(body)
            except (http.client.HTTPException, ConnectionError):
                # The connection was kept from the last question; the server may have closed it.
                status, answer = self._post(body)
        except (http.client.HTTPException, OSError) as error:
            self._lost(str(error) or type(error).__name__)
        if _away(status, answer):
            self._lost(f"it answers {status}")
        return status, answer

    def _post(self, body: bytes) -> tuple[int, bytes]:
        connection = getattr(self._here, "connection", None)
        if connection is None:
            connection = self._here.connection = self._connection()
            self._open.append(connection)
        try:
            connection.request("POST", self._path, body, self._headers)
            response = connection.getresponse()
            return response.status, response.read()
        except BaseException:
            connection.close()  # half an answer is none; the next question opens it again
            raise

    def _connection(self) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._seconds)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=self._seconds, context=ssl.create_default_context()
        )

    def _lost(self, why: str) -> NoReturn:
        with self._lock:
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name="zfwidgets-look", daemon=True).start()
        raise Unavailable(
            "The engine server cannot be reached",
            f"{self.url} does not answer ({why}).",
            "What was shown before stays; it goes on by itself once the server is back.",
        )

    def _look(self) -> None:
        """Until the server answers anything at all; then tell those who wanted to know."""
        asleep = threading.Event()
        body = wire.pack({"op": "here"})
        while True:
            asleep.wait(_BETWEEN)
            try:
                status, answer = self._post(body)
            except (http.client.HTTPException, OSError):
                continue
            if not _away(status, answer):
                break
        with self._lock:
            self._looking = False
            waiting = [known() for known in self._waiting]
        for tell in waiting:
            if tell is not None:
                tell()

    def _refused(self, status: int, body: bytes) -> NoReturn:
        told = _told(body)
        kind = str(told.get("kind", ""))
        words = [str(told.get(name, "")) for name in ("title", "message", "hint")]
        if kind == wire.UNKNOWN:
            raise UnknownPictures
        if kind == "ImageError":
            raise ImageError(words[0], words[1], words[2])
        if kind in _KINDS:
            raise _KINDS[kind](words[1])
        title = words[0] or "The engine server did not answer as expected"
        raise ServerError(title, words[1] or f"{self.url} answered {status}.", words[2])


def _away(status: int, body: bytes) -> bool:
    """Whether some proxy answered, or a server that has not started yet, in the place of ours."""
    return status in (404, 502, 503, 504) and not _told(body)


def _close(connections: list[http.client.HTTPConnection]) -> None:
    for connection in connections:
        connection.close()


class UnknownPictures(Exception):  # noqa: N818 - a question, no error
    """The server asks for the pictures again."""


def _told(body: bytes) -> dict[str, Any]:
    """What a refusal says; nothing if it is none of ours, but some proxy's."""
    try:
        told = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return told if isinstance(told, dict) else {}
