"""One neuron at a time: the photo, what it can see of it, and its projections back to pixels."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from zfwidgets.images.tiles import encode
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.neuron import RULES, Question
from zfwidgets.widgets.core.recordings import RecordingTrait
from zfwidgets.widgets.core.rpc import Job, Responder
from zfwidgets.widgets.core.wire import describe_error, sheet
from zfwidgets.widgets.projection_view.answer import (
    COLOURS,
    CONTRASTS,
    Answer,
    Picture,
    answer,
    pictures,
)

if TYPE_CHECKING:
    from zfwidgets import StepsView

_PATIENCE = 10.0  # seconds that a static picture waits for what is being computed


@dataclass(frozen=True)
class _Painted:
    """An answer in its colours. shown: the trait `_shown`, as `Shown` of the page side."""

    answer: Answer | None
    shown: dict[str, Any]
    pixels: Picture | None = None


class ProjectionView(ZFWidget):
    """One neuron of a channel: photo with its receptive field, and its projections.

    A click on the photo, or the arrow keys, choose another neuron of the channel. Photo and
    projections zoom and pan together. Projections are computed on the worker thread; what was
    shown before stays until then, and stays if it fails.

    Parameters:
        recording: what `DeconvNet.record` gave.
        layer: name of the layer.
        channel: which of its maps; None: none yet.
        place: row and column of the neuron; None: the strongest of the channel.
        rule: how the signal goes back, see `Recording.project`.
        image: which picture of the recording.

    Examples:
        >>> view = ProjectionView(net.record("cat.jpg"), layer="conv5", channel=17)
        >>> view.all_rules = True
        >>> ipywidgets.link((browser, "active"), (view, "channel"))
    """

    bundle_name = "projection-view"

    recording = RecordingTrait()
    """The recorded forward pass; Python only."""

    layer = t.Unicode()
    """Name of the layer; empty for none. Another layer takes `place` back to None."""

    channel = t.Int(None, allow_none=True, min=0)
    """Index of the channel in the layer, from 0."""

    image = t.Int(0, min=0)
    """Index of the picture in the recording."""

    place: Any = t.Tuple(t.Int(), t.Int(), default_value=None, allow_none=True).tag(sync=True)
    """Row and column of the neuron on the channel's map; None for the strongest."""

    rule = t.Enum(RULES, "deconvnet").tag(sync=True)
    """How the signal goes back; "deconvnet" is that of Zeiler & Fergus (2013)."""

    all_rules = t.Bool(False).tag(sync=True)
    """Whether the projections by all four rules stand side by side."""

    contrast = t.Enum(CONTRASTS, "percentile").tag(sync=True)
    """Which ``|x|`` is full contrast: of each picture the 99.5th "percentile" or the "largest"; the
    99.5th percentile of all pictures, "shared"; or `full`, "fixed"."""

    full = t.Float(1.0).tag(sync=True)
    """The ``|x|`` of full contrast if `contrast` is "fixed"; else that of the first picture."""

    colours = t.Enum(COLOURS, "colour").tag(sync=True)
    """"colour": red, green and blue around mid-grey; "signed": their mean, from blue (negative)
    over white (zero) to orange (positive)."""

    opacity = t.Float(0.0, min=0.0, max=1.0).tag(sync=True)
    """How much of the projection lies over the photo, 0 to 1."""

    frame = t.Enum(["picture", "field"], "picture").tag(sync=True)
    """What new neurons are framed by: the whole picture, or their receptive field."""

    window: Any = t.Tuple(
        t.Float(), t.Float(), t.Float(), t.Float(), default_value=None, allow_none=True
    ).tag(sync=True)
    """What is in sight: (top, left, bottom, right) in shares of the picture; None: all of it."""

    hovered = t.Dict(None, allow_none=True).tag(sync=True)
    """Another neuron whose receptive field is marked on the photo: a mapping with its ``box``, as
    `ChannelBrowser.hovered`; None for none."""

    pointed: Any = t.Tuple(t.Float(), t.Float(), default_value=None, allow_none=True).tag(
        sync=True, echo_update=False
    )
    """Where the pointer is on the pictures, row and column in shares of the photo; None: nowhere.
    Set by the page, ten times a second at most; set by others, the neuron's field there is marked.
    """

    neuron = t.Dict(read_only=True)
    """The neuron shown: ``{layer, image, channel, row, col, value, box}``; empty if none is.
    ``box`` is (top, left, bottom, right) in input pixels and may reach outside the picture."""

    status = t.Enum(["empty", "busy", "ready", "error"], "empty", read_only=True).tag(sync=True)
    """What the view is doing."""

    _photo = t.Dict().tag(sync=True)  # {mime, data, size: [H, W]}; sent only when it changes
    _shown = t.Dict().tag(sync=True)  # facts, rules, full and the sheet of projections: all at once

    def __init__(self, recording: Any = None, *, inline: bool = False, **kwargs: Any) -> None:
        """`inline` computes in the calling thread: for tests and platforms without threads."""
        self._responder: Responder | None = None
        self._answer: Answer | None = None
        self._pixels: Picture | None = None
        self._job: Job | None = None
        self._settled = threading.Event()
        super().__init__(recording=recording, **kwargs)
        self._responder = Responder(self.send, {}, inline=inline)
        self.on_msg(self._responder.on_msg)
        self.observe(self._to_strongest, "layer")
        self.observe(
            self._ask, ["recording", "layer", "channel", "rule", "image", "place", "all_rules"]
        )
        self.observe(self._repaint, ["contrast", "full", "colours"])
        self._ask()

    def close(self) -> None:
        """Close the view and let go of the recording."""
        if self._responder is not None:
            self._responder.close()
        self.unobserve_all()
        super().close()
        self.recording = self._answer = self._job = self._pixels = None

    def wait(self, timeout: float = 30.0) -> bool:
        """Wait until what was asked for last is shown, or has failed; False if it takes longer."""
        return self._settled.wait(timeout)

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"ProjectionView(layer={self.layer!r}, channel={self.channel}, rule={self.rule!r})"

    def contact_sheet(self) -> bytes | None:
        """Photo and projections as one PNG file; waits a moment. None if there is nothing."""
        self.wait(_PATIENCE)
        shown, pixels = self._answer, self._pixels
        if shown is None or pixels is None:
            return None
        gap = np.full((shown.photo.shape[0], 8, 3), 255, np.uint8)
        parts = [shown.photo] + [part for picture in pixels for part in (gap, picture)]
        return encode(np.concatenate(parts, axis=1), "image/png")

    def steps(self) -> StepsView:
        """The projection that is shown, step by step, as a widget of its own.

        Raises:
            ValueError: nothing is shown, or the page computes and Python has no recording.
        """
        if self._desk:
            raise ValueError(
                "steps() got a view that is computed in the page; give a StepsView the recording "
                "of the photo: net.record(inspector.picker.image)."
            )
        if not self.neuron:
            raise ValueError("steps() got a view that shows no neuron; choose a channel first.")
        # By its public name: steps are written as pages, and pages have views.
        from zfwidgets import StepsView

        neuron = self.neuron
        return StepsView(
            self.recording,
            layer=neuron["layer"],
            channel=neuron["channel"],
            place=(neuron["row"], neuron["col"]),
            image=neuron["image"],
            rule=self.rule,
            locale=self.locale,
        )

    # ---------------------------------------------------------------------- question

    def _to_strongest(self, _change: object) -> None:
        self.place = None  # a row and column mean nothing on another layer's maps

    def _ask(self, _change: object = None) -> None:
        assert self._responder is not None
        if self._job is not None:
            self._job.cancel()
        if self._desk:
            self._answer = self._pixels = None
            return
        if self.recording is None:
            self._publish("empty", _Painted(None, {}), {})
            return
        rules = RULES if self.all_rules else (self.rule,)
        question = Question(self.recording, self.image, self.layer, self.channel, rules, self.place)
        self._settled.clear()
        self.set_trait("status", "busy")
        self._job = self._responder.submit(lambda job: self._work(job, question))

    def _work(self, job: Job, question: Question) -> None:
        """On the worker thread. Whatever goes wrong is shown."""
        try:
            before = self._answer
            found = answer(question, before, job.check)
            job.check()
            painted = self._painted(found)
            new = before is None or before.photo is not found.photo or not self._photo
            photo = _photo(found) if new else None
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            self._refuse(error, job)
            return
        with self.hold_sync():
            job.check()  # something else may have been asked for while this was painted
            self._publish("empty" if not found.neuron else "ready", painted, photo)

    def _repaint(self, change: Any) -> None:
        """Other colours for what is known already."""
        if change["name"] == "full" and self.contrast != "fixed":
            return
        assert self._responder is not None
        if self.status == "error":
            self._ask()  # it may have been the colours
        elif self._answer is not None or self.status == "busy":
            self._responder.submit(self._paint_again)

    def _paint_again(self, job: Job) -> None:
        found = self._answer
        if found is None or found.values is None:
            return
        try:
            painted = self._painted(found)
        except ValueError as error:
            self._refuse(error, job)
            return
        with self.hold_sync():
            if self._answer is found:
                self._show(painted)
                self.clear_error()

    # ------------------------------------------------------------------------ answer

    def _painted(self, found: Answer) -> _Painted:
        contrast, colours = self.contrast, self.colours
        if found.values is None:
            return _Painted(found, {})
        pixels, full = pictures(found.values, contrast, colours, self.full)
        made = sheet(range(len(pixels)), pixels)
        shown = {
            **found.facts,
            "rules": list(found.rules),
            "full": list(full),
            "contrast": contrast,
            "colours": colours,
            "sheet": made.head(),
            "data": made.data,
        }
        return _Painted(found, shown, pixels)

    def _publish(self, status: str, painted: _Painted, photo: dict[str, Any] | None) -> None:
        """photo: the trait `_photo`; None: it is the same."""
        with self.hold_sync():
            if photo is not None:
                self._photo = photo
            self._answer = painted.answer
            self._show(painted)
            self.set_trait("neuron", painted.answer.neuron if painted.answer else {})
            self.clear_error()
            self.set_trait("status", status)
        self._settled.set()

    def _show(self, painted: _Painted) -> None:
        self._pixels, self._shown = painted.pixels, painted.shown
        if self.contrast != "fixed" and painted.shown and painted.shown["full"][0] > 0:
            self.full = painted.shown["full"][0]  # to go on from, when it is to be fixed

    def _refuse(self, error: BaseException, job: Job) -> None:
        with self.hold_sync():
            job.check()
            self.error = describe_error(error)
            self.set_trait("status", "error")
        self._settled.set()


def _photo(found: Answer) -> dict[str, Any]:
    data = encode(found.photo, "image/webp")
    return {"mime": "image/webp", "data": data, "size": list(found.photo.shape[:2])}
