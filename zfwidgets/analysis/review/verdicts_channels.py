"""What is said of a network's size and of its channels: half of a review's ten lines."""

from __future__ import annotations

from collections.abc import Sequence

from zfwidgets.analysis.filters import Filters
from zfwidgets.analysis.review.anatomy import Anatomy
from zfwidgets.analysis.review.finding import Finding, Limits, Verdict
from zfwidgets.analysis.review.words import counted, large, listed, percent, size
from zfwidgets.analysis.usage import LayerUsage, Usage

SKEWED = 0.8
"""Above this Gini coefficient of the energy a layer is worth a look."""

ALIASED = 0.25
"""Above this mean share of energy beyond what the stride can sample, the first layer is."""


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
        f"{_channels(found, usage[name])} of {name} give infinite values or no numbers"
        for name, found in broken.items()
    ]
    parts += [
        f"the layer {name} is dead, none of its {usage[name].channels} channels fires"
        if len(found) == usage[name].channels
        else f"dead in {name}: {_channels(found, usage[name])}"
        for name, found in gone.items()
    ]
    if not parts:
        parts = [f"each of the {total:,} channels fires in some picture"]
    text = "; ".join(parts)
    rare = f"; {counted(near, 'channel')} in fewer than {percent(_near(usage))} of them"
    text = f"{text[:1].upper()}{text[1:]}, of {usage.images:,} pictures{rare if near else ''}."
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
        text += f"; in {counted(over, 'filter')} it is more than half"
    bad = share > limit
    if bad:
        text += f", so {filters.layer} aliases: fine patterns come out as coarse ones"
    verdict = "good" if not bad else "missed" if limits.max_aliasing is not None else "look"
    numbers = {"layer": filters.layer, "stride": list(filters.stride), "aliasing": share}
    return Finding(about, verdict, f"{text}.", test, numbers)


def _channels(found: Sequence[int], layer: LayerUsage) -> str:
    word = "channel" if len(found) == 1 else "channels"
    return f"{word} {listed(found)} ({len(found)} of {layer.channels})"


def _near(usage: Usage) -> float:
    return next(iter(usage.layers.values())).near
