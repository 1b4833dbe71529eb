"""The camera as input: every frame's feature maps of one layer, and one neuron back to pixels.

The page sends a frame only while fewer than two are on their way (credit), and skips the camera's
others, so that what is shown is always the latest. The picture is cut and mirrored in the page:
what is seen there, mapped here and projected is one and the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t
from PIL import Image

from zfwidgets.deconv import Recording
from zfwidgets.images import encode, heat_colours
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.nets import as_net
from zfwidgets.widgets.core.neuron import RULES
from zfwidgets.widgets.core.rpc import Job, Responder
from zfwidgets.widgets.core.wire import Answer, WireError
from zfwidgets.widgets.live_view.frames import LIMITS, Frame, Looker

if TYPE_CHECKING:
    from zfwidgets.widgets.export import SavedPage


class LiveView(ZFWidget):
    """Look into a network while it looks through the camera.

    Nothing starts by itself: the page asks for the camera when "Start camera" is clicked, and lets
    go of it when the view is stopped, closed, or out of sight. Frames travel from the page to this
    kernel and nowhere else, and are not kept but for the last one.

    Parameters:
        net: a name for `zfwidgets.load`, a `torch.nn.Module`, or a `DeconvNet`.
        layer: name of the layer whose maps are shown.
        channel: whose strongest neuron is projected; None: always the strongest channel's.
        rule: how the signal goes back, see `Recording.project`.
        inline: compute in the calling thread: for tests and platforms without threads.

    Raises:
        LookupError, ValueError: the network is unknown, or has no layer of that name.

    Examples:
        >>> live = LiveView("zfnet", layer="conv2")
        >>> browser = ChannelBrowser(layer="conv5")
        >>> traitlets.dlink((live, "recording"), (browser, "recording"))  # at each freeze
    """

    bundle_name = "live-view"

    layer = t.Unicode().tag(sync=True)
    """Name of the layer that is shown."""

    channel = t.Int(None, allow_none=True).tag(sync=True)
    """Index of the channel whose strongest neuron is projected; None: the strongest channel's. A
    change of layer sets it back to None."""

    rule: Any = t.Enum(RULES, "deconvnet")
    """How the signal goes back to pixels."""

    mirrored = t.Bool(True).tag(sync=True)
    """Whether left and right are swapped, for the network as well as for the eye."""

    frozen = t.Bool(False).tag(sync=True)
    """Whether the last frame stands still; all its layers are then in `recording`."""

    recording = t.Any(None, allow_none=True, read_only=True)
    """All layers of the frame that was frozen last; None before. Python only."""

    image = t.Instance(Image.Image, allow_none=True, read_only=True)
    """The frame that was frozen last as the network saw it, mode RGB; None before. Python only."""

    _layers = t.List(t.Dict()).tag(sync=True)
    _side = t.Int().tag(sync=True)
    _palette = t.Bytes().tag(sync=True)

    def __init__(
        self,
        net: Any = "zfnet",
        layer: str = "conv2",
        channel: int | None = None,
        *,
        inline: bool = False,
        **kwargs: Any,
    ) -> None:
        self._frame: Frame | None = None
        self._looker: Looker | None = None
        handlers = {"frame": self._answer, "again": self._answer_again}
        self._responder = Responder(self.send, handlers, inline=inline)
        self.net: Any = as_net(net, tensors=True)
        self._looker = Looker(self.net)
        super().__init__(layer=layer, channel=channel, **kwargs)
        self.observe(self._forget_channel, "layer")
        self.on_msg(self._responder.on_msg)

    def to_html(
        self, path: str | Path, *, max_mb: float = 40.0, locale: str | None = None
    ) -> SavedPage:
        """Write one HTML file that holds the network and looks through the camera by itself.

        It begins with this widget's layer and channel; the rule is "deconvnet". Frames stay in the
        browser of whoever opens the page.

        Raises:
            UnsupportedInPage: the network cannot run in a page.
            PageTooLarge: the page would have more than `max_mb` megabytes.
        """
        from zfwidgets.widgets.export.view import write_view

        net, traits = self.net, {"mirrored": self.mirrored}

        def made(_recording: Any, **say: Any) -> LiveView:
            return LiveView.without_kernel(net, self.layer, self.channel, **traits, **say)

        options: dict[str, Any] = {"album": False, "max_mb": max_mb}
        return write_view(path, "live", made, net, locale=locale or self.locale, **options)

    @classmethod
    def without_kernel(cls, net: Any, *args: Any, **traits: Any) -> LiveView:
        """One for a page: there no kernel gets frames, and no recording is left behind."""
        view = cls(net, *args, **traits)
        keys = ("frozen", "private_here", "private_there")
        there = {key: view.say(f"{key.partition('_')[0]}_page") for key in keys}
        view._strings = {**view._strings, **there}
        return view

    def close(self) -> None:
        """Close the widget; the page lets go of the camera, this side of frames and network."""
        self._responder.close()
        self.unobserve_all("recording")  # nobody waits for the None below
        super().close()
        self._looker = self._frame = self.net = None
        self.set_trait("recording", None)
        self.set_trait("image", None)

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"LiveView(layer={self.layer!r}, channel={self.channel})"

    def contact_sheet(self) -> bytes | None:
        """The frozen frame and its projection side by side; None before the first."""
        if self.image is None or self._frame is None:
            return None
        gap = np.full((self._frame.seen.shape[0], 8, 3), 255, np.uint8)
        pair = [self._frame.seen, gap, self._frame.projection]
        return encode(np.concatenate(pair, axis=1), "image/png")

    # ------------------------------------------------------------------------- state

    @t.default("_layers")
    def _list_layers(self) -> list[dict[str, Any]]:
        return [{"name": one.name, "channels": one.channels} for one in self.net.layers.values()]

    @t.default("_side")
    def _side_of_frames(self) -> int:
        return self._looker.side if self._looker else 0

    @t.default("_palette")
    def _colours(self) -> bytes:
        return heat_colours().tobytes()

    @t.validate("layer")
    def _check_layer(self, proposal: dict[str, Any]) -> str:
        return str(self.net.layers[proposal["value"]].name)

    @t.validate("channel")
    def _check_channel(self, proposal: dict[str, Any]) -> int | None:
        value: int | None = proposal["value"]
        count = self.net.layers[self.layer].channels if self.layer else 0
        if value is not None and not 0 <= value < count:
            raise t.TraitError(f"channel got {value}; {self.layer} has channels 0 to {count - 1}")
        return value

    def _forget_channel(self, _change: object) -> None:
        # An index means nothing in another layer, and may not exist there.
        self.channel = None

    @t.observe("frozen")
    def _keep(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self._responder.submit(self._record)

    def _record(self, job: Job) -> None:
        """On the worker thread, after the frames that are still under way."""
        looker, frame = self._looker, self._frame
        if looker is None or frame is None:
            return
        try:
            recording: Recording = looker.record()
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            self.fail(error)
            return
        if job.wanted:
            self.set_trait("image", Image.fromarray(frame.seen))
            self.set_trait("recording", recording)

    # ------------------------------------------------------------------------ frames

    def _answer(self, job: Job) -> Answer:
        """One frame: no fields, one buffer. On the worker thread."""
        if self.frozen:  # sent before the page knew; what stands still is the frame before
            return Answer({"frozen": True}, last=True)
        buffers = job.request.buffers
        if len(buffers) != 1 or not 0 < buffers[0].nbytes <= LIMITS.max_bytes:
            raise WireError("Unreadable frame", "expected one encoded picture of at most 2 MiB")
        looker, layer, channel = self._looker, self.layer, self.channel
        job.check()
        assert looker is not None
        count = looker.net.layers[layer].channels
        if channel is not None and channel >= count:  # the layer has changed this very moment
            channel = None
        self._frame = looker.look(bytes(buffers[0]), layer, channel, self.rule)
        return _told(self._frame, layer, exact=looker.exact)

    def _answer_again(self, job: Job) -> Answer:
        """The frame that stands still, at {layer} and {channel}: the page knows of them first."""
        layer, channel = job.request.body.get("layer"), job.request.body.get("channel")
        if not isinstance(layer, str) or not isinstance(channel, int | None):
            raise WireError("Unreadable question", f"got layer {layer!r:.40}, {channel!r:.40}")
        looker = self._looker
        assert looker is not None
        self._frame = looker.again(layer, channel, self.rule)
        return _told(self._frame, layer, exact=looker.exact)


def _told(frame: Frame, layer: str, *, exact: bool) -> Answer:
    """A frame as the page draws it."""
    head = {
        "layer": layer,
        "channel": frame.channel,
        "row": frame.row,
        "col": frame.col,
        "box": list(frame.box),
        "size": list(frame.seen.shape[:2]),
        "shape": list(frame.levels.shape),
        "contrast": frame.contrast,
        "ms": round(1000 * frame.seconds, 1),
    }
    pictures = [frame.levels.tobytes(), encode(frame.projection), frame.strengths.tobytes()]
    if not exact:
        pictures.append(encode(frame.seen))
    return Answer(head, pictures, last=True)
