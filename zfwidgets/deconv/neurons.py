"""Neurons: which places of which feature maps are looked at."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


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

    def __getitem__(self, index: int | slice | Tensor | list[int]) -> Neurons:
        """Some of the neurons; an integer gives Neurons of length 1."""
        if isinstance(index, int):
            index = [range(len(self))[index]]
        chosen: slice | Tensor = index if isinstance(index, slice) else torch.as_tensor(index)
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


def chosen(
    layer: str,
    maps: Tensor,
    image: int | list[int] | Tensor,
    channel: int | list[int] | Tensor,
    row: int | list[int] | Tensor,
    col: int | list[int] | Tensor,
) -> Neurons:
    """Neurons by their indices, which broadcast against each other.

    Raises IndexError if one lies outside maps [B, C, H, W].
    """
    named = {"image": image, "channel": channel, "row": row, "col": col}
    tensors = [torch.as_tensor(v, dtype=torch.long).cpu() for v in named.values()]
    try:
        tensors = [
            t.reshape(-1) for t in torch.broadcast_tensors(*[t.reshape(-1) for t in tensors])
        ]
    except RuntimeError:
        counts = ", ".join(
            f"{len(t.reshape(-1))} of {n}" for n, t in zip(named, tensors, strict=True)
        )
        raise ValueError(
            f"neurons of {layer!r}: got {counts}; expected lists of one length, or single numbers."
        ) from None
    for (name, _), indices, limit in zip(named.items(), tensors, maps.shape, strict=True):
        if len(indices) and not (int(indices.min()) >= 0 and int(indices.max()) < limit):
            raise IndexError(
                f"{name} {indices.tolist()} of layer {layer!r}: expected 0 to {limit - 1}."
            )
    image, channel, row, col = (t.contiguous() for t in tensors)
    device = maps.device
    value = maps[image.to(device), channel.to(device), row.to(device), col.to(device)]
    return Neurons(layer, image, channel, row, col, value.cpu())
