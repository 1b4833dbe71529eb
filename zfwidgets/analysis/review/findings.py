"""The ten lines of a review: what was found, its numbers, and how it was judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from zfwidgets.analysis.filters import Filters
from zfwidgets.analysis.review.anatomy import Anatomy
from zfwidgets.analysis.review.cases import Case
from zfwidgets.analysis.review.decisions import FEW, Decisions, interval
from zfwidgets.analysis.review.robustness import ENOUGH, MOVED, STAYS, Change, Control, median
from zfwidgets.analysis.review.words import counted, large, listed, percent, size
from zfwidgets.analysis.usage import LayerUsage, Usage

Verdict = Literal["missed", "look", "good", "fact", "open"]
"""missed: a limit that was asked for; look: worth a look; good: passed its test; fact: a number
without a test; open: it cannot be told from what was given."""

SKEWED = 0.8
"""Above this Gini coefficient of the energy a layer is worth a look."""

ALIASED = 0.25
"""Above this mean share of energy beyond what the stride can sample, the first layer is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What makes a review fail; None: not asked. Shares from 0 to 1.

    max_dead, max_duplicates, max_gini: of each layer, as `assert_healthy`. min_accuracy: of all
    pictures whose class is known. max_aliasing: of the first layer, see `Filters.aliasing`.
    """

    max_dead: float | None = 0.05
    max_duplicates: float | None = None
    max_gini: float | None = None
    min_accuracy: float | None = None
    max_aliasing: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the summary. about: what. text: a sentence. test: how it was judged."""

    about: str
    verdict: Verdict
    text: str
    test: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.verdict:<6}  {self.about}: {self.text} [{self.test}]"


def sized(anatomy: Anatomy) -> Finding:
    """Layers, parameters, multiply-adds, memory."""
    weighted = [layer for layer in anatomy.layers if layer.parameters]
    channels, height, width = anatomy.input
    dear = max(anatomy.layers, key=lambda layer: layer.multiply_adds)
    share = dear.multiply_adds / max(1, anatomy.multiply_adds)
    text = (
        f"{counted(len(weighted), 'layer')} with weights, {large(anatomy.parameters)} parameters; "
        f"a picture of {height} × {width} takes {large(anatomy.multiply_adds)} multiply-adds "
        f"({percent(share)} of them in {dear.name}) and {size(anatomy.map_bytes)} of feature maps."
    )
    numbers = {
        "layers": len(weighted),
        "parameters": anatomy.parameters,
        "multiply_adds": anatomy.multiply_adds,
        "map_bytes": anatomy.map_bytes,
        "input": [channels, height, width],
    }
    return Finding("Size", "fact", text, "counted while one picture goes through", numbers)


def dead(usage: Usage, limits: Limits) -> Finding:
    """Channels that never fire, almost never, or give no numbers."""
    layers = usage.layers.values()
    total = sum(one.channels for one in layers)
    gone = {one.layer: one.dead for one in layers if one.dead}
    broken = {one.layer: one.broken for one in layers if one.broken}
    near = sum(len(one.near_dead) for one in layers)
    missed = bool(broken) or any(
        limits.max_dead is not None and len(one.dead) > limits.max_dead * one.channels
        for one in layers
    )
    parts = [
        f"{name} gives infinite values or no numbers in {_channels(found, usage[name])}"
        for name, found in broken.items()
    ]
    parts += [
        f"{name} is dead, none of its {usage[name].channels} channels fires in any picture"
        if len(found) == usage[name].channels
        else f"{name} has dead {_channels(found, usage[name])}"
        for name, found in gone.items()
    ]
    if not parts:
        parts = [f"each of the {total:,} channels fires in some picture"]
    text = "; ".join(parts)
    rare = f", {counted(near, 'channel')} in fewer than {percent(_near(usage))} of them"
    text = f"{text[:1].upper()}{text[1:]}{rare if near else ''}, of {usage.images:,} pictures."
    limit = limits.max_dead
    test = (
        "dead: above zero in no picture"
        if limit is None
        else f"dead: above zero in no picture; at most {percent(limit)} of a layer may be"
    )
    numbers = {"dead": gone, "broken": broken, "near_dead": near, "channels": total}
    verdict: Verdict = "missed" if missed else "look" if gone else "good"
    return Finding("Dead channels", verdict, text, test, numbers)


def copies(usage: Usage, limits: Limits) -> Finding:
    """Channels whose filters repeat another one's."""
    pairs = [(one, pair) for one in usage.layers.values() for pair in one.duplicates]
    copied = {name: {b for _, b, _ in one.duplicates} for name, one in usage.layers.items()}
    missed = limits.max_duplicates is not None and any(
        len(copied[name]) > limits.max_duplicates * one.channels
        for name, one in usage.layers.items()
    )
    told = [
        f"in {one.layer} channel {b} copies channel {a} (cosine {cosine:.3f})"
        for one, (a, b, cosine) in sorted(pairs, key=lambda pair: -pair[1][2])
    ]
    text = f"{listed(told, 3)}." if told else "no two channels of a layer have the same filter."
    limit = limits.max_duplicates
    test = "cosine of two filters above 0.95" + (
        "" if limit is None else f"; at most {percent(limit)} of a layer may be copies"
    )
    numbers = {
        "duplicates": {
            name: [list(pair) for pair in one.duplicates]
            for name, one in usage.layers.items()
            if one.duplicates
        }
    }
    verdict: Verdict = "missed" if missed else "look" if pairs else "good"
    return Finding("Duplicates", verdict, text[:1].upper() + text[1:], test, numbers)


def skew(usage: Usage, limits: Limits) -> Finding:
    """How unevenly channels share the work."""
    finite = [one for one in usage.layers.values() if one.gini == one.gini]
    if not finite:
        return Finding("Skew", "open", "no layer has any finite energy.", "Gini of the energy")
    worst = max(finite, key=lambda one: one.gini)
    limit = SKEWED if limits.max_gini is None else limits.max_gini
    text = (
        f"The work is shared most unevenly in {worst.layer}: {worst.effective:.0f} evenly used "
        f"channels would do what its {worst.channels} do (Gini {worst.gini:.2f})"
    )
    over = [one.layer for one in finite if one.gini > limit]
    text += f"; above the limit: {listed(over)}." if over else "."
    verdict: Verdict = "good" if not over else "missed" if limits.max_gini is not None else "look"
    numbers = {"gini": {one.layer: one.gini for one in finite}}
    return Finding(
        "Skew", verdict, text, f"Gini of the channels' energy at most {limit:g}", numbers
    )


def decided(decisions: Decisions | None, net: str, limits: Limits) -> Finding:
    """How often it is right."""
    about, asked = "Decisions", limits.min_accuracy
    test = "most probable class is the picture's" + (
        "" if asked is None else f"; at least {percent(asked)}"
    )
    if decisions is None:
        verdict: Verdict = "open" if asked is None else "missed"
        text = f"{net} gives no class scores, so there are no decisions to judge."
        return Finding(about, verdict, text, test)
    if not decisions.labelled:
        text = (
            f"The pictures have no classes that {net} knows, so right and wrong cannot be told; "
            f"the class it chooses has {percent(float(decisions.probability.mean()))} on average."
        )
        numbers = {"confidence": float(decisions.probability.mean())}
        return Finding(about, "open" if asked is None else "missed", text, test, numbers)
    right, of, outputs = decisions.right, decisions.labelled, decisions.classes.outputs
    low, high = interval(right, of)
    text = f"{right:,} of {of:,} pictures ({percent(right / of)}) are decided right"
    if outputs > 10:
        text += (
            f", {percent(decisions.among_five / of)} among the first five of {outputs:,} classes"
        )
    classes = decisions.per_class()
    if len(classes) == 1:
        text += f"; all are {decisions.classes.name(classes[0][0])}, other classes cannot be judged"
    numbers = {"right": right, "pictures": of, "among_five": decisions.among_five}
    test += f"; 95 % interval {percent(low)} to {percent(high)}"
    missed = asked is not None and right / of < asked
    return Finding(about, "missed" if missed else "fact", f"{text}.", test, numbers)


def confused(decisions: Decisions | None) -> Finding:
    """Classes that are swapped, or mostly taken for another one."""
    about = "Mistaken classes"
    test = f"more than half of a class with {FEW} or more pictures is taken for one other class"
    if decisions is None or not decisions.labelled:
        return Finding(about, "open", "there are no right and wrong decisions to compare.", test)
    classes = decisions.per_class()
    enough = [one for one in classes if one[1] >= FEW]
    if not enough or len(classes) == 1:
        few = max(pictures for _, pictures, _ in classes)
        why = (
            "all pictures are of one class"
            if len(classes) == 1
            else f"no class has more than {counted(few, 'picture')}"
        )
        return Finding(about, "open", f"This cannot be told: {why}.", test)
    swapped, taken = decisions.swapped(), decisions.mostly_taken()
    among = {one.truth for pair in swapped for one in pair}
    told = [f"{one.truth} and {other.truth} are swapped: {one}, {other}" for one, other in swapped]
    told += [str(one) for one in taken if one.truth not in among]
    numbers = {
        "swapped": [[one.truth, other.truth] for one, other in swapped],
        "mostly_taken": [[one.truth, one.answer, one.count, one.pictures] for one in taken],
        "judged": len(enough),
    }
    if told:
        return Finding(about, "look", f"{'; '.join(told[:3])}{_more(told)}.", test, numbers)
    worst = min(enough, key=lambda one: one[2] / one[1])
    text = (
        f"None of the {counted(len(enough), 'class', 'classes')} with {FEW} or more pictures is "
        f"mostly taken for another one; the weakest is {decisions.classes.name(worst[0])}, "
        f"{worst[2]} of {worst[1]} right."
    )
    return Finding(about, "good", text, test, numbers)


def explained(cases: Sequence[Case]) -> Finding:
    """What the most certain errors rest on."""
    test = "a square, a quarter of the side, hides one place after the other"
    if not cases:
        return Finding("Errors", "open", "there is no decision to look into.", test)
    wrong = any(case.wrong for case in cases)
    what = "most certain error" if wrong else "least certain decision"
    first = cases[0]
    other = sum(case.instead != case.answer for case in cases)
    text = (
        f"Of the {counted(len(cases), what)}, {other or 'none'} would be decided otherwise "
        "with one place hidden; "
    )
    if wrong:
        text += (
            f"the first takes {first.rival} for {first.answer} ({percent(first.probability)}, "
            f"{percent(first.hidden)} with the place hidden that matters most)"
        )
    else:
        text += (
            f"the first wavers between {first.answer} ({percent(first.probability)}) and "
            f"{first.rival} ({percent(first.of_rival)})"
        )
    if first.evidence is not None and len(first.evidence.channels_for):
        channel = int(first.evidence.channels_for[0])
        text += f"; channel {channel} of {first.evidence.layer} speaks most for it"
    numbers = {
        "cases": [
            {
                "id": case.id,
                "answer": case.answer,
                "rival": case.rival,
                "probability": case.probability,
                "hidden": case.hidden,
                "instead": case.instead,
            }
            for case in cases
        ],
        "change": other,
    }
    return Finding("Errors" if wrong else "Doubts", "fact", f"{text}.", test, numbers)


def stable(changes: Sequence[Change], pictures: int, note: str) -> Finding:
    """Whether decisions survive small changes."""
    if not changes:
        return Finding("Invariance", "open", f"nothing was tried: {note}", "small changes")
    by_decision = changes[0].stays is not None
    weak = [change for change in changes if not change.holds]
    what = "of the decisions stay" if by_decision else "of the features' length stays"
    worst = min(changes, key=lambda change: change.small)
    text = f"Under each of {len(changes)} small changes {_least(worst.small)} {what}"
    if weak:
        told = [f"{percent(change.small)} when {change.words}" for change in weak]
        text = f"Too few {what} under small changes: {listed(told)}"
    else:
        text += f"; least when the picture is {worst.words}"
    limit = (
        f"at least {percent(STAYS)} stay" if by_decision else f"move by at most {percent(MOVED)}"
    )
    test = f"{counted(pictures, 'picture')}, {limit}"
    numbers = {change.transform: change.small for change in changes}
    return Finding("Invariance", "look" if weak else "good", f"{text}.", test, numbers)


def believed(control: Control | None, why_not: str) -> Finding:
    """Whether projections show what made neurons fire."""
    about = "Projections"
    test = "painting over them takes more away than random pixels: sign test, p < 0.05"
    if control is None:
        return Finding(about, "open", f"They could not be checked: {why_not}", test)
    mine, other = control.trained, control.untrained
    n = int(control.advantage.isfinite().sum())
    text = (
        f"Painting over what a projection shows takes away {percent(median(mine.drop))} of the "
        f"activation, as many random pixels {percent(median(mine.drop_elsewhere))} (medians of "
        f"{counted(n, 'channel')} of {control.layer}); in an untrained copy "
        f"{percent(median(other.drop))} and {percent(median(other.drop_elsewhere))}."
    )
    numbers = {
        "drop": median(mine.drop),
        "drop_elsewhere": median(mine.drop_elsewhere),
        "untrained_drop": median(other.drop),
        "untrained_drop_elsewhere": median(other.drop_elsewhere),
        "better": control.better,
        "channels": n,
        "p": control.chance,
    }
    test += f"; here {control.better} of {n}, p = {control.chance:.2g}; and more than untrained"
    verdict: Verdict = "open" if n < ENOUGH else "good" if control.holds else "look"
    if n < ENOUGH:
        text += " These are too few channels to tell."
    return Finding(about, verdict, text, test, numbers)


def aliased(filters: Filters | None, why_not: str, limits: Limits) -> Finding:
    """Whether the first layer throws frequencies together."""
    about = "Aliasing"
    limit = ALIASED if limits.max_aliasing is None else limits.max_aliasing
    test = f"mean share beyond 0.5 / stride cycles per pixel at most {percent(limit)}"
    if filters is None:
        verdict: Verdict = "open" if limits.max_aliasing is None else "missed"
        return Finding(about, verdict, f"It cannot be measured: {why_not}", test)
    alive = ~filters.dead
    share = float(filters.aliasing[alive].nanmean()) if bool(alive.any()) else float("nan")
    step = max(filters.stride)
    text = (
        f"{percent(share)} of the energy of {filters.layer}'s {len(filters.rms)} filters lies "
        f"beyond what its stride of {step} can sample"
    )
    over = int((filters.aliasing[alive] > 0.5).sum())
    if step == 1:
        text = f"{filters.layer} has a stride of 1 and loses no frequency"
    elif over:
        text += f"; of {counted(over, 'filter')} it is more than half"
    bad = share > limit
    if bad:
        text += f", so {filters.layer} aliases: fine patterns come out as coarse ones"
    verdict = "good" if not bad else "missed" if limits.max_aliasing is not None else "look"
    numbers = {"layer": filters.layer, "stride": list(filters.stride), "aliasing": share}
    return Finding(about, verdict, f"{text}.", test, numbers)


def _least(share: float) -> str:
    return "all" if share == 1 else f"{percent(share)} or more"


def _channels(found: Sequence[int], layer: LayerUsage) -> str:
    word = "channel" if len(found) == 1 else "channels"
    return f"{word} {listed(found)} ({len(found)} of {layer.channels})"


def _near(usage: Usage) -> float:
    return next(iter(usage.layers.values())).near


def _more(told: Sequence[str]) -> str:
    return f"; and {len(told) - 3} more" if len(told) > 3 else ""
