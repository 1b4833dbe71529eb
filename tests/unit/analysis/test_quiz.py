"""A quiz on exemplars: its questions, how certain a score is, and codes that tell of it."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import Tensor, nn

from zfwidgets.analysis import exemplars
from zfwidgets.analysis.predictability import predictability
from zfwidgets.analysis.quiz import QuizAnswers, questions, read, wilson
from zfwidgets.analysis.shipped import shipped_exemplars
from zfwidgets.deconv import DeconvNet

SHIPPED = shipped_exemplars("zfnet", 50)


def test_each_question_shows_the_nine_strongest_and_asks_for_a_further_one() -> None:
    asked = questions(SHIPPED, ["conv5", "conv2"], count=12, seed=3)
    assert [one.layer for one in asked] == ["conv5", "conv2"] * 6
    assert len({(one.layer, one.channel) for one in asked}) == 12
    for one in asked:
        own = SHIPPED[one.layer].of(one.channel)
        assert [*one.shown] == [found[:3] for found in own[:9]]
        exciting, other = one.pair[one.exciting], one.pair[1 - one.exciting]
        assert exciting in [found[:3] for found in own[9:24]]
        # Of a picture that is not among the strongest: it excites the channel less than they do.
        assert other[0] not in {name for name, *_ in own}
    assert {one.exciting for one in asked} == {0, 1}


def test_the_same_seed_asks_the_same_and_another_one_does_not() -> None:
    one, same, other = (questions(SHIPPED, ["conv4"], 20, seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_questions_that_cannot_be_asked_are_refused() -> None:
    with pytest.raises(KeyError, match="conv9"):
        questions(SHIPPED, ["conv9"])
    with pytest.raises(ValueError, match="count=0"):
        questions(SHIPPED, count=0)
    with pytest.raises(ValueError, match="keeps 9 pictures"):
        questions(shipped_exemplars("zfnet", 9))


@pytest.mark.parametrize(
    ("right", "asked", "low", "high"),
    # Worked out by the formula of Wilson 1927 with z = 1.96; 0 of 10 is z² / (10 + z²) above.
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (8, 10, 0.4902, 0.9433),
        (46, 50, 0.8116, 0.9685),
    ],
)
def test_the_interval_is_wilsons(right: int, asked: int, low: float, high: float) -> None:
    assert wilson(right, asked) == pytest.approx((low, high), abs=1e-4)


def test_nothing_is_known_of_nobodys_answers() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="expected 0 to 3"):
        wilson(4, 3)


def answered(*, wrong: int = 2, open_: int = 1) -> QuizAnswers:
    asked = questions(SHIPPED, ["conv5", "conv3"], 10, 42)
    given: list[int | None] = [one.exciting for one in asked]
    for i in range(wrong):
        given[i] = 1 - asked[i].exciting
    for i in range(open_):
        given[-1 - i] = None
    return QuizAnswers("zfnet", 42, asked, tuple(given))


def test_the_score_counts_what_was_answered_layer_by_layer() -> None:
    one = answered()
    assert (one.right, one.asked) == (7, 9)
    table = one.to_frame()
    assert table.loc["conv5", ["asked", "right"]].tolist() == [5, 4]
    assert table.loc["conv3", ["asked", "right"]].tolist() == [4, 3]
    assert table.loc["conv5", ["low", "high"]].tolist() == pytest.approx(wilson(4, 5))


def test_a_code_brings_the_same_answers_back() -> None:
    one = answered()
    weights = SHIPPED["conv5"].weights
    code = one.code(weights)
    assert code.startswith("zfnet:conv5+conv3:42:")
    again = read(f"  {code}\n")
    assert (again.net, again.seed) == ("zfnet", 42)
    assert (again.questions, again.answers) == (one.questions, one.answers)
    told = json.loads(one.to_json())
    assert [row["answer"] for row in told["questions"]] == [*one.answers]


@pytest.mark.parametrize("spoil", [lambda c: c[:-1], lambda c: c.replace("1", "2", 1), str.upper])
def test_a_code_that_was_not_copied_whole_is_refused(spoil: object) -> None:
    code = answered().code(SHIPPED["conv5"].weights)
    assert callable(spoil)
    with pytest.raises((ValueError, KeyError), match=r"code|no scan"):
        read(spoil(code))


def test_a_code_of_other_weights_and_what_is_no_code_are_refused() -> None:
    with pytest.raises(ValueError, match="other weights"):
        read(answered().code("of others"))
    with pytest.raises(ValueError, match="no code of a quiz"):
        read("hello")
    with pytest.raises(KeyError, match="no scan of 'vgg'"):
        read("vgg:conv5:7:12:abcd")


# ------------------------------------------------------------------------------- by a machine


class Pairs(nn.Module):
    """Channels 0 and 1 answer to red, 2 and 3 to blue, 4 to green."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 1, bias=False)
        with torch.no_grad():
            self.conv.weight[:] = 0
            for channel, colour in ((0, 0), (1, 0), (2, 2), (3, 2), (4, 1)):
                self.conv.weight[channel, colour] = 1.0 + channel / 10

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.conv(x))


def test_a_channel_that_others_answer_like_can_be_predicted() -> None:
    torch.manual_seed(4)
    net = DeconvNet(Pairs().eval(), device="cpu")
    # Half of the pictures are red, half blue; green is there by chance and says nothing.
    pictures = {}
    for i in range(40):
        picture = torch.zeros(3, 4, 4)
        picture[0 if i % 2 else 2] = 0.5 + torch.rand(4, 4) / 2
        picture[1] = torch.rand(4, 4) / 10
        pictures[f"{i:02d}"] = picture
    scan = exemplars(net, pictures, "conv", k=15, progress=False)
    found = predictability(net, "conv", scan, pictures, progress=False)
    assert found.score[:4].tolist() == pytest.approx([1, 1, 1, 1])
    table = found.to_frame()
    assert table.index[-1] == 4
    assert math.isclose(table.predicted.iloc[0], 1, abs_tol=1e-6)
    # Six further exemplars, each against every one of the others' in a picture not of its own.
    own = {name for name, *_ in scan.of(0)}
    strange = [one for channel in range(5) for one in scan.of(channel) if one[0] not in own]
    assert found.pairs[0] == 6 * len(strange)


def test_what_was_not_scanned_cannot_be_predicted() -> None:
    net = DeconvNet(Pairs().eval(), device="cpu")
    pictures = {str(i): torch.rand(3, 4, 4) for i in range(12)}
    scan = exemplars(net, pictures, "conv", k=9, progress=False)
    with pytest.raises(ValueError, match="more than 9 a channel"):
        predictability(net, "conv", scan, pictures, progress=False)
    with pytest.raises(ValueError, match="other weights"):
        predictability(net, "conv5", SHIPPED["conv5"], pictures, progress=False)
