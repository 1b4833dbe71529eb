"""Where the zoo's nets come from: five libraries, each with its names and a way to build one.

Weights are random; nothing is downloaded. Each library is imported when it is asked for.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import re
from collections.abc import Iterable
from typing import Any, ClassVar

from torch import nn

NET_SIZES = (32, 96, 224, 256, 299, 331, 384, 512)
"""What nets that do not take the asked size are tried with."""


class Library:
    """What the zoo asks of each."""

    packages: ClassVar[tuple[str, ...]]
    modules: ClassVar[tuple[str, ...]]
    """Imported before the child processes are forked."""

    def names(self) -> list[str]:
        """All nets."""
        raise NotImplementedError

    def families(self) -> list[str]:
        """One small net of each architecture."""
        return self.names()

    def build(self, name: str, side: int) -> nn.Module:
        """The net, for pictures of side x side pixels where it has to know."""
        raise NotImplementedError

    def own_size(self, model: nn.Module) -> int | None:
        """The side that the net names itself."""
        return None

    def channels(self, model: nn.Module) -> int:
        return 3

    def versions(self) -> dict[str, str]:
        return {name: importlib.metadata.version(name) for name in self.packages}


class Torchvision(Library):
    packages = ("torchvision",)
    modules = ("torchvision",)

    def names(self) -> list[str]:
        from torchvision.models import list_models

        return list_models()

    def build(self, name: str, side: int) -> nn.Module:
        from torchvision.models import get_model, get_model_builder

        builder = get_model_builder(name)
        options: dict[str, Any] = {"weights": None}
        if "weights_backbone" in inspect.signature(builder).parameters:
            options["weights_backbone"] = None
        task = builder.__module__.removeprefix("torchvision.models.")
        if task in ("googlenet", "inception"):
            # Drawing these weights from a truncated normal takes half a minute.
            options["init_weights"] = False
        elif task == "vision_transformer":
            options["image_size"] = side
        elif task == "maxvit":
            options["input_size"] = (side, side)
        elif task.startswith("detection") and "ssd" not in name:
            # Else pictures are enlarged to 800 pixels.
            options |= {"min_size": side, "max_size": 2 * side}
        return get_model(name, **options)


class Timm(Library):
    packages = ("timm",)
    modules = ("timm",)

    def names(self) -> list[str]:
        import timm

        return timm.list_models()

    def families(self) -> list[str]:
        from timm.models import list_models, list_modules

        return smallest_of_each(
            (f"{module}/{stem(name)}", name)
            for module in list_modules()
            for name in list_models(module=module)
        )

    def build(self, name: str, side: int) -> nn.Module:
        import timm

        given = timm.get_pretrained_cfg(name)
        fixed = given is not None and given.fixed_input_size and given.input_size[1] != side
        options: dict[str, Any] = {"img_size": side} if fixed else {}
        return timm.create_model(name, pretrained=False, **options)

    def own_size(self, model: Any) -> int | None:
        return int(model.pretrained_cfg["input_size"][-1])

    def channels(self, model: Any) -> int:
        return int(model.pretrained_cfg["input_size"][0])


class Pytorchcv(Library):
    packages = ("pytorchcv",)
    modules = ("pytorchcv.model_provider",)

    def names(self) -> list[str]:
        from pytorchcv.model_provider import _models

        return list(_models)

    def families(self) -> list[str]:
        from pytorchcv.model_provider import _models

        return list({maker.__module__: name for name, maker in reversed(_models.items())}.values())[
            ::-1
        ]

    def build(self, name: str, side: int) -> nn.Module:
        from pytorchcv.model_provider import get_model

        try:
            return get_model(name, pretrained=False, in_size=(side, side))
        except (TypeError, AssertionError):
            return get_model(name, pretrained=False)

    def own_size(self, model: nn.Module) -> int | None:
        given = inspect.signature(type(model)).parameters.get("in_size")
        return None if given is None else int(given.default[0])

    def channels(self, model: nn.Module) -> int:
        return next((m.in_channels for m in model.modules() if isinstance(m, nn.Conv2d)), 3)


class Transformers(Library):
    packages = ("transformers",)
    modules = ("transformers", "transformers.models.auto.modeling_auto")

    four: ClassVar[dict[str, Any]] = {"hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 2, 1]}
    small: ClassVar[dict[str, dict[str, Any]]] = {
        "resnet": four | {"embedding_size": 16},
        "regnet": four | {"embedding_size": 16, "groups_width": 8},
        "convnext": four,
        "convnextv2": four,
        "mobilenet_v1": {"depth_multiplier": 0.25},
        "mobilenet_v2": {"depth_multiplier": 0.35},
        "efficientnet": {"width_coefficient": 0.5, "depth_coefficient": 0.5, "hidden_dim": 640},
        "bit": four | {"embedding_size": 16, "num_groups": 4},
        "focalnet": {"embed_dim": 24, "depths": [1, 1, 2, 1]},
        "poolformer": {"hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 2, 1]},
        "cvt": {"embed_dim": [16, 32, 48], "num_heads": [1, 2, 3], "depth": [1, 2, 3]},
        "segformer": {"hidden_sizes": [16, 32, 48, 64], "depths": [1, 1, 1, 1]},
        "levit": {"image_size": 224, "hidden_sizes": [64, 96, 128], "depths": [1, 1, 1]},
    }
    """Configurations of the conv families, small; others are as the library has them."""

    def _tasks(self) -> dict[str, Any]:
        from transformers import (
            AutoBackbone,
            AutoModelForDepthEstimation,
            AutoModelForImageClassification,
            AutoModelForObjectDetection,
            AutoModelForSemanticSegmentation,
        )

        return {
            "classification": AutoModelForImageClassification,
            "segmentation": AutoModelForSemanticSegmentation,
            "detection": AutoModelForObjectDetection,
            "depth": AutoModelForDepthEstimation,
            "backbone": AutoBackbone,
        }

    def names(self) -> list[str]:
        return [
            f"{task}/{config.model_type}"
            for task, auto in self._tasks().items()
            for config in auto._model_mapping
        ]

    def families(self) -> list[str]:
        return [name for name in self.names() if name.startswith("classification/")]

    def build(self, name: str, side: int) -> nn.Module:
        from transformers import AutoConfig

        task, kind = name.split("/")
        config = AutoConfig.for_model(kind, **self.small.get(kind, {}))
        model = self._tasks()[task]._model_mapping[type(config)]
        # With or without a teacher's head, and the like: the first is the plain one.
        return (model[0] if isinstance(model, tuple) else model)(config)

    def own_size(self, model: Any) -> int | None:
        given = getattr(model.config, "image_size", None)
        return given[0] if isinstance(given, tuple | list) else given

    def channels(self, model: Any) -> int:
        return int(getattr(model.config, "num_channels", 3))


class Smp(Library):
    packages = ("segmentation_models_pytorch", "timm")
    modules = ("segmentation_models_pytorch",)

    def _decoders(self) -> dict[str, Any]:
        from segmentation_models_pytorch import MODEL_ARCHITECTURES_MAPPING

        return MODEL_ARCHITECTURES_MAPPING

    def names(self) -> list[str]:
        from segmentation_models_pytorch.encoders import get_encoder_names

        convolutions = [
            f"{decoder}/{encoder}"
            for decoder in self._decoders()
            if decoder != "dpt"
            for encoder in [*get_encoder_names(), "tu-convnext_atto", "tu-regnety_002"]
        ]
        return [*convolutions, "dpt/tu-vit_tiny_patch16_224"]

    def families(self) -> list[str]:
        """Each decoder on a ResNet, but for the one that needs a vision transformer."""
        return [n for n in self.names() if n.endswith("/resnet18") or n.startswith("dpt/")]

    def build(self, name: str, side: int) -> nn.Module:
        decoder, encoder = name.split("/")
        return self._decoders()[decoder](encoder_name=encoder, encoder_weights=None)


LIBRARIES: dict[str, Library] = {
    "torchvision": Torchvision(),
    "timm": Timm(),
    "pytorchcv": Pytorchcv(),
    "transformers": Transformers(),
    "smp": Smp(),
}

SMALL_FIRST = (
    *("test", "zepto", "atto", "femto", "pico", "nano", "xxxs", "xxs", "xs", "xxtiny", "xtiny"),
    *("tiny", "t", "s", "small", "m", "medium"),
)
"""Words for sizes in nets' names; nets without one rank between t and s."""


def stem(name: str) -> str:
    """The architecture in a net's name: "regnety_002" and "regnety_040" are both regnety."""
    return re.split(r"[_\d]", name.removeprefix("tf_"))[0]


def size_in(name: str) -> tuple[float, list[int]]:
    """A guess at how large a net is, from its name."""
    words = re.split(r"[_\d]+", name)
    ranks = [SMALL_FIRST.index(word) for word in words if word in SMALL_FIRST]
    return min(ranks, default=12.5), [int(number) for number in re.findall(r"\d+", name)]


def smallest_of_each(pairs: Iterable[tuple[str, str]]) -> list[str]:
    families: dict[str, list[str]] = {}
    for family, name in pairs:
        families.setdefault(family, []).append(name)
    return [min(names, key=size_in) for names in families.values()]


def awake(model: nn.Module) -> nn.Module:
    """The model in evaluation mode, with random statistics and without scales of zero.

    Branches that begin silent, as the last normalisation of a residual block does, show nothing.
    """
    for parameter in model.parameters():
        if parameter.is_floating_point() and not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.track_running_stats:
            nn.init.normal_(module.get_buffer("running_mean"), std=0.1)
            nn.init.uniform_(module.get_buffer("running_var"), 0.5, 1.5)
    return model.eval()
