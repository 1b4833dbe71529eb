"""The Inspector's exemplars in a real JupyterLab: into a photo, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from playwright.sync_api import expect

import zfwidgets as zf
from tests.browser.conftest import Notebook
from tests.browser.inspector_page import InspectorPage

MAKE = "import zfwidgets as zf\n\nzf.Inspector('zfnet', 'cat')"


def test_a_click_on_an_exemplar_shows_its_photo_and_the_way_back_leads_home(
    in_lab: Notebook, screenshots: Path
) -> None:
    page = in_lab(MAKE)
    inspector = InspectorPage(page)
    inspector.wait_for_layer("conv5")
    net = zf.load("zfnet", device="cpu")
    cat = net.record(zf.samples()["cat"].open())
    best = int(cat.strongest("conv5").value.argmax())
    strip = inspector.root.locator(".zf-exemplar-strip")
    strip.scroll_into_view_if_needed()
    pairs = strip.locator(".zf-strip-pair")
    expect(pairs).to_have_count(9, timeout=60_000)
    name, row, col, _ = zf.exemplars(net, layer="conv5").of(best)[2]
    expect(pairs.nth(2)).to_have_attribute("data-id", name)
    page.set_viewport_size({"width": 1400, "height": 1900})
    inspector.root.screenshot(path=screenshots / "inspector-exemplars.png")

    pairs.nth(2).click()
    there = net.record(zf.gallery()[name].open()).seen()[0]
    inspector.until(
        lambda: np.array_equal(inspector.figure(0), there), "the photo is the exemplar's"
    )
    view = inspector.root.locator(".zf-projection-view")
    expect(view).to_contain_text(f"row {row}, column {col}")
    expect(inspector.picker).to_contain_text(zf.gallery()[name].author)
    inspector.root.screenshot(path=screenshots / "inspector-exemplar-visited.png")

    strip.get_by_role("button", name="Back to cat").click()
    inspector.until(
        lambda: np.array_equal(inspector.figure(0), cat.seen()[0]), "the photo is the cat again"
    )
    expect(strip.get_by_role("button", name="Back to cat")).to_be_hidden()
