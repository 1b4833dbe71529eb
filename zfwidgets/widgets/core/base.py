"""The common base of all widgets: bundle, keyword check, error trait, threads, static picture."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import ipywidgets
import traitlets as t

from zfwidgets.widgets.core import spoken
from zfwidgets.widgets.core.strings import LOCALES, default_locale, table
from zfwidgets.widgets.core.wire import describe_error

STATIC = Path(__file__).parents[1] / "static"

# One lock for all widgets: links call from one widget into the next, and a lock each would sooner
# or later be taken in two orders. It is held while traits are set, never for computing.
_state_lock = threading.RLock()


@cache
def bundle(name: str, suffix: str) -> str:
    """The text of static/`name`.`suffix`.

    Text and not a path: anywidget watches paths, and its watcher keeps every widget alive for ever.

    Raises:
        FileNotFoundError: the bundle was not built.
    """
    path = STATIC / f"{name}.{suffix}"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `make bundles`")
    return path.read_text(encoding="utf-8")


def heard_as_addressed(comm: Any) -> None:
    """Let what a page says on `comm` go to the subshell of the kernel that the page names.

    ipykernel 7.4 sends it to the one in whose name Python spoke last. When the page is opened anew
    that one is gone, and the kernel would refuse all that the page says.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, named: named  # noqa: SLF001 - it has no other


class StaticPicture:
    """For a widget: a picture and a line of text for places where widgets do not run."""

    def contact_sheet(self) -> bytes | None:
        """What the widget shows as a PNG file for places without a kernel; None if nothing."""
        return None

    def plain_text(self) -> str:
        """One line for terminals and for readers of the notebook's source."""
        return f"{type(self).__name__}()"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        made = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        # anywidget gives (data, metadata), ipywidgets the data alone, both None for no view.
        data = made[0] if isinstance(made, tuple) else made
        if data is not None:
            data["text/plain"] = self.plain_text()
            if _wants_picture() and (png := self.contact_sheet()):
                data["image/png"] = base64.b64encode(png).decode("ascii")
        return made


class ZFWidget(StaticPicture, anywidget.AnyWidget):
    """Base class of the widgets; a subclass sets `bundle_name` and declares its traits.

    Traits may be set from any thread. Keyword arguments that are no trait are refused.
    """

    bundle_name: ClassVar[str] = ""

    error = t.Dict(help="What went wrong as {title, message, hint}; empty when all is well.").tag(
        sync=True, **spoken.SPOKEN_ERROR
    )

    locale = t.Enum(LOCALES)
    """Language of labels and hints, "en" or "ko". Default: that of ``ZFWIDGETS_LOCALE``."""

    _strings = t.Dict().tag(sync=True)
    """All texts of the widget in its language, by key."""

    _desk = t.Unicode().tag(sync=True)
    """Who in the page answers the widget's questions and sets what it shows; empty: Python."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if name := cls.__dict__.get("bundle_name"):
            if os.environ.get("ANYWIDGET_HMR") == "1":
                cls._esm, cls._css = STATIC / f"{name}.js", STATIC / f"{name}.css"
            else:
                cls._esm, cls._css = bundle(name, "js"), bundle(name, "css")
        super().__init_subclass__(**kwargs)

    def __init__(self, **kwargs: Any) -> None:
        known = {name for name in self.trait_names() if not name.startswith("_")}
        if unknown := sorted(kwargs.keys() - known):
            own = sorted(known - set(anywidget.AnyWidget.class_trait_names()))
            raise TypeError(
                f"{type(self).__name__} got unknown argument(s) {', '.join(unknown)}; "
                f"it understands {', '.join(own)}"
            )
        super().__init__(**kwargs)

    def __del__(self) -> None:
        # What was never opened has nothing to close: `__init__` may not have begun.
        if self.comm is not None:
            self.close()

    @t.observe("comm")
    def _hear(self, change: dict[str, Any]) -> None:
        heard_as_addressed(change["new"])

    @t.default("locale")
    def _default_locale(self) -> str:
        return default_locale()

    @t.default("_strings")
    def _first_strings(self) -> dict[str, str]:
        return table(self.bundle_name, self.locale)

    @t.observe("locale")
    def _speak(self, _change: object) -> None:
        self._strings = table(self.bundle_name, self.locale)
        for name in self.trait_names(sync=True, spoken=True):
            self.send_state(name)

    def send(self, content: Any, buffers: Any = None) -> None:
        """As ipywidgets'; what a message says of an error is in the widget's language."""
        if isinstance(content, dict) and isinstance(content.get("error"), dict):
            content = {**content, "error": spoken.error(content["error"], self.locale)}
        super().send(content, buffers)

    def say(self, key: str, **values: object) -> str:
        """The text of `key` in the widget's language, with `values` filled in.

        Raises:
            KeyError: the widget has no such text, or a value is missing.
        """
        return table(self.bundle_name, self.locale)[key].format_map(values)

    def answered_by(self, desk: str) -> None:
        """Leave what is shown to an engine in the page, js/src/core/desk.ts; "": to Python."""
        self._desk = desk

    def fail(self, error: BaseException) -> None:
        """Show `error` in the widget until :meth:`clear_error`."""
        self.error = describe_error(error)

    def clear_error(self) -> None:
        """Take the shown error away."""
        if self.error:
            self.error = {}

    def hold_sync(self) -> AbstractContextManager[None]:
        """Set several traits as one message, from any thread. Compute before, not inside."""
        return _locked(super().hold_sync())

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """As ipywidgets', one thread at a time."""
        with _state_lock:
            super().set_state(sync_data)

    def notify_change(self, change: Any) -> None:
        """As ipywidgets', one thread at a time."""
        with _state_lock:
            super().notify_change(change)


def dispose(widget: Any) -> None:
    """Close a widget together with the layout and the style that came with it."""
    companions = [getattr(widget, name, None) for name in ("layout", "style")]
    widget.close()
    for companion in companions:
        if isinstance(companion, ipywidgets.Widget):
            companion.close()


@contextmanager
def disposing(widgets: Iterable[Any]) -> Iterator[None]:
    """Dispose of the widgets if what is done meanwhile fails: none is left half made."""
    try:
        yield
    except Exception:
        for widget in widgets:
            dispose(widget)
        raise


@contextmanager
def _locked(inner: AbstractContextManager[None]) -> Iterator[None]:
    with _state_lock, inner:
        yield


def _wants_picture() -> bool:
    # VS Code shows a picture instead of the widget when it is offered both.
    in_vscode = "VSCODE_PID" in os.environ or "VSCODE_CWD" in os.environ
    return os.environ.get("ZFWIDGETS_STATIC", "0" if in_vscode else "1") != "0"
