"""A path: weights of one of our architectures, or of a model of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from torch import nn

from zfwidgets.images.preprocess import Preprocess
from zfwidgets.nets.alexnet import AlexNet
from zfwidgets.nets.chatfield import CNN_F, CNN_M, CNN_S
from zfwidgets.nets.info import Built, NetError, NetInfo, built
from zfwidgets.nets.onnx_zfnet512 import PREPROCESS as ZFNET512_PREPROCESS
from zfwidgets.nets.onnx_zfnet512 import ZFNet512
from zfwidgets.nets.onnx_zfnet512 import build as build_onnx
from zfwidgets.nets.sources.papers import MEAN_OFF_BGR, metadata, preprocess_from_json
from zfwidgets.nets.state import State, fill, fits, imagenet_classes, on_meta, read_state
from zfwidgets.nets.table import Head
from zfwidgets.nets.zfnet import ZFNet

SUFFIXES = (".safetensors", ".pt", ".pth", ".onnx")


def listed() -> list[NetInfo]:
    """One row: any file."""
    return [
        NetInfo(
            name="PATH",
            title="a weights file of yours",
            description=f"A local file ({', '.join(SUFFIXES)}) with the weights of one of the "
            "architectures here, or of your own module given as arch=.",
            licence="yours",
            accuracy="yours",
            size_bytes=None,
            source="this machine",
            local=None,
            params=None,
        )
    ]


def build(
    path: str | Path,
    *,
    arch: str | nn.Module | None = None,
    preprocess: Preprocess | None = None,
    categories: Sequence[str] | None = None,
) -> Built:
    """The network whose weights are in the file at ``path``.

    Args:
        path: ``.safetensors``, ``.pt`` or ``.pth`` with a state dict; ``.onnx`` is zfnet512.
        arch: a name of `candidates`, or a module to fill; None where the tensors' names and
            shapes leave no doubt.
        preprocess: how images are prepared; None for the ``preprocess`` entry in the file's
            metadata, else ImageNet's mean and std (Caffe's for Chatfield's nets).
        categories: class names; None for ImageNet's where there are 1000 classes.

    Raises:
        NetError: nothing, or more than one architecture, has these names and shapes.
    """
    path = Path(path).expanduser()
    if path.suffix == ".onnx":
        if arch is not None or preprocess is not None or categories is not None:
            raise NetError(f"{path}: an .onnx file is read as zfnet512 and takes no options.")
        if not path.is_file():
            raise FileNotFoundError(f"There is no weights file at {path}.")
        return build_onnx(path=path)
    state = read_state(path)
    model, known_as = _model(arch, state, path)
    model = fill(model, state, str(path))
    names = list(categories) if categories is not None else _default_categories(model, state)
    prepare = preprocess or _preprocess(path, known_as)
    return built(model, prepare, names, _info(path, known_as))


def _model(arch: str | nn.Module | None, state: State, path: Path) -> tuple[nn.Module, str]:
    if isinstance(arch, nn.Module):
        return arch, type(arch).__name__
    makers = dict(candidates(state))
    if arch is not None:
        if arch not in makers:
            raise NetError(
                f"arch={arch!r} is not known; expected a torch module or one of "
                f"{', '.join(makers) or 'our architectures, whose layers are conv1 to fc8'}."
            )
        return on_meta(makers[arch]), arch
    matching = {
        name: net
        for name, net in ((name, on_meta(make)) for name, make in makers.items())
        if fits(net, state)
    }
    if len(matching) == 1:
        name, net = matching.popitem()
        return net, name
    if matching:
        raise NetError(
            f"The names and shapes in {path} fit {', '.join(matching)} alike. Say which with "
            f"arch={next(iter(matching))!r} or another of them."
        )
    shown = ", ".join(list(state)[:6])
    raise NetError(
        f"The names and shapes in {path} ({shown}, …) fit none of the architectures here. Give "
        "the module that they belong to: load(path, arch=your_model)."
    )


def candidates(state: State) -> Iterator[tuple[str, Callable[[], nn.Module]]]:
    """Our architectures, sized after the tensors in ``state``, by the names that ``arch`` takes."""
    names = [f"conv{i}.weight" for i in range(1, 6)] + ["fc8.weight"]
    if not all(name in state for name in names):
        return
    w1, w2, w3, w4, w5, classes = (state[name].shape[0] for name in names)
    width = (w1, w2, w3, w4, w5)
    planes = state["conv1.weight"].shape[1]
    head: Head = "full" if "fc6.weight" in state else "light"
    bn = "bn1.weight" in state
    # Nothing in a state dict tells whether there is contrast normalisation: papers' nets have it,
    # light ones do not, as long as nobody says so by name.
    plain = head == "full"

    def zfnet() -> nn.Module:
        return ZFNet(classes, width, head, plain, bn, planes)

    def alexnet() -> nn.Module:
        return AlexNet(classes, 1, width, head, plain, bn, planes)

    def alexnet_2() -> nn.Module:
        return AlexNet(classes, 2, width, head, plain, bn, planes)

    def cnn_m() -> nn.Module:
        return CNN_M(classes, state["fc7.weight"].shape[0], planes)

    yield "zfnet", zfnet
    yield "alexnet", alexnet
    if not any(size % 2 for size in width):
        yield "alexnet-2", alexnet_2
    if head == "full" and "fc7.weight" in state:
        yield "cnn-f", lambda: CNN_F(classes, planes)
        yield "cnn-m", cnn_m
        yield "cnn-s", lambda: CNN_S(classes, in_channels=planes)
        yield "zfnet512", ZFNet512


def _default_categories(model: nn.Module, state: State) -> list[str] | None:
    last = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    return imagenet_classes() if last and last[-1].out_features == 1000 and state else None


def _preprocess(path: Path, known_as: str) -> Preprocess:
    said = metadata(path) if path.suffix == ".safetensors" else {}
    if "preprocess" in said:
        return preprocess_from_json(said["preprocess"])
    if known_as == "zfnet512":
        return ZFNET512_PREPROCESS
    return MEAN_OFF_BGR if known_as.startswith("cnn-") else Preprocess()


def _info(path: Path, known_as: str) -> NetInfo:
    return NetInfo(
        name=str(path),
        title=f"{path.name} ({known_as})",
        description=f"Weights from a local file, as {known_as}.",
        licence="yours",
        accuracy="not stated",
        size_bytes=path.stat().st_size,
        source="this machine",
        local=True,
        params=None,
    )
