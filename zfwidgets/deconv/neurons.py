"""Neurons: which places of which feature maps are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

Indices = int | Sequence[int] | Tensor | np.ndarray[Any, Any] | np.integer[Any]
Index = slice | Indices


@dataclass(frozen=True, slots=True)
class Neurons:
    """N neurons of one layer in one recording.

    image, channel, row, col: LongTensor [N] on the CPU. value: Tensor [N], their activations.
    """

    layer: str
    image: Tensor
    channel: Tensor
    row: Tensor
    col: Tensor
    value: Tensor

    def __len__(self) -> int:
        return len(self.channel)

    def __getitem__(self, index: Index) -> Neurons:
        """Some of the neurons; an integer gives Neurons of length 1."""
        chosen = places(index)
        return Neurons(
            self.layer,
            self.image[chosen],
            self.channel[chosen],
            self.row[chosen],
            self.col[chosen],
            self.value[chosen],
        )

    def __repr__(self) -> str:
        if len(self) == 1:
            return (
                f"Neurons({self.layer}: image {int(self.image[0])}, channel "
                f"{int(self.channel[0])}, row {int(self.row[0])}, col {int(self.col[0])}, "
                f"value {float(self.value[0]):.4g})"
            )
        return f"Neurons({self.layer}: {len(self)})"


def strongest(layer: str, maps: Tensor, channels: list[int]) -> Neurons:
    """Per image and channel the neuron with the highest activation, the paper's choice.

    maps: [B, C, H, W]. Of equal neurons the first in reading order is taken. The order is image by
    image, channel by channel.
    """
    batch, _, _, width = maps.shape
    value, flat = maps[:, channels].flatten(2).max(2)
    flat = flat.flatten().cpu()
    return Neurons(
        layer,
        torch.arange(batch).repeat_interleave(len(channels)),
        torch.tensor(channels, dtype=torch.long).repeat(batch),
        flat // width,
        flat % width,
        value.flatten().cpu(),
    )


def places(index: Index) -> slice | Tensor:
    """What picks some of N things: a slice, or a Tensor of positions or of truth values."""
    if isinstance(index, slice):
        return index
    tensor = torch.as_tensor(index)
    return tensor.reshape(-1) if tensor.numel() else tensor.reshape(-1).long()


def listed(name: str, indices: Indices) -> Tensor:
    """Whole numbers, however they were given, as a LongTensor [n] on the CPU.

    Raises TypeError for anything else.
    """
    tensor = torch.as_tensor(list(indices) if isinstance(indices, range) else indices).cpu()
    if tensor.numel() and (tensor.is_floating_point() or tensor.dtype == torch.bool):
        raise TypeError(f"{name}={indices!r}: expected a whole number, or several.")
    return tensor.reshape(-1).long()


def chosen(
    layer: str,
    maps: Tensor,
    image: Indices,
    channel: Indices,
    row: Indices,
    col: Indices,
) -> Neurons:
    """Neurons by their indices, which broadcast against each other.

    Raises IndexError if one lies outside maps [B, C, H, W].
    """
    named = {"image": image, "channel": channel, "row": row, "col": col}
    tensors = [listed(name, indices) for name, indices in named.items()]
    try:
        tensors = list(torch.broadcast_tensors(*tensors))
    except RuntimeError:
        counts = ", ".join(f"{len(t)} of {n}" for n, t in zip(named, tensors, strict=True))
        raise ValueError(
            f"neurons of {layer!r}: got {counts}; expected lists of one length, or single numbers."
        ) from None
    check(layer, tensors, tuple(maps.shape))
    image_, channel_, row_, col_ = (t.contiguous() for t in tensors)
    device = maps.device
    value = maps[image_.to(device), channel_.to(device), row_.to(device), col_.to(device)]
    return Neurons(layer, image_, channel_, row_, col_, value.cpu())


def check(layer: str, indices: Sequence[Tensor], shape: Sequence[int]) -> None:
    """Raise IndexError if an image, channel, row or column lies outside maps of this shape."""
    for name, given, limit in zip(("image", "channel", "row", "col"), indices, shape, strict=True):
        wrong = given[(given < 0) | (given >= limit)]
        if len(wrong):
            raise IndexError(
                f"{name} {int(wrong[0])} of layer {layer!r}: expected 0 to {limit - 1}."
            )
