"""An Inspector whose page computes: what comes back from it, and who goes on without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zfwidgets.page import UnsupportedInPage
from zfwidgets.widgets.core import spoken
from zfwidgets.widgets.core.wire import describe_error
from zfwidgets.widgets.page_engine import SILENCE, NoAnswer, PageEngine


class PageSide:
    """Has the page compute for an Inspector as long as it can.

    Parameters:
        net: the network. head, browser, view: parts of the Inspector.
        silence, inline: as `PageEngine` has them; silence None: its default.
    """

    def __init__(
        self, net: Any, head: Any, browser: Any, view: Any, silence: float | None, inline: bool
    ) -> None:
        self._net, self._head, self._view = net, head, view
        self._parts = {"browser": browser, "view": view}
        waits = SILENCE if silence is None else silence
        self.engine = PageEngine(net, self._parts, silence=waits, inline=inline, locale=head.locale)
        self.say()

    def follow(
        self,
        arrived: Callable[[list[Any], list[dict[str, Any]]], None],
        turned: Callable[[], None],
    ) -> None:
        """Call `arrived` with layers and classes when the page has recorded the last photo.

        `turned` is called when another one than before computes.
        """
        self._arrived, self._turned = arrived, turned
        self.engine.observe(self._turn, "state")
        self.engine.observe(self._arrive, "recorded")
        self.engine.observe(self._show, "shown")

    @property
    def computes(self) -> bool:
        """Whether it is the page's turn: it computes, or is on its way to it."""
        return self.engine.state != "failed"

    @property
    def shows(self) -> bool:
        """Whether the page has recorded a photo, and it is still the page's turn."""
        return self.computes and bool(self.engine.recorded)

    def say(self) -> None:
        """In the head: where is computed, and why not in the page."""
        head, net = self._head, self._net
        with head.hold_sync():
            if self.computes:
                head.name = head.say("in_page", net=net.name)
                opening = self.engine.state == "opening"
                head.note = head.say("opening") if opening else ""
            else:
                head.name = f"{net.name} on {net.device}"
                head.note = head.say("python_instead", why=self._why())

    def _why(self) -> str:
        reason, head = self.engine.reason, self._head
        if reason is None or isinstance(reason, NoAnswer):
            return str(head.say("no_answer"))
        if isinstance(reason, UnsupportedInPage):
            return spoken.message(str(reason), head.locale)
        return spoken.message(describe_error(reason)["message"], head.locale)

    def _turn(self, change: Any) -> None:
        """The page has begun to compute, or has ended."""
        self.say()
        if "failed" in (change["old"], change["new"]):
            for name, part in self._parts.items():
                part.answered_by(f"{self.engine.model_id}/{name}" if self.computes else "")
            self._turned()

    def _arrive(self, change: Any) -> None:
        recorded = change["new"]
        if recorded["photo"] == self.engine.photo:
            self._arrived(self.engine.layers, recorded["classes"])

    def _show(self, change: Any) -> None:
        shown, view = change["new"], self._view
        view.set_trait("neuron", shown["neuron"])
        if shown["full"] is not None:
            view.full = shown["full"]
