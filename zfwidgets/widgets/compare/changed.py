"""Which channels answer most differently on two sides."""

from __future__ import annotations

from typing import Any

_NAMED = 12
"""How many of them are named."""


def changed_most(before: Any, after: Any) -> list[dict[str, Any]]:
    """``{channel, before, after}`` of the channels whose responses differ most, if any do.

    before, after: tensors of one value a channel; none are named where there are not as many.
    """
    if len(before) != len(after):
        return []
    change = (after - before).abs()
    order = change.argsort(descending=True, stable=True)[:_NAMED].tolist()
    return [
        {"channel": i, "before": float(before[i]), "after": float(after[i])}
        for i in order
        if change[i] > 0
    ]
