"""Compare: two sides that go together as far as they are told to."""

from __future__ import annotations

import gc
import io
import re
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import traitlets
from ipywidgets.widgets import widget as widgets
from PIL import Image

from tests.unit.widgets.fakes import LAYERS, FakeLayer, FakeNet, picture
from zfwidgets.widgets.compare import Compare
from zfwidgets.widgets.compare.counterpart import counterpart
from zfwidgets.widgets.compare_side import Side
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.core.wire import PROTOCOL

GALLERY = {"red": picture("red"), "white": picture("white")}
Make = Callable[..., Compare]


class OtherNet(FakeNet):
    """As deep, but with other names, and fewer channels in its last convolution."""

    name = "other"

    def __init__(self) -> None:
        super().__init__()
        self.layers = {
            "features.0": FakeLayer("features.0", "conv", 4, 8, 8),
            "features.3": FakeLayer("features.3", "conv", 5, 4, 4),
            "classifier": FakeLayer("classifier", "linear", 3, 1, 1),
        }

    def record(self, image: Image.Image) -> Any:
        recording = super().record(image)
        recording.layers = dict(self.layers)
        return recording


class TurnsNet(FakeNet):
    """Its channels stand in another order for every photo: turned by its brightness."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def record(self, image: Image.Image) -> Any:
        recording = super().record(image)
        strongest, turn = recording.strongest, self.step * (1 + int(recording.picture.mean()))

        def turned(layer: str, channels: list[int] | None = None) -> Any:
            found = strongest(layer, channels)
            found.value = (found.channel * self.step + turn) % recording.layers[layer].channels
            return found

        recording.strongest = turned  # type: ignore[method-assign]
        return recording


class SixChannelsNet(OtherNet):
    """Two convolutions of as many channels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = {
            "conv1": FakeLayer("conv1", "conv", 6, 8, 8),
            "conv2": FakeLayer("conv2", "conv", 6, 4, 4),
        }


@pytest.fixture
def make() -> Iterator[Make]:
    """Comparisons that are done with their first picture; closed afterwards."""
    made: list[Compare] = []

    def build(*nets: Any, image: Any = GALLERY, **options: Any) -> Compare:
        if "images" not in options:
            options["image"] = image
        made.append(Compare(*nets, **options))
        worker().join()
        return made[-1]

    yield build
    for one in made:
        one.close()


def test_both_sides_look_at_the_one_photo(make: Make) -> None:
    one, two = FakeNet(["cat", "dog"]), FakeNet()
    compare = make(one, two, names=("before", "after"))
    assert one.recorded == two.recorded == [(40, 30)]
    assert (compare.left.head.name, compare.right.head.name) == ("before", "after")
    assert [side.head.status for side in (compare.left, compare.right)] == ["ready", "ready"]
    assert compare.left.head.classes[0] == {"label": "cat", "p": 0.5}
    assert compare.right.head.classes == []
    compare.pickers[0].value = "white"
    worker().join()
    assert compare.left.view.neuron["value"] == compare.right.view.neuron["value"] == 5 + 255


def test_in_marimo_the_sides_stand_beside_each_other_below_what_they_share(make: Make) -> None:
    compare = make(FakeNet(), FakeNet())
    columns = compare._display_().text.split("flex:1 1 400px")
    shown = [re.findall(r"data-model-id='&quot;(\w+)&quot;'", column) for column in columns]
    sides = [(side.head, side.browser, side.view) for side in (compare.left, compare.right)]
    rows = [(), (compare.head, compare.pickers[0]), *sides]
    assert shown == [[part.model_id for part in row] for row in rows]


def test_two_photos_make_one_network_both_sides(make: Make) -> None:
    net = FakeNet()
    compare = make(net, images=(picture("red"), picture("white", (7, 9))))
    assert net.recorded == [(40, 30), (7, 9)]
    assert compare.left.net is compare.right.net
    assert compare.left.view.neuron["value"] < compare.right.view.neuron["value"]
    assert len(compare.pickers) == 2


def test_checkpoints_go_together_by_number(make: Make) -> None:
    compare = make(FakeNet(), FakeNet())
    assert compare.head.link_channels == "number"
    assert (compare.left.layer, compare.right.layer) == ("conv2", "conv2")
    compare.right.browser.active = 2
    worker().join()
    assert compare.left.view.neuron["channel"] == compare.right.view.neuron["channel"] == 2
    compare.left.layer = "conv1"
    worker().join()
    assert compare.right.layer == compare.right.browser.layer == compare.right.view.layer == "conv1"
    assert compare.left.browser.active == compare.right.browser.active == 3


def test_a_pinned_channel_of_another_layer_takes_both_sides_along(make: Make) -> None:
    compare = make(FakeNet(), FakeNet())
    browser: Any = compare.right.browser
    where = {"op": "visit", "layer": "conv1", "channel": 1}
    question = {"v": PROTOCOL, "id": 1, "epoch": browser.epoch, **where}
    browser._responder.on_msg(None, question, None)
    worker().join()
    for side in (compare.left, compare.right):
        assert side.layer == side.browser.layer == side.view.layer == "conv1"
        assert side.browser.active == side.view.channel == 1


def test_other_networks_go_together_by_depth_and_by_rank(make: Make) -> None:
    compare = make(FakeNet(), OtherNet())
    assert compare.head.link_channels == "rank"
    assert (compare.left.layer, compare.right.layer) == ("conv2", "features.3")
    assert (compare.left.browser.active, compare.right.browser.active) == (5, 4)
    compare.left.browser.active = 3  # the third strongest of six
    worker().join()
    assert compare.right.view.neuron["channel"] == 2  # the third strongest of five
    compare.right.layer = "features.0"
    worker().join()
    assert compare.left.layer == "conv1"
    compare.left.browser.active = None
    compare.left.layer = "conv2"
    compare.left.browser.active = 0  # the sixth, and the other side has five
    worker().join()
    assert compare.right.browser.active is None
    assert compare.left.browser.active == 0


@pytest.mark.parametrize("sought", ["left", "right"])
def test_a_channel_chosen_while_the_strongest_is_sought_stays(
    make: Make, monkeypatch: pytest.MonkeyPatch, sought: str
) -> None:
    compare = make(FakeNet(), OtherNet())
    compare.left.layer = "conv1"
    worker().join()
    side, ranks = getattr(compare, sought), Side.ranks

    def and_a_click(asked: Side, layer: str) -> list[int]:
        found = ranks(asked, layer)
        if asked is side and not clicked:
            clicked.append(found[2])
            side.browser.active = found[2]
        return found

    clicked: list[int] = []
    monkeypatch.setattr(Side, "ranks", and_a_click)
    compare.left.layer = "conv2"
    worker().join()
    assert [side.browser.active] == clicked
    partner = ranks(compare.right, compare.right.layer)
    channel = compare.left.browser.active
    assert channel is not None
    rank = ranks(compare.left, "conv2").index(channel)
    assert compare.right.browser.active == partner[rank]


def test_what_is_not_linked_stays(make: Make) -> None:
    compare = make(FakeNet(), FakeNet())
    compare.head.link_layers = False
    compare.head.link_channels = "free"
    compare.head.link_zoom = False
    compare.left.layer = "conv1"
    compare.left.browser.active = 1
    compare.left.view.window = (0.0, 0.0, 0.5, 0.5)
    worker().join()
    assert compare.right.layer == "conv2"
    assert compare.right.view.neuron["channel"] == 5
    assert compare.right.view.window is None
    compare.head.link_layers = compare.head.link_zoom = True
    compare.head.link_channels = "number"
    worker().join()
    assert compare.right.layer == "conv1"
    assert compare.right.view.neuron["channel"] == 1
    assert compare.right.view.window == (0.0, 0.0, 0.5, 0.5)


def test_channels_that_are_linked_again_are_the_left_ones(make: Make) -> None:
    compare = make(FakeNet(), FakeNet())
    sides = compare.left, compare.right
    compare.right.browser.active = 2
    worker().join()
    compare.head.link_channels = "free"
    compare.right.browser.active = 4
    worker().join()
    assert [side.browser.active for side in sides] == [2, 4]
    compare.head.link_channels = "number"
    worker().join()
    assert [side.browser.active for side in sides] == [2, 2]


@pytest.mark.parametrize("chosen", ["left", "right"])
def test_another_photo_keeps_the_channel_that_was_chosen_and_the_other_side_has_its_rank(
    make: Make, chosen: str
) -> None:
    compare = make(TurnsNet(1), TurnsNet(-1), image=GALLERY)
    compare.head.link_channels = "rank"
    side: Side = getattr(compare, chosen)
    side.browser.active = 1
    worker().join()
    for photo in ("white", "red"):
        compare.pickers[0].value = photo
        worker().join()
        ranks = [one.ranks("conv2") for one in (compare.left, compare.right)]
        assert ranks[0] != ranks[1]
        places = [
            rank.index(one.browser.active or 0)
            for rank, one in zip(ranks, (compare.left, compare.right), strict=True)
        ]
        assert side.browser.active == 1
        assert places[0] == places[1]


def test_zoom_rule_and_mode_are_one_for_both(make: Make) -> None:
    compare = make(FakeNet(), FakeNet())
    compare.right.view.window = (0.25, 0.25, 0.75, 0.75)
    assert compare.left.view.window == (0.25, 0.25, 0.75, 0.75)
    compare.left.browser.mode = "feature map"
    assert compare.right.browser.mode == "feature map"
    compare.left.view.rule = "guided"
    assert compare.right.view.rule == compare.right.browser.rule == "guided"


def test_the_channels_that_changed_most_are_named_and_lead_there(make: Make) -> None:
    # Channel c answers with c and the photo's brightness: all of them alike.
    compare = make(FakeNet(), images=(picture("black"), picture("white")))
    head = compare.head
    assert (head.layer, [one["channel"] for one in head.changed]) == ("conv2", [*range(6)])
    assert head.changed[2] == {"channel": 2, "before": 2.0, "after": 2.0 + 255}
    assert head.channel == compare.left.browser.active
    head.channel = 2
    worker().join()
    assert compare.left.view.neuron["channel"] == compare.right.view.neuron["channel"] == 2
    compare.left.layer = "conv1"
    worker().join()
    assert (head.layer, len(head.changed)) == ("conv1", 4)


def test_nothing_is_said_to_have_changed_where_numbers_mean_different_things(make: Make) -> None:
    assert make(FakeNet(), OtherNet()).head.changed == []
    same = make(FakeNet(), FakeNet())
    assert same.head.changed == []  # one photo and equal networks
    apart = make(FakeNet(), images=(picture("black"), picture("white")))
    apart.head.link_channels = "free"
    worker().join()
    assert apart.head.changed == []


def test_nothing_is_said_to_have_changed_between_two_photos_of_which_a_side_refuses_one(
    make: Make,
) -> None:
    gallery = {"red": picture("red"), "wide": picture("white", (900, 30))}
    compare = make(FakeNet(widest=500), FakeNet(), image=gallery)
    compare.pickers[0].value = "wide"
    worker().join()
    assert [side.head.status for side in (compare.left, compare.right)] == ["error", "ready"]
    assert compare.left.view.neuron["value"] != compare.right.view.neuron["value"]
    assert compare.head.changed == []


def test_nothing_is_said_to_have_changed_between_layers_until_they_go_together_again(
    make: Make,
) -> None:
    photos = picture("black"), picture("white")
    compare = make(SixChannelsNet(), images=photos)
    assert len(compare.head.changed) == 6
    compare.head.link_layers = False
    compare.right.layer = "conv1"
    worker().join()
    assert (compare.left.layer, compare.head.changed) == ("conv2", [])
    compare.head.link_layers = True
    worker().join()
    assert (compare.right.layer, len(compare.head.changed)) == ("conv2", 6)


def test_the_pointer_is_marked_on_both_sides_as_long_as_they_zoom_as_one(make: Make) -> None:
    compare = make(FakeNet(), FakeNet())
    compare.left.view.pointed = (0.25, 0.5)
    assert compare.right.view.pointed == (0.25, 0.5)
    compare.right.view.pointed = None
    assert compare.left.view.pointed is None
    compare.head.link_zoom = False
    compare.left.view.pointed = (0.5, 0.5)
    assert compare.right.view.pointed is None


def test_a_side_that_refuses_the_picture_says_so_and_the_other_goes_on(make: Make) -> None:
    compare = make(
        FakeNet(), FakeNet(widest=50), image={"red": picture(), "wide": picture("blue", (90, 9))}
    )
    compare.pickers[0].value = "wide"
    worker().join()
    assert compare.left.head.status == "ready"
    assert compare.right.head.status == "error"
    assert "90 wide" in compare.right.head.error["message"]
    assert compare.right.view.neuron["channel"] == 5


def test_it_begins_where_it_is_told_to(make: Make) -> None:
    compare = make(FakeNet(), OtherNet(), layer="conv1", mode="feature map", locale="ko")
    assert (compare.left.layer, compare.right.layer) == ("conv1", "features.0")
    assert compare.right.browser.mode == "feature map"
    assert {part.locale for part in (*compare.left.parts, *compare.right.parts)} == {"ko"}


def test_what_cannot_be_compared_is_an_error_at_once() -> None:
    with pytest.raises(TypeError, match="a pair of photos"):
        Compare(FakeNet(), image="cat", images=("cat", "dogs"))
    with pytest.raises(TypeError, match="a pair of photos"):
        Compare(FakeNet(), images="cat")
    with pytest.raises((KeyError, traitlets.TraitError), match="conv9"):
        Compare(FakeNet(), FakeNet(), image=GALLERY, layer="conv9")


@pytest.mark.parametrize("wrong", [{"layer": "conv9"}, {"mode": "movie"}, {"rule": "magic"}])
def test_what_cannot_be_begun_with_leaves_no_widget(wrong: dict[str, Any]) -> None:
    before = set(widgets._instances)
    with pytest.raises((KeyError, traitlets.TraitError)):
        Compare(FakeNet(), FakeNet(), image=GALLERY, **wrong)
    assert set(widgets._instances) <= before


@pytest.mark.parametrize(
    ("name", "expected"),
    [("conv1", "features.0"), ("conv2", "features.3"), ("fc3", "classifier")],
)
def test_a_counterpart_is_at_the_same_depth_of_its_kind(name: str, expected: str) -> None:
    assert counterpart(name, LAYERS, OtherNet().layers) == expected


def test_a_kind_that_the_other_lacks_is_found_by_depth_alone() -> None:
    assert counterpart("pool1", LAYERS, OtherNet().layers) == "features.3"


def test_the_same_name_is_its_counterpart_wherever_it_stands() -> None:
    assert counterpart("conv1", LAYERS, dict(reversed(LAYERS.items()))) == "conv1"


def test_the_saved_picture_shows_both_sides(make: Make) -> None:
    compare = make(FakeNet(), FakeNet())
    png = compare.contact_sheet()
    assert png is not None
    one = compare.left.view.contact_sheet()
    assert one is not None
    both, single = Image.open(io.BytesIO(png)), Image.open(io.BytesIO(one))
    assert both.height == 2 * single.height + 8
    assert both.width == single.width
    assert compare._repr_mimebundle_()["image/png"]


def test_closing_frees_networks_recordings_and_every_part() -> None:
    nets = FakeNet(), OtherNet()
    compare = Compare(*nets, image=GALLERY)
    worker().join()
    sides = compare.left, compare.right
    things = [compare, *nets, *compare.pickers, *(s.recording for s in sides), compare.head]
    things += [part for side in sides for part in side.parts]
    references = [weakref.ref(thing) for thing in things]
    compare.close()
    compare.close()
    del compare, nets, sides, things
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)
