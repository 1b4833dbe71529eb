"""Pins and the channel under the pointer: what Python makes of them for linked views."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from torch import nn

from tests.unit.widgets.browsing import (
    Make,
    ask,
    cut,
    make_fixture,  # noqa: F401
    net_fixture,  # noqa: F401
    recording_fixture,  # noqa: F401
    settle,
)
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.images import contrast, heat

PINS = [
    {"layer": "conv2", "channel": 7},
    {"layer": "conv1", "channel": 1},
    {"layer": "conv2", "channel": 3},
]


def pictures(pinned: dict[str, Any]) -> list[np.ndarray[Any, Any] | None]:
    sheets = [cut(sheet["head"], sheet["picture"]) for sheet in pinned["sheets"]]
    return [
        None if pin["sheet"] is None else sheets[pin["sheet"]][pin["channel"]]
        for pin in pinned["pins"]
    ]


# ------------------------------------------------------------------------------------------ pins


def test_pins_of_several_layers_have_their_pictures_and_numbers(
    make: Make, recording: Recording
) -> None:
    browser = make(recording, layer="fc3", pins=PINS)
    pinned = browser._pinned
    assert [(pin["layer"], pin["channel"]) for pin in pinned["pins"]] == [
        ("conv2", 7),
        ("conv1", 1),
        ("conv2", 3),
    ]
    for pin, picture in zip(pinned["pins"], pictures(pinned), strict=True):
        maps = recording.feature_maps(pin["layer"])[0, pin["channel"]]
        np.testing.assert_array_equal(picture, heat(maps[None])[0])
        assert pin["value"] == pytest.approx(float(maps.max()))
        assert maps[pin["row"], pin["col"]] == maps.max()


def test_pins_stay_and_follow_layer_photo_and_mode(
    make: Make, net: DeconvNet, recording: Recording
) -> None:
    browser = make(recording, layer="conv2", pins=PINS)
    before = pictures(browser._pinned)
    browser.layer = "conv1"
    settle(browser)
    assert browser.pins == PINS
    other = net.record(torch.rand(1, 3, 32, 32))
    browser.recording = other
    settle(browser)
    after = pictures(browser._pinned)
    expected = heat(other.feature_maps("conv2")[0, [7]])[0]
    np.testing.assert_array_equal(after[0], expected)
    assert (np.asarray(after[0]) != np.asarray(before[0])).any()
    browser.mode = "projection"
    settle(browser)
    found = other.project(other.strongest("conv1", [1]))
    expected = contrast(found.to_rgb(found.pixels))[0][0]
    assert np.abs(np.asarray(pictures(browser._pinned)[1]).astype(int) - expected).max() <= 1


def test_a_pin_of_a_layer_without_filters_shows_its_projection(
    make: Make, recording: Recording
) -> None:
    browser = make(recording, layer="conv1", mode="filter", pins=PINS)
    deep, first, _ = pictures(browser._pinned)
    assert np.asarray(first).shape == (3, 3, 3)
    assert np.asarray(deep).shape[:2] == recording.layers["conv2"].receptive_field


def test_a_pin_that_the_network_lacks_keeps_its_place(make: Make, recording: Recording) -> None:
    lost = [{"layer": "conv9", "channel": 0}, {"layer": "conv1", "channel": 99}]
    browser = make(recording, layer="conv1", pins=[*lost, PINS[1]])
    assert [pin["sheet"] for pin in browser._pinned["pins"]] == [None, None, 0]
    assert (browser.status, browser.error) == ("ready", {})


def test_the_last_pin_takes_its_pictures_with_it(make: Make, recording: Recording) -> None:
    browser = make(recording, layer="conv1", pins=PINS)
    browser.pins = []
    settle(browser)
    assert (browser._pinned["pins"], browser._pinned["sheets"]) == ([], [])


@pytest.mark.parametrize(
    "pins",
    [
        [{"layer": "conv1"}],
        [{"layer": "conv1", "channel": -1}],
        [{"layer": 3, "channel": 1}],
        [{"layer": "conv1", "channel": i} for i in range(65)],
    ],
)
def test_what_is_no_pin_is_refused(make: Make, recording: Recording, pins: Any) -> None:
    browser = make(recording, layer="conv1")
    with pytest.raises(traitlets.TraitError, match="pins: expected"):
        browser.pins = pins
    assert browser.pins == []


def test_the_same_channel_is_pinned_once(make: Make, recording: Recording) -> None:
    assert make(recording, pins=[*PINS, PINS[0]]).pins == PINS


def test_a_visit_goes_to_the_pins_layer_and_channel(
    make: Make, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = make(recording, layer="conv1", pins=PINS)
    browser.selected, browser.active = [2], 2
    ask(browser, monkeypatch, op="visit", layer="conv2", channel=7)
    settle(browser)
    assert (browser.layer, browser.active, browser.selected) == ("conv2", 7, [])
    assert browser._page["layer"] == "conv2"


def test_nonsense_instead_of_a_visit_is_refused(
    make: Make, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = make(recording, layer="conv1")
    ((content, _),) = ask(browser, monkeypatch, op="visit", layer=None, channel=7)
    assert content["ok"] is False
    assert (browser.layer, browser.active) == ("conv1", None)


# ------------------------------------------------------------------------------- without the pins


def test_without_the_pins_the_network_answers_as_an_ablation_of_their_layers(
    make: Make, net: DeconvNet, recording: Recording
) -> None:
    browser = make(recording, image=1, layer="conv1", pins=PINS, without=True)
    alone = net.record(recording.inputs[1:])
    found = alone.ablate({"conv1": [1], "conv2": [7, 3]}).changes(7)[0]
    told = browser._without
    rows = [*zip(told["labels"], told["before"], told["now"], strict=True)]
    assert told["off"] == 3
    assert rows[:3] == found[:3]
    assert max(found, key=lambda row: row[2]) in rows


def test_without_follows_the_photo_and_the_pins_and_ends_with_the_box(
    make: Make, net: DeconvNet, recording: Recording
) -> None:
    browser = make(recording, layer="conv2", pins=PINS)
    assert browser._without == {}
    browser.without = True
    settle(browser)
    first = browser._without
    browser.layer = "conv1"  # nothing to be asked anew
    settle(browser)
    assert browser._without is first
    other = net.record(torch.rand(1, 3, 32, 32))
    browser.recording = other
    settle(browser)
    expected = other.ablate({"conv1": [1], "conv2": [3, 7]}).changes(3)[0]
    assert browser._without["now"][:3] == [now for _, _, now in expected]
    browser.pins = PINS[:1]
    settle(browser)
    expected = other.ablate("conv2", 7).changes(3)[0]
    assert browser._without["now"][:3] == [now for _, _, now in expected]
    assert "old" not in browser._without
    browser.without = False
    assert browser._without == {}


def test_without_says_when_there_is_nothing_to_compare(make: Make, recording: Recording) -> None:
    lost = [{"layer": "conv9", "channel": 0}]
    assert make(recording, pins=lost, without=True)._without == {"off": 0, "labels": []}
    headless = DeconvNet(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())).record(recording.inputs)
    pins = [{"layer": next(iter(headless.layers)), "channel": 1}]
    assert make(headless, pins=pins, without=True)._without == {"off": 1, "labels": []}


def test_a_layer_of_directions_cannot_be_switched_off_and_says_so(
    make: Make, net: DeconvNet, recording: Recording
) -> None:
    found = net.with_directions("mixed", "conv2", torch.ones(2, 12)).record(recording.inputs)
    pins = [{"layer": "mixed", "channel": 1}]
    browser = make(found, layer="conv2", pins=pins, without=True)
    assert browser.without is False
    assert "holds directions" in browser.error["message"]


# ----------------------------------------------------------------------------------------- hover


def test_the_channel_under_the_pointer_tells_where_its_strongest_neuron_is(
    make: Make, recording: Recording
) -> None:
    browser = make(recording, layer="conv2", image=1)
    alive = int(recording.feature_maps("conv2")[1].flatten(1).amax(1).argmax())
    heard: list[Any] = []
    browser.observe(lambda change: heard.append(change.new), "hovered")
    browser.set_state({"hover": alive})
    maps = recording.feature_maps("conv2")[1, alive]
    row, column = divmod(int(maps.argmax()), maps.shape[1])
    assert heard == [
        {
            "channel": alive,
            "row": row,
            "col": column,
            "value": float(maps.max()),
            "box": list(recording.layers["conv2"].box(row, column)),
        }
    ]
    browser.set_state({"hover": None})
    assert browser.hovered is None


def test_a_silent_channel_has_no_receptive_field(make: Make, recording: Recording) -> None:
    browser = make(recording, layer="conv1")
    browser.hover = 2
    assert browser.hovered == {"channel": 2, "row": None, "col": None, "value": 0.0, "box": None}
    browser.hover = 99
    assert browser.hovered is None


def test_what_is_hovered_follows_the_photo(
    make: Make, net: DeconvNet, recording: Recording
) -> None:
    browser = make(recording, layer="conv2")
    browser.hover = 5
    other = net.record(torch.rand(1, 3, 32, 32))
    browser.recording = other
    settle(browser)
    assert browser.hovered["value"] == float(other.feature_maps("conv2")[0, 5].max())


def test_the_page_gets_the_photo_once_for_all_layers(make: Make, recording: Recording) -> None:
    browser = make(recording, layer="conv2")
    photo = browser._photo
    seen = np.asarray(Image.open(io.BytesIO(photo["data"])))
    assert photo["size"] == [32, 32]
    assert np.abs(seen.astype(int) - recording.seen()[0]).mean() < 20  # JPEG
    browser.layer = "conv1"
    settle(browser)
    assert browser._photo["data"] is photo["data"]
    browser.image = 1
    settle(browser)
    assert browser._photo["data"] is not photo["data"]
