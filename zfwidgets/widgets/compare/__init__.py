"""Two networks, two checkpoints or two photos side by side: layer, channel and zoom go together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets as t

from zfwidgets.images.sheet import stacked
from zfwidgets.widgets.channel_browser.tiles import MODES
from zfwidgets.widgets.compare.changed import changed_most
from zfwidgets.widgets.compare.counterpart import counterpart
from zfwidgets.widgets.compare_side import Side
from zfwidgets.widgets.core.base import ZFWidget, disposing
from zfwidgets.widgets.core.composed import STATIC_SECONDS, Composed, one_of
from zfwidgets.widgets.core.nets import as_net, when_back
from zfwidgets.widgets.core.neuron import RULES
from zfwidgets.widgets.core.rpc import Job, Responder, settle
from zfwidgets.widgets.core.strings import default_locale
from zfwidgets.widgets.core.wire import describe_error
from zfwidgets.widgets.image_picker import ImagePicker
from zfwidgets.widgets.image_picker.row import one_row
from zfwidgets.widgets.inspector_head import top_classes

if TYPE_CHECKING:
    from zfwidgets.widgets.export import SavedPage

_TOGETHER = ("mode", "sort", "rule", "tile_size")
"""Settings of a browser that are always the other's, too: two kinds of pictures tell nothing."""
_LOOKS = ("contrast", "colours", "opacity", "all_rules", "frame")


class CompareHead(ZFWidget):
    """What goes together."""

    bundle_name = "compare"

    link_layers = t.Bool(True).tag(sync=True)
    """Whether a layer chosen on one side chooses its counterpart on the other."""

    link_channels = t.Enum(("number", "rank", "free"), "number").tag(sync=True)
    """The other side's channel: that of the same "number"; the one of the same "rank" among the
    strongest, for networks whose numbers mean different things; or its own choice, "free"."""

    link_zoom = t.Bool(True).tag(sync=True)
    """Whether the photos zoom and pan as one, and the place under the pointer is marked on both."""

    changed = t.List(t.Dict()).tag(sync=True)
    """Channels whose strongest response differs most between the sides, ``{channel, before,
    after}``: left and right. Empty where channels do not go by number, and as long as the sides
    are at different layers or one of them refuses the photo of both."""

    layer = t.Unicode().tag(sync=True)
    """Name of the layer that they are of."""

    channel = t.Int(None, allow_none=True, min=0).tag(sync=True)
    """The left side's channel; one of those that changed most is chosen by a click."""

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"CompareHead(layers={self.link_layers}, channels={self.link_channels!r})"


class Compare(Composed):
    """Two networks on one photo, or one network on two photos, side by side.

    Parameters:
        left, right: networks, as for `Inspector`; without `right`, two photos.
        image: the photo of both, as for `Inspector`. images: a pair of them, one a side.
        layer: the left side's layer to begin with; the right side's is its counterpart.
        mode, rule: as for `Inspector`.
        names: what the sides are called; default: the networks' names.
        locale: "en" or "ko".

    A layer's counterpart is the layer of that name; else the one of its kind at the nearest share
    of the way through the network. Networks of one architecture are linked by channel number,
    others by rank; see ``head.link_channels``. The halves are ``left`` and ``right``. Where
    channels go by number, those whose strongest response differs most stand in the first line
    (``head.changed``); `zf.difference` has all of them.

    Raises:
        LookupError, ValueError: a network is unknown, or there is no layer of that name.
        TypeError: both `image` and `images`, or `images` is no pair.

    Examples:
        >>> zf.Compare("zfnet", "alexnet", image="dogs")
        >>> zf.Compare("zfnet", images=("cat", "dogs"))

        One photo before and after an edit; what Pillow can do to it will do:

        >>> photo = zf.sample("cat").open()
        >>> edited = zfwidgets.images.hide(photo, (60, 150, 190, 300))
        >>> zf.Compare("zfnet", images=(photo, edited), names=("before", "after"))
    """

    def __init__(
        self,
        left: Any = "zfnet",
        right: Any = None,
        *,
        image: Any = None,
        images: Sequence[Any] | None = None,
        layer: str | None = None,
        mode: str = "projection",
        rule: str = "deconvnet",
        names: Sequence[str] | None = None,
        locale: str | None = None,
        inline: bool = False,
    ) -> None:
        """`inline` computes in the calling thread: for tests and platforms without threads."""
        photos = _photos(right, image, images)
        one = as_net(left)
        begin = None if layer is None else one.layers[layer].name
        one_of("mode", mode, MODES)
        one_of("rule", rule, RULES)
        nets = one, one if right is None else as_net(right)
        called = tuple(names) if names is not None else tuple(net.name for net in nets)
        locale = locale or default_locale()
        looks = {"mode": mode, "rule": rule, "inline": inline, "locale": locale}
        self.pickers: list[ImagePicker] = []
        with disposing(self.pickers):
            for photo in photos:
                self.pickers.append(one_row(photo, locale=locale))
        self.left, self.right = (
            Side(net, name, picker, **looks)
            for net, name, picker in zip(
                nets, called, (self.pickers[0], self.pickers[-1]), strict=True
            )
        )
        self.head = CompareHead(link_channels=linked_by(*nets), locale=locale)
        self._following = False
        self._carrying: Job | None = None
        super().__init__([self._grid()], Responder(self.head.send, {}, inline=inline))
        self.add_class("zf-composed").add_class("zf-compare")
        self._connect()
        for side in (self.left, self.right):
            when_back(side.net, self._come_back)
        if begin is not None:
            self.left.layer = begin
        else:
            self._pair(self.left)
        for side in (self.left, self.right):
            self._record(side)

    def _let_go(self) -> None:
        for side in (self.left, self.right):
            side.net = side.recording = side.seen = side.job = None

    def to_html(self, path: str | Path, **options: Any) -> SavedPage:
        """Write one HTML file that opens without a kernel and can be explored: `zf.to_html`.

        Both sides are in it, linked as here. With ``engine=True`` their networks are, too: all
        layers and channels of both, photos of whoever opens it. layers: of the left side; their
        counterparts are those of the right. channels: of either side; where they go by number, the
        same of both, which take turns. Photos are those shown, or, where both sides share one, as
        `zf.to_html` takes them.
        """
        from zfwidgets.widgets.export import to_html

        return to_html(self, path, **options)

    def write_html(self, path: str | Path, *, locale: str | None, **options: Any) -> SavedPage:
        """What `zf.to_html` calls; all its options, checked there."""
        from zfwidgets.widgets.compare.page import Shown, write_comparison

        speaks = str(locale or self.head.locale)
        shown = [
            Shown(
                net=side.net,
                layer=side.layer,
                channel=side.browser.active,
                rule=side.browser.rule,
                locale=speaks,
                browser=side.browser,
                picker=side.picker,
                view=side.view,
            )
            for side in (self.left, self.right)
        ]
        names = ("link_layers", "link_channels", "link_zoom")
        links = {name: getattr(self.head, name) for name in names}
        head = CompareHead(locale=speaks, **links)
        titles = [side.head.name for side in (self.left, self.right)]
        return write_comparison(path, head, titles, shown, locale=speaks, **options)

    def contact_sheet(self) -> bytes | None:
        """Both sides' photos and projections, one above the other, as one PNG file."""
        settle(STATIC_SECONDS)
        return stacked([side.view.contact_sheet() for side in (self.left, self.right)])

    def plain_text(self) -> str:
        """One line for terminals."""
        left, right = self.left.head, self.right.head
        return f"Compare({left.name} {left.layer}, {right.name} {right.layer})"

    # ------------------------------------------------------------------------------------- parts

    def _grid(self) -> ipywidgets.Box:
        shared = self.pickers[:1] if len(self.pickers) == 1 else []
        columns = []
        for side in (self.left, self.right):
            own = [] if shared else [side.picker]
            column = ipywidgets.Box([side.head, *own, side.browser, side.view])
            column.add_class("zf-parts").add_class("zf-compare-column")
            columns.append(column)
        grid = ipywidgets.Box([self.head, *shared, *columns])
        grid.add_class("zf-parts").add_class("zf-compare-grid")
        return grid

    def _connect(self) -> None:
        left, right = self.left, self.right
        for name in _TOGETHER:
            self._links.append(t.link((left.browser, name), (right.browser, name)))
        for name in _LOOKS:
            self._links.append(t.link((left.view, name), (right.view, name)))
        for side in (left, right):
            self._links += [
                t.link((side.browser, "active"), (side.view, "channel")),
                t.link((side.browser, "rule"), (side.view, "rule")),
            ]
            self._links.append(t.dlink((side.browser, "hovered"), (side.view, "hovered")))
            side.head.observe(lambda _, side=side: self._change_layer(side), "layer")
            side.browser.observe(lambda _, side=side: self._follow_browser(side), "layer")
            side.browser.observe(lambda _, side=side: self._change_channel(side), "active")
            side.view.observe(lambda _, side=side: self._zoom(side), "window")
            side.view.observe(lambda _, side=side: self._point(side), "pointed")
            side.picker.observe(lambda _, side=side: self._record(side), "image")
        self._links.append(t.link((left.browser, "active"), (self.head, "channel")))
        self.head.observe(lambda _: self._link_again(), ["link_layers", "link_channels"])
        self.head.observe(lambda _: self._differ_again(), ["link_layers", "link_channels"])
        self.head.observe(lambda _: self._zoom(left), "link_zoom")

    def _other(self, side: Side) -> Side:
        return self.right if side is self.left else self.left

    # ------------------------------------------------------------------------------------ linking

    def _link_again(self) -> None:
        """Whoever brought the left side's channel under the old links: the left side leads."""
        self.left.told = self.right.told = None
        self._pair(self.left)

    def _pair(self, side: Side) -> None:
        """Bring the other side to where this one is."""
        if self.head.link_layers:
            self._follow_layer(side)
        self._change_channel(side)

    def _follow_browser(self, side: Side) -> None:
        """A pinned channel of another layer was gone to."""
        side.layer = side.browser.layer

    def _change_layer(self, side: Side) -> None:
        side.told = side.browser.active = None
        side.browser.layer = side.view.layer = side.layer
        if self._following:
            return
        changed = [side]
        if self.head.link_layers:
            self._follow_layer(side)
            changed = [self.left, self.right]
        for each in changed:
            self._responder.submit(partial(self._choose, each, each.layer))
        self._differ_again()

    def _follow_layer(self, side: Side) -> None:
        other = self._other(side)
        self._following = True
        try:
            other.layer = counterpart(side.layer, side.net.layers, other.net.layers)
        finally:
            self._following = False

    def _choose(self, side: Side, layer: str, _job: Job | None = None) -> None:
        """On the worker: the strongest channel, unless the other side's is followed.

        The right side follows the left one, and either one what a person chose on the other. What
        was chosen while the strongest was looked for stays.
        """
        if side.recording is None or side.layer != layer or side.browser.active is not None:
            return
        leader = self._other(side)
        led = leader.browser.active
        follows = side is self.right or led != leader.told
        if self.head.link_channels == "free" or leader.recording is None:
            follows = False
        if follows and led is not None:
            self._bring(leader)
            return
        best = side.ranks(layer)[0]
        if side.layer == layer and side.browser.active is None:
            side.browser.active = best

    def _change_channel(self, side: Side) -> None:
        channel = side.browser.active
        if channel is None or channel == side.told or self.head.link_channels == "free":
            return
        side.told = None
        self._bring(side)

    def _bring_again(self) -> None:
        """After another photo: the side whose channel was chosen leads, as it did before."""
        left = self.left
        leader = self.right if left.told == left.browser.active else left
        if self.head.link_channels != "free":
            self._bring(leader)

    def _bring(self, side: Side) -> None:
        """Let this side's channel choose the other's; only what was asked for last does."""
        channel = side.browser.active
        if channel is None:
            return
        if self._carrying is not None:
            self._carrying.cancel()
        self._carrying = self._responder.submit(partial(self._carry, side, channel))

    def _carry(self, side: Side, channel: int, job: Job) -> None:
        """On the worker: this side's channel chooses the other's."""
        other = self._other(side)
        if side.browser.active != channel or None in (side.recording, other.recording):
            return
        try:
            found = self._partner(side, other, channel)
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            other.head.fail(error)
            return
        if job.wanted:
            other.told = found
            other.browser.active = found

    def _partner(self, side: Side, other: Side, channel: int) -> int | None:
        if self.head.link_channels == "number":
            count = other.net.layers[other.layer].channels
            return channel if channel < count else None
        rank = side.ranks(side.layer).index(channel)
        ranks = other.ranks(other.layer)
        return ranks[rank] if rank < len(ranks) else None

    def _zoom(self, side: Side) -> None:
        if self.head.link_zoom:
            self._other(side).view.window = side.view.window

    def _point(self, side: Side) -> None:
        if self.head.link_zoom:
            self._other(side).view.pointed = side.view.pointed

    # --------------------------------------------------------------------------- what has changed

    def _differ_again(self) -> None:
        self._responder.submit(lambda _job: self._differ())

    def _differ(self) -> None:
        """On the worker: the channels whose strongest response differs most."""
        left, right, head = self.left, self.right, self.head
        changed: list[dict[str, Any]] = []
        if head.link_channels == "number" and self._comparable():
            before, after = (side.recording.strongest(side.layer).value for side in (left, right))
            changed = changed_most(before, after)
        with head.hold_sync():
            head.layer, head.changed = left.layer, changed

    def _comparable(self) -> bool:
        """Are both sides at one layer, and at one photo if they are to look at the same?"""
        left, right = self.left, self.right
        if None in (left.recording, right.recording):
            return False
        if left.picker is right.picker and left.seen is not right.seen:
            return False
        return right.layer == counterpart(left.layer, left.net.layers, right.net.layers)

    # ---------------------------------------------------------------------------------- recording

    def _come_back(self) -> None:
        """A server that computes was away: look again at what is chosen."""
        if not self._closed:
            for side in (self.left, self.right):
                self._responder.submit(partial(self._again, side))

    def _again(self, side: Side, _job: Job) -> None:
        self._record(side)

    def _record(self, side: Side) -> None:
        if side.job is not None:
            side.job.cancel()
        image = side.picker.image
        if image is None:
            return
        side.head.status = "busy"
        side.job = self._responder.submit(lambda job: self._work(job, side, image))

    def _work(self, job: Job, side: Side, image: Any) -> None:
        """On the worker. Whatever goes wrong is shown, and the last good state stays."""
        try:
            recording = side.net.record(image)
            classes = top_classes(recording)
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            if job.wanted:
                with side.head.hold_sync():
                    side.head.error, side.head.status = describe_error(error), "error"
            return
        if not job.wanted:
            return
        side.recording, side.seen = recording, image
        with side.head.hold_sync():
            side.head.classes, side.head.status = classes, "ready"
            side.head.clear_error()
        side.browser.recording = side.view.recording = recording
        self._differ()
        if side.browser.active is None:
            self._choose(side, side.layer)
        else:
            self._bring_again()


def linked_by(left: Any, right: Any) -> str:
    """How channels of two networks go together: by "number" in one architecture, else by "rank"."""
    return "number" if _shape(left) == _shape(right) else "rank"


def _shape(net: Any) -> list[tuple[Any, ...]]:
    """What two checkpoints of one architecture have in common."""
    return [
        (layer.name, layer.kind, layer.channels, layer.kernel, layer.stride, layer.padding)
        for layer in net.layers.values()
    ]


def _photos(right: Any, image: Any, images: Sequence[Any] | None) -> list[Any]:
    """One photo for both sides, or two."""
    if images is None:
        return [image] if right is not None or image is not None else ["cat", "dogs"]
    if image is not None or isinstance(images, str) or len(images) != 2:
        raise TypeError(
            "Compare() takes image, one photo for both sides, or images, a pair of photos; "
            f"got image={image!r:.40}, images={images!r:.60}"
        )
    return [*images]
