"""Unpooling and sparse transposed filters on the CPU, compiled with numba.

After unpooling a 3x3/2 pool at most 22 % of a map is not zero, and rectifying halves that. A dense
transposed convolution multiplies all those zeros; here each value that is there spreads its filter.
Torch does everything that is dense, and everything on other devices; without numba it does this,
too.

Neurons are shared out to threads, each neuron's sums are done by one thread in a fixed order: two
runs give the same bits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zfwidgets.deconv.windows import Pair, Places, Window, inputs_seen

try:
    import numba

    _AVAILABLE = True
except ImportError:  # it lags behind new Pythons; torch's way is slower, not different
    _AVAILABLE = False

Array = np.ndarray[Any, Any]


def usable(tensor: Tensor) -> bool:
    """True if the kernels can work on this tensor."""
    known = tensor.dtype in (torch.float32, torch.float64, torch.int64)
    return _AVAILABLE and tensor.device.type == "cpu" and known


def switch_codes(
    switches: Tensor, width: int, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Tensor:
    """As `zfwidgets.deconv.unpool.switch_codes`, in one pass over the switches."""
    batch, channels, rows, cols = switches.shape
    dtype = np.uint8 if kernel[0] * kernel[1] <= 255 else np.int32
    result = np.empty((batch, rows, cols, channels), dtype)
    indices = switches.contiguous().view(batch * channels, rows, cols).numpy()
    _shared_out(
        batch * channels,
        lambda first, last: _compiled(_switch_codes)(
            indices, width, kernel[1], *stride, *padding, *dilation, result, first, last
        ),
    )
    return torch.from_numpy(result).permute(0, 3, 1, 2)


def unpool(
    signal: Tensor,
    codes: Tensor,
    window: Window,
    places: Places,
    kernel: Pair,
    stride: Pair,
    dilation: Pair,
) -> Tensor:
    """As `zfwidgets.deconv.unpool.unpool` (sum), reading the codes straight from whole maps.

    signal: [N, C, h, w] in these windows; codes: [B, C, H, W], channels last.
    """
    number, channels, height, width = signal.shape
    size = inputs_seen((height, width), kernel, stride, dilation)
    source = _last(signal)
    result = np.zeros((number, size[0] * size[1] * channels), _dtype(signal))
    top, left = window.origins(places)
    code, line = np.arange(kernel[0] * kernel[1]), size[1] * channels
    # How far a code is from the start of its window, in numbers.
    jump = code // kernel[1] * dilation[0] * line + code % kernel[1] * dilation[1] * channels
    arguments = (_last(codes), places.images.numpy(), top.numpy(), left.numpy())
    _shared_out(
        number,
        lambda first, last: _compiled(_unpool)(
            source,
            *arguments,
            jump.astype(np.uintp),
            stride[0] * line,
            stride[1] * channels,
            result,
            first,
            last,
        ),
    )
    return torch.from_numpy(result.reshape(number, *size, channels)).permute(0, 3, 1, 2)


def packed(weight: Tensor) -> Tensor:
    """Filters [K, C, kh, kw] as `spread` reads them: [K, kh, kw, C], each in one piece."""
    return weight.detach().permute(0, 2, 3, 1).contiguous()


def spread(signal: Tensor, filters: Tensor, stride: Pair, *, rectify: bool) -> Tensor:
    """Transposed convolution of a sparse signal, without padding, dilation or groups.

    signal: [N, K, h, w]; filters: [K, kh, kw, C], see `packed`. rectify: negative values count as
    zero. Returns [N, C, (h - 1) * stride + kh, ...].
    """
    number, _, height, width = signal.shape
    outputs, rows, cols, channels = filters.shape
    size = inputs_seen((height, width), (rows, cols), stride, (1, 1))
    source, floor = _last(signal), 0.0 if rectify else -np.inf
    # Rows of pixels in one piece: a filter's row is added in one run.
    result = np.zeros((number, size[0], size[1] * channels), _dtype(signal))
    table = filters.view(outputs, rows, cols * channels).numpy()
    step = stride[1] * channels
    _shared_out(
        number,
        lambda first, last: _compiled(_spread)(
            source, table, stride[0], step, floor, result, first, last
        ),
    )
    return torch.from_numpy(result.reshape(number, *size, channels)).permute(0, 3, 1, 2)


def _last(tensor: Tensor) -> Array:
    """[N, C, H, W] -> NumPy [N, H, W, C], without a copy where it is channels last already."""
    return tensor.detach().permute(0, 2, 3, 1).contiguous().numpy()


def _dtype(tensor: Tensor) -> type[np.floating[Any]]:
    return np.float32 if tensor.dtype == torch.float32 else np.float64


# ------------------------------------------------------------------- loops, compiled when used


def _switch_codes(
    indices: Array,
    width: int,
    kernel_cols: int,
    stride_rows: int,
    stride_cols: int,
    padding_rows: int,
    padding_cols: int,
    dilation_rows: int,
    dilation_cols: int,
    result: Array,
    first: int,
    last: int,
) -> None:
    channels = result.shape[3]
    for map_ in range(first, last):
        for y in range(indices.shape[1]):
            for x in range(indices.shape[2]):
                index = indices[map_, y, x]
                row = index // width
                i = (row - y * stride_rows + padding_rows) // dilation_rows
                j = (index - row * width - x * stride_cols + padding_cols) // dilation_cols
                result[map_ // channels, y, x, map_ % channels] = i * kernel_cols + j


def _unpool(
    source: Array,
    codes: Array,
    images: Array,
    top: Array,
    left: Array,
    jump: Array,
    row_step: int,
    col_step: int,
    result: Array,
    first: int,
    last: int,
) -> None:
    for n in range(first, last):
        neuron = result[n]
        for y in range(source.shape[1]):
            row = top[n] + y
            if row < 0 or row >= codes.shape[1]:
                continue
            for x in range(source.shape[2]):
                col = left[n] + x
                if col < 0 or col >= codes.shape[2]:
                    continue
                values, code = source[n, y, x], codes[images[n], row, col]
                # Unsigned, so that no index is looked at twice for counting from the end.
                start = np.uintp(y * row_step + x * col_step)
                for c in range(np.uintp(values.shape[0])):
                    neuron[start + c + jump[code[c]]] += values[c]


def _spread(
    source: Array,
    table: Array,
    row_step: int,
    col_step: int,
    floor: float,
    result: Array,
    first: int,
    last: int,
) -> None:
    rows, run = table.shape[1:]
    filters = table.reshape(table.shape[0], rows * run)
    patch = np.empty(rows * run, source.dtype)
    there = np.empty(source.shape[3], np.int64)
    for n in range(first, last):
        for y in range(source.shape[1]):
            for x in range(source.shape[2]):
                values = source[n, y, x]
                count = 0
                for k in range(values.shape[0]):
                    there[count] = k
                    count += values[k] != 0 and values[k] > floor
                if count == 0:
                    continue
                # Everything that stands at this place adds up to one patch of pixels.
                patch[:] = 0
                fours = count - count % 4
                for k in range(0, fours, 4):
                    a, b, c, d = there[k], there[k + 1], there[k + 2], there[k + 3]
                    va, vb, vc, vd = values[a], values[b], values[c], values[d]
                    fa, fb, fc, fd = filters[a], filters[b], filters[c], filters[d]
                    for j in range(patch.shape[0]):
                        patch[j] += va * fa[j] + vb * fb[j] + vc * fc[j] + vd * fd[j]
                for k in range(fours, count):
                    value, one = values[there[k]], filters[there[k]]
                    for j in range(patch.shape[0]):
                        patch[j] += value * one[j]
                for i in range(rows):
                    target = result[n, y * row_step + i]
                    for j in range(run):
                        target[x * col_step + j] += patch[i * run + j]


@cache
def _compiled(loops: Callable[..., None]) -> Callable[..., None]:
    options: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    try:
        return numba.njit(loops, cache=True, **options)
    except RuntimeError:  # nowhere to write: neither beside the code nor in the user's cache
        return numba.njit(loops, **options)


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="zfwidgets-kernel")


def _shared_out(number: int, work: Callable[[int, int], None]) -> None:
    """Run work(first, last) over all neurons on as many threads as torch uses."""
    count = min(torch.get_num_threads(), number)
    if count <= 1:
        work(0, number)
        return
    # Several pieces a thread: whoever is done early takes another.
    pieces = min(4 * count, number)
    bounds = [number * i // pieces for i in range(pieces + 1)]
    jobs = [_threads(count).submit(work, first, last) for first, last in itertools.pairwise(bounds)]
    for job in jobs:
        job.result()
