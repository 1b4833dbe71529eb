"""The compiled kernels do what torch does, to the last bit where sums keep their order."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from zfwidgets.deconv import kernels
from zfwidgets.deconv.rules.pooling import pooled
from zfwidgets.deconv.unpool import switch_codes, unpool
from zfwidgets.deconv.windows import Places, Window, cut

POOLS = [
    # kernel, stride, padding, dilation, ceil
    ((3, 3), (2, 2), (0, 0), (1, 1), True),
    ((3, 2), (2, 3), (1, 1), (1, 1), False),
    ((2, 2), (1, 1), (0, 0), (3, 2), False),
    ((17, 17), (9, 9), (8, 8), (1, 1), True),  # codes that need more than a byte
]


def places_of(number: int, images: int, rows: int, cols: int) -> Places:
    def draw(limit: int) -> torch.Tensor:
        return torch.randint(0, limit, (number,))

    return Places.of(draw(images), draw(rows), draw(cols), torch.device("cpu"))


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_unpooling(pool: tuple[tuple[int, int], ...], dtype: torch.dtype) -> None:
    kernel, stride, padding, dilation, ceil = pool
    x = torch.rand(2, 5, 37, 31, dtype=dtype)
    _, switches = F.max_pool2d(
        x, kernel, stride, padding, dilation, ceil_mode=bool(ceil), return_indices=True
    )
    shape = kernel, stride, padding, dilation
    codes = kernels.switch_codes(switches, 31, *shape)
    assert torch.equal(codes, switch_codes(switches, 31, *shape))
    rows, cols = codes.shape[2:]
    places = places_of(11, 2, rows, cols)
    window = Window((1, 1), (-1, -1), (3, 2))
    signal = torch.randn(11, 5, 3, 2, dtype=dtype)
    top, left = window.origins(places)
    for n in range(11):  # no signal outside the map
        for y in range(3):
            for x_ in range(2):
                if not (0 <= top[n] + y < rows and 0 <= left[n] + x_ < cols):
                    signal[n, :, y, x_] = 0
    got = kernels.unpool(signal, codes, window, places, kernel, stride, dilation)
    want = unpool(signal, cut(codes, window, places), kernel, stride, dilation, overwrite=False)
    assert torch.equal(got, want)


@pytest.mark.parametrize("rectify", [True, False])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (4, 1)])
def test_spreading(stride: tuple[int, int], rectify: bool) -> None:
    signal = torch.randn(7, 13, 6, 5, dtype=torch.float64)
    signal[torch.rand_like(signal) > 0.3] = 0
    signal[:, :, 2] = 0  # places where nothing stands
    weight = torch.randn(13, 4, 3, 5, dtype=torch.float64)
    got = kernels.spread(signal, kernels.packed(weight), stride, rectify=rectify)
    kept = signal.clamp(min=0) if rectify else signal
    want = F.conv_transpose2d(kept, weight, stride=stride)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


def test_threads_do_not_change_a_bit() -> None:
    signal = torch.randn(9, 8, 5, 5).relu()
    filters = kernels.packed(torch.randn(8, 3, 7, 7))
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(kernels.spread(signal, filters, (2, 2), rectify=True))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_without_numba_the_engine_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from zfwidgets.deconv import DeconvNet
    from zfwidgets.nets.zfnet import ZFNet

    model = ZFNet(head="light").double()
    photo = torch.randn(1, 3, 130, 150, dtype=torch.float64)

    def projected() -> torch.Tensor:
        recording = DeconvNet(model, device="cpu").record(photo)
        neurons = recording.strongest("conv4", channels=range(0, 384, 60))
        return recording.project(neurons, seed="one").on_canvas()

    compiled = projected()
    monkeypatch.setattr(kernels, "_AVAILABLE", False)
    torch.testing.assert_close(compiled, projected(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    ("shape", "window"),
    [
        ((1, 96, 33, 33), ((3, 3), (2, 2), (1, 1), (1, 1), False)),
        ((5, 20, 26, 26), ((3, 3), (2, 2), (0, 0), (1, 1), True)),
        ((2, 17, 31, 18), ((2, 3), (1, 1), (0, 0), (2, 1), False)),
        ((3, 1, 9, 8), ((2, 2), (2, 2), (0, 0), (1, 1), False)),
        ((0, 4, 9, 8), ((2, 2), (2, 2), (0, 0), (1, 1), False)),
    ],
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pooling(
    shape: tuple[int, ...], window: tuple[Any, ...], layout: torch.memory_format
) -> None:
    """Torch's values, and of equal places its switch, the first; NaN stays."""
    x = torch.randn(shape).round(decimals=1).clamp(min=0)
    x[torch.rand(shape) < 0.01] = torch.nan
    x = x.contiguous(memory_format=layout)
    values, switches = pooled(x, *window)
    expected, places = torch.ops.aten.max_pool2d_with_indices(x, *window)
    assert torch.equal(switches, places)
    torch.testing.assert_close(values, expected, rtol=0, atol=0, equal_nan=True)
    assert values.stride() == expected.stride()
