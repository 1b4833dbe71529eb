"""ChannelBrowser without a page: what it sends is compared with what the engine computes."""

from __future__ import annotations

import gc
import io
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from torch import nn

from tests.unit.widgets.browsing import (
    LIMIT,
    Make,
    ask,
    cut,
    first_tiles,
    make_fixture,  # noqa: F401
    net_fixture,  # noqa: F401
    recording_fixture,  # noqa: F401
    settle,
)
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.images import contrast, heat
from zfwidgets.images.tiles import resize
from zfwidgets.widgets.channel_browser import ChannelBrowser
from zfwidgets.widgets.core.rpc import worker


def test_the_page_holds_every_channels_value_and_place(make: Make, recording: Recording) -> None:
    browser = make(recording, layer="conv2", image=1)
    maps = recording.feature_maps("conv2")[1]
    page = browser._page
    values = np.frombuffer(page["measures"]["strength"], "<f4")
    places = np.frombuffer(page["places"], "<i4").reshape(-1, 2)
    np.testing.assert_array_equal(values, maps.flatten(1).amax(1).numpy())
    for channel, (row, column) in enumerate(places):
        assert maps[channel, row, column] == values[channel]
    assert (page["count"], page["map"], browser.status) == (12, [8, 8], "ready")


def test_a_feature_map_tile_is_the_heat_of_its_map(make: Make, recording: Recording) -> None:
    tiles = first_tiles(make(recording, layer="conv2", image=1))
    expected = heat(recording.feature_maps("conv2")[1])
    assert sorted(tiles) == list(range(12))
    for channel, tile in tiles.items():
        np.testing.assert_array_equal(tile, expected[channel])


@pytest.mark.parametrize("rule", ["deconvnet", "guided", "gradient", "linear"])
def test_a_projection_tile_is_the_engines_projection(
    make: Make, recording: Recording, rule: Any
) -> None:
    tiles = first_tiles(make(recording, layer="conv2", image=1, mode="projection", rule=rule))
    neurons = recording.strongest("conv2")
    for channel, tile in tiles.items():
        one = neurons[(neurons.image == 1) & (neurons.channel == channel)]
        expected = recording.project(one, rule=rule).to_images()[0]
        assert np.abs(tile.astype(int) - expected).max() <= 1


def test_class_scores_carry_names_and_one_common_scale(make: Make, recording: Recording) -> None:
    browser = make(recording, layer="fc3")
    assert browser._page["labels"] == list("abcdefg")
    expected = heat(recording.feature_maps("fc3")[0].flatten()[None, None])[0, 0]
    for channel, tile in first_tiles(browser).items():
        np.testing.assert_array_equal(tile[0, 0], expected[channel])


def test_tiles_come_in_the_size_that_was_asked_for(
    make: Make, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = make(recording, layer="conv1")
    assert browser._page["native"] == [16, 16]
    for wanted, given in [(16, 16), (400, 16)]:
        ((content, (data,)),) = ask(browser, monkeypatch, ids=[4, 0], px=wanted)
        assert content["last"] is True
        assert content["tile"] == [given, given]
        tiles = cut(content, data)
        assert list(tiles) == [4, 0]
        for channel, tile in tiles.items():
            expected = heat(recording.feature_maps("conv1")[0, [channel]])[0]
            np.testing.assert_array_equal(tile, expected)


def test_a_large_picture_is_shrunk_before_it_is_stretched(
    make: Make, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = make(recording, layer="fc3", mode="projection")
    ((content, (data,)),) = ask(browser, monkeypatch, ids=[3], px=20)
    found = recording.project(recording.neurons("fc3", channel=3))
    expected = contrast(resize(found.to_rgb(found.pixels), 20, 20))[0][0]
    assert np.abs(cut(content, data)[3].astype(int) - expected).max() <= 1


def test_sorting_by_strength_puts_the_strongest_on_the_first_page(
    make: Make, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zfwidgets.widgets.channel_browser.first_page._PIXELS", 0)
    neurons = recording.strongest("conv2")
    values = neurons.value[neurons.image == 0]
    browser = make(recording, layer="conv2", sort="strength")
    assert browser._page["sheet"]["ids"] == values.argsort(descending=True).tolist()
    before = browser.epoch
    browser.sort = "index"
    settle(browser)
    assert browser._page["sheet"]["ids"] == list(range(12))
    assert browser.epoch == before


def test_the_first_page_is_shown_early_and_completed_later(
    make: Make, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zfwidgets.widgets.channel_browser._FIRST_SECONDS", 0.0)
    shown: list[int] = []
    browser = make(recording, layer="conv1")
    browser.observe(lambda change: shown.append(len(change.new["sheet"]["ids"])), "_page")
    browser.layer, browser.mode = "conv2", "projection"
    settle(browser)
    assert shown[0] < 12 == shown[-1]


def test_another_layer_clears_the_selection_and_another_picture_does_not(
    make: Make, net: DeconvNet, recording: Recording
) -> None:
    browser = make(recording, layer="conv2")
    browser.selected, browser.active = [3, 7], 7
    browser.recording = net.record(torch.rand(1, 3, 32, 32))
    settle(browser)
    assert (browser.selected, browser.active) == ([3, 7], 7)
    browser.layer = "conv1"
    assert not browser.selected
    assert browser.active is None


def test_the_selection_stays_through_checkpoints_and_not_through_other_networks(
    make: Make,
) -> None:
    def recorded(channels: int) -> Recording:
        layers = nn.Sequential(nn.Conv2d(3, channels, 3), nn.ReLU())
        return DeconvNet(layers.eval(), device="cpu").record(torch.rand(1, 3, 16, 16))

    browser = make(recorded(8))
    browser.selected, browser.active = [3, 7], 7
    for _ in range(2):  # another network object with the same layer, as wide
        browser.recording = recorded(8)
        assert (browser.selected, browser.active) == ([3, 7], 7)
    settle(browser)
    assert (browser.selected, browser.active) == ([3, 7], 7)
    browser.recording = recorded(6)
    assert not browser.selected
    assert browser.active is None


def test_what_is_chosen_from_the_start_stays_chosen(make: Make, recording: Recording) -> None:
    browser = make(recording, selected=[1, 2], active=2)
    assert (browser.selected, browser.active) == ([1, 2], 2)


def test_of_many_changes_only_the_last_is_ever_shown(make: Make, recording: Recording) -> None:
    browser = make(recording, layer="conv1")
    shown: list[str] = []
    browser.observe(lambda change: shown.append(change.new["layer"]), "_page")
    release = threading.Event()
    browser._responder.submit(lambda _job: release.wait(LIMIT))  # type: ignore[union-attr]
    for layer in ["pool1", "conv2", "fc3", "conv1", "conv2"]:
        browser.layer = layer
    assert browser.status == "busy"
    release.set()
    settle(browser)
    assert shown == ["conv2"]
    assert browser._page["epoch"] == browser.epoch


def test_a_question_about_the_layer_before_is_not_answered(
    make: Make, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = make(recording, layer="conv1")
    assert ask(browser, monkeypatch, ids=[0], px=32, epoch=browser.epoch - 1) == []


@pytest.mark.parametrize("body", [{"ids": [12]}, {"ids": []}, {"ids": [0], "px": None}, {}])
def test_nonsense_from_the_page_is_refused_and_the_page_stays(
    make: Make, recording: Recording, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any]
) -> None:
    browser = make(recording, layer="conv2")
    ((content, _),) = ask(browser, monkeypatch, **{"px": 32, **body})
    assert content["ok"] is False
    assert browser.status == "ready"


def test_an_unknown_layer_is_an_error_and_the_last_good_page_still_answers(
    make: Make, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = make(recording, layer="conv2")
    browser.layer = "conv9"
    settle(browser)
    assert browser.status == "error"
    assert "conv9" in browser.error["message"]
    assert browser._page["layer"] == "conv2"
    ((content, _),) = ask(browser, monkeypatch, ids=[1], px=32)
    assert content["ok"] is True
    browser.layer = "conv1"
    settle(browser)
    assert (browser.status, browser.error, browser._page["layer"]) == ("ready", {}, "conv1")


def test_what_stays_of_another_layer_or_photo_hands_on_no_place(
    make: Make, recording: Recording
) -> None:
    browser = make(recording, layer="conv1", mode="filter")

    def channel() -> int | None:
        return browser.hovered and browser.hovered["channel"]

    browser.hover = 3
    assert channel() == 3
    browser.layer = "conv2"
    settle(browser)
    assert (browser.status, browser._page["layer"]) == ("error", "conv1")
    assert channel() is None
    browser.hover = 4
    assert channel() is None
    browser.mode = "feature map"
    settle(browser)
    assert channel() == 4
    browser.image = 7
    settle(browser)
    browser.hover = 5
    assert (browser.status, channel()) == ("error", None)


def test_a_layer_that_is_called_by_its_path_hands_on_the_places_of_its_channels(
    make: Make,
) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU())
    recording = DeconvNet(model.eval(), device="cpu").record(torch.rand(1, 3, 16, 16))
    path = recording.layers["conv2"].path
    browser = make(recording, layer=path)
    browser.hover = 3
    assert (browser.layer, browser.hovered["channel"]) == (path, 3)


def test_an_engine_that_fails_is_heard_in_the_widget(
    make: Make, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("out of memory")

    browser = make(recording, layer="conv2")
    monkeypatch.setattr(recording, "project", fail)
    browser.mode = "projection"
    settle(browser)
    assert browser.error["message"] == "out of memory"
    assert browser._page["mode"] == "feature map"


def test_a_network_without_that_layer_gets_its_own_default(
    make: Make, recording: Recording
) -> None:
    browser = make(recording, layer="fc3")
    other = DeconvNet(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3)).eval())
    browser.recording = other.record(torch.rand(1, 3, 16, 16))
    settle(browser)
    assert browser.status == "ready"
    assert browser._page["count"] == 6


def test_sources(make: Make, net: DeconvNet, recording: Recording) -> None:
    assert make(recording).layer == "conv2"
    empty = make()
    assert (empty.status, empty._page) == ("empty", {})
    browser = make(net, layer="conv1")
    assert browser.status == "empty"
    browser.look_at(torch.rand(1, 3, 32, 32))
    settle(browser)
    assert (browser.status, browser._page["layer"]) == ("ready", "conv1")
    browser.recording = None
    settle(browser)
    assert (browser.status, browser._page) == ("empty", {})


def test_wrong_arguments_say_what_was_expected(net: DeconvNet, recording: Recording) -> None:
    with pytest.raises(TypeError, match=r"Recording|DeconvNet"):
        ChannelBrowser(7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="tile_size"):
        ChannelBrowser(recording, tilesize=3)
    with pytest.raises(ValueError, match="conv1, pool1, conv2, fc3"):
        ChannelBrowser(recording, layer="conv9")
    with pytest.raises(traitlets.TraitError, match=r"net\.record"):
        ChannelBrowser().recording = net
    with pytest.raises(ValueError, match="DeconvNet first"):
        ChannelBrowser().look_at(torch.rand(1, 3, 32, 32))


def test_a_picture_that_cannot_be_recorded_is_an_error_in_the_widget(
    make: Make, net: DeconvNet
) -> None:
    browser = make(net)
    browser.look_at("/no/such/photo.jpg")
    settle(browser)
    assert browser.status == "error"
    assert browser.error["title"]


@contextmanager
def worker_kept_waiting() -> Iterator[None]:
    release = threading.Event()

    def wait() -> None:
        release.wait(LIMIT)

    worker().put(wait, -1)
    yield
    release.set()


@pytest.mark.parametrize(
    ("name", "value"), [("layer", "conv1"), ("mode", "projection"), ("rule", "guided")]
)
@pytest.mark.parametrize("before", [False, True])
def test_a_picture_that_is_being_recorded_is_shown_as_was_asked_for_meanwhile(
    make: Make, net: DeconvNet, before: bool, name: str, value: str
) -> None:
    browser = make(net.record(torch.rand(1, 3, 32, 32)) if before else net, layer="conv2")
    photo = torch.rand(1, 3, 32, 32)
    with worker_kept_waiting():
        browser.look_at(photo)
        setattr(browser, name, value)
    settle(browser)
    assert browser.status == "ready"
    torch.testing.assert_close(browser.recording.inputs, photo)
    assert browser._page[name] == value


def test_of_two_pictures_the_last_is_looked_at_and_a_recording_that_is_given_takes_their_place(
    make: Make, net: DeconvNet, recording: Recording
) -> None:
    browser, given = make(net), make(net)
    first, second = torch.rand(2, 1, 3, 32, 32)
    with worker_kept_waiting():
        for photo in (first, second):
            browser.look_at(photo)
            given.look_at(photo)
        given.recording = recording
    settle(browser)
    settle(given)
    torch.testing.assert_close(browser.recording.inputs, second)
    assert given.recording is recording
    with worker_kept_waiting():
        given.look_at(first)
        given.recording = None
    settle(given)
    assert (given.status, given.recording) == ("empty", None)


def test_a_picture_that_cannot_be_recorded_leaves_the_one_before_as_it_is_wanted_now(
    make: Make, recording: Recording
) -> None:
    browser = make(recording, layer="conv2")
    with worker_kept_waiting():
        browser.look_at("/no/such/photo.jpg")
        browser.mode = "projection"
    settle(browser)
    assert (browser.status, browser._page["mode"]) == ("error", "projection")
    assert browser.error["title"]
    assert browser._page["epoch"] == browser.epoch


def test_without_a_kernel_there_is_a_contact_sheet(make: Make, recording: Recording) -> None:
    browser = make(recording, layer="conv2", mode="projection")
    made = browser._repr_mimebundle_()
    assert made is not None
    assert made[0]["text/plain"] == "ChannelBrowser(conv2: 12 channels, projection)"
    png = browser.contact_sheet()
    assert png is not None
    assert Image.open(io.BytesIO(png)).format == "PNG"
    assert make().contact_sheet() is None


def test_the_strongest_neurons_are_sought_once_per_layer(
    make: Make, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    sought: list[str] = []
    real = recording.strongest

    def counted(layer: str, channels: Any = None) -> Any:
        sought.append(layer)
        return real(layer, channels)

    monkeypatch.setattr(recording, "strongest", counted)
    for browser in (make(recording, layer="conv1"), make(recording, layer="conv1")):
        for mode, layer in [("projection", "conv1"), ("feature map", "conv2")]:
            browser.mode, browser.layer = mode, layer
            settle(browser)
    assert sorted(sought) == ["conv1", "conv2"]


def test_after_close_and_collection_none_is_alive(recording: Recording) -> None:
    alive = []
    for mode in ("feature map", "projection") * 5:
        browser = ChannelBrowser(recording, layer="conv2", mode=mode)
        settle(browser)
        alive.append(weakref.ref(browser))
        browser.close()
        del browser
    worker().join()
    gc.collect()
    assert [ref() for ref in alive if ref() is not None] == []


def test_a_closed_browser_lets_go_of_the_recording(net: DeconvNet) -> None:
    own = net.record(torch.rand(1, 3, 32, 32))
    browser = ChannelBrowser(own)
    settle(browser)
    gone = weakref.ref(own)
    browser.close()
    del own
    gc.collect()
    assert gone() is None
