"""A neuron's address: the same text in Python and in pages, and what an Inspector makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import zfwidgets as zf
from tests.unit.widgets.fakes import FakeNet, picture
from zfwidgets.widgets.core.address import read, write
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.inspector import Inspector

GALLERY = {"red": picture("red"), "my cat & dog=1#2.png": picture("blue")}
Make = Callable[..., Inspector]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Inspector] = []

    def build(**options: Any) -> Inspector:
        made.append(Inspector(FakeNet(["cat", "dog"]), GALLERY, **options))
        worker().join()
        return made[-1]

    yield build
    for one in made:
        one.close()


def test_the_text_is_that_of_pages() -> None:
    state = {
        "mode": "feature map",
        "at": (4, 3),
        "channel": 70,
        "layer": "conv5",
        "photo": "my cat & dog=1#2.png",
        "net": "zfnet",
        "rule": None,
    }
    text = (
        "#net=zfnet&photo=my%20cat%20%26%20dog%3D1%232.png&layer=conv5&channel=70&at=4,3"
        "&mode=feature%20map"
    )
    assert write(state) == text
    del state["rule"]
    assert read(text) == state
    assert read(f"https://example.org/index.html?x#{text[1:]}") == state
    assert read(text[1:]) == state
    assert read(state) == state


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("#layer=conv5&chanel=7", "'chanel'; expected some of net, photo, layer, channel"),
        ("#channel=seventy", "channel='seventy'; expected a number"),
        ({"channel": -1}, "channel=-1; expected a number"),
        ("#channel=7&at=4", "at='4'; expected a row and a column"),
        ({"at": (1, 2, 3)}, "expected a row and a column"),
        ("https://example.org/", "expected e.g. '#layer=conv5"),
    ],
)
def test_what_is_no_address_is_said(given: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(given)
    with pytest.raises(TypeError, match="an address or a dictionary"):
        read(7)  # type: ignore[arg-type]


def test_an_inspector_begins_with_its_own_state(make: Make) -> None:
    first = make()
    first.picker.value = "my cat & dog=1#2.png"
    first.layer, first.rule, first.browser.mode = "conv1", "guided", "feature map"
    worker().join()
    first.channel, first.view.place = 2, (3, 1)
    worker().join()
    state = first.state
    assert state == {
        "net": first.net.name,
        "photo": "my cat & dog=1#2.png",
        "layer": "conv1",
        "channel": 2,
        "at": (3, 1),
        "rule": "guided",
        "mode": "feature map",
    }
    for again in (make(state=state), make(state=first.address)):
        assert again.state == state
        neuron = again.view.neuron
        assert (neuron["layer"], neuron["channel"]) == ("conv1", 2)
        assert (neuron["row"], neuron["col"]) == (3, 1)


def test_a_state_can_be_set_later_and_what_it_leaves_out_stays(make: Make) -> None:
    inspector = make()
    inspector.rule = "gradient"
    inspector.state = "#layer=conv1&channel=1"
    worker().join()
    assert inspector.state["rule"] == "gradient"
    assert (inspector.layer, inspector.channel, inspector.state["at"]) == ("conv1", 1, None)
    inspector.state = {"photo": "my cat & dog=1#2.png"}
    worker().join()
    assert inspector.picker.value == "my cat & dog=1#2.png"
    assert (inspector.layer, inspector.channel) == ("conv1", 1)


def test_a_photograph_of_the_wall_is_part_of_an_address(make: Make) -> None:
    photo = next(iter(zf.gallery()))
    first = make()
    first.picker.value = photo
    worker().join()
    again, later = make(state=first.address), make()
    later.state = first.state
    worker().join()
    for inspector in (again, later):
        assert inspector.state == first.state
        assert inspector.recording.picture.tolist() == first.recording.picture.tolist()
    later.picker.gallery = False
    with pytest.raises(KeyError, match="there are red"):
        later.state = {"photo": [*zf.gallery()][1]}


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"net": "alexnet"}, "net='alexnet'"),
        ({"layer": "conv9"}, "conv9"),
        ({"layer": "conv1", "channel": 4000}, "channels 0 to"),
        ({"layer": "conv1", "channel": 0, "at": (4000, 0)}, "rows and"),
        ({"layer": "conv1", "at": (0, 0)}, "no channel"),
        ({"rule": "magic"}, "rule='magic'; expected one of deconvnet"),
        ({"mode": "movie"}, "mode='movie'; expected one of"),
        ({"photo": "cow"}, "photo='cow'; there are red"),
    ],
)
def test_what_there_is_not_is_said_and_nothing_changes(
    make: Make, state: dict[str, Any], says: str
) -> None:
    inspector = make()
    before = inspector.state
    with pytest.raises((ValueError, KeyError), match=says):
        inspector.state = state
    assert inspector.state == before
    with pytest.raises((ValueError, KeyError), match=says):
        make(state=state)
