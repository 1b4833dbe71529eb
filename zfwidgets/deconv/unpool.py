"""Unpooling: signals go to the places that the switches name.

A switch is kept as a code, the place inside its pooling window in reading order (0..8 for 3x3),
not as an index into the map: one byte instead of eight, and it means the same in every window.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zfwidgets.deconv.windows import Pair, inputs_seen


def switch_codes(
    switches: Tensor, width: int, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Tensor:
    """Place inside the pooling window of every maximum.

    switches: LongTensor [B, C, H, W], indices row * width + column into the pooled map, as torch's
        max pooling returns them.
    Returns [B, C, H, W], channels last in memory; uint8, or int32 for windows of over 255 places.
    """
    rows, cols = switches.shape[2:]
    first_row = torch.arange(rows, device=switches.device) * stride[0] - padding[0]
    first_col = torch.arange(cols, device=switches.device) * stride[1] - padding[1]
    row = (switches // width - first_row[:, None]) // dilation[0]
    col = (switches % width - first_col) // dilation[1]
    dtype = torch.uint8 if kernel[0] * kernel[1] <= 255 else torch.int32
    return (row * kernel[1] + col).to(dtype).contiguous(memory_format=torch.channels_last)


def unpool(
    signal: Tensor, codes: Tensor, kernel: Pair, stride: Pair, dilation: Pair, *, overwrite: bool
) -> Tensor:
    """Each value at the place of its window that the code names, zero elsewhere.

    signal: [N, C, h, w]; codes: [N or 1, C, h, w].
    Returns [N, C, (h - 1) * stride + (kernel - 1) * dilation + 1, ...].
    Where overlapping windows name one place the values are added, in a fixed order so that two
    runs give the same bits; with `overwrite` the last window in reading order wins.
    """
    number, channels, height, width = signal.shape
    size = inputs_seen((height, width), kernel, stride, dilation)
    result = signal.new_zeros(number, channels, *size).contiguous(memory_format=torch.channels_last)
    # A place later in the kernel belongs to an earlier window: going backwards through the
    # kernel visits the windows over any one place in reading order.
    for code in reversed(range(kernel[0] * kernel[1])):
        row, col = divmod(code, kernel[1])
        row, col = row * dilation[0], col * dilation[1]
        view = result[
            :,
            :,
            row : row + (height - 1) * stride[0] + 1 : stride[0],
            col : col + (width - 1) * stride[1] + 1 : stride[1],
        ]
        chosen = codes == code
        if overwrite:
            view.copy_(torch.where(chosen, signal, view))
        else:
            view += signal * chosen
    return result
