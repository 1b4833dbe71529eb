"""to_html: what goes into the page, what it may weigh, and that nothing in it can become markup."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import zfwidgets as zf
from zfwidgets.images import encode
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.export.offstage import Blobs
from zfwidgets.widgets.export.stage import Stage

NASTY = "<img src=x onerror=alert(1)>"


def prepared(image: Image.Image) -> torch.Tensor:
    """A picture of 32 x 32 as the network takes it."""
    pixels = np.asarray(image.resize((32, 32)))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


@pytest.fixture(scope="module")
def net() -> zf.DeconvNet:
    """Two convolutions of 5 and 7 channels."""
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(3, 5, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 7, 3), nn.ReLU()
    ).eval()
    return zf.DeconvNet(model, prepared, device="cpu", name="tiny")


@pytest.fixture(scope="module")
def photos() -> dict[str, Image.Image]:
    """Two pictures, one with a name that would be markup."""
    noise = np.random.default_rng(2).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    return {"one": Image.fromarray(noise[0]), NASTY: Image.fromarray(noise[1])}


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Path]:
    """Where the page is to be."""
    yield tmp_path / "page.html"
    worker().join()


def payload(path: Path) -> dict[str, Any]:
    """What the page's script reads."""
    found = re.search(r'id="zf-payload">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    assert found
    read: dict[str, Any] = json.loads(found.group(1))
    return read


def states(path: Path, part: str) -> dict[str, Any]:
    """The recorded states of a part, by what they depend on."""
    scenes = [scene for scene in payload(path)["scenes"] if scene["part"] == part]
    return {key: state for scene in scenes for key, state in scene["states"].items()}


def test_every_photo_layer_rule_and_channel_that_was_asked_for_is_there(
    net: zf.DeconvNet, photos: dict[str, Image.Image], page: Path
) -> None:
    saved = zf.to_html(
        net, page, photos=photos, channels=3, rules=("linear", "guided"), progress=False
    )
    assert saved.photos == ("one", NASTY)
    assert saved.layers == ("conv1", "conv2")
    assert saved.rules == ("linear", "guided")
    assert {layer: len(some) for layer, some in saved.channels.items()} == {"conv1": 3, "conv2": 3}
    keys = [json.loads(key) for key in states(page, "view")]
    assert len(keys) == 2 * 2 * 2 * 3
    assert {(key[0], key[1], key[3]) for key in keys} == {
        (photo, layer, rule) for photo in photos for layer in saved.layers for rule in saved.rules
    }
    assert saved.size == page.stat().st_size


def test_channels_of_a_number_are_the_strongest_of_each_photo_in_turn(
    net: zf.DeconvNet, photos: dict[str, Image.Image], page: Path
) -> None:
    saved = zf.to_html(net, page, photos=photos, channels=1, progress=False)
    for layer, some in saved.channels.items():
        best = {int(net.record(photo).strongest(layer).value.argmax()) for photo in photos.values()}
        assert set(some) == best, "where the page begins is always there"


def test_channels_can_be_listed_or_be_all(
    net: zf.DeconvNet, photos: dict[str, Image.Image], page: Path
) -> None:
    one = {"one": photos["one"]}
    saved = zf.to_html(net, page, photos=one, channels={"conv2": [6, 0]}, progress=False)
    assert saved.channels == {"conv1": (), "conv2": (0, 6)}
    saved = zf.to_html(net, page, photos=one, channels="all", progress=False)
    assert saved.channels == {"conv1": tuple(range(5)), "conv2": tuple(range(7))}
    assert "Channels</dt><dd>all</dd>" in page.read_text("utf-8")


def test_the_page_begins_with_the_strongest_of_the_channels_that_are_listed(
    net: zf.DeconvNet, photos: dict[str, Image.Image], page: Path
) -> None:
    ranks = net.record(photos["one"]).strongest("conv2").value.argsort(descending=True).tolist()
    listed = {"conv1": [4], "conv2": [ranks[5], ranks[2], ranks[3]]}
    zf.to_html(net, page, photos={"one": photos["one"]}, channels=listed, progress=False)
    read = payload(page)
    begun = {part["name"]: part["state"] for part in read["parts"]}
    assert begun["browser"]["active"] == begun["view"]["channel"] == ranks[2]
    (start,) = (start for start in read["starts"] if start["set"] == ["browser", "active"])
    assert start["values"] == {'["one","conv1"]': 4, '["one","conv2"]': ranks[2]}


def test_the_page_begins_with_the_inspectors_channel_contrast_colours_and_opacity(
    net: zf.DeconvNet, photos: dict[str, Image.Image], page: Path
) -> None:
    inspector = zf.Inspector(net, photos, layer="conv2")
    worker().join()
    weakest = int(net.record(photos["one"]).strongest("conv2").value.argmin())
    inspector.channel = weakest
    view = inspector.view
    view.contrast, view.full, view.colours, view.opacity = "fixed", 0.25, "signed", 0.75
    worker().join()
    inspector.to_html(page, channels=1, progress=False)
    begun = {part["name"]: part["state"] for part in payload(page)["parts"]}
    assert begun["browser"]["active"] == begun["view"]["channel"] == weakest
    looks = {name: begun["view"][name] for name in ("contrast", "full", "colours", "opacity")}
    assert looks == {"contrast": "fixed", "full": 0.25, "colours": "signed", "opacity": 0.75}
    keys = [json.loads(key) for key in states(page, "view") if "conv2" in key]
    assert ["one", "conv2", weakest, "deconvnet", None, False, "fixed", "signed"] in keys
    inspector.close()


def test_every_tile_is_in_the_sheets_of_its_epoch(
    net: zf.DeconvNet, photos: dict[str, Image.Image], page: Path
) -> None:
    zf.to_html(net, page, photos={"one": photos["one"]}, channels=1, progress=False)
    read = payload(page)
    for key, state in states(page, "browser").items():
        shown = state["_page"]
        sheets = read["sheets"]["browser"][str(shown["epoch"])]
        ids = sorted(i for sheet in sheets for i in sheet["head"]["ids"])
        assert ids == list(range(shown["count"])), key
        for sheet in sheets:
            picture = base64.b64decode(read["blobs"][sheet["blobs"][0]])
            assert picture[:4] == b"RIFF"


def test_a_page_that_is_too_large_is_refused_with_advice_and_nothing_is_written(
    net: zf.DeconvNet, photos: dict[str, Image.Image], page: Path
) -> None:
    page.write_text("what was there before")
    with pytest.raises(zf.PageTooLarge, match=r"max_mb allows 0\.0.*Leave something out"):
        zf.to_html(net, page, photos=photos, max_mb=0.01, progress=False)
    assert page.read_text() == "what was there before"
    assert len(list(page.parent.iterdir())) == 1


def test_an_interrupted_export_leaves_no_file_and_no_widget(
    net: zf.DeconvNet,
    photos: dict[str, Image.Image],
    page: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stages: list[Stage] = []

    def interrupt(stage: Stage, *_: object) -> None:
        stages.append(stage)
        raise KeyboardInterrupt

    monkeypatch.setattr(Stage, "_projections", interrupt)
    with pytest.raises(KeyboardInterrupt):
        zf.to_html(net, page, photos=photos, progress=False)
    assert stages[0].browser.recording is None, "its widgets are closed"
    assert list(page.parent.iterdir()) == []


def test_names_cannot_become_markup(
    net: zf.DeconvNet, photos: dict[str, Image.Image], page: Path
) -> None:
    zf.to_html(net, page, photos={NASTY: photos[NASTY]}, channels=1, progress=False)
    text = page.read_text("utf-8")
    assert "<img" not in text
    assert text.count("</script>") == 2
    assert "&lt;img src=x" in text


def test_the_page_runs_its_own_script_alone_and_loads_nothing(
    net: zf.DeconvNet, photos: dict[str, Image.Image], page: Path
) -> None:
    zf.to_html(net, page, photos={"one": photos["one"]}, channels=1, progress=False)
    text = page.read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    script = re.search(r'<script type="module">(.*?)</script>', text, re.DOTALL)
    assert policy
    assert script
    digest = base64.b64encode(hashlib.sha256(script.group(1).encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy.group(1)
    assert policy.group(1).startswith("default-src 'none'")
    assert "http" not in policy.group(1)
    outside = text[: text.index('id="zf-payload"')]
    elsewhere = r"""(src|href)=(?!"data:)|url\(\s*['"]?http|@import"""
    assert not re.search(elsewhere, outside)


def test_photographs_that_ship_keep_their_attribution(net: zf.DeconvNet, page: Path) -> None:
    jay = zf.gallery()["jay-1"]
    mine = {"mine": Image.new("RGB", (40, 40), "teal"), "bird": jay}
    for photos in (["jay-1"], [jay], mine):
        saved = zf.to_html(net, page, photos=photos, channels=1, progress=False)
        picker = next(p for p in payload(page)["parts"] if p["name"] == "picker")["state"]
        items = {item["id"]: item for item in picker["items"]}
        name = saved.photos[-1]
        assert items[name]["author"] == jay.author
        assert items[name]["source"] == jay.source
        assert items[name]["licence_url"] == jay.licence_url
        assert picker["gallery"] is False
        assert f"{jay.credit}, {jay.source}" in html.unescape(page.read_text("utf-8"))
    assert "author" not in items["mine"]


def test_an_inspectors_choice_from_the_gallery_is_attributed(net: zf.DeconvNet, page: Path) -> None:
    inspector = zf.Inspector(net, "jay-1", locale="ko")
    inspector.picker.crop = (20, 20, 200)
    saved = inspector.to_html(page, channels=1, progress=False)
    inspector.close()
    assert saved.photos == ("jay-1",)
    (item,) = next(p for p in payload(page)["parts"] if p["name"] == "picker")["state"]["items"]
    assert (item["label"], item["author"]) == ("어치", zf.gallery()["jay-1"].author)


def test_it_speaks_the_language_that_is_asked_for(
    net: zf.DeconvNet, photos: dict[str, Image.Image], page: Path
) -> None:
    zf.to_html(net, page, photos={"one": photos["one"]}, channels=1, locale="ko", progress=False)
    text = page.read_text("utf-8")
    assert '<html lang="ko">' in text
    assert "페이지 크기" in text


def test_an_inspector_is_written_as_it_stands(
    net: zf.DeconvNet, photos: dict[str, Image.Image], page: Path
) -> None:
    inspector = zf.Inspector(net, photos, layer="conv1", rule="guided", locale="ko")
    worker().join()
    inspector.picker.value = NASTY
    worker().join()
    before = inspector.picker.value, inspector.layer, inspector.channel
    saved = inspector.to_html(page, channels=1, progress=False)
    assert (saved.photos, saved.rules) == ((NASTY,), ("guided",))
    begun = {part["name"]: part["state"] for part in payload(page)["parts"]}
    assert begun["layers"]["value"] == "conv1"
    assert begun["view"]["rule"] == "guided"
    assert '<html lang="ko">' in page.read_text("utf-8")
    assert (inspector.picker.value, inspector.layer, inspector.channel) == before
    both = inspector.to_html(page, photos=["one", NASTY], channels=1, progress=False)
    assert both.photos == ("one", NASTY)
    inspector.close()


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"layers": ["conv9"]}, KeyError, "conv9"),
        ({"layers": []}, ValueError, "no layers"),
        ({"channels": {"conv2": [7]}}, ValueError, "0 to 6"),
        ({"channels": 0}, ValueError, "at least 1"),
        ({"rules": ["backwards"]}, ValueError, "deconvnet"),
        ({"photos": "no-such-file.png"}, zf.ImageError, "no-such-file"),
        ({"photos": []}, ValueError, "no photos"),
    ],
)
def test_what_there_is_not_is_named(
    net: zf.DeconvNet, page: Path, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        zf.to_html(net, page, progress=False, **options)
    assert not page.exists()


def test_only_networks_and_inspectors_can_be_written(page: Path) -> None:
    with pytest.raises(TypeError, match="expected an Inspector"):
        zf.to_html(3, page)


def test_weights_that_are_no_numbers_are_named_before_anything_is_written(page: Path) -> None:
    convolution = nn.Conv2d(3, 5, 5)
    with torch.no_grad():
        convolution.weight[3] = torch.nan
    model = nn.Sequential(convolution, nn.ReLU()).eval()
    with pytest.raises(ValueError, match=r"1 of 5 channels of layer 'conv1', .* 3, have NaN"):
        zf.to_html(model, page, progress=False)
    assert not page.exists()


def test_pictures_are_numbered_in_turn_whichever_is_written_smaller_first() -> None:
    sides, blobs = (300, 8, 200, 8, 100), Blobs()
    noise = np.random.default_rng(5).integers(0, 256, (5, 300, 300, 3), dtype=np.uint8)
    pictures = [encode(some[:side, :side]) for side, some in zip(sides, noise, strict=True)]
    assert [blobs.number(picture) for picture in (*pictures, pictures[1])] == [0, 1, 2, 3, 4, 1]
    assert blobs.number(pictures[0], quality=50) == 5, "not the same bytes"
    texts = blobs.texts
    assert len(blobs) == len(texts) == 6
    assert blobs.size == blobs.so_far == sum(map(len, texts))
    for side, some, picture, text in zip(sides, noise, pictures, texts[:5], strict=True):
        small = base64.b64decode(text)
        assert len(small) <= len(picture)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(small))), some[:side, :side])
