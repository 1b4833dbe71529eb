"""What models return: tensors, wherever they stand in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

_FIRST = ("logits", "out", "prediction_logits", "class_logits", "predictions")
"""Names under which models return a row of numbers per picture."""


def tensors_in(output: Any) -> Iterator[Tensor]:
    """All tensors of an output: of lists, tuples, dicts, dataclasses and what resembles them."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, Mapping):
        for value in output.values():
            yield from tensors_in(value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from tensors_in(value)
    elif dataclasses.is_dataclass(output) and not isinstance(output, type):
        for field in dataclasses.fields(output):
            yield from tensors_in(getattr(output, field.name))
    elif hasattr(output, "__dict__") and not callable(output):
        for value in vars(output).values():
            if isinstance(value, Tensor | list | tuple | dict):
                yield from tensors_in(value)


def scores_in(output: Any, pictures: int) -> Tensor | None:
    """The row of numbers per picture [B, K] of a classifier's output, None if there is none."""
    if isinstance(output, Mapping):
        named = [output[name] for name in _FIRST if name in output]
    else:
        named = [found for name in _FIRST if (found := getattr(output, name, None)) is not None]
    for candidate in (*named, *_first_of(output)):
        if (
            isinstance(candidate, Tensor)
            and candidate.ndim == 2
            and len(candidate) == pictures
            and candidate.is_floating_point()
        ):
            return candidate
    return None


def most_probable(
    logits: Tensor, names: Sequence[str] | None, k: int
) -> list[list[tuple[str, float]]]:
    """Per picture the k most probable classes: (label, softmax probability). logits: [B, K]."""
    values, indices = logits.float().softmax(1).topk(min(k, logits.shape[1]), 1)
    return [
        [(names[i] if names else str(i), p) for i, p in zip(row, ps, strict=True)]
        for row, ps in zip(indices.tolist(), values.tolist(), strict=True)
    ]


def _first_of(output: Any) -> list[Any]:
    found = next(iter(tensors_in(output)), None)
    return [] if found is None else [found]
