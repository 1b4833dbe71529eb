"""A forward pass as the list of operations it calls, in the few kinds that the page's engine has.

The model is run once under a `TorchFunctionMode`, which sees every torch function with its
arguments. A function that is none of the page's operations is an error that names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zfwidgets.page.calls import OPERATIONS, SAME, SHAPES, Call, UnsupportedInPage, flat


@dataclass(frozen=True, slots=True)
class Step:
    """One operation. Step 0 is the input.

    op: its kind, as in js/src/engine/graph.ts. sources: the steps whose values it takes.
    options: its numbers, as they are written for the page. tensors: its weights.
    value: what it gave, [1, C, H, W] or [1, K].
    """

    op: str
    sources: tuple[int, ...]
    value: Tensor
    options: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor | None] = field(default_factory=dict)


def steps(model: nn.Module, inputs: Tensor) -> list[Step]:
    """The operations that the model calls for inputs [1, C, H, W], in evaluation mode.

    Raises UnsupportedInPage for an operation that the page does not have.
    """
    with torch.inference_mode(), _Walk(inputs) as walk:
        model(inputs)
    return walk.steps


class _Walk(TorchFunctionMode):
    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.steps = [Step("input", (), inputs.clone())]
        # Tensors are kept, so that no id is given twice.
        self._known: dict[int, tuple[Tensor, int]] = {id(inputs): (inputs, 0)}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        given = [a for a in flat((*args, *kwargs.values())) if id(a) in self._known]
        output = func(*args, **kwargs)
        if given and isinstance(output, Tensor):
            self._note(func, args, kwargs, output, given)
        elif given and any(isinstance(o, Tensor) for o in flat((output,))):
            raise _unsupported(func, "it gives several tensors")
        return output

    def _note(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        output: Tensor,
        given: list[Tensor],
    ) -> None:
        name = func.__name__
        value = output.clone() if output.ndim != 3 else output.clone()[:, None]  # one plane
        if name in SAME or (name in SHAPES and value.shape == self._value(func, args[0]).shape):
            self._known[id(output)] = (output, self._index(func, args[0]))
            return
        if name in SHAPES:
            if output.ndim != 2:
                before = tuple(self._value(func, args[0]).shape)
                raise _unsupported(func, f"it makes {before} to {tuple(output.shape)}")
            call = Call("flatten", [args[0]])
        elif name in OPERATIONS:
            call = OPERATIONS[name](output, *args, **kwargs)
        else:
            raise _unsupported(func)
        if {id(tensor) for tensor in given} - {id(tensor) for tensor in call.takes}:
            raise _unsupported(func, "what comes from the picture is taken for a weight")
        sources = tuple(self._index(func, tensor) for tensor in call.takes)
        self.steps.append(Step(call.op, sources, value, call.options, call.tensors))
        if call.op == "average" and output.ndim == 2:  # a mean that drops the axes
            self.steps[-1] = Step(call.op, sources, value[:, :, None, None], call.options)
            self.steps.append(Step("flatten", (len(self.steps) - 1,), value))
        self._known[id(output)] = (output, len(self.steps) - 1)

    def _value(self, func: Callable[..., Any], tensor: Any) -> Tensor:
        return self.steps[self._index(func, tensor)].value

    def _index(self, func: Callable[..., Any], tensor: Any) -> int:
        found = self._known.get(id(tensor))
        if found is None:
            raise _unsupported(func, "an operand does not come from the picture")
        return found[1]


def _unsupported(func: Callable[..., Any], why: str = "") -> UnsupportedInPage:
    known = ", ".join(sorted({*OPERATIONS, *SHAPES}))
    return UnsupportedInPage(
        f"{func.__name__}(): the engine in the page has no such operation"
        f"{f' ({why})' if why else ''}. It has {known}. Let Python compute this network."
    )
