"""Signs of changes: identical, opposite, independent; and masks on photos of known networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zfwidgets.analysis.correspondence import correspondence, hamming
from zfwidgets.deconv import DeconvNet


def net() -> DeconvNet:
    """The layer looked at is the picture itself, without rectifier."""
    conv = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.ones_(conv.weight)
    return DeconvNet(nn.Sequential(conv), device="cpu")


def test_identical_signs_are_0_opposite_1_and_independent_a_half() -> None:
    signs = torch.randn(10_000, generator=torch.Generator().manual_seed(0)).sign()
    other = torch.randn(10_000, generator=torch.Generator().manual_seed(1)).sign()
    assert float(hamming(signs, signs)) == 0
    assert float(hamming(signs, -signs)) == 1
    assert float(hamming(signs, other)) == pytest.approx(0.5, abs=0.02)


def test_zeros_in_both_say_nothing_and_zeros_in_one_count_a_half() -> None:
    a, b = torch.tensor([1.0, 0, 0, -1]), torch.tensor([1.0, 0, 1, 1])
    # One equal, one left out, one half, one opposite.
    assert float(hamming(a, b)) == pytest.approx((0 + 0.5 + 1) / 3)
    assert float(hamming(torch.zeros(3), torch.zeros(3))) == 0.5


def test_photos_that_lose_the_same_are_consistent_and_opposite_ones_are_not() -> None:
    patch = torch.randn(1, 6, 6, generator=torch.Generator().manual_seed(2))
    photos = torch.zeros(3, 1, 16, 16)
    photos[0, :, 2:8, 2:8], photos[1, :, 2:8, 2:8] = patch, 3 * patch
    photos[2, :, 2:8, 2:8] = -patch
    boxes = {"patch": [(2, 2, 8, 8)] * 3}
    found = correspondence(
        net(), photos, boxes, layers=["conv1"], fill=0.0, random=3, progress=False
    )
    assert found.pairs == ((0, 1), (0, 2), (1, 2))
    assert found.differences[0, 0].tolist() == [0, 1, 1]
    assert float(found.delta) == pytest.approx(2 / 3)
    alike = correspondence(
        net(), photos[:2], {"patch": [(2, 2, 8, 8)] * 2}, layers=["conv1"], fill=0.0,
        random=40, progress=False,
    )  # fmt: skip
    assert float(alike.delta) == float(alike.low) == float(alike.high) == 0
    assert float(alike.z) > 1
    assert 0 < float(alike.random.mean()) < 1


def test_masks_in_noise_are_as_consistent_as_random_ones() -> None:
    photos = torch.randn(5, 1, 24, 24, generator=torch.Generator().manual_seed(3))
    boxes = {"here": [(3 * i, i, 3 * i + 9, i + 9) for i in range(5)]}
    found = correspondence(
        net(), photos, boxes, layers=["conv1"], fill=0.0, random=60, progress=False
    )
    # Where masks do not overlap a change meets none: that is a half, as independence is.
    assert float(found.delta) == pytest.approx(0.5, abs=0.06)
    assert float(found.low) <= float(found.delta) <= float(found.high)
    assert abs(float(found.z)) < 4


def test_masks_moved_together_agree_as_masks_at_one_place_do() -> None:
    """The part means nothing here; that it is at one place does."""
    photos = torch.rand(4, 1, 24, 24, generator=torch.Generator().manual_seed(4)) + 0.1
    boxes = {"same place": [(4, 4, 10, 10)] * 4}
    options = {"layers": ["conv1"], "fill": 0.0, "random": 20, "progress": False}
    apart = correspondence(net(), photos, boxes, **options)  # type: ignore[arg-type]
    together = correspondence(net(), photos, boxes, together=True, **options)  # type: ignore[arg-type]
    assert float(apart.delta) == 0
    assert float(apart.random.mean()) > 0.3
    assert float(together.random.max()) == 0


def test_it_equals_two_forward_passes_by_hand() -> None:
    torch.manual_seed(5)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.append(nn.Linear(4, 2))
    photos = torch.randn(2, 3, 20, 20)
    boxes = {"part": [(1, 2, 7, 9), (10, 4, 15, 18)]}
    made = DeconvNet(model, device="cpu")
    found = correspondence(made, photos, boxes, fill="mean", random=2, progress=False)
    hidden = photos.clone()
    hidden[0, :, 1:7, 2:9] = photos[0].mean((1, 2))[:, None, None]
    hidden[1, :, 10:15, 4:18] = photos[1].mean((1, 2))[:, None, None]
    with torch.no_grad():
        eps = (model[:2](photos) - model[:2](hidden)).flatten(1).sign().tolist()
    costs = [abs(a - b) / 2 for a, b in zip(*eps, strict=True) if a or b]
    assert found.layers[0] == "conv1"
    assert float(found.differences[0, 0, 0]) == pytest.approx(np.mean(costs), abs=1e-3)


class RoundedByBatch(nn.Module):
    """Rounds in the last bit as arithmetic for batches of another size may."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.conv(x * (1 + len(x) * torch.finfo(x.dtype).eps))
        return maps


@pytest.mark.parametrize("batch", [1, 2, 3, 64])
def test_another_batch_is_no_change(batch: int) -> None:
    """What no mask reaches has not changed, however sums are rounded: boxes apart are a half."""
    photos = torch.rand(5, 1, 16, 16, generator=torch.Generator().manual_seed(6)) + 0.5
    boxes = {"apart": [(3 * i, 0, 3 * i + 2, 16) for i in range(5)]}
    made = DeconvNet(RoundedByBatch(), device="cpu")
    found = correspondence(
        made, photos, boxes, layers=["conv"], fill=0.0, random=2, batch=batch, progress=False
    )
    assert found.differences.flatten().tolist() == [0.5] * 10


def test_the_same_seed_gives_the_same_masks_and_the_table_holds_all() -> None:
    photos = torch.randn(3, 1, 16, 16)
    boxes = {"a": [(0, 0, 4, 4)] * 3, "b": [(8, 8, 16, 16)] * 3}
    options = {"layers": ["conv1"], "fill": 0.0, "random": 5, "progress": False}
    one = correspondence(net(), photos, boxes, seed=7, **options)  # type: ignore[arg-type]
    two = correspondence(net(), photos, boxes, seed=7, **options)  # type: ignore[arg-type]
    assert one.random.equal(two.random)
    assert one.low.equal(two.low)
    table = one.to_frame()
    assert table["part"].tolist() == ["a", "b", "random"]
    labels = [label.get_text() for label in one.plot().axes[0].get_yticklabels()]
    assert labels == ["a", "b", "random masks"]


def test_what_cannot_be_compared_is_refused() -> None:
    photos = torch.randn(2, 1, 16, 16)
    with pytest.raises(ValueError, match="expected 2 photos"):
        correspondence(net(), photos[:1], {"a": [(0, 0, 4, 4)]}, progress=False)
    with pytest.raises(ValueError, match="has 1 boxes for 2 photos"):
        correspondence(net(), photos, {"a": [(0, 0, 4, 4)]}, progress=False)
    with pytest.raises(ValueError, match="bottom <= 16"):
        correspondence(net(), photos, {"a": [(0, 0, 4, 4), (0, 0, 17, 4)]}, progress=False)
