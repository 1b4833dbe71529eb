"""ProjectionView: which neuron is shown, in which contrast, what stays, which answer wins."""

from __future__ import annotations

import gc
import io
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from torch import nn

import zfwidgets as zf
from tests.unit.widgets.fakes import SIDE, FakeNet, FakeRecording, picture
from zfwidgets.images.signed import signed_colours
from zfwidgets.widgets import projection_view
from zfwidgets.widgets.core.neuron import RULES
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.core.wire import sheet
from zfwidgets.widgets.projection_view import ProjectionView
from zfwidgets.widgets.projection_view.answer import pictures

Pixels = np.ndarray[Any, Any]
Meanwhile = Callable[[Callable[[], None]], None]


def recording(colour: str = "red") -> FakeRecording:
    return FakeNet().record(picture(colour))


def hold(gate: threading.Event) -> None:
    """Keep the worker busy until the gate opens."""
    gate.wait(20)


def photo(view: ProjectionView) -> Pixels:
    """The photo as the page gets it."""
    return np.asarray(Image.open(io.BytesIO(view._photo["data"])))


def projections(view: ProjectionView) -> Pixels:
    """The projections as the page cuts them from their sheet: [R, H, W, 3]."""
    shown = view._shown
    sheet = np.asarray(Image.open(io.BytesIO(shown["data"])))
    (height, width), columns = shown["sheet"]["tile"], shown["sheet"]["columns"]
    places = [divmod(i, columns) for i in range(len(shown["rules"]))]
    return np.stack(
        [sheet[r * height : (r + 1) * height, c * width : (c + 1) * width] for r, c in places]
    )


def test_nothing_is_shown_without_a_recording() -> None:
    view = ProjectionView(inline=True)
    assert (view.status, view.neuron, view.error) == ("empty", {}, {})
    assert (view._photo, view._shown) == ({}, {})
    assert view.contact_sheet() is None
    with pytest.raises(ValueError, match="choose a channel"):
        view.steps()


def test_the_photo_waits_for_a_channel() -> None:
    view = ProjectionView(recording("blue"), layer="conv1", inline=True)
    assert view.status == "empty"
    assert (photo(view) == (0, 0, 255)).all()
    assert view._shown == {}


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
    grey = np.full((SIDE, SIDE, 3), 128)
    grey[6:14, 2:10] = 255
    assert (projections(view)[0] == grey).all()
    facts = view._shown
    assert (facts["field"], facts["map"], facts["jump"]) == ([8, 8], [8, 8], [4, 4])
    assert (facts["rules"], facts["full"], facts["contrast"]) == (["deconvnet"], [3], "percentile")
    assert not facts["beyond"]
    assert not facts["chosen"]


def test_another_place_is_another_neuron_until_the_strongest_is_wanted_again() -> None:
    view = ProjectionView(recording(), layer="conv1", channel=2, inline=True)
    view.place = (5, 3)
    assert (view.neuron["row"], view.neuron["col"], view.neuron["box"]) == (5, 3, (18, 10, 26, 18))
    assert view._shown["chosen"]
    view.channel = 1
    assert (view.neuron["channel"], view.neuron["row"]) == (1, 5), "one place, many channels"
    view.place = None
    assert (view.neuron["row"], view.neuron["col"]) == (1, 1)
    view.set_state({"place": [4, 4]})  # as the page sends it
    assert view.place == (4, 4)
    view.layer = "conv2"
    assert view.place is None
    assert view.neuron["layer"] == "conv2"


def test_all_four_rules_stand_side_by_side() -> None:
    made = recording()
    view = ProjectionView(made, layer="conv1", channel=1, rule="guided", inline=True)
    view.all_rules = True
    assert made.net.rules == ["guided", *RULES]
    assert view._shown["rules"] == list(RULES)
    assert projections(view).shape == (4, SIDE, SIDE, 3)
    view.all_rules = False
    assert view._shown["rules"] == ["guided"]


def test_a_field_beyond_the_edge_is_said_to_be() -> None:
    view = ProjectionView(recording(), layer="conv1", channel=0, inline=True)
    assert view.neuron["box"][0] < 0
    assert view._shown["beyond"]
    assert not view._shown["all"]


def test_the_rule_reaches_the_engine() -> None:
    made = recording()
    view = ProjectionView(made, layer="conv1", channel=1, rule="guided", inline=True)
    view.rule = "gradient"
    assert made.net.rules == ["guided", "gradient"]
    with pytest.raises(traitlets.TraitError):
        view.rule = "magic"  # type: ignore[assignment]


def test_contrast_changes_the_picture_without_the_engine() -> None:
    made = recording()
    view = ProjectionView(made, layer="conv1", channel=2, inline=True)
    view.contrast = "fixed"
    assert view.full == 3, "begins with what was shown"
    assert projections(view)[0, 10, 5].tolist() == [255] * 3
    view.full = 6.0
    assert projections(view)[0, 10, 5].tolist() == [192] * 3
    assert projections(view)[0, 0, 0].tolist() == [128] * 3
    view.colours = "signed"
    assert projections(view)[0, 10, 5].tolist() == signed_colours()[127 + 64].tolist()
    assert projections(view)[0, 0, 0].tolist() == [255] * 3
    assert made.net.rules == ["deconvnet"]
    view.full = -1.0
    assert "positive number" in view.error["message"]
    view.full = 3.0
    assert view.error == {}


def test_contrasts_do_what_they_say() -> None:
    """Two pictures of 1000 values, one of them ten times the other."""
    ramp = torch.linspace(-1, 1, 1000).view(1, 1, 10, 100).expand(1, 3, -1, -1)
    values = torch.cat([ramp, ramp * 10])
    _, own = pictures(values, "percentile", "colour", 0)
    assert own[0] == pytest.approx(0.995, abs=2e-3)
    assert own[1] == pytest.approx(9.95, abs=2e-2)
    assert pictures(values, "largest", "colour", 0)[1] == pytest.approx((1, 10))
    shared, both = pictures(values, "shared", "colour", 0)
    assert both[0] == both[1] > 9
    assert np.ptp(shared[0]) < np.ptp(shared[1]) / 5
    assert pictures(values, "fixed", "signed", 2.5)[1] == (2.5, 2.5)


def test_the_last_good_picture_stays_when_the_engine_fails() -> None:
    made = recording("lime")
    view = ProjectionView(made, layer="conv1", channel=1, inline=True)
    made.net.broken = True
    before = view._shown
    view.channel = 3
    assert view.status == "error"
    assert "the way back is blocked" in view.error["message"]
    assert view._shown is before
    made.net.broken = False
    view.channel = 2
    assert (view.status, view.error) == ("ready", {})
    assert view._shown["channel"] == 2


def test_a_channel_that_the_layer_lacks_is_an_error_in_the_view() -> None:
    view = ProjectionView(recording(), layer="conv1", channel=99, inline=True)
    assert view.status == "error"
    assert "99" in view.error["message"]


def test_the_photo_is_sent_only_when_it_changes() -> None:
    view = ProjectionView(recording("red"), layer="conv1", channel=2, inline=True)
    before = view._photo
    view.channel = 1
    assert view._photo is before
    view.recording = recording("lime")
    assert (photo(view) == (0, 255, 0)).all()


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


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Call something once while the next pictures are drawn."""

    def once(change: Callable[[], None]) -> None:
        left = [change]

        def drawn(*args: Any) -> Any:
            if left:
                left.pop()()
            return sheet(*args)

        monkeypatch.setattr(projection_view, "sheet", drawn)

    return once


@pytest.mark.parametrize("asked", [{"channel": 3}, {"colours": "signed"}])
def test_what_is_no_longer_asked_for_once_it_is_drawn_is_not_shown(
    meanwhile: Meanwhile, asked: dict[str, Any]
) -> None:
    view = ProjectionView(recording(), layer="conv1", channel=1)
    worker().join()
    meanwhile(lambda: setattr(view, "recording", None))
    for name, value in asked.items():
        setattr(view, name, value)
    worker().join()
    assert (view.status, view.neuron, view._shown, view._photo) == ("empty", {}, {}, {})
    assert view.contact_sheet() is None
    view.close()


def test_the_photo_is_sent_though_another_channel_was_chosen_while_it_was_drawn(
    meanwhile: Meanwhile,
) -> None:
    view = ProjectionView(recording("red"), layer="conv1", channel=1)
    worker().join()
    meanwhile(lambda: setattr(view, "channel", 2))
    view.recording = recording("lime")
    worker().join()
    assert (photo(view) == (0, 255, 0)).all()
    assert view.neuron["channel"] == view._shown["channel"] == 2
    view.close()


def test_a_neuron_that_cannot_be_drawn_is_drawn_once_the_contrast_can_be() -> None:
    view = ProjectionView(recording(), layer="conv1", channel=1, contrast="fixed", inline=True)
    view.full = -1.0
    assert view.status == "error"
    view.channel = 2
    assert view.status == "error"
    view.full = 1.0
    assert (view.status, view.error) == ("ready", {})
    assert view.neuron["channel"] == view._shown["channel"] == 2


def test_an_activation_that_is_no_number_is_an_error_and_what_was_shown_stays() -> None:
    model = nn.Conv2d(3, 4, 3)
    photo = torch.rand(1, 3, 8, 8)
    net = zf.DeconvNet(model, device="cpu")
    (layer,) = net.layers
    view = ProjectionView(net.record(photo), layer=layer, channel=1, inline=True)
    before = view._shown
    with torch.no_grad():
        model.weight[1] = float("nan")
    view.recording = zf.DeconvNet(model, device="cpu").record(photo)
    assert view.status == "error"
    assert "activation nan" in view.error["message"]
    assert view._shown == before


def test_the_static_picture_shows_photo_and_projection_side_by_side() -> None:
    view = ProjectionView(recording("blue"), layer="conv1", channel=2, inline=True)
    sheet = view.contact_sheet()
    assert sheet is not None
    pixels = np.asarray(Image.open(io.BytesIO(sheet)))
    assert pixels.shape == (SIDE, 2 * SIDE + 8, 3)
    assert (pixels[:, :SIDE] == (0, 0, 255)).all()
    assert (pixels[:, -SIDE:] == projections(view)[0]).all()


def test_the_static_picture_waits_for_what_is_being_computed() -> None:
    view = ProjectionView(recording("blue"), layer="conv1", channel=2)
    assert view.contact_sheet() is not None
    assert view.wait(0)
    view.close()


def test_closing_lets_go_of_the_recording() -> None:
    made = recording()
    view = ProjectionView(made, layer="conv1", channel=1)
    worker().join()
    references: list[weakref.ref[Any]] = [weakref.ref(made), weakref.ref(view)]
    view.close()
    view.close()
    del made, view
    gc.collect()
    assert [reference() for reference in references] == [None, None]
