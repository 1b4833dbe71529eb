"""The Inspector's exemplars in a real JupyterLab: into a photo, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from playwright.sync_api import expect

import zfwidgets as zf
from tests.browser.conftest import Notebook
from tests.browser.inspector_page import InspectorPage
from tests.browser.pictures import take
from tests.browser.pixels import on_canvas

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
    expect(strip).to_contain_text(f"What is channel {best} of conv5?")
    answers = {
        name: strip.locator(f'[data-answer="{name}"]')
        for name in ("filter", "photo", "synthesised")
    }
    expect(answers["filter"]).to_contain_text("384 kernels on conv4")
    expect(answers["photo"].locator("canvas")).to_have_count(2)
    box = cat.layers["conv5"].box(
        *(int(place[best]) for place in (cat.strongest("conv5").row, cat.strongest("conv5").col))
    )
    photo = np.pad(cat.seen()[0], ((150, 150), (150, 150), (0, 0)), constant_values=128)
    seen = photo[150 + box[0] : 150 + box[2], 150 + box[1] : 150 + box[3]]
    patch = on_canvas(answers["photo"].locator("canvas").first)
    assert np.abs(patch.astype(int) - seen).mean() < 6, "but for compression and the margin's grey"
    made = on_canvas(answers["synthesised"].locator("canvas"))
    expected = zf.synthesized("zfnet", "conv5").images[best]
    assert np.abs(made.astype(int) - expected).mean() < 6, "but for compression"
    page.set_viewport_size({"width": 1400, "height": 1900})
    take(inspector.root, screenshots / "inspector-exemplars.png")

    pairs.nth(2).click()
    there = net.record(zf.gallery()[name].open()).seen()[0]
    inspector.until(
        lambda: np.array_equal(inspector.figure(0), there), "the photo is the exemplar's"
    )
    view = inspector.root.locator(".zf-projection-view")
    expect(view).to_contain_text(f"row {row}, column {col}")
    expect(inspector.picker).to_contain_text(zf.gallery()[name].author)
    take(inspector.root, screenshots / "inspector-exemplar-visited.png")

    strip.get_by_role("button", name="Back to cat").click()
    inspector.until(
        lambda: np.array_equal(inspector.figure(0), cat.seen()[0]), "the photo is the cat again"
    )
    expect(strip.get_by_role("button", name="Back to cat")).to_be_hidden()
