"""All channels of a layer on one light table, as feature maps or as projections."""

from __future__ import annotations

import io
import itertools
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import traitlets as t
from PIL import Image

from zfwidgets.images.sheet import contact_sheet
from zfwidgets.widgets.base import ZFWidget
from zfwidgets.widgets.looks import MODES, Look, Pictures, default_layer, drawn
from zfwidgets.widgets.rpc import AHEAD, Cancelled, Job, Responder
from zfwidgets.widgets.wire import Answer, WireError, describe_error, sheet

if TYPE_CHECKING:
    from zfwidgets.deconv import DeconvNet, Recording
    from zfwidgets.deconv.signals import RuleName

_FIRST_PX = 96
"""Longer side of the tiles of the first page, which is saved with the notebook."""
_FIRST_PIXELS = 400_000
"""Pixels of the first page at most; a layer of small maps fits whole."""
_FIRST_SECONDS = 0.2
"""Time for the first page until it is shown; what is lacking then is added when there is time."""
_STATIC_SECONDS = 3.0
"""How long the display of a widget may wait for its picture."""


class ChannelBrowser(ZFWidget):
    """Every channel of a layer as a tile; choose one or several.

    Parameters:
        source: a `Recording`; or a `DeconvNet`, whose pictures come with :meth:`look_at`; or None.
        layer: name of the layer. Default: conv5 if there is one, else the last convolution.

    Keys in the grid: arrows, Home, End, PageUp, PageDown move; Space selects, with Shift a range;
    Enter makes a channel the active one; / goes to a number; Escape clears the selection.

    Raises:
        TypeError: `source` is something else, or a keyword is no trait.

    Examples:
        >>> net = zf.load("zfnet")
        >>> browser = ChannelBrowser(net.record(photo), layer="conv4", mode="projection")
        >>> ipywidgets.dlink((selector, "value"), (browser, "layer"))
    """

    bundle_name = "channel-browser"

    recording = t.Any(None, allow_none=True)
    """The `Recording` that is looked at; not sent to the page. None: an empty table."""

    net = t.Any(None, allow_none=True)
    """The network of :meth:`look_at`; follows the recording's."""

    image = t.Int(0, min=0)
    """Which picture of the recording, from 0."""

    layer = t.Unicode().tag(sync=True)
    """Name of the layer."""

    mode = t.Enum(tuple(MODES), "feature map").tag(sync=True)
    """What a tile shows: ``"feature map"``, or ``"projection"`` of the channel's strongest neuron.
    """

    sort = t.Enum(("index", "strength"), "index").tag(sync=True)
    """Order of the tiles: by channel number, or by falling maximum of the map."""

    rule = t.Enum(("deconvnet", "guided", "gradient", "linear"), "deconvnet").tag(sync=True)
    """How a signal goes back through rectifiers, for projections."""

    tile_size = t.Int(72, min=24, max=512).tag(sync=True)
    """Least side of a tile in CSS pixels; tiles grow to fill the line."""

    height = t.Int(420, min=120, max=4000).tag(sync=True)
    """Height of the grid in CSS pixels; it scrolls."""

    selected = t.List(t.Int(min=0)).tag(sync=True)
    """Chosen channels in the order in which they were chosen. Another layer clears them."""

    active = t.Int(None, allow_none=True, min=0).tag(sync=True)
    """The channel that linked views show. Another layer clears it: its numbers mean other things.
    """

    status = t.Enum(("empty", "busy", "ready", "error"), "empty").tag(sync=True)
    """Set by the widget: nothing to see, computing, showing `layer`, or not able to (see `error`).
    """

    epoch = t.Int(0).tag(sync=True)
    """Set by the widget: the version of what is looked at. A new recording, layer, mode or rule
    gives a new one; answers to questions about an older one are dropped."""

    _page = t.Dict().tag(sync=True)
    """The shown look's numbers and first tiles, in one trait so that they change together."""

    def __init__(self, source: Recording | DeconvNet | None = None, **kwargs: Any) -> None:
        self._responder: Responder | None = None
        self._epochs = itertools.count(1)
        self._shown: Look | None = None
        self._preparing: Job | None = None
        self._filling: Job | None = None
        self._settled = threading.Event()
        self._settled.set()
        super().__init__(**_source_traits(source), **kwargs)
        if self.recording is not None and self.layer and self.layer not in self.recording.layers:
            known = ", ".join(self.recording.layers)
            raise ValueError(f"layer={self.layer!r}: expected one of {known}")
        self._responder = Responder(
            self.send, {"tiles": self._answer_tiles}, epoch=lambda: self.epoch
        )
        self.on_msg(self._responder.on_msg)
        self._look_again()

    def look_at(self, images: Any) -> None:
        """Record `images` (as :meth:`DeconvNet.record` takes them) with `net` and show the first.

        The work is done in the background; errors are shown in the widget.

        Raises:
            ValueError: there is no network yet.
        """
        net, responder = self.net, self._responder
        if net is None or responder is None:
            raise ValueError("no network to look with: give ChannelBrowser a DeconvNet first")
        self._begin()

        def work(job: Job) -> None:
            try:
                recording = net.record(images)
            except Exception as error:  # noqa: BLE001 - shown to the person who chose the picture
                self._give_up(job, error)
                return
            job.check()
            self.recording = recording

        self._preparing = responder.submit(work)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the widget is no longer busy, `timeout` seconds at most; whether it is not."""
        return self._settled.wait(timeout)

    def stats(self) -> dict[str, int]:
        """Counts of what was sent to the page so far, see `Responder.stats`."""
        return self._responder.stats() if self._responder else {}

    def close(self) -> None:
        """Stop all work, let go of the recording and take the widget off the page."""
        responder, self._responder = getattr(self, "_responder", None), None
        if responder is not None:
            responder.close()
            self._shown = self._preparing = self._filling = None
            self.recording = self.net = None
            self._settled.set()
        super().close()

    def plain_text(self) -> str:
        """What is shown, in a line."""
        page = self._page
        if not page:
            return f"ChannelBrowser({self.status})"
        return f"ChannelBrowser({page['layer']}: {page['count']} channels, {page['mode']})"

    def contact_sheet(self) -> bytes | None:
        """The first tiles as a PNG file; waits a moment for them."""
        self.wait(_STATIC_SECONDS)
        page = self._page
        if not page or not page["sheet"]:
            return None
        ids, tiles = _cut(page)
        labels = [str(i) for i in ids]
        # Small maps are enlarged by whole numbers, so that every value stays a square.
        side = max(tiles.shape[1:3]) * max(1, 48 // max(tiles.shape[1:3]))
        out = io.BytesIO()
        contact_sheet(tiles, labels, self.plain_text(), columns=16, tile_size=side).save(out, "PNG")
        return out.getvalue()

    # ------------------------------------------------------------------- what is looked at

    @t.validate("recording")
    def _is_recording(self, proposal: Any) -> Any:
        value = proposal["value"]
        if value is not None and not hasattr(value, "strongest"):
            raise t.TraitError(
                f"recording={type(value).__name__}: expected what net.record(photo) returns"
            )
        return value

    @t.observe("recording", "image", "layer", "mode", "rule")
    def _look_again(self, change: Any = None) -> None:
        """Something else is to be shown: give it a new epoch and have it prepared."""
        responder, recording = self._responder, self.recording
        if responder is None:
            return
        if recording is None:
            self._forget()
            return
        if self.net is not recording.net or (change is not None and change.name == "layer"):
            self.selected, self.active = [], None
        self.net = recording.net
        is_new_net = self._shown is None or self._shown.recording.net is not recording.net
        if is_new_net and self.layer not in recording.layers:
            # Another network has other layers. Setting the trait calls this method again.
            self.layer = default_layer(list(recording.layers.values()))
            return
        self._begin()
        self._preparing = responder.submit(self._prepare)

    def _begin(self) -> None:
        for job in (self._preparing, self._filling):
            if job is not None:
                job.cancel()
        self._settled.clear()
        with self.hold_sync():
            self.epoch = next(self._epochs)
            self.status = "busy"

    def _forget(self) -> None:
        self._begin()
        self._shown = None
        with self.hold_sync():
            self._page = {}
            self.selected, self.active, self.status = [], None, "empty"
            self.clear_error()
        self._settled.set()

    def _prepare(self, job: Job) -> None:
        """On the worker: the numbers and the first tiles of the new look, then show it."""
        try:
            look = self._new_look()
            first = _FirstPage(look, self.sort)
            until = time.perf_counter() + _FIRST_SECONDS
            while first.draw() and time.perf_counter() < until:
                job.check()
            page = first.as_trait()
        except Exception as error:  # noqa: BLE001 - shown in the widget
            self._give_up(job, error)
            return
        with self.hold_sync():
            job.check()
            self._shown, self._page = look, page
            self.status = "ready"
            self.clear_error()
        self._settled.set()
        self._complete(first)

    def _new_look(self) -> Look:
        recording = self.recording
        if recording is None:
            raise Cancelled
        if not 0 <= self.image < len(recording):
            last = len(recording) - 1
            raise WireError("No such picture", f"got image {self.image}, expected 0 to {last}")
        layer = recording.layers[self.layer]
        rule = cast("RuleName", self.rule)
        return Look(self.epoch, recording, self.image, layer, self.mode, rule)

    def _give_up(self, job: Job, error: BaseException) -> None:
        """Say what went wrong; the last good page stays, and with it its epoch."""
        with self.hold_sync():
            job.check()
            self.error = describe_error(error)
            self.status = "error"
            if self._shown is not None:
                self.epoch = self._shown.epoch
        self._settled.set()

    # --------------------------------------------------------- the first page, when there is time

    @t.observe("sort")
    def _another_order(self, _change: Any) -> None:
        if self._shown is not None and self.status == "ready":
            self._complete(_FirstPage(self._shown, self.sort))

    def _complete(self, first: _FirstPage) -> None:
        """Draw the rest of the first page, one batch at a time behind all other work."""
        responder = self._responder
        if responder is None or first.done:
            return

        def work(job: Job) -> None:
            if first.draw():
                self._filling = responder.submit(work, AHEAD)
                return
            page = first.as_trait()
            with self.hold_sync():
                job.check()
                if self._shown is first.look:
                    self._page = page

        if self._filling is not None:
            self._filling.cancel()
        self._filling = responder.submit(work, AHEAD)

    # ------------------------------------------------------------------------------- tiles

    def _answer_tiles(self, job: Job) -> Iterator[Answer]:
        """On the worker: ``{ids, px}`` -> sheets of these channels, batch by batch."""
        look = self._shown
        if look is None or look.epoch != job.request.epoch:
            raise Cancelled
        ids = job.request.ids("ids", look.count)
        px = job.request.integer("px", 16, 512)
        sent = 0
        for some, tiles in drawn(look, ids, px):
            made = sheet(some, tiles)
            sent += len(some)
            yield Answer(made.head(), [made.data], last=sent == len(ids))


class _FirstPage:
    """The first tiles of a look, drawn batch by batch."""

    def __init__(self, look: Look, sort: str) -> None:
        self.look = look
        height, width = look.size(_FIRST_PX)
        room = max(16, _FIRST_PIXELS // (height * width))
        ids = look.order(sort)[:room]
        self._wanted = len(ids)
        self._ids: list[int] = []
        self._tiles: list[Pictures] = []
        self._batches = drawn(look, ids, _FIRST_PX)

    @property
    def done(self) -> bool:
        """Whether all tiles that there is room for are drawn."""
        return len(self._ids) == self._wanted

    def draw(self) -> bool:
        """Draw one more batch; whether some are still lacking."""
        ids, tiles = next(self._batches)
        self._ids.extend(ids)
        self._tiles.append(tiles)
        return not self.done

    def as_trait(self) -> dict[str, Any]:
        """The trait `_page`, as `RawPage` of the page side."""
        made = sheet(self._ids, np.concatenate(self._tiles))
        return {**self.look.facts(), "sheet": made.head(), "picture": made.data}


def _source_traits(source: Any) -> dict[str, Any]:
    if source is None:
        return {}
    if hasattr(source, "strongest"):
        return {"recording": source, "net": source.net}
    if hasattr(source, "record"):
        return {"net": source}
    raise TypeError(
        f"ChannelBrowser got {type(source).__name__}; expected a Recording (net.record(photo)), "
        "a DeconvNet (zf.load(...)) or None"
    )


def _cut(page: dict[str, Any]) -> tuple[list[int], Pictures]:
    """The tiles uint8 [N, h, w, 3] of a first page's sheet, and their channels."""
    head = page["sheet"]
    height, width = head["tile"]
    columns = head["columns"]
    picture = np.asarray(Image.open(io.BytesIO(page["picture"])).convert("RGB"))
    rows = picture.shape[0] // height
    cells = picture.reshape(rows, height, columns, width, 3).transpose(0, 2, 1, 3, 4)
    return head["ids"], cells.reshape(-1, height, width, 3)[: len(head["ids"])]
