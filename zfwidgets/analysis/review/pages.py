"""A review as a report: which numbers and pictures stand where, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import version

import torch

from zfwidgets.analysis.plot.review_page import (
    Bars,
    Curve,
    Curves,
    Line,
    Page,
    Part,
    Section,
    Table,
    Tile,
    Tiles,
    Words,
)
from zfwidgets.analysis.review.facts import Facts
from zfwidgets.analysis.review.finding import Finding
from zfwidgets.analysis.review.pages_decisions import decisions_section
from zfwidgets.analysis.review.robustness import STAYS, median, unit
from zfwidgets.analysis.review.shelf import strongest
from zfwidgets.analysis.review.tiles import channel_tile, filter_sheet, sheet
from zfwidgets.analysis.review.words import large, listed, percent, size
from zfwidgets.analysis.usage import LayerUsage

_MOST = 60
"""Rows of a table; networks of hundreds of layers are told by their largest."""

_WHERE = ("is", *3 * ("health",), *3 * ("decisions",), "changes", "believe", "first")


def page(review: Facts, summary: Sequence[Finding]) -> Page:
    """The whole report."""
    facts = [
        f"{review.images:,} pictures",
        f"weights {review.weights[:12]}",
        _asked(review),
        f"zfwidgets {version('zfwidgets')}",
    ]
    sections = [
        _is(review, summary[:1]),
        _health(review, summary[1:4]),
        _channels(review),
        decisions_section(review, [_line(one) for one in summary[4:7]]),
        _changes(review, summary[7:8]),
        _believe(review, summary[8:9]),
        _first(review, summary[9:10]),
    ]
    return Page(
        title=f"Review of {review.net}",
        lead=_lead(summary),
        passed=all(one.verdict != "missed" for one in summary),
        facts=facts,
        summary=[_line(one, where) for one, where in zip(summary, _WHERE, strict=True)],
        sections=[one for one in sections if one.parts],
        credits=[f"{name}: {credit}" for name, credit in review.credits.items()],
    )


def _lead(summary: Sequence[Finding]) -> str:
    look, missed = (
        [one.about.lower() for one in summary if one.verdict == verdict]
        for verdict in ("look", "missed")
    )
    told = f" Worth a look: {listed(look)}." if look else ""
    if missed:
        word = "limit" if len(missed) == 1 else "limits"
        return f"Does not pass: it misses the {word} for {listed(missed)}.{told}"
    return f"Passes: no limit that was asked for is missed.{told}"


def _asked(review: Facts) -> str:
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


def _is(review: Facts, found: Sequence[Finding]) -> Section:
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


def _health(review: Facts, found: Sequence[Finding]) -> Section:
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
                sheet(review.channels[layer, channel]),
                f"{layer}, channel {channel}",
                f"{percent(float(skewed.energy[channel]) / total)} of the layer's energy, an even "
                f"share is {percent(1 / skewed.channels)}",
            )
            for layer, channel in busy
        ]
        parts.append(Tiles(tiles, 280, f"The busiest channels of {skewed.layer}"))
    rare = [(one.layer, c) for one in layers for c in one.near_dead]
    tiles = [channel_tile(review, key) for key in rare if key in review.channels]
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
                sheet(channel),
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
                "Dead channels have no pictures; they cost time and memory and say nothing: "
                + "; ".join(f"{one.layer} {listed(one.dead, 20)}" for one in gone)
                + "."
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


def _channels(review: Facts) -> Section:
    parts: list[Part] = [
        Words(
            "Each channel with the four pictures that excite it most. Above, what its neuron saw; "
            "below, what of it made the neuron fire (deconvnet)."
        ),
        Words(review.why_matter, quiet=True),
    ]
    for layer in dict.fromkeys(layer for layer, _ in review.matter):
        tiles = [channel_tile(review, key) for key in review.matter if key[0] == layer]
        parts.append(Tiles(tiles, 280, layer))
    return Section("channels", "What are the channels that matter?", parts if review.matter else [])


def _changes(review: Facts, found: Sequence[Finding]) -> Section:
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


def _believe(review: Facts, found: Sequence[Finding]) -> Section:
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


def _first(review: Facts, found: Sequence[Finding]) -> Section:
    parts, first = _lines(found), review.filters
    if first is not None:
        if first.weights.shape[1] in (1, 3):
            parts.append(
                Tiles(
                    [
                        Tile(
                            filter_sheet(first.weights),
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
