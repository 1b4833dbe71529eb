"""One layer may be named without a list; none at all is refused in words."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import zfwidgets as zf
from zfwidgets.analysis.arguments import layer_names
from zfwidgets.analysis.scanning.scanner import Scanner


@pytest.fixture
def net() -> zf.DeconvNet:
    return zf.DeconvNet(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3)).eval())


def test_a_name_alone_is_a_list_of_one() -> None:
    assert layer_names("conv1") == ("conv1",)
    assert layer_names(["conv1", "conv2"]) == ("conv1", "conv2")


def test_every_analysis_takes_one_name(net: zf.DeconvNet) -> None:
    pictures = torch.rand(2, 3, 16, 16)
    assert list(zf.usage(net, list(pictures), layers="conv2", progress=False).layers) == ["conv2"]
    moved = zf.equivariance(net, pictures, [0, 1], layers="conv2", fill=0.0, progress=False)
    turned = zf.invariance(net, pictures, values=[0], layers="conv2", fill=0.0, progress=False)
    assert moved.layers == turned.layers == ("conv2",)


def test_no_layers_and_no_shifts_are_refused(net: zf.DeconvNet) -> None:
    pictures = torch.rand(2, 3, 16, 16)
    with pytest.raises(ValueError, match="0 layers: expected 1 or more"):
        zf.invariance(net, pictures, values=[0], layers=[], fill=0.0, progress=False)
    with pytest.raises(ValueError, match="0 layers: expected 1 or more"):
        zf.similarity(net, list(pictures), [])
    with pytest.raises(ValueError, match="0 shifts: expected 1 or more"):
        zf.equivariance(net, pictures, [], fill=0.0, progress=False)


@pytest.mark.parametrize(
    ("analysis", "names"),
    [
        (zf.scan, {"batch", "checkpoint", "ray", "progress", "labels", "threshold"}),
        (zf.usage, {"batch", "checkpoint", "ray", "progress", "labels", "threshold"}),
        (zf.exemplars, {"batch", "checkpoint", "ray", "progress"}),
    ],
)
def test_help_lists_every_option_of_a_scan(analysis: Callable[..., Any], names: set[str]) -> None:
    shown, taken = inspect.signature(analysis).parameters, inspect.signature(Scanner).parameters
    assert names <= set(shown)
    assert {name: shown[name].default for name in names} == {
        name: taken[name].default for name in names
    }
    assert all(parameter.kind != parameter.VAR_KEYWORD for parameter in shown.values())
    assert all(f"{name}" in str(analysis.__doc__) for name in names)


def test_an_option_that_is_none_is_refused(net: zf.DeconvNet) -> None:
    with pytest.raises(TypeError, match="batches"):
        zf.usage(net, [torch.rand(3, 16, 16)], batches=2)  # type: ignore[call-arg]


def test_weights_that_are_no_numbers_are_named_and_not_counted(net: zf.DeconvNet) -> None:
    with torch.no_grad():
        net.model[2].weight[3] = torch.nan  # type: ignore[index]
    pictures, boxes = torch.rand(4, 3, 16, 16), {"part": [(0, 0, 8, 8)] * 4}
    says = "1 of 5 channels of layer 'conv2', the first of them 3, have NaN or infinite values"
    with pytest.raises(ValueError, match=says):
        zf.correspondence(net, pictures, boxes, layers=["conv2"], fill=0.0, progress=False)
    with pytest.raises(ValueError, match=f"{says} on pictures 0 to 3"):
        zf.linear_probe(net, [*pictures], [0, 0, 1, 1], layers=["conv2"], folds=2, progress=False)
    found = zf.linear_probe(
        net, [*pictures], [0, 0, 1, 1], layers=["conv1"], folds=2, control=False, progress=False
    )
    assert found.layers == ("pixels", "conv1"), "what lies before is finite"


@pytest.mark.parametrize(
    "analysis",
    [
        lambda net, pictures: zf.linear_probe(
            net, list(pictures), list("aabb"), layers="conv1", folds=2, seeds=[0], progress=False
        ),
        lambda net, pictures: zf.correspondence(
            net, pictures, {"corner": [(0, 0, 8, 8)] * 4}, layers="conv1", random=2, progress=False
        ),
        lambda net, pictures: zf.equivariance(
            net, pictures, range(9), layers="conv1", fill=0.0, progress=False
        ),
        lambda net, pictures: zf.similarity(net, list(pictures), "conv1"),
        lambda net, pictures: zf.usage(net, list(pictures), layers="conv1", progress=False),
    ],
    ids=["linear_probe", "correspondence", "equivariance", "similarity", "usage"],
)
def test_no_more_of_the_network_is_run_than_is_asked_for(
    net: zf.DeconvNet, analysis: Callable[..., Any]
) -> None:
    first, _, last = net.model.children()
    ran: Counter[nn.Module] = Counter()
    for module in (first, last):
        module.register_forward_hook(lambda module, *_: ran.update([module]))
    analysis(net, torch.rand(4, 3, 16, 16))
    looks = 3  # at what layers there are: at the usual size, at this one, for several pictures
    assert ran[first] > ran[last] <= looks
