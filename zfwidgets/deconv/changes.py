"""What is done to a forward pass while it is recorded: values are changed, layers are added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from zfwidgets.deconv.graph import Call


@dataclass(frozen=True, slots=True)
class Change:
    """The output of one step becomes another: `apply` changes it in place."""

    step: int
    apply: Callable[[Tensor], None]


@dataclass(frozen=True, slots=True)
class Added:
    """A layer of directions: what a matrix makes of the channels at each place of a layer.

    name: of the layer. base: the layer that it looks at. after: the name of the step where that one
    ends. matrix: [D, C], a direction in each row. bias: [D], or None.
    """

    name: str
    base: str
    after: str
    matrix: Tensor
    bias: Tensor | None

    def of(self, value: Tensor, *, last: bool) -> Tensor:
        """The directions' maps. last: channels are the last dimension of the value."""
        matrix = self.matrix.to(value)
        bias = None if self.bias is None else self.bias.to(value)
        if last:
            return F.linear(value, matrix, bias)
        return F.conv2d(value, matrix[:, :, None, None], bias)

    @staticmethod
    def checked(
        name: str, base: str, call: Call, channels: int, matrix: Tensor, bias: Tensor | None
    ) -> Added:
        """Raises ValueError for a matrix or bias of another shape, or with NaN in it."""
        one = matrix[None] if matrix.ndim == 1 else matrix
        if one.ndim != 2 or one.shape[1] != channels or not len(one):
            raise ValueError(
                f"directions {name!r}: got a matrix {list(matrix.shape)}; expected [directions, "
                f"{channels}], a row for each direction and a column for each channel of {base!r}."
            )
        if bias is not None and tuple(bias.shape) != (len(one),):
            raise ValueError(
                f"directions {name!r}: got a bias {list(bias.shape)}; expected [{len(one)}], a "
                "number for each direction."
            )
        for what, tensor in (("matrix", one), ("bias", bias)):
            if tensor is not None and not bool(torch.isfinite(tensor).all()):
                raise ValueError(
                    f"directions {name!r}: the {what} holds NaN or infinity; expected finite "
                    "numbers."
                )
        return Added(name, base, call.name, one, bias)
