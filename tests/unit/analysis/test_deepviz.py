"""Similarity, clusters, confusion and comparison, against cases whose answer is known."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zfwidgets.analysis.clusters import clusters
from zfwidgets.analysis.comparison import compare_channels
from zfwidgets.analysis.confusion import confusion
from zfwidgets.analysis.recorder import EvolutionRecorder
from zfwidgets.analysis.shared_images import SharedImages
from zfwidgets.analysis.similarity import best_match, cka, responses, similarity
from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.checkpoints import Checkpoints
from zfwidgets.images import Preprocess


def network(seed: int = 0, classes: int = 3) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.ReLU(),
        nn.Conv2d(6, 5, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, classes),
    ).eval()


def looked_into(model: nn.Module, name: str = "net") -> DeconvNet:
    return DeconvNet(model, name=name, device="cpu", categories=["red", "green", "blue"])


def pictures(number: int = 12, spread: float = 0.1) -> tuple[dict[str, Tensor], list[str]]:
    """Noise on plain red, green and blue, in turns; and what each is."""
    generator = torch.Generator().manual_seed(3)
    photos, labels = {}, []
    for index in range(number):
        picture = spread * torch.randn(3, 12, 12, generator=generator)
        picture[index % 3] += 2
        photos[f"photo {index:02d}"] = picture
        labels.append(["red", "green", "blue"][index % 3])
    return photos, labels


# ---------------------------------------------------------------------------- similarity


def by_definition(x: Tensor, y: Tensor) -> float:
    """Linear CKA by n x n matrices and sums over distinct indices (Song et al. 2012, eq. 4)."""

    def hsic(k: Tensor, q: Tensor) -> float:
        n = len(k)
        pairs = list(itertools.permutations(range(n), 2))
        a = sum(float(k[i, j] * q[i, j]) for i, j in pairs) / (n * (n - 1))
        b = sum(
            float(k[i, j] * q[l, m])
            for i, j, l, m in itertools.permutations(range(n), 4)  # noqa: E741
        ) / (n * (n - 1) * (n - 2) * (n - 3))
        c = sum(float(k[i, j] * q[i, l]) for i, j, l in itertools.permutations(range(n), 3)) / (  # noqa: E741
            n * (n - 1) * (n - 2)
        )
        return a + b - 2 * c

    k, q = (x @ x.T, y @ y.T)
    return hsic(k, q) / (hsic(k, k) * hsic(q, q)) ** 0.5


def test_cka_is_that_of_its_definition() -> None:
    x, y = torch.randn(7, 3).double(), torch.randn(7, 2).double()
    y[:, 0] += x[:, 0]
    assert cka(x, y) == pytest.approx(by_definition(x, y), abs=1e-9)


def test_the_same_responses_are_alike_however_they_are_turned_scaled_and_shifted() -> None:
    x = torch.randn(200, 20).double()
    rotation, _ = torch.linalg.qr(torch.randn(20, 20).double())
    assert cka(x, x) == pytest.approx(1)
    assert cka(x, 3 * x @ rotation + 7) == pytest.approx(1)
    assert cka(x, x * torch.logspace(-2, 2, 20)) < 0.9  # but not however they are stretched


def test_independent_responses_are_not_alike_even_if_there_are_few_examples() -> None:
    found = [cka(torch.randn(40, 300), torch.randn(40, 300)) for _ in range(20)]
    assert abs(sum(found) / len(found)) < 0.02
    with pytest.raises(ValueError, match="4 or more"):
        cka(torch.randn(3, 2), torch.randn(3, 2))


def test_a_response_is_the_mean_of_a_cell() -> None:
    net = looked_into(network())
    photos, _ = pictures(2)
    rows = responses(net, photos, ["conv1"], grid=2)["conv1"]
    maps = net.record(photos["photo 01"][None]).feature_maps("conv1")[0]
    assert maps.shape[1:] == (10, 10)
    # Picture 1, cell at row 0 and column 1.
    assert torch.allclose(rows[4 + 1], maps[:, :5, 5:].mean((1, 2)).double())


def test_every_site_is_compared_with_every_other() -> None:
    first, second = looked_into(network(0), "a"), looked_into(network(1), "b")
    photos, _ = pictures()
    found = similarity([first, second], photos, ["conv1", "conv2"], grid=3)
    assert found.sites == (("a", "conv1"), ("a", "conv2"), ("b", "conv1"), ("b", "conv2"))
    assert torch.allclose(found.matrix.diagonal(), torch.ones(4))
    assert torch.allclose(found.matrix, found.matrix.T)
    expected = cka(
        responses(first, photos, ["conv2"], 3)["conv2"],
        responses(second, photos, ["conv1"], 3)["conv1"],
    )
    assert float(found.matrix[1, 2]) == pytest.approx(expected)
    assert found.to_frame().loc[("a", "conv1"), ("a", "conv1")] == pytest.approx(1)
    assert found.labels[1] == "a conv2"
    assert found.plot().axes


def test_channels_that_were_shuffled_are_found_again() -> None:
    model, shuffled = network(), network()
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    shuffled.load_state_dict(model.state_dict())
    with torch.no_grad():
        for name in ("0.weight", "0.bias"):
            shuffled.get_parameter(name).copy_(model.get_parameter(name)[order])
        model.get_parameter("0.bias")[2] = -100  # never fires
    photos = {str(i): torch.randn(3, 12, 12) for i in range(6)}
    found = best_match(looked_into(model), looked_into(shuffled), photos, "conv1")
    for channel, match in enumerate(found.match.tolist()):
        if channel == 2:
            assert match == -1
            assert torch.isnan(found.correlation[2])
        else:
            assert int(order[match]) == channel
            assert float(found.correlation[channel]) == pytest.approx(1, abs=1e-5)
            assert found.mutual[channel]
    assert len(found.to_frame()) == 6
    assert found.plot().axes


# ------------------------------------------------------------------------------ clusters


def test_pictures_of_a_kind_are_in_one_cluster_nearest_first() -> None:
    photos, labels = pictures()
    net = looked_into(network())
    found = clusters(net, photos, "conv1", k=3)
    kinds = {
        kind: {int(found.label[0, i]) for i, label in enumerate(labels) if label == kind}
        for kind in ("red", "green", "blue")
    }
    assert sorted(kinds.values(), key=min) == [{0}, {1}, {2}]
    x = nn.functional.normalize(responses(net, photos, ["conv1"])["conv1"], dim=1)
    red = [i for i, label in enumerate(labels) if label == "red"]
    centre = x[red].mean(0)
    nearest = sorted(red, key=lambda i: float((x[i] - centre).norm()))
    cluster = int(found.label[0, red[0]])
    assert found.nearest(cluster, 3) == [found.ids[i] for i in nearest[:3]]
    squares = sum(float((d**2).sum()) for d in found.distance)
    assert float(found.inertia[0]) == pytest.approx(squares, rel=1e-4)


def test_the_same_seed_gives_the_same_clusters_and_the_same_network_agrees_with_itself() -> None:
    photos, _ = pictures(spread=3)
    net = looked_into(network())
    first = clusters([net, net, looked_into(network(5), "other")], photos, "conv1", k=4)
    again = clusters(net, photos, "conv1", k=4)
    assert torch.equal(first.label[0], again.label[0])
    assert torch.equal(first.label[0], first.label[1])
    assert float(first.agreement[0, 1]) == 1
    sizes = first.label[0].bincount(minlength=4).tolist()
    assert sizes == sorted(sizes, reverse=True)
    assert len(first.to_frame()) == 3 * 12
    assert len(first.plot(n=3).axes) == 12
    assert first.plot_agreement().axes
    with pytest.raises(ValueError, match="1 to 12"):
        clusters(net, photos, "conv1", k=13)


# ----------------------------------------------------------------------------- confusion


def test_answers_are_counted_by_class_and_the_confused_pictures_can_be_had() -> None:
    photos, labels = pictures()
    net = looked_into(network())
    found = confusion(net, photos, labels)
    names = ["red", "green", "blue"]
    for name, label in zip(photos, labels, strict=True):
        logits = net.record(photos[name][None]).logits
        assert logits is not None
        answer = names[int(logits.argmax())]
        assert name in found.cell(label, answer)
    assert int(found.counts.sum()) == len(photos)
    right = sum(len(found.cell(name, name)) for name in found.classes)
    assert float(found.accuracy[0]) == pytest.approx(right / len(photos))
    assert found.to_frame().to_numpy().sum() == len(photos)
    assert found.plot().axes


def test_numbers_are_labels_as_well_and_may_come_with_the_pictures() -> None:
    photos, labels = pictures()
    net = looked_into(network())
    pairs = [
        (photo, ["red", "green", "blue"].index(label))
        for photo, label in zip(photos.values(), labels, strict=True)
    ]
    assert torch.equal(confusion(net, pairs).counts, confusion(net, photos, labels).counts)


def test_a_network_agrees_with_itself() -> None:
    photos, _ = pictures(spread=2)
    net = looked_into(network())
    found = confusion([net, looked_into(network(4))], photos, against=net)
    assert float(found.accuracy[0]) == 1
    assert "taken as truth" in found.by


def test_features_answer_where_there_is_no_head(tmp_path: Path) -> None:
    photos, labels = pictures()
    stack = network()[:4]
    recorder = EvolutionRecorder(tmp_path, stack, at=[0, 1])
    recorder.step(0)
    with torch.no_grad():  # blind: no feature says anything of the picture
        stack.get_parameter("2.weight").zero_()
        stack.get_parameter("2.bias").fill_(1)
    recorder.step(1)
    found = confusion(recorder.checkpoints(), photos, labels, layer="conv2")
    assert float(found.accuracy[0]) == 1
    assert float(found.accuracy[1]) <= 0.5
    assert found.classes == ("red", "green", "blue")
    with pytest.raises(ValueError, match="give layer="):
        confusion(recorder.checkpoints(), photos, [0] * 12)
    with pytest.raises(ValueError, match="2 or more"):
        confusion(recorder.checkpoints(), photos, range(12), layer="conv2")


def test_a_picture_does_not_vote_for_itself() -> None:
    """Directions at random in two classes: with itself in the mean, each would look right."""
    photos = {str(i): torch.randn(3, 12, 12) for i in range(40)}
    model = nn.Sequential(nn.Conv2d(3, 200, 12))
    with torch.no_grad():
        model.get_parameter("0.bias").zero_()
    found = confusion(looked_into(model), photos, [i % 2 for i in range(40)], layer="conv1")
    assert float(found.accuracy[0]) < 0.75


def test_labels_that_are_missing_or_unknown_are_said() -> None:
    photos, _ = pictures()
    net = looked_into(network())
    with pytest.raises(ValueError, match="has no label"):
        confusion(net, photos)
    with pytest.raises(ValueError, match="'purple'"):
        confusion(net, photos, ["purple"] * 12)


# ---------------------------------------------------------------------------- comparison


@pytest.fixture
def run(tmp_path: Path) -> Checkpoints:
    model = network()
    recorder = EvolutionRecorder(tmp_path, model, every=1)
    for step in range(3):
        recorder.step(step)
        with torch.no_grad():
            model.get_parameter("0.weight").mul_(-2)
    return recorder.checkpoints()


def test_maps_of_a_picture_are_those_of_each_checkpoint_on_one_scale_per_channel(
    run: Checkpoints,
) -> None:
    photo = torch.randn(3, 12, 12)
    found = compare_channels(run, "conv1", [5, 1], image=photo)
    for column, net in enumerate(run):
        maps = net.record(photo[None]).feature_maps("conv1")[0, [5, 1]]
        assert torch.equal(found.values[column], maps)
    assert found.tiles.shape == (3, 2, 10, 10, 3)
    # The brightest colour is where the channel is strongest at any checkpoint, and only there.
    brightness = found.tiles[:, 0].astype(int).sum(-1)
    place = int(found.values[:, 0].argmax())
    assert brightness.ravel()[place] == brightness.max()
    weakest = int(found.values[:, 0].flatten(1).amax(1).argmin())
    assert brightness[weakest].max() < brightness.max()


def test_filters_are_compared_without_a_picture(run: Checkpoints) -> None:
    found = compare_channels(run, "conv1")
    assert found.channels == (0, 1, 2, 3, 4, 5)
    table = found.to_frame().set_index(["net", "channel"])
    names = [net.name for net in run]
    assert table.loc[(names[0], 3), "similarity"] == pytest.approx(1)
    assert table.loc[(names[1], 3), "similarity"] == pytest.approx(-1)
    ratio = table.loc[(names[1], 3), "rms"] / table.loc[(names[0], 3), "rms"]
    assert ratio == pytest.approx(2, rel=1e-3)
    assert compare_channels(run, "conv2").tiles.shape == (3, 5, 3, 3, 3)
    assert len(found.plot().axes) == 18
    with pytest.raises(IndexError, match="0 to 5"):
        compare_channels(run, "conv1", [6])


# ------------------------------------------------------------------- pictures of several networks


def test_networks_that_prepare_their_pictures_otherwise_get_them_otherwise() -> None:
    """The same network, once behind a preparation that turns reds into blues."""
    photos = {
        str(i): np.random.default_rng(i).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        for i in range(6)
    }
    plain = Preprocess(size=24, resize=24)
    turned = Preprocess(size=24, resize=24, channels="BGR")
    nets = [DeconvNet(network(), one, device="cpu", name=str(one)) for one in (plain, turned)]
    shared = SharedImages(photos)
    first, second = (shared.of(net) for net in nets)
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert not torch.allclose(first["0"], second["0"])
    for net, held in zip(nets, (first, second), strict=True):
        assert torch.allclose(held["3"], net.preprocess(photos["3"])[0])
    assert shared.of(nets[0]) is first


def test_an_iterator_is_gone_through_once_and_still_serves() -> None:
    photos, labels = pictures()
    net = looked_into(network())
    found = confusion([net, net], iter(photos.values()), labels)
    assert torch.equal(found.answer[0], confusion(net, photos, labels).answer[0])
    assert clusters([net, net], iter(photos.values()), "conv1", k=2).label.shape == (2, 12)
    with pytest.raises(ValueError, match="11 labels for 12"):
        confusion(net, photos, labels[:-1])
