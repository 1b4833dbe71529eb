"""One call, one report: `review`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Unpack

import torch
from torch import Tensor

from zfwidgets.analysis.arguments import NETWORK_OR_NAME, takes, told
from zfwidgets.analysis.filters import Filters, filters
from zfwidgets.analysis.review.anatomy import anatomy, check_weights
from zfwidgets.analysis.review.cases import contributions, examples, last_maps, look_into
from zfwidgets.analysis.review.decisions import Decisions, apart, decide
from zfwidgets.analysis.review.finding import Limits
from zfwidgets.analysis.review.labels import Classes, labels_of
from zfwidgets.analysis.review.result import Review
from zfwidgets.analysis.review.robustness import Control, changes, control
from zfwidgets.analysis.review.shelf import Shelf, pictures_of, strongest
from zfwidgets.analysis.scan import Scan
from zfwidgets.analysis.scan import scan as scan_pictures
from zfwidgets.analysis.scanning.scanner import Scanner, UsageOptions
from zfwidgets.analysis.shared_images import repeatable
from zfwidgets.analysis.stream import Images
from zfwidgets.analysis.usage import Usage
from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.load import load

KEPT = 9
"""Pictures kept per channel, as the paper prints them."""

SHOWN = 4
"""Of them, so many are shown."""

SAMPLE = 24
"""Pictures that contributions and changes are measured on, spread evenly over all."""

CHECKED = 24
"""Channels whose projections are checked; a quarter of them in networks of many layers."""


@takes(net=NETWORK_OR_NAME)
@told(UsageOptions, Scanner)
def review(
    net: DeconvNet | str,
    images: Images,
    *,
    layers: Sequence[str] | None = None,
    scan: Scan | str | Path | None = None,
    near: float = 0.01,
    max_dead: float | None = 0.05,
    max_duplicates: float | None = None,
    max_gini: float | None = None,
    min_accuracy: float | None = None,
    max_aliasing: float | None = None,
    **options: Unpack[UsageOptions],
) -> Review:
    """Judge a trained network by pictures: what an engineer must know who has to decide about it.

    What it is and costs; dead, near-dead, duplicate and skewed channels; the channels that matter;
    right and wrong decisions, and what the most certain errors rest on; whether small changes
    matter; whether projections can be believed, beside an untrained copy; aliasing of the first
    layer. Each statement has its number and its test.

        >>> found = zf.review("zfnet", zf.gallery())
        >>> print(found)
        >>> found.to_html("report.html")

    net: a network, or its name for `load`. images: a folder, with a subfolder for each class or
    without, a dataset, a mapping, `gallery()`; see `Images`. labels: one per picture; by default
    the subfolders' names or what comes with the pictures: names in `net.categories`, or numbers.
    Where no name fits and there are as many as outputs, they count in sorted order.

    layers: whose channels are looked at; default: the convolutions and fully connected layers
    without the outputs. scan: a finished `Scan` of the same pictures, or its file, made with Ray or
    elsewhere, instead of a pass of one's own. near: see `usage`.

    max_dead, max_duplicates, max_gini: limits for each layer as in `assert_healthy`;
    min_accuracy: share of right decisions; max_aliasing: see `Filters`. None: not asked.
    `Review.missed` says which are missed.

    options: batch=32, pictures at once, which bounds the memory; progress=True, bars; checkpoint: a
    file from which the same call goes on; a second one beside it keeps the decisions; threshold,
    ray: see `scan`. After the two passes the rest takes as long for many pictures as for few.

    Raises ValueError if there are no pictures, for weights or scores that are NaN or infinite, and
    for a scan of another network or of other pictures; KeyError for a layer that does not exist.
    """
    net = load(net) if isinstance(net, str) else net
    limits = Limits(max_dead, max_duplicates, max_gini, min_accuracy, max_aliasing)
    images = repeatable(images)
    shelf = _filled(net, images)
    check_weights(net)
    names = list(shelf)
    first = net.record(shelf.inputs(names[:1]))
    labels = labels_of(images, options.pop("labels", None))
    batch, progress = options.get("batch", 32), options.get("progress", True)

    found = (
        _scan(net, images, layers, labels, near, options)
        if scan is None
        else _given(scan, net, shelf)
    )
    decisions, deep = None, _deepest(found.usage, last_maps(first))
    if first.logits is not None and first.logits.shape[1] > 1:
        classes = Classes.of(net, first.logits.shape[1], labels)
        checkpoint = options.get("checkpoint")
        decisions = decide(
            net,
            images,
            classes,
            labels,
            deep,
            batch=batch,
            checkpoint=None if checkpoint is None else Path(f"{checkpoint}.decisions"),
            progress=progress,
        )
    notes: dict[str, str] = {}
    sample = _spread(names, SAMPLE)
    measured = contributions(net, shelf, sample, progress=progress) if decisions else None
    order, why_matter = _order(found.usage, deep, measured, len(sample))
    matter = [(deep, channel) for channel in order[:6]]
    matter += _energetic(found.usage, deep)
    channels = pictures_of(
        net,
        shelf,
        found.exemplars,
        [*matter, *_faulty(found.usage), *_apart(decisions)],
        k=SHOWN,
        progress=progress,
    )
    cases = (
        ()
        if decisions is None
        else look_into(net, shelf, decisions, batch=batch, progress=progress)
    )
    classes_shown = examples(shelf, decisions) if decisions is not None else ()
    tried, notes["changes"] = changes(net, shelf.inputs(sample), batch=batch, progress=progress)
    checked, notes["control"] = _control(net, shelf, found, deep, order, progress)
    measured_filters, notes["filters"] = _filters(net)
    shown = {name for one in channels.values() for name in one.ids} | {case.id for case in cases}
    shown |= {each[0] for one in classes_shown for each in (*one.right, *one.wrong)}
    return Review(
        net=net.name,
        weights=net.weights_hash(),
        images=found.scanned,
        limits=limits,
        anatomy=anatomy(net, first.inputs),
        scan=found,
        decisions=decisions,
        matter=tuple(one for one in matter if one in channels),
        why_matter=why_matter,
        channels=channels,
        words=_words(found, channels, decisions),
        examples=classes_shown,
        cases=cases,
        changes=tried,
        changed_pictures=len(sample),
        control=checked,
        filters=measured_filters,
        notes={name: note for name, note in notes.items() if note},
        credits={name: credit for name in sorted(shown) if (credit := shelf.credit(name))},
    )


def _filled(net: DeconvNet, images: Images) -> Shelf:
    shelf = Shelf(net, images)
    if not len(shelf):
        where = f"{images} has no pictures" if isinstance(images, str | Path) else "got no pictures"
        raise ValueError(
            f"review(): {where}; expected one or more (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF), in "
            "the folder itself or in a subfolder for each class."
        )
    return shelf


def _scan(
    net: DeconvNet,
    images: Images,
    layers: Sequence[str] | None,
    labels: list[Hashable | None] | None,
    near: float,
    options: UsageOptions,
) -> Scan:
    passed: dict[str, Any] = {**options, "labels": labels}
    found = scan_pictures(net, images, layers, KEPT, near=near, **passed)
    if not found.complete:
        raise KeyboardInterrupt(f"stopped after {found.scanned} pictures; the same call goes on.")
    return found


def _given(scan: Scan | str | Path, net: DeconvNet, shelf: Shelf) -> Scan:
    found = scan if isinstance(scan, Scan) else Scan.load(scan)
    if not found.complete:
        raise ValueError(
            f"the scan was stopped after {found.scanned} pictures; expected a finished one. The "
            "same `scan` with its checkpoint goes on."
        )
    if found.scanned != len(shelf):
        raise ValueError(
            f"the scan is of {found.scanned} pictures and {len(shelf)} are given; expected the "
            "same ones."
        )
    if not found.usage.layers:
        raise ValueError("the scan has no layers; expected one made by scan().")
    for one in found.exemplars.values():
        one.check(net)
    return found


def _spread(names: Sequence[str], number: int) -> list[str]:
    """So many of them, evenly from the first to the last."""
    places = torch.linspace(0, len(names) - 1, min(number, len(names))).round().long().tolist()
    return [names[place] for place in places]


def _deepest(usage: Usage, preferred: str) -> str:
    return preferred if preferred in usage.layers else list(usage.layers)[-1]


def _order(
    usage: Usage, deep: str, measured: tuple[str, Tensor] | None, pictures: int
) -> tuple[list[int], str]:
    """Channels of the deepest maps, those first that matter most, and how that was measured."""
    if measured is not None and measured[0] == deep:
        how = (
            f"In {deep} by how much a channel contributes to the score of the decision, for it or "
            f"against it, on average of {pictures} pictures; elsewhere by energy, its mean square."
        )
        return measured[1].argsort(descending=True).tolist(), how
    how = "By energy: the mean square of a channel's activations over all pictures."
    return usage[deep].energy.nan_to_num(0).argsort(descending=True).tolist(), how


def _energetic(usage: Usage, deep: str) -> list[tuple[str, int]]:
    """The strongest three of a layer in the middle."""
    names = list(usage.layers)
    middle = names[names.index(deep) // 2]
    return [] if middle == deep else [(middle, channel) for channel in strongest(usage[middle])]


def _faulty(usage: Usage) -> list[tuple[str, int]]:
    """Channels that a report on health shows: a few of each kind."""
    near = [(n, c) for n, one in usage.layers.items() for c in one.near_dead[:2]]
    copies = sorted(
        ((cosine, n, a, b) for n, one in usage.layers.items() for a, b, cosine in one.duplicates),
        reverse=True,
    )
    pairs = [(n, c) for _, n, a, b in copies[:3] for c in (a, b)]
    skewed = max(usage.layers.values(), key=lambda one: one.gini if one.gini == one.gini else -1)
    return [*near[:6], *pairs, *((skewed.layer, channel) for channel in strongest(skewed))]


def _apart(decisions: Decisions | None) -> list[tuple[str, int]]:
    """Channels that differ most between right and wrong decisions, three to either side."""
    return [] if decisions is None else [(decisions.layer, c) for c in apart(decisions)]


def _control(
    net: DeconvNet, shelf: Shelf, found: Scan, layer: str, order: Sequence[int], progress: bool
) -> tuple[Control | None, str]:
    exemplars, weighted = found.exemplars[layer], len(found.usage.layers)
    firing = [c for c in order if float(exemplars.value[c, 0]) > 0]
    firing = firing[: CHECKED if weighted <= 20 else CHECKED // 4]
    if not firing:
        return None, f"no channel of {layer} fires."
    inputs = shelf.inputs([exemplars.of(channel)[0][0] for channel in firing])
    try:
        return control(net, inputs, layer, firing, progress=progress), ""
    except (ValueError, RuntimeError) as error:
        return None, str(error)


def _filters(net: DeconvNet) -> tuple[Filters | None, str]:
    try:
        return filters(net), ""
    except ValueError as error:
        return None, str(error)


def _words(found: Scan, channels: Any, decisions: Decisions | None) -> dict[tuple[str, int], str]:
    """What a channel's strongest pictures are of, where their classes are known."""
    if decisions is None or not decisions.labelled:
        return {}
    truth = dict(zip(decisions.ids, decisions.truth.tolist(), strict=True))
    told = {}
    for layer, channel in channels:
        ids = [name for name, *_, value in found.exemplars[layer].of(channel) if value > 0]
        known = [truth[name] for name in ids if truth.get(name, -1) >= 0]
        if known:
            label, times = Counter(known).most_common(1)[0]
            if times > 1:
                told[layer, channel] = f"{times} of {len(ids)}: {decisions.classes.name(label)}"
    return told
