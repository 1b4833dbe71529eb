"""A shipped bundle in a page, joined to a real widget in this process: all of it but Jupyter."""

from __future__ import annotations

import base64
import json
import queue
import time
from collections.abc import Callable, Iterable
from typing import Any

from ipywidgets import Widget
from ipywidgets.widgets.widget import _put_buffers, _remove_buffers
from playwright.sync_api import Page

from tests.browser.harness import STATIC, THEMES

_PAUSE, _LONGEST = 0.002, 0.02
"""Seconds to wait for Python; looking all the time would take others the time to get there."""
_SILENCE = 5000
"""Milliseconds after which a page takes it that nobody answers; they are not waited for."""
_SECURE = "http://localhost/widget"
_MOUNT = """
async (given) => {
  const { code, state, paths, buffers } = JSON.parse(given);
  const view = (text) => {
    // As some hosts do: a view into a larger buffer, at an offset that is no multiple of four.
    const raw = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const room = new Uint8Array(raw.length + 3);
    room.set(raw, 3);
    return new DataView(room.buffer, 3, raw.length);
  };
  const text = (buffer) => {
    const bytes = ArrayBuffer.isView(buffer)
      ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
      : new Uint8Array(buffer);
    let raw = "";
    for (let at = 0; at < bytes.length; at += 8192) {
      raw += String.fromCharCode(...bytes.subarray(at, at + 8192));
    }
    return btoa(raw);
  };
  const put = (target, paths, buffers) => paths.forEach((path, i) => {
    const owner = path.slice(0, -1).reduce((at, key) => at[key], target);
    owner[path.at(-1)] = view(buffers[i]);
  });
  const listeners = new Map();
  const call = (event, ...args) => {
    for (const listener of [...(listeners.get(event) ?? [])]) listener(...args);
  };
  put(state, paths, buffers);
  const tell = (message) => window.toPython(JSON.stringify(message));
  let changed = {};
  const apply = (update) => {
    const names = Object.keys(update).filter((name) => state[name] !== update[name]);
    Object.assign(state, update);
    for (const name of names) call(`change:${name}`);
  };
  window.model = {
    state, sent: [],
    get: (name) => state[name],
    set(name, value) {
      if (state[name] === value) return;
      changed[name] = value;
      apply({ [name]: value });
    },
    save_changes() {
      if (Object.keys(changed).length) tell({ method: "update", state: changed });
      changed = {};
    },
    on: (event, listener) => listeners.set(event, [...(listeners.get(event) ?? []), listener]),
    off: (event, listener) =>
      listeners.set(event, (listeners.get(event) ?? []).filter((other) => other !== listener)),
    send(content, _callbacks, buffers = []) {
      model.sent.push({ ...content, at: performance.now() });
      tell({ method: "custom", content, buffers: buffers.map(text) });
    },
    listening: () => [...listeners.values()].reduce((sum, list) => sum + list.length, 0),
  };
  window.fromPython = (message) => {
    const { method, state, content, paths, buffers } = JSON.parse(message);
    if (method === "custom") return call("msg:custom", content, buffers.map(view));
    put(state, paths, buffers);
    apply(state);
  };
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const widget = (await import(url)).default;
  const show = (el) => widget.render({ model, el });
  window.unmount = await show(document.querySelector("#widget"));
  window.showAgain = show;
}
"""


_DRESS = """(tokens) => {
  for (const [name, value] of tokens) document.documentElement.style.setProperty(name, value);
}"""


class _Comm:
    """Stands in for the kernel's comm: what is sent waits here for the page."""

    kernel = object()

    def __init__(self, comm_id: str) -> None:
        self.comm_id = comm_id
        self.outbox: queue.SimpleQueue[tuple[dict[str, Any], list[bytes]]] = queue.SimpleQueue()

    def on_msg(self, _callback: Any) -> None:
        pass

    def send(self, data: dict[str, Any], buffers: Any = None, **_: Any) -> None:
        self.outbox.put((data, [bytes(b) for b in buffers or ()]))

    def close(self, *_: Any, **__: Any) -> None:
        pass


class LiveWidget:
    """A widget and its page. `until` carries messages between them and waits for a state.

    alive=False: what the page sends is lost, as after the kernel has gone, and it knows already.
    secure: a page of its own address, which browsers may let use the camera.
    """

    def __init__(
        self,
        page: Page,
        widget: Widget,
        name: str,
        theme: str = "light",
        alive: bool = True,
        secure: bool = False,
    ) -> None:
        self.page, self.widget, self.alive = page, widget, alive
        self.comm = _Comm(widget.model_id)
        widget.comm = self.comm
        if not page.evaluate("'toPython' in window"):
            page.expose_function("toPython", self._receive)
        state, paths, buffers = _remove_buffers(widget.get_state())
        if secure:
            page.route(_SECURE, lambda route: route.fulfill(body="", content_type="text/html"))
        if not alive:
            page.clock.install()
        page.goto(_SECURE if secure else "about:blank")
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        page.set_content(_document(name, theme))
        code = (STATIC / f"{name}.js").read_text(encoding="utf-8")
        wanted = {key: state[key] for key in state if key not in ("_esm", "_css", "layout")}
        page.evaluate(
            _MOUNT,
            _message({"code": code, "state": wanted}, paths, buffers),
        )
        if not alive:
            page.clock.fast_forward(_SILENCE)

    def look(self, theme: str, width: int = 1400, height: int = 1000) -> None:
        """As a host shows it that has changed its theme, in a window of this size."""
        colours = THEMES[theme]
        self.page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.evaluate(_DRESS, list(_tokens(colours).items()))
        self.until(f"document.querySelector('.zf-root').dataset.zfTheme === '{theme}'")

    def until(self, condition: str, timeout: float = 20.0) -> None:
        """Carry messages until the JavaScript `condition` holds in the page.

        Raises:
            TimeoutError: it did not come true within `timeout` seconds.
        """
        limit, pause = time.monotonic() + timeout, _PAUSE
        while True:
            self.carry(pause)
            if self.page.evaluate(condition):
                return
            if time.monotonic() > limit:
                raise TimeoutError(f"not true within {timeout} s: {condition}")
            pause = min(1.5 * pause, _LONGEST)

    def expect(self, value: Callable[[], Any], expected: Any, timeout: float = 20.0) -> None:
        """Wait until the page's messages have brought a Python `value` to what is expected.

        What the mouse and the keys do in the page is told to Python a moment later.
        """
        limit = time.monotonic() + timeout
        while (found := value()) != expected:
            assert time.monotonic() < limit, f"{found!r} is not {expected!r} after {timeout} s"
            self.page.wait_for_timeout(10)

    def carry(self, pause: float = _PAUSE) -> None:
        """Hand what Python has sent so far to the page; what that leads to, the next time.

        pause: seconds to wait for something, if there is nothing.
        """
        for _ in range(1 + self.comm.outbox.qsize()):
            try:
                data, buffers = self.comm.outbox.get(timeout=pause)
            except queue.Empty:
                return
            message = _message(data, data.get("buffer_paths", []), buffers)
            self.page.evaluate("(message) => fromPython(message)", message)

    def _receive(self, message: str) -> None:
        if not self.alive:
            return
        data = json.loads(message)
        _put_buffers(data.get("state", {}), [], [])
        buffers = [memoryview(base64.b64decode(text)) for text in data.pop("buffers", [])]
        self.widget._handle_msg({"content": {"data": data}, "buffers": buffers})


def _message(said: dict[str, Any], paths: list[Any], buffers: Iterable[Any]) -> str:
    """For the page, as text: of a structure Playwright would look at every number."""
    sent = [_text(buffer) for buffer in buffers]
    return json.dumps({**said, "paths": paths, "buffers": sent})


def _text(data: Any) -> str:
    return base64.b64encode(bytes(data)).decode("ascii")


def _tokens(colours: dict[str, str]) -> dict[str, str]:
    """JupyterLab's tokens of a theme that the widgets read."""
    return {
        "--jp-layout-color0": colours["bg"],
        "--jp-layout-color1": colours["bg"],
        "--jp-layout-color2": colours["raised"],
        "--jp-ui-font-color1": colours["fg"],
    }


def _document(name: str, theme: str) -> str:
    css = (STATIC / f"{name}.css").read_text(encoding="utf-8")
    tokens = " ".join(f"{token}: {value};" for token, value in _tokens(THEMES[theme]).items())
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
        <title>{name}</title><style>
        :root {{ {tokens} }}
        body {{ margin: 12px; background: var(--jp-layout-color0); }}
        </style><style>{css}</style></head>
        <body><button id="before">before</button><div id="widget"></div>
        <button id="after">after</button></body></html>"""
