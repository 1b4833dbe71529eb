"""The layers of a recorded forward pass: found, named, and what a neuron of each can see."""

from __future__ import annotations

from zfwidgets.deconv.graph import Call, windows_back
from zfwidgets.deconv.layer import Layer, Layers, is_map
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


def find_layers(calls: list[Call]) -> Layers:
    """The layers of a recorded forward pass."""
    users = _users(calls)
    bases: dict[int, Kind] = {}
    ends: dict[int, int] = {}
    absorbed: set[int] = set()
    for index, call in enumerate(calls):
        kind = call.rule.kind
        if kind is None or index in absorbed or not is_map(call, calls[0].shape[0]):
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
