"""Ablation: some channels of a recorded run are switched off; what does the network say then?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zfwidgets.deconv.changes import Change
from zfwidgets.deconv.graph import Call
from zfwidgets.deconv.outputs import most_probable

if TYPE_CHECKING:
    from zfwidgets.deconv.recording import Recording


class Ablation:
    """What a network made of the same pictures without some channels of a layer, or of several.

    recording: with all of them. off: by layer the channels that were switched off, LongTensor;
    layer, channels: the first of these. value: what stood in their place. Made by
    `Recording.ablate`.
    """

    def __init__(
        self, recording: Recording, without: Recording, off: dict[str, Tensor], value: str
    ) -> None:
        self.recording, self._without = recording, without
        self.off, self.value = off, value
        self.layer, self.channels = next(iter(off.items()))

    def __repr__(self) -> str:
        layers = self.recording.layers
        told = [
            f"{len(off)} of {layers[name].channels} channels of {name}"
            for name, off in self.off.items()
        ]
        return f"Ablation({self.recording.net.name}: {', '.join(told)} off, {self.value})"

    @property
    def outputs(self) -> Tensor | None:
        """The network's output [B, K], or None if it is not one row of numbers per picture."""
        return self._without.logits

    def top_classes(self, k: int = 5) -> list[list[tuple[str, float]]]:
        """Per picture the k most probable classes now: (label, softmax probability)."""
        return self._without.top_classes(k)

    def feature_maps(self, layer: str) -> Tensor:
        """The layer's maps [B, C, H, W] now, as `Recording.feature_maps`.

        Raises RuntimeError if the network came to this layer by other steps than before.
        """
        before, now = self.recording.call_of(layer), self._without.call_of(layer)
        if before.name != now.name or before.shape != now.shape:
            raise RuntimeError(
                f"{self.recording.net.name} went another way after {self.layer!r} was changed; its "
                f"maps of {layer!r} cannot be compared."
            )
        return self._without.feature_maps(layer)

    def difference(self, layer: str | None = None) -> Tensor:
        """What changed: maps of a layer [B, C, H, W], or the outputs [B, K]; now less before."""
        if layer is not None:
            return self.feature_maps(layer) - self.recording.feature_maps(layer)
        before, now = self._scores("name a layer instead")
        return now - before

    def changes(self, k: int = 5) -> list[list[tuple[str, float, float]]]:
        """Per picture (label, probability before, probability now), most probable before first."""
        found = []
        before, now = self._scores("changes() needs a classifier")
        every = most_probable(now, None, now.shape[1])
        names = self.recording.net.categories
        for row, after in zip(most_probable(before, None, k), every, strict=True):
            p = dict(after)
            found.append([(names[int(i)] if names else i, was, p[i]) for i, was in row])
        return found

    def _scores(self, instead: str) -> tuple[Tensor, Tensor]:
        """The outputs [B, K] before and now. Raises ValueError, with what to do instead."""
        before, now = self.recording.logits, self.outputs
        if before is None or now is None:
            raise ValueError(f"{self.recording.net.name} gives no [B, classes] output; {instead}.")
        return before, now


def switched_off(asked: Tensor, channels: int, *, keep: bool) -> Tensor:
    """The channels that are switched off: those asked for, or all others. Each once, in order."""
    off = (
        torch.ones(channels, dtype=torch.bool) if keep else torch.zeros(channels, dtype=torch.bool)
    )
    off[asked] = not keep
    return off.nonzero().flatten()


def standing_in(layer: str, maps: Tensor, value: str | float | Tensor) -> str | Tensor:
    """What takes the channels' place: "mean", or a Tensor that broadcasts to maps [B, C, H, W].

    Raises TypeError or ValueError for what cannot.
    """
    if isinstance(value, str) and value in ("zero", "mean"):
        return maps.new_zeros(1, 1, 1, 1) if value == "zero" else value
    if isinstance(value, str) or not isinstance(value, int | float | Tensor):
        raise ValueError(
            f"value={value!r}: expected 'zero', 'mean', a number, a Recording or a Tensor of maps."
        )
    if isinstance(value, Tensor):
        given = value[None] if value.ndim == 3 else value
        shape = tuple(maps.shape)
        if given.ndim != 4 or given.shape[1:] != shape[1:] or len(given) not in (1, shape[0]):
            raise ValueError(
                f"value: got maps {list(value.shape)}; expected those of {layer!r}, "
                f"{list(shape)}, or of one picture, {[1, *shape[1:]]}."
            )
    else:
        given = torch.full((1, 1, 1, 1), float(value))
    if not bool(torch.isfinite(given).all()):
        raise ValueError("value holds NaN or infinity; expected finite numbers.")
    return given.to(maps)


def change(call: Call, step: int, off: Tensor, stands: str | Tensor) -> Change:
    """The change of a step's output that switches channels off."""

    def apply(value: Tensor) -> None:
        maps, some = call.maps(value), off.to(value.device)
        if isinstance(stands, str):
            maps[:, some] = maps[:, some].mean((2, 3), keepdim=True).expand_as(maps[:, some])
        elif stands.shape[1] == 1:
            maps[:, some] = stands.to(value)
        else:
            maps[:, some] = stands[:, some].to(value)

    return Change(step, apply)
