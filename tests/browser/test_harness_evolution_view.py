"""EvolutionView in a real page without a kernel: one slider, and everything that follows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.harness import open_widget
from tests.browser.pictures import take
from zfwidgets.images.tiles import encode, sprite

STEPS = [0, 43, 140, 1145]
CHANNELS = [3, 17, 40]
SIDE = 8


#: Keeps every step that the page goes to.
WATCH = "() => { window.seen = []; model.on('change:step', () => seen.push(model.state.step)); }"


def colour(column: int, row: int) -> tuple[int, int, int]:
    """The one colour of a tile."""
    return 60 * column + 20, 80 * row + 20, 200


def show(page: Page, theme: str = "light", width: int | None = None, **traits: Any) -> None:
    columns, rows = len(STEPS), len(CHANNELS)
    tiles = np.zeros((columns * rows, SIDE, SIDE, 3), np.uint8)
    for column in range(columns):
        for row in range(rows):
            tiles[column * rows + row] = colour(column, row)
    ids = list(range(len(tiles)))
    numbers = {
        "layer": "conv2",
        "mode": "projection",
        "filters": False,
        "channels": CHANNELS,
        "steps": STEPS,
        "scanned": 18,
        "ids": ["<b>cat</b>", "dogs"],
        "value": [[1.0] * rows, [1.0, 0.0, 1.0], [1.0] * rows, [1.0] * rows],
        "image": [[0, 0, 0], [0, 0, 1], [0, 1, 1], [0, 1, 0]],
        "jumps": [[False] * 3, [False, False, True], [False] * 3, [False, False, True]],
        "similarity": [0.1, 0.4, 0.8, 1.0],
        "overlap": [None, 0.3, 0.5, 0.9],
        "sheet": {"ids": ids, "mime": "image/webp", "tile": [SIDE, SIDE], "columns": 5},
    }
    state = {
        "step": 1145,
        "steps": STEPS,
        "unit": "step",
        "layer": "conv2",
        "layers": ["conv1", "conv2"],
        "channels": CHANNELS,
        "count": 64,
        "mode": "projection",
        "active": None,
        "interval": 0.1,
        "repeat": False,
        "status": "ready",
        "progress": 1.0,
        "_page": {},
    }
    open_widget(
        page, "evolution-view", state | {"_sheet": encode(sprite(tiles, 5))} | traits, theme, width
    )
    if "_page" not in traits:
        page.evaluate(
            "numbers => model.set('_page', {...numbers, picture: model.state._sheet})", numbers
        )
        expect(page.locator(".zf-figure td canvas")).to_have_count(columns * rows)


def pixel(page: Page, selector: str, index: int) -> list[int]:
    """The colour in the middle of a canvas."""
    return (
        page.locator(selector)
        .nth(index)
        .evaluate(
            """canvas => [...canvas.getContext('2d')
             .getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1).data].slice(0, 3)"""
        )
    )


def step(page: Page) -> int:
    return int(page.evaluate("model.state.step"))


def test_every_tile_of_the_table_is_its_checkpoints_and_channels(page: Page) -> None:
    show(page)
    for row in range(len(CHANNELS)):
        for column in range(len(STEPS)):
            index = row * len(STEPS) + column
            assert np.allclose(pixel(page, ".zf-figure td canvas", index), colour(column, row))


def test_on_a_phone_the_title_and_the_channel_numbers_stay_in_sight(page: Page) -> None:
    show(page, width=240)
    scroll = page.locator(".zf-scroll")
    assert scroll.evaluate("box => (box.scrollLeft = box.scrollWidth, box.scrollLeft)") > 0
    left = scroll.evaluate("box => box.getBoundingClientRect().left")
    for part in ("caption span", "thead th:first-child", "tbody th"):
        box = page.locator(f".zf-figure {part}").first.bounding_box()
        assert box is not None
        assert box["x"] >= left - 1, part


def test_the_slider_changes_the_large_tiles_and_the_marked_column(page: Page) -> None:
    show(page)
    slider = page.get_by_role("slider", name="Checkpoint")
    expect(slider).to_have_attribute("aria-valuetext", "step 1,145, 4 of 4")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert step(page) == 140
    page.keyboard.press("Home")
    assert step(page) == 0
    page.keyboard.press("ArrowRight")
    assert step(page) == 43
    expect(page.locator("th[aria-current]")).to_have_text("43")
    for row in range(len(CHANNELS)):
        assert np.allclose(pixel(page, ".zf-large canvas", row), colour(1, row))
    expect(page.locator(".zf-where")).to_contain_text("2 of 4")
    expect(page.locator(".zf-facts")).to_contain_text("1 of 3 channels moved to another image")
    expect(page.locator(".zf-facts")).to_contain_text("30 %")


def test_jumps_and_silence_are_marked_and_said(page: Page) -> None:
    show(page, step=43)
    large = page.locator(".zf-large")
    expect(large.nth(2)).to_have_attribute("data-jumped", "true")
    expect(large.nth(2)).to_have_accessible_name("40 from dogs (another image than before)")
    expect(page.locator("td canvas").nth(9)).to_have_accessible_name(
        "channel 40 at step 43, from dogs, another image than before"
    )
    expect(large.nth(1)).to_contain_text("silent")
    expect(page.locator("td .zf-jump")).to_have_count(2)


def test_names_of_images_are_text_never_markup(page: Page) -> None:
    show(page, step=0)
    expect(page.locator(".zf-large").first).to_contain_text("from <b>cat</b>")
    expect(page.locator(".zf-large b")).to_have_count(0)


def test_python_moves_the_slider(page: Page) -> None:
    show(page)
    page.evaluate("model.set('step', 43)")
    expect(page.get_by_role("slider")).to_have_value("1")
    expect(page.locator("th[aria-current]")).to_have_text("43")


def test_play_runs_to_the_end_and_stops(page: Page) -> None:
    show(page)
    page.evaluate(WATCH)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("model.state.step === 1145 && seen.length === 4")
    assert page.evaluate("seen") == [0, 43, 140, 1145]
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_repeat_begins_anew_and_pause_stops(page: Page) -> None:
    show(page, interval=0.1)
    page.evaluate(WATCH)
    page.get_by_role("button", name="Repeat").click()
    expect(page.get_by_role("button", name="Repeat")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("seen.length >= 6")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert page.evaluate("seen.slice(0, 6)") == [0, 43, 140, 1145, 0, 43]


def test_a_click_in_the_table_goes_there_and_a_tile_makes_its_channel_active(page: Page) -> None:
    show(page)
    page.locator(".zf-figure tbody tr").nth(1).locator("td").nth(2).click()
    assert step(page) == 140
    page.locator(".zf-large").nth(1).click()
    assert page.evaluate("model.state.active") == 17
    expect(page.locator("tr[data-active] th")).to_have_text("17")
    page.locator(".zf-large").nth(1).press("Enter")
    assert page.evaluate("model.state.active") is None


def test_channels_are_asked_for_by_number(page: Page) -> None:
    show(page)
    field = page.get_by_label("Channels")
    expect(field).to_have_value("3, 17, 40")
    field.fill("5, 63")
    field.press("Enter")
    assert page.evaluate("model.state.channels") == [5, 63]
    field.fill("5, 64")
    field.press("Enter")
    assert page.evaluate("model.state.channels") == [5, 63]
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".zf-wrong")).to_contain_text("0 to 63")
    field.press("Escape")
    expect(field).to_have_value("5, 63")


def test_layer_and_mode_are_asked_for(page: Page) -> None:
    show(page)
    page.get_by_role("combobox", name="Layer").select_option("conv1")
    assert page.evaluate("model.state.layer") == "conv1"
    expect(page.get_by_role("radio", name="filter")).to_be_disabled()
    page.get_by_role("radio", name="photo patch").check()
    assert page.evaluate("model.state.mode") == "patch"


def test_it_says_how_far_it_is(page: Page) -> None:
    show(page, status="busy", progress=0.5, _page={})
    expect(page.locator(".zf-busy")).to_have_text("Looking through checkpoint 3 of 4…")
    expect(page.locator(".zf-evolution-view")).to_have_attribute("aria-busy", "true")
    expect(page.locator(".zf-whole")).to_be_hidden()


def test_an_error_is_shown_beside_the_last_table(page: Page) -> None:
    show(page, status="error", error={"title": "That did not work", "message": "why", "hint": ""})
    expect(page.get_by_role("alert").first).to_contain_text("why")
    expect(page.locator(".zf-figure td canvas").first).to_be_visible()


@pytest.mark.parametrize("width", [320, 800])
def test_it_fits_narrow_columns(page: Page, width: int) -> None:
    show(page, width=width)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator(".zf-evolution-view").bounding_box()
    assert box is not None
    assert box["width"] <= width


def test_a_closed_view_leaves_no_listener_and_no_timer(page: Page) -> None:
    show(page, step=0)
    page.get_by_role("button", name="Play").click()
    page.evaluate("unmount()")
    assert page.evaluate("model.listening()") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_for_people(page: Page, screenshots: Path, theme: str) -> None:
    show(page, theme, step=140)
    take(page, screenshots / f"evolution-view-{theme}.png")
