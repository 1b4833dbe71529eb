"""A weights file of the user's gives exactly its network, and can never run code."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from zfwidgets.images.preprocess import Preprocess
from zfwidgets.nets import CNN_F, CNN_M, CNN_S, AlexNet, NetError, ZFNet, build
from zfwidgets.nets.sources.files import candidates
from zfwidgets.nets.state import fits, on_meta

SMALL = (4, 6, 8, 8, 6)


def small_zfnet() -> ZFNet:
    return ZFNet(5, SMALL, "light", norm=False)


def save(net: nn.Module, path: Path) -> Path:
    state = net.state_dict()
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_our_architectures_are_recognised_by_names_and_shapes(suffix: str, tmp_path: Path) -> None:
    net = small_zfnet().eval()
    got = build(save(net, tmp_path / f"net{suffix}"))
    x = torch.randn(2, 3, 64, 64)
    assert isinstance(got.model, ZFNet)
    torch.testing.assert_close(got.model(x), net(x))
    assert got.info.title == f"net{suffix} (zfnet)"
    assert got.categories is None  # five classes, and nobody said which


def test_a_path_may_be_text(tmp_path: Path) -> None:
    path = save(small_zfnet(), tmp_path / "net.pt")
    assert isinstance(build(str(path)).model, ZFNet)


RECOGNISED: list[tuple[str, Callable[[], nn.Module]]] = [
    ("zfnet", ZFNet),
    ("zfnet", lambda: ZFNet(head="light", norm=False, batch_norm=True)),
    ("alexnet", AlexNet),
    ("alexnet", lambda: AlexNet(10, head="light", norm=False, in_channels=1)),
    ("alexnet-2", lambda: AlexNet(groups=2)),
]


@pytest.mark.parametrize(("name", "make"), RECOGNISED)
def test_one_architecture_fits_and_no_other(name: str, make: Callable[[], nn.Module]) -> None:
    state: dict[str, Tensor] = on_meta(make).state_dict()
    assert [n for n, maker in candidates(state) if fits(on_meta(maker), state)] == [name]


@pytest.mark.parametrize("make", [CNN_M, CNN_S])
def test_architectures_of_the_same_shapes_are_all_offered(
    make: type[CNN_M] | type[CNN_S],
) -> None:
    state = on_meta(make).state_dict()
    fitting = {n for n, maker in candidates(state) if fits(on_meta(maker), state)}
    assert fitting == {"zfnet", "cnn-m", "cnn-s"}


def test_cnn_f_is_told_from_alexnet_by_nothing_but_the_name() -> None:
    state = on_meta(CNN_F).state_dict()
    fitting = {n for n, maker in candidates(state) if fits(on_meta(maker), state)}
    assert fitting == {"alexnet", "cnn-f"}


def test_a_doubt_is_left_to_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zfwidgets.nets.sources import files

    path = save(small_zfnet(), tmp_path / "net.pt")
    monkeypatch.setattr(
        files, "candidates", lambda _state: iter([("one", small_zfnet), ("two", small_zfnet)])
    )
    with pytest.raises(NetError, match=r"fit one, two alike.*arch='one'"):
        build(path)
    assert build(path, arch="two").info.title == "net.pt (two)"


def test_a_module_of_the_users_own_is_filled(tmp_path: Path) -> None:
    own = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    path = save(own, tmp_path / "own.pt")
    twin = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    prepare = Preprocess(size=8, resize=8)
    got = build(path, arch=twin, preprocess=prepare, categories=["cat", "dog"])
    x = torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(got.model(x), own(x))
    assert (got.transforms, got.categories) == (prepare, ["cat", "dog"])


def test_a_module_that_does_not_fit_is_told_where(tmp_path: Path) -> None:
    path = save(nn.Sequential(nn.Conv2d(3, 4, 3)), tmp_path / "own.pt")
    with pytest.raises(NetError) as caught:
        build(path, arch=nn.Sequential(nn.Conv2d(3, 5, 3), nn.Conv2d(5, 1, 1)))
    message = str(caught.value)
    assert "0.weight: shape [4, 3, 3, 3], expected [5, 3, 3, 3]" in message
    assert "1.bias: missing" in message


def test_unknown_shapes_ask_for_the_module(tmp_path: Path) -> None:
    path = save(nn.Sequential(nn.Conv2d(3, 4, 3)), tmp_path / "own.pt")
    with pytest.raises(NetError, match=r"0\.weight, 0\.bias.*arch=your_model"):
        build(path)
    with pytest.raises(NetError, match=r"arch='lenet' is not known"):
        build(path, arch="lenet")


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model"])
def test_a_checkpoint_of_a_parallel_training_is_unwrapped(key: str, tmp_path: Path) -> None:
    net = small_zfnet()
    state = {f"module.{name}": tensor for name, tensor in net.state_dict().items()}
    torch.save({key: state, "epoch": 7, "loss": 0.5}, tmp_path / "checkpoint.pt")
    got = build(tmp_path / "checkpoint.pt")
    assert torch.equal(got.model.get_parameter("conv1.weight"), net.get_parameter("conv1.weight"))


def test_half_precision_on_disk_is_single_precision_here(tmp_path: Path) -> None:
    got = build(save(small_zfnet().half(), tmp_path / "net.safetensors"))
    assert {parameter.dtype for parameter in got.model.parameters()} == {torch.float32}


def test_the_preparation_in_the_file_is_used_and_can_be_overruled(tmp_path: Path) -> None:
    said = Preprocess(size=64, resize=72, std=(1.0, 1.0, 1.0), channels="BGR")
    fields = {"size": 64, "resize": 72, "std": [1, 1, 1], "channels": "BGR"}
    path = tmp_path / "net.safetensors"
    save_file(small_zfnet().state_dict(), path, {"preprocess": json.dumps(fields)})
    assert build(path).transforms == said
    assert build(path, preprocess=Preprocess()).transforms == Preprocess()


class Hostile:
    """Runs code wherever it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return exec, (f"open({str(self.witness)!r}, 'w')",)


@pytest.mark.parametrize("writer", [torch.save, lambda o, p: p.write_bytes(pickle.dumps(o, 2))])
def test_a_file_with_code_in_it_is_refused_and_the_code_does_not_run(
    writer: Callable[[object, Path], object], tmp_path: Path
) -> None:
    witness, path = tmp_path / "witness", tmp_path / "net.pt"
    writer({"conv1.weight": Hostile(witness)}, path)
    with pytest.raises(NetError, match="could run code"):
        build(path)
    assert not witness.exists()


def test_a_whole_pickled_model_is_refused_with_advice(tmp_path: Path) -> None:
    torch.save(small_zfnet(), tmp_path / "model.pt")
    with pytest.raises(NetError, match=r"torch\.save\(model\.state_dict\(\), path\)"):
        build(tmp_path / "model.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".onnx"])
@pytest.mark.parametrize("content", [b"", b"hello", bytes(1000), b"\x80\x02}q\x00."])
def test_damaged_files_are_refused(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_bytes(content)
    with pytest.raises(NetError, match=r"net\."):
        build(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    for name in ("net.pt", "net.safetensors"):
        path = save(small_zfnet(), tmp_path / name)
        path.write_bytes(path.read_bytes()[:-500])
        with pytest.raises(NetError, match=name):
            build(path)


def test_something_else_than_a_state_dict_is_refused(tmp_path: Path) -> None:
    for content in ([1, 2], {"a": 1}, torch.zeros(3), {}):
        torch.save(content, tmp_path / "net.pt")
        with pytest.raises(NetError, match="expected a state dict"):
            build(tmp_path / "net.pt")


@pytest.mark.parametrize("name", ["net.pt", "net.safetensors", "net.onnx"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=name):
        build(tmp_path / name)
