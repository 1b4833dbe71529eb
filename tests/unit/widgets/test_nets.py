"""The network of a widget: a name, a torch module or a DeconvNet, wherever one is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import zfwidgets as zf
from zfwidgets.widgets.core.nets import as_net
from zfwidgets.widgets.core.rpc import worker


@pytest.fixture
def module() -> nn.Module:
    """Two convolutions of 4 and 6 channels."""
    torch.manual_seed(4)
    convolutions = nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2), nn.ReLU()
    return nn.Sequential(*convolutions).eval()


def test_a_module_is_traced_and_a_network_is_itself(module: nn.Module) -> None:
    net = as_net(module)
    assert [(layer.name, layer.channels) for layer in net.layers.values()] == [
        ("conv1", 4),
        ("conv2", 6),
    ]
    assert as_net(net) is net


@pytest.mark.parametrize("thing", [None, 7, nn.Sequential, Path("model.pt")])
def test_what_is_no_network_is_refused_by_what_it_is(thing: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a network: a name .* torch\.nn\.Module"):
        as_net(thing)


@pytest.mark.parametrize(
    ("make", "layers_of"),
    [
        (zf.Inspector, lambda made: made.net.layers),
        (zf.LayerSelector, lambda made: [layer["name"] for layer in made.layers]),
        (zf.ChannelBrowser, lambda made: made.net.layers),
        (zf.LiveView, lambda made: made.net.layers),
        (zf.Compare, lambda made: made.right.net.layers),
    ],
    ids=["Inspector", "LayerSelector", "ChannelBrowser", "LiveView", "Compare"],
)
def test_every_widget_of_a_network_takes_a_module(
    module: nn.Module, make: Callable[..., Any], layers_of: Callable[[Any], Any]
) -> None:
    options = {"layer": "conv1"} if make is zf.LiveView else {}
    widget = make(module, **options)
    assert [*layers_of(widget)] == ["conv1", "conv2"]
    widget.close()
    worker().join()


def test_the_exemplars_of_a_module_are_scanned(module: nn.Module) -> None:
    photos = {name: zf.sample(name) for name in ("cat", "dogs")}
    browser = zf.ExemplarBrowser(module, photos, layers=["conv2"], k=1)
    worker().join()
    assert browser.progress == {"state": "done", "scanned": 2, "total": 2}
    browser.close()


def test_a_page_of_a_module_is_written(module: nn.Module, tmp_path: Path) -> None:
    saved = zf.to_html(module, tmp_path / "page.html", channels=1, progress=False)
    assert (saved.net, saved.layers) == ("Sequential", ("conv1", "conv2"))


def test_a_browser_takes_a_network_by_its_name() -> None:
    browser = zf.ChannelBrowser("zfnet")
    assert browser.net.name == "zfnet"
    browser.close()
