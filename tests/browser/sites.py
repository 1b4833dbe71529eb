"""A plain web server for a site that `zf.site` wrote, as a school has one."""

from __future__ import annotations

import functools
import http.server
import threading
from pathlib import Path
from typing import Any

WAY = "class%203b/nets"
"""Where the tests' site lies below its server's root: some folders down, with a space."""


class Server:
    """Serves a folder on a port of its own. asked: what was asked for, in order."""

    def __init__(self, root: Path, way: str) -> None:
        self.asked: list[str] = []
        handler = functools.partial(_Quiet, asked=self.asked, directory=str(root))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.home = f"http://127.0.0.1:{self._server.server_port}/{way}/"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def __init__(self, *args: Any, asked: list[str], **options: Any) -> None:
        self.asked = asked
        super().__init__(*args, **options)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        self.asked.append(self.path)
