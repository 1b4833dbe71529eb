"""A linear probe finds what is planted, and nothing where nothing is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from zfwidgets.analysis.probe import linear_probe
from zfwidgets.analysis.untrained import untrained
from zfwidgets.deconv import DeconvNet


class Separated(nn.Module):
    """Pixels: noise, class by the product of two means' signs, which is not linear. conv: that
    product, which is. blind: nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(2, 4, 1, bias=False)
        self.blind = nn.Conv2d(4, 2, 1, bias=False)
        with torch.no_grad():
            # |a + b| is large where the signs agree, |a - b| where they differ.
            self.mix.weight.copy_(
                torch.tensor([[1.0, 1], [-1, -1], [1, -1], [-1, 1]])[:, :, None, None]
            )
            self.blind.weight.zero_()

    def forward(self, picture: Tensor) -> Tensor:
        seen = torch.relu(self.mix(picture))
        return torch.relu(self.blind(seen))


def crossed() -> tuple[list[Tensor], list[str]]:
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (120, 2), generator=generator) * 2 - 1
    pictures = signs[:, :, None, None] + 0.3 * torch.randn(120, 2, 6, 6, generator=generator)
    labels = ["same" if a == b else "other" for a, b in signs.tolist()]
    return list(pictures), labels


@pytest.mark.parametrize("classifier", ["logistic", "svm"])
def test_a_planted_layer_is_separable_and_others_are_not(classifier: str) -> None:
    pictures, labels = crossed()
    net = DeconvNet(Separated(), device="cpu")
    found = linear_probe(
        net,
        pictures,
        labels,
        layers=["mix", "blind"],
        classifier=classifier,  # type: ignore[arg-type]
        folds=4,
        control=False,
        progress=False,
    )
    assert found.layers == ("pixels", "mix", "blind")
    pixels, mix, blind = found.accuracy.mean(1).tolist()
    assert mix > 0.99
    assert pixels < 0.7
    # Without any information the larger class is guessed.
    assert blind == pytest.approx(found.chance, abs=0.02)
    assert found.accuracy.shape == (3, 8)
    assert found.control is None


def test_labels_that_mean_nothing_give_chance() -> None:
    generator = torch.Generator().manual_seed(1)
    pictures = list(torch.randn(100, 3, 12, 12, generator=generator))
    net = DeconvNet(nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU()), device="cpu")
    found = linear_probe(net, pictures, [i % 2 for i in range(100)], progress=False)
    assert found.chance == 0.5
    mean, low, high = found.interval(found.accuracy)
    assert (low < 0.56).all()
    assert (high > 0.44).all()
    assert (low < mean).all()
    assert found.control is not None


def test_a_folder_with_a_sub_folder_per_class_is_a_labelled_dataset(tmp_path: Path) -> None:
    for name, level in (("dark", 40), ("light", 200)):
        (tmp_path / name).mkdir()
        for i in range(4):
            Image.new("RGB", (30, 30), (level + i,) * 3).save(tmp_path / name / f"{i}.png")
    net = DeconvNet(nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU()), device="cpu")
    found = linear_probe(net, tmp_path, folds=2, progress=False)
    assert found.classes == ("dark", "light")
    assert found.images == 8
    assert float(found.accuracy[0].mean()) == 1
    table = found.to_frame()
    assert table["layer"].tolist() == ["pixels", "conv1"]
    np.testing.assert_allclose(table["accuracy"], found.accuracy.mean(1))
    lines = found.plot().axes[0].lines
    assert any(np.allclose(np.asarray(each.get_ydata()), table["accuracy"]) for each in lines)


def test_the_control_is_random_but_blind_in_no_layer() -> None:
    torch.manual_seed(77)  # not that of the control, or both would be drawn alike
    layers = [nn.Conv2d(3, 50, 7), *(nn.Conv2d(50, 50, 3, padding=1) for _ in range(6))]
    with torch.no_grad():
        for layer in layers:
            layer.weight -= 0.1  # as learned weights may be; random ones like that would all be off
    net = DeconvNet(
        nn.Sequential(*(m for layer in layers for m in (layer, nn.ReLU()))), device="cpu"
    )
    other = untrained(net)
    first = other.model.get_submodule("0")
    assert isinstance(first, nn.Conv2d)
    learned, drawn = layers[0].weight.detach().flatten(), first.weight.detach().flatten()
    assert abs(np.corrcoef(learned, drawn)[0, 1]) < 0.1
    assert first.bias is not None
    assert not first.bias.any()
    recording = other.record(torch.randn(2, 3, 32, 32))
    spread = [float(recording.feature_maps(name).std()) for name in other.layers]
    assert all(value == pytest.approx(spread[0], rel=0.6) for value in spread)
    assert net.weights_hash() != other.weights_hash()


def test_the_control_of_a_network_has_its_inputs_and_directions() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, picture: Tensor, scale: Tensor) -> Tensor:
            return self.conv(picture).relu() * scale

    torch.manual_seed(0)
    plain = DeconvNet(Scaled(), device="cpu", inputs={"scale": torch.tensor(2.0)}, strict=True)
    plain.record(torch.zeros(1, 3, 8, 8))
    net = plain.with_directions("dirs", "conv", torch.randn(5, 4))
    pictures = list(torch.randn(12, 3, 8, 8))
    found = linear_probe(net, pictures, [0, 1] * 6, layers=["dirs"], folds=2, progress=False)
    assert found.control is not None
    assert found.control.shape == found.accuracy.shape
    other = untrained(net)
    assert (other.strict, other.name) == (True, f"{net.name} untrained")
    maps = other.record(torch.stack(pictures)).feature_maps("dirs")
    assert maps.shape[1] == 5
    assert not torch.equal(maps, net.record(torch.stack(pictures)).feature_maps("dirs"))


def test_what_cannot_be_learned_from_is_refused() -> None:
    net = DeconvNet(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), device="cpu")
    pictures = list(torch.randn(6, 3, 8, 8))
    with pytest.raises(ValueError, match="one sub-folder per class"):
        linear_probe(net, pictures, progress=False)
    with pytest.raises(ValueError, match="as many as folds"):
        linear_probe(net, pictures, [0, 1] * 3, progress=False)
    with pytest.raises(ValueError, match="expected"):
        linear_probe(net, pictures, [0, 1] * 3, folds=1, progress=False)
