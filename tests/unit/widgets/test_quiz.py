"""Quiz: what it shows, that each question is answered once, and the code of its answers."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from zfwidgets.analysis import exemplars
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Preprocess
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.quiz import Quiz

PREPARED = Preprocess(size=16, resize=16, mean=(0, 0, 0), std=(1, 1, 1))
Make = Callable[..., Quiz]


@pytest.fixture(scope="module", name="scanned")
def scanned_fixture() -> tuple[DeconvNet, dict[str, Image.Image], Any]:
    torch.manual_seed(5)
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2)).eval()
    net = DeconvNet(model, PREPARED, name="tiny", device="cpu")
    lot = np.random.default_rng(1)
    pictures = {
        f"{i:02d}": Image.fromarray(lot.integers(0, 256, (16, 16, 3), np.uint8)) for i in range(40)
    }
    layer = next(iter(net.record(pictures["00"]).layers))
    return net, pictures, {layer: exemplars(net, pictures, layer, k=20, progress=False)}


@pytest.fixture(name="make")
def make_fixture(scanned: Any) -> Iterator[Make]:
    made: list[Quiz] = []

    def build(**options: Any) -> Quiz:
        net, pictures, scan = scanned
        given = {"exemplars": scan, "images": pictures, "count": 3, "seed": 7, **options}
        made.append(Quiz(net, **given))
        worker().join()
        return made[-1]

    yield build
    for one in made:
        one.close()


def ask(quiz: Quiz, op: str, **body: Any) -> None:
    """As the page does."""
    quiz._handle_custom_msg({"v": 1, "id": 1, "epoch": 0, "op": op, **body}, [])
    worker().join()


def test_a_question_shows_the_patches_as_the_network_saw_them(make: Make, scanned: Any) -> None:
    net, pictures, _ = scanned
    quiz = make()
    question, told = quiz.answers.questions[0], quiz._question
    assert (told["at"], told["channel"]) == (0, question.channel)
    head = told["sheet"]
    height, width = head["tile"]
    shown = np.asarray(Image.open(io.BytesIO(told["data"])).convert("RGB"))
    for index, (name, row, col) in enumerate((*question.shown, *question.pair)):
        y, x = divmod(index, head["columns"])
        tile = shown[y * height :, x * width :][:height, :width]
        box = net.layers[question.layer].box(row, col)
        seen = np.asarray(pictures[name])[box[0] : box[2], box[1] : box[3]]
        np.testing.assert_array_equal(tile, seen)  # so small that nothing is lost


def test_what_is_said_to_excite_more_does(make: Make, scanned: Any) -> None:
    net, pictures, _ = scanned
    quiz = make(count=6)
    for at, question in enumerate(quiz.answers.questions):
        ask(quiz, "answer", at=at, choice=0)
        values = quiz._solution["values"]
        for (name, row, col), value in zip(question.pair, values, strict=True):
            maps = net.record(pictures[name]).feature_maps(question.layer)
            assert value == pytest.approx(float(maps[0, question.channel, row, col]), rel=1e-4)
        assert values[question.exciting] > values[1 - question.exciting]
        ask(quiz, "go", at=at)


def test_each_question_is_answered_once_and_in_turn(make: Make) -> None:
    quiz = make()
    exciting = [one.exciting for one in quiz.answers.questions]
    ask(quiz, "go", at=0)  # not before it is answered
    assert quiz.at == 0
    ask(quiz, "answer", at=0, choice=exciting[0])
    ask(quiz, "answer", at=0, choice=1 - exciting[0])
    ask(quiz, "answer", at=2, choice=0)
    assert quiz.answers.answers == (exciting[0], None, None)
    assert quiz._solution["chosen"] == quiz._solution["exciting"] == exciting[0]
    ask(quiz, "go", at=0)
    assert (quiz.at, quiz._solution, quiz._question["at"]) == (1, {}, 1)
    ask(quiz, "answer", at=1, choice=1 - exciting[1])
    ask(quiz, "go", at=1)
    ask(quiz, "answer", at=2, choice=exciting[2])
    ask(quiz, "go", at=2)
    assert (quiz.status, quiz.at) == ("done", 3)
    total = quiz._score["rows"][0]
    assert (total["right"], total["asked"]) == (2, 3)
    assert (total["low"], total["high"]) == quiz.answers.interval


def test_the_code_tells_the_teacher_the_same_score(make: Make, scanned: Any) -> None:
    quiz = make()
    ask(quiz, "answer", at=0, choice=1)
    read = Quiz.read(quiz.code, scanned[2])
    assert read.answers == quiz.answers.answers == (1, None, None)
    assert read.questions == quiz.answers.questions


def test_an_answer_that_is_none_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    quiz = make()
    sent: list[Any] = []
    monkeypatch.setattr(quiz, "_send", lambda message, buffers: sent.append((message, buffers)))
    ask(quiz, "answer", at=0, choice=2)
    assert quiz.answers.asked == 0
    assert "choice" in sent[-1][0]["content"]["error"]["message"]


def test_a_picture_that_is_gone_is_said_and_the_quiz_stays(make: Make, scanned: Any) -> None:
    quiz = make(images={"other": scanned[1]["00"]})
    assert quiz.status == "error"
    assert quiz.error["message"]


def test_a_scan_and_its_pictures_belong_together(scanned: Any) -> None:
    net, _, scan = scanned
    with pytest.raises(TypeError, match="together"):
        Quiz(net, exemplars=scan)
    with pytest.raises(KeyError, match="no scan of 'tiny'"):
        Quiz(net)
