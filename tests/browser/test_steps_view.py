"""StepsView on a page: walking, playing, leaving out, drawing; Python answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

import zfwidgets as zf
from tests.browser.live import LiveWidget
from tests.browser.pictures import take
from zfwidgets.widgets.steps_view import StepsView

DRAWN = "document.querySelectorAll('.zf-side canvas').length > 0"


@pytest.fixture(scope="module")
def recording() -> zf.Recording:
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(3, 20, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(20, 8, 3),
        nn.ReLU(),
    )
    return zf.DeconvNet(model, device="cpu").record(torch.randn(1, 3, 40, 48))


def opened(page: Page, recording: zf.Recording, theme: str = "light") -> LiveWidget:
    view = StepsView(recording, layer="conv2", channel=1, inline=True)
    live = LiveWidget(page, view, "steps-view", theme)
    live.until(DRAWN)
    return live


def test_every_step_is_a_button_and_arrows_walk(page: Page, recording: zf.Recording) -> None:
    live = opened(page, recording)
    steps = page.get_by_role("navigation", name="Steps of the way back").get_by_role("button")
    expect(steps).to_have_count(5)
    expect(steps.nth(0)).to_have_attribute("aria-current", "step")
    steps.nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    live.until("!!document.querySelector('.zf-switches')")
    expect(steps.nth(2)).to_be_focused()
    expect(page.locator(".zf-bar strong")).to_have_text("Step 3 of 5")
    assert live.widget.step == 2
    page.keyboard.press("End")
    live.until("model.get('step') === 4")
    expect(page.get_by_role("button", name="Next step")).to_be_disabled()
    page.get_by_role("button", name="Previous step").click()
    live.until("model.get('step') === 3")


def test_switches_are_drawn_one_goal_for_every_value(page: Page, recording: zf.Recording) -> None:
    live = opened(page, recording)
    live.widget.step = 2
    live.until("!!document.querySelector('.zf-switches')")
    cells = page.locator(".zf-pooled").count()
    assert cells == 25
    assert 0 < page.locator(".zf-goal").count() == page.locator(".zf-way").count() <= cells
    assert page.locator(".zf-window").count() == cells
    assert page.locator(".zf-ring").count() == 0
    page.get_by_label("Leave this step out").check()
    live.until("document.querySelectorAll('.zf-ring').length > 0")
    expect(page.locator(".zf-steps-does")).to_contain_text("middle of its window")


def test_rectifications_can_be_left_out_one_or_all(page: Page, recording: zf.Recording) -> None:
    live = opened(page, recording)
    expect(page.locator(".zf-result")).to_have_count(1)
    page.locator(".zf-step").first.focus()
    page.keyboard.press("o")
    live.until("document.querySelectorAll('.zf-step[data-off=true]').length === 1")
    page.get_by_role("button", name="Leave out every rectification").click()
    live.until("document.querySelectorAll('.zf-step[data-off=true]').length === 2")
    live.until("document.querySelectorAll('.zf-result').length === 2")
    expect(page.locator("figcaption").nth(1)).to_have_text("Without the steps left out")
    expect(page.locator(".zf-step").first).to_have_accessible_name(
        "step 1: rectify, conv2, left out"
    )
    page.get_by_role("button", name="Do every step again").click()
    live.until("document.querySelectorAll('.zf-step[data-off=true]').length === 0")
    assert live.widget.off == []


def test_a_small_signal_is_shown_close_and_the_whole_map_tells_where(
    page: Page, recording: zf.Recording
) -> None:
    live = opened(page, recording)
    live.widget.step = 1
    live.until("document.querySelector('.zf-steps-does').textContent.includes('transpose')")
    live.until("document.querySelector('.zf-stage-middle').dataset.what === 'filter'")
    after = page.locator("[data-side=after]")
    found = recording.strongest("conv2", [1])
    signal = recording.steps(found)[1].signal[0]
    rows, cols = (signal != 0).any(0).nonzero(as_tuple=True)
    shown = after.locator(".zf-map").first
    height = shown.evaluate("canvas => canvas.height / Math.ceil(112 / 7)")
    assert height == 7, "three rows of a 3 x 3 filter and a rim"
    frame = after.locator(".zf-whole rect")
    top, left = (int(frame.get_attribute(name) or -1) for name in ("y", "x"))
    assert top <= int(rows.min()) <= int(rows.max()) < top + 7
    assert left <= int(cols.min()) <= int(cols.max()) < left + 7
    expect(after).to_contain_text(f"rows {top} to {top + 6}, columns {left} to {left + 6}")
    assert after.locator(".zf-whole").get_attribute("aria-label")


def test_a_filter_cannot_be_left_out(page: Page, recording: zf.Recording) -> None:
    live = opened(page, recording)
    live.widget.step = 1
    live.until("model.get('step') === 1")
    expect(page.get_by_label("Leave this step out")).to_be_disabled()
    page.locator(".zf-step").nth(1).focus()
    page.keyboard.press("o")
    assert live.widget.off == []


def test_playing_goes_to_the_end_and_stops(page: Page, recording: zf.Recording) -> None:
    live = opened(page, recording)
    live.widget.step = 3
    live.until("model.get('step') === 3")
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    live.until("model.get('step') === 4")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_a_closed_view_leaves_no_listener(page: Page, recording: zf.Recording) -> None:
    opened(page, recording)
    page.evaluate("unmount()")
    assert page.evaluate("model.listening()") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_for_people(
    page: Page, recording: zf.Recording, screenshots: Path, theme: str
) -> None:
    live = opened(page, recording, theme)
    live.widget.step = 2
    live.until("!!document.querySelector('.zf-switches')")
    take(page, screenshots / f"steps-view-{theme}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
