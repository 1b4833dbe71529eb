"""One neuron at a time: the photo, what it can see of it, and its projection back to pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
import traitlets as t

from zfwidgets.images.tiles import encode
from zfwidgets.widgets.base import StaticPicture, ZFWidget, dispose
from zfwidgets.widgets.plots import Box, LinkedPictures
from zfwidgets.widgets.rpc import Job, Responder
from zfwidgets.widgets.wire import describe_error

RULES = ("deconvnet", "guided", "gradient", "linear")
_GREY = 128
_PHOTO, _PROJECTION = 0, 1
Picture = np.ndarray[Any, Any]


class ProjectionCaption(ZFWidget):
    """The line above the pictures: which neuron, how strong, how shown; and the zoom buttons."""

    bundle_name = "projection-caption"

    facts = t.Dict().tag(sync=True)
    """What is shown, see `_facts`; empty if nothing is."""

    status = t.Enum(["empty", "busy", "ready", "error"], "empty").tag(sync=True)

    frame = t.Enum(["picture", "field"], "picture").tag(sync=True)
    """What the frame was last set to: the whole picture, or the receptive field."""

    _asked = t.Int(0).tag(
        sync=True
    )  # counts the buttons' clicks: the same frame may be asked twice

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"ProjectionCaption({self.facts})"


@dataclass(frozen=True)
class _Question:
    """What is to be shown. A newer question makes an older one's answer stale."""

    recording: Any
    image: int
    layer: str
    channel: int | None
    rule: str


@dataclass(frozen=True)
class _Shown:
    """The answer: photo and projection uint8 [H, W, 3], and the neuron in words."""

    photo: Picture
    projection: Picture | None = None
    box: Box | None = None
    neuron: dict[str, Any] | None = None
    facts: dict[str, Any] | None = None


class ProjectionView(StaticPicture, ipywidgets.VBox):
    """The strongest neuron of a channel: photo with its receptive field, and its projection.

    Photo and projection zoom (wheel) and pan (drag) together; a double click shows the whole
    picture again. The projection is computed on the worker thread; what was shown before stays
    until then, and stays if it fails.

    Parameters:
        recording: what `DeconvNet.record` gave.
        layer: name of the layer.
        channel: which of its maps; None: none yet.
        rule: how the signal goes back, see `Recording.project`.
        image: which picture of the recording.

    Examples:
        >>> view = ProjectionView(net.record("cat.jpg"), layer="conv5", channel=17)
        >>> ipywidgets.link((browser, "active"), (view, "channel"))
    """

    recording = t.Any(None, allow_none=True)
    """The recorded forward pass; Python only."""

    layer = t.Unicode()
    """Name of the layer; empty for none."""

    channel = t.Int(None, allow_none=True)
    """Index of the channel in the layer, from 0."""

    rule = t.Enum(RULES, "deconvnet")
    """How the signal goes back; "deconvnet" is that of Zeiler & Fergus (2013)."""

    image = t.Int(0, min=0)
    """Index of the picture in the recording."""

    neuron = t.Dict(read_only=True)
    """The neuron shown: ``{layer, image, channel, row, col, value, box}``; empty if none is.
    ``box`` is (top, left, bottom, right) in input pixels and may reach outside the picture."""

    status = t.Enum(["empty", "busy", "ready", "error"], "empty", read_only=True)
    """What the view is doing."""

    error = t.Dict(read_only=True)
    """What went wrong, as {title, message, hint}; empty when all is well."""

    _closed = True  # until it is made: ipywidgets closes half-made widgets too

    def __init__(
        self,
        recording: Any = None,
        *,
        layer: str = "",
        channel: int | None = None,
        rule: str = "deconvnet",
        image: int = 0,
        inline: bool = False,
    ) -> None:
        """`inline` computes in the calling thread: for tests and platforms without threads."""
        self.caption = ProjectionCaption()
        self.pictures = LinkedPictures(["What the network sees", "Projection"])
        self._responder = Responder(self.caption.send, {}, inline=inline)
        self._job: Job | None = None
        self._shown: _Shown | None = None
        super().__init__(
            [self.caption, self.pictures],
            recording=recording,
            layer=layer,
            channel=channel,
            rule=rule,
            image=image,
        )
        self._closed = False
        self.add_class("zf-projection-view")
        self.caption.observe(self._look, ["frame", "_asked"])
        self.observe(self._ask, ["recording", "layer", "channel", "rule", "image"])
        self._ask()

    def close(self) -> None:
        """Close every widget of the view and let go of the recording."""
        if self._closed:
            return
        self._closed = True
        self._responder.close()
        self.unobserve_all()
        self.caption.unobserve_all()
        super().close()
        dispose(self.caption)
        dispose(self.pictures)
        self.recording = self._shown = self._job = None

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"ProjectionView(layer={self.layer!r}, channel={self.channel}, rule={self.rule!r})"

    def contact_sheet(self) -> bytes | None:
        """Photo and projection as one PNG file; None if there is nothing to show."""
        if self._shown is None or self._shown.projection is None:
            return None
        gap = np.full((self._shown.photo.shape[0], 8, 3), 255, np.uint8)
        pair = np.concatenate([self._shown.photo, gap, self._shown.projection], axis=1)
        return encode(pair, "image/png")

    # ---------------------------------------------------------------------- question

    def _ask(self, _change: object = None) -> None:
        if self._job is not None:
            self._job.cancel()
        if self.recording is None:
            self._set(status="empty", facts={}, neuron={}, error={})
            return
        question = _Question(self.recording, self.image, self.layer, self.channel, self.rule)
        self._set(status="busy")
        self._job = self._responder.submit(lambda job: self._work(job, question))

    def _work(self, job: Job, question: _Question) -> None:
        """On the worker thread. Whatever goes wrong is shown."""
        try:
            shown = _answer(question, job.check)
            job.check()
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            if job.wanted:
                self._set(status="error", error=describe_error(error))
            return
        self._show(shown, new_photo=self._is_new_photo(shown))

    def _is_new_photo(self, shown: _Shown) -> bool:
        return self._shown is None or not np.array_equal(self._shown.photo, shown.photo)

    # ------------------------------------------------------------------------ answer

    def _show(self, shown: _Shown, *, new_photo: bool) -> None:
        self._shown = shown
        if new_photo:
            self.pictures.show(_PHOTO, shown.photo)
        blank = np.full_like(shown.photo, _GREY)
        self.pictures.show(_PROJECTION, blank if shown.projection is None else shown.projection)
        self.pictures.outline(shown.box)
        # Otherwise the person's own zoom stays, to compare neurons at one place.
        if shown.box is not None and self.caption.frame == "field":
            self.pictures.zoom_to(shown.box)
        elif new_photo:
            self.pictures.reset()
        status = "empty" if shown.neuron is None else "ready"
        self._set(status=status, facts=shown.facts or {}, neuron=shown.neuron or {}, error={})

    def _set(self, status: str, **values: dict[str, Any]) -> None:
        """Set the read-only traits, and the caption's as one message."""
        with self.caption.hold_sync():
            self.caption.status = status
            for name in ("facts", "error"):
                if name in values:
                    setattr(self.caption, name, values[name])
        for name in ("neuron", "error"):
            if name in values:
                self.set_trait(name, values[name])
        self.set_trait("status", status)

    def _look(self, _change: object) -> None:
        box = None if self._shown is None else self._shown.box
        if self.caption.frame == "field" and box is not None:
            self.pictures.zoom_to(box)
        else:
            self.pictures.reset()


def _answer(question: _Question, check: Callable[[], None]) -> _Shown:
    recording = question.recording
    photo = recording.seen()[question.image]
    if question.channel is None or not question.layer:
        return _Shown(photo)
    check()
    found = recording.strongest(question.layer, channels=[question.channel])
    wanted = (found.image == question.image).nonzero()[0].tolist()
    projection = recording.project(found[wanted], rule=question.rule)
    check()
    pictures, how = projection.shown(canvas=True)
    box = tuple(projection.boxes[0].tolist())
    neuron = {
        "layer": question.layer,
        "image": question.image,
        "channel": question.channel,
        "row": int(found.row[wanted[0]]),
        "col": int(found.col[wanted[0]]),
        "value": float(found.value[wanted[0]]),
        "box": box,
    }
    facts = _facts(neuron, photo.shape[:2], question, str(how))
    return _Shown(photo, pictures[0], box, neuron, facts)


def _facts(
    neuron: dict[str, Any], size: tuple[int, ...], question: _Question, contrast: str
) -> dict[str, Any]:
    """What the caption says, as plain values."""
    top, left, bottom, right = neuron["box"]
    layer = question.recording.layers[question.layer]
    return {
        "layer": question.layer,
        "channel": neuron["channel"],
        "row": neuron["row"],
        "col": neuron["col"],
        "map": [layer.height, layer.width],
        "value": neuron["value"],
        "field": [bottom - top, right - left],
        "beyond": top < 0 or left < 0 or bottom > size[0] or right > size[1],
        "all": top <= 0 and left <= 0 and bottom >= size[0] and right >= size[1],
        "rule": question.rule,
        "contrast": contrast,
    }
