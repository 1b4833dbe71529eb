"""Occlusion equals hiding one place after the other by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from torch import Tensor, nn

from zfwidgets.analysis import occlusion
from zfwidgets.analysis.occluder import Occluder
from zfwidgets.analysis.occlusion import scan
from zfwidgets.deconv import DeconvNet


def classifier() -> tuple[nn.Sequential, DeconvNet, Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(6 * 9 * 10, 4),
    )
    net = DeconvNet(model, categories=["ant", "bee", "cat", "dog"], device="cpu")
    return model, net, torch.randn(3, 18, 20)


class Corner(nn.Module):
    """A classifier beside a convolution that it does not use."""

    def __init__(self, conv: nn.Conv2d, linear: nn.Linear) -> None:
        super().__init__()
        self.conv, self.linear = conv, linear

    def forward(self, picture: Tensor) -> Tensor:
        return self.linear(picture.flatten(1)) + 0 * self.conv(picture).sum()


def test_occlusion_equals_a_loop_of_single_forward_passes() -> None:
    model, net, picture = classifier()
    result = occlusion(
        net, picture, size=5, stride=4, fill=0.25, layer="conv1", batch=7, progress=False
    )
    # The last place of each row and column touches the border.
    assert result.top.tolist() == [0, 4, 8, 12, 13]
    assert result.left.tolist() == [0, 4, 8, 12, 15]
    with torch.no_grad():
        clean = model[1](model[0](picture[None]))[0]
        label = int(model(picture[None]).argmax())
        channel = int(clean.flatten(1).max(1).values.argmax())
        assert (result.channel, result.label) == (channel, label)
        assert result.clean_activation == pytest.approx(float(clean[channel].sum()), rel=1e-5)
        for row, top in enumerate(result.top.tolist()):
            for col, left in enumerate(result.left.tolist()):
                hidden = picture.clone()
                hidden[:, top : top + 5, left : left + 5] = 0.25
                total = model[1](model[0](hidden[None]))[0, channel].sum()
                chances = model(hidden[None]).softmax(1)[0]
                torch.testing.assert_close(result.activation[row, col], total)
                torch.testing.assert_close(result.probability[row, col], chances[label])
                assert int(result.most_probable[row, col]) == int(chances.argmax())


def test_coarse_to_fine_ends_where_the_fine_grid_does() -> None:
    _, net, picture = classifier()
    fine = occlusion(net, picture, size=5, stride=2, layer="conv1", progress=False)
    steps = list(scan(Occluder(net, picture, layer="conv1"), size=5, stride=(8, 4, 2), batch=3))
    last = steps[-1]
    assert last.measured.all()
    torch.testing.assert_close(last.activation, fine.activation)
    torch.testing.assert_close(last.probability, fine.probability)
    assert last.most_probable.equal(fine.most_probable)
    assert (last.top.tolist(), last.left.tolist()) == (fine.top.tolist(), fine.left.tolist())
    shares = [step.done for step in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    # The coarse map comes first, and every value once measured stays.
    assert steps[0].activation.shape == (3, 3)
    assert steps[0].activation.isnan().any()
    coarse = occlusion(net, picture, size=5, stride=8, layer="conv1", progress=False)
    known = steps[len(coarse.measured.flatten()) // 3 - 1]
    torch.testing.assert_close(known.probability, coarse.probability)


def test_what_is_not_measured_is_interpolated_and_says_so() -> None:
    _, net, picture = classifier()
    result = occlusion(
        net, picture, size=6, stride=(6, 2), refine=0.3, layer="conv1", progress=False
    )
    fine = occlusion(net, picture, size=6, stride=2, layer="conv1", progress=False)
    finer = result.measured.numel() - 3 * 4
    assert int(result.measured.sum()) == 3 * 4 + round(0.3 * finer)
    known = result.measured
    torch.testing.assert_close(result.activation[known], fine.activation[known])
    # Between two coarse places: the mean of both, if neither it nor they were refined.
    none = occlusion(net, picture, size=6, stride=(6, 3), refine=0, layer="conv1", progress=False)
    torch.testing.assert_close(
        none.probability[0, 1], (none.probability[0, 0] + none.probability[0, 2]) / 2
    )
    assert not none.measured[0, 1]


def test_refinement_begins_where_the_coarse_map_changes() -> None:
    """The class depends on one corner only: the other corner is refined last."""
    linear = nn.Linear(3 * 32 * 32, 2, bias=False)
    with torch.no_grad():
        weight = torch.zeros(2, 3, 32, 32)
        weight[0, :, :8, :8] = 0.1
        linear.weight.copy_(weight.flatten(1))
    conv = nn.Conv2d(3, 2, 1)
    net = DeconvNet(Corner(conv, linear), device="cpu")
    result = occlusion(
        net,
        torch.ones(3, 32, 32),
        size=8,
        stride=(8, 2),
        refine=0.2,
        fill=0.0,
        layer="conv",
        label=0,
        progress=False,
    )
    fine = result.measured & (result.boxes % 8 != 0).any(-1)
    assert fine[:5, :5].float().mean() > 0.5
    assert fine[-4:, -4:].float().mean() < 0.3


def test_the_plot_has_the_columns_of_the_figure() -> None:
    _, net, picture = classifier()
    result = occlusion(net, picture, size=5, stride=4, layer="conv1", progress=False)
    figure = result.plot()
    shown = [np.asarray(image.get_array()) for axes in figure.axes for image in axes.get_images()]
    for values in (result.activation, result.probability):
        assert any(image.shape == (5, 5) and np.allclose(image, values) for image in shown)
    text = " ".join(t.get_text() for t in figure.findobj(Text))
    assert result.name(int(result.most_probable[0, 0])) in text


def test_the_table_names_places_and_classes() -> None:
    _, net, picture = classifier()
    result = occlusion(net, picture, size=6, stride=6, layer="conv1", label="cat", progress=False)
    assert result.label == 2
    table = result.to_frame()
    assert len(table) == len(result.top) * len(result.left)
    assert table.loc[0, ["top", "left", "bottom", "right"]].tolist() == [0, 0, 6, 6]
    assert set(table["most probable"]) <= {"ant", "bee", "cat", "dog"}
    assert result.boxes[-1, -1].tolist() == [12, 14, 18, 20]


def test_hiding_a_place_that_is_grey_already_changes_nothing() -> None:
    _, net, _ = classifier()
    grey = (128 / 255 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    picture = grey[:, None, None].expand(3, 18, 20)
    result = occlusion(net, picture, size=6, stride=6, layer="conv1", progress=False)
    torch.testing.assert_close(
        result.probability, torch.full_like(result.probability, result.clean_probability)
    )


def test_what_cannot_be_hidden_is_refused() -> None:
    _, net, picture = classifier()
    with pytest.raises(ValueError, match="1 to 18 pixels"):
        occlusion(net, picture, size=19, layer="conv1", progress=False)
    with pytest.raises(ValueError, match="expected one"):
        occlusion(net, torch.stack([picture, picture]), layer="conv1", progress=False)
    with pytest.raises(ValueError, match="multiple of the next"):
        occlusion(net, picture, size=5, stride=(8, 3), layer="conv1", progress=False)
    with pytest.raises(ValueError, match="share from 0 to 1"):
        occlusion(net, picture, size=5, refine=2, layer="conv1", progress=False)
    with pytest.raises(ValueError, match="no category"):
        occlusion(net, picture, size=5, layer="conv1", label="cow", progress=False)
