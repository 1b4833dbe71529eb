"""A comparison as a page: both sides are there, and what follows is what Compare does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import zfwidgets as zf
from tests.unit.widgets.test_export import payload
from zfwidgets.images import Preprocess
from zfwidgets.widgets.core.rpc import worker

Follow = dict[str, Any]


def net(name: str, second: int, seed: int) -> zf.DeconvNet:
    """Two convolutions, of 5 and of `second` channels."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 5, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, second, 3), nn.ReLU()
    ).eval()
    return zf.DeconvNet(model, Preprocess(size=32, resize=32), device="cpu", name=name)


@pytest.fixture(scope="module")
def photos() -> dict[str, Image.Image]:
    noise = np.random.default_rng(2).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    return {"one": Image.fromarray(noise[0]), "two": Image.fromarray(noise[1])}


def follows(path: Path, what: str, when: str) -> list[Follow]:
    """What is set when a trait changes."""
    starts = payload(path)["starts"]
    return [s for s in starts if ".".join(s["set"]) == what and s["when"] == when]


def test_two_networks_on_their_photos_with_all_that_leads_from_side_to_side(
    photos: dict[str, Image.Image], tmp_path: Path
) -> None:
    one, two = net("first", 7, 1), net("second", 6, 2)
    compare = zf.Compare(one, two, image=photos, layer="conv2")
    worker().join()
    page = tmp_path / "compare.html"
    saved = compare.to_html(page, photos=("one", "two"), channels=3, progress=False)
    assert (saved.net, saved.photos) == ("first, second", ("one", "two"))
    assert saved.layers == ("left conv1", "left conv2", "right conv1", "right conv2")
    assert {layer: len(some) for layer, some in saved.channels.items()} == dict.fromkeys(
        saved.layers, 3
    )
    read = payload(page)
    names = [part["name"] for part in read["parts"]]
    own = ["head", "layers", "browser", "view"]
    assert sorted(names) == sorted(
        ["compare", "picker", *(f"{side}.{part}" for side in ("left", "right") for part in own)]
    )
    text = page.read_text("utf-8")
    assert all(f'data-part="{name}"' in text for name in names)
    assert text.count("zf-compare-column jupyter-widgets") == 2
    # Channels: the n-th strongest of one side goes with the n-th strongest of the other.
    (rank,) = (
        found
        for found in follows(page, "right.browser.active", "left.browser.active")
        if any(json.loads(key)[0] == "rank" for key in found["values"])
    )
    for photo, image in photos.items():
        orders = [
            some.record(image)
            .strongest("conv2")
            .value.argsort(descending=True, stable=True)
            .tolist()
            for some in (one, two)
        ]
        for mine, theirs in zip(*orders, strict=False):
            key = json.dumps(["rank", photo, photo, "conv2", "conv2", mine], separators=(",", ":"))
            assert rank["values"][key] == theirs
    number = [
        json.loads(key)
        for found in follows(page, "right.browser.active", "left.browser.active")
        for key in found["values"]
        if json.loads(key)[0] == "number"
    ]
    assert max(key[3] for key in number if key[1] == "conv2") == 5, "the other side has six"
    # Layers follow only while they are linked.
    (layer,) = follows(page, "left.layers.value", "right.layers.value")
    assert layer["by"] == [["compare", "link_layers"], ["right.layers", "value"]]
    assert layer["values"] == {'[true,"conv1"]': "conv1", '[true,"conv2"]': "conv2"}
    compare.close()


def test_every_reference_of_the_page_is_to_a_part_that_is_there(
    photos: dict[str, Image.Image], tmp_path: Path
) -> None:
    compare = zf.Compare(net("tiny", 7, 1), images=[*photos.values()])
    worker().join()
    page = tmp_path / "compare.html"
    saved = zf.to_html(compare, page, layers=["conv2"], channels=2, progress=False)
    assert saved.channels["left conv2"] == saved.channels["right conv2"], "linked by number"
    read = payload(page)
    parts = {part["name"] for part in read["parts"]}
    assert {"left.picker", "right.picker"} <= parts
    scenes = [*read["scenes"], *(s["otherwise"] for s in read["scenes"] if "otherwise" in s)]
    named = {ref[0] for some in (*scenes, *read["starts"]) for ref in some["by"]}
    named |= {end[0] for link in read["links"] for end in link}
    named |= {scene["part"] for scene in scenes} | {start["set"][0] for start in read["starts"]}
    named |= {start["when"].rpartition(".")[0] for start in read["starts"]} | set(read["sheets"])
    assert named <= parts
    with pytest.raises(TypeError, match="one on each side"):
        compare.to_html(page, photos="cat", progress=False)
    compare.close()


def begun(page: Path) -> dict[str, dict[str, Any]]:
    """The parts' traits when the page is opened."""
    return {part["name"]: part["state"] for part in payload(page)["parts"]}


def drawn(page: Path, part: str) -> set[tuple[str, int]]:
    """Layers and channels whose large projections are in the page."""
    (scene,) = (scene for scene in payload(page)["scenes"] if scene["part"] == part)
    layer, channel = (scene["by"].index([part, name]) for name in ("layer", "channel"))
    keys = [json.loads(key) for key in scene["states"]]
    return {(key[layer], key[channel]) for key in keys}


@pytest.mark.parametrize("engine", [False, True])
@pytest.mark.parametrize("second", [7, 6])
def test_the_page_begins_with_the_channels_that_are_shown_in_the_same_colours(
    photos: dict[str, Image.Image], tmp_path: Path, second: int, engine: bool
) -> None:
    compare = zf.Compare(
        net("first", 7, 1), net("second", second, 2), image=photos["one"], layer="conv2"
    )
    worker().join()
    left, right = compare.left, compare.right
    left.browser.active = left.ranks("conv2")[-2]
    worker().join()
    left.view.contrast, left.view.opacity = "largest", 0.5
    page = tmp_path / "compare.html"
    compare.to_html(page, channels=1, engine=engine, progress=False)
    states = begun(page)
    for name, side in (("left", left), ("right", right)):
        channel = side.browser.active
        assert states[f"{name}.browser"]["active"] == channel
        assert states[f"{name}.view"]["channel"] == channel
        assert (states[f"{name}.view"]["contrast"], states[f"{name}.view"]["opacity"]) == (
            "largest",
            0.5,
        )
        assert ("conv2", channel) in drawn(page, f"{name}.view")
    assert states["compare"]["channel"] == left.browser.active
    compare.close()


def test_on_other_photos_the_right_side_begins_with_the_channel_of_the_left_ones_rank(
    photos: dict[str, Image.Image], tmp_path: Path
) -> None:
    nets = net("first", 7, 1), net("second", 6, 2)
    compare = zf.Compare(*nets, image=photos["one"], layer="conv2")
    worker().join()
    compare.left.browser.active = compare.left.ranks("conv2")[3]
    worker().join()
    page = tmp_path / "compare.html"
    compare.to_html(page, photos={"two": photos["two"]}, channels=1, progress=False)
    states = begun(page)
    ranks = [
        some.record(photos["two"])
        .strongest("conv2")
        .value.argsort(descending=True, stable=True)
        .tolist()
        .index(states[f"{side}.browser"]["active"])
        for side, some in zip(("left", "right"), nets, strict=True)
    ]
    assert states["left.browser"]["active"] == compare.left.browser.active
    assert ranks[0] == ranks[1]
    only = next(one for one in reversed(compare.left.ranks("conv2")) if one < 6)
    compare.to_html(page, channels={"conv2": [only]}, progress=False)
    assert begun(page)["left.browser"]["active"] == only
    compare.close()


def test_the_page_names_the_channels_that_changed_for_every_layer_and_photo(
    photos: dict[str, Image.Image], tmp_path: Path
) -> None:
    compare = zf.Compare(net("first", 7, 1), net("second", 7, 2), image=photos, layer="conv2")
    worker().join()
    page = tmp_path / "compare.html"
    compare.to_html(page, photos=("one", "two"), channels=1, progress=False)
    head = begun(page)["compare"]
    assert compare.head.changed
    assert (head["layer"], head["changed"]) == ("conv2", compare.head.changed)
    for when in ("left.layers.value", "right.layers.value", "picker.value"):
        (start,) = follows(page, "compare.changed", when)
        assert start["otherwise"] == []
        for photo in photos:
            compare.pickers[0].value = photo
            for layer in ("conv1", "conv2"):
                compare.left.layer = layer
                worker().join()
                key = json.dumps(["number", photo, photo, layer, layer], separators=(",", ":"))
                assert start["values"][key] == compare.head.changed
    links = payload(page)["links"]
    assert [["left.browser", "active"], ["compare", "channel"]] in links
    assert [["left.layers", "value"], ["compare", "layer"]] in links
    compare.close()


def test_the_page_speaks_and_begins_as_the_comparison_does(
    photos: dict[str, Image.Image], tmp_path: Path
) -> None:
    compare = zf.Compare(
        net("first", 7, 1), net("second", 7, 2), image=photos["one"], rule="guided", locale="ko"
    )
    worker().join()
    compare.head.link_channels = "free"
    page = tmp_path / "compare.html"
    compare.to_html(page, channels=1, progress=False)
    states = begun(page)
    assert states["compare"]["link_channels"] == "free"
    assert states["left.view"]["rule"] == states["right.view"]["rule"] == "guided"
    text = page.read_text("utf-8")
    assert '<html lang="ko">' in text
    assert "first와(과) second" in text
    assert compare.head.link_channels == "free", "the widget itself is as it was"
    compare.close()
