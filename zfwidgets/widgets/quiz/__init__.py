"""Nine pictures that excite a channel, then two more: which one excites it more?"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets as t

from zfwidgets.analysis.quiz import QuizAnswers, questions, read
from zfwidgets.analysis.shipped import K, exemplars_that_ship
from zfwidgets.analysis.stream import Images, find, prepared
from zfwidgets.analysis.strongest import Exemplars, cut
from zfwidgets.images import Photo, gallery
from zfwidgets.images.tiles import resize
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.nets import as_net
from zfwidgets.widgets.core.rpc import AHEAD, Job, Responder
from zfwidgets.widgets.core.wire import Answer, WireError, describe_error, sheet

if TYPE_CHECKING:
    from zfwidgets.widgets.export import SavedPage

_PX = 160
"""Longer side of a picture at most."""
_QUALITY = 90
_LOSSLESS = 48
"""Longer side up to which patches travel as they are."""


class Quiz(ZFWidget):
    """Do people see what excites a channel? A quiz with a score, and how certain it is.

    Nine patches are shown that excite a channel most, then two more: which of them excites it more?
    Borowski et al. (2021) asked that; people were right in 92 % of questions with natural pictures,
    by chance it were 50 %. Keys: 1 and 2 choose, Enter goes on.

    Parameters:
        net: a name for `zfwidgets.load`, a module or a `DeconvNet`.
        layers: which ones are asked for, in turn. Default: all that were scanned.
        count: how many questions.
        seed: of the lot that draws them; the same questions for a class. Default: drawn anew.
        exemplars, images: a scan by layer with more than nine pictures a channel, and what was
            scanned. Default: those that ship with the bundled networks, and the gallery.

    ``quiz.answers`` has the score, and per layer ``.to_frame()``; ``quiz.code`` is a line of text
    that a pupil sends and `Quiz.read` turns into the same answers again, without a server.

    Raises:
        KeyError: no scan of the network ships, or there is no such layer in it.
        ValueError: the scan is of another network, or keeps too few pictures.

    Examples:
        >>> quiz = zf.Quiz("zfnet", layers=["conv5"], seed=7)
        >>> zf.Quiz.read(quiz.code).to_frame()
    """

    bundle_name = "quiz"

    at = t.Int(0, read_only=True).tag(sync=True)
    """Which question is shown, from 0; as many as there are: none, the quiz is done."""

    count = t.Int(20, min=1, max=500, read_only=True).tag(sync=True)
    """How many questions there are."""

    code = t.Unicode(read_only=True).tag(sync=True)
    """The answers so far in a line of text, for `read`."""

    status = t.Enum(("busy", "ready", "done", "error"), "busy", read_only=True).tag(sync=True)
    """Set by the widget: preparing a question, asking it, at the end, or not able to ask."""

    _question = t.Dict().tag(sync=True)  # {at, layer, channel, credits} and the sheet of patches
    _solution = t.Dict().tag(sync=True)  # {at, exciting, chosen, values}, once it is answered
    _score = t.Dict().tag(sync=True)  # rows of {layer, asked, right, low, high}, the total first

    def __init__(
        self,
        net: Any = "zfnet",
        layers: Sequence[str] | str | None = None,
        count: int = 20,
        seed: int | None = None,
        *,
        exemplars: Mapping[str, Exemplars] | None = None,
        images: Images | None = None,
        locale: str | None = None,
        inline: bool = False,
    ) -> None:
        """`inline` computes in the calling thread: for tests and platforms without threads."""
        self._responder: Responder | None = None
        self._net = as_net(net)
        if (exemplars is None) != (images is None):
            raise TypeError("Quiz() takes exemplars and images together, or none of them.")
        found = exemplars_that_ship(self._net, K) if exemplars is None else exemplars
        first = next(iter(found.values()))
        first.check(self._net)
        self._weights = first.weights
        self._images: Any = gallery() if images is None else images
        seed = random.randrange(10_000) if seed is None else seed  # noqa: S311 - no secret
        asked = questions(found, layers, count, seed)
        self._answers = QuizAnswers(self._net.name, seed, asked, (None,) * len(asked))
        self._next: tuple[int, dict[str, Any], list[float]] | None = None
        self._values: list[float] = []
        super().__init__(**({} if locale is None else {"locale": locale}))
        self.set_trait("count", len(asked))
        self._tell()
        handlers = {"answer": self._answer, "go": self._go}
        self._responder = Responder(self.send, handlers, inline=inline)
        self.on_msg(self._responder.on_msg)
        self._responder.submit(lambda job: self._ask(job, 0))

    @property
    def answers(self) -> QuizAnswers:
        """What has been answered so far."""
        return self._answers

    @property
    def weights(self) -> str:
        """SHA-256 of the weights whose exemplars are asked for; the code's check rests on it."""
        return self._weights

    @staticmethod
    def read(code: str, exemplars: Mapping[str, Exemplars] | None = None) -> QuizAnswers:
        """The answers that a quiz's `code` tells of, for a teacher who collects them.

        exemplars: those that the quiz was made of, unless they ship.

        Raises:
            ValueError: the code was not copied whole, or is of other exemplars.
            KeyError: no scan of its network ships.
        """
        return read(code, exemplars)

    def to_html(
        self,
        path: str | Path,
        *,
        max_mb: float = 40.0,
        locale: str | None = None,
        progress: bool = True,
    ) -> SavedPage:
        """Write one HTML file that asks these questions from the first on, without Python.

        Its code is this quiz's, so that `Quiz.read` turns what pupils send into their answers. The
        answers to the questions are in the file for whoever looks for them.

        progress: show a bar.

        Raises:
            PageTooLarge: the page would have more than `max_mb` megabytes; ask less.
        """
        from zfwidgets.widgets.export.quiz import write_quiz

        return write_quiz(path, self, locale or self.locale, max_mb=max_mb, progress=progress)

    def close(self) -> None:
        """Close the widget and let go of network and pictures."""
        if self._responder is not None:
            self._responder.close()
        super().close()
        self._net = self._images = self._next = None

    def plain_text(self) -> str:
        """One line for terminals."""
        one = self._answers
        return f"Quiz({one.net}: {one.right} of {one.asked} right, {len(one.answers)} questions)"

    # ----------------------------------------------------------------------------- questions

    def _ask(self, job: Job, at: int) -> None:
        """On the worker: show a question, then prepare the one after it."""
        if self._next is None or self._next[0] != at:
            self.set_trait("status", "busy")
            try:
                self._prepare(at)
            except Exception as error:  # noqa: BLE001 - the person who looks must see it
                with self.hold_sync():
                    self.error = describe_error(error)
                    self.set_trait("status", "error")
                return
        job.check()
        assert self._next is not None
        _, question, self._values = self._next
        with self.hold_sync():
            self.set_trait("at", at)
            self._question, self._solution = question, {}
            self.set_trait("status", "ready")
            self.clear_error()
        if at + 1 < self.count and self._responder is not None:
            self._responder.submit(lambda _job: self._prepare(at + 1), AHEAD)

    def _prepare(self, at: int) -> None:
        """Have a question ready."""
        self._next = at, *self.asked(at)

    def asked(self, at: int) -> tuple[dict[str, Any], list[float]]:
        """The patches of a question, and what the channel makes of the two that are asked for.

        As `_question` has them; the values are not to be seen before the answer.
        """
        question = self._answers.questions[at]
        places = [*question.shown, *question.pair]
        names, rows, columns = zip(*places, strict=True)
        inputs = prepared(self._net, find(self._images, names))
        # What the channel makes of a picture matters for the pair alone.
        recording = self._net.record(inputs[len(question.shown) :], question.layer)
        neurons = recording.neurons(
            question.layer, (0, 1), [question.channel] * 2, rows[-2:], columns[-2:]
        )
        layer = recording.layers[question.layer]
        patches, _ = cut(layer, self._net.undo(inputs), range(len(places)), rows, columns)
        scale = min(1.0, _PX / max(patches.shape[1:3]))
        small = resize(patches, *(max(1, round(side * scale)) for side in patches.shape[1:3]))
        # Small patches are enlarged: each of their pixels is seen, and neighbours must not bleed.
        quality = _QUALITY if max(small.shape[1:3]) > _LOSSLESS else None
        made = sheet(range(len(small)), small, quality=quality)
        told = {"at": at, "layer": question.layer, "channel": question.channel}
        told |= {"credits": [self._credit(name) for name in names]}
        told |= {"sheet": made.head(), "data": made.data}
        return told, neurons.value.tolist()

    def _credit(self, name: str) -> str:
        """Whose the photograph is; not its title, which would say what is on it."""
        photo = self._images[name] if self._images is gallery() else None
        return f"{photo.author}, {photo.licence}" if isinstance(photo, Photo) else ""

    # ------------------------------------------------------------------------------- answers

    def _answer(self, job: Job) -> Answer:
        """``{at, choice}``: the first picture, 0, or the second, 1. The first answer counts."""
        at, choice = job.request.integer("at", 0, self.count), job.request.body.get("choice")
        if choice not in (0, 1):
            raise WireError("Unreadable message", f"expected choice as 0 or 1, got {choice!r:.80}")
        one = self._answers
        if at != self.at or self.status != "ready" or one.answers[at] is not None:
            return Answer(last=True)
        given = (*one.answers[:at], choice, *one.answers[at + 1 :])
        self._answers = QuizAnswers(one.net, one.seed, one.questions, given)
        exciting = one.questions[at].exciting
        with self.hold_sync():
            self._solution = {
                "at": at,
                "exciting": exciting,
                "chosen": choice,
                "values": self._values,
            }
            self._tell()
        return Answer(last=True)

    def _go(self, job: Job) -> Answer:
        """``{at}``: on from the question that was answered; after the last one the quiz is done."""
        at = job.request.integer("at", 0, self.count)
        if at != self.at or at >= self.count or self._answers.answers[at] is None:
            return Answer(last=True)
        if at + 1 < self.count:
            self._ask(job, at + 1)
        else:
            with self.hold_sync():
                self.set_trait("at", self.count)
                self.set_trait("status", "done")
        return Answer(last=True)

    def _tell(self) -> None:
        """The score and the code, of the answers as they are."""
        one = self._answers
        rows = [("", one), *((layer, one.of(layer)) for layer in one.layers)]
        self._score = {
            "rows": [
                {
                    "layer": layer,
                    "asked": some.asked,
                    "right": some.right,
                    "low": some.interval[0],
                    "high": some.interval[1],
                }
                for layer, some in rows
            ]
        }
        self.set_trait("code", one.code(self._weights))
