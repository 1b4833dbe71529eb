"""What the network needs to see: a square over the photo, dragged by hand or scanned (Fig. 7).

The page asks for one place at a time and never for the next before the answer; a scan goes on in
small steps behind these questions, so that dragging stays quick meanwhile.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import traitlets as t
from torch import Tensor

from zfwidgets.analysis.occluder import Occluder
from zfwidgets.analysis.occlusion import Occlusion, scan
from zfwidgets.images.contrast import heat_colours
from zfwidgets.images.tiles import encode
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.layers import default_layer
from zfwidgets.widgets.core.recordings import RecordingTrait, check_picture
from zfwidgets.widgets.core.rpc import AHEAD, Job, Responder
from zfwidgets.widgets.core.spoken import class_name
from zfwidgets.widgets.core.wire import Answer, WireError

if TYPE_CHECKING:
    from zfwidgets.widgets.export import SavedPage

_WATCHED = 5
_STEP = 8
"""Places a step of the scan measures: what a person who drags waits for at most."""


class OcclusionView(ZFWidget):
    """Hide a place of the photo and watch the class probabilities and one feature map.

    The square is moved with the mouse or the arrow keys. `scan` slides it over the whole photo,
    coarse first, and shows the maps of Fig. 7 over the photo as they come.

    Parameters:
        recording: what `DeconvNet.record` gave; its network must be a classifier.
        layer: the layer of the watched feature map. Default: conv5, else the last convolution.
        channel: which of its maps. Default: the one with the strongest neuron.
        label: the class of the probability map, by number or name. Default: the most probable.

    Examples:
        >>> view = OcclusionView(net.record("cat.jpg"), label="tabby")
        >>> view.scan()
        >>> view.result.to_frame()  # when `scanning` is False again
    """

    bundle_name = "occlusion-view"

    recording = RecordingTrait()
    """The recorded forward pass; Python only."""

    image = t.Int(0, min=0)
    """Index of the picture in the recording."""

    layer = t.Unicode()
    """Layer of the watched feature map; empty: conv5, else the last convolution."""

    channel = t.Int(None, allow_none=True, min=0)
    """Index of the watched map; None: the one with the strongest neuron."""

    label = t.Union([t.Int(), t.Unicode()], default_value=None, allow_none=True)
    """The class to watch, by number or name; None: the most probable one."""

    size = t.Int(32, min=1).tag(sync=True)
    """Side of the square in input pixels."""

    fill = t.Enum(("grey", "mean"), "grey").tag(sync=True)
    """What stands in the square: mid-grey as in the paper, or the photo's mean colour."""

    place = t.List(t.Int(), [0, 0], minlen=2, maxlen=2).tag(sync=True)
    """First row and column of the square in input pixels."""

    stride = t.List(t.Int(), [32, 8])
    """Steps of the scan in input pixels, coarse to fine; see `zfwidgets.occlusion`."""

    overlay = t.Enum(("none", "activation", "probability", "class"), "none").tag(sync=True)
    """Which map lies over the photo."""

    scanning = t.Bool(False).tag(sync=True)
    """Whether a scan is under way. Set it to begin or to stop one."""

    progress = t.Float(0.0).tag(sync=True)
    """Share of the scan that is done."""

    result = t.Instance(Occlusion, allow_none=True, read_only=True)
    """The maps as far as they are measured; None before the first scan. Python only."""

    status = t.Enum(["empty", "busy", "ready", "error"], "empty").tag(sync=True)

    _epoch = t.Int(0).tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _photo = t.Bytes().tag(sync=True)
    _maps = t.Dict().tag(sync=True)
    _palette = t.Bytes().tag(sync=True)

    def __init__(self, recording: Any = None, *, inline: bool = False, **kwargs: Any) -> None:
        """`inline` computes in the calling thread: for tests and platforms without threads."""
        self._occluder: Occluder | None = None
        self._steps: Iterator[Occlusion] | None = None
        self._legend: list[int] = []
        self._painted = ""
        self._job: Job | None = None
        self._responder = Responder(
            self.send, {"look": self._look}, lambda: self._epoch, inline=inline
        )
        super().__init__(recording=recording, **kwargs)
        self.on_msg(self._responder.on_msg)
        self.observe(self._prepare, ["recording", "image", "layer", "channel", "label"])
        self.observe(self._begin_or_stop, "scanning")
        self.observe(self._stop, ["fill"])
        self._prepare()
        if self.scanning:
            self._begin_or_stop()

    @t.default("_palette")
    def _heat(self) -> bytes:
        return heat_colours().tobytes()

    def scan(self) -> None:
        """Measure the whole photo in the background; `result` grows meanwhile."""
        self.scanning = True

    def stop(self) -> None:
        """Stop the scan; what is measured stays."""
        self.scanning = False

    def to_html(
        self,
        path: str | Path,
        *,
        photos: Any = None,
        max_mb: float = 40.0,
        locale: str | None = None,
    ) -> SavedPage:
        """Write one HTML file that holds the network: the square over any photo, without Python.

        photos: as `zfwidgets.to_html` takes them; default: the sample photographs. Whoever opens
        the page brings others; they stay on that person's machine. Size and colour of the square
        and the layer are this widget's; channel and class are the strongest of each photo.

        Raises:
            ValueError: the view has no recording, or the network cannot run in a page.
            PageTooLarge: the page would have more than `max_mb` megabytes.
        """
        from zfwidgets.widgets.export.view import write_view

        if self.recording is None:
            raise ValueError("to_html() got an OcclusionView without a recording; give it one.")
        net = self.recording.net
        traits: dict[str, Any] = {"size": self.size, "fill": self.fill}

        def made(recording: Any, **say: Any) -> OcclusionView:
            return OcclusionView(recording, layer=self.layer, **traits, **say)

        options: dict[str, Any] = {"photos": photos, "max_mb": max_mb}
        return write_view(path, "occlusion", made, net, locale=locale or self.locale, **options)

    def close(self) -> None:
        """Close the widget and let go of the recording."""
        self._responder.close()
        self.unobserve_all()
        super().close()
        self._occluder = self._steps = self._job = None
        self.recording = None
        self.set_trait("result", None)

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"OcclusionView(layer={self.layer!r}, size={self.size}, place={self.place})"

    def contact_sheet(self) -> bytes | None:
        """The maps of the scan, else the photo with the square on it."""
        if self.result is not None:
            out = io.BytesIO()
            self.result.plot().savefig(out, format="png", dpi=80)
            return out.getvalue()
        if self.recording is None:
            return None
        photo = np.array(self.recording.seen()[self.image])
        top, left = self.place
        photo[top : top + self.size, left : left + self.size] = 128
        return encode(photo, "image/png")

    # ---------------------------------------------------------------------- the photo

    def _prepare(self, _change: object = None) -> None:
        self.stop()
        if self._job is not None:
            self._job.cancel()
        if self.recording is None:
            self._forget()
            return
        self.status = "busy"
        self._job = self._responder.submit(self._open)

    def _forget(self) -> None:
        self._occluder = self._steps = self._job = None
        with self.hold_sync():
            self._epoch += 1
            self._photo, self._facts, self._maps = b"", {}, {}
            self.set_trait("result", None)
            self.overlay, self.progress, self.status = "none", 0.0, "empty"
            self.clear_error()

    def _open(self, job: Job) -> None:
        """On the worker thread: look at the photo with nothing hidden."""
        recording = self.recording
        try:
            check_picture(recording, self.image)
            layer = self.layer or default_layer(recording.layers.values())
            inputs = recording.inputs[self.image : self.image + 1]
            occluder = Occluder(
                recording.net, inputs, layer=layer, channel=self.channel, label=self.label
            )
            occluder.check(self.size)
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            if job.wanted:
                self.status = "error"
                self.fail(error)
            return
        job.check()
        self._occluder, self._steps, self._legend, self._painted = occluder, None, [], "grey"
        height, width = occluder.size
        place = [min(p, s - self.size) for p, s in zip(self.place, occluder.size, strict=True)]
        if self.place == [0, 0]:
            place = [(height - self.size) // 2, (width - self.size) // 2]
        with self.hold_sync():
            self._epoch += 1
            self._photo = encode(occluder.clean.seen()[0])
            self._facts = _facts(occluder, self.locale)
            self._maps = {}
            self.set_trait("result", None)
            self.overlay = "none"
            self.progress = 0.0
            self.place = place
            self.status = "ready"
            self.clear_error()

    # ---------------------------------------------------------------------- one place

    def _look(self, job: Job) -> Answer:
        """One place: {top, left, size, fill}. On the worker thread."""
        occluder = self._occluder
        if occluder is None:
            raise WireError("Nothing to look at", "The view has no photo yet.")
        height, width = occluder.size
        size = job.request.integer("size", 1, min(height, width))
        top = job.request.integer("top", 0, height - size)
        left = job.request.integer("left", 0, width - size)
        self._paint(occluder, job.request.body.get("fill"))
        total, chances = occluder.look(torch.tensor([[top, left]]), size)
        job.check()
        best = int(chances[0].argmax())
        return Answer(
            {
                "activation": float(total[0]),
                "p": [float(chances[0, index]) for index in self._facts["watched"]],
                "best": _name(occluder, best, self.locale),
                "same": best == self._facts["winner"],
                "best_p": float(chances[0, best]),
            },
            last=True,
        )

    def _paint(self, occluder: Occluder, fill: object) -> None:
        wanted = "mean" if fill == "mean" else "grey"
        if wanted != self._painted:
            occluder.paint(wanted)
            self._painted = wanted

    # ---------------------------------------------------------------------- the scan

    def _begin_or_stop(self, _change: object = None) -> None:
        if self.scanning:
            self._steps = None
            self._responder.submit(self._begin, AHEAD)

    def _stop(self, _change: object) -> None:
        self.stop()

    def _begin(self, _job: Job) -> None:
        """On the worker thread."""
        occluder = self._occluder
        if occluder is None or not self.scanning:
            self.scanning = False
            return
        self._paint(occluder, self.fill)
        try:
            steps = scan(occluder, size=self.size, stride=self.stride, batch=_STEP)
        except ValueError as error:
            self.fail(error)
            self.scanning = False
            return
        self._steps, self._legend, self.progress = steps, [self._facts["winner"]], 0.0
        if self.overlay == "none":
            self.overlay = "probability"
        self._go_on(steps)

    def _go_on(self, steps: Iterator[Occlusion]) -> None:
        """One step on the worker thread, and the next one behind all that waits."""
        if not self.scanning or self._steps is not steps or self._occluder is None:
            return
        # A question about one place may have come in between, with another colour.
        self._paint(self._occluder, self.fill)
        try:
            found = next(steps, None)
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            self.fail(error)
            found = None
        if self._steps is not steps:
            return  # another photo meanwhile, or none
        if found is None:
            self.scanning = False
            return
        with self.hold_sync():
            self.set_trait("result", found)
            self._maps = self._drawn(found)
            self.progress = found.done
        self._responder.submit(lambda _job: self._go_on(steps), AHEAD)

    def _drawn(self, found: Occlusion) -> dict[str, Any]:
        """The maps as the page draws them; classes are numbered as they come up."""
        for label in found.most_probable.unique().tolist():
            if label >= 0 and label not in self._legend:
                self._legend.append(label)
        place = {label: i for i, label in enumerate(self._legend)}
        classes = [place.get(label, -1) for label in found.most_probable.flatten().tolist()]
        return {
            "top": found.top.tolist(),
            "left": found.left.tolist(),
            "size": found.size,
            "activation": _floats(found.activation),
            "probability": _floats(found.probability),
            "class": np.array(classes, "<f4").tobytes(),
            "names": [class_name(found.name(label), self.locale) for label in self._legend],
        }


def _facts(occluder: Occluder, locale: str) -> dict[str, Any]:
    """What is known with nothing hidden, for the page."""
    chances = occluder.clean_chances
    watched = chances.topk(min(_WATCHED, len(chances))).indices.tolist()
    winner = watched[0]
    if occluder.label not in watched:
        watched[-1] = occluder.label
    return {
        "height": occluder.size[0],
        "width": occluder.size[1],
        "layer": occluder.layer,
        "channel": occluder.channel,
        "activation": occluder.clean_activation,
        "watched": watched,
        "names": [_name(occluder, index, locale) for index in watched],
        "p": [float(chances[index]) for index in watched],
        "label": _name(occluder, occluder.label, locale),
        "winner": winner,
        "mean": _colour(occluder),
    }


def _colour(occluder: Occluder) -> list[int]:
    """The photo's mean colour as red, green, blue."""
    mean = occluder.inputs.mean((2, 3), keepdim=True)
    shown: list[int] = occluder.net.undo(mean)[0, 0, 0].tolist()
    return shown


def _name(occluder: Occluder, label: int, locale: str) -> str:
    names = occluder.net.categories
    return class_name(names[label], locale) if names else str(label)


def _floats(values: Tensor) -> bytes:
    return values.numpy().astype("<f4").tobytes()
