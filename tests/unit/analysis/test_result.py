"""Results show themselves in a line or two."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zfwidgets.analysis.result import Result


@dataclass(frozen=True, slots=True, repr=False)
class Found(Result):
    layer: str
    values: Tensor
    share: float
    names: tuple[str, ...]
    table: dict[str, Tensor]


def test_shows_shapes_and_not_numbers() -> None:
    few = Found("conv1", torch.rand(3, 4), 0.123456, ("a",), {"x": torch.rand(9)})
    assert repr(few) == (
        "Found(layer='conv1', values=[3, 4], share=0.1235, names=('a',), table={x})"
    )


def test_counts_what_would_be_long() -> None:
    many = Found("conv1", torch.tensor(2.0), 1.0, ("name",) * 1000, {})
    assert repr(many) == "Found(layer='conv1', values=2, share=1, names=(1000 of them), table={})"
