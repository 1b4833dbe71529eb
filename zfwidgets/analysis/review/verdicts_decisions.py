"""What is said of a network's decisions and projections: half of a review's ten lines."""

from __future__ import annotations

from collections.abc import Sequence

from zfwidgets.analysis.review.cases import Case
from zfwidgets.analysis.review.decisions import FEW, Decisions, interval
from zfwidgets.analysis.review.finding import Finding, Limits, Verdict
from zfwidgets.analysis.review.robustness import ENOUGH, MOVED, STAYS, Change, Control, median
from zfwidgets.analysis.review.words import counted, listed, percent


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
    elif not control.holds:
        text += (
            " So a projection matters more than random pixels, but no more than without learning."
            if control.significant
            else " So they matter no more than random pixels."
        )
    return Finding(about, verdict, text, test, numbers)


def _least(share: float) -> str:
    return "all" if share == 1 else f"{percent(share)} or more"


def _more(told: Sequence[str]) -> str:
    return f"; and {len(told) - 3} more" if len(told) > 3 else ""
