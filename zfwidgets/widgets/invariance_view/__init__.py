"""What the network does not mind: curves of Fig. 5, and the changed photo under the cursor."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import ipywidgets
import traitlets as t

from zfwidgets.analysis.invariance import Invariance, Moved, Trial
from zfwidgets.analysis.transforms import DEFAULTS, NEUTRAL
from zfwidgets.images.tiles import encode
from zfwidgets.widgets.core.composed import Composed
from zfwidgets.widgets.core.plots import CURVE_COLOURS, CurveChart
from zfwidgets.widgets.core.recordings import RecordingTrait, check_picture
from zfwidgets.widgets.core.rpc import AHEAD, Job, Responder
from zfwidgets.widgets.core.spoken import class_name
from zfwidgets.widgets.core.wire import Answer, WireError
from zfwidgets.widgets.invariance_panel import TRANSFORMS, InvariancePanel

_WATCHED = 5


class InvarianceView(Composed):
    """Change a photo step by step and watch features and class probabilities move.

    The curves show, over the amount of change, how far the feature vectors of some layers move (as
    shares of their length) and the probability of the photo's class. Pointing at a curve, or the
    slider, shows the photo at that amount. Curves are computed in the background.

    Parameters:
        recording: what `DeconvNet.record` gave.
        transform: what is changed, see `zfwidgets.invariance`.
        layers: whose features are compared. Default: the first and the last before the scores.
        label: the class of the probability curve, by number or name. Default: the most probable.

    Examples:
        >>> view = InvarianceView(net.record("cat.jpg"), transform="rotation")
        >>> view.result.to_frame()  # when `running` is False again
    """

    recording = RecordingTrait()
    """The recorded forward pass; Python only."""

    image = t.Int(0, min=0)
    """Index of the picture in the recording."""

    layers = t.List(t.Unicode(), None, allow_none=True)
    """Names of up to three layers; None: the first, and the last before the class scores."""

    label = t.Union([t.Int(), t.Unicode()], default_value=None, allow_none=True)
    """The class to watch, by number or name; None: the most probable one."""

    transform = t.Enum(TRANSFORMS, "translation")
    """What is changed."""

    value = t.Float(0.0)
    """How much the photo shown is changed, in the transform's units."""

    running = t.Bool(False)
    """Whether curves are being computed. Set it to begin or to stop."""

    result = t.Instance(Invariance, allow_none=True, read_only=True)
    """The curves as far as they are known."""

    status = t.Enum(["empty", "busy", "ready", "error"], "empty")
    error = t.Dict()
    """What went wrong, as {title, message, hint}; empty when all is well."""

    def __init__(
        self,
        recording: Any = None,
        *,
        transform: str = "translation",
        layers: list[str] | None = None,
        label: int | str | None = None,
        image: int = 0,
        locale: str | None = None,
        inline: bool = False,
    ) -> None:
        """`inline` computes in the calling thread: for tests and platforms without threads."""
        self.panel = InvariancePanel(**({"locale": locale} if locale else {}))
        self.distances = CurveChart(self.panel.say("distance_title"))
        self.probabilities = CurveChart("p")
        self._trial: Trial | None = None
        self._net: Any = None  # the trial's
        self._job: Job | None = None
        self._moved: dict[float, Moved] = {}
        responder = Responder(
            self.panel.send, {"look": self._look}, lambda: self.panel.epoch, inline=inline
        )
        charts = ipywidgets.Box([self.distances, self.probabilities])
        charts.add_class("zf-invariance-charts")
        super().__init__(
            [self.panel, charts],
            responder,
            recording=recording,
            transform=transform,
            layers=layers,
            label=label,
            image=image,
        )
        self.add_class("zf-invariance-view")
        self.panel.on_msg(self._responder.on_msg)
        self._links += [
            t.link((self, name), (self.panel, name))
            for name in ("transform", "value", "running", "status", "error")
        ]
        self.observe(self._prepare, ["recording", "image", "layers", "label", "transform"])
        self.observe(self._begin, "running")
        self._prepare()

    def _let_go(self) -> None:
        self._trial = self._net = self._job = None
        self._moved = {}
        self.recording = None
        self.set_trait("result", None)

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"InvarianceView({self.transform}, {self.value})"

    def contact_sheet(self) -> bytes | None:
        """The curves as far as they are known; None if there are none."""
        if self.result is None:
            return None
        out = io.BytesIO()
        self.result.plot().savefig(out, format="png", dpi=80)
        return out.getvalue()

    # ---------------------------------------------------------------------- the photo

    def _prepare(self, _change: object = None) -> None:
        self.running = False
        if self._job is not None:
            self._job.cancel()
        if self.recording is None:
            self._forget()
            return
        self.status = "busy"
        self._job = self._responder.submit(self._open)

    def _forget(self) -> None:
        self._trial = self._net = self._job = None
        self._moved = {}
        with self.panel.hold_sync():
            self.panel.epoch += 1
            self.panel.facts, self.panel.photo, self.panel.progress = {}, b"", 0.0
            self.panel.clear_error()
        for chart in (self.distances, self.probabilities):
            chart.show([], {}, (0.0, 0.0, 1.0, 1.0))
        self.set_trait("result", None)
        self.status = "empty"

    def _open(self, job: Job) -> None:
        """On the worker thread: the photo as it was, then all of the curves."""
        recording = self.recording
        try:
            check_picture(recording, self.image)
            trial = Trial(
                recording.net,
                recording.inputs[self.image : self.image + 1],
                self.transform,
                layers=self.layers,
                labels=None if self.label is None else [self.label],
            )
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            if job.wanted:
                self.panel.fail(error)
                self.status = "error"
                self.panel.running = False  # the page may have asked for curves meanwhile
            return
        job.check()
        self._trial, self._net, self._moved = trial, recording.net, {}
        title = self.panel.say("probability_title", label=trial.names[0])
        self.probabilities.title.value = title
        with self.panel.hold_sync():
            self.panel.epoch += 1
            self.panel.facts = _facts(trial, recording.net, self.panel.locale)
            self.panel.photo = _encoded(recording.net, trial, NEUTRAL[trial.transform])
            self.panel.progress = 0.0
            self.panel.clear_error()
        self.value = NEUTRAL[self.transform]
        self.status = "ready"
        self.running = True

    def _look(self, job: Job) -> Answer:
        """The photo at one value: {value}. On the worker thread."""
        trial, net = self._trial, self._net
        if trial is None:
            raise WireError("Nothing to look at", "The view has no photo yet.")
        value = job.request.body.get("value")
        values = DEFAULTS[trial.transform]
        if not isinstance(value, int | float) or not min(values) <= value <= max(values):
            raise WireError(
                "Unreadable message",
                f"expected a value from {min(values)} to {max(values)}, got {value!r:.80}",
            )
        moved = trial.at(float(value))
        job.check()
        shares = moved.distance[:, 0] / trial.norm[:, 0].clamp_min(1e-12)
        body: dict[str, Any] = {"value": value, "shares": shares.tolist()}
        if moved.chances is not None:
            chances, names = moved.chances[0], net.categories
            best = int(chances.argmax())
            body |= {
                "p": [float(chances[index]) for index in self.panel.facts["watched"]],
                "best": class_name(names[best], self.panel.locale) if names else str(best),
                "same": best == self.panel.facts["winner"],
                "best_p": float(chances[best]),
            }
        return Answer(body, [_encoded(net, trial, float(value))], last=True)

    # --------------------------------------------------------------------- the curves

    def _begin(self, _change: object = None) -> None:
        trial = self._trial
        if not self.running:
            return
        if trial is None or self.status != "ready":
            # The curves of what is being prepared begin by themselves.
            self.running = False
            return
        todo = iter([v for v in DEFAULTS[trial.transform] if float(v) not in self._moved])
        self._responder.submit(lambda _job: self._go_on(trial, todo), AHEAD)

    def _go_on(self, trial: Trial, todo: Iterator[float]) -> None:
        """One value on the worker thread, and the next one behind all that waits."""
        if not self.running or trial is not self._trial:
            return
        value = next(todo, None)
        if value is None:
            self.running = False
            return
        try:
            moved = trial.at(float(value))
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            self.panel.fail(error)
            self.running = False
            return
        if trial is not self._trial:
            return  # another photo meanwhile, or none
        self._moved[float(value)] = moved
        self._draw(trial)
        self._responder.submit(lambda _job: self._go_on(trial, todo), AHEAD)

    def _draw(self, trial: Trial) -> None:
        values = DEFAULTS[trial.transform]
        known = sorted(self._moved)
        found = trial.result(known, [self._moved[value] for value in known])
        self.set_trait("result", found)
        low, high = float(min(values)), float(max(values))
        shares = {name: found.relative[i, 0].tolist() for i, name in enumerate(found.layers)}
        top = max(1.0, float(found.relative.max()) * 1.05)
        self.distances.show(known, shares, (0.0, low, top, high))
        if found.probability is not None:
            p = found.probability[0]
            top = max(0.05, float(p.max()) * 1.1)
            self.probabilities.show(
                known, {found.names[0]: p.tolist()}, (0.0, low, min(1.0, top), high)
            )
        self.panel.progress = len(known) / len(values)


def _facts(trial: Trial, net: Any, locale: str) -> dict[str, Any]:
    """What is known of the photo as it was, for the page."""
    values = DEFAULTS[trial.transform]
    facts: dict[str, Any] = {
        "low": float(min(values)),
        "high": float(max(values)),
        "step": (max(values) - min(values)) / 120,
        "layers": list(trial.layers),
        "colours": list(CURVE_COLOURS),
        "watched": [],
        "names": [],
        "p": [],
        "winner": -1,
    }
    if trial.chances is not None and trial.labels is not None:
        chances, label = trial.chances[0], int(trial.labels[0])
        watched = chances.topk(min(_WATCHED, len(chances))).indices.tolist()
        facts["winner"] = watched[0]
        if label not in watched:
            watched[-1] = label
        facts["watched"] = watched
        named = net.categories
        facts["names"] = [class_name(named[i], locale) if named else str(i) for i in watched]
        facts["p"] = [float(chances[i]) for i in watched]
    return facts


def _encoded(net: Any, trial: Trial, value: float) -> bytes:
    """The photo at a value, as a file."""
    return encode(net.undo(trial.changed(value))[0], "image/jpeg", quality=88)
