"""What a widget cannot begin with is said at once, by name, and nothing of it stays behind."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest
import traitlets
from ipywidgets.widgets import widget as widgets

import zfwidgets as zf
from zfwidgets.images import ImageError
from zfwidgets.widgets.core import spoken
from zfwidgets.widgets.core.rpc import settle
from zfwidgets.widgets.exemplar_strip import ExemplarStrip


@pytest.fixture(scope="module")
def net() -> zf.DeconvNet:
    return zf.load("zfnet", device="cpu")


LOOKERS = (
    zf.ProjectionView,
    zf.StepsView,
    zf.OcclusionView,
    zf.InvarianceView,
    lambda recording: zf.Charts(recording=recording),
    lambda recording: setattr(zf.ChannelBrowser(), "recording", recording),
)


@pytest.mark.parametrize("look", LOOKERS)
@pytest.mark.parametrize("given", ["cat.jpg", 3])
def test_a_recording_is_asked_for(look: Callable[[Any], Any], given: Any) -> None:
    with pytest.raises(traitlets.TraitError, match=r"recording got .*net\.record\(photo\)") as told:
        look(given)
    assert repr(given) in str(told.value)


@pytest.mark.parametrize("look", LOOKERS)
def test_a_network_is_told_to_record_first(look: Callable[[Any], Any], net: zf.DeconvNet) -> None:
    with pytest.raises(traitlets.TraitError, match="Record a photo with the network first"):
        look(net)


@pytest.mark.parametrize(
    "widget", [zf.ProjectionView, zf.StepsView, zf.OcclusionView, zf.Charts, zf.ChannelBrowser]
)
def test_channels_are_counted_from_0(widget: Any) -> None:
    name = "active" if widget is zf.ChannelBrowser else "channel"
    with pytest.raises(traitlets.TraitError, match=name):
        setattr(widget(), name, -1)


@pytest.mark.parametrize(
    "look",
    [
        lambda recording: zf.ProjectionView(recording, layer="conv5", channel=3, image=1),
        lambda recording: zf.StepsView(recording, layer="conv3", channel=3, image=1),
        lambda recording: zf.OcclusionView(recording, image=1),
        lambda recording: zf.InvarianceView(recording, image=1),
        lambda recording: zf.ChannelBrowser(recording, image=1),
    ],
)
def test_a_picture_that_a_recording_does_not_have_is_said(
    look: Callable[[Any], Any], net: zf.DeconvNet
) -> None:
    widget = look(net.record(zf.sample("cat").open()))
    settle()
    assert widget.status == "error"
    assert widget.error["message"] == "The recording has no picture number 1."
    assert widget.error["hint"] == "Set image to a number from 0 to 0."
    assert spoken.error(widget.error, "ko")["title"] == "그런 사진이 없습니다"
    widget.close()


def test_a_layer_that_a_network_does_not_have_is_said_with_those_it_has(net: zf.DeconvNet) -> None:
    gc.collect()
    before = set(widgets._instances)
    with pytest.raises(ValueError, match=r"'conv9': expected one of conv1, .*conv5"):
        zf.ChannelBrowser(net, layer="conv9")
    assert set(widgets._instances) <= before


def test_a_layer_selector_asks_for_a_network() -> None:
    with pytest.raises(TypeError, match=r"got 3; expected a network"):
        zf.LayerSelector(3)


@pytest.mark.parametrize("widget", [zf.MaskPicker, zf.ExemplarBrowser, ExemplarStrip, zf.LiveView])
def test_without_arguments_there_is_one_error(widget: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    second: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", second.append)
    if widget is zf.LiveView:
        with pytest.raises(TypeError, match="unknown argument"):
            widget(nothing=1)
    else:
        with pytest.raises(TypeError, match="missing"):
            widget()
    gc.collect()
    assert second == []


@pytest.mark.parametrize(
    "begin",
    [
        lambda net: zf.Inspector(net, "no-such-file.png"),
        lambda net: zf.Inspector(net, ["cat", "no-such-file.png"]),
        lambda net: zf.Compare(net, images=("cat", "no-such-file.png")),
        lambda _net: zf.ImagePicker(value="no-such-file"),
    ],
)
def test_a_picture_that_is_none_leaves_no_widget(
    begin: Callable[[Any], Any], net: zf.DeconvNet
) -> None:
    gc.collect()
    before = set(widgets._instances)
    with pytest.raises((ImageError, traitlets.TraitError), match="no-such-file"):
        begin(net)
    assert set(widgets._instances) <= before
