"""A widget made of widgets: what it may begin with, how it ends, what its static picture waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import anywidget
import ipywidgets
import traitlets as t

from zfwidgets.widgets.core.base import StaticPicture, dispose
from zfwidgets.widgets.core.rpc import Responder

STATIC_SECONDS = 1.5
"""How long the display of a widget of several parts may wait for its picture."""


def one_of(name: str, value: str, known: Iterable[str]) -> str:
    """The value, if it is a known one. Asked before the first part is made, nothing stays open.

    Raises:
        traitlets.TraitError: it is not.
    """
    names = [*known]
    if value not in names:
        raise t.TraitError(f"{name}={value!r:.80}: expected one of {', '.join(names) or 'none'}")
    return value


class Composed(StaticPicture, ipywidgets.Box):
    """Base of the composed widgets.

    Parameters:
        children: its parts, and plain boxes that place them.
        responder: whose work ends with the widget.
        traits: of the subclass.
    """

    _closed = True  # until it is made: ipywidgets closes half-made widgets too

    def __init__(self, children: Sequence[Any], responder: Responder, **traits: Any) -> None:
        self._responder = responder
        # Between the parts and to others; they end with the widget.
        self._links: list[Any] = []
        super().__init__(children, **traits)
        self._closed = False

    def close(self) -> None:
        """Stop what is being computed, close every part, let go of networks and recordings."""
        if self._closed:
            return
        self._closed = True
        self._responder.close()
        for link in self._links:
            link.unlink()
        self._links = []
        parts, layout = [*_parts(self)], self.layout
        for part in (self, *parts):
            part.unobserve_all()
        super().close()
        layout.close()
        for part in parts:
            dispose(part)
        self._let_go()

    def _display_(self) -> Any:
        """For marimo, which shows single widgets, and no boxes of them."""
        return _in_marimo(self)

    def _let_go(self) -> None:
        """Drop what is large; called once, when all is closed."""


def _parts(box: ipywidgets.Box) -> Iterator[Any]:
    """Everything in a box, and in the plain boxes in it; parts close their own parts."""
    for child in box.children:
        if type(child) is ipywidgets.Box:
            yield from _parts(child)
        yield child


def _in_marimo(box: ipywidgets.Box) -> Any:
    """The widgets of a box one below the other, then the boxes in it, beside each other if wide."""
    import marimo

    rows: list[Any] = [
        marimo.ui.anywidget(part) for part in box.children if isinstance(part, anywidget.AnyWidget)
    ]
    boxes = [_in_marimo(part) for part in box.children if type(part) is ipywidgets.Box]
    if boxes:
        columns = [marimo.style(column, flex="1 1 400px", min_width="0") for column in boxes]
        rows.append(marimo.hstack(columns, align="start", gap=1.5, wrap=True))
    return marimo.vstack(rows)
