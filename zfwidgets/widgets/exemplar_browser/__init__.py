"""For each channel the pictures that excite it most, as the paper's Fig. 2 prints them."""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t
from PIL import Image
from torch import nn

from zfwidgets.images import gallery
from zfwidgets.images.sheet import contact_sheet
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.concepts import told
from zfwidgets.widgets.core.nets import as_net
from zfwidgets.widgets.core.neuron import RULES
from zfwidgets.widgets.core.rpc import Cancelled, Job, Responder
from zfwidgets.widgets.core.wire import Answer, describe_error, sheet
from zfwidgets.widgets.exemplar_browser.background import BackgroundScan, Progress
from zfwidgets.widgets.exemplar_browser.sources import (
    is_net,
    network_of,
    scan_in,
    scanner_of,
    shipped_scan,
)
from zfwidgets.widgets.exemplar_browser.tiles import SORTS, Gallery, Pictures, Wall, drawn
from zfwidgets.widgets.exemplar_browser.words import named

if TYPE_CHECKING:
    from zfwidgets.analysis import Exemplars, Scan
    from zfwidgets.analysis.scanning.scanner import Scanner
    from zfwidgets.deconv import DeconvNet

_FIRST_PX = 300
"""Longer side of the mosaics of the first page, which is saved with the notebook."""
_FIRST_CHANNELS = 12
_STATIC_SECONDS = 3.0
"""How long the display of a widget may wait for its picture."""


class ExemplarBrowser(ZFWidget):
    """Every channel of a layer with its strongest pictures: projections beside patches (Fig. 2).

    Parameters:
        source: a `Scan`, `Exemplars`, a mapping from layer to `Exemplars`, or a file saved by one
            of them: shown at once. A `DeconvNet`, a `torch.nn.Module` or the name of a network: it
            is scanned in the background, and what is known so far is shown.
        images: the pictures, as `scan` takes them: a folder, a mapping, a list or a dataset; for
            exemplars those that were scanned, under the same names. Default: `gallery()`; the scan
            of it by a bundled network ships and is shown at once.
        net: the network of the exemplars, or its name for `zfwidgets.load`; default: the bundled
            one of their name.
        layers, k, labels, batch, checkpoint: of the scan, see `scan`. Labels that are texts, the
            folders within a folder, and the gallery's classes say what a channel's strongest
            pictures have in common, see `concepts`.

    Keys in the grid: arrows, Home, End, PageUp, PageDown move; Enter or Space opens a channel's
    panel; Escape closes it.

    Raises:
        TypeError: `source` or `images` is something else, or a keyword is no trait.
        ValueError: the network is not the one that was scanned.

    Examples:
        >>> zf.ExemplarBrowser("zfnet")
        >>> zf.ExemplarBrowser(net, "photos/")
        >>> zf.ExemplarBrowser(zf.Scan.load("scan.safetensors"), "photos/")
    """

    bundle_name = "exemplar-browser"

    layers = t.List(t.Unicode()).tag(sync=True)
    """Set by the widget: the layers that there are exemplars of."""

    layer = t.Unicode().tag(sync=True)
    """Name of the layer."""

    sort = t.Enum(SORTS, "index").tag(sync=True)
    """Order of the channels: by number, strongest activation, energy, share of pictures that excite
    it (dead ones first), or sparsity over pictures. The last three need usage."""

    rule = t.Enum(RULES, "deconvnet").tag(sync=True)
    """How a signal goes back through rectifiers."""

    tile_size = t.Int(240, min=120, max=800).tag(sync=True)
    """Least width of a channel in CSS pixels; they grow to fill the line."""

    height = t.Int(520, min=160, max=4000).tag(sync=True)
    """Height of the grid in CSS pixels; it scrolls."""

    active = t.Int(None, allow_none=True, min=0).tag(sync=True)
    """The channel whose panel is open. Another layer closes it."""

    picked = t.Dict(default_value=None, allow_none=True)
    """The picture of the panel that was clicked last, for linked views: ``{"layer", "channel",
    "name", "row", "col"}``, its neuron and the name of the picture. None before the first."""

    status = t.Enum(("empty", "busy", "ready", "error"), "empty").tag(sync=True)
    """Set by the widget: nothing to see yet, preparing, showing `layer`, or not able to."""

    progress = t.Dict().tag(sync=True)
    """Set by the widget: ``{state, scanned, total}`` of the scan; state is "running", "stopped" or
    "done", total None if it cannot be known. Empty if nothing was to be scanned."""

    epoch = t.Int(0).tag(sync=True)
    """Set by the widget: the version of what is shown; answers about an older one are dropped."""

    _page = t.Dict().tag(sync=True)
    """The shown layer's numbers and first pictures, in one trait so that they change together."""

    def __init__(
        self,
        source: DeconvNet | nn.Module | Scan | Exemplars | Mapping[str, Exemplars] | str | Path,
        images: Any = None,
        *,
        net: DeconvNet | nn.Module | str | None = None,
        layers: Sequence[str] | None = None,
        k: int = 9,
        labels: Any = None,
        batch: int = 16,
        checkpoint: str | Path | None = None,
        **kwargs: Any,
    ) -> None:
        self._responder: Responder | None = None
        self._epochs = itertools.count(1)
        self._settled = threading.Event()
        self._shown: Wall | None = None
        self._preparing: Job | None = None
        self._scan: BackgroundScan | None = None
        scanner: Scanner | None = None
        self._k: int | None = None  # pictures of a channel that are shown; None: all that are kept
        found = None
        if is_net(source) and images is None:
            live, self._k = as_net(source, tensors=True), k
            found = shipped_scan(live)
        elif is_net(source):
            live = as_net(source, tensors=True)
            scanner = scanner_of(live, images, layers, k, labels, batch, checkpoint)
        else:
            found = scan_in(source)
            first = next(iter(found.exemplars.values()))
            live = network_of(first) if net is None else as_net(net, tensors=True)
            for one in found.exemplars.values():
                one.check(live)
        self._found = found
        self._gallery = Gallery(live, gallery() if images is None else images, named(labels))
        super().__init__(**kwargs)
        self._responder = Responder(
            self.send,
            {
                "tiles": self._answer_tiles,
                "panel": self._answer_panel,
                "words": self._answer_words,
                "pick": self._answer_pick,
                "stop": lambda _: self.stop(),
                "go": lambda _: self.go_on(),
            },
            epoch=None,
        )
        self.on_msg(self._responder.on_msg)
        if found is not None:
            self._offer(list(found.exemplars))
            self._show()
        elif scanner is not None:
            self._scan = BackgroundScan(
                scanner, self._responder, look=self._look, tell=self._tell, fail=self._break_off
            )
            self.go_on()

    # ------------------------------------------------------------------------------ for people

    @property
    def scan(self) -> Scan | None:
        """What is known: the `Scan` that is shown; None before the first pictures were seen."""
        return self._found

    def stop(self) -> None:
        """Stop the scan after the present batch; what was found stays."""
        if self._scan is not None:
            self._scan.stop()

    def go_on(self) -> None:
        """Go on with a scan that was stopped."""
        if self._scan is not None:
            self._settled.clear()
            self._scan.go_on()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is scanned or prepared any more, `timeout` seconds at most."""
        return self._settled.wait(timeout)

    def close(self) -> None:
        """End the widget and its work."""
        self.stop()
        if self._responder is not None:
            self._responder.close()
        super().close()

    def plain_text(self) -> str:
        """One line on what is shown."""
        wall = self._shown
        if wall is None:
            return "ExemplarBrowser()"
        return (
            f"ExemplarBrowser({wall.found.net}, {wall.found.layer}: {wall.count} channels, "
            f"strongest of {wall.found.scanned} images)"
        )

    def contact_sheet(self) -> bytes | None:
        """The first channels as a PNG file, for places without a kernel."""
        self.wait(_STATIC_SECONDS)
        page = self._page
        if not page.get("sheet"):
            return None
        tiles = _cut(page)
        labels = [f"channel {channel}" for channel in page["sheet"]["ids"]]
        out = io.BytesIO()
        contact_sheet(list(tiles), labels, self.plain_text(), columns=3, tile_size=_FIRST_PX).save(
            out, "PNG"
        )
        return out.getvalue()

    # -------------------------------------------------------------------------------- scanning

    def _look(self) -> None:
        """On the worker: show what the scan knows so far."""
        from zfwidgets.analysis.scan import scan_of

        assert self._scan is not None
        if self._scan.scanner.state is None:
            self._settled.set()
            return
        self._found = scan_of(self._scan.scanner)
        self._offer(list(self._found.exemplars))
        self._show()

    def _tell(self, progress: Progress) -> None:
        self.progress = progress

    def _break_off(self, error: Exception) -> None:
        """On the worker: the scan cannot go on; what was found stays."""
        self.fail(error)
        self.progress = {**self.progress, "state": "stopped"}
        with self.hold_sync():
            self.status = "ready" if self._shown else "error"
        self._settled.set()

    def _offer(self, layers: list[str]) -> None:
        if layers == self.layers:
            return
        known = self.layer in layers
        if self.layer and not known:
            names = ", ".join(layers)
            self.fail(ValueError(f"layer={self.layer!r}: expected one of {names}"))
        with self.hold_sync():
            self.layers = layers
            if not known:
                self.layer = layers[-1]

    # ------------------------------------------------------------------------- what is looked at

    @t.observe("layer", "rule")
    def _another(self, change: Any) -> None:
        if change.name == "layer" and change.old:
            self.active = None
        if self._found is not None and self._responder is not None:
            self._show()

    def _show(self) -> None:
        """Something else is to be shown: give it a new epoch and have it prepared."""
        if self._responder is None or self._found is None:
            return
        if self._preparing is not None:
            self._preparing.cancel()
        self._settled.clear()
        self.status = "busy"
        self._preparing = self._responder.submit(self._prepare)

    def _prepare(self, job: Job) -> None:
        """On the worker: numbers and first pictures, then show them."""
        try:
            wall = self._new_wall()
            ids = wall.order(self.sort)[:_FIRST_CHANNELS]
            tiles = []
            for _, some in drawn(wall, ids, _FIRST_PX):
                tiles.append(some)
                job.check()
            made = sheet(ids, np.concatenate(tiles))
        except Cancelled:
            raise
        except Exception as error:  # noqa: BLE001 - shown in the widget
            with self.hold_sync():
                job.check()
                self.error, self.status = describe_error(error), "error"
            self._rest()
            return
        with self.hold_sync():
            job.check()
            self._shown = wall
            self.epoch = wall.epoch
            self._page = {**wall.facts(), "sheet": made.head(), "picture": made.data}
            self.status = "ready"
            self.clear_error()
        self._rest()

    def _rest(self) -> None:
        if self.progress.get("state") != "running":
            self._settled.set()

    @t.observe("progress")
    def _ended(self, change: Any) -> None:
        if change.new.get("state") != "running" and self.status != "busy":
            self._settled.set()

    def _new_wall(self) -> Wall:
        found = self._found
        if found is None or self.layer not in found.exemplars:
            names = ", ".join(self.layers)
            raise ValueError(f"layer={self.layer!r}: expected one of {names}")
        usage = found.usage.layers.get(self.layer)
        rule = self.rule
        one = found.exemplars[self.layer].first(self._k or found.exemplars[self.layer].k)
        return Wall(next(self._epochs), self._gallery, one, usage, rule)

    # --------------------------------------------------------------------------------- answers

    def _wall(self, job: Job) -> Wall:
        if self._shown is None or self._shown.epoch != job.request.epoch:
            raise Cancelled
        return self._shown

    def _answer_tiles(self, job: Job) -> Iterator[Answer]:
        """On the worker: ``{ids, px}`` -> sheets of these channels' mosaics."""
        wall = self._wall(job)
        ids = job.request.ids("ids", wall.count)
        px = job.request.integer("px", 48, 1600)
        sent = 0
        for some, tiles in drawn(wall, ids, px):
            made = sheet(some, tiles)
            sent += len(some)
            yield Answer(made.head(), [made.data], last=sent == len(ids))

    def _answer_panel(self, job: Job) -> Answer:
        """On the worker: ``{ids: [channel], px}`` -> its pictures one by one, and their facts."""
        wall = self._wall(job)
        (channel,) = job.request.ids("ids", wall.count)[:1]
        tiles, facts = wall.panel(channel, job.request.integer("px", 16, 512))
        if not facts:
            return Answer({"facts": []}, last=True)
        made = sheet(range(len(tiles)), tiles)
        return Answer({**made.head(), "facts": facts}, [made.data], last=True)

    def _answer_pick(self, job: Job) -> Answer:
        """On the worker: ``{ids: [channel], rank}``, a picture of the panel was clicked."""
        found = self._wall(job).found
        (channel,) = job.request.ids("ids", len(found.value))[:1]
        pictures = found.of(channel)
        name, row, col, _ = pictures[job.request.integer("rank", 0, len(pictures) - 1)]
        self.picked = {
            "layer": found.layer,
            "channel": channel,
            "name": name,
            "row": row,
            "col": col,
        }
        return Answer({}, last=True)

    def _answer_words(self, job: Job) -> Answer:
        """On the worker: ``{ids: [channel]}`` -> what its strongest pictures have in common."""
        wall = self._shown
        if wall is None or wall.epoch != job.request.epoch:
            return Answer({"words": []}, last=True)  # the page waits for it before it asks anew
        (channel,) = job.request.ids("ids", wall.count)[:1]
        kept = self._found.exemplars[wall.found.layer] if self._found else wall.found
        words = [told(word, self.locale) for word in self._gallery.words(kept, channel)]
        return Answer({"words": words}, last=True)


def _cut(page: dict[str, Any]) -> Pictures:
    """The mosaics uint8 [N, h, w, 3] of the first page's sheet."""
    head = page["sheet"]
    height, width = head["tile"]
    columns = head["columns"]
    picture = np.asarray(Image.open(io.BytesIO(page["picture"])).convert("RGB"))
    rows = picture.shape[0] // height
    cells = picture.reshape(rows, height, columns, width, 3).transpose(0, 2, 1, 3, 4)
    return cells.reshape(-1, height, width, 3)[: len(head["ids"])]
