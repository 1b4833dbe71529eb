"""A direction is a channel like any other: a unit vector is its channel, bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import zfwidgets as zf
from zfwidgets.deconv import DeconvNet


@pytest.fixture(scope="module")
def zfnet() -> DeconvNet:
    net: DeconvNet = zf.load("zfnet", device="cpu")
    return net


@pytest.mark.parametrize("layer", ["conv5", "conv2", "pool1", "fc8"])
@pytest.mark.parametrize("rule", ["deconvnet", "gradient"])
def test_a_unit_vector_is_its_channel_bit_for_bit(zfnet: DeconvNet, layer: str, rule: str) -> None:
    if layer not in zfnet.layers:
        layer = list(zfnet.layers)[-1]
    channels = [3, 17, 40]
    unit = torch.eye(zfnet.layers[layer].channels)[channels]
    net = zfnet.with_directions("some", layer, unit)
    cat = zf.samples()["cat"].open()
    plain, along = zfnet.record(cat), net.record(cat)
    assert torch.equal(along.feature_maps("some"), plain.feature_maps(layer)[:, channels])
    want = plain.project(plain.strongest(layer, channels), rule)  # type: ignore[arg-type]
    got = along.project(along.strongest("some"), rule)  # type: ignore[arg-type]
    assert torch.equal(got.pixels, want.pixels)
    assert torch.equal(got.boxes, want.boxes)
    assert got.pixels.any()
    # All else is as it was.
    assert torch.equal(along.feature_maps("conv5"), plain.feature_maps("conv5"))
    assert [n for n in along.layers if n != "some"] == list(plain.layers)
    assert along.logits is not None
    assert plain.logits is not None
    assert torch.equal(along.logits, plain.logits)


def test_a_direction_is_seeded_over_all_channels_at_its_place(zfnet: DeconvNet) -> None:
    """By hand: the signal at conv5 is the value times the vector, and the way back is linear."""
    torch.manual_seed(4)
    vector = torch.randn(256)
    net = zfnet.with_directions("probe", "conv5", vector)
    recording = net.record(zf.samples()["cat"].open())
    neuron = recording.strongest("probe")
    got = recording.project(neuron, "gradient", "one").on_canvas()
    at = [int(t) for t in (neuron.row, neuron.col)]
    maps = recording.feature_maps("conv5")[0]
    torch.testing.assert_close(
        neuron.value[0], maps[:, at[0], at[1]] @ vector, rtol=1e-4, atol=1e-5
    )
    each = recording.neurons("conv5", 0, range(256), *at)
    parts = recording.project(each, "gradient", "one").on_canvas()
    expected = (vector[:, None, None, None] * parts).sum(0)
    torch.testing.assert_close(got[0], expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_a_bias_moves_the_response_and_not_the_way_back(zfnet: DeconvNet) -> None:
    matrix = torch.rand(2, 256)
    cat = zf.samples()["cat"].open()
    plain = zfnet.with_directions("sae", "conv5", matrix).record(cat)
    moved = zfnet.with_directions("sae", "conv5", matrix, torch.tensor([1.0, -1.0])).record(cat)
    off = moved.feature_maps("sae") - plain.feature_maps("sae")
    torch.testing.assert_close(off[0, :, 0, 0], torch.tensor([1.0, -1.0]), rtol=1e-4, atol=1e-4)
    pictures = [r.project(r.strongest("sae"), seed="one").pixels for r in (plain, moved)]
    assert torch.equal(*pictures)


def test_a_batch_and_one_picture_alone_agree_and_another_size_is_found_again(
    zfnet: DeconvNet,
) -> None:
    net = zfnet.with_directions("some", "conv3", torch.eye(384)[:2])
    pictures = [zf.samples()[name].open() for name in list(zf.samples())[:2]]
    both, one = net.record(pictures), net.record(pictures[1])
    torch.testing.assert_close(both.feature_maps("some")[1:], one.feature_maps("some"))
    small = net.record(torch.rand(1, 3, 160, 192))
    assert small.layers["some"].shape[1:] == small.layers["conv3"].shape[1:]


def test_scans_find_the_exemplars_of_directions(zfnet: DeconvNet) -> None:
    net = zfnet.with_directions("some", "conv5", torch.eye(256)[[7, 70]])
    pictures = {name: sample.open() for name, sample in list(zf.samples().items())[:6]}
    found = zf.scan(net, pictures, ["conv5", "some"], k=3, progress=False)
    want, got = found.exemplars["conv5"], found.exemplars["some"]
    for place, channel in enumerate((7, 70)):
        assert got.of(place) == want.of(channel)
    assert torch.equal(found.usage["some"].max, found.usage["conv5"].max[[7, 70]])
    assert net.weights_hash() != zfnet.weights_hash()


class InPlace(nn.Module):
    """Rectifies in place, channels by number."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.features(x)
        return out


def test_a_layer_rectified_in_place_can_be_looked_along_and_names_stay() -> None:
    plain = DeconvNet(InPlace(), device="cpu")
    x = torch.randn(2, 3, 20, 20)
    before = plain.record(x)
    net = plain.with_directions("a", "conv1", torch.eye(6)).with_directions(
        "b", "a", torch.eye(6)[[2]]
    )
    after = net.record(x)
    assert [n for n in after.layers if n not in ("a", "b")] == list(before.layers)
    assert torch.equal(after.feature_maps("a"), before.feature_maps("conv1"))
    assert torch.equal(after.feature_maps("b"), before.feature_maps("conv1")[:, [2]])
    assert after.layers["b"].receptive_field == before.layers["conv1"].receptive_field
    assert torch.equal(after.feature_maps("conv2"), before.feature_maps("conv2"))


def test_what_is_no_direction_is_said(zfnet: DeconvNet) -> None:
    with pytest.raises(ValueError, match=r"got a matrix \[4, 255\]; expected \[directions, 256\]"):
        zfnet.with_directions("some", "conv5", torch.zeros(4, 255))
    with pytest.raises(ValueError, match=r"got a bias \[3\]; expected \[4\]"):
        zfnet.with_directions("some", "conv5", torch.zeros(4, 256), torch.zeros(3))
    with pytest.raises(ValueError, match="matrix holds NaN"):
        zfnet.with_directions("some", "conv5", torch.full((4, 256), torch.nan))
    with pytest.raises(ValueError, match="a name that no layer has"):
        zfnet.with_directions("conv4", "conv5", torch.zeros(4, 256))
    with pytest.raises(KeyError, match="no layer 'conv9'"):
        zfnet.with_directions("some", "conv9", torch.zeros(4, 256))
    net = zfnet.with_directions("some", "conv5", torch.eye(256))
    with pytest.raises(ValueError, match="which no later layer reads"):
        net.record(zf.samples()["cat"].open()).ablate("some", 0)
