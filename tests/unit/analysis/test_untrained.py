"""A control has learned nothing: no parameter of it is as it was trained."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, weight_norm

from zfwidgets.analysis.review import robustness
from zfwidgets.analysis.untrained import untrained
from zfwidgets.deconv import DeconvNet


class Particular(nn.Module):
    """Asks for more than a control can know."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(6))

    def reset_parameters(self, to: float) -> None:
        nn.init.constant_(self.scale, to)


class Trained(nn.Module):
    """What weights are kept in: plainly, derived from others, without a way to draw them."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.up = nn.Conv2d(3, 6, 3), nn.ConvTranspose2d(6, 6, 2, stride=2)
        self.normed = parametrizations.weight_norm(nn.Conv2d(6, 6, 3))
        self.earlier = weight_norm(nn.Conv2d(6, 6, 3))
        self.groups, self.batch = nn.GroupNorm(2, 6), nn.SyncBatchNorm(6)
        self.look, self.particular = nn.MultiheadAttention(6, 1, batch_first=True), Particular()
        self.scale, self.read = nn.Parameter(torch.empty(6)), nn.Linear(6, 4)
        for parameter in self.parameters():
            nn.init.normal_(parameter, 1.0, 3.0)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.batch(self.groups(self.up(self.plain(x).relu())))
        maps = self.earlier(self.normed(maps).relu())
        tokens = maps.flatten(2).transpose(1, 2)
        tokens = self.look(tokens, tokens, tokens)[0] * self.scale * self.particular.scale
        scores: Tensor = self.read(tokens.mean(1))
        return scores


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("control", [untrained, robustness.untrained], ids=["probe", "review"])
def test_no_parameter_of_a_control_is_as_it_was_trained(
    control: Callable[[DeconvNet], DeconvNet],
) -> None:
    torch.manual_seed(0)
    with torch.no_grad():  # or torch could not copy what the earlier weight_norm derives
        net = DeconvNet(Trained().eval(), device="cpu")
    before, state = net.weights_hash(), torch.get_rng_state()
    other, again = control(net), control(net)
    assert net.weights_hash() == before
    assert torch.equal(torch.get_rng_state(), state)
    assert other.weights_hash() == again.weights_hash(), "the same control every time"
    learned = dict(net.model.named_parameters())
    kept = [n for n, p in other.model.named_parameters() if torch.equal(p, learned[n])]
    assert kept == []
    photo = torch.rand(1, 3, 12, 12)
    trained, drawn = net.record(photo), other.record(photo)
    for layer in trained.layers:
        maps, others = trained.feature_maps(layer), drawn.feature_maps(layer)
        assert not torch.allclose(maps, others), f"{layer} is as it was trained"


def test_a_control_in_a_review_looks_along_directions_too() -> None:
    torch.manual_seed(0)
    plain = DeconvNet(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), device="cpu")
    plain.record(torch.zeros(1, 3, 12, 12))
    net = plain.with_directions("dirs", "conv1", torch.eye(4)[:2])
    found = robustness.control(net, torch.randn(2, 3, 12, 12), "dirs", [0, 1], progress=False)
    assert found.trained.layers == found.untrained.layers == ("conv1",)
    assert found.untrained.channel.tolist() == [0, 1]
