"""Firefox, asked over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/) as it comes.

Commands are {id, method, params}; Firefox answers {id, result}, and tells events in between. It
speaks this on a socket of its own: no driver between, no browser built for tests.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

NAMES = ("firefox-esr", "firefox")
PATIENCE = 60.0
"""Seconds until an answer must be there."""

_PREFERENCES = {
    # No network: everything goes to a port where nobody listens.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    # The browser's own business.
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "ui.prefersReducedMotion": 1,
}

_UNTIL = """async () => {
  const holds = %s;
  while (!holds()) await new Promise(requestAnimationFrame);
}"""

_MIDDLE = """(selector) => {
  const element = document.querySelector(selector);
  element.scrollIntoView({ block: "center" });
  const { left, top, width, height } = element.getBoundingClientRect();
  return [Math.round(left + width / 2), Math.round(top + height / 2)];
}"""


def firefox_path() -> str:
    """The system's Firefox; a missing one fails the tests, for a skipped test proves nothing."""
    named = os.environ.get("ZF_FIREFOX")
    path = named or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail(
            f"no Firefox: looked for {', '.join(NAMES)}; `apt-get install firefox-esr`, or set "
            "ZF_FIREFOX to its path"
        )
    return path


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """One Firefox without a window, with a fresh profile, offline."""
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in _PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
    command = [firefox_path(), "--headless", "--no-remote", "--profile", str(profile)]
    with subprocess.Popen(
        [*command, "--remote-debugging-port", "0", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            with connect(_address(process), max_size=None, open_timeout=PATIENCE) as socket:
                yield Firefox(socket)
        finally:
            process.terminate()


def _address(process: subprocess.Popen[bytes]) -> str:
    """Firefox says where it listens; what it says later is nobody's business."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line.decode(errors="replace"))
        found = re.search(r"listening on (ws://\S+)", said[-1])
        if found:
            Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would stop it
            return f"{found[1]}/session"
    pytest.fail(f"Firefox ended before it listened: {''.join(said)}")


class Firefox:
    """A Firefox that listens."""

    def __init__(self, socket: ClientConnection) -> None:
        self.events: list[dict[str, Any]] = []
        self._socket = socket
        self._asked = 0
        self.ask("session.new", capabilities={})
        self.ask("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])

    def ask(self, method: str, **params: Any) -> Any:
        """The answer to a command; events that come before it are kept."""
        self._asked += 1
        self._socket.send(json.dumps({"id": self._asked, "method": method, "params": params}))
        while True:
            said = json.loads(self._socket.recv(timeout=PATIENCE))
            if said.get("type") == "event":
                self.events.append(said)
            elif said.get("id") == self._asked:
                if "result" not in said:
                    raise FirefoxError(f"{method}: {said['error']}: {said['message']}")
                return said["result"]

    def new_tab(self, width: int = 1400, height: int = 1000) -> Tab:
        return Tab(self, width, height)


class FirefoxError(Exception):
    """A command that failed, or a script that threw."""


class Tab:
    """A page, asked as Playwright's pages are."""

    def __init__(self, firefox: Firefox, width: int, height: int) -> None:
        self.firefox = firefox
        self.context: str = firefox.ask("browsingContext.create", type="tab")["context"]
        size = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", viewport=size)

    def _ask(self, method: str, **params: Any) -> Any:
        return self.firefox.ask(method, context=self.context, **params)

    def goto(self, url: str) -> None:
        """Until it is loaded."""
        self._ask("browsingContext.navigate", url=url, wait="complete")

    def evaluate(self, function: str, given: Any = None) -> Any:
        """What a function of the page gives for `given`; both travel as JSON."""
        told = self._run(f"(async () => JSON.stringify(await ({function})({json.dumps(given)})))()")
        return json.loads(told["value"]) if told["type"] == "string" else None

    def until(self, holds: str) -> None:
        """Look once per frame until a function of the page gives true."""
        self.evaluate(_UNTIL % holds)

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element, wherever it has to be scrolled to."""
        x, y = self.evaluate(_MIDDLE, selector)
        acts = [
            {"type": "pointerMove", "x": x, "y": y},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        pointer = {"type": "pointer", "id": "mouse", "actions": acts}
        self._ask("input.performActions", actions=[pointer])

    def choose_files(self, selector: str, *files: Path) -> None:
        """As a person does in the dialog of an `<input type=file>`."""
        element = self._run(f"document.querySelector({json.dumps(selector)})")
        paths = [str(file) for file in files]
        self._ask("input.setFiles", element={"sharedId": element["sharedId"]}, files=paths)

    def screenshot(self, path: Path) -> None:
        told = self._ask("browsingContext.captureScreenshot", origin="document")
        path.write_bytes(base64.b64decode(told["data"]))

    def complaints(self) -> list[str]:
        """Warnings and errors in the page's console so far."""
        self.evaluate("() => null")  # events come before answers
        return [
            event["params"]["text"]
            for event in self._events("log.entryAdded")
            if event["params"]["level"] in ("warn", "error")
        ]

    def asked(self) -> list[str]:
        """Addresses beyond the disk that the page has asked for so far."""
        self.evaluate("() => null")
        urls = [event["params"]["request"]["url"] for event in self._events("network.")]
        return [url for url in urls if not url.startswith(("file:", "blob:", "data:", "about:"))]

    def close(self) -> None:
        self._ask("browsingContext.close")

    def _events(self, kind: str) -> list[dict[str, Any]]:
        def context(event: dict[str, Any]) -> str | None:
            params = event["params"]
            found: str | None = params.get("context") or params.get("source", {}).get("context")
            return found

        events = self.firefox.events
        return [e for e in events if e["method"].startswith(kind) and context(e) == self.context]

    def _run(self, expression: str) -> Any:
        told = self.firefox.ask(
            "script.evaluate",
            expression=expression,
            awaitPromise=True,
            target={"context": self.context},
        )
        if told["type"] == "exception":
            raise FirefoxError(told["exceptionDetails"]["text"])
        return told["result"]
