"""A page with one shipped bundle and a fake model: the page side of a widget without Jupyter."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from zfwidgets.widgets.core.strings import table

STATIC = Path(__file__).resolve().parents[2] / "zfwidgets" / "widgets" / "static"

#: The tokens of JupyterLab's own themes that the widgets read.
THEMES = {
    "light": {"bg": "#ffffff", "raised": "#eeeeee", "fg": "rgba(0, 0, 0, 0.87)"},
    "dark": {"bg": "#111111", "raised": "#212121", "fg": "rgba(255, 255, 255, 1)"},
}

_MOUNT = """
async ({ code, state }) => {
  const bytes = (text) => {
    const raw = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new DataView(raw.buffer);
  };
  for (const key of Object.keys(state)) {
    if (state[key] && state[key].base64 !== undefined) state[key] = bytes(state[key].base64);
  }
  const listeners = new Map();
  const call = (event, ...args) => {
    for (const listener of [...(listeners.get(event) ?? [])]) listener(...args);
  };
  const model = {
    state, sent: [], saved: 0,
    get: (name) => state[name],
    set(name, value) {
      if (state[name] === value) return;
      state[name] = value;
      call(`change:${name}`);
    },
    save_changes() { model.saved += 1; },
    on(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
    },
    off(event, listener) {
      listeners.set(event, (listeners.get(event) ?? []).filter((other) => other !== listener));
    },
    send(content, _callbacks, buffers = []) {
      model.sent.push({ content, sizes: buffers.map((buffer) => buffer.byteLength) });
    },
    receive: (content) => call("msg:custom", content, []),
    listening: () => [...listeners.values()].reduce((sum, list) => sum + list.length, 0),
  };
  window.model = model;
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const widget = (await import(url)).default;
  const el = document.querySelector("#widget");
  const initialised = await widget.initialize?.({ model });
  const cleanup = await widget.render({ model, el });
  window.unmount = () => { cleanup?.(); initialised?.(); };
}
"""


def open_widget(
    page: Page, name: str, state: dict[str, Any], theme: str = "light", width: int | None = None
) -> None:
    """Show the bundle ``static/<name>`` in `page` with a fake model of the given traits.

    ``window.model`` is the model: ``state``, ``sent``, ``set(name, value)``, ``receive(content)``;
    ``window.unmount()`` ends the view. A value of type bytes arrives as a DataView.
    """
    colours = THEMES[theme]
    css = (STATIC / f"{name}.css").read_text(encoding="utf-8")
    page.goto("about:blank")
    page.set_content(
        f"""<!doctype html><html><head><style>
        :root {{ --jp-layout-color0: {colours["bg"]}; --jp-layout-color2: {colours["raised"]};
                 --jp-ui-font-color1: {colours["fg"]}; }}
        body {{ margin: 12px; background: {colours["bg"]}; }}
        #widget {{ {f"width: {width}px" if width else ""} }}
        </style><style>{css}</style></head><body><div id="widget"></div></body></html>"""
    )
    plain = {
        key: {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for key, value in {"error": {}, "_strings": table(name, "en"), **state}.items()
    }
    code = (STATIC / f"{name}.js").read_text(encoding="utf-8")
    page.evaluate(_MOUNT, {"code": code, "state": plain})
