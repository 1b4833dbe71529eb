"""Results that say in one line what they hold, not every number of it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from torch import Tensor

LISTED = 6
"""Members of a tuple, list or table that are named; of longer ones only how many there are."""


class Result:
    """Base of a result dataclass made with `repr=False`: arrays are shown by their shapes.

    A cell that ends with a result would else fill with thousands of numbers.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        parts = [f"{each.name}={_short(getattr(self, each.name))}" for each in fields(self)]  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(parts)})"


def _short(value: Any) -> str:
    if isinstance(value, Tensor | np.ndarray):
        return f"{list(value.shape)}" if value.ndim else f"{value.item():.4g}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        names = ", ".join(map(str, value))
        return f"{{{names}}}" if len(value) <= LISTED else f"{{{len(value)} entries}}"
    if isinstance(value, tuple | list):
        if len(value) > LISTED:
            return f"({len(value)} of them)"
        return f"({', '.join(_short(member) for member in value)}{',' * (len(value) == 1)})"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
