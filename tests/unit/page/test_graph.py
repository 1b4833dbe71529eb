"""A network written down for the page: what stands in the graph, and what cannot."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import zfwidgets as zf
from zfwidgets.page import PageNet, UnsupportedInPage, page_net

SMALL = zf.Preprocess(size=20, resize=20)


def written(model: nn.Module, *, exact: bool = False) -> PageNet:
    return page_net(zf.DeconvNet(model.eval(), SMALL, device="cpu"), exact=exact)


def tensor(net: PageNet, ref: dict[str, Any]) -> Tensor:
    """A tensor as it lies in the block."""
    dtype = "<f2" if ref["type"] == "f16" else "<f4"
    count = int(np.prod(ref["shape"]))
    numbers = np.frombuffer(net.weights, dtype, count, ref["at"])
    return torch.from_numpy(numbers.astype(np.float32)).view(*ref["shape"])


def test_a_graph_is_json_and_knows_the_hash_of_its_weights() -> None:
    net = written(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    graph = json.loads(json.dumps(net.graph))
    assert graph["weights"] == {
        "bytes": len(net.weights),
        "sha256": hashlib.sha256(net.weights).hexdigest(),
    }
    assert [node["op"] for node in graph["nodes"]] == ["input", "conv", "relu"]
    assert [node["shape"] for node in graph["nodes"]] == [[3, 20, 20], [4, 18, 18], [4, 18, 18]]
    assert graph["layers"] == [{"name": "conv1", "kind": "conv", "node": 2}]


def test_bundled_weights_lose_nothing_as_float16() -> None:
    """They are stored so; a page of ZFNet takes 8 MB."""
    net = zf.load("zfnet", device="cpu")
    found = page_net(net)
    state = net.model.state_dict()
    for layer in found.graph["layers"]:
        if layer["kind"] == "conv":
            node = next(
                n for n in reversed(found.graph["nodes"][: layer["node"] + 1]) if n["op"] == "conv"
            )
            assert node["weight"]["type"] == "f16"
            assert torch.equal(tensor(found, node["weight"]), state[f"{layer['name']}.weight"])
    assert len(found.weights) < 8.1e6


def test_exact_keeps_what_float16_would_round() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 3, bias=False)
    model, weight = nn.Sequential(conv), conv.weight.detach()
    (rounded,), (kept,) = (
        [node for node in written(model, exact=exact).graph["nodes"] if node["op"] == "conv"]
        for exact in (False, True)
    )
    assert (rounded["weight"]["type"], kept["weight"]["type"]) == ("f16", "f32")
    assert torch.equal(tensor(written(model), rounded["weight"]), weight.half().float())
    assert torch.equal(tensor(written(model, exact=True), kept["weight"]), weight)


def test_batch_normalisation_is_folded_into_the_convolution_before_it() -> None:
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5).eval()
    assert norm.running_mean is not None
    nn.init.normal_(norm.running_mean)
    nn.init.normal_(norm.weight)
    net = written(nn.Sequential(conv, norm, nn.ReLU()), exact=True)
    assert [node["op"] for node in net.graph["nodes"]] == ["input", "conv", "relu"]
    node = net.graph["nodes"][1]
    x = torch.randn(1, 3, 20, 20)
    folded = F.conv2d(x, tensor(net, node["weight"]), tensor(net, node["bias"]))
    torch.testing.assert_close(folded, norm(conv(x)), rtol=1e-5, atol=1e-5)


def test_normalisation_that_others_see_past_stays_an_operation() -> None:
    class Seen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv(x)
            return F.relu(self.norm(x)) + x

    nodes = written(Seen()).graph["nodes"]
    assert [node["op"] for node in nodes] == ["input", "conv", "affine", "relu", "add"]
    assert nodes[4]["inputs"] == [3, 1]


def test_a_linear_layer_after_a_map_reads_it_channels_last() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=6), nn.Flatten(), nn.Linear(36, 2))
    net = written(model, exact=True)
    node = net.graph["nodes"][-1]
    maps = model[0](torch.randn(1, 3, 20, 20))
    row = maps.permute(0, 2, 3, 1).flatten(1)
    found = F.linear(row, tensor(net, node["weight"]), tensor(net, node["bias"]))
    torch.testing.assert_close(
        found, model(torch.zeros(1, 3, 20, 20)) * 0 + model[2](maps.flatten(1))
    )


def test_averaging_windows_are_cut_to_the_map() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=3), nn.AvgPool2d(3, 2, 1, ceil_mode=True)
    )  # 6 x 6 maps
    node = written(model).graph["nodes"][-1]
    assert node["rows"] == [(0, 2, 3), (1, 4, 3), (3, 6, 3), (5, 6, 2)]
    without = nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)
    node = written(nn.Sequential(model[0], without)).graph["nodes"][-1]
    assert node["rows"] == [(0, 2, 2), (1, 4, 3), (3, 6, 3), (5, 6, 1)]


def test_dropout_and_views_leave_no_trace() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    nodes = written(model).graph["nodes"]
    assert [node["op"] for node in nodes] == ["input", "conv", "average", "flatten", "linear"]


def test_the_preparation_goes_along() -> None:
    net = written(nn.Sequential(nn.Conv2d(3, 4, 3)))
    preparation = net.graph["preparation"]
    assert (preparation["size"], preparation["resize"], preparation["mode"]) == (20, 20, "crop")


def test_torchvisions_preset_is_the_same_preparation_in_other_words() -> None:
    from torchvision.transforms._presets import ImageClassification

    model = nn.Sequential(nn.Conv2d(3, 4, 3)).eval()
    preset = ImageClassification(crop_size=32, resize_size=40)
    graph = page_net(zf.DeconvNet(model, preset, device="cpu")).graph
    found = zf.Preprocess(**graph["preparation"])
    assert (found.size, found.resize, found.interpolation) == (32, 40, "bilinear")
    photo = zf.sample("cat").open()
    torch.testing.assert_close(found(photo), preset(photo), rtol=0, atol=1 / 255)


def scaled(x: Tensor) -> Tensor:
    """As some models prepare their pictures; googlenet and inception do it plane by plane."""
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.1, 0.2, 0.3])
    x = (x[:, [2, 1, 0]] - mean.view(3, 1, 1)) / std.view(1, 3, 1, 1)
    planes = [torch.unsqueeze(x[:, c], 1) * (c + 0.5) - 0.25 * c for c in range(3)]
    return 2 * torch.cat(planes, 1) + 1


def test_arithmetic_with_constants_is_folded_into_convolutions() -> None:
    """As is the choice of channels, a convolution itself; after a sum it stands alone."""

    class Prepared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(scaled(x))

    model = Prepared()
    net = written(model, exact=True)
    ops = [node["op"] for node in net.graph["nodes"]]
    assert ops == ["input", *["conv"] * 4, "concat", "affine", "affine", "conv"]
    chosen, *planes = net.graph["nodes"][1:5]
    expected = torch.eye(3)[[2, 1, 0]] / torch.tensor([0.1, 0.2, 0.3])[:, None]
    torch.testing.assert_close(tensor(net, chosen["weight"])[:, :, 0, 0], expected)
    for c, plane in enumerate(planes):
        assert plane["inputs"] == [1]
        assert plane["shape"] == [1, 20, 20]
        weight = tensor(net, plane["weight"])[0, :, 0, 0]
        torch.testing.assert_close(weight, torch.eye(3)[c] * (c + 0.5))
        assert float(tensor(net, plane["bias"])[0]) == pytest.approx(-0.25 * c)


class Model(nn.Module):
    """A convolution, and something after it."""

    def __init__(self, after: Any) -> None:
        super().__init__()
        self.conv, self.after = nn.Conv2d(3, 4, 3), after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.conv(x))


@pytest.mark.parametrize(
    ("after", "named"),
    [
        (nn.GELU(), "gelu"),
        (nn.Sigmoid(), "sigmoid"),
        (nn.Upsample(scale_factor=2), "interpolate"),
        (nn.MaxPool2d(16), "at most 255 places"),
        (lambda x: x + torch.ones(x.shape), "does not come from the picture"),
        (lambda x: x * x, "mul.. of two maps"),
        (lambda x: x * x.mean((2, 3), keepdim=True), "taken for a weight"),
        (lambda x: x * torch.ones(18), "one a channel, .4, 1, 1."),
        (lambda x: 1 / x, "rdiv"),
        (lambda x: x[:, :, ::2], "chooses channels only"),
        (lambda x: x.mean(1, keepdim=True), "rows and columns only"),
        (lambda x: torch.cat([x, x], 2), "joins channels only"),
    ],
)
def test_what_the_page_cannot_run_is_named(after: Any, named: str) -> None:
    with pytest.raises(UnsupportedInPage, match=named):
        written(Model(after))


def test_a_preparation_that_the_page_does_not_know_is_named() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3)).eval()
    net = zf.DeconvNet(model, lambda _photo: torch.rand(3, 20, 20), device="cpu")
    with pytest.raises(UnsupportedInPage, match="transforms=function"):
        page_net(net)
