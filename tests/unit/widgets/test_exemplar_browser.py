"""ExemplarBrowser without a page: what it sends is compared with what the engine computes."""

from __future__ import annotations

import gc
import io
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
from zfwidgets.analysis import Scan, exemplars, scan
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import contrast
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.exemplar_browser import ExemplarBrowser

Make = Callable[..., ExemplarBrowser]


@pytest.fixture(scope="module")
def net() -> DeconvNet:
    torch.manual_seed(1)
    return DeconvNet(TinyNet().eval(), device="cpu", name="tiny")


@pytest.fixture(scope="module")
def photos() -> dict[str, Tensor]:
    return {f"photo {i:02d}": torch.rand(3, 32, 32) for i in range(14)}


@pytest.fixture(scope="module")
def found(net: DeconvNet, photos: dict[str, Tensor]) -> Scan:
    return scan(net, photos, ["conv1", "conv2"], k=4, progress=False)


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[ExemplarBrowser] = []

    def build(*args: Any, **how: Any) -> ExemplarBrowser:
        made.append(ExemplarBrowser(*args, **how))
        settle(made[-1])
        return made[-1]

    yield build
    for browser in made:
        browser.close()


def settle(browser: ExemplarBrowser) -> None:
    assert browser.wait(LIMIT)
    worker().join()


def ask(browser: ExemplarBrowser, op: str, **body: Any) -> list[tuple[dict[str, Any], list[bytes]]]:
    """What the page would get."""
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    assert browser._responder is not None
    browser._responder._send = lambda content, buffers: sent.append((content, list(buffers or ())))  # type: ignore[arg-type]
    question = {"v": 1, "id": 1, "epoch": browser.epoch, "op": op, **body}
    browser._responder.on_msg(None, question, [])
    worker().join()
    return sent


def test_the_page_has_every_channels_numbers(make: Make, net: Any, photos: Any, found: Any) -> None:
    page = make(found, photos, net=net, layer="conv1")._page
    assert (page["layer"], page["count"], page["side"], page["scanned"]) == ("conv1", 5, 2, 14)
    strength = np.frombuffer(page["strength"], "<f4")
    np.testing.assert_array_equal(strength, found.exemplars["conv1"].value[:, 0].numpy())
    for name in ("energy", "fires", "lifetime"):
        expected = getattr(found.usage["conv1"], name).float().nan_to_num(0)
        np.testing.assert_array_equal(np.frombuffer(page["usage"][name], "<f4"), expected)


def test_a_mosaic_is_projections_beside_patches(
    make: Make, net: DeconvNet, photos: dict[str, Tensor], found: Scan
) -> None:
    browser = make(found, photos, net=net, layer="conv2")
    tiles: dict[int, Any] = {}
    for head, buffers in ask(browser, "tiles", ids=[7, 3], px=1600):
        tiles |= cut(head, buffers[0])
    assert list(tiles) == [7, 3]
    panel = found.exemplars["conv2"].project(net, photos, 3)
    projections = contrast(panel.projections.to_rgb(panel.projections.pixels))[0]
    height, width = panel.patches.shape[1:3]
    for index in range(4):
        y, x = index // 2 * height, index % 2 * width
        left = tiles[3][y : y + height, x : x + width]
        right = tiles[3][y : y + height, x + 2 * width : x + 3 * width]
        # One recording of all pictures and one of four differ in the last bits.
        assert np.abs(left.astype(int) - projections[index]).max() <= 1
        np.testing.assert_array_equal(right, panel.patches[index])


def test_smaller_pictures_come_when_small_ones_are_asked_for(
    make: Make, net: Any, photos: Any, found: Any
) -> None:
    ((head, _),) = ask(make(found, photos, net=net, layer="conv2"), "tiles", ids=[0], px=48)
    assert max(head["tile"]) == 48


def test_a_panel_names_pictures_values_and_places(
    make: Make, net: Any, photos: Any, found: Any
) -> None:
    ((answer, buffers),) = ask(make(found, photos, net=net), "panel", ids=[5], px=64)
    told = [(f["id"], f["row"], f["col"], f["value"]) for f in answer["facts"]]
    assert told == found.exemplars["conv2"].of(5)
    outside = found.exemplars["conv2"].patches(net, photos, 5)[1]
    assert [fact["outside"] for fact in answer["facts"]] == outside.tolist()
    assert len(cut(answer, buffers[0])) == 8


def test_a_click_on_a_picture_of_the_panel_names_its_neuron(
    make: Make, net: Any, photos: Any, found: Any
) -> None:
    browser: Any = make(found, photos, net=net, layer="conv2")
    assert browser.picked is None
    ask(browser, "pick", ids=[5], rank=1)
    name, row, col, _ = found.exemplars["conv2"].of(5)[1]
    neuron = {"layer": "conv2", "channel": 5, "row": row, "col": col}
    assert browser.picked == {**neuron, "name": name}


def test_sorts_put_the_dead_channel_first_and_the_strongest_first(
    make: Make, net: Any, photos: Any, found: Any
) -> None:
    browser = make(found, photos, net=net, layer="conv1", sort="fires")
    assert browser._page["sheet"]["ids"][0] == found.usage["conv1"].dead[0] == 2
    strongest = int(found.exemplars["conv1"].value[:, 0].argmax())
    other = make(found, photos, net=net, layer="conv1", sort="strength")
    assert other._page["sheet"]["ids"][0] == strongest


def test_exemplars_alone_a_mapping_and_files_are_shown_too(
    make: Make, net: Any, photos: Any, found: Any, tmp_path: Path
) -> None:
    found.save(tmp_path / "scan")
    one = exemplars(net, photos, "conv1", 4, progress=False)
    one.save(tmp_path / "one")
    whole = [tmp_path / "scan", str(tmp_path / "scan"), found.exemplars]
    for source in [*whole, tmp_path / "one", one]:
        browser = make(source, photos, net=net, layer="conv1")
        assert (browser.status, browser.error) == ("ready", {})
        assert browser.layers == (["conv1", "conv2"] if source in whole else ["conv1"])


def test_a_live_scan_finds_what_a_scan_finds(make: Make, net: Any, photos: Any, found: Any) -> None:
    browser = make(net, photos, layers=["conv1", "conv2"], k=4, batch=3)
    assert browser.progress == {"state": "done", "scanned": 14, "total": 14}
    assert browser.scan is not None
    assert browser.scan.complete
    for name in ("conv1", "conv2"):
        mine, theirs = browser.scan.exemplars[name], found.exemplars[name]
        assert [mine.of(c)[0][:3] for c in range(5)] == [theirs.of(c)[0][:3] for c in range(5)]
    assert browser._page["complete"]


def test_a_live_scan_can_be_stopped_and_gone_on_with(net: Any, photos: Any) -> None:
    reached, go_on = threading.Event(), threading.Event()

    class Slow(dict[str, Tensor]):
        def __getitem__(self, name: str) -> Tensor:
            if name == "photo 06":
                reached.set()
                assert go_on.wait(LIMIT)
            return super().__getitem__(name)

    browser = ExemplarBrowser(net, Slow(photos), k=4, batch=3)
    assert reached.wait(LIMIT)
    assert browser.progress["state"] == "running"
    browser.stop()
    go_on.set()
    settle(browser)
    assert browser.progress == {"state": "stopped", "scanned": 9, "total": 14}
    assert browser._page["scanned"] == 9
    assert not browser._page["complete"]
    browser.go_on()
    settle(browser)
    assert browser.progress == {"state": "done", "scanned": 14, "total": 14}
    assert browser._page["complete"]
    browser.close()


def test_a_picture_that_cannot_be_read_is_an_error_and_what_was_found_stays(
    make: Make, net: Any, photos: Any
) -> None:
    class Broken(dict[str, Tensor]):
        def __getitem__(self, name: str) -> Tensor:
            if name == "photo 09":
                raise OSError("photo 09 is torn")
            return super().__getitem__(name)

    browser = make(net, Broken(photos), k=4, batch=3)
    assert "photo 09 is torn" in browser.error["message"]
    assert browser.progress["state"] == "stopped"


def test_what_cannot_be_shown_is_refused(net: Any, photos: Any, found: Any) -> None:
    with pytest.raises(TypeError, match="can be gone through only once"):
        ExemplarBrowser(net, iter(photos.values()))
    with pytest.raises(TypeError, match="ExemplarBrowser got int"):
        ExemplarBrowser(7, photos)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="give the network"):
        ExemplarBrowser(found, photos)
    with pytest.raises(ValueError, match="other weights"):
        ExemplarBrowser(found, photos, net=DeconvNet(TinyNet().eval(), device="cpu"))


def test_a_missing_picture_is_an_error_in_the_widget(
    make: Make, net: Any, photos: Any, found: Any
) -> None:
    browser = make(found, dict(list(photos.items())[3:]), net=net)
    assert browser.status == "error"
    assert "is not among the images given" in browser.error["message"]


def test_another_layer_closes_the_panel(make: Make, net: Any, photos: Any, found: Any) -> None:
    browser = make(found, photos, net=net, active=3)
    assert browser.trait_values()["active"] == 3
    browser.layer = "conv1"
    browser.active = 3
    browser.layer = "conv2"
    settle(browser)
    assert (browser.trait_values()["active"], browser._page["layer"]) == (None, "conv2")
    browser.layer = "conv9"
    settle(browser)
    assert "expected one of conv1, conv2" in browser.error["message"]
    assert browser._page["layer"] == "conv2"


def test_the_static_picture_shows_the_first_channels(
    make: Make, net: Any, photos: Any, found: Any
) -> None:
    browser = make(found, photos, net=net)
    png = browser.contact_sheet()
    assert png is not None
    assert Image.open(io.BytesIO(png)).width > 600
    assert browser.plain_text() == (
        "ExemplarBrowser(tiny, conv2: 12 channels, strongest of 14 images)"
    )


def test_a_closed_browser_leaves_nothing_behind(net: Any, photos: Any, found: Any) -> None:
    for source in (found, net):
        browser = ExemplarBrowser(source, photos, net=net)
        settle(browser)
        gone = weakref.ref(browser)
        browser.close()
        del browser
        gc.collect()
        assert gone() is None


def test_a_bundled_network_opens_with_its_scan_of_the_gallery(make: Make) -> None:
    browser = make("alexnet", layer="conv5")
    assert browser.progress == {}
    assert browser.scan is not None
    assert browser.scan.scanned == browser._page["scanned"] == len(zf.gallery())
    assert (browser._page["count"], browser._page["k"]) == (256, 9)
    ((head, _),) = ask(browser, "panel", ids=[7], px=32)
    told = [(fact["id"], fact["row"], fact["col"]) for fact in head["facts"]]
    found = zf.exemplars("alexnet", layer="conv5")
    assert told == [(name, row, col) for name, row, col, _ in found.of(7)]


def test_without_pictures_there_must_be_a_scan_that_ships_of_these_weights(net: DeconvNet) -> None:
    with pytest.raises(TypeError, match="no scan of 'tiny' ships"):
        ExemplarBrowser(net)
    with pytest.raises(ValueError, match="other weights"):
        ExemplarBrowser(zf.load("zfnet", untrained=True, device="cpu"))
