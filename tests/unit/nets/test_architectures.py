"""The architectures are those of the papers, shape by shape and parameter by parameter."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn

from zfwidgets.nets import CNN_F, CNN_M, CNN_S, AlexNet, ZFNet
from zfwidgets.nets.onnx_zfnet512 import ZFNet512
from zfwidgets.nets.state import imagenet_classes, on_meta
from zfwidgets.nets.zfnet import WIDTH_B

Shape = tuple[int, ...]

ZF_SHAPES = {
    "conv1": (96, 110, 110),
    "pool1": (96, 55, 55),
    "norm1": (96, 55, 55),
    "conv2": (256, 26, 26),
    "pool2": (256, 13, 13),
    "norm2": (256, 13, 13),
    "conv3": (384, 13, 13),
    "conv4": (384, 13, 13),
    "conv5": (256, 13, 13),
    "pool5": (256, 6, 6),
    "fc6": (4096,),
    "fc7": (4096,),
    "fc8": (1000,),
}
ZF_PARAMS = {
    "conv1": 14_208,
    "conv2": 614_656,
    "conv3": 885_120,
    "conv4": 1_327_488,
    "conv5": 884_992,
    "fc6": 37_752_832,
    "fc7": 16_781_312,
    "fc8": 4_097_000,
}
ZF_B_SHAPES = ZF_SHAPES | {
    "conv3": (512, 13, 13),
    "conv4": (1024, 13, 13),
    "conv5": (512, 13, 13),
    "pool5": (512, 6, 6),
}
ALEX_SHAPES = {
    "conv1": (96, 55, 55),
    "norm1": (96, 55, 55),
    "pool1": (96, 27, 27),
    "conv2": (256, 27, 27),
    "norm2": (256, 27, 27),
    "pool2": (256, 13, 13),
    "conv3": (384, 13, 13),
    "conv4": (384, 13, 13),
    "conv5": (256, 13, 13),
    "pool5": (256, 6, 6),
    "fc6": (4096,),
    "fc7": (4096,),
    "fc8": (1000,),
}
CNN_F_SHAPES = ALEX_SHAPES | {
    "conv1": (64, 54, 54),
    "norm1": (64, 54, 54),
    "pool1": (64, 27, 27),
    "conv3": (256, 13, 13),
    "conv4": (256, 13, 13),
}
CNN_M_SHAPES = {
    "conv1": (96, 109, 109),
    "norm1": (96, 109, 109),
    "pool1": (96, 54, 54),
    "conv2": (256, 26, 26),
    "norm2": (256, 26, 26),
    "pool2": (256, 13, 13),
    "conv3": (512, 13, 13),
    "conv4": (512, 13, 13),
    "conv5": (512, 13, 13),
    "pool5": (512, 6, 6),
    "fc6": (4096,),
    "fc7": (4096,),
    "fc8": (1000,),
}
CNN_S_SHAPES = {
    "conv1": (96, 109, 109),
    "norm1": (96, 109, 109),
    "pool1": (96, 37, 37),
    "conv2": (256, 35, 35),
    "pool2": (256, 18, 18),
    "conv3": (512, 18, 18),
    "conv4": (512, 18, 18),
    "conv5": (512, 18, 18),
    "pool5": (512, 6, 6),
    "fc6": (4096,),
    "fc7": (4096,),
    "fc8": (1000,),
}
ZF512_SHAPES = {
    "conv1": (96, 109, 109),
    "norm1": (96, 109, 109),
    "pool1": (96, 54, 54),
    "conv2": (256, 25, 25),
    "norm2": (256, 25, 25),
    "pool2": (256, 12, 12),
    "conv3": (512, 12, 12),
    "conv4": (512, 12, 12),
    "conv5": (512, 12, 12),
    "pool5": (512, 6, 6),
    "flatten": (18_432,),
    "fc6": (4096,),
    "fc7": (1024,),
    "fc8": (1000,),
}

NETS: dict[str, tuple[Callable[[], nn.Module], dict[str, Shape], int]] = {
    "ZFNet": (ZFNet, ZF_SHAPES, 62_357_608),
    "ZFNet (b)": (lambda: ZFNet(width=WIDTH_B), ZF_B_SHAPES, 107_627_624),
    "AlexNet": (AlexNet, ALEX_SHAPES, 62_378_344),
    "AlexNet, two groups": (lambda: AlexNet(groups=2), ALEX_SHAPES, 60_965_224),
    "CNN-F": (CNN_F, CNN_F_SHAPES, 60_834_536),
    "CNN-M": (CNN_M, CNN_M_SHAPES, 102_908_520),
    "CNN-M-1024": (lambda: CNN_M(fc7=1024), CNN_M_SHAPES | {"fc7": (1024,)}, 87_250_536),
    "CNN-S": (CNN_S, CNN_S_SHAPES, 102_908_520),
    "zfnet512": (ZFNet512, ZF512_SHAPES, 87_250_536),
}


def shapes_of(net: nn.Module, side: int = 224) -> dict[str, Shape]:
    """Shapes of all named layers without the batch, computed on the meta device."""
    seen: dict[str, Shape] = {}
    for name, layer in net.named_children():
        layer.register_forward_hook(
            lambda _module, _given, out, name=name: seen.__setitem__(name, tuple(out.shape[1:]))
        )
    net(torch.empty(1, 3, side, side, device="meta"))
    return seen


def params_of(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters())


@pytest.mark.parametrize("name", NETS)
def test_every_layer_has_the_shape_of_the_table(name: str) -> None:
    make, expected, _ = NETS[name]
    seen = shapes_of(on_meta(make).eval())
    assert {layer: seen[layer] for layer in expected} == expected


@pytest.mark.parametrize("name", NETS)
def test_parameter_counts_are_those_of_the_table(name: str) -> None:
    make, _, total = NETS[name]
    assert params_of(on_meta(make)) == total


def test_zfnet_has_the_parameters_of_figure_3_layer_by_layer() -> None:
    net = on_meta(ZFNet)
    assert {name: params_of(net.get_submodule(name)) for name in ZF_PARAMS} == ZF_PARAMS


def test_the_two_groups_of_alexnet_do_not_see_each_other() -> None:
    conv2 = AlexNet(groups=2, head="light").get_submodule("conv2")
    x = torch.rand(1, 96, 27, 27)
    changed = x.clone()
    changed[:, :48] += 1  # the first column's maps only
    difference = (conv2(changed) - conv2(x)).abs().amax((0, 2, 3))
    assert (difference[:128] > 0).all()
    assert (difference[128:] == 0).all()


@pytest.mark.parametrize("name", NETS)
def test_tracing_names_the_steps_as_the_papers_name_the_layers(name: str) -> None:
    make, expected, _ = NETS[name]
    net = on_meta(make).eval()
    steps = [str(node.target) for node in fx.symbolic_trace(net).graph.nodes]
    order = [step for step in steps if step in expected]
    assert order == list(expected)
    assert {f"relu{i}" for i in range(1, 8)} <= set(steps)


@pytest.mark.parametrize("name", NETS)
def test_no_layer_works_in_place(name: str) -> None:
    make, _, _ = NETS[name]
    assert not any(getattr(layer, "inplace", False) for layer in on_meta(make).modules())


def test_normalisation_follows_the_pool_in_zfnet_and_precedes_it_in_alexnet() -> None:
    zf, alex = (list(dict(net.named_children())) for net in (on_meta(ZFNet), on_meta(AlexNet)))
    assert zf.index("pool1") < zf.index("norm1") < zf.index("conv2")
    assert alex.index("norm1") < alex.index("pool1") < alex.index("conv2")


def test_normalisation_is_krizhevskys_formula_on_a_sum_of_squares() -> None:
    x = torch.rand(1, 7, 2, 2) * 50
    expected = torch.empty_like(x)
    for i in range(7):
        neighbours = x[:, max(0, i - 2) : min(7, i + 3)]
        expected[:, i] = x[:, i] / (2 + 1e-4 * neighbours.square().sum(1)) ** 0.75
    norm = on_meta(ZFNet).get_submodule("norm1")
    torch.testing.assert_close(norm(x), expected)


def biases(net: nn.Module) -> dict[str, float]:
    found = {}
    for name, layer in net.named_children():
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            assert (layer.bias == layer.bias[0]).all()
            found[name] = layer.bias[0].item()
    return found


def test_zfnet_starts_as_its_paper_says() -> None:
    net = ZFNet(head="light")
    for name in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc8"):
        weight = net.get_submodule(name).weight
        assert isinstance(weight, Tensor)
        assert weight.std().item() == pytest.approx(0.01, rel=0.03)
        assert abs(weight.mean().item()) < 3e-4
    assert set(biases(net).values()) == {0.0}


def test_alexnet_starts_with_ones_where_its_paper_says() -> None:
    ones = {name for name, bias in biases(AlexNet()).items() if bias == 1}
    assert ones == {"conv2", "conv4", "conv5", "fc6", "fc7"}


def test_the_same_generator_gives_the_same_start() -> None:
    nets = ZFNet(head="light"), ZFNet(head="light")
    for net in nets:
        net.paper_init(torch.Generator().manual_seed(5))
    assert all(torch.equal(a, b) for a, b in zip(*(n.parameters() for n in nets), strict=True))


@pytest.mark.parametrize(("make", "smallest"), [(ZFNet, 47), (AlexNet, 35)])
def test_a_light_head_takes_any_size_from_the_smallest_on(
    make: type[ZFNet] | type[AlexNet], smallest: int
) -> None:
    net = make(head="light", num_classes=10).eval()
    for size in ((smallest, smallest), (smallest, 97), (128, 61)):
        assert net(torch.zeros(2, 3, *size)).shape == (2, 10)
    with pytest.raises(RuntimeError, match=r"too small|Kernel size"):
        net(torch.zeros(1, 3, smallest - 1, smallest - 1))


@pytest.mark.parametrize("make", [ZFNet, AlexNet])
def test_batch_norm_stands_between_each_convolution_and_its_relu(
    make: type[ZFNet] | type[AlexNet],
) -> None:
    layers = list(dict(make(head="light", norm=False, batch_norm=True).named_children()))
    for i in range(1, 6):
        at = layers.index(f"conv{i}")
        assert layers[at : at + 3] == [f"conv{i}", f"bn{i}", f"relu{i}"]
    assert not any(layer.startswith("norm") for layer in layers)


def test_a_net_for_grey_pictures_has_one_colour_plane() -> None:
    net = ZFNet(head="light", in_channels=1).eval()
    assert net(torch.zeros(1, 1, 64, 64)).shape == (1, 1000)


def test_unknown_heads_and_groups_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'full'.*'light'"):
        ZFNet(head="medium")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"1 .*2"):
        AlexNet(groups=3)  # type: ignore[arg-type]


PEERS: list[tuple[str, Callable[[], nn.Module], int]] = [
    ("zfnet", ZFNet, 224),
    ("zfnetb", lambda: ZFNet(width=WIDTH_B), 224),
    # Ours has the 55 x 55 maps of the paper at its 224 pixels, theirs at Caffe's 227.
    ("alexnet", AlexNet, 227),
]


@pytest.mark.parametrize(("name", "make", "side"), PEERS)
def test_shapes_and_counts_agree_with_pytorchcv(
    name: str, make: Callable[[], nn.Module], side: int
) -> None:
    from pytorchcv.model_provider import get_model

    theirs, ours = on_meta(lambda: get_model(name)).eval(), on_meta(make).eval()
    names = (
        ("features.stage1.unit1.conv", "conv1"),
        ("features.stage1.pool1", "pool1"),
        ("features.stage2.unit1.conv", "conv2"),
        ("features.stage2.pool2", "pool2"),
        ("features.stage3.unit1.conv", "conv3"),
        ("features.stage3.unit2.conv", "conv4"),
        ("features.stage3.unit3.conv", "conv5"),
        ("features.stage3.pool3", "pool5"),
        ("output.fc1.fc", "fc6"),
        ("output.fc2.fc", "fc7"),
        ("output.fc3", "fc8"),
    )
    their_shapes: dict[str, Shape] = {}
    for layer, _ in names:
        theirs.get_submodule(layer).register_forward_hook(
            lambda _m, _i, out, layer=layer: their_shapes.__setitem__(layer, tuple(out.shape[1:]))
        )
    theirs(torch.empty(1, 3, side, side, device="meta"))
    our_shapes = shapes_of(ours)
    for layer, own in names:
        assert their_shapes[layer] == our_shapes[own], own
        there, here = theirs.get_submodule(layer), ours.get_submodule(own)
        assert params_of(there) == params_of(here), own
    assert params_of(theirs) == params_of(ours)


def test_zfnet_computes_what_pytorchcv_computes_once_order_and_constants_agree() -> None:
    """Same weights, no normalisation on either side: the two implementations give one answer."""
    from pytorchcv.models.alexnet import AlexNet as Peer

    theirs = Peer(
        channels=[[8], [12], [16, 16, 12]],
        kernel_sizes=[[7], [5], [3, 3, 3]],
        strides=[[2], [2], [1, 1, 1]],
        paddings=[[1], [0], [1, 1, 1]],
        use_lrn=False,
        num_classes=5,
    ).eval()
    ours = ZFNet(5, (8, 12, 16, 16, 12), norm=False).eval()
    values = theirs.state_dict().values()
    ours.load_state_dict(dict(zip(ours.state_dict(), values, strict=True)))
    x = torch.randn(2, 3, 224, 224)
    torch.testing.assert_close(ours(x), theirs(x))


def test_the_class_names_are_torchvisions() -> None:
    from torchvision.models import AlexNet_Weights

    assert imagenet_classes() == AlexNet_Weights.DEFAULT.meta["categories"]
