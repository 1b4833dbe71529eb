"""A small server on this machine that stands for the hubs: files, ranges, redirects, cut lines."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@dataclass
class Hub:
    """What the server has, how it misbehaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    """For each coming answer, the number of bytes after which the line goes dead."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range header of every GET."""
    address: str = ""

    def put(self, path: str, content: bytes) -> str:
        self.files[path] = content
        return self.address + path


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self.hub.asked.append((self.path, self.headers.get("Range")))
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        hub = self.hub
        if self.path in hub.redirects:
            self.send_response(302)
            self.send_header("Location", hub.redirects[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path not in hub.files:
            self.send_error(404)
            return
        content = hub.files[self.path]
        wanted = self.headers.get("Range") if hub.ranges else None
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        if start >= len(content) > 0:
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        if wanted:
            extent = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", extent)
        self.send_header("Content-Length", str(len(content) - start))
        digest = hashlib.sha256(content).hexdigest()
        self.send_header("ETag", f'"{digest}"')  # as the Hugging Face hub does
        self.send_header("X-Linked-ETag", f'"{digest}"')
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if body:
            sent = content[start:]
            with contextlib.suppress(ConnectionError):  # a client may leave before the end
                self.wfile.write(sent[: hub.cuts.pop(0)] if hub.cuts else sent)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    state = Hub()
    handler = type("Handler", (_Handler,), {"hub": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mirror(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The hub takes the place of every other server, and nothing is here yet."""
    monkeypatch.setenv("ZFWIDGETS_MIRROR", hub.address)
    monkeypatch.setenv("ZFWIDGETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return hub
