"""The synthesised pictures that ship are of the weights that ship, and excite their channels."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import zfwidgets as zf
from zfwidgets.analysis import synthesized as module
from zfwidgets.analysis.shipped import shipped_exemplars
from zfwidgets.analysis.synthesize import Synthesis
from zfwidgets.analysis.synthesized import LAYERS, SHEETS, TILE, make, shipped_for, synthesized
from zfwidgets.nets.zfnet import ZFNet

NETS = ("zfnet", "alexnet")
CHANNELS = {"conv1": 96, "conv2": 256, "conv3": 384, "conv4": 384, "conv5": 256}


@pytest.mark.parametrize("name", NETS)
def test_every_channel_has_its_picture(name: str) -> None:
    assert (SHEETS / f"{name}.safetensors").stat().st_size <= 3e6
    net = zf.load(name, device="cpu")
    for layer in LAYERS:
        found = synthesized(name, layer)
        side = min(TILE, max(net.layers[layer].receptive_field))
        assert found.images.shape == (CHANNELS[layer], side, side, 3)
        assert found.channels == tuple(range(CHANNELS[layer]))
        assert (found.images.std((1, 2, 3)) > 8).all(), "none is flat"
        assert found.weights == net.weights_hash()
        assert shipped_for(net, layer) is found


@pytest.mark.parametrize("name", NETS)
def test_channels_answer_more_to_them_than_to_any_photograph_of_the_gallery(name: str) -> None:
    scan = shipped_exemplars(name)
    for layer in LAYERS[1:]:
        made = synthesized(name, layer).activations
        assert (made > scan[layer].value[:, 0]).float().mean() > 0.95, layer


def test_a_tile_still_excites_its_channel_and_not_another() -> None:
    """Of conv2, whose tiles are as large as they were made: nothing was lost but by WebP."""
    net, found = zf.load("zfnet", device="cpu"), synthesized("zfnet", "conv2")
    mean, std = (torch.tensor(v)[:, None, None] for v in (net.transforms.mean, net.transforms.std))  # type: ignore[attr-defined]
    levels = torch.from_numpy(found.images[:32].copy()).permute(0, 3, 1, 2) / 255
    maps = net.record(torch.nn.functional.pad((levels - mean) / std, (48,) * 4), upto="conv2")
    peaks = maps.feature_maps("conv2")[:, :32].amax((2, 3))
    assert (peaks.argmax(0) == torch.arange(32)).float().mean() > 0.9


def test_other_weights_are_refused_in_words(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(2)}, tmp_path / "zfnet.safetensors")
    with pytest.raises(ValueError, match="other weights of zfnet"):
        synthesized("zfnet", "conv1", weights=tmp_path)
    assert shipped_for(zf.load("zfnet", untrained=True, device="cpu"), "conv1") is None


def test_weights_that_change_lose_their_pictures() -> None:
    net = zf.load("zfnet", device="cpu")
    assert shipped_for(net, "conv1") is not None
    with torch.no_grad():
        net.model.get_parameter("conv3.weight").mul_(2)
    assert shipped_for(net, "conv1") is None


def test_what_does_not_ship_is_said() -> None:
    with pytest.raises(KeyError, match="those of alexnet, zfnet"):
        synthesized("vgg16", "conv1")
    with pytest.raises(KeyError, match="conv1, conv2, conv3, conv4, conv5"):
        synthesized("zfnet", "pool1")


def test_making_goes_on_after_the_last_whole_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = ZFNet(4, (3, 4, 2, 2, 2), "light", norm=False).eval()
    net = zf.DeconvNet(model, device="cpu", name="zfnet")
    save_file(model.state_dict(), tmp_path / "zfnet.safetensors")
    path, asked = tmp_path / "sheets" / "zfnet.safetensors", list[str]()

    def watched(net: zf.DeconvNet, layer: str, **recipe: Any) -> Synthesis:
        if layer == "conv3" and len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(layer)
        return zf.synthesize(net, layer, progress=False, **(recipe | {"steps": 2}))

    recipe = {layer: one | {"steps": 2} for layer, one in module._RECIPE.items()}
    monkeypatch.setattr(module, "_RECIPE", recipe)
    monkeypatch.setattr(module, "synthesize", watched)
    with pytest.raises(KeyboardInterrupt):
        make(net, path, weights=tmp_path)
    assert asked == ["conv1", "conv2"]
    asked.append("interrupted")
    make(net, path, weights=tmp_path)
    assert asked[3:] == ["conv3", "conv4", "conv5"]
    make(net, path, weights=tmp_path)
    assert len(asked) == 6, "nothing is made twice"
    found = synthesized("zfnet", "conv5", folder=path.parent, weights=tmp_path)
    assert found.images.shape == (2, 64, 64, 3)
    assert found.steps == 2


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    shutil.copy(SHEETS.parent / "scans" / "zfnet.safetensors", tmp_path / "zfnet.safetensors")
    with pytest.raises(ValueError, match="no synthesised pictures of format"):
        synthesized("zfnet", "conv1", folder=tmp_path)
