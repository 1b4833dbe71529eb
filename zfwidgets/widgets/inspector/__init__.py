"""All of it in one line: pick a picture, a layer, a channel, and see what the neuron answers to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets as t

from zfwidgets.images.sheet import stacked
from zfwidgets.widgets.channel_browser import ChannelBrowser
from zfwidgets.widgets.channel_browser.tiles import MODES
from zfwidgets.widgets.charts import Charts
from zfwidgets.widgets.core.address import write
from zfwidgets.widgets.core.composed import STATIC_SECONDS, Composed, one_of
from zfwidgets.widgets.core.layers import describe
from zfwidgets.widgets.core.nets import as_net, when_back
from zfwidgets.widgets.core.neuron import RULES
from zfwidgets.widgets.core.rpc import AHEAD, Job, Responder, settle
from zfwidgets.widgets.core.strings import LOCALES, default_locale
from zfwidgets.widgets.core.wire import describe_error
from zfwidgets.widgets.exemplar_strip import ExemplarStrip
from zfwidgets.widgets.image_picker.row import one_row
from zfwidgets.widgets.inspector.compute import COMPUTES, computing
from zfwidgets.widgets.inspector.state import checked, show, state_of
from zfwidgets.widgets.inspector.visit import Visit
from zfwidgets.widgets.inspector_head import InspectorHead, top_classes
from zfwidgets.widgets.layer_selector import LayerSelector
from zfwidgets.widgets.projection_view import ProjectionView

if TYPE_CHECKING:
    from zfwidgets.widgets.export import SavedPage
    from zfwidgets.widgets.export.frame import StaticPage
    from zfwidgets.widgets.export.module import SavedModule
    from zfwidgets.widgets.inspector.page_side import PageSide


class Inspector(Composed):
    """Look inside a network: pictures, layers, channels and projections, linked.

    Parameters:
        net: a name for `zfwidgets.load`, a `torch.nn.Module`, or a `DeconvNet`.
        image: the picture to begin with: the name of a sample or of a photograph of `zf.gallery()`,
            a path, a PIL image or an array; or a mapping or list of them, as for `ImagePicker`.
            Default: the sample photographs.
        layer: the layer to begin with, see `LayerSelector`.
        mode: what the channels' tiles show to begin with, "projection" or "feature map".
        rule: how the signal goes back, see `Recording.project`.
        state: what to show to begin with, a dictionary as `state` has it, or the address of a page,
            e.g. ``"#photo=cat&layer=conv5&channel=70&at=4,3"``; says more than `layer`, `mode`
            and `rule`.
        locale: language of all parts, "en" or "ko".
        compute: "kernel", or "page": network and photos are handed to the page, whose browser does
            the work; default: that of ``ZFWIDGETS_COMPUTE``, else "kernel". What the page cannot
            run, it says, and the kernel computes.

    Below stand four answers to what the channel is: its filter, its projection in this photo, the
    nine photographs of the gallery that excite it most, for the bundled networks at once, for
    others after `scan`, each a click away; and the picture made to excite it.

    The parts are widgets of their own, ``picker``, ``layers``, ``browser``, ``view``, ``strip`` and
    ``charts``, and can be linked to anything else. What the Inspector does can be done by hand:

        >>> picker, layers = ImagePicker(), LayerSelector(net)
        >>> browser, view = ChannelBrowser(layer=layers.value), ProjectionView()
        >>> def record(change=None):
        ...     browser.recording = view.recording = net.record(picker.image)
        >>> picker.observe(record, "image")
        >>> ipywidgets.link((layers, "value"), (browser, "layer"))
        >>> ipywidgets.link((layers, "value"), (view, "layer"))
        >>> ipywidgets.link((browser, "active"), (view, "channel"))
        >>> ipywidgets.link((browser, "rule"), (view, "rule"))

    Raises:
        LookupError, ValueError: the network is unknown, has no layer of that name, or nothing of
            what `state` asks for; or pictures cannot be computed where `compute` says.
        UnsupportedModel: the module cannot be recorded.
        ImageError: the picture cannot be decoded.
    """

    layer = t.Unicode()
    """Name of the chosen layer, one of ``layers.layers``."""

    channel = t.Int(None, allow_none=True, min=0)
    """Index of the chosen channel. A change of layer chooses the one that answers most."""

    rule = t.Enum(RULES, "deconvnet")
    """How the signal goes back to pixels."""

    recording = t.Any(None, allow_none=True, read_only=True)
    """What the network did with the chosen picture; None until it has been recorded."""

    compute = t.Enum(COMPUTES, COMPUTES[0], read_only=True)
    """Where is computed now. In the page there is no `recording`."""

    status = t.Enum(["empty", "busy", "ready", "error"], "empty", read_only=True)
    """What the Inspector does with the picture. The parts have a status of their own."""

    locale = t.Enum(LOCALES, LOCALES[0])
    """Language of all parts."""

    error = t.Dict(read_only=True)
    """What went wrong with the picture, as {title, message, hint}; empty when all is well."""

    def __init__(
        self,
        net: Any = "zfnet",
        image: Any = None,
        layer: str | None = None,
        *,
        mode: str = "projection",
        rule: str = "deconvnet",
        state: str | Mapping[str, Any] | None = None,
        locale: str | None = None,
        compute: str | None = None,
        silence: float | None = None,
        inline: bool = False,
    ) -> None:
        """`inline` computes in the calling thread: for tests and platforms without threads.

        silence: seconds that a page may say nothing before the kernel computes instead of it.
        """
        self.net = as_net(net)
        compute = computing(self.net, compute)
        if layer is not None:
            one_of("layer", layer, self.net.layers)
        one_of("mode", mode, MODES)
        one_of("rule", rule, RULES)
        begin = None if state is None else checked(self.net, state, layer)
        say: dict[str, Any] = {"locale": locale or default_locale()}
        name = f"{self.net.name} on {self.net.device}"
        # First, for a picture may be none: then nothing else is open.
        self.picker = one_row(image, transforms=getattr(self.net, "preparation", None), **say)
        self.head = InspectorHead(name=name, status="busy", **say)
        self.layers = LayerSelector(self.net, value=layer, **say)
        chosen = self.layers.value
        # Strongest first: the channel to begin with is then the first one, and in sight.
        self.browser = ChannelBrowser(
            layer=chosen, mode=mode, rule=rule, sort="strength", inset=False, **say
        )
        self.view = ProjectionView(layer=chosen, rule=rule, inline=inline, **say)
        self.strip = ExemplarStrip(
            self.net, layer=chosen, rule=rule, four=True, inline=inline, **say
        )
        self.charts = Charts(self.browser, opened=False, inline=inline, **say)
        self._visit = Visit(self.picker, self.view, self.strip)
        self._job: Job | None = None
        self._next: int | None = None  # the channel with which another layer begins
        self._page: PageSide | None = None
        if compute == "page":
            # Imported here: with a network on a server the kernel needs no torch.
            from zfwidgets.widgets.inspector import page_side

            self._page = page_side.PageSide(
                self.net, self.head, self.browser, self.view, silence, inline
            )
        hidden = [] if self._page is None else [self._page.engine]
        grid = ipywidgets.Box([*self.parts, *hidden])
        grid.add_class("zf-parts").add_class("zf-inspector-grid")
        responder = Responder(self.head.send, {}, inline=inline)
        super().__init__([grid], responder, layer=chosen, rule=rule, **say)
        self.set_trait("compute", compute)
        self.add_class("zf-composed").add_class("zf-inspector")
        self._connect()
        when_back(self.net, self._come_back)
        if self._page is not None:
            self._page.follow(self._arrived, self._turned)
            self.charts.head.observe(self._chart, "opened")
        if begin is not None:
            self._begin(begin)
        self._record()

    @property
    def state(self) -> dict[str, Any]:
        """Network, photo, layer, channel, place (row, column), rule and mode; can be set.

        None stands for what is not chosen: without a place the channel's strongest is shown. Other
        keys may be left out when it is set. `address` is the same as text.
        """
        return state_of(self)

    @state.setter
    def state(self, given: str | Mapping[str, Any]) -> None:
        show(self, checked(self.net, given, self.layer))

    def go(
        self, layer: str, channel: int | None = None, place: tuple[int, int] | None = None
    ) -> None:
        """Show a layer, one of its channels, and the neuron at a row and column of its map.

        Without a channel, another layer begins with the one that answers most; without a place, a
        channel with its strongest neuron.
        """
        if channel is not None:
            type(self).channel.validate(self, channel)  # before anything is chosen
        self._next = channel
        try:
            self.layer = layer
        finally:
            self._next = None
        if channel is not None:
            self.channel = channel
            self.view.place = place

    @property
    def address(self) -> str:
        """The state as the end of the address of an exported page, from "#" on."""
        return write(self.state)

    @property
    def parts(self) -> tuple[Any, ...]:
        """Head, picker, layers, browser, view, strip and charts."""
        return (
            *(self.head, self.picker, self.layers, self.browser, self.view),
            *(self.strip, self.charts),
        )

    def scan(self, images: Any = None, **options: Any) -> None:
        """Find the pictures that excite each channel most; returns at once, see the strip.

        images: a folder, a mapping, a list or a dataset; default: `gallery()`. options: as
        `ExemplarStrip.scan` has them: ``layers``, ``labels``, ``batch``, ``checkpoint``, a file
        from which the same call goes on.

            >>> inspector.scan("photos/", checkpoint="photos.part")
        """
        self.strip.scan(images, **options)

    def to_html(self, path: str | Path, **options: Any) -> SavedPage:
        """Write one HTML file that opens without a kernel and can be explored: `zf.to_html`."""
        from zfwidgets.widgets.export import to_html

        return to_html(self, path, **options)

    def render_static(self, **options: Any) -> StaticPage:
        """The page of `to_html` as the output of a cell, with a picture for paper.

        It begins with what the Inspector shows, and stays explorable wherever the notebook's HTML
        goes: nbconvert, nbviewer, Quarto, a saved notebook without its kernel. It runs in a frame
        of its own that is as tall as the page; printed, it is a picture with its caption.

            >>> inspector.render_static(layers=("conv3", "conv5"), channels=12)

        Parameters:
            options: as `zf.to_html` takes them; ``channels`` are 12 of each layer and ``max_mb``
                20 unless others are given, for notebooks carry all of it.

        Raises:
            ValueError: the Inspector shows nothing yet; and what `zf.to_html` raises.
        """
        from zfwidgets.widgets.export.article import article
        from zfwidgets.widgets.export.frame import static_page

        return static_page(article(self, {"channels": 12, "max_mb": 20.0, **options}))

    def to_module(self, path: str | Path, *, alone: bool = False, **options: Any) -> SavedModule:
        """Write the page of `to_html` as an ES module for MyST, Quarto or a page of your own.

        The module exports ``default {render({model, el})}`` as anywidget's do. The page that it
        shows is one HTML file beside it, which can be opened or framed by itself, too.

            >>> inspector.to_module("figures/cat.mjs", channels=12)     # and figures/cat.html

        Parameters:
            path: of the module, ending in .mjs or .js.
            alone: whether the page is inside of the module instead, for hosts that move modules
                elsewhere, as MyST does.
            options: as `zf.to_html` takes them; ``channels`` are 12 of each layer unless others are
                given.

        Raises:
            ValueError: another ending; the Inspector shows nothing yet; and what `zf.to_html`
                raises.
        """
        from zfwidgets.widgets.export.article import article
        from zfwidgets.widgets.export.module import write_module

        return write_module(article(self, {"channels": 12, **options}), path, alone=alone)

    def contact_sheet(self) -> bytes | None:
        """Photo, projection and the first tiles as one PNG file; waits a moment for them."""
        settle(STATIC_SECONDS)
        return stacked([self.view.contact_sheet(), self.browser.contact_sheet()])

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"Inspector({self.head.name}, layer={self.layer!r}, channel={self.channel})"

    def _begin(self, state: Mapping[str, Any]) -> None:
        # The first recording would be that of another network, whose channels are others.
        self.browser.net = self.net
        try:
            show(self, state)
        except KeyError:
            self.close()
            raise

    def _let_go(self) -> None:
        self.set_trait("recording", None)
        self._visit.forget()
        self.net = self._job = self._page = None

    # ------------------------------------------------------------------------- links

    def _connect(self) -> None:
        self._links += [
            t.link((self.layers, "value"), (self, "layer")),
            t.link((self, "channel"), (self.browser, "active")),
            t.link((self, "channel"), (self.view, "channel")),
            t.dlink((self, "channel"), (self.strip, "channel")),
            t.dlink((self, "rule"), (self.strip, "rule")),
            t.link((self, "rule"), (self.browser, "rule")),
            t.link((self, "rule"), (self.view, "rule")),
            # The photo is large beside the browser: what it points at is shown there.
            t.dlink((self.browser, "hovered"), (self.view, "hovered")),
        ]
        self.observe(self._speak, "locale")
        self.observe(self._change_layer, "layer")
        self.browser.observe(self._follow_browser, "layer")
        self.picker.observe(self._record, "image")

    def _speak(self, _change: object) -> None:
        for part in self.parts:
            part.locale = self.locale
        if self._page is not None:
            self._page.say()

    def _follow_browser(self, change: Any) -> None:
        """A pinned channel of another layer was gone to."""
        try:
            self.layer = change["new"]
        except t.TraitError:
            there = self.browser.recording
            if there is None or self.layer in there.layers:  # it is no other network's
                self.browser.layer = self.layer
                self._choose_channel()
            raise

    @t.validate("layer")
    def _is_layer(self, proposal: dict[str, Any]) -> str:
        name: str = proposal["value"]
        known = [layer["name"] for layer in self.layers.layers]
        return one_of("layer", name, known) if known or name else name

    def _change_layer(self, _change: object) -> None:
        # An index means nothing in another layer, and may not exist there.
        self.channel = None
        self.browser.layer = self.view.layer = self.strip.layer = self.layer
        if self._next is None:
            self._choose_channel()
        else:
            self.channel = self._next

    def _choose_channel(self) -> None:
        """Begin with the channel that answers most, once that is known."""
        recording, layer = self.recording, self.layer
        if recording is not None:
            self._responder.submit(lambda _job: self._choose(recording, layer))

    def _choose(self, recording: Any, layer: str) -> None:
        """On the worker thread."""
        if self.layer != layer or self.recording is not recording or self.channel is not None:
            return
        try:
            best = int(recording.strongest(layer).value.argmax())
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            self._set("error", describe_error(error))
            return
        if self.layer == layer and self.channel is None:
            self.channel = best

    # --------------------------------------------------------------------- recording

    def _come_back(self) -> None:
        """The server that computes was away: look again at what is chosen."""
        if not self._closed:
            self._responder.submit(lambda _job: self._record())
            self.strip.look_again()

    def _record(self, _change: object = None) -> None:
        if self._job is not None:
            self._job.cancel()
        self._visit.noticed()
        image = self.picker.image
        if image is None:
            shown = self.recording is not None or (self._page is not None and self._page.shows)
            self._set("ready" if shown else "empty", {})
            return
        self._set("busy")
        self._job = self._responder.submit(lambda job: self._work(job, image))

    def _work(self, job: Job, image: Any) -> None:
        """On the worker thread. Whatever goes wrong is shown, and the last good state stays."""
        try:
            if self._page is not None and self._page.computes:
                self._hand_over(image)
                return
            recording = self.net.record(image)
            layers = [describe(layer) for layer in recording.layers.values()]
            classes = top_classes(recording)
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            if job.wanted:
                self._set("error", describe_error(error))
            return
        if job.wanted:
            self._publish(recording, layers, classes)

    def _publish(self, recording: Any, layers: list[Any], classes: list[dict[str, Any]]) -> None:
        self.set_trait("recording", recording)
        self._tell(layers, recording.size, classes)
        self.browser.recording = recording
        self._visit.arrived()
        self.view.recording = self.strip.recording = recording
        self._set("ready", {})
        if self.channel is None:
            self._choose_channel()

    def _tell(self, layers: list[Any], size: Any, classes: list[dict[str, Any]]) -> None:
        with self.layers.hold_sync():
            self.layers.layers = layers
            self.layers.input_size = [int(side) for side in size]
        self.head.classes = classes

    # ------------------------------------------------------------------- the page computes

    def _hand_over(self, image: Any) -> None:
        """On the worker thread: the page is to look at this photo."""
        assert self._page is not None
        inputs = self.net.preprocess(image)
        self._visit.arrived()
        self._page.engine.show(inputs)
        self.strip.recording = inputs
        self._chart()

    def _chart(self, _change: object = None) -> None:
        """Charts are Python's: while they are in sight, it records the photo for them."""
        page, image = self._page, self.picker.image
        if page is not None and page.computes and self.charts.head.opened and image is not None:
            self._responder.submit(
                lambda _job: self.charts.set_trait("recording", self.net.record(image)), AHEAD
            )

    def _arrived(self, layers: list[Any], classes: list[dict[str, Any]]) -> None:
        """The page has recorded the photo that was chosen last."""
        assert self._page is not None
        size = self._page.engine.input_size
        self._tell([describe(layer) for layer in layers], size, classes)
        self._set("ready", {})

    def _turned(self) -> None:
        """The page, or the kernel, takes over from the other."""
        assert self._page is not None
        self.set_trait("compute", "page" if self._page.computes else "kernel")
        self.set_trait("recording", None)
        if self._page.computes:
            self.browser.recording = self.view.recording = None
        self._record()

    def _set(self, status: str, error: dict[str, str] | None = None) -> None:
        with self.head.hold_sync():
            self.head.status = status
            if error is not None:
                self.head.error = error
        if error is not None:
            self.set_trait("error", error)
        self.set_trait("status", status)
