"""All channels of a layer on one light table: maps, projections, patches of the photo, filters."""

from __future__ import annotations

import io
import itertools
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import traitlets as t

from zfwidgets.images.numbers import is_module
from zfwidgets.images.sheet import contact_sheet
from zfwidgets.images.tiles import encode, resize
from zfwidgets.widgets.channel_browser.first_page import FirstPage, tiles_in
from zfwidgets.widgets.channel_browser.pins import Pin, pinned
from zfwidgets.widgets.channel_browser.responses import Responses
from zfwidgets.widgets.channel_browser.state import BrowserState
from zfwidgets.widgets.channel_browser.tiles import MODES, drawn
from zfwidgets.widgets.channel_browser.without import without
from zfwidgets.widgets.core.base import disposing
from zfwidgets.widgets.core.layers import default_layer
from zfwidgets.widgets.core.nets import as_net
from zfwidgets.widgets.core.recordings import check_picture
from zfwidgets.widgets.core.rpc import AHEAD, VISIBLE, Cancelled, Job, Responder
from zfwidgets.widgets.core.wire import Answer, WireError, describe_error, sheet

if TYPE_CHECKING:
    from torch import nn

    from zfwidgets.deconv import DeconvNet, Layer, Recording

_FIRST_SECONDS = 0.2
"""Time for the first page until it is shown; what is lacking then is added when there is time."""
_STATIC_SECONDS = 3.0
"""How long the display of a widget may wait for its picture."""
_PHOTO_PX = 320
"""Longer side of the photo beside the grid: sharp at twice its size on the page."""


class ChannelBrowser(BrowserState):
    """Every channel of a layer as a tile; choose one or several, keep some in sight.

    Parameters:
        source: a `Recording`; or a network, whose pictures come with :meth:`look_at`: a name for
            `zfwidgets.load`, a `torch.nn.Module` or a `DeconvNet`; or None.
        layer: name of the layer. Default: conv5 if there is one, else the last convolution.

    Keys in the grid: arrows, Home, End, PageUp, PageDown move; Space selects, with Shift a range;
    Enter makes a channel the active one; P pins it or takes the pin away; / goes to a number;
    Escape clears the selection. Among the pins: arrows move, Enter goes there, Delete removes; the
    box below them switches them off (see `without`).

    Raises:
        TypeError: `source` is something else, or a keyword is no trait.

    Examples:
        >>> net = zf.load("zfnet")
        >>> browser = ChannelBrowser(net.record(photo), layer="conv4", mode="projection")
        >>> ipywidgets.dlink((selector, "value"), (browser, "layer"))
    """

    def __init__(
        self, source: Recording | DeconvNet | nn.Module | str | None = None, **kwargs: Any
    ) -> None:
        self._responder: Responder | None = None
        self._epochs = itertools.count(1)
        self._shown: Responses | None = None
        self._awaited: object | None = None  # stands for the recording that is being made
        self._preparing: Job | None = None
        self._filling: Job | None = None
        self._pinning: Job | None = None
        self._leaving_out: Job | None = None
        self._left_out: tuple[Any, ...] | None = None
        self._settled = threading.Event()
        self._settled.set()
        super().__init__(**_source_traits(source), **kwargs)
        looked_at = self.net if self.recording is None else self.recording
        known = getattr(looked_at, "layers", None)
        with disposing([self]):
            if known is not None and self.layer and self.layer not in known:
                raise ValueError(f"layer={self.layer!r}: expected one of {', '.join(known)}")
        self._responder = Responder(
            self.send,
            {"tiles": self._answer_tiles, "visit": self._visit},
            epoch=lambda: self.epoch,
        )
        self.on_msg(self._responder.on_msg)
        self._look_again()

    def look_at(self, images: Any) -> None:
        """Record `images` (as :meth:`DeconvNet.record` takes them) with `net` and show the first.

        The work is done in the background; errors are shown in the widget. Another layer, mode or
        rule chosen meanwhile is what the picture is shown with.

        Raises:
            ValueError: there is no network yet.
        """
        net, responder = self.net, self._responder
        if net is None or responder is None:
            raise ValueError("no network to look with: give ChannelBrowser a DeconvNet first")
        self._begin()
        epoch, asked = self.epoch, object()
        self._awaited = asked

        def check() -> None:
            if self._awaited is not asked:
                raise Cancelled

        def work(job: Job) -> None:
            check()
            try:
                recording = net.record(images)
            except Exception as error:  # noqa: BLE001 - shown to the person who chose the picture
                check()
                self._awaited = None
                if self.recording is not None and self.epoch != epoch:
                    # The picture before stays, as it was meanwhile asked for.
                    self._preparing = job
                    self._prepare(job)
                self._give_up(job, error)
                return
            check()
            self._awaited = None
            self.recording = recording

        responder.submit(work)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the widget is no longer busy, `timeout` seconds at most; whether it is not."""
        return self._settled.wait(timeout)

    def stats(self) -> dict[str, int]:
        """Counts of what was sent to the page so far, see `Responder.stats`."""
        return self._responder.stats() if self._responder else {}

    def close(self) -> None:
        """Stop all work, let go of the recording and take the widget off the page."""
        responder, self._responder = self._responder, None
        if responder is not None:
            responder.close()
            self._shown = self._preparing = self._filling = self._pinning = None
            self._awaited = self._leaving_out = self._left_out = None
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
        ids, tiles = tiles_in(page)
        labels = [str(i) for i in ids]
        # Small maps are enlarged by whole numbers, so that every value stays a square.
        side = max(tiles.shape[1:3]) * max(1, 48 // max(tiles.shape[1:3]))
        out = io.BytesIO()
        contact_sheet(tiles, labels, self.plain_text(), columns=16, tile_size=side).save(out, "PNG")
        return out.getvalue()

    # ------------------------------------------------------------------- what is looked at

    @t.observe("recording", "image", "layer", "mode", "rule")
    def _look_again(self, change: Any = None) -> None:
        """Something else is to be shown: give it a new epoch and have it prepared."""
        responder, recording = self._responder, self.recording
        if responder is None:
            return
        if self._desk:
            self._shown = None
            if change is not None and change.name == "layer":
                self.selected, self.active = [], None
            return
        if change is not None and change.name == "recording":
            self._awaited = None
        # The first layer, chosen by default, leaves what Python has chosen from the start.
        other_layer = change is not None and change.name == "layer" and bool(change.old)
        if self._awaited is not None:
            if other_layer:
                self.selected, self.active = [], None
            self._begin()
            return
        if recording is None:
            self._forget()
            return
        if other_layer or not self._same_numbers(recording):
            self.selected, self.active = [], None
        self.net = recording.net
        is_new_net = self._shown is None or self._shown.recording.net is not recording.net
        if is_new_net and self.layer not in recording.layers:
            # Another network has other layers. Setting the trait calls this method again.
            self.layer = default_layer(recording.layers.values())
            return
        self._begin()
        self._preparing = responder.submit(self._prepare)

    def _same_numbers(self, recording: Recording) -> bool:
        """Do channel numbers still name channels? In the same network and in its checkpoints."""
        if self.net is recording.net:
            return True
        shown = self._shown.layer if self._shown is not None else None
        new = recording.layers.get(self.layer)
        if shown is None or new is None or shown.name != self.layer:
            return False
        return shown.channels == new.channels

    def _begin(self) -> None:
        for job in (self._preparing, self._filling, self._pinning, self._leaving_out):
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
            self._page, self._photo, self._pinned, self._without = {}, {}, {}, {}
            self.selected, self.active, self.status = [], None, "empty"
            self.hover = self.hovered = None
            self.clear_error()
        self._settled.set()

    def _prepare(self, job: Job) -> None:
        """On the worker: the numbers and the first tiles of what is new, then show it."""
        try:
            responses = self._new_responses()
            first = FirstPage(responses, responses.order(self.sort, self.show, self.threshold))
            until = time.perf_counter() + _FIRST_SECONDS
            while first.draw() and time.perf_counter() < until:
                job.check()
            page, photo = first.as_trait(), self._photo_of(responses)
        except Exception as error:  # noqa: BLE001 - shown in the widget
            self._give_up(job, error)
            return
        with self.hold_sync():
            job.check()
            self._shown, self._page, self._photo = responses, page, photo
            self.status = "ready"
            self.clear_error()
        self._where()
        self._settled.set()
        self._pin_again()
        self._leave_out()
        self._complete(first)

    def _photo_of(self, responses: Responses) -> dict[str, Any]:
        """The trait `_photo`; the present one if it is of the same picture."""
        shown = self._shown
        same = shown and (shown.recording, shown.image) == (responses.recording, responses.image)
        if same and self._photo:
            return self._photo
        try:
            height, width = responses.photo.shape[:2]
        except ValueError:
            return {}  # a preparation that cannot be undone; feature maps are there all the same
        scale = min(1.0, _PHOTO_PX / max(height, width))
        small = resize(responses.photo[None], round(height * scale), round(width * scale))[0]
        data = encode(small, "image/jpeg")
        return {"size": [height, width], "mime": "image/jpeg", "data": data}

    def _new_responses(self) -> Responses:
        recording = self.recording
        if recording is None:
            raise Cancelled
        check_picture(recording, self.image)
        layer = recording.layers[self.layer]
        if not MODES[self.mode].suits(recording.net, layer):
            raise self._no_pictures(recording, layer)
        rule = self.rule
        return Responses(self.epoch, recording, self.image, layer, self.mode, rule)

    def _no_pictures(self, recording: Recording, layer: Layer) -> WireError:
        """Why the layer has none of the mode, and which layers have some."""
        key = "no_filters" if self.mode == "filter" else "no_synthesised"
        suits = MODES[self.mode].suits
        some = [each.name for each in recording.layers.values() if suits(recording.net, each)]
        hint = self.say(f"{key}_hint", layers=", ".join(some)) if some else ""
        why = self.say(f"{key}_why", layer=layer.name, net=recording.net.name)
        return WireError(self.say(key), why, hint)

    def _give_up(self, job: Job, error: BaseException) -> None:
        """Say what went wrong; the last good page stays, and with it its epoch."""
        with self.hold_sync():
            job.check()
            self.error = describe_error(error)
            self.status = "error"
            if self._shown is not None:
                self.epoch = self._shown.epoch
        self._where()
        self._settled.set()

    # --------------------------------------------------------- the first page, when there is time

    @t.observe("sort", "show", "threshold")
    def _another_order(self, _change: Any) -> None:
        responses = self._shown
        if responses is not None and self.status == "ready":
            order = responses.order(self.sort, self.show, self.threshold)
            self._complete(FirstPage(responses, order))

    def _complete(self, first: FirstPage) -> None:
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
                if self._shown is first.responses:
                    self._page = page

        if self._filling is not None:
            self._filling.cancel()
        self._filling = responder.submit(work, AHEAD)

    # ------------------------------------------------------------------- pins and what is hovered

    @t.observe("pins")
    def _pin_again(self, _change: Any = None) -> None:
        """Have the pins' pictures drawn, after what is on screen."""
        responder = self._responder
        if responder is None or self._shown is None:
            return
        if self._pinning is not None:
            self._pinning.cancel()
        if self.pins or self._pinned:
            self._pinning = responder.submit(self._draw_pins, VISIBLE)

    def _draw_pins(self, job: Job) -> None:
        responses = self._shown
        if responses is None:
            raise Cancelled
        try:
            found = pinned(responses, self.pins)
        except Exception as error:  # noqa: BLE001 - shown in the widget
            self.fail(error)
            return
        with self.hold_sync():
            job.check()
            self._pinned = found

    @t.observe("pins", "without")
    def _leave_out(self, _change: Any = None) -> None:
        """Have the network asked again without the pins, unless that is what it was asked last."""
        responder, shown = self._responder, self._shown
        if responder is None or shown is None:
            return
        if self._leaving_out is not None:
            self._leaving_out.cancel()
        if not (self.without and self.pins):
            self._left_out, self._without = None, {}
            return
        asked = shown.recording, shown.image, self.pins
        if asked != self._left_out:
            if self._without:
                self._without = {**self._without, "old": True}
            self._leaving_out = responder.submit(lambda job: self._ablate(job, *asked), VISIBLE)

    def _ablate(self, job: Job, recording: Recording, image: int, pins: list[Pin]) -> None:
        try:
            found = without(recording, image, pins)
        except Exception as error:  # noqa: BLE001 - shown in the widget
            job.check()
            self.without = False
            self.fail(error)
            return
        with self.hold_sync():
            job.check()
            self._left_out, self._without = (recording, image, pins), found

    def _visit(self, job: Job) -> None:
        """``{layer, channel}``: go to a pinned channel, in whichever layer it is."""
        layer, channel = job.request.body.get("layer"), job.request.integer("channel", 0, 2**31)
        if not isinstance(layer, str):
            raise WireError("Unreadable message", f"expected layer as text, got {layer!r:.80}")
        known = getattr(self.recording or self.net, "layers", {})
        if layer not in known or channel >= known[layer].channels:
            why = self.say("pin_missing", layer=layer, id=channel)
            raise WireError(self.say("no_pin"), why, self.say("no_pin_hint"))
        self.layer = known[layer].name
        self.active = channel

    @t.observe("hover")
    def _where(self, _change: Any = None) -> None:
        responses, channel = self._looked_at(), self.hover
        if responses is None or channel is None or channel >= responses.count:
            self.hovered = None
        else:
            self.hovered = responses.where(channel)

    def _looked_at(self) -> Responses | None:
        """What is shown, unless it only stayed because something else cannot be."""
        shown, recording = self._shown, self.recording
        if shown is None or recording is not shown.recording or shown.image != self.image:
            return None
        layer = shown.recording.layers.get(self.layer)  # by its name or its path
        return shown if layer is not None and layer.name == shown.layer.name else None

    # ------------------------------------------------------------------------------- tiles

    def _answer_tiles(self, job: Job) -> Iterator[Answer]:
        """On the worker: ``{ids, px}`` -> sheets of these channels, batch by batch."""
        responses = self._shown
        if responses is None or responses.epoch != job.request.epoch:
            raise Cancelled
        ids = job.request.ids("ids", responses.count)
        px = job.request.integer("px", 16, 512)
        sent = 0
        for some, tiles in drawn(responses, ids, px):
            made = sheet(some, tiles)
            sent += len(some)
            yield Answer(made.head(), [made.data], last=sent == len(ids))


def _source_traits(source: Any) -> dict[str, Any]:
    if source is None:
        return {}
    if hasattr(source, "strongest"):
        return {"recording": source, "net": source.net}
    if isinstance(source, str) or is_module(source) or hasattr(source, "record"):
        return {"net": as_net(source)}
    raise TypeError(
        f"ChannelBrowser got {type(source).__name__}; expected a Recording (net.record(photo)), "
        "a network (zf.load(...), or a torch.nn.Module) or None"
    )
