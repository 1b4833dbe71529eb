"""The layers that an analysis is asked for."""

from __future__ import annotations

from collections.abc import Sequence


def asked(layers: Sequence[str]) -> tuple[str, ...]:
    """Names of layers; one name alone is a list of one. Raises ValueError for none at all."""
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    if not names:
        raise ValueError("0 layers: expected 1 or more, or None for the usual ones.")
    return names
