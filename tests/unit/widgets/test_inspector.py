"""Inspector: four widgets that agree with each other, whatever is changed first."""

from __future__ import annotations

import base64
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from ipywidgets.widgets import widget as widgets
from PIL import Image

from tests.unit.widgets.browsing import TinyNet
from tests.unit.widgets.fakes import FakeNet, picture
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import ImageError, Preprocess
from zfwidgets.widgets.core import nets
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.core.wire import PROTOCOL
from zfwidgets.widgets.inspector import Inspector

GALLERY = {"red": picture("red"), "wide": picture("blue", (900, 30)), "white": picture("white")}
Make = Callable[..., Inspector]


def hold(gate: threading.Event) -> None:
    """Keep the worker busy until the gate opens."""
    gate.wait(20)


def visit(browser: Any, layer: str, channel: int) -> None:
    """A pinned channel is clicked."""
    where = {"op": "visit", "layer": layer, "channel": channel}
    question = {"v": PROTOCOL, "id": 1, "epoch": browser.epoch, **where}
    browser._responder.on_msg(None, question, None)
    worker().join()


@pytest.fixture
def make() -> Iterator[Make]:
    """Inspectors that are done with their first picture; closed afterwards."""
    made: list[Inspector] = []

    def build(net: Any, image: Any = GALLERY, **options: Any) -> Inspector:
        made.append(Inspector(net, image, **options))
        worker().join()
        return made[-1]

    yield build
    for one in made:
        one.close()


def test_it_begins_with_a_picture_a_layer_and_the_strongest_channel(make: Make) -> None:
    net = FakeNet(["cat", "dog"])
    inspector = make(net)
    assert net.recorded == [(40, 30)]
    assert inspector.status == "ready"
    assert inspector.layer == "conv2"
    assert inspector.channel == 5
    assert inspector.view.neuron["channel"] == 5
    assert inspector.head.classes == [{"label": "cat", "p": 0.5}, {"label": "dog", "p": 1 / 3}]
    assert inspector.layers.input_size == [32, 32]


def test_layer_and_channel_agree_in_every_part(make: Make) -> None:
    inspector = make(FakeNet())
    inspector.layers.value = "conv1"
    worker().join()
    parts = (inspector, inspector.browser, inspector.view)
    assert [part.layer for part in parts] == ["conv1"] * 3
    assert inspector.channel == inspector.browser.active == inspector.view.channel == 3
    inspector.browser.active = 1
    worker().join()
    assert inspector.view.neuron["channel"] == 1
    inspector.layer = "fc3"
    assert inspector.layers.value == "fc3"


def test_a_pinned_channel_of_another_layer_takes_every_part_along(make: Make) -> None:
    inspector = make(FakeNet())
    visit(inspector.browser, "conv1", 1)
    parts = (inspector, inspector.browser, inspector.view)
    assert [part.layer for part in parts] == ["conv1"] * 3
    assert inspector.layers.value == "conv1"
    assert inspector.channel == inspector.browser.active == 1
    assert inspector.view.neuron["channel"] == 1


def test_the_rule_is_one_for_browser_and_view(make: Make) -> None:
    inspector = make(FakeNet())
    inspector.browser.rule = "guided"
    assert inspector.view.rule == inspector.rule == "guided"


def test_another_picture_keeps_layer_and_channel(make: Make) -> None:
    inspector = make(FakeNet())
    inspector.browser.active = 2
    inspector.picker.value = "white"
    worker().join()
    assert inspector.recording is inspector.browser.recording is inspector.view.recording
    assert inspector.recording.picture.min() == 255
    assert (inspector.layer, inspector.view.neuron["channel"]) == ("conv2", 2)
    assert inspector.view.neuron["value"] == 2 + 255


def test_of_quick_changes_only_the_last_picture_is_recorded(make: Make) -> None:
    net = FakeNet()
    inspector = make(net)
    gate = threading.Event()
    worker().put(lambda: hold(gate), 0)
    for name in ("wide", "red", "white", "wide"):
        inspector.picker.value = name
    assert inspector.status == "busy"
    gate.set()
    worker().join()
    assert net.recorded[1:] == [(900, 30)]
    assert inspector.status == "ready"


def test_a_picture_that_the_network_refuses_is_said_and_the_last_state_stays(make: Make) -> None:
    inspector = make(FakeNet(widest=500))
    before = inspector.recording
    inspector.picker.value = "wide"
    worker().join()
    assert inspector.status == "error"
    assert "900 wide" in inspector.error["message"]
    assert inspector.head.error == inspector.error
    assert inspector.recording is before is inspector.view.recording
    inspector.picker.value = "white"
    worker().join()
    assert (inspector.status, inspector.error, inspector.head.error) == ("ready", {}, {})


def test_a_picture_that_is_removed_while_it_is_recorded_leaves_what_was_there(make: Make) -> None:
    inspector = make(FakeNet(), {"red": picture("red")})
    inspector.picker.remove()
    worker().join()
    assert (inspector.status, inspector.head.status) == ("ready", "ready"), "it is still in sight"
    before = inspector.recording
    gate = threading.Event()
    worker().put(lambda: hold(gate), 0)
    inspector.picker.add(picture("white"), "white")
    assert inspector.status == "busy"
    inspector.picker.remove()
    gate.set()
    worker().join()
    assert (inspector.status, inspector.head.status) == ("ready", "ready")
    assert inspector.recording is before


def test_a_picture_that_is_removed_before_any_is_recorded_leaves_none() -> None:
    gate = threading.Event()
    worker().put(lambda: hold(gate), 0)
    inspector = Inspector(FakeNet(), {"red": picture("red")})
    inspector.picker.remove()
    gate.set()
    worker().join()
    assert (inspector.status, inspector.head.status) == ("empty", "empty")
    assert inspector.recording is None
    inspector.close()


def test_a_network_without_class_names_shows_none(make: Make) -> None:
    assert make(FakeNet()).head.classes == []


def test_it_begins_where_it_is_told_to(make: Make) -> None:
    inspector = make(FakeNet(), image="raccoon", layer="pool1", rule="linear")
    assert inspector.picker.value == "raccoon"
    assert inspector.browser.layer == inspector.view.layer == "pool1"
    assert inspector.browser.rule == "linear"
    own = make(FakeNet(), image=picture("white", (7, 9)))
    assert own.picker.image is not None
    assert own.picker.image.size == (7, 9)
    assert len(own.picker.items) > 1


def test_what_cannot_be_begun_with_is_an_error_at_once() -> None:
    with pytest.raises(traitlets.TraitError, match="conv9"):
        Inspector(FakeNet(), GALLERY, layer="conv9")
    with pytest.raises(ImageError, match="no-such-file"):
        Inspector(FakeNet(), "no-such-file.png")


@pytest.mark.parametrize("wrong", [{"layer": "conv9"}, {"mode": "movie"}, {"rule": "magic"}])
def test_what_cannot_be_begun_with_leaves_no_widget_and_no_network(wrong: dict[str, Any]) -> None:
    net = FakeNet()
    gone, before = weakref.ref(net), set(widgets._instances)
    with pytest.raises(traitlets.TraitError, match="expected one of"):
        Inspector(net, GALLERY, **wrong)
    assert set(widgets._instances) <= before
    del net
    gc.collect()
    assert gone() is None


def names(inspector: Inspector) -> set[tuple[str, int | None]]:
    """Layer and channel, wherever they are said."""
    strip, view = inspector.strip, inspector.view
    return {
        (inspector.layer, inspector.channel),
        (inspector.layers.value, inspector.channel),
        (inspector.browser.layer, inspector.browser.active),
        (view.layer, view.channel),
        (strip.layer, strip.channel),
    }


@pytest.mark.parametrize(
    "wrong",
    [
        lambda inspector: setattr(inspector, "layer", "conv9"),
        lambda inspector: setattr(inspector.browser, "layer", "conv9"),
        lambda inspector: setattr(inspector, "channel", -1),
        lambda inspector: inspector.go("conv9", 1),
        lambda inspector: inspector.go("conv1", -1),
    ],
)
def test_a_layer_or_channel_that_there_is_not_is_refused_and_every_part_stays(
    make: Make, wrong: Callable[[Inspector], None]
) -> None:
    inspector = make(FakeNet())
    with pytest.raises(traitlets.TraitError):
        wrong(inspector)
    worker().join()
    assert names(inspector) == {("conv2", 5)}
    assert inspector.status == "ready"
    inspector.layer = "conv1"
    worker().join()
    assert names(inspector) == {("conv1", 3)}


def test_before_a_picture_is_recorded_the_layers_are_those_of_the_network(make: Make) -> None:
    gate = threading.Event()
    worker().put(lambda: hold(gate), 0)
    inspector = Inspector(FakeNet(), GALLERY)
    inspector.layer = "conv1"
    with pytest.raises(traitlets.TraitError, match="expected one of conv1, pool1"):
        inspector.layer = "conv9"
    gate.set()
    worker().join()
    assert names(inspector) == {("conv1", 3)}
    inspector.close()


@pytest.mark.parametrize(("layer", "channel"), [("conv9", 1), ("conv1", 99)])
def test_a_pin_of_another_network_leads_nowhere(make: Make, layer: str, channel: int) -> None:
    inspector = make(FakeNet())
    sent: list[dict[str, Any]] = []
    browser: Any = inspector.browser
    browser._responder._send = lambda content, _buffers: sent.append(content)
    visit(browser, layer, channel)
    assert sent[0]["error"]["title"] == "No such channel"
    assert f"{layer}, channel {channel}: not in this network" in sent[0]["error"]["message"]
    assert names(inspector) == {("conv2", 5)}


def test_inspectors_of_one_name_share_one_network(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def load(name: str) -> FakeNet:
        loaded.append(name)
        return FakeNet()

    monkeypatch.setattr("zfwidgets.deconv.load.load", load)
    one, two = make("shared-net"), make("shared-net")
    assert one.net is two.net
    assert loaded == ["shared-net"]
    assert "shared-net" in nets._loaded


def test_closing_frees_network_recording_and_every_part() -> None:
    net = FakeNet()
    inspector = Inspector(net, GALLERY)
    worker().join()
    things = [net, inspector, inspector.recording, inspector.picker, inspector.layers]
    things += [inspector.browser, inspector.view, inspector.head]
    references = [weakref.ref(thing) for thing in things]
    inspector.close()
    inspector.close()
    del inspector, net, things
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)


def test_the_saved_picture_waits_for_what_is_being_computed() -> None:
    inspector = Inspector(FakeNet(), GALLERY)
    png = inspector._repr_mimebundle_()["image/png"]
    assert base64.b64decode(png)[:4] == b"\x89PNG"
    inspector.close()


def test_the_language_is_that_of_every_part(make: Make) -> None:
    inspector = make(FakeNet(), locale="ko")
    assert {part.locale for part in inspector.parts} == {"ko"}
    inspector.locale = "en"
    assert {part.locale for part in inspector.parts} == {"en"}


def test_what_the_browser_points_at_is_marked_in_the_view(make: Make) -> None:
    inspector = make(FakeNet())
    inspector.browser.hovered = {"channel": 3, "box": [1, 2, 9, 10]}
    assert inspector.view.hovered["box"] == [1, 2, 9, 10]
    inspector.browser.hovered = None
    assert inspector.view.hovered is None


def test_two_inspectors_of_one_network_do_not_disturb_each_other(make: Make) -> None:
    net = FakeNet()
    one, two = make(net), make(net)
    one.picker.value = "white"
    one.browser.active = 2
    worker().join()
    assert (one.view.neuron["channel"], two.view.neuron["channel"]) == (2, 5)
    assert one.recording.picture.min() == 255
    assert two.recording.picture.min() == 0
    one.close()
    two.picker.value = "white"
    worker().join()
    assert two.recording.picture.min() == 255


# ------------------------------------------------------------------------------------ exemplars


@pytest.fixture(name="visited")
def visited_fixture(make: Make) -> Inspector:
    """An Inspector of a small network that has been shown twelve pictures."""
    torch.manual_seed(1)
    net = DeconvNet(TinyNet().eval(), Preprocess(size=32, resize=32), device="cpu", name="tiny")
    inspector = make(net, layer="conv2")
    inspector.scan({f"noise {i:02d}": one for i, one in enumerate(noise(5))})
    inspector.strip.in_sight = True
    worker().join()
    return inspector


def noise(seed: int) -> list[Image.Image]:
    """Twelve pictures."""
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 32, 32, 3), np.uint8)
    return [Image.fromarray(one) for one in pixels]


def pick(inspector: Inspector, rank: int) -> dict[str, Any]:
    """Click an exemplar; what is known of it."""
    fact: dict[str, Any] = inspector.strip._shown["pictures"][rank]
    inspector.strip._responder.on_msg(  # type: ignore[union-attr]
        None, {"v": 1, "id": 1, "epoch": 0, "op": "pick", "ids": [rank], "name": fact["id"]}, []
    )
    worker().join()
    return fact


def test_the_strip_follows_layer_channel_and_rule(visited: Inspector) -> None:
    visited.layers.value = "conv1"
    worker().join()
    visited.browser.active = 3
    visited.rule = "guided"
    worker().join()
    shown = visited.strip._shown
    assert (shown["layer"], shown["channel"], shown["rule"]) == ("conv1", 3, "guided")


def test_a_click_shows_the_photo_of_an_exemplar_at_its_neuron(visited: Inspector) -> None:
    fact = pick(visited, 4)
    neuron = visited.view.neuron
    assert visited.picker.value == fact["id"]
    assert visited.strip.home == "red"
    assert (neuron["row"], neuron["col"]) == (fact["row"], fact["col"])
    assert neuron["value"] == pytest.approx(fact["value"], rel=1e-5)
    assert (neuron["layer"], neuron["channel"]) == ("conv2", visited.channel)


def test_the_way_back_leads_to_the_photo_and_neuron_before(visited: Inspector) -> None:
    visited.view.place = (2, 5)
    worker().join()
    for rank in (0, 3, 0):
        pick(visited, rank)
    names = [item["id"] for item in visited.picker.items]
    assert len(names) == len(set(names)) == len(GALLERY) + 2, "each joins the gallery once"
    visited.strip.leave()
    worker().join()
    assert (visited.picker.value, visited.view.place, visited.strip.home) == ("red", (2, 5), "")
    assert (visited.view.neuron["row"], visited.view.neuron["col"]) == (2, 5)


def test_another_photo_chosen_by_hand_ends_the_visit(visited: Inspector) -> None:
    pick(visited, 1)
    visited.picker.value = "white"
    worker().join()
    assert (visited.strip.home, visited.strip.picked, visited.view.place) == ("", {}, None)
    assert visited.picker.value == "white"


def test_another_channel_during_a_visit_is_looked_at_where_it_is_strongest(
    visited: Inspector,
) -> None:
    pick(visited, 1)
    visited.browser.active = 1 if visited.channel == 0 else 0
    worker().join()
    assert visited.view.place is None
    assert visited.strip.home == "red", "the way back stays"
    visited.strip.leave()
    worker().join()
    assert (visited.picker.value, visited.view.place) == ("red", None)


@contextmanager
def under_way(inspector: Inspector, rank: int | None) -> Iterator[None]:
    """An exemplar was clicked, or with None the way back, and the photo is yet to be recorded."""
    gate = threading.Event()
    worker().put(lambda: hold(gate), -1)
    if rank is None:
        inspector.strip.leave()
    else:
        fact = inspector.strip._shown["pictures"][rank]
        inspector.strip.set_trait("picked", {name: fact[name] for name in ("id", "row", "col")})
    assert inspector.status == "busy"
    yield
    gate.set()
    worker().join()


@pytest.mark.parametrize("home", [None, (2, 5)])
def test_another_channel_does_not_get_the_place_of_an_exemplar_that_is_under_way(
    visited: Inspector, home: tuple[int, int] | None
) -> None:
    visited.view.place = home
    worker().join()
    with under_way(visited, 3):
        visited.channel = other = 1 if visited.channel == 0 else 0
    strongest = visited.recording.strongest("conv2", [other])
    assert (visited.view.place, visited.view.neuron["channel"]) == (None, other)
    assert visited.view.neuron["value"] == pytest.approx(float(strongest.value[0]))


def test_a_neuron_that_is_gone_to_while_an_exemplar_is_under_way_stays(visited: Inspector) -> None:
    with under_way(visited, 3):
        visited.go("conv1", 3, (1, 6))
    neuron = visited.view.neuron
    assert (neuron["layer"], neuron["channel"], neuron["row"], neuron["col"]) == ("conv1", 3, 1, 6)


def test_another_channel_on_the_way_back_does_not_get_the_place_at_home(visited: Inspector) -> None:
    visited.view.place = (2, 5)
    pick(visited, 3)
    with under_way(visited, None):
        visited.channel = other = 1 if visited.channel == 0 else 0
    assert (visited.picker.value, visited.view.place) == ("red", None)
    assert visited.view.neuron["channel"] == other


def test_after_another_scan_its_photos_are_visited_though_their_names_are_the_same(
    visited: Inspector,
) -> None:
    for seed in (6, 7):
        photos = noise(seed)
        visited.scan(photos)
        worker().join()
        for rank in range(9):
            fact = pick(visited, rank)
            seen = visited.recording.seen()[0]
            np.testing.assert_array_equal(seen, np.asarray(photos[int(fact["id"])]))
            assert visited.view.neuron["value"] == pytest.approx(fact["value"], rel=1e-5)


def test_a_closed_inspector_lets_go_of_the_pictures_that_were_scanned(visited: Inspector) -> None:
    class Photos(list[Image.Image]):
        """A list that can be watched."""

    photos = Photos(noise(6))
    gone = weakref.ref(photos)
    visited.scan(photos)
    worker().join()
    pick(visited, 0)
    visited.close()
    del photos
    gc.collect()
    assert gone() is None
