"""Occlusion equals hiding one place after the other by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from zfwidgets.analysis import occlusion
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
    with pytest.raises(ValueError, match="no category"):
        occlusion(net, picture, size=5, layer="conv1", label="cow", progress=False)
