"""The scans that ship are of the weights and the gallery that ship, and say what is strongest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

import zfwidgets as zf
from zfwidgets.analysis.shipped import LAYERS, SCANS, K, make, shipped_exemplars
from zfwidgets.images import Gallery

NETS = ("zfnet", "alexnet")
CHANNELS = {"conv1": 96, "conv2": 256, "conv3": 384, "conv4": 384, "conv5": 256}


@pytest.mark.parametrize("name", NETS)
def test_every_channel_has_its_photographs_strongest_first(name: str) -> None:
    assert (SCANS / f"{name}.safetensors").stat().st_size <= 1.5e6
    for k in (9, K):
        found = shipped_exemplars(name, k)
        assert {layer: len(one.value) for layer, one in found.items()} == CHANNELS
        for one in found.values():
            assert one.k == k
            assert one.scanned == len(zf.gallery())
            assert one.image.min() >= 0, "845 photographs leave no place empty"
            assert (one.value.diff(dim=1) <= 0).all()
            assert set(one.ids) <= set(zf.gallery())
            for channel in (0, 17, 95):
                assert len({photo for photo, *_ in one.of(channel)}) == k


@pytest.mark.parametrize("name", NETS)
def test_they_are_of_the_weights_that_ship(name: str) -> None:
    net = zf.load(name, device="cpu")
    for one in shipped_exemplars(name).values():
        one.check(net)
    other = zf.load(name, untrained=True, device="cpu")
    with pytest.raises(ValueError, match="other weights"):
        shipped_exemplars(name)["conv5"].check(other)


def test_the_strongest_are_those_of_a_sort_over_activations() -> None:
    """Of every tenth photograph and those of the scan: no other comes before the nine."""
    net, shown = zf.load("zfnet", device="cpu"), zf.gallery()
    found = shipped_exemplars("zfnet")["conv5"]
    channels = [3, 100, 255]
    nine = {photo for channel in channels for photo, *_ in found.of(channel)}
    names = sorted(nine | set(list(shown)[::10]))
    values = []
    for name in names:
        maps = net.record(shown[name].open(), upto="conv5").feature_maps("conv5")
        values.append(maps[0, channels].amax((1, 2)))
    peaks = torch.stack(values)
    for at, channel in enumerate(channels):
        order = peaks[:, at].argsort(descending=True)[:9]
        assert {names[place] for place in order} == {photo for photo, *_ in found.of(channel)}
        torch.testing.assert_close(peaks[order, at], found.value[channel], atol=1e-4, rtol=1e-4)


def test_one_is_shown_as_in_the_paper() -> None:
    net = zf.load("zfnet", device="cpu")
    panel = shipped_exemplars("zfnet")["conv5"].project(net, zf.gallery(), 7)
    assert len(panel.ids) == len(panel.patches) == len(panel.projections.pixels) == 9


def test_another_gallery_is_refused_in_words(tmp_path: Path) -> None:
    other = shutil.copy(zf.gallery().path, tmp_path / "gallery.zip")
    with Path(other).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ValueError, match="scan of another gallery"):
        shipped_exemplars("zfnet", shown=Gallery(other))


def test_without_images_a_bundled_networks_exemplars_are_those_that_ship() -> None:
    ships = shipped_exemplars("zfnet")
    every = zf.exemplars("zfnet")
    assert list(every) == list(LAYERS)
    assert all(every[layer].of(17) == ships[layer].of(17) for layer in LAYERS)
    one = zf.exemplars(zf.load("zfnet", device="cpu"), layer="conv4", k=3)
    assert one.of(200) == ships["conv4"].of(200)[:3]
    assert list(zf.exemplars("alexnet", layers=["conv2", "conv5"])) == ["conv2", "conv5"]


def test_the_first_of_each_channel_are_its_strongest() -> None:
    found = shipped_exemplars("zfnet", K)["conv5"]
    nine = found.first(9)
    assert (nine.k, nine.scanned) == (9, found.scanned)
    assert [nine.of(c) for c in range(256)] == [found.of(c)[:9] for c in range(256)]


def test_without_images_other_weights_layers_and_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="other weights than the network that was scanned"):
        zf.exemplars(zf.load("zfnet", untrained=True, device="cpu"))
    with pytest.raises(KeyError, match=r"'fc8' is not among the layers.*conv1, conv2"):
        zf.exemplars("zfnet", layer="fc8")
    with pytest.raises(KeyError, match="no scan of 'cnn-s-untrained' ships"):
        zf.exemplars("cnn-s-untrained")


def test_what_cannot_be_given_is_said() -> None:
    with pytest.raises(KeyError, match="there are alexnet, zfnet"):
        shipped_exemplars("vgg16")
    with pytest.raises(ValueError, match="expected 1 to 50"):
        shipped_exemplars("zfnet", 51)


def test_a_scan_is_made_anew_as_it_was(tmp_path: Path) -> None:
    """Of a few photographs of the gallery, written and read again."""
    net = zf.load("zfnet", device="cpu")

    class Few(Gallery):
        def __init__(self) -> None:
            super().__init__(zf.gallery().path)
            self._photos = dict(list(self._photos.items())[:60])

    few = Few()
    make(net, tmp_path / "zfnet.safetensors", few)
    found = shipped_exemplars("zfnet", 9, folder=tmp_path, shown=few)
    expected = zf.exemplars(net, few, layers=LAYERS, k=9, progress=False)
    for layer, one in expected.items():
        assert one.ids == found[layer].ids
        assert torch.equal(one.image, found[layer].image)
        assert torch.equal(one.value, found[layer].value)
        assert torch.equal(one.row, found[layer].row)
