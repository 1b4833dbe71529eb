"""A visit to an exemplar: its photo in the Inspector, at its neuron, and the way back home."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zfwidgets.widgets.core.neuron import Place


@dataclass(frozen=True)
class _Home:
    """Where the visit began: a picture of the picker, and the neuron that was looked at in it."""

    picture: str
    neuron: tuple[str, int | None]
    place: Place


class Visit:
    """Follows `ExemplarStrip.picked`: into the picture that was clicked, and back.

    Another picture that is chosen by hand ends the visit. Another channel does not; it is looked at
    where it is strongest.
    """

    def __init__(self, picker: Any, view: Any, strip: Any) -> None:
        self._picker, self._view, self._strip = picker, view, strip
        self._home: _Home | None = None
        self._guest = ""  # the picker's name for the picture that is visited
        self._place: Place = None  # the neuron that is visited in it
        self._coming: list[Place] = []  # what to look at in the recording that is under way
        self._scanned: object = None  # the pictures that the exemplars are of
        self._known: dict[str, str] = {}  # the picker's names for exemplars of them
        strip.observe(self._follow, "picked")
        view.observe(self._elsewhere, "channel")

    def noticed(self) -> None:
        """Another picture was chosen; if by hand, there is no way back any more."""
        if self._home is not None and self._picker.value != self._guest:
            if self._coming or self._view.place == self._place:
                self._coming = [None]
            self._end()
            self._strip.leave()

    def arrived(self) -> None:
        """The picture that was chosen last is recorded, and about to be shown."""
        with self._view.hold_sync():  # no other channel is chosen in between
            if self._coming:
                self._view.place = self._coming.pop()

    def forget(self) -> None:
        """Let go of the pictures that were scanned."""
        self._scanned = None

    def _end(self) -> None:
        self._home = None
        self._strip.home = ""

    def _follow(self, change: Any) -> None:
        if picked := change["new"]:
            self._go(picked)
        elif self._home is not None:
            self._return(self._home)

    def _go(self, picked: dict[str, Any]) -> None:
        picker, view = self._picker, self._view
        name, exact = self._entered(picked["id"])
        if self._home is None and picker.value is not None:
            self._home = _Home(picker.value, (view.layer, view.channel), view.place)
            labels = {item["id"]: item["label"] for item in picker.items}
            self._strip.home = labels.get(picker.value, picker.value)
        self._guest = name
        self._place = (picked["row"], picked["col"]) if exact else None
        self._show(name, self._place)

    def _entered(self, exemplar: str) -> tuple[str, bool]:
        """The picker's name for an exemplar, which joins its pictures at the first visit."""
        source = self._strip.source
        if source.images is not self._scanned:
            # Each look at a scan has a source of its own; other pictures may have the same names.
            self._scanned, self._known = source.images, {}
        picture, exact = source.picture(exemplar)
        name = self._known.get(exemplar)
        if name is None or all(item["id"] != name for item in self._picker.items):
            about = source.about(exemplar) or ""
            name = self._picker.add(picture, exemplar, about, choose=False)
            self._known[exemplar] = name
        return name, exact

    def _return(self, home: _Home) -> None:
        self._end()
        here = (self._view.layer, self._view.channel) == home.neuron
        if any(item["id"] == home.picture for item in self._picker.items):
            self._show(home.picture, home.place if here else None)

    def _show(self, name: str, place: Place) -> None:
        if self._picker.value == name:
            self._view.place = place
            self._coming = [place] if self._coming else []
        else:
            self._coming = [place]
            self._picker.value = name

    def _elsewhere(self, _change: object) -> None:
        """Another channel was chosen; a place in the picture that is under way was not its."""
        if self._coming or (self._home is not None and self._view.place == self._place):
            self._view.place = None
        self._coming.clear()
