"""Can people tell what excites a channel? Questions, answers, and how certain their score is.

After Borowski et al. 2021 (Exemplary natural images explain CNN activations better than
state-of-the-art feature visualization): who has seen the pictures that excite a channel most is
asked which of two further ones excites it more. With natural pictures people were right in 92 % of
such questions, by chance it were 50 %.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from zfwidgets.analysis.arguments import layer_names
from zfwidgets.analysis.predictability import Predictability
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.strongest import Exemplars

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 9
"""Pictures of a channel that are shown, as in the paper's Fig. 2."""
FURTHER = 24
"""The picture that excites the channel is one of its so many strongest, but none of those shown."""

Place = tuple[str, int, int]
"""A patch of a picture: the picture's id, and row and column of the neuron that sees it."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which of a pair of patches excites the channel more? exciting: the index of that one, 0 or 1.

    shown: the channel's strongest, to learn from. The other of the pair is an exemplar of another
    channel, in a picture that is not among the strongest that are known of this one.
    """

    layer: str
    channel: int
    shown: tuple[Place, ...]
    pair: tuple[Place, Place]
    exciting: int


def questions(
    exemplars: Mapping[str, Exemplars],
    layers: Sequence[str] | None = None,
    count: int = 20,
    seed: int = 0,
) -> tuple[Question, ...]:
    """Questions about channels drawn by lot, layer by layer in turn. The same seed, the same ones.

    exemplars: by layer, as `zfwidgets.exemplars` gives them, with more than nine a channel.

    Raises KeyError for a layer that was not scanned, ValueError for too few exemplars, or if no
    channel of a layer can be asked for.
    """
    if not 1 <= count <= 500:
        raise ValueError(f"count={count}: expected 1 to 500 questions.")
    names = layer_names([*exemplars] if layers is None else layers)
    for name in names:
        if name not in exemplars:
            raise KeyError(f"layer {name!r} was not scanned; there are {', '.join(exemplars)}.")
        if exemplars[name].k <= SHOWN:
            raise ValueError(
                f"the scan of {name!r} keeps {exemplars[name].k} pictures a channel; expected more "
                f"than the {SHOWN} that are shown, as with k=50."
            )
    lot = random.Random(f"{seed} {' '.join(names)}")  # noqa: S311 - questions, no secrets
    channels = {name: _askable(exemplars[name]) for name in names}
    for some in channels.values():
        lot.shuffle(some)
    return tuple(
        _question(exemplars[name], channels[name][n // len(names) % len(channels[name])], lot)
        for n in range(count)
        for name in [names[n % len(names)]]
    )


def wilson(right: int, asked: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's interval for a share: where it may lie, with 95 % confidence (Wilson 1927).

    (0, 1) if nothing was asked.
    """
    if not 0 <= right <= asked:
        raise ValueError(f"{right} right of {asked}: expected 0 to {asked}.")
    if asked == 0:
        return 0.0, 1.0
    share, spread = right / asked, z * z / asked
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class QuizAnswers(Result):
    """What somebody has answered. net: its name. seed: of the questions. answers: of each question
    0 or 1, the picture chosen, or None while there is no answer."""

    net: str
    seed: int
    questions: tuple[Question, ...]
    answers: tuple[int | None, ...]

    @property
    def asked(self) -> int:
        """How many were answered."""
        return sum(answer is not None for answer in self.answers)

    @property
    def right(self) -> int:
        """How many were answered right."""
        pairs = zip(self.questions, self.answers, strict=True)
        return sum(answer == question.exciting for question, answer in pairs)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the share of right answers may lie, with 95 % confidence; see `wilson`."""
        return wilson(self.right, self.asked)

    def of(self, layer: str) -> QuizAnswers:
        """Those of one layer."""
        pairs = zip(self.questions, self.answers, strict=True)
        some = [pair for pair in pairs if pair[0].layer == layer]
        asked, given = zip(*some, strict=True) if some else ((), ())
        return QuizAnswers(self.net, self.seed, asked, given)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that are asked for."""
        return tuple(dict.fromkeys(question.layer for question in self.questions))

    def to_frame(self, machine: Mapping[str, Predictability] | None = None) -> pd.DataFrame:
        """A pandas table, one row per layer: asked, right, share, and its interval low to high.

        machine: `zfwidgets.predictability` by layer; then a column says how often a machine is
        right about the same channels.
        """
        import pandas as pd

        rows = []
        for layer in self.layers:
            one = self.of(layer)
            low, high = one.interval
            row: dict[str, object] = {"layer": layer, "asked": one.asked, "right": one.right}
            row |= {"share": one.right / one.asked if one.asked else math.nan}
            row |= {"low": low, "high": high}
            if machine is not None:
                channels = [question.channel for question in one.questions]
                found = machine[layer].score[channels] if layer in machine else None
                row["machine"] = math.nan if found is None else float(found.nanmean())
            rows.append(row)
        return pd.DataFrame(rows).set_index("layer")

    def to_json(self) -> str:
        """All of it as JSON: net, seed, and per question what was asked and answered."""
        pairs = zip(self.questions, self.answers, strict=True)
        rows = [{**asdict(question), "answer": answer} for question, answer in pairs]
        return json.dumps({"net": self.net, "seed": self.seed, "questions": rows}, indent=1)

    def code(self, weights: str) -> str:
        """The answers in a line of text, from which `read` has them back.

        weights: SHA-256 of the network's, whose exemplars the questions are made of.
        """
        marks = "".join("-" if answer is None else str(answer + 1) for answer in self.answers)
        layers = "+".join(quote(name, safe="") for name in self.layers)
        text = f"{quote(self.net, safe='')}:{layers}:{self.seed}:{marks}"
        return f"{text}:{_check(text, weights)}"


def read(code: str, exemplars: Mapping[str, Exemplars] | None = None) -> QuizAnswers:
    """The answers that a code tells of: of one's own network with the exemplars that it was made
    from, of a bundled network without.

    Raises ValueError for a code that was not copied whole, or is of other exemplars; KeyError for a
    network whose exemplars do not ship.
    """
    parts = code.strip().split(":")
    if len(parts) != 5 or not parts[3] or set(parts[3]) - set("12-") or not parts[2].isdigit():
        raise ValueError(
            f"{code!r:.80} is no code of a quiz; expected one as zfnet:conv5:7:12212-:3fa1."
        )
    net, layers = unquote(parts[0]), [unquote(name) for name in parts[1].split("+")]
    if exemplars is None:
        from zfwidgets.analysis.shipped import K, shipped_exemplars

        exemplars = shipped_exemplars(net, K)
    weights = next(iter(exemplars.values())).weights
    if parts[4].lower() != _check(":".join(parts[:4]), weights):
        raise ValueError(
            f"the code {code!r:.80} does not add up: a letter is wrong or missing, or it is of "
            f"other weights than those of this {net}. Copy it again, all of it."
        )
    marks = tuple(None if mark == "-" else int(mark) - 1 for mark in parts[3])
    asked = questions(exemplars, layers, len(marks), int(parts[2]))
    return QuizAnswers(net, int(parts[2]), asked, marks)


def _check(text: str, weights: str) -> str:
    return hashlib.sha256(f"{text}:{weights}".encode()).hexdigest()[:4]


def _askable(found: Exemplars) -> list[int]:
    """Channels with something to show and something to ask for."""
    channels: list[int] = (found.value[:, SHOWN] > 0).nonzero().flatten().tolist()
    if not channels:
        raise ValueError(
            f"no channel of {found.layer!r} can be asked for: each needs more than {SHOWN} "
            "pictures that excite it. Scan more pictures."
        )
    return channels


def _question(found: Exemplars, channel: int, lot: random.Random) -> Question:
    own = [one for one in found.of(channel) if one[3] > 0]
    exciting = lot.choice(own[SHOWN:FURTHER])[:3]
    known = {name for name, *_ in found.of(channel)}
    strange: list[Place] = []
    for other in lot.sample(range(len(found.value)), len(found.value)):
        strange = [one[:3] for one in found.of(other) if one[0] not in known and one[3] > 0]
        if strange:
            break
    if not strange:
        raise ValueError(
            f"every picture that was scanned excites channel {channel} of {found.layer!r} or none; "
            "there is nothing to hold against it. Scan more pictures."
        )
    where = lot.randrange(2)
    pair = [lot.choice(strange)]
    pair.insert(where, exciting)
    shown = tuple(one[:3] for one in own[:SHOWN])
    return Question(found.layer, channel, shown, (pair[0], pair[1]), where)
