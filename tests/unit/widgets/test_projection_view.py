"""ProjectionView: which neuron is shown, what stays when something fails, which answer wins."""

from __future__ import annotations

import gc
import io
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import traitlets
from PIL import Image

from tests.unit.widgets.fakes import SIDE, FakeNet, FakeRecording, picture
from zfwidgets.widgets.projection_view import ProjectionView
from zfwidgets.widgets.rpc import worker


def recording(colour: str = "red") -> FakeRecording:
    return FakeNet().record(picture(colour))


def hold(gate: threading.Event) -> None:
    """Keep the worker busy until the gate opens."""
    gate.wait(20)


def shown(view: ProjectionView, index: int) -> np.ndarray[Any, Any]:
    """The pixels of picture 0 (photo) or 1 (projection) as the page gets them."""
    mark = view.pictures.children[index].children[1].marks[0]
    return np.asarray(Image.open(io.BytesIO(mark.image.value)))


def test_nothing_is_shown_without_a_recording() -> None:
    view = ProjectionView(inline=True)
    assert (view.status, view.neuron, view.error) == ("empty", {}, {})
    assert view.contact_sheet() is None


def test_the_photo_waits_for_a_channel() -> None:
    view = ProjectionView(recording("blue"), layer="conv1", inline=True)
    assert view.status == "empty"
    assert (shown(view, 0) == (0, 0, 255)).all()
    assert (shown(view, 1) == 128).all()


def test_the_strongest_neuron_of_the_channel_is_shown() -> None:
    view = ProjectionView(recording("blue"), layer="conv1", channel=2, inline=True)
    assert view.status == "ready"
    assert view.neuron == {
        "layer": "conv1",
        "image": 0,
        "channel": 2,
        "row": 2,
        "col": 1,
        "value": 2 + 255 / 3,
        "box": (6, 2, 14, 10),
    }
    assert (shown(view, 1) == 3).all()
    facts = view.caption.facts
    assert (facts["field"], facts["map"]) == ([8, 8], [8, 8])
    assert facts["contrast"] == "contrast: as it is"
    assert not facts["beyond"]


def test_the_receptive_field_is_drawn_on_photo_and_projection() -> None:
    view = ProjectionView(recording(), layer="conv1", channel=2, inline=True)
    for cell in view.pictures.children:
        line = cell.children[1].marks[-1]
        assert line.visible
        assert (min(line.x), max(line.x)) == (2, 10)
        assert (min(line.y), max(line.y)) == (SIDE - 14, SIDE - 6)


def test_a_field_beyond_the_edge_is_said_to_be() -> None:
    view = ProjectionView(recording(), layer="conv1", channel=0, inline=True)
    assert view.neuron["box"][0] < 0
    assert view.caption.facts["beyond"]
    assert not view.caption.facts["all"]


def test_the_rule_reaches_the_engine() -> None:
    made = recording()
    view = ProjectionView(made, layer="conv1", channel=1, rule="guided", inline=True)
    view.rule = "gradient"
    assert made.net.rules == ["guided", "gradient"]
    assert view.caption.facts["rule"] == "gradient"
    with pytest.raises(traitlets.TraitError):
        view.rule = "magic"


def test_the_last_good_picture_stays_when_the_engine_fails() -> None:
    made = recording("lime")
    view = ProjectionView(made, layer="conv1", channel=1, inline=True)
    made.net.broken = True
    view.channel = 3
    assert view.status == "error"
    assert "the way back is blocked" in view.error["message"]
    assert view.caption.error == view.error
    assert (shown(view, 1) == 2).all()
    made.net.broken = False
    view.channel = 2
    assert (view.status, view.error, view.caption.error) == ("ready", {}, {})
    assert (shown(view, 1) == 3).all()


def test_a_channel_that_the_layer_lacks_is_an_error_in_the_view() -> None:
    view = ProjectionView(recording(), layer="conv1", channel=99, inline=True)
    assert view.status == "error"
    assert "99" in view.error["message"]


def test_of_quick_changes_only_the_last_is_shown() -> None:
    """The worker is held up while channels change; none but the last may be computed."""
    gate = threading.Event()
    worker().put(lambda: hold(gate), 0)
    made = recording()
    view = ProjectionView(made, layer="conv2", channel=0)
    for channel in (1, 2, 3, 4, 5):
        view.channel = channel
    assert view.status == "busy"
    gate.set()
    worker().join()
    assert view.neuron["channel"] == 5
    assert len(made.net.rules) == 1
    view.close()


def test_the_frame_follows_the_neuron_if_asked_to() -> None:
    view = ProjectionView(recording(), layer="conv1", channel=2, inline=True)
    assert view.pictures.window == pytest.approx((0, 0, SIDE, SIDE))
    view.caption.frame = "field"
    top, left, bottom, right = view.pictures.window
    assert top < 6 < 14 < bottom < SIDE
    assert left < 2 < 10 < right < SIDE
    view.channel = 3
    assert view.pictures.window[0] == top + 4
    view.caption.frame = "picture"
    assert view.pictures.window == pytest.approx((0, 0, SIDE, SIDE))


def test_a_zoom_by_hand_stays_for_the_next_neuron_and_a_click_resets_it() -> None:
    view = ProjectionView(recording(), layer="conv1", channel=2, inline=True)
    view.pictures.zoom_to((3, 3, 9, 9))
    zoomed = view.pictures.window
    view.channel = 3
    assert view.pictures.window == zoomed
    view.caption._asked += 1
    assert view.pictures.window == pytest.approx((0, 0, SIDE, SIDE))


def test_the_static_picture_shows_photo_and_projection_side_by_side() -> None:
    view = ProjectionView(recording("blue"), layer="conv1", channel=2, inline=True)
    sheet = view.contact_sheet()
    assert sheet is not None
    pixels = np.asarray(Image.open(io.BytesIO(sheet)))
    assert pixels.shape == (SIDE, 2 * SIDE + 8, 3)
    assert (pixels[:, :SIDE] == (0, 0, 255)).all()
    assert (pixels[:, -SIDE:] == 3).all()


def test_closing_lets_go_of_the_recording() -> None:
    made = recording()
    view = ProjectionView(made, layer="conv1", channel=1)
    worker().join()
    references: list[Callable[[], object]] = [
        weakref.ref(made),
        weakref.ref(view),
        weakref.ref(view.caption),
    ]
    view.close()
    view.close()
    del made, view
    gc.collect()
    assert [reference() for reference in references] == [None, None, None]
