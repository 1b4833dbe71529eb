"""LayerSelector with torchvision's branched networks, random weights: usable, nothing lost."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.models as models
from playwright.sync_api import Page, expect

import zfwidgets as zf
from tests.browser.harness import open_widget
from tests.browser.pictures import take
from zfwidgets.widgets.layer_selector import LayerSelector

NETS = {
    "resnet50": (models.resnet50, {}, 16),
    "googlenet": (models.googlenet, {"init_weights": False, "aux_logits": False}, 9),
}


@cache
def state(name: str) -> dict[str, Any]:
    """The traits of a selector for the network."""
    build, options, _ = NETS[name]
    torch.manual_seed(0)
    selector = LayerSelector(zf.DeconvNet(build(**options), device="cpu"))
    return {
        "layers": selector.layers,
        "value": selector.value,
        "disabled": False,
        "input_size": [224, 224],
    }


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(("width", "theme"), [(1380, "light"), (780, "dark"), (360, "light")])
def test_a_branched_network_is_drawn_whole(
    page: Page, screenshots: Path, name: str, width: int, theme: str
) -> None:
    traits = state(name)
    open_widget(page, "layer-selector", traits, theme, width)
    expect(page.get_by_role("option")).to_have_count(len(traits["layers"]))
    drawn = page.locator(".zf-block:not([data-cells='1'])")
    expect(drawn).to_have_count(NETS[name][2])
    inputs = sum(len(layer["inputs"]) for layer in traits["layers"])
    assert page.locator(".zf-way").count() == inputs
    expect(page.get_by_role("option", selected=True)).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator(".zf-layer-selector").bounding_box()
    assert box is not None
    assert box["height"] < 420
    page.locator(".zf-layers").evaluate("list => { list.scrollTop = 0; }")
    take(page, screenshots / f"layer-selector-{name}-{width}.png")


@pytest.mark.parametrize("name", NETS)
def test_the_keyboard_reaches_every_layer_in_order(page: Page, name: str) -> None:
    traits = state(name)
    names = [layer["name"] for layer in traits["layers"]]
    open_widget(page, "layer-selector", traits)
    page.get_by_role("option", selected=True).focus()
    page.keyboard.press("Home")
    walked = [page.evaluate("model.state.value")]
    for _ in names[1:]:
        page.keyboard.press("ArrowRight")
        walked.append(page.evaluate("model.state.value"))
    assert walked == names
