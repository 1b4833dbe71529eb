"""ExemplarStrip without a page: what it shows against a sort over all activations."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import zfwidgets as zf
from tests.unit.widgets.browsing import LIMIT, TinyNet, cut
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import contrast
from zfwidgets.images.tiles import resize
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.exemplar_strip import ExemplarStrip
from zfwidgets.widgets.exemplar_strip.source import Source

Make = Callable[..., ExemplarStrip]


@pytest.fixture(scope="module")
def net() -> DeconvNet:
    torch.manual_seed(1)
    how = zf.Preprocess(size=32, resize=32)
    return DeconvNet(TinyNet().eval(), how, device="cpu", name="tiny")


@pytest.fixture(scope="module")
def photos() -> dict[str, Image.Image]:
    """Twenty pictures of noise, in two folders by their names."""
    random = np.random.default_rng(3)
    pixels = random.integers(0, 255, (20, 32, 32, 3), np.uint8)
    kinds = ("dogs", "cats")
    return {f"{kinds[i % 2]}/{i:02d}": Image.fromarray(one) for i, one in enumerate(pixels)}


@pytest.fixture
def make() -> Iterator[Make]:
    """Strips that somebody sees and whose scan is done; closed afterwards."""
    made: list[ExemplarStrip] = []

    def build(net: Any, images: Any = None, in_sight: bool = True, **how: Any) -> ExemplarStrip:
        strip = ExemplarStrip(net, in_sight=in_sight, **how)
        made.append(strip)
        if images is not None:
            strip.scan(images, batch=8)
        worker().join()
        return strip

    yield build
    for strip in made:
        strip.close()


def ask(strip: ExemplarStrip, op: str, **body: Any) -> list[dict[str, Any]]:
    """Ask as the page does; what comes back."""
    sent: list[dict[str, Any]] = []
    assert strip._responder is not None
    strip._responder._send = lambda content, _buffers: sent.append(content)
    strip._responder.on_msg(None, {"v": 1, "id": 1, "epoch": 0, "op": op, **body}, [])
    worker().join()
    return sent


def hold(gate: threading.Event) -> None:
    """Keep the worker busy until the gate opens."""
    gate.wait(LIMIT)


def by_sorting(net: DeconvNet, photos: dict[str, Any], layer: str, channel: int) -> list[Any]:
    """(id, row, col) of the nine strongest pictures, from a sort over all activations of all."""
    places = []
    for name, photo in photos.items():
        found = net.record(photo).feature_maps(layer)[0, channel]
        places += [
            (-value, name, row, col)
            for row, line in enumerate(found.tolist())
            for col, value in enumerate(line)
        ]
    first: dict[str, Any] = {}
    for _, name, row, col in sorted(places):
        first.setdefault(name, (name, row, col))
    return list(first.values())[:9]


def test_it_shows_the_nine_of_a_sort_over_all_activations(
    make: Make, net: DeconvNet, photos: dict[str, Any]
) -> None:
    strip = make(net, photos, layer="conv2", channel=7)
    shown = strip._shown
    assert (strip.status, shown["layer"], shown["channel"], shown["scanned"]) == (
        *("ready", "conv2", 7),
        20,
    )
    told = [(one["id"], one["row"], one["col"]) for one in shown["pictures"]]
    assert told == by_sorting(net, photos, "conv2", 7)
    assert len(cut(shown["sheet"], shown["data"])) == 18


def test_its_pictures_are_the_patches_and_then_the_projections_by_the_engine(
    net: DeconvNet, photos: dict[str, Any]
) -> None:
    found = zf.exemplars(net, photos, layers=["conv2"], k=20, progress=False)
    strip = Source(net, photos, found).draw("conv2", 3, "guided", lambda: None)
    panel = found["conv2"].first(9).project(net, photos, 3, "guided")
    np.testing.assert_array_equal(strip.pictures[:9], panel.patches)
    pixels = panel.projections.to_rgb(panel.projections.pixels)
    expected = contrast(pixels)[0].astype(int)
    assert np.abs(strip.pictures[9:].astype(int) - expected).max() <= 1
    assert [fact["id"] for fact in strip.facts] == list(panel.ids)
    assert [fact["outside"] for fact in strip.facts] == panel.outside.tolist()


def test_large_fields_are_shown_smaller(photos: dict[str, Any]) -> None:
    net = zf.load("zfnet", device="cpu")
    some = dict(list(photos.items())[:3])
    found = zf.exemplars(net, some, layers=["pool5"], k=3, progress=False)
    field = net.layers["pool5"].receptive_field
    assert max(field) > 160
    channel = int(found["pool5"].value[:, 0].argmax())
    strip = Source(net, some, found).draw("pool5", channel, "deconvnet", lambda: None)
    assert strip.pictures.shape[1:] == (160, 160, 3)
    expected = resize(found["pool5"].patches(net, some, channel)[0], 160, 160)
    np.testing.assert_array_equal(strip.pictures[: len(expected)], expected)


def test_nothing_is_computed_before_somebody_sees_it_or_while_it_is_folded(
    make: Make, net: DeconvNet, photos: dict[str, Any]
) -> None:
    strip = make(net, photos, in_sight=False, layer="conv2", channel=1)
    assert strip._shown == {}
    strip.opened = False
    strip.in_sight = True
    worker().join()
    assert strip._shown == {}
    strip.opened = True
    worker().join()
    assert strip._shown["channel"] == 1


def test_of_quick_changes_only_the_last_is_drawn(
    make: Make, net: DeconvNet, photos: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    strip = make(net, photos, layer="conv2", channel=0)
    drawn: list[int] = []
    draw = Source.draw

    def watched(source: Source, layer: str, channel: int, *how: Any) -> Any:
        drawn.append(channel)
        return draw(source, layer, channel, *how)

    monkeypatch.setattr(Source, "draw", watched)
    gate = threading.Event()
    worker().put(lambda: hold(gate), 0)
    for channel in (3, 4, 5):
        strip.channel = channel
    assert strip.status == "busy"
    gate.set()
    worker().join()
    assert drawn == [5]
    strip.channel = 0
    worker().join()
    assert (drawn, strip._shown["channel"]) == ([5], 0), "what was drawn is remembered"


def test_a_click_picks_the_picture_and_its_neuron_and_there_is_a_way_back(
    make: Make, net: DeconvNet, photos: dict[str, Any]
) -> None:
    strip = make(net, photos, layer="conv2", channel=7)
    name, row, col = by_sorting(net, photos, "conv2", 7)[2]
    ask(strip, "pick", ids=[2], name="of another channel, still on the screen")
    assert strip.picked == {}
    (answer,) = ask(strip, "pick", ids=[2], name=name)
    assert answer["ok"]
    assert strip.picked == {"id": name, "row": row, "col": col, "layer": "conv2", "channel": 7}
    ask(strip, "back")
    assert strip.picked == {}
    (refused,) = ask(strip, "pick", ids=[9])
    assert not refused["ok"]


def test_what_the_strongest_have_in_common_is_said_of_folders(make: Make) -> None:
    """Channel 0 answers to brightness: the bright ones are all of one folder."""
    model = TinyNet().eval()
    with torch.no_grad():
        model.conv1.weight[0], model.conv1.bias[0] = 1.0, 0.0  # type: ignore[index]
    net = DeconvNet(model, zf.Preprocess(size=32, resize=32), device="cpu", name="bright")
    some = {}
    for number in range(60):
        kind, level = ("snow", 200 + number) if number < 15 else ("night", number)
        some[f"{kind}/{number:02d}.png"] = Image.new("RGB", (32, 32), (level, level, level))
    strip = make(net, some, layer="conv1", channel=0)
    (word,) = strip._shown["words"]
    assert (word["name"], word["count"]) == ("snow", 15)
    assert word["p"] < 1e-3


def test_of_the_gallery_title_author_and_words_are_told_in_either_language(make: Make) -> None:
    strip = make(zf.load("zfnet", device="cpu"), layer="conv5", channel=5)
    first = strip._shown["pictures"][0]
    photo = zf.gallery()[first["id"]]
    assert first["title"] == photo.category.name
    assert photo.author in first["credit"]
    assert photo.licence in first["credit"]
    (word, *_) = zf.concepts(zf.exemplars("zfnet", layer="conv5", k=50), channels=[5])[5]
    assert strip._shown["words"][0]["name"] == word.name
    assert strip._shown["words"][0]["lift"] == pytest.approx(word.lift)
    strip.locale = "ko"
    worker().join()
    assert strip._shown["pictures"][0]["title"] == photo.category.korean
    assert strip._shown["words"][0]["name"] == word.korean


def test_without_a_scan_it_says_so_and_offers_one(make: Make, net: DeconvNet) -> None:
    strip = make(net, layer="conv2", channel=0)
    assert "shown to tiny first" in strip._lacking
    assert strip._offered == len(zf.gallery())
    strip.locale = "ko"
    assert "사진을 보여" in strip._lacking
    assert (strip.status, strip._shown) == ("empty", {})


def test_a_scan_of_other_weights_is_refused_in_words(make: Make) -> None:
    strip = make(zf.load("zfnet", untrained=True, device="cpu"), layer="conv5", channel=0)
    assert "other weights than the network that was scanned" in strip._lacking
    assert strip._offered > 0
    assert strip._shown == {}


def test_a_layer_that_was_not_scanned_is_said(make: Make) -> None:
    strip = make(zf.load("alexnet", device="cpu"), layer="pool2", channel=0)
    assert "no exemplars of pool2" in strip._lacking
    strip.layer = "conv2"
    worker().join()
    assert (strip._lacking, strip._shown["layer"]) == ("", "conv2")


def test_a_scan_is_stopped_gone_on_with_and_resumed_from_its_file(
    make: Make, net: DeconvNet, photos: dict[str, Any], tmp_path: Path
) -> None:
    gate = threading.Event()

    class Gated(dict[str, Any]):
        """Stands still before its ninth picture until it may go on."""

        def __getitem__(self, name: str) -> Any:
            if name == list(self)[8]:
                gate.wait(LIMIT)
            return super().__getitem__(name)

    strip = make(net, layer="conv2", channel=4)
    strip.scan(Gated(photos), batch=8, checkpoint=tmp_path / "part")
    strip.stop()
    gate.set()
    worker().join()
    assert strip.progress["state"] == "stopped"
    seen = strip.progress["scanned"]
    assert seen < 20
    strip.go_on()
    worker().join()
    assert strip.progress == {"state": "done", "scanned": 20, "total": 20}
    whole = strip._shown["pictures"]
    assert [one["id"] for one in whole] == [n for n, *_ in by_sorting(net, photos, "conv2", 4)]
    again = make(net, layer="conv2", channel=4)
    again.scan(photos, batch=8, checkpoint=tmp_path / "part")
    worker().join()
    assert again._shown["pictures"] == whole


def test_a_picture_that_breaks_a_scan_is_said(make: Make, net: DeconvNet) -> None:
    strip = make(net, {"good": Image.new("RGB", (32, 32)), "bad": Tensor()}, layer="conv2")
    assert strip.error["title"]
    assert strip.progress["state"] == "stopped"


def test_a_silent_channel_has_no_pictures(
    make: Make, net: DeconvNet, photos: dict[str, Any]
) -> None:
    strip = make(net, photos, layer="conv1", channel=2)
    assert (strip.status, strip._shown["pictures"], strip._shown["words"]) == ("ready", [], [])


def test_closing_frees_network_pictures_and_widget(photos: dict[str, Any]) -> None:
    torch.manual_seed(1)
    net = DeconvNet(TinyNet().eval(), zf.Preprocess(size=32, resize=32), device="cpu", name="t")
    strip = ExemplarStrip(net, layer="conv2", channel=0, in_sight=True)
    strip.scan(photos)
    worker().join()
    references: list[weakref.ref[Any]] = [weakref.ref(net), weakref.ref(strip)]
    strip.close()
    del strip, net
    gc.collect()
    assert [reference() for reference in references] == [None, None]
