"""The neuron that a view is asked for, and the rules by which it can be sent back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, get_args

from zfwidgets.deconv.method import RuleName

RULES: tuple[RuleName, ...] = get_args(RuleName)
Place = tuple[int, int] | None


@dataclass(frozen=True)
class Question:
    """What is to be shown. place: row and column of the neuron; None: the channel's strongest."""

    recording: Any
    image: int
    layer: str
    channel: int | None
    rules: tuple[str, ...]
    place: Place


def neuron_of(question: Question) -> Any:
    """The neuron asked for, as `Neurons` of length 1.

    Raises:
        ValueError: its activation is NaN or infinite.
    """
    found = _find(question)
    value = float(found.value[0])
    if not math.isfinite(value):
        raise ValueError(
            f"channel {question.channel} of layer {question.layer!r} has the activation {value}, "
            "which cannot be sent back; expected a finite number. Look for NaN or infinite values "
            "in the network's weights and in the picture."
        )
    return found


def _find(question: Question) -> Any:
    recording, image, channel = question.recording, question.image, question.channel
    if question.place is not None:
        row, col = question.place
        return recording.neurons(question.layer, image=image, channel=channel, row=row, col=col)
    found = recording.strongest(question.layer, channels=[channel])
    return found[found.image == image]
