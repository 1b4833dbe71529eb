"""The channel browser with mouse, keyboard and screen reader: moving, choosing, pinning."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.channels import (
    COMPLETE,
    Open,
    focused,
    grid,
    open_browser_fixture,  # noqa: F401
    press,
    recording_fixture,  # noqa: F401
    start_in_grid,
    tile,
)
from zfwidgets.deconv import Recording

# ----------------------------------------------------------------------------- mouse and keyboard


def test_clicks_choose_one_several_and_a_range(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    tile(live, 3).click()
    live.expect(lambda: (live.widget.selected, live.widget.active), ([3], 3))
    tile(live, 20).click(modifiers=["ControlOrMeta"])
    live.expect(lambda: (live.widget.selected, live.widget.active), ([3, 20], 20))
    tile(live, 23).click(modifiers=["Shift"])
    live.expect(lambda: live.widget.selected, [20, 21, 22, 23])
    tile(live, 21).click(modifiers=["ControlOrMeta"])
    live.expect(lambda: live.widget.selected, [20, 22, 23])
    live.page.get_by_role("button", name="3 selected, clear selection").click()
    live.expect(lambda: live.widget.selected, [])
    expect(grid(live).locator('[aria-selected="true"]')).to_have_count(0)


def test_a_range_follows_the_order_on_the_screen(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4", sort="strength")
    live.until(COMPLETE)
    order = recording.strongest("conv4").value.sort(descending=True, stable=True).indices.tolist()
    tile(live, order[2]).click()
    tile(live, order[6]).click(modifiers=["Shift"])
    live.expect(lambda: live.widget.selected, order[2:7])


def test_python_chooses_and_the_page_follows(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    live.widget.selected, live.widget.active = [5, 6], 6
    live.until("document.querySelectorAll('[aria-selected=true]').length === 2")
    expect(tile(live, 6)).to_have_attribute("aria-current", "true")
    expect(live.page.locator(".zf-detail")).to_contain_text("channel 6 ")


def test_the_grid_is_one_stop_for_tab_and_arrows_walk_it(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    start_in_grid(live)
    columns = int(grid(live).get_attribute("aria-colcount") or 0)
    assert focused(live) == 0
    for key, there in [
        ("ArrowRight", 1),
        ("ArrowDown", 1 + columns),
        ("ArrowLeft", columns),
        ("End", 2 * columns - 1),
        ("Home", columns),
        ("Control+End", 383),
        ("Control+Home", 0),
    ]:
        press(live, key)
        assert focused(live) == there, key
    press(live, "PageDown")
    assert focused(live) >= 3 * columns
    assert grid(live).locator('[tabindex="0"]').count() == 1
    press(live, "Tab")
    assert focused(live) == -1


def test_space_selects_shift_extends_enter_activates_escape_clears(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    start_in_grid(live)
    press(live, "ArrowRight", "Space")
    live.expect(lambda: (live.widget.selected, live.widget.active), ([1], None))
    press(live, "Shift+ArrowRight", "Shift+ArrowRight")
    live.expect(lambda: live.widget.selected, [1, 2, 3])
    press(live, "Enter")
    live.expect(lambda: (live.widget.selected, live.widget.active), ([1, 2, 3], 3))
    press(live, "Control+a")
    live.expect(lambda: len(live.widget.selected), 384)
    press(live, "Escape")
    live.expect(lambda: live.widget.selected, [])


def test_slash_goes_to_a_channel_by_number(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    start_in_grid(live)
    press(live, "/", "9", "9", "9", "Enter")
    expect(live.page.get_by_label("go to channel")).to_have_attribute("aria-invalid", "true")
    press(live, "Backspace", "Backspace", "Backspace", "3", "0", "0", "Enter")
    assert focused(live) == 300
    expect(tile(live, 300)).to_be_in_viewport()


def test_the_focus_stays_on_its_channel_when_the_order_and_the_size_change(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    start_in_grid(live)
    press(live, *["ArrowRight"] * 5)
    live.widget.sort = "strength"
    live.until("document.querySelector('.zf-cell').dataset.channel !== '0'")
    assert focused(live) == 5
    live.widget.tile_size = 130
    live.until("document.querySelector('.zf-cell').getBoundingClientRect().width >= 130")
    assert focused(live) == 5
    grid(live).evaluate("(grid) => { grid.scrollTop = 1500; }")
    live.until(COMPLETE)
    assert focused(live) == 5


def test_screen_readers_are_told_names_positions_and_states(
    open_browser: Open, recording: Recording
) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    tile(live, 17).click()
    cell = tile(live, 17)
    value = float(recording.feature_maps("conv4")[0, 17].max())
    label = cell.get_attribute("aria-label") or ""
    told = re.fullmatch(r"channel 17, strength (\S+), active", label)
    assert told is not None, label
    assert float(told[1]) == pytest.approx(value, rel=0.01)
    expect(cell).to_have_attribute("aria-selected", "true")
    expect(grid(live)).to_have_attribute("aria-multiselectable", "true")
    columns = int(grid(live).get_attribute("aria-colcount") or 0)
    assert int(grid(live).get_attribute("aria-rowcount") or 0) == -(-384 // columns)
    row = cell.locator("xpath=..")
    expect(row).to_have_role("row")
    expect(row).to_have_attribute("aria-rowindex", str(17 // columns + 1))
    expect(cell).to_have_attribute("aria-colindex", str(17 % columns + 1))
    expect(live.page.get_by_role("status")).to_contain_text("channel 17")
    expect(live.page.get_by_role("grid", name="channels of conv4")).to_be_visible()


def test_hovering_tells_number_value_and_place(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    live.until(COMPLETE)
    tile(live, 12).hover()
    found = recording.strongest("conv4", [12])
    place = f"row {int(found.row[0])}, column {int(found.col[0])}"
    expect(live.page.locator(".zf-detail")).to_contain_text("channel 12")
    expect(live.page.locator(".zf-detail")).to_contain_text(place)


def test_the_hosts_shortcuts_are_kept_off(open_browser: Open, recording: Recording) -> None:
    live = open_browser(recording, layer="conv4")
    root = live.page.locator(".zf-channel-browser")
    expect(root).to_have_attribute("data-lm-suppress-shortcuts", "true")
