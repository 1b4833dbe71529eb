"""ProjectionView and StepsView in JupyterLab: clicks and keys reach the engine and come back."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

import zfwidgets as zf
from tests.browser.conftest import Notebook

CELL = """
import zfwidgets as zf
recording = zf.load("zfnet", device="cpu").record(zf.samples()["cat"].open())
view = zf.ProjectionView(recording, layer="conv4", channel=32)
view
"""


def test_a_click_on_the_photo_and_the_steps_of_what_it_shows(in_lab: Notebook) -> None:
    page = in_lab(CELL, "view.steps()")
    view = page.locator(".zf-projection-view")
    photo = view.locator(".zf-pane-frame").first
    expect(view.locator(".zf-pane")).to_have_count(2)
    box = photo.bounding_box()
    assert box is not None
    photo.click(position={"x": box["width"] * 0.3, "y": box["height"] * 0.5})
    layer = zf.load("zfnet", device="cpu").layers["conv4"]
    row, col = (
        int(np.abs([sum(layer.box(i, i)[side::2]) / 2 - at for i in range(13)]).argmin())
        for side, at in ((0, 112), (1, 0.3 * 224))
    )
    line = view.locator(".zf-projection-line").first
    expect(line).to_contain_text(f"row {row}, column {col} of 13×13")
    # Lab's own shortcuts stay silent: "a" would insert a cell, "s" is ours.
    cells = page.locator(".jp-Cell").count()
    photo.focus()
    page.keyboard.press("a")
    page.keyboard.press("s")
    expect(line).to_contain_text("strongest activation")
    assert page.locator(".jp-Cell").count() == cells
    steps = page.locator(".zf-steps-view")
    expect(steps.locator(".zf-step")).to_have_count(10)
    steps.locator('.zf-step[data-kind="unpool"]').first.click()
    expect(steps.locator(".zf-switches")).to_be_visible()
