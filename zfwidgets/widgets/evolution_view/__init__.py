"""Training as a film: one slider over the checkpoints, and everything that changes with it."""

from __future__ import annotations

import io
import threading
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets as t
from PIL import Image

from zfwidgets.analysis.evolution import (
    Column,
    Evolution,
    asked_channels,
    column,
    joined,
)
from zfwidgets.analysis.exemplars import exemplars
from zfwidgets.analysis.shared_images import SharedImages
from zfwidgets.analysis.stream import Images
from zfwidgets.analysis.strongest import Exemplars
from zfwidgets.deconv import Recording
from zfwidgets.deconv.checkpoints import Checkpoints
from zfwidgets.deconv.checkpoints import checkpoints as bundled
from zfwidgets.images.samples import Sample, sample, samples
from zfwidgets.images.sheet import contact_sheet
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.rpc import Job, Responder
from zfwidgets.widgets.core.wire import describe_error
from zfwidgets.widgets.evolution_view.page import drawn

ROWS = 8
"""Channels that are shown unless others are asked for."""
MOST = 48
"""Channels at once at most."""
K = 9
"""Pictures per channel whose change is counted as overlap."""

_KEPT = 16
"""Recordings of the photo that are kept, so that going back is immediate."""
_STATIC_SECONDS = 5.0
"""How long the display of a widget may wait for its picture."""


class EvolutionView(ZFWidget):
    """How features come about in training (Zeiler & Fergus 2013, Fig. 4), under one time slider.

    Parameters:
        checkpoints: `Checkpoints`, or the name of a bundled network.
        images: what the strongest activations are looked for in, as `evolution` takes them.
            Default: the sample photographs.
        layer: Default: the second convolution, else the first.
        channels: which are shown. Default: 8, evenly spread.

    `step` can be linked with anything; `net` and `recording` follow it, so that other widgets can
    show the same checkpoint. On the slider: arrows, Home, End; Space on the button plays.

    Raises:
        TypeError: `checkpoints` is something else, or a keyword is no trait.
        ValueError: there is no such layer.

    Examples:
        >>> view = EvolutionView("zfnet", layer="conv2")
        >>> browser = ChannelBrowser(layer="conv2")
        >>> ipywidgets.dlink((view, "recording"), (browser, "recording"))
    """

    bundle_name = "evolution-view"

    step = t.Int(0).tag(sync=True)
    """The checkpoint that is shown, as its training step. Another number becomes the checkpoint
    last before it, or the first one. Default: the last."""

    steps = t.List(t.Int(), read_only=True).tag(sync=True)
    """Training steps of the checkpoints, ascending."""

    unit = t.Unicode("step", read_only=True).tag(sync=True)
    """What `step` counts: "step" or "epoch"."""

    layer = t.Unicode().tag(sync=True)
    """Name of the layer. Another one shows other `channels`."""

    layers = t.List(t.Unicode(), read_only=True).tag(sync=True)
    """Names of the convolutions that the checkpoints have."""

    channels = t.List(t.Int(min=0), maxlen=MOST).tag(sync=True)
    """The channels that are shown, in this order."""

    count = t.Int(0, read_only=True).tag(sync=True)
    """How many channels the layer has."""

    mode = t.Enum(("projection", "patch", "filter"), "projection").tag(sync=True)
    """What a tile shows: the projection of the strongest activation, the patch of the photo that
    it saw, or the filter itself, which is a picture where the layer sees colours (conv1)."""

    active = t.Int(None, allow_none=True, min=0).tag(sync=True)
    """The channel that linked views show; None: none in particular."""

    interval = t.Float(0.8, min=0.1, max=10).tag(sync=True)
    """Seconds from one checkpoint to the next while it plays."""

    repeat = t.Bool(False).tag(sync=True)
    """Whether it starts again at the end."""

    photo = t.Any()
    """The photo of `recording`, as `DeconvNet.record` takes it. Python only. Default: the cat."""

    net = t.Any(None, allow_none=True, read_only=True)
    """The network at `step`. Python only; set in the background."""

    recording = t.Any(None, allow_none=True, read_only=True)
    """What that network makes of `photo`. Python only; set in the background."""

    status = t.Enum(("busy", "ready", "error"), "busy").tag(sync=True)
    """Set by the widget: computing, showing, or not able to (see `error`)."""

    progress = t.Float(0.0, read_only=True).tag(sync=True)
    """Set by the widget: how much of the table is computed, 0 to 1."""

    _page = t.Dict().tag(sync=True)
    """All numbers and tiles of the table in one trait, so that they change together."""

    def __init__(
        self,
        checkpoints: Checkpoints | str = "zfnet",
        images: Images | None = None,
        **kwargs: Any,
    ) -> None:
        self._responder: Responder | None = None
        run = _run(checkpoints)
        known = {one.name: one.channels for one in run[-1].layers.values() if one.kind == "conv"}
        self._counts = known
        layer = kwargs.setdefault("layer", list(known)[min(1, len(known) - 1)])
        if layer not in known:
            raise ValueError(f"layer={layer!r}: expected one of {', '.join(known)}")
        kwargs.setdefault("channels", _spread(known[layer]))
        kwargs.setdefault("step", run.steps[-1])
        self._run: Checkpoints | None = run
        self._images: Images | None = samples() if images is None else images
        self._held: Images | None = None
        self._scans: dict[tuple[str, int], Exemplars] = {}
        self._recordings: dict[int, Recording] = {}
        self._found: Evolution | None = None
        self._jobs: dict[str, Job] = {}
        self._errors: dict[str, dict[str, Any]] = {}  # what went wrong last, by the work's name
        self._waiting: set[str] = set()
        self._settled = threading.Condition()
        super().__init__(**kwargs)
        for name, value in (
            ("steps", list(run.steps)),
            ("unit", run.unit),
            ("layers", list(known)),
        ):
            self.set_trait(name, value)
        self.set_trait("count", known[layer])
        self.step = _at(run.steps, self.step)
        self._responder = Responder(self.send, {})
        self.on_msg(self._responder.on_msg)
        self._draw_again()
        self._record_again()

    @property
    def checkpoints(self) -> Checkpoints | None:
        """What is looked at; None after :meth:`close`."""
        return self._run

    @property
    def evolution(self) -> Evolution | None:
        """Numbers of what is shown, with ``.to_frame()`` and ``.plot()``; None until computed."""
        return self._found

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is being computed, `timeout` seconds at most; whether it is so."""
        with self._settled:
            return self._settled.wait_for(lambda: not self._waiting, timeout)

    def close(self) -> None:
        """Stop all work, let go of networks and pictures, take the widget off the page."""
        responder, self._responder = self._responder, None
        if responder is not None:
            responder.close()
            self._run = self._found = self._images = self._held = None
            self._scans, self._recordings, self._jobs = {}, {}, {}
            self.unobserve_all()
            self.set_trait("recording", None)
            self.set_trait("net", None)
            self.photo = None
            self._finish(*self._waiting)
        super().close()

    def plain_text(self) -> str:
        """What is shown, in a line."""
        return (
            f"EvolutionView({self.layer}: {len(self.channels)} channels at {len(self.steps)} "
            f"checkpoints, {self.unit} {self.step})"
        )

    def contact_sheet(self) -> bytes | None:
        """The table as a PNG file; waits a moment for it."""
        self.wait(_STATIC_SECONDS)
        page = self._page
        if not page:
            return None
        height, width = page["sheet"]["tile"]
        picture = np.asarray(Image.open(io.BytesIO(page["picture"])).convert("RGB"))
        columns = page["sheet"]["columns"]
        cells = picture.reshape(-1, height, columns, width, 3).transpose(0, 2, 1, 3, 4)
        tiles = cells.reshape(-1, height, width, 3)
        rows, across = len(page["channels"]), len(page["steps"])
        order = [column * rows + row for row in range(rows) for column in range(across)]
        labels = [f"{page['channels'][i % rows]} at {page['steps'][i // rows]:,}" for i in order]
        out = io.BytesIO()
        contact_sheet(
            tiles[order], labels, self.plain_text(), columns=across, tile_size=max(64, height)
        ).save(out, "PNG")
        return out.getvalue()

    # --------------------------------------------------------------------------- traits

    @t.default("photo")
    def _first_photo(self) -> Any:
        return sample().open()

    @t.validate("step")
    def _known_step(self, proposal: Any) -> int:
        return _at(self.steps, proposal["value"])

    @t.observe("layer")
    def _other_layer(self, change: Any) -> None:
        if self._responder is None:
            return
        if change.new not in self._counts:
            self.error = describe_error(
                ValueError(f"layer={change.new!r}: expected one of {', '.join(self._counts)}")
            )
            self.layer = change.old
            return
        with self.hold_trait_notifications():
            self.set_trait("count", self._counts[change.new])
            self.channels, self.active = _spread(self.count), None

    @t.observe("channels", "mode", "layer")
    def _draw_again(self, _change: Any = None) -> None:
        if self._responder is not None:
            self._begin("table", self._draw)

    @t.observe("photo")
    def _other_photo(self, _change: Any) -> None:
        self._recordings = {}
        self._record_again()

    @t.observe("step")
    def _record_again(self, _change: Any = None) -> None:
        if self._responder is not None:
            self._begin("recording", self._record)

    # ----------------------------------------------------------------------------- jobs

    def _begin(self, what: str, work: Any) -> None:
        """Do the work in the background, in place of what was begun under the same name."""
        responder = self._responder
        assert responder is not None
        if what in self._jobs:
            self._jobs[what].cancel()
        with self._settled:
            self._waiting.add(what)
        if what == "table":
            self.status = "busy"
        self._jobs[what] = responder.submit(lambda job: self._try(what, work, job))

    def _try(self, what: str, work: Any, job: Job) -> None:
        try:
            work(job)
        except Exception as error:  # noqa: BLE001 - shown in the widget
            with self.hold_sync():
                job.check()
                self.fail(error)
                self._errors[what] = self.error
                if what == "table":
                    self.status = "error"
        else:
            if self._errors.pop(what, None) is self.error:
                self.clear_error()
        self._finish(what)

    def _finish(self, *what: str) -> None:
        with self._settled:
            self._waiting.difference_update(what)
            self._settled.notify_all()

    def _record(self, job: Job) -> None:
        run, step = self._run, self.step
        if run is None:
            return
        recording = self._recordings.get(step)
        if recording is None:
            photo = self.photo
            recording = run.at(step).record(photo.path if isinstance(photo, Sample) else photo)
            job.check()
            self._recordings = dict(list(self._recordings.items())[1 - _KEPT :]) | {step: recording}
        with self.hold_sync():
            job.check()
            self.set_trait("net", recording.net)
            self.set_trait("recording", recording)

    def _draw(self, job: Job) -> None:
        found = self._found
        wanted = (self.layer, tuple(self.channels))
        if found is None or (found.layer, found.channels) != wanted:
            found = self._compute(job, *wanted)
        run = self._run
        assert run is not None
        page = drawn(found, run, self.mode)
        with self.hold_sync():
            job.check()
            self._found, self._page = found, page
            self.status = "ready"
            self.clear_error()

    def _compute(self, job: Job, layer: str, channels: Sequence[int]) -> Evolution:
        """The table, checkpoint by checkpoint; a layer is gone through once for all channels."""
        run, images = self._run, self._images
        assert run is not None
        assert images is not None
        last = run[-1]
        if self._held is None:
            self._held = SharedImages(images).of(last)
        columns: list[Column] = []
        self.set_trait("progress", 0.0)
        for step in run.steps:
            net = run.at(step)
            scan = self._scans.get((layer, step))
            if scan is None:
                stop = lambda: not job.wanted  # noqa: E731
                scan = exemplars(net, self._held, layer, K, progress=False, should_stop=stop)
                job.check()
                self._scans[layer, step] = scan
            columns.append(column(net, last, self._held, scan, asked_channels(scan, channels)))
            job.check()
            self.set_trait("progress", len(columns) / len(run))
        return joined(run, list(channels), columns)


def _run(checkpoints: Any) -> Checkpoints:
    if isinstance(checkpoints, str):
        return bundled(checkpoints)
    if isinstance(checkpoints, Checkpoints):
        if not len(checkpoints):
            raise ValueError("EvolutionView got no checkpoints; expected one or more.")
        return checkpoints
    raise TypeError(
        f"EvolutionView got {type(checkpoints).__name__}; expected zf.Checkpoints(folder, model) "
        "or the name of a bundled network"
    )


def _spread(count: int) -> list[int]:
    """`ROWS` channels from all over the layer, chosen by no merit."""
    rows = min(ROWS, count)
    return [row * count // rows for row in range(rows)]


def _at(steps: Sequence[int], step: int) -> int:
    """The last checkpoint that is not after `step`, or the first."""
    return steps[max(0, bisect_right(steps, step) - 1)] if steps else step
