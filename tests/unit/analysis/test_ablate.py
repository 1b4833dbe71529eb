"""Over many pictures: a class that rests on one channel falls with it, and others stay."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import zfwidgets as zf
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Preprocess

NAMES = ["red", "green", "blue"]


def colours() -> DeconvNet:
    """Channel c answers to colour c, and class c is its average."""
    model = nn.Sequential(
        nn.Conv2d(3, 3, 1, bias=False),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(3, 3),
    )
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(3)[:, :, None, None])  # type: ignore[operator]
        model[4].weight.copy_(10 * torch.eye(3))  # type: ignore[operator]
        model[4].bias.zero_()  # type: ignore[operator]
    plain = Preprocess(size=8, resize=8, mean=(0, 0, 0), std=(1, 1, 1))
    return DeconvNet(model, plain, NAMES, device="cpu")


def pictures() -> list[tuple[Tensor, str]]:
    """Two of every colour, each with a little of the next one."""
    found = []
    for index, name in enumerate([*NAMES, *NAMES]):
        x = torch.zeros(3, 8, 8)
        x[index % 3], x[(index + 1) % 3] = 1.0, 0.2
        found.append((x, name))
    return found


def test_without_the_red_channel_red_pictures_are_taken_for_green_and_others_stay() -> None:
    found = zf.ablate(colours(), pictures(), "conv1", 0, batch=4, progress=False)
    assert found.before.tolist() == [0, 1, 2, 0, 1, 2]
    assert found.after.tolist() == [1, 1, 2, 1, 1, 2]
    assert found.accuracy == pytest.approx((1.0, 4 / 6))
    table = found.to_frame()
    assert table.index[0] == "red"
    assert table["changed"].to_dict() == {"red": 2, "green": 0, "blue": 0}
    assert table["right after"].to_dict() == {"red": 0, "green": 2, "blue": 2}
    by_hand = torch.tensor([0.0, 2.0, 0.0]).softmax(0)[0]
    assert table.loc["red", "after"] == pytest.approx(float(by_hand), rel=1e-5)
    assert "2 of 6 decisions changed" in str(found)
    figure = found.plot()
    assert figure.axes[0].get_yticklabels()[0].get_text() == "red (2)"


def test_without_labels_classes_are_the_decisions() -> None:
    plain = [x for x, _ in pictures()]
    found = zf.ablate(colours(), plain, "conv1", [0], keep=True, value="zero", progress=False)
    assert found.channels.tolist() == [1, 2]
    assert found.accuracy is None
    assert found.to_frame()["pictures"].to_dict() == {"red": 2, "green": 2, "blue": 2}
    # Blue's little red is all that is left of it; green has none.
    assert found.after[2] == 0


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(ValueError, match="no images"):
        zf.ablate(colours(), [], "conv1", 0, progress=False)
    headless = DeconvNet(nn.Sequential(nn.Conv2d(3, 3, 1)), device="cpu")
    with pytest.raises(ValueError, match="compares decisions"):
        zf.ablate(headless, [torch.rand(3, 8, 8)], "conv1", 0, progress=False)
