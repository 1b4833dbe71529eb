"""Windows are exact: the same numbers as whole maps, and nothing outside the receptive field."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from zfwidgets.deconv import DeconvNet, Method, Recording
from zfwidgets.deconv.windows import Window
from zfwidgets.nets.alexnet import AlexNet
from zfwidgets.nets.chatfield import CNN_S
from zfwidgets.nets.zfnet import ZFNet

RULES = ("deconvnet", "guided", "gradient", "linear")


def spread(model: nn.Module) -> nn.Module:
    """Weights under which signals neither die nor explode."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
    return model


@pytest.fixture(scope="module")
def zfnet() -> Recording:
    torch.manual_seed(0)
    return DeconvNet(spread(ZFNet()), device="cpu").record(torch.randn(2, 3, 224, 224))


def off_by(got: torch.Tensor, want: torch.Tensor) -> float:
    return float(torch.linalg.norm(got - want) / torch.linalg.norm(want))


@pytest.mark.parametrize("lrn", ["identity", "vjp"])
@pytest.mark.parametrize("rule", RULES)
def test_windowed_equals_whole(rule: str, lrn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In double precision, where rounding cannot hide an error."""
    torch.manual_seed(0)
    photo = torch.randn(1, 3, 150, 131, dtype=torch.float64)
    recording = DeconvNet(spread(ZFNet(head="light")).double(), device="cpu").record(photo)
    for layer in ("conv1", "norm1", "conv2", "conv3", "conv4"):
        neurons = recording.strongest(layer, channels=[0, 77])
        windowed = recording.project(neurons, rule=rule, lrn=lrn)  # type: ignore[arg-type]
        with monkeypatch.context() as patch:
            patch.setattr(Window, "covers", lambda *_: True)
            whole = recording.project(neurons, rule=rule, lrn=lrn)  # type: ignore[arg-type]
        assert tuple(whole.pixels.shape[2:]) == (150, 131)
        assert tuple(windowed.pixels.shape[2:]) == recording.layers[layer].receptive_field
        assert off_by(windowed.on_canvas(), whole.on_canvas()) < 1e-13


def test_windowed_equals_whole_in_single_precision(
    zfnet: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    for layer in ("conv1", "norm1", "conv2", "conv3", "conv5", "pool5"):
        neurons = zfnet.strongest(layer, channels=[0, 9, 33, 77])
        windowed = zfnet.project(neurons)
        with monkeypatch.context() as patch:
            patch.setattr(Window, "covers", lambda *_: True)
            whole = zfnet.project(neurons)
        assert tuple(windowed.pixels.shape[2:]) == zfnet.layers[layer].receptive_field
        assert off_by(windowed.on_canvas(), whole.on_canvas()) < 1e-6


@pytest.mark.parametrize(
    "make", [lambda: AlexNet(groups=2), CNN_S], ids=["AlexNet in two groups", "CNN-S"]
)
def test_windowed_equals_whole_in_other_nets(
    make: Callable[[], nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    recording = DeconvNet(spread(make()), device="cpu").record(torch.randn(1, 3, 224, 224))
    for layer in ("conv2", "conv4"):
        neurons = recording.strongest(layer, channels=[1, 2, 30])
        windowed = recording.project(neurons).on_canvas()
        with monkeypatch.context() as patch:
            patch.setattr(Window, "covers", lambda *_: True)
            assert off_by(windowed, recording.project(neurons).on_canvas()) < 1e-6


@pytest.mark.parametrize("corner", [(0, 0), (0, 12), (12, 0), (12, 12)])
def test_windows_at_the_border(
    zfnet: Recording, corner: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    row, col = corner
    neurons = zfnet.neurons("conv4", image=1, channel=[3, 200], row=row, col=col)
    windowed = zfnet.project(neurons, seed="one")
    with monkeypatch.context() as patch:
        patch.setattr(Window, "covers", lambda *_: True)
        whole = zfnet.project(neurons, seed="one")
    assert off_by(windowed.on_canvas(), whole.on_canvas()) < 1e-6
    top, left, bottom, right = windowed.boxes[0].tolist()
    assert (top, left, bottom, right) == zfnet.layers["conv4"].box(row, col)
    outside = windowed.pixels.clone()
    outside[:, :, max(0, -top) : 224 - top, max(0, -left) : 224 - left] = 0
    assert not outside.any()


def test_a_batch_equals_one_by_one(zfnet: Recording) -> None:
    neurons = zfnet.strongest("conv3")[::97]
    assert set(neurons.image.tolist()) == {0, 1}
    together = zfnet.project(neurons)
    for i in range(len(neurons)):
        alone = zfnet.project(neurons[i])
        assert torch.equal(alone.boxes[0], together.boxes[i])
        assert off_by(together.pixels[i], alone.pixels[0]) < 1e-6


def test_the_budget_changes_the_parts_not_the_pictures(zfnet: Recording) -> None:
    neurons = zfnet.strongest("conv4")[:40]
    whole = zfnet.project(neurons)
    before, zfnet.net.memory = zfnet.net.memory, 4 * 2**20
    try:
        parts = list(zfnet.project_iter(neurons))
    finally:
        zfnet.net.memory = before
    assert len(parts) > 3
    assert off_by(torch.cat([p.pixels for p in parts]), whole.pixels) < 1e-6
    assert torch.equal(torch.cat([p.neurons.channel for p in parts]), neurons.channel)


def test_two_runs_give_the_same_bits(zfnet: Recording) -> None:
    neurons = zfnet.strongest("conv5", channels=range(0, 256, 9))
    assert torch.equal(zfnet.project(neurons).pixels, zfnet.project(neurons).pixels)


def test_positive_weights_reach_all_of_the_receptive_field() -> None:
    torch.manual_seed(0)
    model = ZFNet(norm=False, head="light")
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.01, 0.02)
    recording = DeconvNet(model, device="cpu").record(torch.rand(1, 3, 224, 224))
    for layer in ("conv1", "conv2", "conv3", "conv4", "conv5"):
        place = recording.layers[layer].height // 2
        neuron = recording.neurons(layer, channel=0, row=place, col=place)
        canvas = recording.project(neuron, unpool="sum").on_canvas()[0].abs().sum(0)
        top, left, bottom, right = recording.layers[layer].box(place, place)
        assert not canvas[:top].any()
        assert not canvas[bottom:].any()
        assert not canvas[:, :left].any()
        assert not canvas[:, right:].any()
    first = recording.project(recording.neurons("conv1", channel=0, row=50, col=50))
    assert bool((first.pixels > 0).all())


def test_a_recording_that_stops_early_is_the_same_up_to_there(zfnet: Recording) -> None:
    early = zfnet.net.record(zfnet.inputs, upto="conv3")
    assert list(early.layers) == list(zfnet.layers)[: list(zfnet.layers).index("conv3") + 1]
    assert early.logits is None
    assert torch.equal(early.feature_maps("conv3"), zfnet.feature_maps("conv3"))
    neurons = early.strongest("conv3", channels=[3, 5])
    assert torch.equal(early.project(neurons).pixels, zfnet.project(neurons).pixels)
    with pytest.raises(KeyError, match="conv4"):
        early.feature_maps("conv4")


def test_a_dead_neuron_projects_to_nothing(zfnet: Recording) -> None:
    maps = zfnet.feature_maps("conv5")
    channel, row, col = (int(i) for i in (maps[0] == 0).nonzero()[0])
    dead = zfnet.neurons("conv5", channel=channel, row=row, col=col)
    assert not zfnet.project(dead).pixels.any()
    assert not zfnet.project(dead, rule="guided", seed="one").pixels.any()


def test_a_whole_map_is_not_the_sum_of_its_neurons(zfnet: Recording) -> None:
    """Rectifying makes the projection homogeneous but not additive."""
    linear = zfnet.project_map("conv2", 7, rule="linear").pixels[0]
    maps = zfnet.feature_maps("conv2")[0, 7]
    rows, cols = maps.nonzero(as_tuple=True)
    neurons = zfnet.neurons("conv2", channel=7, row=rows, col=cols)
    added = zfnet.project(neurons, rule="linear").on_canvas().sum(0)
    assert off_by(added, linear) < 1e-5
    rectified = zfnet.project_map("conv2", 7).pixels[0]
    assert off_by(zfnet.project(neurons).on_canvas().sum(0), rectified) > 1e-2


def test_a_method_in_one_piece_is_its_parts_one_by_one(zfnet: Recording) -> None:
    neurons = zfnet.strongest("conv3", [5])
    method = Method("guided", seed="one", unpool="overwrite", lrn="vjp")
    whole, parts = (
        zfnet.project(neurons, method),
        zfnet.project(neurons, rule="guided", seed="one", unpool="overwrite", lrn="vjp"),
    )
    assert whole.origin.method == parts.origin.method == method
    assert torch.equal(whole.pixels, parts.pixels)
    assert torch.equal(
        zfnet.project_map("conv3", [5], rule=method).pixels,
        zfnet.project_map("conv3", [5], 0, "guided", "one", "overwrite", "vjp").pixels,
    )
    with pytest.raises(ValueError, match="one or the other"):
        zfnet.project(neurons, method, lrn="identity", unpool="overwrite")
