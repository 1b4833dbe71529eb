"""The papers' own networks: trained ones that come with the package, untrained ones on request.

A bundled weights file is ``weights/NAME.safetensors`` with three entries in its metadata:
``preprocess`` (JSON of the fields of `Preprocess`), ``accuracy`` and ``licence`` (text).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zfwidgets.images.preprocess import Preprocess
from zfwidgets.nets.alexnet import AlexNet
from zfwidgets.nets.chatfield import CNN_F, CNN_M, CNN_S
from zfwidgets.nets.info import Built, MissingWeightsError, NetError, NetInfo, built
from zfwidgets.nets.state import fill, imagenet_classes, on_meta, read_state
from zfwidgets.nets.zfnet import WIDTH_B, ZFNet

WEIGHTS = Path(__file__).parent.parent / "weights"

_MEAN = (123.68, 116.779, 103.939)
MEAN_OFF = Preprocess(mean=_MEAN, std=(1.0, 1.0, 1.0), scale=255.0)
"""The papers' input: a 224 crop of a 256 image in 0..255 less the mean, about [-128, 128]."""
MEAN_OFF_BGR = Preprocess(mean=_MEAN[::-1], std=(1.0, 1.0, 1.0), scale=255.0, channels="BGR")
"""The same in Caffe's channel order."""


@dataclass(frozen=True)
class Paper:
    """An architecture of a paper, and what the bundled trained net of that name is built as."""

    title: str
    description: str
    make: Callable[..., nn.Module]
    params: int
    preprocess: Preprocess = MEAN_OFF
    bundled: Callable[..., nn.Module] | None = None


def _light_zfnet(num_classes: int) -> nn.Module:
    return ZFNet(num_classes, head="light", norm=False)


def _light_alexnet(num_classes: int) -> nn.Module:
    return AlexNet(num_classes, head="light", norm=False)


def _zfnet_b(**options: Any) -> nn.Module:
    return ZFNet(**({"width": WIDTH_B} | options))


def _alexnet_2(**options: Any) -> nn.Module:
    return AlexNet(**({"groups": 2} | options))


def _cnn_m(fc7: int) -> Callable[..., nn.Module]:
    def make(**options: Any) -> nn.Module:
        return CNN_M(**({"fc7": fc7} | options))

    return make


PAPERS: dict[str, Paper] = {
    "zfnet": Paper(
        "ZFNet (2013)",
        "Zeiler & Fergus 2013, Fig. 3.",
        ZFNet,
        62_357_608,
        bundled=_light_zfnet,
    ),
    "zfnet-b": Paper(
        "ZFNet variant (b)",
        "Zeiler & Fergus 2013 with 512, 1024 and 512 maps in conv3 to conv5.",
        _zfnet_b,
        107_627_624,
    ),
    "alexnet": Paper(
        "AlexNet (2012), one column",
        "Krizhevsky, Sutskever & Hinton 2012 without the split over two GPUs.",
        AlexNet,
        62_378_344,
        bundled=_light_alexnet,
    ),
    "alexnet-2": Paper(
        "AlexNet (2012), two groups",
        "Krizhevsky, Sutskever & Hinton 2012 as published, conv2, conv4 and conv5 in two groups.",
        _alexnet_2,
        60_965_224,
    ),
    "cnn-f": Paper(
        "CNN-F (2014)",
        "Chatfield et al. 2014, the fast net, close to AlexNet.",
        CNN_F,
        60_834_536,
        MEAN_OFF_BGR,
    ),
    "cnn-m": Paper(
        "CNN-M (2014)",
        "Chatfield et al. 2014, the medium net, close to ZFNet.",
        CNN_M,
        102_908_520,
        MEAN_OFF_BGR,
    ),
    "cnn-m-2048": Paper(
        "CNN-M-2048 (2014)",
        "CNN-M with 2048 units in fc7.",
        _cnn_m(2048),
        92_469_864,
        MEAN_OFF_BGR,
    ),
    "cnn-m-1024": Paper(
        "CNN-M-1024 (2014)",
        "CNN-M with 1024 units in fc7.",
        _cnn_m(1024),
        87_250_536,
        MEAN_OFF_BGR,
    ),
    "cnn-m-128": Paper(
        "CNN-M-128 (2014)",
        "CNN-M with 128 units in fc7.",
        _cnn_m(128),
        82_683_624,
        MEAN_OFF_BGR,
    ),
    "cnn-s": Paper(
        "CNN-S (2014)",
        "Chatfield et al. 2014, the slow net, fine maps up to conv5.",
        CNN_S,
        102_908_520,
        MEAN_OFF_BGR,
    ),
}


def listed() -> list[NetInfo]:
    """Bundled trained nets first, then every architecture without weights."""
    trained = [_trained_info(name) for name, paper in PAPERS.items() if paper.bundled]
    return trained + [_untrained_info(name) for name in PAPERS]


def build(name: str, *, untrained: bool = False, seed: int = 0, **architecture: Any) -> Built:
    """A trained net of the package, or one with random weights if that is asked for in words.

    Args:
        name: a key of `PAPERS`, or one with ``-untrained`` appended.
        untrained: the same as ``-untrained``: random weights, drawn as the paper says.
        seed: of the random weights.
        architecture: options of the class, such as ``num_classes``, for untrained nets only.

    Raises:
        MissingWeightsError: trained weights of this name do not exist, or are not installed.
    """
    plain = name.removesuffix("-untrained")
    if untrained or plain != name:
        return _untrained(plain, seed, architecture)
    if architecture or seed:
        given = ", ".join([*architecture, *(["seed"] if seed else [])])
        raise NetError(
            f"{name!r} is a trained network; {given} only goes with untrained=True, since other "
            "weights would not fit it."
        )
    return _trained(name)


def _untrained(name: str, seed: int, architecture: dict[str, Any]) -> Built:
    paper = PAPERS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            model = paper.make(**architecture)
        except TypeError as error:
            raise NetError(f"{name!r} does not take these options: {error}") from error
    return built(model, paper.preprocess, None, _untrained_info(name))


def _trained(name: str) -> Built:
    paper, path = PAPERS[name], WEIGHTS / f"{name}.safetensors"
    if paper.bundled is None:
        raise MissingWeightsError(
            f"No trained weights of {name!r} come with zfwidgets. For random ones ask for "
            f"'{name}-untrained'; list_nets() shows where trained networks can be had."
        )
    if not path.is_file():
        raise MissingWeightsError(
            f"The trained weights of {name!r} are missing from this installation (expected at "
            f"{path}). Install zfwidgets again, or ask for random weights as '{name}-untrained'."
        )
    state, make = read_state(path), paper.bundled
    classes = len(state["fc8.bias"]) if "fc8.bias" in state else 1000
    model = fill(on_meta(lambda: make(classes)), state, str(path))
    names = imagenet_classes() if classes == 1000 else None
    return built(model, _preprocess(path), names, _trained_info(name))


def _preprocess(path: Path) -> Preprocess:
    try:
        return preprocess_from_json(metadata(path)["preprocess"])
    except (KeyError, ValueError, TypeError) as error:
        raise NetError(
            f"{path} does not say how images are prepared for it: its metadata needs an entry "
            f"'preprocess', JSON of the fields of zfwidgets.images.Preprocess ({error})."
        ) from error


def preprocess_from_json(text: str) -> Preprocess:
    """The `Preprocess` whose fields the JSON object ``text`` gives."""
    fields: dict[str, Any] = json.loads(text)
    lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
    return Preprocess(**(fields | lists))


@cache
def _metadata(path: Path, changed: int) -> dict[str, str]:  # noqa: ARG001 - part of the cache key
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as opened:
        return dict(opened.metadata() or {})


def metadata(path: Path) -> dict[str, str]:
    """The text entries in the head of a safetensors file, without its tensors."""
    return _metadata(path, path.stat().st_mtime_ns)


def _trained_info(name: str) -> NetInfo:
    paper, path = PAPERS[name], WEIGHTS / f"{name}.safetensors"
    here = path.is_file()
    said = metadata(path) if here else {}
    assert paper.bundled is not None
    model = on_meta(lambda: paper.bundled(1000) if paper.bundled else nn.Identity())
    return NetInfo(
        name=name,
        title=f"{paper.title}, bundled",
        description=f"{paper.description} The convolutions of the paper under a light head "
        "(global average and fc8), without contrast normalisation; weights trained for this "
        "package.",
        licence=said.get("licence", "MIT"),
        accuracy=said.get("accuracy", "not stated"),
        size_bytes=path.stat().st_size if here else None,
        source="bundled",
        local=here,
        params=sum(parameter.numel() for parameter in model.parameters()),
    )


def _untrained_info(name: str) -> NetInfo:
    paper = PAPERS[name]
    return NetInfo(
        name=f"{name}-untrained",
        title=f"{paper.title}, untrained",
        description=f"{paper.description} Random weights, drawn as the paper says: a control, not "
        "a trained network.",
        licence="MIT",
        accuracy="untrained",
        size_bytes=None,
        source="random numbers",
        local=True,
        params=paper.params,
    )
