"""The part of a report about decisions: right and wrong, by class, by channel and one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zfwidgets.analysis.plot.review_page import (
    Bars,
    Heading,
    Line,
    Part,
    Section,
    Tile,
    Tiles,
    Words,
)
from zfwidgets.analysis.review.cases import Case, lit, over
from zfwidgets.analysis.review.decisions import FEW, SIGNIFICANT, apart
from zfwidgets.analysis.review.facts import Facts
from zfwidgets.analysis.review.tiles import channel_tile, small
from zfwidgets.analysis.review.words import counted, percent, signed


def decisions_section(review: Facts, found: Sequence[Line]) -> Section:
    """Right and wrong, class by class and one by one."""
    parts: list[Part] = list(found)
    decisions = review.decisions
    if decisions is None:
        return Section("decisions", "What does it decide?", parts)
    if decisions.classes.how:
        parts.append(Words(decisions.classes.how))
    parts += [*_classes(review), *_examples(review), *_apart(review)]
    if review.cases:
        wrong = any(case.wrong for case in review.cases)
        parts.append(Heading("The most certain errors" if wrong else "The least certain decisions"))
        parts += [part for case in review.cases for part in _case(case)]
    return Section("decisions", "What does it decide, and what do its errors rest on?", parts)


def _classes(review: Facts) -> list[Part]:
    """The best and the weakest of the classes that can be judged."""
    decisions = review.decisions
    assert decisions is not None
    judged = [one for one in decisions.per_class() if one[1] >= FEW]
    if len(judged) < 2:
        few = decisions.labelled and len(decisions.per_class()) > 1
        told = f"No class has {FEW} pictures or more, so single classes are not judged."
        return [Words(told, quiet=True)] if few else []
    order = sorted(judged, key=lambda one: (-one[2] / one[1], -one[1], one[0]))
    shown = order if len(order) <= 12 else [*order[:6], *order[-6:]]
    rows = [
        (
            decisions.classes.name(label),
            [right / pictures],
            f"{right} of {pictures}{_taken(review, label)}",
        )
        for label, pictures, right in shown
    ]
    several = (
        f"The six best and the six weakest of {len(order)} classes with {FEW} pictures or more"
    )
    return [Bars(("decided right",), rows, several if len(order) > 12 else "Class by class")]


def _examples(review: Facts) -> list[Part]:
    """Right beside wrong decisions, class by class."""
    parts: list[Part] = []
    for one in review.examples:
        tiles = [
            Tile(pixels, f"{verdict}: {answer}", percent(probability), alt=name)
            for verdict, some in (("right", one.right), ("wrong", one.wrong))
            for name, probability, answer, pixels in some
        ]
        told = f"{one.name}: {one.correct} of {one.pictures} right; the most certain of each"
        parts.append(Tiles([small(tile) for tile in tiles], 100, told))
    return parts


def _apart(review: Facts) -> list[Part]:
    """Channels that differ between right and wrong decisions."""
    decisions = review.decisions
    assert decisions is not None
    t = decisions.apart
    if not bool(t.isfinite().any()):
        return []
    chosen = [c for c in apart(decisions) if (decisions.layer, c) in review.channels]
    right, wrong = (int(count) for count in decisions.responses[:, 0, 0].tolist())
    test = (
        f"Welch's t of a channel's strongest activations, {wrong:,} wrong against {right:,} right "
        f"decisions, beyond {SIGNIFICANT:g}"
    )
    if not chosen:
        told = f"No channel of {decisions.layer} is clearly stronger in right or wrong decisions."
        return [Line("", "fact", told, test)]
    number = int((t.nan_to_num(0).abs() > SIGNIFICANT).sum())
    told = (
        f"{counted(number, 'channel')} of {decisions.layer} "
        f"{'is' if number == 1 else 'are'} clearly stronger in right or in wrong decisions."
    )
    tiles = []
    for channel in chosen:
        value = float(t[channel])
        side = "wrong" if value > 0 else "right"
        tile = channel_tile(review, (decisions.layer, channel))
        tiles.append(replace(tile, caption=f"stronger in {side} decisions, t = {abs(value):.1f}"))
    return [Line("", "fact", told, test), Tiles(tiles, 280)]


def _taken(review: Facts, label: int) -> str:
    decisions = review.decisions
    assert decisions is not None
    wrong = decisions.answer[(decisions.truth == label) & (decisions.rank > 0)]
    if not len(wrong):
        return ""
    most = int(wrong.mode().values)
    times = int((wrong == most).sum())
    name = decisions.classes.name(most)
    return f", {times} taken for {name}" if times > 1 else ""


def _case(case: Case) -> list[Part]:
    lead = (
        f"{case.rival} ({percent(case.of_rival)}) is taken for {case.answer} "
        f"({percent(case.probability)})"
        if case.wrong
        else f"{case.answer} ({percent(case.probability)}) or {case.rival} "
        f"({percent(case.of_rival)})?"
    )
    tiles = [Tile(case.photo, "the picture", case.id, alt=case.id)]
    account = case.evidence
    if account is not None:
        versus = f" rather than {account.versus}" if account.versus else ""
        exact = "" if account.exact else "; not exact, for biases stand between"
        tiles.append(
            Tile(
                over(case.photo, account.by_place),
                "what speaks for it",
                f"orange: for {case.answer}{versus}; blue: against{exact}",
            )
        )
        sides = (
            ("for", account.channels_for, account.pictures_for),
            (
                "against",
                account.channels_against,
                account.pictures_against,
            ),
        )
        tiles += [
            Tile(
                lit(case.photo, shown.numpy()),
                f"channel {channel} speaks {side} it",
                f"here; {signed(float(account.by_channel[channel]))} of {signed(account.logit)} "
                "between the scores",
            )
            for side, channels, pictures in sides
            for channel, shown in zip(channels.tolist(), pictures, strict=True)
        ]
    wins = f"{case.answer} still wins" if case.instead == case.answer else f"{case.instead} wins"
    tiles.append(
        Tile(
            over(case.photo, case.lost),
            "what it needs to see",
            f"orange: hiding it costs probability; at the lowest, {percent(case.hidden)}, {wins}",
        )
    )
    parts: list[Part] = [Tiles(tiles, 160, lead)]
    if case.why_not:
        parts.append(Words(f"No evidence is shown: {case.why_not}", quiet=True))
    return parts
