"""What can be known of the way on a GPU without one: its kernel, and that all of it is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torchvision
import triton
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.interpreter import InterpretedFunction

from zfwidgets.deconv import DeconvNet, Method, backward, gpu, gpu_kernels
from zfwidgets.deconv.signals import Way
from zfwidgets.deconv.unpool import unpool
from zfwidgets.deconv.windows import Pair, Places, Window, cut
from zfwidgets.nets.zfnet import ZFNet

METHODS = Method(), Method("guided", unpool="overwrite"), Method("gradient", precision="fast")
SHAPES = [
    # kernel, stride, dilation
    ((3, 3), (2, 2), (1, 1)),
    ((3, 2), (2, 3), (1, 1)),
    ((2, 2), (1, 1), (3, 2)),
    ((2, 130), (1, 65), (1, 1)),  # codes that need more than a byte
]


@pytest.fixture
def _interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel runs statement by statement, in NumPy."""
    monkeypatch.setattr(gpu_kernels, "_unpool", InterpretedFunction(gpu_kernels._unpool.fn))


def on_whole_maps(
    shape: tuple[Pair, Pair, Pair], dtype: torch.dtype, window: Window, channels: int = 5
) -> tuple[torch.Tensor, torch.Tensor, Window, Places]:
    """Signals of three neurons of two pictures, zero outside of the map of 6 x 7 codes."""
    kernel = shape[0]
    number = kernel[0] * kernel[1]
    codes = torch.randint(number, (2, channels, 6, 7))
    codes = codes.to(torch.uint8 if number <= 255 else torch.int32)
    image, row, col = (torch.randint(0, limit, (3,)) for limit in (2, 6, 7))
    places = Places.of(image, row, col, torch.device("cpu"))
    signal = torch.randn(3, channels, *window.size, dtype=dtype)
    top, left = window.origins(places)
    for n in range(3):
        rows = (top[n] + torch.arange(window.size[0])).unsqueeze(1)
        cols = left[n] + torch.arange(window.size[1])
        signal[n] *= (rows >= 0) & (rows < 6) & (cols >= 0) & (cols < 7)
    return signal, codes, window, places


@pytest.mark.usefixtures("_interpreted")
@pytest.mark.parametrize(
    ("shape", "dtype"), [(SHAPES[0], torch.float64), *((shape, torch.float32) for shape in SHAPES)]
)
def test_the_kernel_unpools_to_the_last_bit(
    shape: tuple[Pair, Pair, Pair], dtype: torch.dtype
) -> None:
    signal, codes, window, places = on_whole_maps(shape, dtype, Window((1, 1), (-1, -1), (3, 2)))
    got = gpu.unpool(signal, codes, window, places, *shape, overwrite=False)
    want = unpool(signal, cut(codes, window, places), *shape, overwrite=False)
    assert want.count_nonzero()
    assert torch.equal(got, want)


@pytest.mark.usefixtures("_interpreted")
@pytest.mark.parametrize("shape", SHAPES[:3])
def test_the_last_window_overwrites(shape: tuple[Pair, Pair, Pair]) -> None:
    whole = Window.whole((6, 7))
    signal, codes, window, places = on_whole_maps(shape, torch.float32, whole)
    got = gpu.unpool(signal, codes, window, places, *shape, overwrite=True)
    want = unpool(signal, codes[places.images], *shape, overwrite=True)
    assert torch.equal(got, want)
    added = gpu.unpool(signal, codes, window, places, *shape, overwrite=False)
    assert not torch.equal(added, got)


@pytest.mark.usefixtures("_interpreted")
def test_channels_and_rows_that_fill_several_programs() -> None:
    shape = (2, 2), (1, 1), (1, 1)
    window = Window((0, 0), (0, 0), (6, 7))
    signal, codes, _, places = on_whole_maps(shape, torch.float32, window, channels=70)
    wide = signal.repeat_interleave(6, 3)[..., :7]
    got = gpu.unpool(wide, codes, window, places, *shape, overwrite=False)
    want = unpool(wide, codes[places.images], *shape, overwrite=False)
    assert torch.equal(got, want)


@pytest.mark.usefixtures("_interpreted")
@pytest.mark.parametrize("way", ["sum", "overwrite"])
def test_the_engine_by_the_kernel(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 5), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(8, 8, 3), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(8, 8, 3),
    )  # fmt: skip
    recording = DeconvNet(model, device="cpu").record(torch.randn(2, 3, 24, 22))
    neurons = recording.strongest("conv3")[::3]
    monkeypatch.setattr("zfwidgets.deconv.kernels._AVAILABLE", False)
    want = recording.project(neurons, unpool=way).pixels  # type: ignore[arg-type]
    asked = list[bool]()

    def by_the_kernel(tensor: torch.Tensor) -> bool:
        asked.append(True)
        return True

    monkeypatch.setattr(gpu, "usable", by_the_kernel)
    assert torch.equal(recording.project(neurons, unpool=way).pixels, want)  # type: ignore[arg-type]
    assert asked


@pytest.mark.parametrize("capability", [75, 80, 90])
def test_the_kernel_compiles_for_gpus(capability: int) -> None:
    kernel = gpu_kernels._unpool
    fixed = {
        "KERNEL_ROWS": 3, "KERNEL_COLS": 3, "STRIDE_ROWS": 2, "STRIDE_COLS": 2,
        "DILATION_ROWS": 1, "DILATION_COLS": 1, "OVERWRITE": False, "PLACES": 32, "CHANNELS": 64,
    }  # fmt: skip
    pointers = {"signal": "*fp32", "result": "*fp32", "codes": "*u8"}
    pointers |= dict.fromkeys(["images", "top", "left"], "*i64")
    names = kernel.arg_names
    kinds = {n: "constexpr" if n in fixed else pointers.get(n, "i32") for n in names}
    source = ASTSource(kernel, kinds, {(names.index(n),): value for n, value in fixed.items()})
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32))
    assert made.asm["cubin"]


def test_what_does_not_work_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not gpu._works(torch.device("cpu"))  # compiled, it finds no driver
    monkeypatch.setattr(gpu, "both_ways", lambda _: (torch.zeros(1), torch.ones(1)))
    gpu._works.cache_clear()
    assert not gpu._works(torch.device("cpu"))
    gpu._works.cache_clear()


def on_a_fake_gpu(model: nn.Module) -> nn.Module:
    """Its tensors without values, as if on CUDA: torch follows shapes, types and devices."""
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = nn.Parameter(
                        torch.empty(tensor.shape, dtype=tensor.dtype, device="cuda"),
                        requires_grad=False,
                    )
    return model.eval()


MODELS: dict[str, Callable[[], nn.Module]] = {
    "zfnet": lambda: ZFNet(head="light"),
    "resnet18": lambda: torchvision.models.resnet18(weights=None),
    "squeezenet": lambda: torchvision.models.squeezenet1_1(weights=None),
}


@pytest.mark.parametrize("pictures", [1, 2])
@pytest.mark.parametrize("name", MODELS)
def test_nothing_on_the_way_is_on_another_device(
    name: str, pictures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeconvNet, "weights_version", lambda _: ())
    monkeypatch.setattr(gpu, "usable", lambda _: False)  # a real one would be asked for its memory
    model = MODELS[name]()
    with FakeTensorMode(), torch.no_grad():
        net = DeconvNet(on_a_fake_gpu(model), check=False)
        recording = net.record(torch.empty(pictures, 3, 96, 96))
        zero = torch.empty(3, dtype=torch.long, device="cuda")
        found = list(net.layers.values())
        for layer in (*found[:: len(found) // 2], found[-1]):
            bounds = (0, layer.height - 1), (0, layer.width - 1)
            places = Places(zero, zero, zero, 0 if pictures == 1 else None, bounds)
            start = backward.Start(layer.step, places, zero, torch.empty(3, device="cuda"))
            for method in METHODS:
                way = Way(method, places)
                signal = backward.from_neurons(recording._calls, start)
                sent = backward.send_back(recording._calls, layer.step, signal, way)
                assert sent.values.device.type == "cuda"
                assert sent.values.dtype == torch.float32
    assert recording.inputs.device.type == "cuda"
