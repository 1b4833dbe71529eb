"""A run goes on where it stopped, and what ships is what was trained."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import asdict, replace
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tests.training.conftest import PLAN, picture, webp
from training import limits
from training.__main__ import run as run_stage
from training.catalogue import Picture
from training.data import Lessons
from training.evaluate import known, on_gallery
from training.export import EVOLVING, annotate, export, export_evolution
from training.folding import folded
from training.gallery import write_archive
from training.student import KINDS, alikeness, clip_radius, sent_back, smooth
from training.teacher import Teacher
from training.train import Exam, Recipe, Run, accuracy, agreement, silent_channels, train
from training.workshop import Workshop
from zfwidgets.images import Gallery
from zfwidgets.images.preprocess import Preprocess
from zfwidgets.nets.alexnet import AlexNet
from zfwidgets.nets.fingerprint import fingerprint
from zfwidgets.nets.zfnet import ZFNet

# A quarter of the paper's maps: what a run does is the same, and done in a quarter of the time.
WIDTH = (24, 64, 96, 96, 64)
SHORT = Recipe(
    steps=6, batch=4, learning_rate=3e-3, sizes=((0.5, 64), (1.0, 80)), threads=1, width=0.25
)


@pytest.fixture(scope="module")
def exam(lessons: Lessons) -> Exam:
    """Crops as of an exam, whose true class is the teacher's for half of them."""
    seen = known(lessons, draws=1, count=16)
    labels = seen.logits.argmax(1)
    labels[::2] = (labels[::2] + 1) % 10
    return Exam(seen.crops, seen.logits, labels)


@pytest.fixture(scope="module")
def finished(lessons: Lessons, exam: Exam, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run("zfnet", SHORT, lessons, tmp_path_factory.mktemp("run"))
    train([run], exam, every=2)
    return run


def test_a_stopped_run_ends_where_an_unbroken_one_does(
    finished: Run, lessons: Lessons, tmp_path: Path
) -> None:
    torch.set_num_threads(SHORT.threads)
    first = Run("zfnet", SHORT, lessons, tmp_path)
    first.student.train()
    for step in range(3):
        first.advance(step / SHORT.steps)
    first.save()
    first.advance(0.5)  # after the save; it is taken again
    first.log(None)
    first.snapshot()
    second = Run("zfnet", SHORT, lessons, tmp_path)
    assert second.step == 3
    assert not (tmp_path / "step-000004.pt").exists()
    assert (tmp_path / "log.jsonl").read_text() == ""
    train([second], every=2)
    assert second.step == finished.step == 6
    for name, tensor in finished.weights().items():
        torch.testing.assert_close(second.weights()[name], tensor, msg=name)


def test_a_finished_run_does_nothing_more(finished: Run, lessons: Lessons) -> None:
    log = (finished.folder / "log.jsonl").read_text()
    again = Run("zfnet", SHORT, lessons, finished.folder)
    train([again])
    assert again.step == 6
    assert (finished.folder / "log.jsonl").read_text() == log


def test_an_interrupted_run_goes_on_from_its_last_step(
    finished: Run, lessons: Lessons, exam: Exam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run("zfnet", SHORT, lessons, tmp_path)
    advance = run.advance

    def interrupted(progress: float) -> dict[str, torch.Tensor]:
        if run.step == 3:
            raise KeyboardInterrupt
        return advance(progress)

    monkeypatch.setattr(run, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train([run], exam, every=2)
    again = Run("zfnet", SHORT, lessons, tmp_path)
    assert again.step == 3
    train([again], exam, every=2)
    for name, tensor in finished.weights().items():
        torch.testing.assert_close(again.weights()[name], tensor, msg=name)


def test_two_networks_under_one_clock_take_the_same_steps(
    lessons: Lessons, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when one of them was cut off before its last save. Every step takes 0.3 s here,
    but the first of a network counts for nothing."""
    clock = SimpleNamespace(monotonic=partial(next, count(0, 0.3)))
    monkeypatch.setattr("training.train.time", clock)
    recipe = replace(SHORT, steps=10_000, minutes=2.2 / 60)

    def runs() -> list[Run]:
        return [Run(kind, recipe, lessons, tmp_path / kind) for kind in ("zfnet", "alexnet")]

    early = runs()[0]
    early.begin(None)
    for _ in range(2):
        early.advance(0)
    early.save()
    first, second = runs()
    assert (first.step, second.step) == (2, 0)
    train([first, second])
    assert first.step == second.step == 5
    assert first.seconds + second.seconds == pytest.approx(2.4)
    assert [run.step for run in runs()] == [first.step] * 2


def test_the_rate_rises_and_falls_to_nothing() -> None:
    recipe = Recipe()
    rates = [recipe.rate_at(k / 1000) for k in range(1001)]
    top = round(1000 * recipe.warm_up)
    assert rates[top] == max(rates) == recipe.learning_rate
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] == 0


def test_biases_of_the_first_batch_norm_decay(lessons: Lessons, tmp_path: Path) -> None:
    run = Run("zfnet", replace(SHORT, shift_decay=5.0), lessons, tmp_path)
    bias = run.student.net.get_parameter("bn1.bias")
    with torch.no_grad():
        bias.fill_(-6.0)
    run.student.train()
    run.advance(SHORT.warm_up)
    kept = 1 - 5.0 * SHORT.learning_rate
    assert (bias + 6.0 * kept).abs().max() <= 1.01 * SHORT.learning_rate


def test_the_log_says_each_loss(finished: Run) -> None:
    entries = [
        json.loads(line) for line in (finished.folder / "log.jsonl").read_text().splitlines()
    ]
    assert [entry["step"] for entry in entries if "kl" in entry] == [2, 4, 6]
    assert all({"kl", "fine", "coarse", "seconds"} <= set(entry) for entry in entries[1:])
    assert all({"top1", "label1", "label5", "distance"} <= set(entry) for entry in entries)


def test_a_short_run_comes_closer_to_its_teacher(lessons: Lessons, tmp_path: Path) -> None:
    recipe = replace(SHORT, steps=16, batch=8, sizes=((1.0, 64),), hinted=2)
    run = Run("alexnet", recipe, lessons, tmp_path)
    run.student.train()
    losses = [run.advance(step / 16) for step in range(16)]
    for term in ("fine", "coarse"):
        early, late = (sum(part[term] for part in losses[s]) / 5 for s in (slice(5), slice(-5, 16)))
        assert late < 0.95 * early, term


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_folding_batch_norm_changes_no_answer(kind: str) -> None:
    torch.manual_seed(0)
    make = {"zfnet": ZFNet, "alexnet": AlexNet}[kind]
    net = make(num_classes=10, head="light", norm=False, batch_norm=True)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.02, 2)
            torch.nn.init.uniform_(module.weight, -1.5, 1.5)
            torch.nn.init.normal_(module.bias)
    plain = make(num_classes=10, head="light", norm=False)
    plain.load_state_dict(folded(net.state_dict()))
    images = torch.randn(2, 3, 128, 128)
    with torch.inference_mode():
        expected, found = net.eval()(images), plain.eval()(images)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert expected.abs().max() > 0.01, "the answers compared are not all zero"


def test_exported_weights_fit_the_packages_network(finished: Run, tmp_path: Path) -> None:
    path = tmp_path / "zfnet.safetensors"
    export(finished.weights(), path, {"seed": "2013"})
    state = load_file(path)
    expected = ZFNet(num_classes=10, width=WIDTH, head="light", norm=False).state_dict()
    assert {name: tuple(t.shape) for name, t in state.items()} == {
        name: tuple(t.shape) for name, t in expected.items()
    }
    assert {t.dtype for t in state.values()} == {torch.float16}
    assert path.stat().st_size < 9_000_000 / 8
    with safe_open(path, "pt") as file:
        notes = file.metadata()
    prepared = Preprocess(**json.loads(notes["preprocess"]))
    assert (prepared.size, prepared.resize) == (224, 256)
    assert {"licence", "seed"} <= set(notes)


def test_the_evolution_holds_a_run_from_its_start_to_its_end(finished: Run, tmp_path: Path) -> None:
    path = tmp_path / "evolution.safetensors"
    kept = {
        int(path.stem.partition("-")[2]): torch.load(path, weights_only=True)
        for path in finished.folder.glob("step-*.pt")
    }
    assert {name.split(".")[0] for name in kept[0]} == {*EVOLVING, "bn1", "bn2", "bn3"}
    steps = export_evolution(kept, path)
    assert steps[0] == 0
    assert steps[-1] == 6
    state = load_file(path)
    end = folded(finished.weights())
    for layer in ("conv2", "conv3"):
        scale = state[f"6/{layer}.scale"]
        back = state[f"6/{layer}.weight"].float() * scale.view(-1, 1, 1, 1)
        # int8: half a step of the filter's own scale, and what fp16 lost on the way.
        lost = (back - end[f"{layer}.weight"]).abs().amax((1, 2, 3))
        assert (lost <= 0.51 * scale + 1e-3 * end[f"{layer}.weight"].abs().amax()).all()
    torch.testing.assert_close(
        state["6/conv1.weight"].float(), end["conv1.weight"], atol=2e-3, rtol=2e-3
    )


def test_the_gain_of_the_first_batch_norm_stays_one_so_that_no_channel_falls_silent(
    finished: Run,
) -> None:
    state = finished.weights()
    assert torch.equal(state["bn1.weight"], torch.ones(24))
    assert not torch.equal(state["bn2.weight"], torch.ones(64)), "the others learn theirs"
    entries = map(json.loads, (finished.folder / "log.jsonl").read_text().splitlines())
    assert [entry["silent"] for entry in entries if "top1" in entry] == [0, 0, 0, 0]


def test_channels_that_answer_to_nothing_are_counted(finished: Run, exam: Exam) -> None:
    net = copy.deepcopy(finished.student.net)
    assert silent_channels(net, exam.crops) == 0
    with torch.no_grad():
        net.get_parameter("bn1.bias")[10:20] = -1000.0
    assert silent_channels(net, exam.crops) == 10


def test_hints_fade_and_late_in_a_run_count_nothing(lessons: Lessons, tmp_path: Path) -> None:
    recipe = replace(SHORT, hinted=0.6)
    assert [round(recipe.hints_at(p), 6) for p in (0, 0.3, 0.45, 0.6, 1)] == [1, 1, 0.5, 0, 0]
    run = Run("alexnet", recipe, lessons, tmp_path)
    run.student.train()
    for progress, moved in ((0.3, True), (0.7, False)):
        run.advance(progress)
        hints = [run.student.fine.weight.grad, run.student.coarse.weight.grad]
        assert all(bool((grad != 0).any()) is moved for grad in hints if grad is not None)
        assert all(grad is not None for grad in hints)


def test_how_often_a_class_occurs_is_given_and_not_learned(
    lessons: Lessons, tmp_path: Path
) -> None:
    uneven = copy.copy(lessons)  # the teacher names its ten classes nearly as often each
    often = uneven.frequencies = torch.linspace(0, 3, 10).softmax(0)

    def loss(balanced: float) -> float:
        recipe = replace(SHORT, balanced=balanced, temperature=1.0)
        run = Run("zfnet", recipe, uneven, tmp_path / str(balanced))
        for parameter in run.student.net.get_submodule("fc8").parameters():
            torch.nn.init.zeros_(parameter)
        return run.advance(0.5)["kl"].item()

    shown = lessons.shown(0, count=SHORT.batch, size=SHORT.size_at(0.5))
    answers = shown.logits.log_softmax(1)

    def away(guess: torch.Tensor) -> float:
        return (answers.exp() * (answers - guess)).sum(1).mean().item()

    assert loss(0.0) == pytest.approx(away(torch.full_like(often, 1 / len(often)).log()), rel=1e-3)
    assert loss(1.0) == pytest.approx(away(often.log()), rel=1e-3)


def test_filters_beyond_the_radius_are_scaled_back_to_it() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 5))
    conv = net[0]
    assert isinstance(conv, torch.nn.Conv2d)
    with torch.no_grad():
        conv.weight[0].normal_(0, 5)
        conv.weight[1].normal_(0, 0.01)
    small = conv.weight[1].clone()
    clip_radius(net)
    assert conv.weight[0].square().mean().sqrt().item() == pytest.approx(0.1, rel=1e-4)
    assert torch.equal(conv.weight[1], small)


def test_smoothing_shrinks_fine_detail_and_colour_before_coarse_and_grey() -> None:
    alternating = torch.tensor([1.0, -1, 1, -1, 1, -1, 1])
    checkers = torch.outer(alternating, alternating)
    coarse = torch.cos(2 * torch.pi / 7 * torch.arange(7)).expand(7, 7)
    fine = torch.cos(2 * torch.pi * 3 / 7 * torch.arange(7)).expand(7, 7)
    grey = torch.stack((torch.ones(7, 7), coarse, fine, checkers))[:, None].repeat(1, 3, 1, 1)
    opponent = grey * torch.tensor([1.0, 0, -1]).view(1, 3, 1, 1)
    filters = torch.cat((grey, opponent))
    before = filters.square().sum((1, 2, 3))
    smooth(filters, 0.3)
    kept = filters.square().sum((1, 2, 3)) / before
    assert kept[0] == pytest.approx(1)
    assert kept[4] == pytest.approx(1), "no colour is lost for good"
    assert kept[1] == pytest.approx(math.exp(-2 * 0.3 * (1 / 7 / 0.25) ** 2), rel=1e-3)
    assert (kept[:3].diff() < 0).all()
    assert kept[3] < 0.3 * kept[1]
    assert (kept[5:] < kept[1:4]).all()


def test_like_filters_cost_and_unlike_ones_do_not() -> None:
    unlike = torch.eye(8).view(8, 2, 2, 2)
    like = unlike.clone()
    like[1] = -3 * like[0]
    assert alikeness(unlike).item() == 0
    assert alikeness(like).item() > 0


def test_what_is_sent_back_follows_the_filters_down() -> None:
    """Of a chain of single weights: products of the positive ones, and of batch norm's gain."""
    net = ZFNet(num_classes=10, width=(4, 4, 4, 4, 4), head="light", norm=False, batch_norm=True)
    for layer in (3, 4, 5):
        conv, norm = net.get_submodule(f"conv{layer}"), net.get_submodule(f"bn{layer}")
        assert isinstance(conv, torch.nn.Conv2d)
        assert isinstance(norm, torch.nn.BatchNorm2d)
        torch.nn.init.zeros_(conv.weight)
        with torch.no_grad():
            conv.weight[:, :, 1, 1] = torch.eye(4)
            norm.weight.copy_(torch.tensor([1.0, 2.0, 1.0, -1.0]))
            norm.eps = 0.0
    with torch.no_grad():
        net.get_parameter("conv5.weight")[1, 0, 0, 1] = 0.5
        conv3, pool2 = sent_back(net)
    assert conv3.shape == (4, 4, 5, 5)
    assert pool2.shape == (4, 4, 7, 7)
    # Channel 0 by its own filter; 1 by two, of which one lies a row higher; 3 not at all.
    assert pool2[0].nonzero().tolist() == [[0, 3, 3]]
    assert pool2[1, 1, 3, 3] == 2 * 2 * 2
    assert pool2[1, 0, 2, 3] == 2 * 0.5
    assert pool2[3].abs().sum() == 0


def test_a_short_run_is_made_once_and_says_what_it_reached(
    lessons: Lessons, tmp_path: Path
) -> None:
    seen = known(lessons, draws=2, count=8)
    exam = Exam(seen.crops, seen.logits)
    recipe = replace(SHORT, steps=2, sizes=((1.0, 64),))
    trial = limits.Trial("narrow", width=0.25, steps=1.5, pictures=0.5)
    asked = []

    def part(share: float) -> Lessons:
        asked.append(share)
        return lessons

    found = limits.attempt(trial, recipe, part, exam, tmp_path)
    assert asked == [0.5]
    assert found["samples"] == 3 * recipe.batch
    assert 0 <= found["held out"][0] <= found["held out"][1] <= 1
    assert found["distance"] > 0
    assert limits.attempt(trial, recipe, part, exam, tmp_path) == json.loads(json.dumps(found))
    assert asked == [0.5], "it was not made again"


def small_gallery(folder: Path) -> Gallery:
    """Four photographs of one class."""
    names = [f"jay-{number}" for number in range(4)]
    photos = [
        {"name": n, "category": 3, "author": "A", "author_page": "", "source": "", "sha256": ""}
        for n in names
    ]
    kind = {"index": 3, "name": "jay", "korean": "어치", "families": ["bird"]}
    about = dict.fromkeys(("licence", "licence_url", "changes"), "")
    table = about | {"categories": [kind], "photos": photos}
    shown = {name: webp(picture(20 + n).resize((256, 256))) for n, name in enumerate(names)}
    write_archive(folder / "gallery.zip", table, shown)
    return Gallery(folder / "gallery.zip")


def test_from_pictures_to_what_ships(
    sources: Path,
    pictures: list[Picture],
    teacher: Teacher,
    tmp_path: Path,
) -> None:
    """All stages between fetching and measuring, of both networks, and once more for nothing."""
    (tmp_path / "sources").symlink_to(sources)
    listing = json.dumps([asdict(p) for p in pictures])
    (tmp_path / "catalogue.json").write_text(listing)
    short = replace(SHORT, steps=3, kept=(0.5, 1), sizes=((1.0, 64),))
    shop = Workshop(tmp_path, tmp_path / "runs", tmp_path / "weights", short)
    shop.plan, shop.shown = PLAN, small_gallery(tmp_path)
    shop._examiner = teacher

    def make() -> dict[str, dict[str, torch.Tensor]]:
        for stage in ("album", "train", "export"):
            run_stage(shop, stage, ["zfnet", "alexnet"])
        return {path.name: load_file(path) for path in (tmp_path / "weights").iterdir()}

    files = make()
    assert set(files) == {f"{n}.safetensors" for n in ("zfnet", "alexnet", "zfnet-evolution")}
    for name in ("zfnet", "alexnet"):
        with safe_open(tmp_path / "weights" / f"{name}.safetensors", "pt") as file:
            assert file.metadata()["steps"] == "3"
            assert file.metadata()["accuracy"] == "not measured yet"
    with safe_open(tmp_path / "weights" / "zfnet-evolution.safetensors", "pt") as file:
        assert json.loads(file.metadata()["steps"]) == [0, 2, 3]
        assert file.metadata()["weights"] == fingerprint(tmp_path / "weights/zfnet.safetensors")
    for name, again in make().items():
        assert all(torch.equal(again[key], tensor) for key, tensor in files[name].items())
    shop.recipe = replace(short, steps=4)
    longer = make()
    with safe_open(tmp_path / "weights" / "zfnet.safetensors", "pt") as file:
        assert file.metadata()["steps"] == "4"
    name = "zfnet.safetensors"
    assert not torch.equal(longer[name]["conv5.weight"], files[name]["conv5.weight"])


def test_notes_change_and_tensors_stay(finished: Run, tmp_path: Path) -> None:
    path = tmp_path / "zfnet.safetensors"
    export(finished.weights(), path, {"seed": "2013", "accuracy": "not measured yet"})
    before, mark = load_file(path), fingerprint(path)
    annotate(path, {"accuracy": "22 % / 46 %"})
    assert all(torch.equal(tensor, before[name]) for name, tensor in load_file(path).items())
    assert fingerprint(path) == mark
    with safe_open(path, "pt") as file:
        notes = file.metadata()
    assert (notes["seed"], notes["accuracy"]) == ("2013", "22 % / 46 %")


def test_on_known_classes_the_teacher_and_two_controls_answer_too() -> None:
    """Eight photographs of two classes; the teacher errs on the last."""
    labels = torch.tensor([0] * 6 + [1] * 2)
    teacher = torch.nn.functional.one_hot(torch.tensor([0] * 6 + [1, 2]), 8).float()
    guess = teacher.roll(1, 0)
    counts = torch.tensor([9.0, 8, 7, 6, 5, 4, 3, 2])
    exam = Exam(np.zeros((8, 4, 4, 3), np.uint8), teacher, labels)
    found = on_gallery(guess, -teacher, exam, counts)
    shares = {name: [share for share, _ in rows] for name, rows in found["labels"].items()}
    assert shares["teacher"][0] == 7 / 8
    assert shares["trained"][0] == accuracy(guess, labels)[0] == 6 / 8
    assert shares["untrained"][0] < 1 / 8
    assert shares["constant"] == [6 / 8, 1.0]
    assert (found["photos"], found["classes"]) == (8, 2)
    assert found["agreement"]["trained"] == agreement(guess, teacher)
    assert found["agreement"]["constant"] == agreement(counts.expand(len(guess), -1), teacher)
    assert found["agreement"].keys() == found["labels"].keys() - {"teacher"}
    for rows in found["labels"].values():
        for share, (low, high) in rows:
            assert 0 <= low <= share <= high <= 1
    low, high = found["labels"]["teacher"][0][1]
    assert high - low > 0.1, "eight photographs say little"


def test_agreement_counts_the_teachers_first_choice() -> None:
    teacher = torch.tensor([[9.0, 1, 2, 3, 4, 5], [0, 9, 1, 2, 3, 4], [0, 1, 2, 3, 4, 9]])
    guess = torch.tensor([[9.0, 0, 0, 0, 0, 1], [9, 8, 1, 2, 3, 4], [5, 5, 5, 5, 5, 1]])
    one, five = agreement(guess, teacher)
    assert one == pytest.approx(1 / 3)
    assert five == pytest.approx(2 / 3)
