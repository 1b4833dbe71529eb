"""zfnet512 in PyTorch computes what onnxruntime computes from the zoo's own graph.

The graph ships in the onnx wheel without its weights (light_zfnet512.onnx); here it gets weights of
ours. A narrow copy of the net fits the same graph, since widths live in the weights alone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import ModelProto, helper, numpy_helper
from torch import nn

from zfwidgets.nets import DownloadError, NetError, build
from zfwidgets.nets.onnx_zfnet512 import (
    LAYERS,
    PREPROCESS,
    ZFNet512,
    from_onnx,
    read,
    remote_file,
)
from zfwidgets.nets.state import on_meta

from .conftest import Hub

SHRINK = 8


def light_graph() -> ModelProto:
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    return onnx.load(folder / "light_zfnet512.onnx")


def filled_graph(net: nn.Module) -> ModelProto:
    """The zoo's graph with the weights of ``net`` as initializers, as its full file has them."""
    proto = light_graph()
    graph = proto.graph
    nodes = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    tensors = [t for t in graph.initializer if not t.name.endswith("__SHAPE")]
    inputs = [i for i in graph.input if not i.name.endswith("__SHAPE")]
    for layer in LAYERS:
        for short, kind in (("w", "weight"), ("b", "bias")):
            array = net.get_parameter(f"{layer}.{kind}").detach().numpy()
            name = f"gpu_0/{layer}_{short}_0"
            tensors.append(numpy_helper.from_array(array, name))
            inputs.append(helper.make_tensor_value_info(name, 1, array.shape))
    flat = np.array([1, net.get_parameter("fc6.weight").shape[1]])
    tensors = [t for t in tensors if t.name != "OC2_DUMMY_1"]
    tensors.append(numpy_helper.from_array(flat, "OC2_DUMMY_1"))
    for field, values in (("node", nodes), ("initializer", tensors), ("input", inputs)):
        graph.ClearField(field)
        getattr(graph, field).extend(values)
    return proto


@pytest.fixture(scope="module")
def narrow() -> ZFNet512:
    """Random weights large enough that normalisation and every ReLU have something to do."""
    torch.manual_seed(3)
    net = ZFNet512(SHRINK).eval()
    for layer in LAYERS:
        nn.init.kaiming_normal_(net.get_parameter(f"{layer}.weight"))
        nn.init.normal_(net.get_parameter(f"{layer}.bias"), std=0.1)
    with torch.no_grad():
        net.get_parameter("fc8.weight").mul_(0.02)  # probabilities that are neither 0 nor 1
    return net


def test_torch_and_onnxruntime_agree_on_the_zoos_graph(narrow: ZFNet512) -> None:
    proto = filled_graph(narrow)
    copy = from_onnx(proto, on_meta(lambda: ZFNet512(SHRINK)), "the graph").eval()
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    x = torch.randn(1, 3, 224, 224) * 60
    (theirs,) = session.run(None, {"gpu_0/data_0": x.numpy()})
    with torch.no_grad():
        ours = copy(x).softmax(1)
        plain = copy.get_submodule("conv1")(x).relu()
        share = (copy.get_submodule("norm1")(plain) - plain * 2**-0.75).abs().max()
    assert share > 1  # normalisation mattered, so that its constants were compared
    assert 0.003 < ours.max() < 0.9
    torch.testing.assert_close(ours, torch.from_numpy(theirs), atol=0, rtol=1e-4)


def test_the_full_net_has_the_names_and_shapes_of_the_zoos_graph() -> None:
    declared = {
        tensor.name.removesuffix("__SHAPE"): tuple(numpy_helper.to_array(tensor).tolist())
        for tensor in light_graph().graph.initializer
        if tensor.name.endswith("__SHAPE")
    }
    net = on_meta(ZFNet512)
    ours = {}
    for layer in LAYERS:
        ours[f"gpu_0/{layer}_w_0"] = tuple(net.get_parameter(f"{layer}.weight").shape)
        ours[f"gpu_0/{layer}_b_0"] = tuple(net.get_parameter(f"{layer}.bias").shape)
    assert ours == declared


def test_a_file_of_another_width_is_refused(narrow: ZFNet512, tmp_path: Path) -> None:
    onnx.save(filled_graph(narrow), tmp_path / "narrow.onnx")
    with pytest.raises(NetError, match=r"conv1\.weight: shape \[12, 3, 7, 7\], expected \[96,"):
        build(tmp_path / "narrow.onnx")


def broken(proto: ModelProto, how: str) -> ModelProto:
    nodes = proto.graph.node
    if how == "stride":
        next(a for a in nodes[0].attribute if a.name == "strides").ints[:] = [4, 4]
    elif how == "alpha":
        next(a for a in nodes[2].attribute if a.name == "alpha").f = 1e-4
    elif how == "operation":
        nodes[1].op_type = "Sigmoid"
    elif how == "weights":
        nodes[0].input[1] = "gpu_0/conv2_w_0"
    elif how == "missing":
        kept = [t for t in proto.graph.initializer if t.name != "gpu_0/fc7_b_0"]
        proto.graph.ClearField("initializer")
        proto.graph.initializer.extend(kept)
    return proto


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("stride", "strides=.*expected .2, 2."),
        ("alpha", "alpha"),
        ("operation", "Sigmoid"),
        ("weights", "conv1 reads"),
        ("missing", "no initializer gpu_0/fc7_b_0"),
    ],
)
def test_a_graph_that_computes_something_else_is_refused(
    how: str, message: str, narrow: ZFNet512
) -> None:
    with pytest.raises(NetError, match=message):
        from_onnx(broken(filled_graph(narrow), how), on_meta(lambda: ZFNet512(SHRINK)), "it")


def test_dropout_in_the_graph_changes_nothing(narrow: ZFNet512) -> None:
    proto = filled_graph(narrow)
    at = next(i for i, node in enumerate(proto.graph.node) if node.op_type == "Gemm") + 2
    before = proto.graph.node[at - 1].output[0]
    proto.graph.node.insert(at, helper.make_node("Dropout", [before], ["dropped"]))
    proto.graph.node[at + 1].input[0] = "dropped"
    copy = from_onnx(proto, on_meta(lambda: ZFNet512(SHRINK)), "it")
    assert torch.equal(copy.get_parameter("fc7.weight"), narrow.get_parameter("fc7.weight"))


def test_a_file_that_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zfnet512.onnx"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(NetError, match=r"zfnet512\.onnx"):
        read(path)


def test_the_remote_file_is_the_one_of_the_manifest(mirror: Hub, tmp_path: Path) -> None:
    file = remote_file()
    assert file.size == 349_005_501
    assert file.digest == "sha256:c975ca6a24c0a2e1584c6f82667e0ac9c06084fc7769d267f71b4a154d1f1c72"
    assert file.path == tmp_path / "cache" / "onnx" / "zfnet512-12.onnx"


def test_another_file_in_its_place_is_refused_before_it_is_read(mirror: Hub) -> None:
    for url in remote_file().urls:
        mirror.put(url.removeprefix("https:/"), b"something else")
    with pytest.raises(DownloadError, match=r"offers 14 bytes; expected 349,005,501"):
        build("onnx:zfnet512", progress=False)


def test_the_input_is_bgr_0_to_255_less_the_mean_squashed() -> None:
    from PIL import Image

    image = Image.new("RGB", (300, 100), (255, 128, 0))
    got = PREPROCESS(image)
    assert got.shape == (3, 224, 224)
    expected = torch.tensor([0 - 103.939, 128 - 116.779, 255 - 123.68])
    torch.testing.assert_close(got[:, 0, 0], expected, atol=1e-3, rtol=0)
    assert PREPROCESS.crop_box(300, 100) == (0, 0, 300, 100)  # nothing is cut off
