"""Tensors and arrays alike: which of the two is given, and what of NumPy and torch works on it.

Torch is never imported here: where nobody has, nothing can be a tensor. A kernel that only shows
what a server has computed does without.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray[Any, Any]


def is_tensor(value: object) -> TypeGuard[Tensor]:
    """Whether it is a torch.Tensor."""
    kind = getattr(sys.modules.get("torch"), "Tensor", None)
    return kind is not None and isinstance(value, kind)


def is_module(value: object) -> bool:
    """Whether it is a torch.nn.Module."""
    kind = getattr(sys.modules.get("torch.nn"), "Module", None)
    return kind is not None and isinstance(value, kind)


def library(values: Tensor | Array) -> Any:
    """torch for a tensor, NumPy for an array: what both call alike works on either."""
    return sys.modules["torch"] if is_tensor(values) else np


def floats(values: Tensor | Array) -> Array:
    """The values as a float32 array, wherever they are."""
    if is_tensor(values):
        return values.detach().float().cpu().numpy()
    return np.asarray(values, np.float32)
