"""OcclusionView and InvarianceView in a real JupyterLab: drag, point, and see what Python sees."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Notebook
from tests.browser.pictures import take

SETUP = 'import zfwidgets as zf\nrecording = zf.load("zfnet").record(zf.sample("cat").open())'


def test_pointing_at_the_curves_shows_the_photo_there(in_lab: Notebook, screenshots: Path) -> None:
    page = in_lab(SETUP, 'view = zf.InvarianceView(recording, transform="rotation")\nview')
    figure = page.locator(".zf-curve-figure").first
    area = figure.locator(".plotarea_background")
    expect(area).to_be_visible()
    expect(page.locator(".zf-invariance-panel progress")).to_be_hidden(timeout=60_000)
    expect(figure.locator("path.line")).to_have_count(2)
    box = area.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 180 / 350, box["y"] + 20)
    expect(page.locator(".zf-amount")).to_contain_text("180°")
    expect(page.get_by_role("slider")).to_have_attribute("aria-valuetext", re.compile("^180"))
    # The first of the two distances is the last but one bar; upside down it is not nothing.
    expect(page.locator(".zf-bar small").nth(5)).to_have_text(re.compile(r"^([2-9]\d|1\d\d) %"))
    cursor = page.locator(".zf-cursor").first.bounding_box()
    assert cursor is not None
    assert abs(cursor["x"] - (box["x"] + box["width"] * 180 / 350)) < 3
    take(page, screenshots / "invariance-view-lab.png")
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    expect(page.locator(".zf-amount")).to_contain_text("0°")


def test_a_dragged_square_tells_python_where_it_is(in_lab: Notebook, screenshots: Path) -> None:
    page = in_lab(
        SETUP,
        "import ipywidgets, traitlets\n"
        "view, where = zf.OcclusionView(recording), ipywidgets.Label()\n"
        'traitlets.dlink((view, "place"), (where, "value"), lambda place: f"at {place}")\n'
        "ipywidgets.VBox([view, where])",
    )
    square = page.locator(".zf-square")
    expect(square).to_be_visible()
    expect(page.locator(".zf-bar")).to_have_count(6)
    box = square.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 8, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 8 - 3000, box["y"] + 8 - 40, steps=5)
    page.mouse.up()
    expect(page.get_by_text("at [76, 0]")).to_be_visible()
    take(page, screenshots / "occlusion-view-lab.png")
