"""A run that goes on from weights that ship: what stays, what learns, and where it was stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from training.album import Album
from training.data import Lessons
from training.evaluate import known, shipped
from training.export import export, export_evolution
from training.folding import folded, unfold
from training.onward import Labelled, Onward, OnwardRun, below
from training.teacher import Teacher, normalised
from training.train import Exam
from zfwidgets.nets.zfnet import ZFNet

FEW = Onward(
    crops=24,
    side=72,
    mixed=0.5,
    steps=6,
    batch=8,
    sizes=((0.5, 64, 2), (1.0, 72, 1)),
    used_at=80,
    photographs=16,
    apart_every=2,
    threads=1,
)


def made() -> nn.Module:
    """ZFNet with a quarter of the paper's maps and batch norm, for ten classes."""
    width = (24, 64, 96, 96, 64)
    return ZFNet(num_classes=10, width=width, head="light", norm=False, batch_norm=True)


@pytest.fixture(scope="module")
def labelled(album: Album, teacher: Teacher, tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    found = Labelled(tmp_path_factory.mktemp("labelled"), FEW, classes=10)
    found.fill(album, teacher)
    return found


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of ten classes as it would ship."""
    torch.manual_seed(4)
    net = made()
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    path = tmp_path_factory.mktemp("weights") / "zfnet.safetensors"
    export(net.state_dict(), path, {})
    return path


@pytest.fixture(scope="module")
def exam(lessons: Lessons) -> Exam:
    seen = known(lessons, draws=1, count=16)
    return Exam(seen.crops, seen.logits, seen.logits.argmax(1))


@pytest.fixture(scope="module")
def finished(
    weights: Path,
    labelled: Labelled,
    album: Album,
    exam: Exam,
    tmp_path_factory: pytest.TempPathFactory,
) -> OnwardRun:
    run = OnwardRun("zfnet", FEW, weights, labelled, tmp_path_factory.mktemp("run"))
    run.go_on(exam, album, every=2)
    return run


def test_filling_goes_on_where_it_was_stopped(
    labelled: Labelled, album: Album, teacher: Teacher, tmp_path: Path
) -> None:
    few = replace(FEW, crops=16)
    Labelled(tmp_path, few, classes=10).fill(album, teacher)
    more = replace(FEW, crops=80)
    Labelled(tmp_path, more, classes=10).fill(album, teacher)
    again = Labelled(tmp_path, more, classes=10)
    assert again.count == 80
    np.testing.assert_array_equal(again.crops[:16], labelled.crops[:16])
    assert again.logits[16:].std() > 0, "none is left empty"
    Labelled(tmp_path, few, classes=10)
    again = Labelled(tmp_path, more, classes=10)
    assert again.crops[79].std() > 0, "a run that takes fewer leaves the others where they are"


def test_labels_are_what_the_teacher_says_of_the_crops(
    labelled: Labelled, album: Album, teacher: Teacher
) -> None:
    seed = FEW.seed * 1_000_003 + FEW.first + 1
    crops = album.draw(64, torch.Generator().manual_seed(seed))[: FEW.crops]
    said = teacher.answer(crops).logits
    torch.testing.assert_close(
        torch.from_numpy(labelled.logits[:]).float(), said, atol=0.02, rtol=0.01
    )


def test_an_answer_owes_nothing_to_how_often_its_class_occurs(
    labelled: Labelled, weights: Path, exam: Exam, tmp_path: Path
) -> None:
    """A teacher that names common classes whatever it is shown teaches nothing at all."""
    said = np.linspace(0, 4, 10)
    common = torch.from_numpy(said).softmax(0).float()
    blind = Labelled(tmp_path / "blind", FEW, classes=10)
    blind.crops[:] = labelled.crops
    blind.logits[:] = said
    torch.testing.assert_close(blind.frequencies(), common, atol=1e-3, rtol=1e-3)

    def loss(balanced: float) -> float:
        folder = tmp_path / str(balanced)
        run = OnwardRun("zfnet", replace(FEW, balanced=balanced), weights, blind, folder)
        for parameter in run.net.get_submodule("fc8").parameters():
            nn.init.zeros_(parameter)
        run.advance()
        run.log(exam)
        found: float = json.loads((folder / "log.jsonl").read_text())["kl"]
        return found

    away = (common * (common * 10).log()).sum().item()
    assert loss(0.0) == pytest.approx(away, rel=0.01)
    assert loss(1.0) == pytest.approx(0, abs=0.01 * away)


def test_views_show_another_part_of_the_same_crops(labelled: Labelled) -> None:
    first = torch.cat(list(labelled.seen(64, 0)))
    second = torch.cat(list(labelled.seen(64, 1)))
    assert first.shape == second.shape == (FEW.crops, 3, 64, 64)
    assert not torch.equal(first, second)
    torch.testing.assert_close(first, torch.cat(list(labelled.seen(64, 0))))
    means = [view.mean((2, 3)).flatten() for view in (first, second)]
    assert torch.corrcoef(torch.stack(means))[0, 1] > 0.9


def test_batch_norm_is_put_back_without_changing_an_answer(
    weights: Path, labelled: Labelled
) -> None:
    plain = shipped("zfnet", weights)
    inputs = next(labelled.seen(64, 0))
    net = made()
    unfold(plain, net, inputs, after="pool2")
    with torch.no_grad():
        torch.testing.assert_close(net.eval()(inputs), plain(inputs), atol=1e-4, rtol=1e-3)
    state = folded(net.state_dict())
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(state[name], tensor, atol=1e-5, rtol=1e-3, msg=name)


def test_what_lies_below_stays_bit_for_bit(finished: OnwardRun, weights: Path) -> None:
    before, after = load_file(weights), folded(finished.net.state_dict())
    for name, tensor in before.items():
        same = torch.equal(after[name].half(), tensor)
        assert same == name.startswith(("conv1", "conv2")), name


def test_maps_of_below_are_those_of_the_network_itself(weights: Path, labelled: Labelled) -> None:
    plain = shipped("zfnet", weights)
    views = torch.cat([torch.cat(list(labelled.seen(64, view))) for view in (0, 1)])
    maps = below(plain, iter(views.split(10)), len(views))
    with torch.no_grad():
        for name, layer in plain.named_children():
            views = layer(views)
            if name == "pool2":
                break
    assert maps.shape == views.shape
    torch.testing.assert_close(maps.float(), views, atol=0.02 * views.max().item(), rtol=0.05)


def test_every_map_is_shown_once_before_any_is_again(finished: OnwardRun) -> None:
    run = finished
    orders = []
    for step in range(6):
        run.step = step
        orders.append(run._drawn(24))
    run.step = FEW.steps
    assert sorted(torch.cat(orders[:3]).tolist()) == list(range(24))
    assert sorted(torch.cat(orders[3:]).tolist()) == list(range(24))
    assert not torch.equal(torch.cat(orders[:3]), torch.cat(orders[3:]))


def test_an_interrupted_run_ends_where_an_unbroken_one_does(
    finished: OnwardRun,
    weights: Path,
    labelled: Labelled,
    album: Album,
    exam: Exam,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = OnwardRun("zfnet", FEW, weights, labelled, tmp_path)
    advance = run.advance

    def interrupted() -> None:
        if run.step == 4:
            raise KeyboardInterrupt
        advance()

    monkeypatch.setattr(run, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.go_on(exam, album, every=2)
    again = OnwardRun("zfnet", FEW, weights, labelled, tmp_path)
    assert again.step == 4
    again.go_on(exam, album, every=2)
    for name, tensor in finished.net.state_dict().items():
        torch.testing.assert_close(again.net.state_dict()[name], tensor, msg=name)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 2, 4, 6]
    assert {"kl", "apart", "top1", "label5", "silent"} <= set(lines[-1])


def test_it_learns(weights: Path, labelled: Labelled, tmp_path: Path) -> None:
    many = replace(FEW, steps=60, sizes=((1.0, 64, 1),))
    run = OnwardRun("zfnet", many, weights, labelled, tmp_path)
    losses = []
    for _ in range(many.steps):
        run.advance()
        losses.append(run._recent[-1]["kl"])
    assert sum(losses[-6:]) < 0.5 * sum(losses[:6])


def test_statistics_are_in_the_end_those_of_whole_photographs(
    weights: Path, labelled: Labelled, album: Album, tmp_path: Path
) -> None:
    run = OnwardRun("zfnet", FEW, weights, labelled, tmp_path)
    for _ in range(FEW.steps):
        run.advance()
    before = {name: tensor.clone() for name, tensor in run.net.state_dict().items()}
    run.settle(album)
    changed = {n for n, t in run.net.state_dict().items() if not torch.equal(t, before[n])}
    parts = ("running_mean", "running_var", "num_batches_tracked")
    assert changed == {f"bn{n}.{part}" for n in (3, 4, 5) for part in parts}
    chance = torch.Generator().manual_seed(FEW.seed)
    seen = torch.cat(list(album.photographs(FEW.photographs, FEW.used_at, chance, FEW.batch)))
    maps = normalised(seen)
    with torch.no_grad():
        for name, layer in run.net.eval().named_children():
            maps = layer(maps)
            if name == "conv3":
                break
    mean = run.net.get_buffer("bn3.running_mean")
    torch.testing.assert_close(mean, maps.mean((0, 2, 3)), atol=0.05 * maps.std().item(), rtol=0.05)


def test_an_evolution_goes_on_from_the_earlier_one(finished: OnwardRun, tmp_path: Path) -> None:
    state, path = finished.net.state_dict(), tmp_path / "evolution.safetensors"
    export_evolution({0: state, 5: state}, path)
    before = load_file(path)
    assert export_evolution({11: state}, path, {"weights": "x"}, earlier=path) == [0, 5, 11]
    with safe_open(path, "pt") as file:
        assert json.loads(file.metadata()["steps"]) == [0, 5, 11]
        assert file.metadata()["weights"] == "x"
    after = load_file(path)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert torch.equal(after["11/conv1.weight"], after["5/conv1.weight"])
    assert export_evolution({17: state}, path, earlier=path, without={11}) == [0, 5, 17]
    assert load_file(path).keys() == {name.replace("11/", "17/") for name in after}
