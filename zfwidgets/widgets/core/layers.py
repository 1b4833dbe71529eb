"""Layers as the page gets them, and the one to begin with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import traitlets as t

_PAIRS = ("kernel", "stride", "padding", "receptive_field", "jump")
_NUMBERS = ("channels", "height", "width")


def describe(layer: Any) -> dict[str, Any]:
    """A layer object or dictionary as the dictionary that travels; unknown entries are None.

    Raises:
        traitlets.TraitError: it has no name.
    """
    get = _reader(layer)
    name = get("name")
    if not isinstance(name, str) or not name:
        raise t.TraitError(
            f"got a layer without a name: {layer!r:.120}; expected objects or dictionaries with "
            "a name (text) and, as far as known, kind, channels, height, width, …"
        )
    entry: dict[str, Any] = {"name": name, "kind": str(get("kind") or "")}
    for key in _NUMBERS:
        number = get(key)
        entry[key] = None if number is None else int(number)
    for key in _PAIRS:
        pair = get(key)
        if isinstance(pair, (int, float)):
            pair = (pair, pair)
        entry[key] = None if pair is None else [int(pair[0]), int(pair[1])]
    entry["inputs"] = [str(source) for source in get("inputs") or ()]
    return entry


def default_layer(layers: Iterable[Any]) -> str:
    """The layer to begin with: conv5, else the last convolution, else the last; "" if none."""
    names = {get("name"): get("kind") for get in map(_reader, layers)}
    convolutions = [name for name, kind in names.items() if kind == "conv"]
    if "conv5" in names:
        return "conv5"
    return next(reversed(convolutions or [*names]), "")


def _reader(layer: Any) -> Callable[[str], Any]:
    """What a layer's attributes, or a dictionary's entries, are read with; None for what lacks."""
    return layer.get if isinstance(layer, Mapping) else lambda key: getattr(layer, key, None)
