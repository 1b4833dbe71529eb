"""Layers: the places of a network that people choose, with names, sizes and receptive fields."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from zfwidgets.deconv.graph import Call, windows_back
from zfwidgets.deconv.rules import (
    AvgPool,
    BatchNorm,
    Conv,
    Kind,
    Linear,
    MaxPool,
    Rectifier,
    Rule,
)
from zfwidgets.deconv.windows import Pair, Window


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

    def fit(self, calls: list[Call]) -> bool:
        """True if these calls have a map for every picture where the layers are said to stand."""
        return all(_is_map(calls[layer.step], calls[0].shape[0]) for layer in self.values())

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


def find_layers(calls: list[Call]) -> Layers:
    """The layers of a recorded forward pass."""
    users = _users(calls)
    bases: dict[int, Kind] = {}
    ends: dict[int, int] = {}
    absorbed: set[int] = set()
    for index, call in enumerate(calls):
        kind = call.rule.kind
        if kind is None or index in absorbed or not _is_map(call, calls[0].shape[0]):
            continue
        following = _following(index, calls, users)
        absorbed |= set(following)
        bases[index], ends[index] = kind, following[-1] if following else index
    names = _names({index: calls[index] for index in bases}, bases)
    layer_at = {end: names[base] for base, end in ends.items()}
    layers = []
    for index, kind in bases.items():
        call, end = calls[index], calls[ends[index]]
        window = _receptive_field(calls, ends[index])
        height, width = end.size or (1, 1)
        if end.grid is not None:
            height, width = end.grid.height, end.grid.width
        channels = end.shape[end.channel_axis]
        kernel, stride, padding = _geometry(call.rule)
        layers.append(
            Layer(
                name=names[index],
                kind=kind,
                channels=channels,
                height=height,
                width=width,
                kernel=kernel,
                stride=stride,
                padding=padding,
                receptive_field=window.size,
                jump=window.jump,
                inputs=_feeders(index, calls, layer_at),
                path=call.path,
                offset=window.offset,
                step=ends[index],
            )
        )
    return Layers(layers)


def _is_map(call: Call, pictures: int) -> bool:
    """True if every picture has a map here, a grid of tokens, or a row of numbers."""
    mapped = call.axes is not None or call.grid is not None or len(call.shape) == 2
    return mapped and call.shape[0] == pictures


def _users(calls: list[Call]) -> dict[int, list[int]]:
    users: dict[int, list[int]] = {}
    for index, call in enumerate(calls):
        for source in call.sources:
            if source is not None:
                users.setdefault(source, []).append(index)
    return users


def _following(index: int, calls: list[Call], users: dict[int, list[int]]) -> list[int]:
    """The steps that belong to a layer: what normalises and rectifies it, if only they read it."""
    base, found = calls[index].rule, list[int]()
    while len(users.get(index, [])) == 1:
        index = users[index][0]
        rule = calls[index].rule
        if isinstance(rule, Rectifier):
            return [*found, index]
        if not (isinstance(rule, BatchNorm) and isinstance(base, Conv | Linear)):
            break
        found.append(index)
    return found


def _geometry(rule: Rule) -> tuple[Pair, Pair, Pair]:
    if isinstance(rule, Conv | MaxPool | AvgPool):
        return rule.kernel, rule.stride, rule.padding
    return (1, 1), (1, 1), (0, 0)


def _receptive_field(calls: list[Call], end: int) -> Window:
    """The window of input pixels that one neuron sees; the whole input if it sees everything."""
    started = Window.neuron() if calls[end].axes else None
    seen = dict(windows_back(calls, end, started)).get(0)
    size = calls[0].size
    assert size is not None
    return seen or Window.whole(size)


def _feeders(index: int, calls: list[Call], layer_at: dict[int, str]) -> tuple[str, ...]:
    """The nearest layers before this one."""
    found: list[str] = []
    seen: set[int] = set()  # where branches part and meet, the ways are many
    queue = list(calls[index].sources)
    while queue:
        source = queue.pop(0)
        if source is None or source in seen:
            continue
        seen.add(source)
        if source in layer_at:
            found.append(layer_at[source])
        else:
            queue += calls[source].sources
    return tuple(found)


def _names(bases: dict[int, Call], kinds: dict[int, Kind]) -> dict[int, str]:
    """A name for each layer: its path, or conv1 ... fc8 where the model only has numbers.

    Numbers count as in the papers: pool1 follows conv1, fully connected layers count on.
    """
    own = {i: c for i, c in bases.items() if not c.added}
    weighted = [c for i, c in own.items() if kinds[i] in ("conv", "linear")]
    numbered = bool(weighted) and all(c.path.rsplit(".", 1)[-1].isdigit() for c in weighted)
    names: dict[int, str] = {}
    count = 0
    for index, call in bases.items():
        kind = kinds[index]
        count += kind in ("conv", "linear") and not call.added
        name = call.path
        if numbered and call.path.rsplit(".", 1)[-1].isdigit():
            name = f"{'fc' if kind == 'linear' else kind}{count}"
        repeat = 2
        while name in names.values():
            name = f"{name.split('#')[0]}#{repeat}"
            repeat += 1
        names[index] = name
    return names
