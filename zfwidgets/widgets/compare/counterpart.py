"""Which layer of one network stands where a layer of another stands."""

from __future__ import annotations

from typing import Any


def counterpart(name: str, mine: Any, theirs: Any) -> str:
    """The layer of `theirs` that stands where `name` stands in `mine`: mappings of name -> layer.

    The one of the same name and kind; else the one of that kind whose share of all layers of the
    kind before it is nearest; else, if there is none of the kind, of all layers.
    """
    kind = mine[name].kind
    if name in theirs and theirs[name].kind == kind:
        return str(theirs[name].name)
    ours = [layer.name for layer in mine.values() if layer.kind == kind]
    others = [layer.name for layer in theirs.values() if layer.kind == kind]
    if not others:
        ours, others = [*mine], [*theirs]
    depth = (ours.index(name) + 0.5) / len(ours)
    return str(min(others, key=lambda each: abs((others.index(each) + 0.5) / len(others) - depth)))
