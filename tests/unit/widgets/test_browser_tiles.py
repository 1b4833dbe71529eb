"""What a channel browser's tiles show in each mode, and the order and choice of its channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import zfwidgets as zf
from tests.unit.widgets.browsing import (
    Make,
    TinyNet,
    first_tiles,
    make_fixture,  # noqa: F401
    net_fixture,  # noqa: F401
    recording_fixture,  # noqa: F401
    settle,
)
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.images import contrast

Floats = np.ndarray[Any, np.dtype[np.float32]]


def measure(page: dict[str, Any], name: str) -> Floats:
    return np.frombuffer(page["measures"][name], "<f4")


# ------------------------------------------------------------------------------------- pictures


def test_in_place_is_the_projection_on_the_whole_picture(make: Make, recording: Recording) -> None:
    tiles = first_tiles(make(recording, layer="conv2", image=1, mode="in place"))
    neurons = recording.strongest("conv2")
    for channel, tile in tiles.items():
        one = neurons[(neurons.image == 1) & (neurons.channel == channel)]
        found = recording.project(one)
        top, left, bottom, right = found.boxes[0].tolist()
        expected = np.full((32, 32, 3), 128, np.uint8)
        rows = slice(max(0, top), min(32, bottom))
        columns = slice(max(0, left), min(32, right))
        window = found.to_images()[0]
        expected[rows, columns] = window[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
        assert np.abs(tile.astype(int) - expected).max() <= 1


def test_a_patch_is_the_photo_inside_the_receptive_field(make: Make, recording: Recording) -> None:
    tiles = first_tiles(make(recording, layer="conv2", image=1, mode="photo patch"))
    layer, photo = recording.layers["conv2"], recording.seen()[1]
    maps = recording.feature_maps("conv2")[1]
    height, width = layer.receptive_field
    for channel, tile in tiles.items():
        assert tile.shape == (height, width, 3)
        if maps[channel].max() == 0:
            assert (tile == 128).all()
            continue
        row, column = divmod(int(maps[channel].argmax()), maps.shape[2])
        top, left = layer.box(row, column)[:2]
        for y in range(height):
            for x in range(width):
                inside = 0 <= top + y < 32 and 0 <= left + x < 32
                expected = photo[top + y, left + x] if inside else 128
                assert (tile[y, x] == expected).all(), (channel, y, x)


def test_a_patch_of_a_layer_that_sees_everything_is_the_photo(
    make: Make, recording: Recording
) -> None:
    browser = make(recording, layer="fc3", mode="photo patch")
    for tile in first_tiles(browser).values():
        np.testing.assert_array_equal(tile, recording.seen()[0])


@pytest.mark.parametrize("mode", ["photo patch", "projection", "in place"])
def test_a_silent_channel_is_flat_grey(make: Make, recording: Recording, mode: str) -> None:
    tile = first_tiles(make(recording, layer="conv1", mode=mode))[2]
    assert (tile == 128).all()


def test_filters_of_the_first_layer_are_its_weights(make: Make, recording: Recording) -> None:
    browser = make(recording, layer="conv1", mode="filter")
    assert browser._page["filters"] is True
    weights = recording.net.model.get_parameter("conv1.weight").detach()
    expected = contrast(recording.net.to_rgb(weights))[0]
    for channel, tile in first_tiles(browser).items():
        np.testing.assert_array_equal(tile, expected[channel])


@pytest.mark.parametrize("layer", ["pool1", "conv2", "fc3"])
def test_filters_without_colours_are_refused_with_what_to_do(
    make: Make, recording: Recording, layer: str
) -> None:
    browser = make(recording, layer=layer)
    assert browser._page["filters"] is False
    browser.mode = "filter"
    settle(browser)
    assert browser.status == "error"
    assert layer in browser.error["message"]
    assert "conv1" in browser.error["hint"]
    assert browser._page["mode"] == "feature map"
    browser.mode = "projection"
    settle(browser)
    assert (browser.status, browser.error) == ("ready", {})


def test_synthesised_tiles_are_those_that_ship_whatever_the_photo(make: Make) -> None:
    recording = zf.load("zfnet", device="cpu").record(zf.samples()["cat"].open())
    browser = make(recording, layer="conv2", mode="synthesised")
    assert browser._page["synthesised"] is True
    shipped = zf.synthesized("zfnet", "conv2")
    tiles = first_tiles(browser)
    assert len(tiles) == 256
    for channel, tile in tiles.items():
        np.testing.assert_array_equal(tile, shipped.images[channel])
    browser.layer = "pool2"
    settle(browser)
    assert "pool2" in browser.error["message"]
    assert "conv1, conv2, conv3, conv4, conv5" in browser.error["hint"]


def test_a_network_of_other_weights_has_no_synthesised_tiles(
    make: Make, recording: Recording
) -> None:
    browser = make(recording, layer="conv2")
    assert browser._page["synthesised"] is False
    browser.mode = "synthesised"
    settle(browser)
    assert browser.status == "error"
    assert "bundled networks" in browser.error["message"]
    assert browser.error["hint"] == ""


# ------------------------------------------------------------------------- numbers of the channels


def test_measures_are_what_they_say(make: Make, recording: Recording) -> None:
    page = make(recording, layer="conv2", image=1)._page
    maps = recording.feature_maps("conv2")[1].double().flatten(1).numpy()
    np.testing.assert_allclose(measure(page, "strength"), maps.max(1))
    np.testing.assert_allclose(measure(page, "mean"), maps.mean(1), rtol=1e-5)
    energy = (maps**2).sum(1) / (maps**2).sum()
    np.testing.assert_allclose(measure(page, "energy"), energy, rtol=1e-5)
    with np.errstate(invalid="ignore"):
        activity = maps.mean(1) ** 2 / (maps**2).mean(1)  # Treves & Rolls 1991
    sparsity = (1 - activity) / (1 - 1 / maps.shape[1])  # Vinje & Gallant 2000
    np.testing.assert_allclose(measure(page, "sparsity"), sparsity, rtol=1e-4)


def test_one_active_place_is_sparsity_one_and_an_even_map_zero(make: Make) -> None:
    conv = torch.nn.Conv2d(1, 2, 1, bias=False)
    with torch.no_grad():
        conv.weight[:] = torch.tensor([1.0, -1.0])[:, None, None, None]
    model = torch.nn.Sequential(conv, torch.nn.ReLU()).eval()
    picture = torch.full((1, 1, 4, 4), -1.0)
    even = make(DeconvNet(model).record(picture))
    assert even._photo["size"] == [4, 4]  # of one channel, in grey
    assert measure(even._page, "sparsity")[1] == pytest.approx(0, abs=1e-6)
    assert np.isnan(measure(even._page, "sparsity")[0])  # silent: it has no sparsity
    picture[0, 0, 2, 1] = 3.0
    one = make(DeconvNet(model).record(picture))
    assert measure(one._page, "sparsity")[0] == pytest.approx(1)


@pytest.mark.parametrize("sort", ["mean", "sparsity", "energy"])
def test_the_first_page_begins_with_the_largest(
    make: Make, recording: Recording, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr("zfwidgets.widgets.channel_browser.first_page._PIXELS", 0)
    page = make(recording, layer="conv1", sort=sort)._page
    falling = measure(page, sort)[page["sheet"]["ids"]]
    known = falling[~np.isnan(falling)]
    assert (np.diff(known) <= 0).all()
    assert page["sheet"]["ids"][-1] == 2  # the silent one


def test_alive_and_dead_are_so_in_this_picture(make: Make, recording: Recording) -> None:
    browser = make(recording, layer="conv1", show="dead")
    assert browser._page["sheet"]["ids"] == [2]
    browser.show = "alive"
    settle(browser)
    assert browser._page["sheet"]["ids"] == [0, 1, 3, 4]


def test_a_threshold_is_a_share_of_the_largest_strength(make: Make, recording: Recording) -> None:
    browser = make(recording, layer="conv2", threshold=0.5)
    strength = recording.feature_maps("conv2")[0].flatten(1).amax(1)
    expected = torch.nonzero(strength >= 0.5 * strength.max()).flatten().tolist()
    assert 0 < len(expected) < 12
    assert browser._page["sheet"]["ids"] == expected


def test_when_no_channel_is_left_the_page_has_no_tiles(make: Make, recording: Recording) -> None:
    browser = make(recording, layer="fc3", show="dead")
    assert (browser.status, browser._page["sheet"]) == ("ready", None)
    assert browser.contact_sheet() is None


def test_an_unrectified_layer_has_no_dead_channels(make: Make) -> None:
    torch.manual_seed(0)
    recording = DeconvNet(TinyNet().eval()).record(torch.rand(1, 3, 32, 32))
    assert len(make(recording, layer="fc3", show="alive")._page["sheet"]["ids"]) == 7
