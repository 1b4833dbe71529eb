"""What the network says without the pinned channels: an ablation, as the page gets it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zfwidgets.widgets.channel_browser.pins import Pin

if TYPE_CHECKING:
    from zfwidgets.deconv import Recording

_SHOWN = 3
"""Classes that are told: the most probable ones with all channels."""


def without(recording: Recording, image: int, pins: Sequence[Pin]) -> dict[str, Any]:
    """The trait `_without`: probabilities of classes with all channels, and without the pinned.

    ``{"off", "labels", "before", "now"}``: how many channels are switched off, and the classes that
    were most probable before, first of all the decision; the class that is now the most probable is
    always among them. No classes if the network gives none, or if it has no pinned channel.

    It costs one forward pass of the one picture; of a recording of several, two.

    Raises:
        ValueError, RuntimeError: as `Recording.ablate`.
    """
    layers = recording.layers
    off: dict[str, list[int]] = {}
    for pin in pins:
        if pin["layer"] in layers and pin["channel"] < layers[pin["layer"]].channels:
            off.setdefault(pin["layer"], []).append(pin["channel"])
    told: dict[str, Any] = {"off": sum(map(len, off.values())), "labels": []}
    if recording.logits is None or not off:
        return told
    classes = recording.logits.shape[1]
    if len(recording) > 1:
        recording = recording.net.record(recording.inputs[image : image + 1])
    changes = recording.ablate(off).changes(classes)[0]
    decided = max(range(len(changes)), key=lambda i: changes[i][2])
    shown = changes[:_SHOWN] + ([changes[decided]] if decided >= _SHOWN else [])
    labels, before, now = zip(*shown, strict=True)
    return told | {"labels": [*labels], "before": [*before], "now": [*now]}
