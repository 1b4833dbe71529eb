"""Switching channels off equals zeroing them by hand, and says what the network then answers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Preprocess

PREPARED = Preprocess(size=32, resize=32, mean=(0, 0, 0), std=(1, 1, 1))
NAMES = ["cat", "dog", "owl"]


class Residual(nn.Module):
    """Rectifiers in place, a sum, and functions where others have modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 5, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.norm(self.first(x)))
        z = F.relu(self.second(y) + y)
        pooled = F.max_pool2d(z, 2)
        scores: Tensor = self.head(pooled.mean((2, 3)))
        return scores


def made(pictures: int = 2) -> tuple[Residual, DeconvNet, Tensor]:
    torch.manual_seed(1)
    model = Residual().eval()
    return model, DeconvNet(model, PREPARED, NAMES, device="cpu"), torch.rand(pictures, 3, 32, 32)


def by_hand(model: Residual, at: nn.Module, x: Tensor, off: list[int], value: str) -> Tensor:
    """The same with a hook that people would write."""

    def hook(_: nn.Module, __: object, output: Tensor) -> Tensor:
        changed = output.clone()
        old = output[:, off]
        changed[:, off] = old.mean((2, 3), keepdim=True).expand_as(old) if value == "mean" else 0
        return changed

    handle = at.register_forward_hook(hook)
    with torch.no_grad():
        outputs: Tensor = model(x)
    handle.remove()
    return outputs


@pytest.mark.parametrize("pictures", [1, 2])
@pytest.mark.parametrize("value", ["zero", "mean"])
def test_switching_channels_off_equals_a_hook_by_hand(value: str, pictures: int) -> None:
    model, net, x = made(pictures)
    recording = net.record(x)
    found = recording.ablate("first", [1, 5], value)
    expected = by_hand(model, model.relu, x, [1, 5], value)
    assert found.outputs is not None
    torch.testing.assert_close(found.outputs, expected, rtol=0, atol=0)
    before = model(x).detach()
    assert not torch.equal(expected, before)
    torch.testing.assert_close(found.difference(), expected - before)
    # The recording itself, and the model, are as they were.
    assert recording.logits is not None
    torch.testing.assert_close(recording.logits, before, rtol=0, atol=0)
    torch.testing.assert_close(model(x).detach(), before, rtol=0, atol=0)


def test_channels_of_several_layers_are_switched_off_in_one_pass() -> None:
    model, net, x = made()
    recording = net.record(x)
    pooled = next(name for name, layer in recording.layers.items() if layer.kind == "pool")
    found = recording.ablate({"first": [1, 5], pooled: 3})
    assert {name: some.tolist() for name, some in found.off.items()} == {
        "first": [1, 5],
        pooled: [3],
    }
    alone = recording.ablate("first", [1, 5])
    assert found.feature_maps("first").equal(alone.feature_maps("first"))
    expected = alone.feature_maps(pooled).clone()
    expected[:, 3] = 0
    assert found.feature_maps(pooled).equal(expected)
    torch.testing.assert_close(found.outputs, model.head(expected.mean((2, 3))).detach())


def test_channels_and_a_mapping_from_layers_to_channels_exclude_each_other() -> None:
    _, net, x = made()
    recording = net.record(x)
    with pytest.raises(TypeError, match="channels beside a mapping"):
        recording.ablate({"first": [1]}, [2])
    with pytest.raises(TypeError, match="got no channels"):
        recording.ablate("first")
    with pytest.raises(ValueError, match="got no layer"):
        recording.ablate({})


def test_a_layer_that_is_only_a_function_can_be_changed() -> None:
    model, net, x = made()
    recording = net.record(x)
    pooled = next(name for name, layer in recording.layers.items() if layer.kind == "pool")
    found = recording.ablate(pooled, 3)
    maps = recording.feature_maps(pooled).clone()
    maps[:, 3] = 0
    expected = model.head(maps.mean((2, 3))).detach()
    assert found.outputs is not None
    torch.testing.assert_close(found.outputs, expected)
    torch.testing.assert_close(found.feature_maps(pooled), maps)


def test_keeping_some_is_switching_off_all_others() -> None:
    _, net, x = made()
    recording = net.record(x)
    kept, off = recording.ablate("first", [0, 2], keep=True), [1, 3, 4, 5, 6, 7]
    assert kept.channels.tolist() == off
    assert torch.equal(kept.difference(), recording.ablate("first", off).difference())
    maps = kept.feature_maps("first")
    assert not maps[:, off].any()
    assert torch.equal(maps[:, [0, 2]], recording.feature_maps("first")[:, [0, 2]])


def test_with_all_channels_of_another_picture_the_answer_is_that_pictures() -> None:
    model, net, x = made()
    other = net.record(x[1:])
    found = net.record(x[:1]).ablate("first", range(8), other)
    assert found.outputs is not None
    torch.testing.assert_close(found.outputs, model(x[1:]).detach())
    as_tensor = net.record(x[:1]).ablate("first", range(8), other.feature_maps("first"))
    assert torch.equal(as_tensor.difference(), found.difference())


def test_changes_name_the_classes_with_their_probability_before_and_after() -> None:
    model, net, x = made(1)
    found = net.record(x).ablate("first", [0, 1, 2])
    before = model(x).detach().softmax(1)[0]
    after = by_hand(model, model.relu, x, [0, 1, 2], "zero").softmax(1)[0]
    told = found.changes(3)[0]
    assert [label for label, _, _ in told] == [NAMES[i] for i in before.argsort(descending=True)]
    for label, was, now in told:
        index = NAMES.index(label)
        assert was == pytest.approx(float(before[index]))
        assert now == pytest.approx(float(after[index]))
    assert found.top_classes(1)[0][0][0] == NAMES[int(after.argmax())]


def test_later_layers_change_and_earlier_ones_do_not() -> None:
    _, net, x = made()
    recording = net.record(x)
    found = recording.ablate("second", [0])
    assert not found.difference("first").any()
    later = next(name for name, layer in recording.layers.items() if layer.kind == "pool")
    assert found.difference(later).any()


def test_what_cannot_be_is_said() -> None:
    _, net, x = made()
    recording = net.record(x)
    with pytest.raises(KeyError, match="no layer 'third'"):
        recording.ablate("third", 0)
    with pytest.raises(IndexError, match="channel 8 of layer 'first': expected 0 to 7"):
        recording.ablate("first", [0, 8])
    with pytest.raises(ValueError, match=r"got maps \[2, 7, 14, 14\]; expected those of 'first'"):
        recording.ablate("first", 0, torch.zeros(2, 7, 14, 14))
    with pytest.raises(ValueError, match="NaN"):
        recording.ablate("first", 0, float("nan"))
    with pytest.raises(ValueError, match="NaN"):
        recording.ablate("first", 0, torch.full((1, 8, 14, 14), torch.nan))
    with pytest.raises(ValueError, match="expected 'zero', 'mean'"):
        recording.ablate("first", 0, "one")
    with pytest.raises(TypeError, match="whole number"):
        recording.ablate("first", 0.5)  # type: ignore[arg-type]
