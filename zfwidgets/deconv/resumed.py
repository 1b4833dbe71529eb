"""What a changed forward pass takes from the recording instead of computing it again.

The model itself runs, for Python may do anything between its operations; but those that the change
does not reach give what they gave before. Where that was kept it is handed out as a copy. Where it
was not, nothing that is computed needs it: the tensor that stands in has its shape and no values.
Should the model read such a tensor all the same, as a comparison does, or should the change reach
what is no call, as whole numbers, the pass cannot be resumed (`NotResumed`); a whole one is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from zfwidgets.deconv.aliases import Memory
from zfwidgets.deconv.graph import Call, Record
from zfwidgets.deconv.rules import (
    AdaptiveAvgPool,
    Add,
    AvgPool,
    BatchNorm,
    Concatenate,
    Conv,
    Linear,
    LocalResponseNorm,
    MaxPool,
    Product,
    Rectifier,
    Written,
)

_FRESH = frozenset(
    (
        *(Conv, Linear, Rectifier, MaxPool, AvgPool, AdaptiveAvgPool),
        *(BatchNorm, LocalResponseNorm, Add, Product, Concatenate),
    )
)
"""Operations with one output, in memory of its own, that is worth not computing."""


class NotResumed(BaseException):
    """The model reads what is not there. No model catches a BaseException."""


class Resumed:
    """The calls of a recording that need not be computed again once the outputs of steps change.

    Raises NotResumed for a recording with parts of tensors overwritten: there memory is shared.
    """

    def __init__(self, record: Record, steps: Iterable[int]) -> None:
        calls, changed = record.calls, frozenset(steps)
        if any(isinstance(call.rule, Written) for call in calls):
            raise NotResumed
        self._calls = calls
        reached, computed = set(changed), [False] * len(calls)
        for index, call in enumerate(calls):
            if any(source in reached for source in call.sources):
                reached.add(index)
                computed[index] = True
        self._needed = {i for i in (*record.outputs, *changed) if i is not None}
        for index in range(len(calls) - 1, 0, -1):
            call = calls[index]
            there = type(call.rule) in _FRESH and (call.kept or index not in self._needed)
            computed[index] |= not there
            if computed[index]:
                self._needed.update(source for source in call.sources if source is not None)
        self._computed, self._reached = computed, reached
        self._hollow: dict[int, StorageWeakRef] = {}

    def call(self, index: int, operation: str, sources: Sequence[int | None]) -> Call | None:
        """The recorded call, if an operation is that one and need not be computed."""
        if index >= len(self._calls) or self._computed[index]:
            return None
        call = self._calls[index]
        same = call.rule.operation == operation and call.sources == tuple(sources)
        return call if same else None

    def value(self, index: int, like: Tensor) -> Tensor:
        """What a call gives, for the model to do with as it likes. like: an operand."""
        call = self._calls[index]
        if index in self._needed:
            assert call.value is not None
            return call.value.clone()
        value = like.new_empty(call.shape)
        self._hollow[Memory.key(value)] = StorageWeakRef(value.untyped_storage())
        return value

    def fill(self, index: int, target: Tensor) -> None:
        """As `value`, for an operation in place."""
        key = Memory.key(target)
        if index in self._needed:
            kept = self._calls[index].value
            assert kept is not None
            if self._hollow.pop(key, None) is None:
                target.copy_(kept)
            else:  # nothing looks at memory without values; strides, too, are as they were
                target.set_(kept.clone())  # type: ignore[call-overload]
        else:
            self._hollow[key] = StorageWeakRef(target.untyped_storage())

    def check_outside(self, sources: Iterable[int | None]) -> None:
        """Raises NotResumed if what the change reaches goes on as numbers that no call holds."""
        if any(source in self._reached for source in sources):
            raise NotResumed

    def check(self, operands: Iterable[Any]) -> None:
        """Raises NotResumed if one of the operands has no values."""
        for operand in operands if self._hollow else ():
            if isinstance(operand, Tensor):
                found = self._hollow.get(Memory.key(operand))
                if found is not None and not found.expired():
                    raise NotResumed


READERS = frozenset(
    (Tensor.numpy, Tensor.tolist, Tensor.__array__, Tensor.data_ptr, Tensor.__dlpack__)
)
"""Methods that read a tensor behind the dispatcher's back."""


def shape_alone(operation: str) -> bool:
    """True for operations that ask for no values."""
    return operation.startswith(("new_", "sym_")) or operation.endswith("_like")
