"""Layers: the places of a network that people choose, with names, sizes and receptive fields."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zfwidgets.deconv.graph import Call
    from zfwidgets.deconv.rules import Kind
    from zfwidgets.deconv.windows import Pair


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer, with what follows it at once: its batch normalisation and its rectifier.

    channels, height, width: of its feature maps; fully connected layers are 1x1 maps.
    kernel, stride, padding: (rows, columns) of the operation itself, (1, 1), (1, 1), (0, 0) if it
        has none.
    receptive_field: rows and columns of the input, in pixels, that one neuron can see.
    jump: how many pixels of the input one step on the map means; (0, 0) if a neuron sees all.
    inputs: names of the layers that feed it.
    path: where the operation stands in the model, as `model.get_submodule` understands it.
    offset: first row and column that the neuron at (0, 0) sees. step: its place in the recording.
    """

    name: str
    kind: Kind
    channels: int
    height: int
    width: int
    kernel: Pair
    stride: Pair
    padding: Pair
    receptive_field: Pair
    jump: Pair
    inputs: tuple[str, ...]
    path: str
    offset: Pair
    step: int

    def box(self, row: int, col: int) -> tuple[int, int, int, int]:
        """The neuron's receptive field: top, left, bottom, right in input pixels.

        It may reach outside the picture, where the network saw padding.
        """
        top = row * self.jump[0] + self.offset[0]
        left = col * self.jump[1] + self.offset[1]
        return top, left, top + self.receptive_field[0], left + self.receptive_field[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows, columns."""
        return self.channels, self.height, self.width


class Layers(Mapping[str, Layer]):
    """Layers in the order of the forward pass, by name or by their path in the model."""

    def __init__(self, layers: list[Layer], *, complete: bool = True) -> None:
        self._by_name = {layer.name: layer for layer in layers}
        self._by_path = {layer.path: layer for layer in reversed(layers)}
        self.complete = complete
        """False if the forward pass stopped after the last of them."""
        self.steps = frozenset(layer.step for layer in layers)

    def __getitem__(self, name: str) -> Layer:
        found = self._by_name.get(name) or self._by_path.get(name)
        if found is None:
            near = difflib.get_close_matches(str(name), self._by_name | self._by_path, 3)
            hint = f"Did you mean {' or '.join(near)}? " if near else ""
            raise KeyError(f"no layer {name!r}. {hint}The layers are: {', '.join(self._by_name)}.")
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._by_name or name in self._by_path

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def up_to(self, name: str) -> Layers:
        """The layers that are there once the forward pass has stopped after this one."""
        step = self[name].step
        return Layers([layer for layer in self.values() if layer.step <= step], complete=False)

    def last_of(self, names: Iterable[str]) -> str:
        """Of these layers the one that the forward pass comes to last."""
        return max(names, key=lambda name: self[name].step)

    def fit(self, calls: list[Call]) -> bool:
        """True if these calls have a map for every picture where the layers are said to stand."""
        return all(is_map(calls[layer.step], calls[0].shape[0]) for layer in self.values())

    def placed_as(self, others: Layers) -> Layers:
        """These layers with the places in the recording that the others of their names have."""
        return Layers([replace(la, step=others[n].step) for n, la in self.items() if n in others])

    def __repr__(self) -> str:
        rows = [
            f"{layer.name:<24} {layer.kind:<7} {layer.channels:>5} x {layer.height} x "
            f"{layer.width}   sees {layer.receptive_field[0]} x {layer.receptive_field[1]} px"
            for layer in self.values()
        ]
        return "\n".join(rows)


def is_map(call: Call, pictures: int) -> bool:
    """True if every picture has a map here, a grid of tokens, or a row of numbers."""
    mapped = call.axes is not None or call.grid is not None or len(call.shape) == 2
    return mapped and call.shape[0] == pictures
