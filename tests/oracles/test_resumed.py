"""An ablation computes what follows the changed layer, and gives the bits of a whole pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import zfwidgets as zf
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Preprocess

PREPARED = Preprocess(size=64, resize=64, mean=(0, 0, 0), std=(1, 1, 1))


class Filters(TorchDispatchMode):
    """Counts filters and fully connected layers that are executed."""

    count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.count += func.name() in ("aten::conv2d", "aten::linear")
        return func(*args, **(kwargs or {}))


class Branches(nn.Module):
    """Two branches of one stem, one of them changed; a skip around both; sums in place."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2)
        self.left = nn.Conv2d(6, 6, 3, padding=1)
        self.right = nn.Conv2d(6, 6, 5, padding=2)
        self.head = nn.Linear(18, 4)

    def forward(self, x: Tensor) -> Tensor:
        stem = F.relu(self.stem(x), inplace=True)
        left = F.relu(self.left(stem))
        right = F.relu(self.right(stem), inplace=True)
        right += stem
        joined = torch.cat((left, right, stem), 1)
        scores: Tensor = self.head(joined.mean((2, 3)))
        return scores


class Compares(Branches):
    """Chooses by a comparison of what a rectifier has not yet seen."""

    def forward(self, x: Tensor) -> Tensor:
        before = self.stem(x)
        stem = F.relu(before) * (before > 0.1)
        scores: Tensor = self.head(F.relu(self.left(stem)).mean((2, 3)).repeat(1, 3))
        return scores


class Reads(Branches):
    """Takes a number out of torch."""

    def forward(self, x: Tensor) -> Tensor:
        before = self.stem(x)
        scale = 1 + before.tolist()[0][0][0][0] ** 2
        scores: Tensor = self.head(self.left(F.relu(before)).mean((2, 3)).repeat(1, 3))
        return scores / scale


class Unpools(Branches):
    """The places of one branch's maxima are those to which another one's values go."""

    def forward(self, x: Tensor) -> Tensor:
        stem = F.relu(self.stem(x))
        _, places = F.max_pool2d(self.right(stem), 2, return_indices=True)
        spread = F.max_unpool2d(
            F.max_pool2d(self.left(stem), 2), places, [2, 2], output_size=stem.shape[-2:]
        )
        scores: Tensor = self.head(spread.square().mean((2, 3)).repeat(1, 3))
        return scores


class Gates(Branches):
    """One branch says, by a comparison, where another one counts."""

    def forward(self, x: Tensor) -> Tensor:
        stem = F.relu(self.stem(x))
        gated = F.relu(self.left(stem)) * (self.right(stem) > 0)
        scores: Tensor = self.head(gated.mean((2, 3)).repeat(1, 3))
        return scores


class Overwrites(Branches):
    """Writes to a part of a tensor."""

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        stem[:, :2] *= 0.5
        scores: Tensor = self.head(F.relu(self.left(F.relu(stem))).mean((2, 3)).repeat(1, 3))
        return scores


@contextmanager
def whole_passes(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ablations take a whole forward pass."""
    with patch.context() as patched:
        patched.setattr(
            DeconvNet,
            "record_changed",
            lambda net, inputs, layers, _, changes: net.record_again(inputs, layers, changes),
        )
        yield


def brought(make: Callable[[], nn.Module]) -> DeconvNet:
    torch.manual_seed(5)
    return DeconvNet(make().eval(), PREPARED, device="cpu")


NETS: dict[str, Callable[[], nn.Module]] = {
    "resnet": torchvision.models.resnet18,
    "densenet": torchvision.models.densenet121,
    "channels last": torchvision.models.convnext_tiny,
    "squeeze and excite": torchvision.models.mobilenet_v3_small,
    "branches": Branches,
    "compares": Compares,
    "reads": Reads,
    "overwrites": Overwrites,
    "unpools": Unpools,
    "gates": Gates,
}


@pytest.mark.parametrize("pictures", [1, 2])
@pytest.mark.parametrize("name", NETS)
def test_every_map_is_that_of_a_whole_pass_bit_for_bit(
    name: str, pictures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = brought(NETS[name])
    recording = net.record(torch.rand(pictures, 3, 64, 64))
    layers = list(recording.layers)
    few = {layers[0], layers[len(layers) // 2], layers[-2]}
    for layer in layers[:-1] if len(layers) < 10 else few:
        found = recording.ablate(layer, 0)
        with whole_passes(monkeypatch):
            expected = recording.ablate(layer, 0)
        assert found.outputs is not None
        assert expected.outputs is not None
        assert torch.equal(found.outputs, expected.outputs)
        for other in layers:
            assert found.feature_maps(other).equal(expected.feature_maps(other)), other


@pytest.mark.parametrize(("layer", "computed"), [("conv1", 5), ("conv3", 3), ("conv5", 1)])
def test_only_filters_after_the_changed_layer_are_computed(layer: str, computed: int) -> None:
    recording = zf.load("zfnet", device="cpu").record(zf.sample("cat").open())
    with Filters() as filters:
        recording.ablate(layer, [1, 5, 70])
    assert filters.count == computed


def test_a_branch_that_is_not_reached_is_not_computed() -> None:
    recording = brought(Branches).record(torch.rand(1, 3, 64, 64))
    with Filters() as filters:
        recording.ablate("left", 0)
    assert filters.count == 1  # the head


@pytest.mark.parametrize("model", [Compares, Reads, Overwrites])
def test_a_model_that_reads_what_is_not_there_costs_a_whole_pass(model: type[nn.Module]) -> None:
    recording = brought(model).record(torch.rand(1, 3, 64, 64))
    with Filters() as filters:
        recording.ablate("left", 0)
    assert filters.count == 3


def test_the_recording_and_the_pass_after_it_are_as_they_were() -> None:
    net = brought(torchvision.models.resnet18)
    pictures = torch.rand(1, 3, 64, 64)
    recording = net.record(pictures)
    before = {layer: recording.feature_maps(layer).clone() for layer in recording.layers}
    recording.ablate("layer3.0.conv1", range(100))
    recording.ablate("layer2.0.conv1", 3)
    for layer, maps in before.items():
        assert recording.feature_maps(layer).equal(maps)
        assert net.record(pictures).feature_maps(layer).equal(maps)


def test_what_a_hook_sees_are_values() -> None:
    net = brought(Branches)
    pictures = torch.rand(1, 3, 64, 64)
    seen: list[Tensor] = []
    net.model.get_submodule("stem").register_forward_hook(lambda *given: seen.append(given[-1]))
    net.record(pictures).ablate("left", 0)
    assert seen[0].equal(seen[-1])
