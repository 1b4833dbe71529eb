"""The numbers behind the pictures: the channels' strengths, one map's values, the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import traitlets as t

from zfwidgets.images.numbers import floats
from zfwidgets.widgets.core.base import ZFWidget, dispose
from zfwidgets.widgets.core.composed import Composed
from zfwidgets.widgets.core.recordings import RecordingTrait, check_picture
from zfwidgets.widgets.core.rpc import Job, Responder
from zfwidgets.widgets.core.spoken import SPOKEN_CLASSES
from zfwidgets.widgets.core.strings import LOCALES, default_locale
from zfwidgets.widgets.core.wire import describe_error

if TYPE_CHECKING:
    from zfwidgets.widgets.core.plots import BarChart

MOST_BARS = 512
"""More bars cannot be told apart on a screen; of more channels the strongest are drawn."""

BINS = 24
_CLASSES = 5


class ChartsHead(ZFWidget):
    """The line above the charts: opens and closes them, and says the classes in words."""

    bundle_name = "charts"

    opened = t.Bool(True).tag(sync=True)
    """Whether the charts are in sight."""

    classes = t.List(t.Dict()).tag(sync=True, **SPOKEN_CLASSES)
    """The most probable classes, ``{label, p}``, as bars; empty if the network names none."""

    status = t.Enum(["empty", "busy", "ready", "error"], "empty").tag(sync=True)

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"ChartsHead(opened={self.opened})"


@dataclass(frozen=True)
class _Numbers:
    """What is drawn. ids: channels in the order of the bars; strength: of each, its maximum."""

    layer: str
    count: int
    ids: list[int]
    strength: list[float]
    classes: list[dict[str, Any]]
    size: tuple[int, int]
    channel: int | None
    edges: np.ndarray[Any, Any]
    places: np.ndarray[Any, Any]
    silent: int


class Charts(Composed):
    """Charts of one layer and one picture, linked to a `ChannelBrowser`.

    Strength per channel (the maximum of its map) as bars: a click chooses the channel, and the
    chosen one is marked. Of the chosen channel, how its map's values are distributed. The most
    probable classes. What is not in sight is not computed.

    Parameters:
        browser: its recording, layer and order are drawn, and its active channel is chosen here.
        recording, layer: what to draw without a browser.
        opened: whether the charts are in sight to begin with.
        locale: "en" or "ko".

    Examples:
        >>> browser = zf.ChannelBrowser(net.record(photo), layer="conv5")
        >>> charts = zf.Charts(browser)
    """

    recording = RecordingTrait()
    """The `Recording`; None: empty charts."""

    image = t.Int(0, min=0)
    """Which picture of the recording."""

    layer = t.Unicode()
    """Name of the layer; empty for none."""

    sort = t.Unicode("strength")
    """Order of the bars: "index", or by falling strength."""

    channel = t.Int(None, allow_none=True, min=0)
    """The chosen channel."""

    locale = t.Enum(LOCALES, LOCALES[0])

    def __init__(
        self,
        browser: Any = None,
        *,
        recording: Any = None,
        layer: str = "",
        opened: bool = True,
        locale: str | None = None,
        inline: bool = False,
    ) -> None:
        """`inline` computes in the calling thread: for tests and platforms without threads."""
        locale = locale or default_locale()
        self.head = ChartsHead(opened=opened, locale=locale)
        self._row = ipywidgets.Box()
        self._row.add_class("zf-charts-row")
        self._job: Job | None = None
        self._drawn: _Numbers | None = None
        responder = Responder(self.head.send, {}, inline=inline)
        traits = {"recording": recording, "layer": layer, "locale": locale}
        super().__init__([self.head, self._row], responder, **traits)
        self.add_class("zf-charts-box")
        if browser is not None:
            pairs = (("recording",) * 2, ("layer",) * 2, ("image",) * 2, ("sort",) * 2)
            self._links = [t.dlink((browser, one), (self, other)) for one, other in pairs]
            self._links.append(t.link((browser, "active"), (self, "channel")))
        self.head.observe(self._unfold, "opened")
        self.observe(self._speak, "locale")
        self.observe(self._ask, ["recording", "image", "layer", "sort", "channel", "locale"])
        self._unfold()

    @cached_property
    def _charts(self) -> tuple[BarChart, BarChart]:
        """Made when they are first opened: bqplot, and pandas with it, takes a second to import."""
        from zfwidgets.widgets.core.plots import BarChart

        charts = BarChart(self._click), BarChart()
        self._name_axes(*charts)
        return charts

    @property
    def strength(self) -> BarChart:
        """How strong each channel is."""
        return self._charts[0]

    @property
    def histogram(self) -> BarChart:
        """How the chosen channel's values are distributed."""
        return self._charts[1]

    @property
    def _made(self) -> bool:
        return "_charts" in vars(self)

    def _let_go(self) -> None:
        for chart in self._charts if self._made else ():  # folded, they are nobody's children
            dispose(chart)
        self.recording = self._job = self._drawn = None

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"Charts(layer={self.layer!r}, channel={self.channel})"

    # ------------------------------------------------------------------------------------- numbers

    def _unfold(self, _change: object = None) -> None:
        # Figures that are drawn out of sight have no size, and bqplot complains of negative ones.
        self._row.children = [*self._charts] if self.head.opened else []
        self._ask()

    def _speak(self, _change: object) -> None:
        self.head.locale = self.locale
        self._drawn = None  # its titles are in another language
        if self._made:
            self._name_axes(*self._charts)

    def _name_axes(self, strength: BarChart, histogram: BarChart) -> None:
        say = self.head.say
        strength.label(say("rank_axis"), say("strength_axis"))
        histogram.label(say("value_axis"), say("places_axis"))

    def _ask(self, _change: object = None) -> None:
        if self._job is not None:
            self._job.cancel()
        if self.recording is None or not self.layer:
            with self.head.hold_sync():  # what is being drawn is drawn before, or not at all
                self._drawn = None
                for chart in self._charts if self._made else ():
                    chart.show("", [0.0, 1.0], [0.0, 0.0])
                self.head.classes, self.head.status = [], "empty"
                self.head.clear_error()
            return
        if not self.head.opened:
            return
        asked = self.recording, self.image, self.layer, self.sort, self.channel
        self.head.status = "busy"
        self._job = self._responder.submit(lambda job: self._work(job, *asked))

    def _work(
        self, job: Job, recording: Any, image: int, layer: str, sort: str, channel: int | None
    ) -> None:
        """On the worker. Whatever goes wrong is shown, and the last charts stay."""
        try:
            if layer not in recording.layers:
                known = ", ".join(recording.layers)
                raise ValueError(f"layer={layer!r:.80}: expected one of {known}")
            numbers = _numbers(recording, image, layer, sort, channel)
            with self.head.hold_sync():
                job.check()
                self._draw(numbers)
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            if job.wanted:
                with self.head.hold_sync():
                    self.head.error, self.head.status = describe_error(error), "error"

    # ------------------------------------------------------------------------------------- drawing

    def _draw(self, numbers: _Numbers) -> None:
        before, self._drawn = self._drawn, numbers
        say = self.head.say
        if before is None or (before.layer, before.ids, before.strength) != (
            numbers.layer,
            numbers.ids,
            numbers.strength,
        ):
            some = len(numbers.ids) < numbers.count
            title = say(
                "strength_some" if some else "strength",
                layer=numbers.layer,
                count=numbers.count,
                shown=len(numbers.ids),
            )
            self.strength.show(title, range(len(numbers.ids)), numbers.strength)
        known = numbers.channel is not None and numbers.channel in numbers.ids
        self.strength.mark(numbers.ids.index(numbers.channel) if known else None)  # type: ignore[arg-type]
        self._draw_histogram(numbers)
        self.head.classes, self.head.status = numbers.classes, "ready"
        self.head.clear_error()

    def _draw_histogram(self, numbers: _Numbers) -> None:
        say = self.head.say
        if numbers.channel is None or len(numbers.edges) == 0:
            empty = numbers.channel is not None
            text = say("histogram_silent", channel=numbers.channel) if empty else say("choose")
            self.histogram.show(text, [0.0, 1.0], [0.0, 0.0])
            return
        height, width = numbers.size
        total = height * width
        title = say(
            "histogram",
            channel=numbers.channel,
            active=total - numbers.silent,
            total=total,
            percent=round(100 * (total - numbers.silent) / total),
        )
        middles = (numbers.edges[:-1] + numbers.edges[1:]) / 2
        self.histogram.show(title, middles.tolist(), numbers.places.tolist())

    def _click(self, place: int) -> None:
        if self._drawn is not None and place < len(self._drawn.ids):
            self.channel = self._drawn.ids[place]


def _numbers(recording: Any, image: int, layer: str, sort: str, channel: int | None) -> _Numbers:
    check_picture(recording, image)
    maps = floats(recording.feature_maps(layer)[image])
    strength = maps.max((1, 2))
    order = np.argsort(-strength, kind="stable").tolist()[:MOST_BARS]
    ids: Sequence[int] = sorted(order) if sort == "index" else order
    classes = []
    if recording.logits is not None and recording.net.categories:
        classes = [{"label": n, "p": p} for n, p in recording.top_classes(_CLASSES)[image]]
    edges, places, silent = np.empty(0), np.empty(0), 0
    if channel is not None and 0 <= channel < len(maps):
        values = maps[channel].ravel()
        silent = int((values == 0).sum())
        # Rectified maps are mostly zero: that bar would leave no room for all others.
        if silent < len(values):
            places, edges = np.histogram(values[values != 0], BINS)
    return _Numbers(
        layer=layer,
        count=len(maps),
        ids=list(ids),
        strength=[float(strength[i]) for i in ids],
        classes=classes,
        size=(maps.shape[1], maps.shape[2]),
        channel=channel if channel is not None and channel < len(maps) else None,
        edges=edges,
        places=places,
        silent=silent,
    )
