"""Unpooling on CUDA in one pass, compiled with Triton.

Torch's way goes over the map once for every place of a pooling window, nine times for 3x3, and cuts
each neuron's switches out before. Here every place of the result asks the windows over it whether
they name it, in reading order: the same sums in the same order, so the same bits in every run, and
no number is written twice. Without Triton, or where it does not do what torch does, torch does it.
"""

from __future__ import annotations

import logging
from functools import cache

import torch
from torch import Tensor

from zfwidgets.deconv.unpool import unpool as in_torch
from zfwidgets.deconv.windows import Pair, Places, Window, cut, inputs_seen


def usable(tensor: Tensor) -> bool:
    """True if the kernel can work on this tensor; tried once on every device."""
    known = tensor.dtype in (torch.float32, torch.float64)
    return known and tensor.is_cuda and torch.cuda.is_available() and _works(tensor.device)


def unpool(
    signal: Tensor,
    codes: Tensor,
    window: Window,
    places: Places,
    kernel: Pair,
    stride: Pair,
    dilation: Pair,
    *,
    overwrite: bool,
) -> Tensor:
    """As `zfwidgets.deconv.unpool.unpool`, reading the codes straight from whole maps.

    signal: [N, C, h, w] in these windows; codes: [B, C, H, W], channels last.
    """
    from zfwidgets.deconv.gpu_kernels import launch

    number, channels, height, width = signal.shape
    size = inputs_seen((height, width), kernel, stride, dilation)
    result = signal.new_empty(number, *size, channels)
    where = (index.contiguous() for index in (places.images, *window.origins(places)))
    launch(
        (_last(signal), _last(codes), *where, result),
        kernel,
        stride,
        dilation,
        overwrite=overwrite,
    )
    return result.permute(0, 3, 1, 2)


def _last(tensor: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, H, W, C], without a copy where it is channels last already."""
    return tensor.permute(0, 2, 3, 1).contiguous()


@cache
def _works(device: torch.device) -> bool:
    """Whether the compiled kernel does what torch does; False where nothing can be compiled."""
    try:
        same = torch.equal(*both_ways(device))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - no Triton, no C compiler, too old a card, …
        logging.getLogger("zfwidgets").info("Unpooling is left to torch on %s: %s", device, error)
        return False
    if not same:
        logging.getLogger("zfwidgets").warning(
            "Triton's unpooling differs from torch's on %s; torch's is taken.", device
        )
    return same


def both_ways(device: torch.device) -> tuple[Tensor, Tensor]:
    """A few signals unpooled by the kernel and by torch, to see whether they agree."""
    generator = torch.Generator().manual_seed(0)
    shape = (3, 3), (2, 2), (1, 1)
    window = Window((1, 1), (-1, -1), (3, 2))
    codes = torch.randint(9, (2, 5, 6, 7), generator=generator, dtype=torch.uint8)
    places = Places.of(torch.tensor([0, 1, 1]), torch.tensor([1, 2, 4]), torch.arange(1, 4), device)
    signal = torch.randn(3, 5, 3, 2, generator=generator).to(device)
    codes = codes.to(device)
    got = unpool(signal, codes, window, places, *shape, overwrite=False)
    return got, in_torch(signal, cut(codes, window, places), *shape, overwrite=False)
