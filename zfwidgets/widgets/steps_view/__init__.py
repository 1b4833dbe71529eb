"""One projection on the blackboard: unpool, rectify, filter, layer by layer."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from zfwidgets.deconv.steps import Step
from zfwidgets.images.contrast import contrast
from zfwidgets.images.sheet import contact_sheet
from zfwidgets.images.tiles import encode
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.layers import default_layer
from zfwidgets.widgets.core.neuron import RULES, Place, Question, neuron_of
from zfwidgets.widgets.core.recordings import RecordingTrait, check_picture
from zfwidgets.widgets.core.rpc import Job, Responder
from zfwidgets.widgets.core.wire import Answer, describe_error, sheet
from zfwidgets.widgets.steps_view import pictures

if TYPE_CHECKING:
    from zfwidgets.widgets.export import SavedPage

BELONGS = ("off",)
"""Traits that belong to one photo and layer: another one's way has other steps."""

_PATIENCE = 10.0  # seconds that a static picture waits for what is being computed


@dataclass(frozen=True)
class _Way:
    """The steps as they are, and the projections: with every step, and without those left out."""

    epoch: int
    steps: list[Step]
    results: np.ndarray[Any, np.dtype[np.uint8]]
    facts: dict[str, Any]


class StepsView(ZFWidget):
    """The way of one neuron back to pixels, step by step (Zeiler & Fergus 2013, section 2.1).

    Every unpooling, rectification and filtering is shown with the signal before and after it; the
    switches are drawn. A rectification or unpooling can be left out, to see what it is good for.

    Parameters:
        recording: what `DeconvNet.record` gave.
        layer, channel: the feature map.
        place: row and column of the neuron; None: the strongest of the channel.
        image: which picture of the recording.
        rule: how rectifiers treat the signal, see `Recording.project`.

    Examples:
        >>> steps = StepsView(net.record("cat.jpg"), layer="conv3", channel=7)
        >>> steps.off = [step["name"] for step in steps.plan if step["kind"] == "rectify"]
    """

    bundle_name = "steps-view"

    recording = RecordingTrait()
    """The recorded forward pass; Python only."""

    layer = t.Unicode()
    """Name of the layer; empty for none. Another layer takes `place` back to None."""

    channel = t.Int(None, allow_none=True, min=0)
    """Index of the channel in the layer, from 0."""

    place: Any = t.Tuple(t.Int(), t.Int(), default_value=None, allow_none=True)
    """Row and column of the neuron on the channel's map; None for the strongest."""

    image = t.Int(0, min=0)
    """Index of the picture in the recording."""

    rule = t.Enum(RULES, "deconvnet").tag(sync=True)
    """What rectifiers do to the signal."""

    off = t.List(t.Unicode()).tag(sync=True)
    """Names of the steps that are left out."""

    step = t.Int(0, min=0).tag(sync=True)
    """Index of the step that is shown, in the order of the way back."""

    status = t.Enum(["empty", "busy", "ready", "error"], "empty", read_only=True).tag(sync=True)
    """What the view is doing."""

    _plan = t.Dict().tag(sync=True)  # the neuron, the steps in numbers, the projections

    def __init__(self, recording: Any = None, *, inline: bool = False, **kwargs: Any) -> None:
        """`inline` computes in the calling thread: for tests and platforms without threads."""
        self._responder: Responder | None = None
        self._way: _Way | None = None
        self._job: Job | None = None
        self._epochs = itertools.count(1)
        self._settled = threading.Event()
        super().__init__(recording=recording, **kwargs)
        handlers = {"step": self._draw}
        self._responder = Responder(self.send, handlers, self._epoch, inline=inline)
        self.on_msg(self._responder.on_msg)
        self.observe(self._to_strongest, "layer")
        self.observe(self._forget_off, ["recording", "layer"])
        self.observe(self._ask, ["recording", "layer", "channel", "place", "image", "rule", "off"])
        self._ask()

    @property
    def plan(self) -> list[dict[str, Any]]:
        """The steps in numbers: ``{name, layer, kind, off, optional, before, after, zeros, …}``."""
        return list(self._plan.get("steps", []))

    def to_html(
        self,
        path: str | Path,
        *,
        photos: Any = None,
        max_mb: float = 40.0,
        locale: str | None = None,
    ) -> SavedPage:
        """Write one HTML file that holds the network: any neuron's way back, without Python.

        photos: as `zfwidgets.to_html` takes them; default: the sample photographs. Whoever opens
        the page chooses layers and channels, and brings other photos; they stay on that person's
        machine. It begins with this view's layer, channel and rule; the neuron is the strongest of
        the channel. Batch normalisation that follows a convolution is part of it there.

        Raises:
            ValueError: the view has no recording, or the network cannot run in a page.
            PageTooLarge: the page would have more than `max_mb` megabytes.
        """
        from zfwidgets.widgets.export.view import Chosen, write_view

        if self.recording is None:
            raise ValueError("to_html() got a StepsView without a recording; give it one.")
        layer = self.layer or default_layer(self.recording.layers.values())
        chosen = Chosen(layer, self.channel, self.rule, BELONGS)
        options: dict[str, Any] = {"photos": photos, "max_mb": max_mb, "chosen": chosen}
        net, speaks = self.recording.net, locale or self.locale
        return write_view(path, "steps", StepsView, net, locale=speaks, **options)

    def close(self) -> None:
        """Close the view and let go of the recording."""
        if self._responder is not None:
            self._responder.close()
        self.unobserve_all()
        super().close()
        self.recording = self._way = self._job = None

    def wait(self, timeout: float = 30.0) -> bool:
        """Wait until what was asked for last is shown, or has failed; False if it takes longer."""
        return self._settled.wait(timeout)

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"StepsView(layer={self.layer!r}, channel={self.channel}, {len(self.plan)} steps)"

    def contact_sheet(self) -> bytes | None:
        """The strongest map behind every step, in order, as one PNG file; waits a moment for it."""
        self.wait(_PATIENCE)
        way = self._way
        if way is None:
            return None
        tiles = [pictures.sides(step)[1].strongest() for step in way.steps]
        labels = [f"{step.layer}: {step.kind}{' (off)' * step.off}" for step in way.steps]
        made = contact_sheet([*tiles, way.results[-1]], [*labels, "projection"], tile_size=110)
        return encode(np.asarray(made), "image/png")

    # ---------------------------------------------------------------------- question

    def _epoch(self) -> int:
        return 0 if self._way is None else self._way.epoch

    def _to_strongest(self, _change: object) -> None:
        self.place = None  # a row and column mean nothing on another layer's maps

    def _forget_off(self, _change: object) -> None:
        self.off = []  # another layer's way has other steps

    def _ask(self, _change: object = None) -> None:
        assert self._responder is not None
        if self._job is not None:
            self._job.cancel()
        if self.recording is None or self.channel is None or not self.layer:
            self._publish("empty", None, {})
            return
        place: Place = self.place
        question = Question(
            self.recording, self.image, self.layer, self.channel, (self.rule,), place
        )
        off = list(self.off)
        self._settled.clear()
        self.set_trait("status", "busy")
        self._job = self._responder.submit(lambda job: self._work(job, question, off))

    def _work(self, job: Job, question: Question, off: list[str]) -> None:
        """On the worker thread. Whatever goes wrong is shown."""
        try:
            check_picture(question.recording, question.image)
            found = neuron_of(question)
            (rule,) = question.rules
            steps = question.recording.steps(found, rule=rule, off=off)
            job.check()
            whole = question.recording.project(found, rule=rule)
            pixels = [whole.on_canvas()] + ([steps[-1].signal] if off else [])
            results = [contrast(whole.to_rgb(picture))[0][0] for picture in pixels]
            names = {step.name: pictures.facts(step) for step in steps}
            job.check()
            facts = {
                "net": question.recording.net.name,
                "layer": question.layer,
                "channel": question.channel,
                "row": int(found.row[0]),
                "col": int(found.col[0]),
                "value": float(found.value[0]),
                "steps": list(names.values()),
            }
            way = _Way(next(self._epochs), steps, np.stack(results), facts)
            made = sheet(range(len(results)), way.results)
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            with self.hold_sync():
                job.check()
                self.error = describe_error(error)
                self.set_trait("status", "error")
            self._settled.set()
            return
        plan = {**facts, "epoch": way.epoch, "sheet": made.head(), "data": made.data}
        with self.hold_sync():
            job.check()  # something else may have been asked for while this was drawn
            self._publish("ready", way, plan)

    def _publish(self, status: str, way: _Way | None, plan: dict[str, Any]) -> None:
        with self.hold_sync():
            self._way, self._plan = way, plan
            if plan:
                self.step = min(self.step, len(plan["steps"]) - 1)
            self.clear_error()
            self.set_trait("status", status)
        self._settled.set()

    # ------------------------------------------------------------------------ answer

    def _draw(self, job: Job) -> Answer:
        """One step for the page: maps before and after, switches or filter."""
        way = self._way
        assert way is not None
        index = job.request.integer("index", 0, len(way.steps) - 1)
        step = way.steps[index]
        before, after = pictures.sides(step)
        if index == len(way.steps) - 1:
            after = pictures.Side([0], way.results[-1:], 0.0, after.part)
        parts = {"before": before, "after": after, "filter": pictures.filter_tile(step)}
        messages = {name: part.message() for name, part in parts.items() if part is not None}
        body: dict[str, Any] = {name: head for name, (head, _) in messages.items()}
        body["switches"] = pictures.switches(step)
        return Answer(body, [data for _, data in messages.values()], last=True)
