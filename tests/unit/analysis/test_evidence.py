"""The account of a class score adds up, and planted evidence is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zfwidgets.analysis.evidence import evidence
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Preprocess

NAMES = ["red", "green", "blue"]
PREPARED = Preprocess(size=32, resize=32, mean=(0, 0, 0), std=(1, 1, 1))


def random_net(head: str) -> tuple[nn.Sequential, DeconvNet]:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2))
    if head == "light":
        model.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)])
    else:
        model.extend([nn.Flatten(), nn.Linear(8 * 6 * 6, 20), nn.ReLU(), nn.Linear(20, 3)])
    return model, DeconvNet(model, PREPARED, NAMES, device="cpu")


def photo() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("label", NAMES)
@pytest.mark.parametrize("layer", ["pool1", "conv1"])
def test_under_an_average_the_account_of_channels_and_places_is_exact(
    label: str, layer: str
) -> None:
    model, net = random_net("light")
    recording = net.record(photo())
    found = evidence(recording, label, layer=layer)
    index = NAMES.index(label)
    linear = model[-1]
    assert isinstance(linear, nn.Linear)
    bias = float(linear.bias.detach()[index])
    logit = float(model(recording.inputs).detach()[0, index])
    assert found.bias == bias
    assert found.logit == pytest.approx(logit, rel=1e-5)
    assert found.exact
    assert abs(found.remainder) < 1e-5
    for parts in (found.contribution, found.by_channel, found.by_place):
        assert float(parts.double().sum()) == pytest.approx(logit - bias, abs=1e-5)
    # By hand: activation of each channel's average times its weight.
    maps = model[:3](recording.inputs)[0]
    expected = maps.mean((1, 2)) * linear.weight[index]
    torch.testing.assert_close(found.by_channel, expected.detach(), atol=1e-6, rtol=1e-4)
    if layer == "pool1":
        cam = (maps * linear.weight[index][:, None, None]).sum(0) / 36
        torch.testing.assert_close(found.by_place, cam.detach(), atol=1e-6, rtol=1e-4)


def test_with_biases_in_between_it_is_not_and_says_what_is_missing() -> None:
    model, net = random_net("full")
    recording = net.record(photo())
    found = evidence(recording, 1, layer="pool1")
    hidden = model[:6](recording.inputs)[0]
    first, last = model[4], model[6]
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    # What the open rectifiers let through of the biases of the layer in between.
    missing = float((last.weight[1] * first.bias * (hidden > 0)).sum().detach())
    assert not found.exact
    assert found.remainder == pytest.approx(missing, rel=1e-4)
    # The last layer alone always adds up.
    assert float(found.contribution.sum()) == pytest.approx(found.logit - found.bias, rel=1e-4)
    torch.testing.assert_close(found.contribution, (hidden * last.weight[1]).detach())


def test_planted_evidence_is_found_where_it_is() -> None:
    """Channels answer to red, green, blue; each speaks for its class and against the others."""
    conv, linear = nn.Conv2d(3, 3, 1), nn.Linear(3, 3)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(3)[:, :, None, None])
        conv.bias.zero_()  # type: ignore[union-attr]
        linear.weight.copy_(2 * torch.eye(3) - 1)
    model = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)
    flag = np.zeros((32, 32, 3), np.uint8)
    flag[:16, :16, 0], flag[20:, 20:, 1] = 255, 255
    net = DeconvNet(model, PREPARED, NAMES, device="cpu")
    found = evidence(net.record(flag), "red")
    assert found.channels_for.tolist() == [0]
    assert found.channels_against.tolist() == [1]
    assert (found.by_place[:16, :16] > 0).all()
    assert (found.by_place[20:, 20:] < 0).all()
    assert not found.by_place[:16, 20:].any()
    assert found.pictures_for.shape == (1, 32, 32, 3)
    table = found.to_frame()
    assert table["channel"].tolist() == [0, 2, 1]
    assert found.plot().get_suptitle().startswith("red: score")
    # By default the most probable class.
    assert evidence(net.record(flag)).name == "red"


def test_the_account_of_a_difference_is_the_difference_of_accounts() -> None:
    _, net = random_net("light")
    recording = net.record(photo())
    red, blue = evidence(recording, "red"), evidence(recording, "blue")
    found = evidence(recording, "red", versus="blue")
    torch.testing.assert_close(found.by_place, red.by_place - blue.by_place)
    assert found.logit == pytest.approx(red.logit - blue.logit)
    assert float(found.by_channel.sum()) == pytest.approx(found.logit - found.bias, abs=1e-5)
    assert found.plot().get_suptitle().startswith("red rather than blue")


def test_a_network_without_class_scores_is_refused() -> None:
    net = DeconvNet(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), PREPARED, device="cpu")
    with pytest.raises(ValueError, match="expected a classifier"):
        evidence(net.record(photo()))


def test_another_picture_of_the_batch_has_its_own_account() -> None:
    _, net = random_net("light")
    both = net.record([photo(), 255 - photo()])
    alone = net.record(255 - photo())
    torch.testing.assert_close(evidence(both, 2, image=1).by_channel, evidence(alone, 2).by_channel)
    assert isinstance(evidence(both, 2, image=1).whole, Tensor)


def test_a_layer_and_an_image_that_do_not_exist_are_named_with_those_that_do() -> None:
    recording = random_net("light")[1].record(photo())
    with pytest.raises(KeyError, match=r"no layer 'conv9'.*conv1"):
        evidence(recording, layer="conv9")
    with pytest.raises(IndexError, match="image=3: expected 0 to 0"):
        evidence(recording, image=3)
