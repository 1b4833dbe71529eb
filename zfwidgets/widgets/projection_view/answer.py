"""What a ProjectionView shows, worked out without a widget: neuron, signed pixels, words' facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from zfwidgets.images.contrast import contrast
from zfwidgets.images.numbers import floats
from zfwidgets.images.signed import colour_mean, signed
from zfwidgets.widgets.core.neuron import Question, neuron_of
from zfwidgets.widgets.core.recordings import check_picture

if TYPE_CHECKING:
    from torch import Tensor

CONTRASTS = ("percentile", "largest", "shared", "fixed")
COLOURS = ("colour", "signed")
Picture = np.ndarray[Any, np.dtype[np.uint8]]
Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Answer:
    """The photo uint8 [H, W, 3]; per rule a signed picture, values [R, 3, H, W]; the neuron."""

    question: Question
    photo: Picture
    values: Values | None = None
    rules: tuple[str, ...] = ()
    neuron: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def answer(question: Question, before: Answer | None, check: Callable[[], None]) -> Answer:
    """Find the neuron and send it back by every rule; `check` may raise to stop in between.

    before: the answer to an earlier question; its very photo is kept if it is of the same picture.
    """
    recording = question.recording
    check_picture(recording, question.image)
    photo = _photo(question, before)
    if question.channel is None or not question.layer:
        return Answer(question, photo)
    check()
    found = neuron_of(question)
    made = []
    for rule in question.rules:
        projection = recording.project(found, rule=rule)
        made.append(floats(projection.to_rgb(projection.on_canvas())))
        check()
    values = np.concatenate(made)
    neuron = {
        "layer": question.layer,
        "image": question.image,
        "channel": question.channel,
        "row": int(found.row[0]),
        "col": int(found.col[0]),
        "value": float(found.value[0]),
        "box": tuple(projection.boxes[0].tolist()),
    }
    facts = _facts(neuron, question, photo.shape[:2])
    return Answer(question, photo, values, question.rules, neuron, facts)


def _photo(question: Question, before: Answer | None) -> Picture:
    if before is not None:
        known = before.question
        if known.recording is question.recording and known.image == question.image:
            return before.photo
    photo: Picture = question.recording.seen()[question.image]
    return photo


def _facts(neuron: dict[str, Any], question: Question, size: tuple[int, ...]) -> dict[str, Any]:
    """What the page says and computes with, as plain values."""
    top, left, bottom, right = neuron["box"]
    layer = question.recording.layers[question.layer]
    return {
        **{key: neuron[key] for key in ("layer", "channel", "row", "col", "value")},
        "net": question.recording.net.name,
        "box": list(neuron["box"]),
        "map": [layer.height, layer.width],
        "field": list(layer.receptive_field),
        "jump": list(layer.jump),
        "offset": list(layer.offset),
        "chosen": question.place is not None,
        "beyond": top < 0 or left < 0 or bottom > size[0] or right > size[1],
        "all": top <= 0 and left <= 0 and bottom >= size[0] and right >= size[1],
    }


def pictures(
    values: Values | Tensor, how: str, colours: str, full: float
) -> tuple[Picture, tuple[float, ...]]:
    """Signed pictures [R, 3, H, W] as uint8 [R, H, W, 3], and per picture the |x| of full contrast.

    how: "percentile", each picture full at its 99.5th percentile; "largest", at its largest |x|;
    "shared", all at one 99.5th percentile; "fixed", all at `full`. colours: "colour" around
    mid-grey, or "signed": the mean of the colours from blue over white to orange.
    """
    options: dict[str, Any] = {
        "share": "all" if how == "shared" else "tile",
        "percentile": 100.0 if how == "largest" else 99.5,
        "full": full if how == "fixed" else None,
    }
    if colours == "signed":
        made, ends = signed(colour_mean(values), **options)
    else:
        made, used = contrast(values, **options)
        ends = used.high
    return made, ends * (len(values) if len(ends) == 1 else 1)
