"""A review as a report: which numbers and pictures stand where, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zfwidgets.analysis.plot.review_page import (
    Bars,
    Curve,
    Curves,
    Heading,
    Line,
    Page,
    Part,
    Section,
    Table,
    Tile,
    Tiles,
    Words,
)
from zfwidgets.analysis.review.cases import Case, lit, over
from zfwidgets.analysis.review.decisions import FEW, SIGNIFICANT, apart
from zfwidgets.analysis.review.findings import Finding
from zfwidgets.analysis.review.result import Review
from zfwidgets.analysis.review.robustness import STAYS, median, unit
from zfwidgets.analysis.review.shelf import ChannelPictures, strongest
from zfwidgets.analysis.review.words import counted, large, listed, percent, signed, size
from zfwidgets.analysis.usage import LayerUsage
from zfwidgets.images.contrast import contrast

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

_SIDE, _GAP, _PAPER = 96, 3, 255
_MOST = 60
"""Rows of a table; networks of hundreds of layers are told by their largest."""

_WHERE = ("is", *3 * ("health",), *3 * ("decisions",), "changes", "believe", "first")


def page(review: Review) -> Page:
    """The whole report."""
    from zfwidgets import __version__

    summary = review.summary
    facts = [
        f"{review.images:,} pictures",
        f"weights {review.weights[:12]}",
        _asked(review),
        f"zfwidgets {__version__}",
    ]
    sections = [
        _is(review, summary[:1]),
        _health(review, summary[1:4]),
        _channels(review),
        _decisions(review, summary[4:7]),
        _changes(review, summary[7:8]),
        _believe(review, summary[8:9]),
        _first(review, summary[9:10]),
    ]
    return Page(
        title=f"Review of {review.net}",
        lead=_lead(review),
        passed=not review.missed,
        facts=facts,
        summary=[_line(one, where) for one, where in zip(summary, _WHERE, strict=True)],
        sections=[one for one in sections if one.parts],
        credits=[f"{name}: {credit}" for name, credit in review.credits.items()],
    )


def _lead(review: Review) -> str:
    look = [one.about.lower() for one in review.summary if one.verdict == "look"]
    told = f" Worth a look: {listed(look)}." if look else ""
    if review.missed:
        names = listed([one.about.lower() for one in review.missed])
        return f"Does not pass: the limit for {names} is missed.{told}"
    return f"Passes: no limit that was asked for is missed.{told}"


def _asked(review: Review) -> str:
    limits = review.limits
    asked = [
        ("dead ≤", limits.max_dead),
        ("duplicates ≤", limits.max_duplicates),
        ("accuracy ≥", limits.min_accuracy),
        ("aliasing ≤", limits.max_aliasing),
    ]
    told = [f"{name} {percent(value)}" for name, value in asked if value is not None]
    if limits.max_gini is not None:
        told.append(f"Gini ≤ {limits.max_gini:g}")
    return "limits: " + (", ".join(told) or "none")


def _line(finding: Finding, section: str = "") -> Line:
    return Line(finding.about, finding.verdict, finding.text, finding.test, section)


def _lines(found: Iterable[Finding]) -> list[Part]:
    return [_line(one) for one in found]


def _is(review: Review, found: Sequence[Finding]) -> Section:
    anatomy = review.anatomy
    layers = sorted(anatomy.layers, key=lambda one: -(one.multiply_adds + one.map_bytes))
    kept = {one.name for one in layers[:_MOST]}
    rows = [
        (
            one.name,
            one.kind,
            " × ".join(map(str, one.shape)),
            f"{one.kernel[0]} × {one.kernel[1]}" if one.kind != "linear" else "–",
            str(one.stride[0]) if one.kind != "linear" else "–",
            f"{one.receptive_field[0]} px",
            large(one.parameters) if one.parameters else "–",
            large(one.multiply_adds) if one.multiply_adds else "–",
            size(one.map_bytes),
            size(one.weight_bytes) if one.weight_bytes else "–",
        )
        for one in anatomy.layers
        if one.name in kept
    ]
    head = ("layer", "kind", "maps", "kernel", "stride", "sees", "parameters", "multiply-adds")
    parts: list[Part] = _lines(found)
    costly = max(anatomy.layers, key=lambda one: one.map_bytes)
    parts.append(
        Words(
            f"Most memory for maps goes to {costly.name}, {size(costly.map_bytes)} of "
            f"{size(anatomy.map_bytes)} for one picture; weights take "
            f"{size(sum(one.weight_bytes for one in anatomy.layers))}."
        )
    )
    parts.append(Table((*head, "maps take", "weights take"), rows))
    if len(rows) < len(anatomy.layers):
        parts.append(Words(f"The {len(rows)} largest of {len(anatomy.layers)} layers.", quiet=True))
    return Section("is", "What it is", parts)


def _health(review: Review, found: Sequence[Finding]) -> Section:
    layers = list(review.scan.usage.layers.values())
    shown = sorted(layers, key=_wasted, reverse=True)[:_MOST]
    near = percent(layers[0].near)
    parts: list[Part] = [
        *_lines(found),
        Bars(
            (
                "as many evenly used channels would do the work",
                "dead",
                f"near-dead: fires in fewer than {near} of the pictures",
                "copies",
            ),
            [_shares(one) for one in layers if one in shown],
            "What each layer makes of its channels",
        ),
    ]
    skewed = max(layers, key=lambda one: one.gini if one.gini == one.gini else -1)
    busy = [(skewed.layer, channel) for channel in strongest(skewed)]
    if all(key in review.channels for key in busy):
        total = float(skewed.energy.sum())
        tiles = [
            Tile(
                _sheet(review.channels[layer, channel]),
                f"{layer}, channel {channel}",
                f"{percent(float(skewed.energy[channel]) / total)} of the layer's energy, an even "
                f"share is {percent(1 / skewed.channels)}",
            )
            for layer, channel in busy
        ]
        parts.append(Tiles(tiles, 280, f"The busiest channels of {skewed.layer}"))
    rare = [(one.layer, c) for one in layers for c in one.near_dead]
    tiles = [_tile(review, key) for key in rare if key in review.channels]
    if tiles:
        title = "Channels that almost never fire, with the pictures in which they do"
        parts.append(Tiles(tiles, 280, title))
    pairs = [
        (review.channels[one.layer, a], review.channels[one.layer, b], cosine)
        for one in layers
        for a, b, cosine in sorted(one.duplicates, key=lambda pair: -pair[2])
        if (one.layer, a) in review.channels and (one.layer, b) in review.channels
    ]
    if pairs:
        both = [
            Tile(
                _sheet(channel),
                f"{channel.layer}, channel {channel.channel}",
                f"the same filter as channel {other.channel}, cosine {cosine:.3f}",
            )
            for first, second, cosine in pairs[:3]
            for channel, other in ((first, second), (second, first))
        ]
        parts.append(Tiles(both, 280, "Channels that have the same filter"))
    gone = [one for one in layers if one.dead]
    if gone:
        parts.append(
            Words(
                "Dead channels have no pictures: "
                + "; ".join(f"{one.layer} {listed(one.dead, 20)}" for one in gone)
                + ". They cost multiply-adds and memory and say nothing."
            )
        )
    return Section("health", "Are its channels in good health?", parts)


def _shares(one: LayerUsage) -> tuple[str, list[float], str]:
    copied = len({b for _, b, _ in one.duplicates})
    counts = (len(one.dead), len(one.near_dead), copied)
    told = [
        f"{count} {what}"
        for count, what in zip(counts, ("dead", "near-dead", "copies"), strict=True)
        if count
    ]
    even = one.effective if one.effective == one.effective else 0.0
    text = f"{even:.0f} of {one.channels}" + "".join(f" · {part}" for part in told)
    return one.layer, [even / one.channels, *(count / one.channels for count in counts)], text


def _wasted(one: LayerUsage) -> tuple[int, float]:
    gini = one.gini if one.gini == one.gini else 1.0
    return len(one.dead) + len(one.near_dead) + len(one.duplicates), gini


def _channels(review: Review) -> Section:
    parts: list[Part] = [
        Words(
            "Each channel with the four pictures that excite it most. Above, what its neuron saw; "
            "below, what of it made the neuron fire (deconvnet)."
        ),
        Words(review.why_matter, quiet=True),
    ]
    for layer in dict.fromkeys(layer for layer, _ in review.matter):
        tiles = [_tile(review, key) for key in review.matter if key[0] == layer]
        parts.append(Tiles(tiles, 280, layer))
    return Section("channels", "What are the channels that matter?", parts if review.matter else [])


def _decisions(review: Review, found: Sequence[Finding]) -> Section:
    parts, decisions = _lines(found), review.decisions
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


def _classes(review: Review) -> list[Part]:
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


def _examples(review: Review) -> list[Part]:
    """Right beside wrong decisions, class by class."""
    parts: list[Part] = []
    for one in review.examples:
        tiles = [
            Tile(pixels, f"{verdict}: {answer}", percent(probability), alt=name)
            for verdict, some in (("right", one.right), ("wrong", one.wrong))
            for name, probability, answer, pixels in some
        ]
        told = f"{one.name}: {one.correct} of {one.pictures} right; the most certain of each"
        parts.append(Tiles([_small(tile) for tile in tiles], 120, told))
    return parts


def _small(tile: Tile) -> Tile:
    height, width = tile.pixels.shape[:2]
    factor = min(1.0, 160 / max(height, width))
    size_ = max(1, round(width * factor)), max(1, round(height * factor))
    pixels = np.asarray(Image.fromarray(tile.pixels).resize(size_, Image.Resampling.LANCZOS))
    return replace(tile, pixels=pixels)


def _apart(review: Review) -> list[Part]:
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
        tile = _tile(review, (decisions.layer, channel))
        tiles.append(replace(tile, caption=f"stronger in {side} decisions, t = {abs(value):.1f}"))
    return [Line("", "fact", told, test), Tiles(tiles, 280)]


def _taken(review: Review, label: int) -> str:
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
    other = f", and {case.instead} wins" if case.instead != case.answer else ", and it still wins"
    tiles.append(
        Tile(
            over(case.photo, case.lost),
            "what it needs to see",
            f"orange: hiding it costs probability, at most down to {percent(case.hidden)}{other}",
        )
    )
    parts: list[Part] = [Tiles(tiles, 160, lead)]
    if case.why_not:
        parts.append(Words(f"No evidence is shown: {case.why_not}", quiet=True))
    return parts


def _changes(review: Review, found: Sequence[Finding]) -> Section:
    curves = [
        Curve(
            one.transform,
            unit(one.transform),
            one.values,
            (one.stays if one.stays is not None else (1 - one.moved).clamp(0, 1)).tolist(),
            STAYS if one.stays is not None else None,
        )
        for one in review.changes
    ]
    decides = bool(review.changes) and review.changes[0].stays is not None
    axis = "decisions that stay" if decides else "share of the features' length that stays"
    parts: list[Part] = _lines(found)
    if curves:
        dashed = " The dashed line is the test, at the first step." if decides else ""
        parts += [Words(f"Upwards: {axis}, from 0 to 100 %.{dashed}", quiet=True)]
        parts.append(Curves(curves, axis))
    if "changes" in review.notes:
        parts.append(Words(review.notes["changes"], quiet=True))
    return Section("changes", "What does it not mind?", parts)


def _believe(review: Review, found: Sequence[Finding]) -> Section:
    parts, control = _lines(found), review.control
    if control is not None:
        mine, other = control.trained, control.untrained
        rows = [
            (
                name,
                [max(0.0, median(one.drop)), max(0.0, median(one.drop_elsewhere))],
                f"{percent(median(one.drop))}, elsewhere {percent(median(one.drop_elsewhere))}",
            )
            for name, one in ((review.net, mine), ("untrained copy", other))
        ]
        parts.append(
            Bars(
                ("painted over where the projection is", "as many random pixels"),
                rows,
                "Share of the activation that is lost",
            )
        )
        told = (
            f"Projections of other channels at the same place are similar: cosine "
            f"{median(mine.neighbours):.2f}, untrained {median(other.neighbours):.2f}. The closer "
            "to 1, the more a projection says where a neuron looks rather than what for."
        )
        if mine.randomised.shape[1]:
            told += (
                f" With all weights up to {mine.layers[-1]} shuffled, a projection keeps a cosine "
                f"of {median(mine.randomised[:, -1]):.2f} to itself; near 0 it shows what was "
                "learned, near 1 the picture alone."
            )
        parts.append(Words(told))
    return Section("believe", "May its projections be believed?", parts)


def _first(review: Review, found: Sequence[Finding]) -> Section:
    parts, first = _lines(found), review.filters
    if first is not None:
        if first.weights.shape[1] in (1, 3):
            parts.append(
                Tiles(
                    [
                        Tile(
                            _filters(first.weights),
                            f"The {len(first.rms)} filters of {first.layer}",
                            "each with its own contrast",
                            sharp=True,
                        )
                    ],
                    440,
                )
            )
        bands = torch.histc(first.frequency[first.frequency.isfinite()].float(), 3, 0, 0.5)
        names = ("lie below 0.17", "between 0.17 and 0.33", "above 0.33")
        told = [f"{int(n)} {name}" for n, name in zip(bands.tolist(), names, strict=True)]
        parts.append(
            Words(
                f"Their strongest frequencies, in cycles per pixel: {listed(told)}. The stride of "
                f"{max(first.stride)} can sample up to {0.5 / max(first.stride):.3g}."
            )
        )
    return Section("first", "Does its first layer alias?", parts)


def _tile(review: Review, key: tuple[str, int]) -> Tile:
    found = review.channels[key]
    words = review.words.get(key, "")
    usage = review.scan.usage[found.layer]
    fires = f"fires in {percent(float(usage.fires[found.channel]))} of the pictures"
    return Tile(
        _sheet(found),
        f"{found.layer}, channel {found.channel}",
        f"{fires}; {words}" if words else fires,
        sharp=found.patches.shape[1] < 32,
    )


def _sheet(found: ChannelPictures) -> Pixels:
    """Patches in a row, and their projections below it: uint8 [h, w, 3]."""
    columns = 4
    step = _SIDE + _GAP
    sheet = np.full((2 * step - _GAP, columns * step - _GAP, 3), 128, np.uint8)
    for row, tiles in enumerate((found.patches, found.projections)):
        for column, tile in enumerate(tiles[:columns]):
            y, x = row * step, column * step
            sheet[y : y + _SIDE, x : x + _SIDE] = _resized(tile, _SIDE)
    return sheet


def _resized(tile: Pixels, side: int) -> Pixels:
    how = Image.Resampling.NEAREST if tile.shape[0] < side else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(tile).resize((side, side), how))


def _filters(weights: Tensor) -> Pixels:
    """Filters [N, 1 or 3, h, w] beside each other: uint8 [h, w, 3]."""
    shown, _ = contrast(weights)
    some = shown[:256]
    columns = min(len(some), 16)
    side, gap = 4 * max(some.shape[1:3]), 4
    rows = -(-len(some) // columns)
    sheet = np.full(
        (rows * (side + gap) - gap, columns * (side + gap) - gap, 3), _PAPER // 2, np.uint8
    )
    for index, tile in enumerate(some):
        y, x = index // columns * (side + gap), index % columns * (side + gap)
        sheet[y : y + side, x : x + side] = _resized(tile, side)
    return sheet
