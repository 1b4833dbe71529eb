"""The traits of a channel browser: all that Python and the page share, and the form of pins."""

from __future__ import annotations

from typing import Any

import traitlets as t

from zfwidgets.widgets.channel_browser.pins import checked
from zfwidgets.widgets.channel_browser.responses import SHOWS, SORTS
from zfwidgets.widgets.channel_browser.tiles import MODES
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.neuron import RULES
from zfwidgets.widgets.core.recordings import RecordingTrait
from zfwidgets.widgets.core.spoken import SPOKEN_LABELS


class BrowserState(ZFWidget):
    """What a `ChannelBrowser` shows and what is chosen in it."""

    bundle_name = "channel-browser"

    recording = RecordingTrait()
    """The `Recording` that is looked at; not sent to the page. None: an empty table."""

    net = t.Any(None, allow_none=True)
    """The network of :meth:`look_at`; follows the recording's."""

    image = t.Int(0, min=0)
    """Which picture of the recording, from 0."""

    layer = t.Unicode().tag(sync=True)
    """Name of the layer."""

    mode = t.Enum(tuple(MODES), "feature map").tag(sync=True)
    """What a tile shows: the ``"feature map"``; of the channel's strongest neuron the
    ``"projection"``, the same ``"in place"`` on the whole picture, or the ``"photo patch"`` that
    it sees; the ``"filter"``, for a convolution that reads the picture itself (filters of deeper
    layers have no colours); or the picture ``"synthesised"`` to excite the channel, for the
    convolutions of the bundled networks. What there is not is refused, with what to choose instead.
    """

    sort = t.Enum(SORTS, "index").tag(sync=True)
    """Order of the tiles: by channel number, or by falling ``"strength"`` (maximum of the map),
    ``"mean"``, ``"sparsity"`` or ``"energy"``; see `Responses.measures`."""

    show = t.Enum(SHOWS, "all").tag(sync=True)
    """All channels, or those ``"alive"`` or ``"dead"`` in this picture: active somewhere, nowhere.
    """

    threshold = t.Float(0.0, min=0.0, max=1.0).tag(sync=True)
    """Least strength of the channels that are shown, as a share of the layer's largest."""

    rule = t.Enum(RULES, "deconvnet").tag(sync=True)
    """How a signal goes back through rectifiers, for projections."""

    tile_size = t.Int(72, min=24, max=512).tag(sync=True)
    """Least side of a tile in CSS pixels; tiles grow to fill the line."""

    height = t.Int(420, min=120, max=4000).tag(sync=True)
    """Height of the grid in CSS pixels; it scrolls."""

    selected = t.List(t.Int(min=0)).tag(sync=True)
    """Chosen channels in the order in which they were chosen. Another layer clears them, and so
    does another network, unless it has this layer with as many channels, as a checkpoint has."""

    active = t.Int(None, allow_none=True, min=0).tag(sync=True)
    """The channel that linked views show. What clears `selected` clears it: channel numbers mean
    other things then."""

    pins = t.List(t.Dict()).tag(sync=True)
    """Channels kept in sight above the grid, whatever the layer and the photo: a list of
    ``{"layer": "conv5", "channel": 17}``, at most 64."""

    without = t.Bool(False).tag(sync=True)
    """Whether the pinned channels are switched off and the network is asked again: what it decides
    without them stands below the pins (`Recording.ablate`). The pictures stay as they are."""

    hover = t.Int(None, allow_none=True, min=0).tag(sync=True, echo_update=False)
    """The channel under the pointer or with the keyboard's focus; None if there is none. Set by
    the page, ten times a second at most."""

    hovered = t.Any(None)
    """Where the strongest neuron of `hover` is: ``{"channel", "row", "col", "value", "box"}``, box
    the receptive field [top, left, bottom, right] in input pixels, for linked views to draw; see
    `Responses.where`. None if there is none."""

    inset = t.Bool(True).tag(sync=True)
    """Whether the photo stands beside the grid, with the receptive field of the channel under the
    pointer; narrow widgets leave it out."""

    status = t.Enum(("empty", "busy", "ready", "error"), "empty").tag(sync=True)
    """Set by the widget: nothing to see, computing, showing `layer`, or not able to (see `error`).
    """

    epoch = t.Int(0).tag(sync=True)
    """Set by the widget: the version of what is looked at. A new recording, layer, mode or rule
    gives a new one; answers to questions about an older one are dropped."""

    _page = t.Dict().tag(sync=True, **SPOKEN_LABELS)
    """The shown layer's numbers and first tiles, in one trait so that they change together."""

    _photo = t.Dict().tag(sync=True)
    """The picture that is looked at: ``{"size": [H, W], "mime", "data"}``, empty if none."""

    _pinned = t.Dict().tag(sync=True)
    """Pictures and numbers of the pins, see `pinned`."""

    _without = t.Dict().tag(sync=True, **SPOKEN_LABELS)
    """What the network says without the pinned channels, see `without`; empty while unknown."""

    @t.validate("pins")
    def _are_pins(self, proposal: Any) -> Any:
        try:
            return checked(proposal["value"])
        except ValueError as error:
            raise t.TraitError(str(error)) from error
