"""The Triton kernel of `zfwidgets.deconv.gpu`, which imports it when it is needed."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from zfwidgets.deconv.windows import Pair

_TILE = 2048
"""Numbers of the result that one program makes at most, up to sixteen for each of its threads."""

_SIZES = ["rows", "cols", "height", "width", "map_rows", "map_cols"]
"""What must not make another kernel of it for every window."""


@triton.jit(do_not_specialize=_SIZES)
def _unpool(  # type: ignore[no-untyped-def] # Triton takes none but its own
    signal,
    codes,
    images,
    top,
    left,
    result,
    channels,
    rows,
    cols,
    height,
    width,
    map_rows,
    map_cols,
    KERNEL_ROWS: tl.constexpr,
    KERNEL_COLS: tl.constexpr,
    STRIDE_ROWS: tl.constexpr,
    STRIDE_COLS: tl.constexpr,
    DILATION_ROWS: tl.constexpr,
    DILATION_COLS: tl.constexpr,
    OVERWRITE: tl.constexpr,
    PLACES: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """signal [number, height, width, channels] -> result [number, rows, cols, channels].

    codes: [images, map_rows, map_cols, channels]; images, top, left: [number]. A program makes a
    piece of one row of one neuron.
    """
    line = tl.program_id(0).to(tl.int64)
    neuron, row = line // rows, line % rows
    col = tl.program_id(1) * PLACES + tl.arange(0, PLACES)
    channel = tl.program_id(2) * CHANNELS + tl.arange(0, CHANNELS)
    image = tl.load(images + neuron)
    first_row, first_col = tl.load(top + neuron), tl.load(left + neuron)
    total = tl.full((PLACES, CHANNELS), 0, result.dtype.element_ty)
    # A place later in the kernel belongs to an earlier window: going backwards through the
    # kernel visits the windows over any one place in reading order.
    for before in range(KERNEL_ROWS * KERNEL_COLS):
        code = KERNEL_ROWS * KERNEL_COLS - 1 - before
        down = row - code // KERNEL_COLS * DILATION_ROWS
        y = down // STRIDE_ROWS
        on_row = first_row + y
        on_grid = (down >= 0) & (down % STRIDE_ROWS == 0) & (y < height)
        if on_grid & (on_row >= 0) & (on_row < map_rows):
            right = col - code % KERNEL_COLS * DILATION_COLS
            x = right // STRIDE_COLS
            on_col = first_col + x
            here = (right >= 0) & (right % STRIDE_COLS == 0) & (x < width)
            here = here & (on_col >= 0) & (on_col < map_cols)
            asked = here[:, None] & (channel < channels)[None, :]
            at = (image * map_rows + on_row) * map_cols + on_col
            named = tl.load(codes + at[:, None] * channels + channel[None, :], asked, other=0)
            chosen = asked & (named.to(tl.int32) == code)
            at = (neuron * height + y) * width + x
            value = tl.load(signal + at[:, None] * channels + channel[None, :], chosen, other=0)
            if OVERWRITE:
                total = tl.where(chosen, value, total)
            else:
                total += value
    at = line * cols + col
    real = (col < cols)[:, None] & (channel < channels)[None, :]
    tl.store(result + at[:, None] * channels + channel[None, :], total, real)


def launch(
    tensors: tuple[Tensor, ...], kernel: Pair, stride: Pair, dilation: Pair, *, overwrite: bool
) -> None:
    """Fill the last of signal, codes, images, top, left and result, see `_unpool`."""
    signal, codes, _, _, _, result = tensors
    number, rows, cols, channels = result.shape
    wide = min(64, triton.next_power_of_2(channels))
    long = min(_TILE // wide, triton.next_power_of_2(cols))
    grid = number * rows, triton.cdiv(cols, long), triton.cdiv(channels, wide)
    sizes = channels, rows, cols, *signal.shape[1:3], *codes.shape[1:3]
    how: Any = (*kernel, *stride, *dilation, overwrite, long, wide)
    on = torch.cuda.device(result.device) if result.is_cuda else nullcontext()
    with on:
        _unpool[grid](*tensors, *sizes, *how)
