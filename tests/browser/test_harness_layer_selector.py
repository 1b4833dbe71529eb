"""LayerSelector in a real page without a kernel: mouse, keyboard, words, no overflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.harness import open_widget
from tests.browser.pictures import take
from zfwidgets.widgets.core.strings import table

LAYERS: list[dict[str, Any]] = [
    {
        "name": name,
        "kind": kind,
        "channels": channels,
        "height": side,
        "width": side,
        "kernel": [kernel, kernel] if kernel else None,
        "stride": [stride, stride] if kernel else None,
        "padding": [0, 0],
        "receptive_field": [field, field],
        "jump": [jump, jump],
        "inputs": [],
    }
    for name, kind, channels, side, kernel, stride, field, jump in [
        ("conv1", "conv", 96, 110, 7, 2, 7, 2),
        ("pool1", "pool", 96, 55, 3, 2, 11, 4),
        ("norm1", "norm", 96, 55, 0, 0, 11, 4),
        ("conv2", "conv", 256, 26, 5, 2, 27, 8),
        ("conv3", "conv", 384, 13, 3, 1, 75, 16),
        ("fc8", "linear", 1000, 1, 0, 0, 300, 32),
    ]
]


def deep(count: int) -> list[dict[str, Any]]:
    return [
        {**LAYERS[3], "name": f"stage{i // 40}.{i % 40}.conv"} if i % 9 else
        {**LAYERS[3], "name": f"stage{i // 40}.{i % 40}.add", "kind": "add"}
        for i in range(count)
    ]  # fmt: skip


def show(page: Page, theme: str = "light", width: int | None = None, **traits: Any) -> None:
    state = {"layers": LAYERS, "value": "conv2", "disabled": False, "input_size": [224, 224]}
    open_widget(page, "layer-selector", state | traits, theme, width)


def value(page: Page) -> Any:
    return page.evaluate("model.state.value")


def test_every_layer_is_an_option_and_the_chosen_one_says_so(page: Page) -> None:
    show(page)
    options = page.get_by_role("option")
    expect(options).to_have_count(6)
    chosen = page.get_by_role("option", selected=True)
    expect(chosen).to_have_count(1)
    expect(chosen).to_have_accessible_name(
        "conv2, convolution 5×5, stride 2 · 256 maps of 26×26 · "
        "one neuron sees 27×27 pixels, in steps of 8"
    )
    expect(page.get_by_role("listbox")).to_have_accessible_name("Layers of the network")


def test_a_click_chooses_and_is_sent(page: Page) -> None:
    show(page)
    page.get_by_role("option", name="conv3").click()
    assert value(page) == "conv3"
    assert page.evaluate("model.saved") == 1
    expect(page.get_by_role("option", selected=True)).to_contain_text("conv3")


def test_python_can_choose_too(page: Page) -> None:
    show(page)
    page.evaluate("model.set('value', 'fc8')")
    expect(page.get_by_role("option", selected=True)).to_contain_text("fc8")
    assert page.evaluate("model.saved") == 0


def test_the_keyboard_walks_the_layers_with_one_tab_stop(page: Page) -> None:
    show(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("option", name="conv2")).to_be_focused()
    for key, expected in [
        ("ArrowRight", "conv3"),
        ("ArrowLeft", "conv2"),
        ("Home", "conv1"),
        ("ArrowLeft", "conv1"),
        ("End", "fc8"),
        ("ArrowRight", "fc8"),
    ]:
        page.keyboard.press(key)
        assert value(page) == expected
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement === document.body")


def test_typing_finds_a_layer(page: Page) -> None:
    show(page)
    page.keyboard.press("Tab")
    page.keyboard.type("conv3")
    assert value(page) == "conv3"


def test_the_same_letter_again_goes_to_the_next_match(page: Page) -> None:
    show(page)
    page.keyboard.press("Tab")
    page.keyboard.press("c")
    assert value(page) == "conv3"
    page.keyboard.press("c")
    assert value(page) == "conv1"


def test_hovering_explains_without_choosing_and_without_moving_anything(page: Page) -> None:
    show(page)
    root = page.locator(".zf-layer-selector")
    before = root.bounding_box()
    page.get_by_role("option", name="norm1").hover()
    expect(page.locator(".zf-layer-words")).to_contain_text("norm1 normalisation")
    assert value(page) == "conv2"
    assert root.bounding_box() == before


def test_a_disabled_selector_keeps_its_choice(page: Page) -> None:
    show(page, disabled=True)
    page.get_by_role("option", name="conv3").click(force=True)
    assert value(page) == "conv2"
    page.evaluate("model.set('disabled', false)")
    page.get_by_role("option", name="conv3").click()
    assert value(page) == "conv3"


def test_blocks_shrink_with_their_maps_and_differ_in_more_than_colour(page: Page) -> None:
    show(page)
    side = "Number(document.querySelector('[data-id={}] .zf-plane').getAttribute('width'))"
    conv1, conv2, conv3 = (page.evaluate(side.format(n)) for n in ("conv1", "conv2", "conv3"))
    assert conv1 > conv2 > conv3 > 0
    for kind, mark in [("conv1", ".zf-kernel"), ("pool1", ".zf-grid"), ("fc8", ".zf-unit")]:
        assert page.locator(f"[data-id={kind}] {mark}").count() > 0
    dash = "getComputedStyle(document.querySelector('[data-id=norm1] .zf-plane')).strokeDasharray"
    assert page.evaluate(dash) != "none"


@pytest.mark.parametrize("width", [320, 640, 1200])
def test_150_layers_stay_within_the_column_and_in_reach(page: Page, width: int) -> None:
    layers = deep(150)
    show(page, width=width, layers=layers, value=layers[120]["name"])
    root = page.locator(".zf-layer-selector")
    box = root.bounding_box()
    assert box is not None
    assert box["width"] <= width
    assert box["height"] < 400
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.get_by_role("option", selected=True)).to_be_in_viewport()
    page.get_by_role("option", selected=True).focus()
    page.keyboard.press("ArrowDown")
    at = [layer["name"] for layer in layers].index(value(page))
    assert 120 < at < 150
    page.keyboard.press("ArrowUp")
    assert value(page) == layers[120]["name"]


def branched() -> list[dict[str, Any]]:
    """A stem, a residual unit, an Inception module, a head; every layer knows what feeds it."""
    feeds = {
        "stem": [],
        "unit.conv1": ["stem"],
        "unit.conv2": ["unit.conv1"],
        "unit.add": ["unit.conv2", "stem"],
        "mixed.one.conv": ["unit.add"],
        "mixed.two.0.conv": ["unit.add"],
        "mixed.two.1.conv": ["mixed.two.0.conv"],
        "mixed.cat": ["mixed.one.conv", "mixed.two.1.conv"],
        "head": ["mixed.cat"],
    }
    kinds = {"unit.add": "add", "mixed.cat": "concat", "head": "linear"}
    return [
        {**LAYERS[3], "name": name, "kind": kinds.get(name, "conv"), "inputs": inputs}
        for name, inputs in feeds.items()
    ]


def test_branches_stand_in_lanes_with_every_way_drawn(page: Page) -> None:
    show(page, layers=branched(), value="stem")
    blocks = page.locator(".zf-block")
    expect(blocks).to_have_count(4)
    assert blocks.evaluate_all("all => all.map(b => b.dataset.cells)") == ["1", "3", "4", "1"]
    ways = blocks.evaluate_all("all => all.map(b => b.querySelectorAll('.zf-way').length)")
    assert ways == [0, 4, 5, 1], "as many as the layers have inputs"
    top = "document.querySelector('[data-id=\"{}\"]').getBoundingClientRect().top"
    one, two = (page.evaluate(top.format(f"mixed.{n}.conv")) for n in ("one", "two.0"))
    assert two > one, "a branch has a lane of its own"
    page.get_by_role("option", name="mixed.two.1.conv, convolution").click()
    assert value(page) == "mixed.two.1.conv"
    expect(page.locator(".zf-layer-words")).to_contain_text("after mixed.two.0.conv")


def test_the_box_finds_layers_by_name_and_by_kind(page: Page) -> None:
    layers = deep(150)
    show(page, layers=layers, value=layers[0]["name"])
    page.get_by_role("option", selected=True).focus()
    page.keyboard.press("/")
    box = page.get_by_role("searchbox", name="Filter layers")
    expect(box).to_be_focused()
    box.fill("stage2.")
    expect(page.locator(".zf-found")).to_have_text("40 of 150")
    assert page.locator(".zf-stage:visible").count() == 1
    box.fill("sum")
    expect(page.locator(".zf-found")).to_have_text("17 of 150")
    box.fill("no such layer")
    expect(page.locator(".zf-found")).to_have_text("No layer has that in its name.")
    box.press("Escape")
    expect(page.locator(".zf-stage:visible")).to_have_count(4)
    box.fill("stage3.7.")
    box.press("Enter")
    assert value(page) == "stage3.7.conv"
    expect(page.get_by_role("option", selected=True)).to_be_focused()


def test_the_receptive_field_grows_with_depth_on_the_input(page: Page) -> None:
    show(page)
    sides = page.locator(".zf-layer-sight .zf-field").evaluate_all(
        "all => all.map(mark => Number(mark.getAttribute('width')))"
    )
    assert len(sides) == 6
    assert sides == sorted(sides)
    whole = page.locator(".zf-layer-sight .zf-plane").last
    assert sides[-1] == float(whole.get_attribute("width") or 0), "fc8 sees all of it"


def test_maps_are_drawn_to_one_scale_with_the_input(page: Page) -> None:
    show(page)
    measure = "Number(document.querySelector('[data-id={}] .zf-plane').getAttribute('width'))"
    conv1, conv2 = (page.evaluate(measure.format(n)) for n in ("conv1", "conv2"))
    assert conv1 / conv2 == pytest.approx(110 / 26)
    frame = page.locator(".zf-layer-input .zf-plane").get_attribute("width")
    assert float(frame or 0) / conv1 == pytest.approx(224 / 110)


def test_names_are_text_never_markup(page: Page) -> None:
    name = '<img src=x onerror="window.hacked=1">'
    show(page, layers=[{**LAYERS[0], "name": name}], value=name)
    expect(page.get_by_role("option").locator(".zf-layer-name")).to_have_text(name)
    assert page.locator(".zf-layers img").count() == 0
    assert page.evaluate("window.hacked") is None


def test_a_closed_view_leaves_no_listener(page: Page) -> None:
    show(page)
    assert page.evaluate("model.listening()") > 0
    page.evaluate("unmount()")
    assert page.evaluate("model.listening()") == 0
    assert page.locator(".zf-root").count() == 0


def test_it_speaks_korean(page: Page) -> None:
    show(page, _strings=table("layer-selector", "ko"))
    expect(page.get_by_role("listbox")).to_have_accessible_name("신경망의 층")
    expect(page.get_by_role("option", name="conv3")).to_have_accessible_name(
        "conv3, 합성곱 3×3, 보폭 1 · 맵 384개, 크기 13×13 · "
        "뉴런 하나가 75×75 픽셀을 봅니다, 간격 16"
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("what", ["chain", "branches"])
def test_a_picture_for_people(page: Page, screenshots: Path, theme: str, what: str) -> None:
    layers = LAYERS if what == "chain" else branched()
    show(page, theme, layers=layers, value=layers[3]["name"])
    expect(page.locator(".zf-layer-selector")).to_have_attribute("data-zf-theme", theme)
    take(page, screenshots / f"layer-selector-{what}-{theme}.png")
