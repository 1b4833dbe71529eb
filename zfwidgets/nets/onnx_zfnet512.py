"""zfnet512, the ZFNet of the ONNX model zoo, as a PyTorch network.

Facts from onnx/models, validated/vision/classification/zfnet-512, and from its graph: like ZFNet,
but without padding at conv1, pools that round down, normalisation *before* the pool, 512 maps from
conv3 on, a 2 x 2 pool5 and a narrow fc7. The reader checks operations, attributes, names and shapes
before it takes a weight. Needs the ``onnx`` package.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zfwidgets.images.preprocess import Preprocess
from zfwidgets.nets.download import RemoteFile, cache_dir, fetch
from zfwidgets.nets.info import Built, NetError, NetInfo, built
from zfwidgets.nets.state import fill, imagenet_classes, on_meta
from zfwidgets.nets.table import LayerTable, response_norm

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")

_ZOO = "validated/vision/classification/zfnet-512/model/zfnet512-12.onnx"


def remote_file() -> RemoteFile:
    """The opset-12 file of the zoo; size and digest are those of its LFS pointer."""
    return RemoteFile(
        name="zfnet512-12.onnx",
        urls=(
            f"https://huggingface.co/onnxmodelzoo/legacy_models/resolve/main/{_ZOO}",
            f"https://media.githubusercontent.com/media/onnx/models/main/{_ZOO}",
        ),
        folder=cache_dir() / "onnx",
        digest="sha256:c975ca6a24c0a2e1584c6f82667e0ac9c06084fc7769d267f71b4a154d1f1c72",
        size=349_005_501,
    )


PREPROCESS = Preprocess(
    size=224,
    mean=(103.939, 116.779, 123.68),
    std=(1.0, 1.0, 1.0),
    scale=255.0,
    channels="BGR",
    mode="squash",
)
"""The zoo's README leaves this blank. This is what the published accuracy was measured with
(intel/neural-compressor, zfnet ptq_static example): the whole picture pressed into the square,
BGR, 0 to 255, mean taken off, no scaling."""


def info() -> NetInfo:
    """What zfnet512 is."""
    file = remote_file()
    return NetInfo(
        name="onnx:zfnet512",
        title="zfnet512 (ONNX zoo)",
        description="A ZFNet relative with 512 maps in conv3 to conv5, trained in Caffe2. Clearly "
        "less accurate than the paper's ZFNet (16.5 % top-5 error).",
        licence="MIT",
        accuracy="ImageNet top-1 55.97 %, top-5 79.41 % (Intel)",
        size_bytes=file.size,
        source=file.urls[0],
        local=file.path.exists(),
        params=87_250_536,
    )


class ZFNet512(LayerTable):
    """zfnet512 of the ONNX zoo. Images [B, 3, 224, 224] to logits [B, 1000].

    ``shrink`` divides every width, for tests that want the same graph at a fraction of its size.
    """

    def __init__(self, shrink: int = 1) -> None:
        w1, w2, w3, fc6, fc7 = (width // shrink for width in (96, 256, 512, 4096, 1024))
        super().__init__(
            [
                ("conv1", nn.Conv2d(3, w1, 7, stride=2)),  # 109 x 109
                ("relu1", nn.ReLU()),
                ("norm1", response_norm()),
                ("pool1", nn.MaxPool2d(3, 2)),  # 54 x 54
                ("conv2", nn.Conv2d(w1, w2, 5, stride=2)),  # 25 x 25
                ("relu2", nn.ReLU()),
                ("norm2", response_norm()),
                ("pool2", nn.MaxPool2d(3, 2)),  # 12 x 12
                ("conv3", nn.Conv2d(w2, w3, 3, padding=1)),  # 12 x 12
                ("relu3", nn.ReLU()),
                ("conv4", nn.Conv2d(w3, w3, 3, padding=1)),  # 12 x 12
                ("relu4", nn.ReLU()),
                ("conv5", nn.Conv2d(w3, w3, 3, padding=1)),  # 12 x 12
                ("relu5", nn.ReLU()),
                ("pool5", nn.MaxPool2d(2, 2)),  # 6 x 6
                ("flatten", nn.Flatten()),
                ("fc6", nn.Linear(w3 * 36, fc6)),
                ("relu6", nn.ReLU()),
                ("drop6", nn.Dropout(0.5)),
                ("fc7", nn.Linear(fc6, fc7)),
                ("relu7", nn.ReLU()),
                ("drop7", nn.Dropout(0.5)),
                ("fc8", nn.Linear(fc7, 1000)),
            ]
        )


def _conv(kernel: int, stride: int, pad: int) -> tuple[str, dict[str, Any]]:
    return "Conv", {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}


def _pool(kernel: int) -> tuple[str, dict[str, Any]]:
    return "MaxPool", {"kernel_shape": [kernel] * 2, "strides": [2, 2], "pads": [0] * 4}


_RELU: tuple[str, dict[str, Any]] = ("Relu", {})
_LRN: tuple[str, dict[str, Any]] = ("LRN", {"size": 5, "alpha": 5e-4, "beta": 0.75, "bias": 2.0})
_GEMM: tuple[str, dict[str, Any]] = ("Gemm", {"transB": 1})

GRAPH = [
    *(_conv(7, 2, 0), _RELU, _LRN, _pool(3)),
    *(_conv(5, 2, 0), _RELU, _LRN, _pool(3)),
    *(_conv(3, 1, 1), _RELU, _conv(3, 1, 1), _RELU, _conv(3, 1, 1), _RELU, _pool(2)),
    *(("Reshape", {}), _GEMM, _RELU, _GEMM, _RELU, _GEMM, ("Softmax", {})),
]
"""Operations of the file in order, with the attributes that `ZFNet512` builds in."""

_DEFAULTS: dict[str, Any] = {"pads": [0] * 4, "transB": 0, "transA": 0, "group": 1, "ceil_mode": 0}
_INACTIVE = ("Dropout", "Identity")


def listed() -> list[NetInfo]:
    """The one network of the ONNX zoo that we read."""
    return [info()]


def build(name: str = "zfnet512", *, path: Path | None = None, progress: bool = True) -> Built:
    """zfnet512 with its trained weights.

    Args:
        name: "zfnet512".
        path: a file of the zoo that is already here; None to fetch it (349 MB) once.
        progress: show a bar while downloading.

    Raises:
        DownloadError: the file cannot be had.
        NetError: the file is not zfnet512, or the ``onnx`` package is missing.
    """
    if name != "zfnet512":
        raise NetError(f"'onnx:{name}' is not known; the one ONNX network is 'onnx:zfnet512'.")
    _onnx()  # before 349 MB are fetched in vain
    model = read(path if path is not None else fetch(remote_file(), progress=progress))
    return built(model, PREPROCESS, imagenet_classes(), info())


def read(path: Path) -> ZFNet512:
    """The network in the ONNX file at ``path``."""
    onnx = _onnx()
    try:
        proto = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf raises its own, by implementation
        raise NetError(f"{path} is not a readable ONNX file: {error}") from error
    return from_onnx(proto, on_meta(ZFNet512), str(path))


def from_onnx(proto: ModelProto, net: ZFNet512, source: str) -> ZFNet512:
    """Fill ``net`` from the graph, after checking that the graph computes what ``net`` does.

    Gemm with transB=1 and nn.Linear store their weights alike, so nothing is transposed.
    """
    from onnx import numpy_helper

    _check_graph(proto.graph, source)
    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
    state: dict[str, Tensor] = {}
    for layer in LAYERS:
        for short, kind in (("w", "weight"), ("b", "bias")):
            name = f"gpu_0/{layer}_{short}_0"
            if name not in tensors:
                raise NetError(f"{source} has no initializer {name}; it is not zfnet512.")
            array = numpy_helper.to_array(tensors[name]).copy()
            state[f"{layer}.{kind}"] = torch.from_numpy(array)
    return fill(net, state, source)


def _check_graph(graph: GraphProto, source: str) -> None:
    nodes = [node for node in graph.node if node.op_type not in _INACTIVE]
    found = [node.op_type for node in nodes]
    if found != [operation for operation, _ in GRAPH]:
        raise NetError(f"{source} is not zfnet512: its operations are {', '.join(found)}.")
    weighted = iter(LAYERS)
    for node, (operation, wanted) in zip(nodes, GRAPH, strict=True):
        attributes = _attributes(node)
        for key, value in wanted.items():
            if not _same(attributes.get(key, _DEFAULTS.get(key)), value):
                raise NetError(
                    f"{source} is not zfnet512: {operation} has {key}={attributes.get(key)}, "
                    f"expected {value}."
                )
        if operation in ("Conv", "Gemm"):
            layer = next(weighted)
            names = [f"gpu_0/{layer}_w_0", f"gpu_0/{layer}_b_0"]
            if list(node.input[1:]) != names:
                raise NetError(f"{source} is not zfnet512: {layer} reads {list(node.input[1:])}.")


def _attributes(node: NodeProto) -> dict[str, Any]:
    from onnx.helper import get_attribute_value

    return {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float):
        return isinstance(found, float) and abs(found - wanted) <= 1e-6 * wanted
    return bool((list(found) if isinstance(wanted, list) and found else found) == wanted)


def _onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise NetError(
            "'onnx:zfnet512' needs the onnx package: pip install 'zfwidgets[onnx]'"
        ) from error
    return onnx
