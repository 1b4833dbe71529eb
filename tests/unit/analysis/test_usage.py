"""The numbers of a usage report, against independent computations and planted faults."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from zfwidgets.analysis import assert_healthy, usage
from zfwidgets.analysis.scanning.sums import treves_rolls
from zfwidgets.analysis.usage import entropy, gini
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Preprocess


def network() -> tuple[DeconvNet, Tensor]:
    """conv1 (6 channels), conv2 (5), an output; 10 pictures [10, 3, 12, 12]."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.ReLU(),
        nn.Conv2d(6, 5, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(320, 4),
    )
    return DeconvNet(model.eval(), device="cpu", name="small"), torch.randn(10, 3, 12, 12)


def conv(net: DeconvNet, path: str) -> nn.Conv2d:
    module = net.model.get_submodule(path)
    assert isinstance(module, nn.Conv2d)
    return module


def loop_sparsity(responses: list[float]) -> float:
    n = len(responses)
    ratio = (sum(responses) / n) ** 2 / (sum(r * r for r in responses) / n)
    return (1 - ratio) / (1 - 1 / n)


def test_gini_is_zero_for_equal_shares_and_nearly_one_for_a_single_owner() -> None:
    assert gini(torch.full((7,), 3.0)) == pytest.approx(0)
    assert gini(torch.eye(8)[3]) == pytest.approx(7 / 8)


def test_gini_is_half_the_mean_difference_over_the_mean() -> None:
    values = torch.rand(20, generator=torch.Generator().manual_seed(1)).tolist()
    differences = [abs(a - b) for a in values for b in values]
    mean = sum(values) / len(values)
    assert gini(torch.tensor(values)) == pytest.approx(sum(differences) / 400 / (2 * mean))


def test_entropy_of_equal_shares_is_the_logarithm_of_their_number() -> None:
    assert entropy(torch.full((9,), 0.2)) == pytest.approx(math.log(9))
    assert entropy(torch.eye(9)[0]) == 0
    assert entropy(torch.tensor([1.0, 3.0])) == pytest.approx(
        -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    )


def test_sparsity_is_zero_for_equal_responses_and_one_for_a_single_one() -> None:
    for responses, expected in ((torch.ones(5), 0.0), (torch.eye(5)[2], 1.0)):
        found = treves_rolls(responses.mean(), responses.square().mean(), 5)
        assert float(found) == pytest.approx(expected)


def test_every_number_of_a_layer_equals_a_loop_over_its_maps() -> None:
    net, pictures = network()
    labels = [index % 3 for index in range(10)]
    result = usage(net, pictures, batch=4, labels=labels, progress=False)
    assert list(result.layers) == ["conv1", "conv2"]
    found = result["conv2"]
    maps = net.record(pictures).feature_maps("conv2").double()
    assert found.selectivity is not None
    for channel in range(5):
        own = maps[:, channel]
        assert float(found.max[channel]) == pytest.approx(float(own.max()))
        assert float(found.mean[channel]) == pytest.approx(float(own.mean()))
        assert float(found.energy[channel]) == pytest.approx(float((own * own).mean()))
        peaks = [float(picture.max()) for picture in own]
        assert float(found.fires[channel]) == sum(p > 0 for p in peaks) / 10
        assert float(found.lifetime[channel]) == pytest.approx(loop_sparsity(peaks))
        classes = sorted(float(own[label::3].mean()) for label in range(3))
        rest = (classes[0] + classes[1]) / 2
        expected = (classes[2] - rest) / (classes[2] + rest)
        assert float(found.selectivity[channel]) == pytest.approx(expected)
    population = [loop_sparsity([float(m.max()) for m in picture]) for picture in maps]
    assert found.population == pytest.approx(sum(population) / 10)
    assert found.evenness == pytest.approx(math.log(found.effective) / math.log(5))


def test_a_planted_dead_channel_is_found_and_named() -> None:
    net, pictures = network()
    bias = conv(net, "2").bias
    assert bias is not None
    with torch.no_grad():
        bias[3] = -1000
    found = usage(net, pictures, progress=False)
    assert found["conv2"].dead == [3]
    assert found["conv1"].dead == []
    assert "conv2: dead 3" in found.report()
    with pytest.raises(AssertionError, match=r"conv2: 1 of 5 channels dead \(20.0% > 5.0%\): 3"):
        assert_healthy(net, pictures)
    assert assert_healthy(net, pictures, max_dead=0.2).images == 10


def test_a_channel_that_fires_in_one_picture_of_ten_is_near_dead() -> None:
    net, pictures = network()
    bias = conv(net, "0").bias
    assert bias is not None
    peaks = net.record(pictures).feature_maps("conv1")[:, 2].amax((1, 2)).sort()[0]
    with torch.no_grad():
        bias[2] -= (peaks[-1] + peaks[-2]) / 2
    found = usage(net, pictures, near=0.15, progress=False)["conv1"]
    assert float(found.fires[2]) == pytest.approx(0.1)
    assert found.near_dead == [2]
    assert float(found.lifetime[2]) == pytest.approx(1)


def test_a_planted_duplicate_is_found_whatever_its_scale() -> None:
    net, pictures = network()
    weight = conv(net, "0").weight
    with torch.no_grad():
        weight[4] = weight[1] * 3
    ((first, second, cosine),) = usage(net, pictures, progress=False)["conv1"].duplicates
    assert (first, second) == (1, 4)
    assert cosine == pytest.approx(1)
    with pytest.raises(AssertionError, match=r"conv1: 1 of 6 channels duplicates .*: 4"):
        assert_healthy(net, pictures, max_duplicates=0.1)


def test_a_weight_that_is_no_number_is_named_and_not_called_dead() -> None:
    net, pictures = network()
    net.record(pictures)
    with torch.no_grad():
        conv(net, "0").weight[5] = float("nan")
    assert usage(net, pictures, layers=["conv1"], progress=False)["conv1"].dead == []
    with pytest.raises(AssertionError, match="conv1: channels 5 are infinite or no number"):
        assert_healthy(net, pictures, layers=["conv1"])


def test_a_folder_a_list_of_paths_and_a_labelled_dataset_give_the_same_numbers(
    tmp_path: Path,
) -> None:
    net, _ = network()
    net.transforms = Preprocess(size=12, resize=12)
    random = np.random.default_rng(0)
    photos = [Image.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8)) for _ in range(5)]
    paths = [tmp_path / f"{index}.png" for index in range(5)]
    for photo, path in zip(photos, paths, strict=True):
        photo.save(path)
    dataset = [(photo, index % 2) for index, photo in enumerate(photos)]
    folder, files, labelled, streamed = (
        usage(net, images, batch=2, progress=False)["conv2"]
        for images in (tmp_path, paths, dataset, iter(photos))
    )
    for other in (files, labelled, streamed):
        torch.testing.assert_close(other.energy, folder.energy)
    assert folder.selectivity is None
    assert labelled.selectivity is not None


def test_tables_have_a_row_per_layer_and_a_row_per_channel() -> None:
    net, pictures = network()
    found = usage(net, pictures, progress=False)
    assert found.to_frame().index.tolist() == ["conv1", "conv2"]
    assert found["conv1"].to_frame()["max"].tolist() == found["conv1"].max.tolist()


def test_no_images_and_unknown_layers_are_refused() -> None:
    net, pictures = network()
    with pytest.raises(ValueError, match="no images"):
        usage(net, [], progress=False)
    with pytest.raises(KeyError, match="conv9"):
        usage(net, pictures, layers=["conv9"], progress=False)
    with pytest.raises(ValueError, match="no label for image"):
        usage(net, pictures, labels=[1, 2], progress=False)
