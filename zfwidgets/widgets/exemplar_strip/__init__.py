"""What else excites this channel: its nine strongest pictures, patch above projection, in a strip.

In an Inspector the other answers to what the channel is stand beside them: `answers.py`.

The page says when somebody can see the strip; before that nothing is computed, so that it costs the
first picture of an Inspector nothing. Of several wishes only the last is fulfilled.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets as t

from zfwidgets.images import gallery
from zfwidgets.widgets.core.concepts import told
from zfwidgets.widgets.core.rpc import AHEAD, Job, Responder
from zfwidgets.widgets.core.wire import Answer, describe_error, sheet
from zfwidgets.widgets.exemplar_strip.afar import Afar
from zfwidgets.widgets.exemplar_strip.answers import Answering
from zfwidgets.widgets.exemplar_strip.strip import PX, Strip

if TYPE_CHECKING:
    from zfwidgets.analysis.vocabulary import Labels
    from zfwidgets.widgets.exemplar_browser.background import BackgroundScan, Progress
    from zfwidgets.widgets.exemplar_strip.source import Source

_KEPT = 64
"""Strips that are remembered, so that going back and forth between channels costs nothing."""


_QUALITY = 90
"""Of the WebP: half of it is photographs, which lossless takes seven times the bytes."""


class ExemplarStrip(Answering):
    """The nine pictures that excite a channel most, and what they have in common (Fig. 2).

    Of a bundled network the scan of `gallery()` that ships is shown; `scan` makes one of any
    network and pictures. With `four`, filter, projection in a photo and synthesised picture stand
    beside them.

    Parameters:
        net: a `DeconvNet`.
        source: a scan and its pictures. Default: the one that ships, if it is of this network.
        px, quality: longer side of a picture at most, and quality of the WebP.
        layer, channel, rule, recording, four: what is shown, see the traits.

    Examples:
        >>> strip = ExemplarStrip(zf.load("zfnet"), layer="conv5", channel=17)
        >>> ipywidgets.link((browser, "active"), (strip, "channel"))
    """

    bundle_name = "exemplar-strip"

    picked = t.Dict(read_only=True).tag(sync=True)
    """The exemplar that was clicked: ``{id, layer, channel, row, col}``, the picture and the neuron
    in it; empty for none, and when the way back was taken."""

    clickable = t.Bool(True).tag(sync=True)
    """Whether a click on a picture picks it."""

    home = t.Unicode().tag(sync=True)
    """What the way back leads to, in words; empty: there is none."""

    status = t.Enum(("empty", "busy", "ready", "error"), "empty", read_only=True).tag(sync=True)
    """Set by the widget: nothing to show, preparing, showing the channel, or not able to."""

    progress = t.Dict(read_only=True).tag(sync=True)
    """Set by the widget: ``{state, scanned, total}`` of a scan, as `ExemplarBrowser.progress`."""

    _shown = t.Dict().tag(sync=True)  # facts, words and the sheet of pictures: all at once
    _lacking = t.Unicode().tag(sync=True)  # why there is nothing to show
    _offered = t.Int(0).tag(sync=True)  # pictures of the gallery that a click scans; 0: no offer

    def __init__(
        self,
        net: Any,
        source: Source | Afar | None = None,
        *,
        px: int = PX,
        quality: int = _QUALITY,
        inline: bool = False,
        **traits: Any,
    ) -> None:
        """`inline` computes in the calling thread: for tests and platforms without threads."""
        self._net = net
        self._source: Source | Afar | None = source
        self._px, self._quality = px, quality
        self._scan: BackgroundScan | None = None
        self._scanned: Any = None  # the pictures and labels of that scan
        self._made: OrderedDict[tuple[object, ...], dict[str, Any]] = OrderedDict()
        self._job: Job | None = None
        self._why = ""
        self._responder: Responder | None = None
        self._untried = source is None and _may_ship(net)  # nobody has looked yet
        super().__init__(**traits)
        handlers = {
            "pick": self._answer_pick,
            "back": self._answer_back,
            "scan": lambda _: self.scan(),
            "stop": lambda _: self.stop(),
            "go": lambda _: self.go_on(),
            "synthesise": self._answer_synthesise,
            "halt": self._answer_halt,
        }
        self._responder = Responder(self.send, handlers, inline=inline)
        self.on_msg(self._responder.on_msg)
        self.observe(self._ask, ["layer", "channel", "rule", "opened", "in_sight", "locale"])
        self.observe(self._say_again, "locale")
        if not self._untried and source is None:
            self._offer()
        self._ask()
        self._begin()

    # ------------------------------------------------------------------------------ for people

    def scan(
        self,
        images: Any = None,
        *,
        layers: Sequence[str] | None = None,
        labels: Labels | None = None,
        batch: int = 16,
        checkpoint: str | Path | None = None,
    ) -> None:
        """Find the exemplars of the network among other pictures; returns at once.

        images: as for `zfwidgets.scan`: a folder, a mapping, a list or a dataset; default:
        `gallery()`. layers, batch, checkpoint: see there. labels: what is on them, see `concepts`.
        What is known so far is shown; `stop` and `go_on`, and a checkpoint goes on another day.

        Raises:
            TypeError: images that can be gone through only once.
        """
        from zfwidgets.analysis.shipped import K
        from zfwidgets.widgets.exemplar_browser.background import BackgroundScan
        from zfwidgets.widgets.exemplar_browser.sources import scanner_of

        assert self._responder is not None
        if hasattr(self._net, "strip"):
            raise TypeError(
                f"scan() got {self._net!r}, which computes on a server; expected a network that "
                "is here: zf.scan(zf.load(...), images)."
            )
        images = gallery() if images is None else images
        scanner = scanner_of(self._net, images, layers, K, None, batch, checkpoint, usage=False)
        self.stop()
        self._scanned = images, None if labels is None else list(labels)
        self._scan = BackgroundScan(
            scanner, self._responder, look=self._look, tell=self._tell, fail=self._break_off
        )
        with self.hold_sync():
            self._lacking, self._offered = "", 0
            self.clear_error()
        self._scan.go_on()

    def stop(self) -> None:
        """Stop a scan after its present batch; what was found stays."""
        if self._scan is not None:
            self._scan.stop()

    def go_on(self) -> None:
        """Go on with a scan that was stopped."""
        if self._scan is not None:
            self._scan.go_on()

    @property
    def source(self) -> Source | Afar | None:
        """The scan that is shown; None while there is none."""
        return self._source

    def leave(self) -> None:
        """Forget which exemplar was clicked."""
        self.set_trait("picked", {})

    def look_again(self) -> None:
        """Ask once more for what is chosen, as when a server that draws was away."""
        self._ask()

    def close(self) -> None:
        """End the widget and its work, and let go of network and pictures."""
        self.stop()
        if self._responder is not None:
            self._responder.close()
        self.unobserve_all()
        self._end()
        super().close()
        self._net = self._source = self._scan = self._scanned = self._job = None
        self._made.clear()

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"ExemplarStrip(layer={self.layer!r}, channel={self.channel})"

    # -------------------------------------------------------------------------------- scanning

    def _look(self) -> None:
        """On the worker: show what the scan knows so far."""
        if self._scan is None or self._scan.scanner.state is None:
            return
        from zfwidgets.analysis.strongest import exemplars_of
        from zfwidgets.widgets.exemplar_strip.source import Source

        images, labels = self._scanned
        self._untried = False
        self._source = Source(self._net, images, exemplars_of(self._scan.scanner), labels)
        self._made.clear()
        self._ask()

    def _tell(self, progress: Progress) -> None:
        self.set_trait("progress", progress)

    def _break_off(self, error: Exception) -> None:
        self.fail(error)
        self.set_trait("progress", {**self.progress, "state": "stopped"})

    def _offer(self, why: str = "") -> None:
        """There is no scan to show: say so, or `why`, and that one can be made."""
        self._why = why
        with self.hold_sync():
            self._lacking = why or self.say("no_scan", net=getattr(self._net, "name", ""))
            self._offered = len(gallery())

    def _say_again(self, _change: object) -> None:
        """In another language."""
        if self._offered:
            self._offer(self._why)

    # ---------------------------------------------------------------------------------- strips

    def _ask(self, _change: object = None) -> None:
        if self._job is not None:
            self._job.cancel()
        wanted = self.in_sight and self.opened and self.channel is not None and self.layer
        if not wanted or self._responder is None or not (self._untried or self._source):
            self.set_trait("status", "ready" if self._shown else "empty")
            return
        self.set_trait("status", "busy")
        self._job = self._responder.submit(self._work, AHEAD)

    def _work(self, job: Job) -> None:
        """On the worker. Whatever goes wrong is shown."""
        try:
            shown = self._drawn(job)
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            if job.wanted:
                with self.hold_sync():
                    self.error = describe_error(error)
                    self.set_trait("status", "error")
            return
        job.check()
        with self.hold_sync():
            self._shown = shown
            self.set_trait("status", "ready" if shown else "empty")
            self.clear_error()

    def _drawn(self, job: Job) -> dict[str, Any]:
        """`Shown` of the page side; empty if there is nothing of this layer."""
        layer, channel, rule = self.layer, self.channel, self.rule
        source = self._opened()
        if source is None or channel is None:
            return {}
        if layer not in source.found:
            self._lacking = self.say("no_layer", layer=layer, layers=", ".join(source.found))
            return {}
        self._lacking = ""
        key = (layer, channel, rule, self.locale)
        if key not in self._made:
            strip = source.draw(layer, channel, rule, job.check, self._px)
            self._made[key] = self._told(source, strip, channel)
        self._made.move_to_end(key)
        while len(self._made) > _KEPT:
            self._made.popitem(last=False)
        return self._made[key]

    def _opened(self) -> Source | Afar | None:
        """The scan; at the first time the one that ships is looked for."""
        if self._source is None and self._untried:
            self._untried = False
            try:
                self._source = _shipped(self._net)
            except ValueError as error:
                self._offer(str(error))
        return self._source

    def _told(self, source: Source | Afar, strip: Strip, channel: int) -> dict[str, Any]:
        pictures = []
        for fact in strip.facts:
            known = source.about(fact["id"])
            title = known and (
                known.category.korean if self.locale == "ko" else known.category.name
            )
            credit = f"{known.author}, {known.licence}" if known else ""
            pictures.append({**fact, "title": title or fact["id"], "credit": credit})
        facts = {
            "layer": strip.found.layer,
            "channel": channel,
            "rule": self.rule,
            "scanned": strip.found.scanned,
            "complete": strip.found.complete,
            "pictures": pictures,
            "words": [told(word, self.locale) for word in strip.words],
        }
        if not pictures:
            return facts
        made = sheet(range(len(strip.pictures)), strip.pictures, quality=self._quality)
        return {**facts, "sheet": made.head(), "data": made.data}

    # --------------------------------------------------------------------------------- answers

    def _answer_pick(self, job: Job) -> Answer:
        """On the worker: ``{ids: [rank], name}`` -> `picked` is this one of the pictures shown.

        Another one may be there by now than the page has shown: then nothing is picked.
        """
        shown = self._shown
        (rank,) = job.request.ids("ids", len(shown.get("pictures", ())))[:1]
        fact = shown["pictures"][rank]
        if job.request.body.get("name") != fact["id"]:
            return Answer(last=True)
        neuron = {name: fact[name] for name in ("id", "row", "col")}
        picked = {**neuron, "layer": shown["layer"], "channel": shown["channel"]}
        self.set_trait("picked", picked)
        return Answer(last=True)

    def _answer_back(self, _job: Job) -> Answer:
        """On the worker: nothing is picked any more."""
        self.leave()
        return Answer(last=True)


def _may_ship(net: Any) -> bool:
    """Whether a scan of the gallery by a network of this name ships."""
    if hasattr(net, "strip"):
        return bool(net.exemplars)
    from zfwidgets.analysis.shipped import ships

    return ships(getattr(net, "name", ""))


def _shipped(net: Any) -> Source | Afar:
    """The scan of the gallery that ships. Raises ValueError if it is of other weights."""
    if hasattr(net, "strip"):
        return Afar(net)
    from zfwidgets.widgets.exemplar_strip.source import Source

    return Source.shipped(net)
