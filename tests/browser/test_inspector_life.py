"""The Inspector's life in JupyterLab: charts, two views of one, a kernel that goes away, Korean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

import zfwidgets as zf
from tests.browser.conftest import KERNEL_LIMIT, Notebook
from tests.browser.inspector_page import InspectorPage
from tests.browser.pictures import take
from tests.browser.test_accessibility import findings

CELL = "import zfwidgets as zf\n\ninspector = zf.Inspector('zfnet', 'cat')\ninspector"


def ready(page: Page) -> InspectorPage:
    """The Inspector when the grid and the projection are there."""
    inspector = InspectorPage(page)
    expect(inspector.root.first).to_be_visible()
    inspector.wait_for_layer("conv5")
    return inspector


def test_a_click_on_a_bar_chooses_the_channel_everywhere(
    in_lab: Notebook, screenshots: Path
) -> None:
    page = in_lab(CELL)
    inspector = ready(page)
    page.get_by_role("button", name="Charts").click()
    bars = page.locator(".zf-bar-choose rect.bar")
    expect(bars).to_have_count(256)
    recording = zf.load("zfnet", device="cpu").record(zf.samples()["cat"].open())
    order = recording.strongest("conv5").value.argsort(descending=True, stable=True).tolist()

    def chosen() -> bool:
        # bqplot lays a chart out anew after it is drawn; a click meanwhile lands beside the bar.
        bars.nth(7).click(force=True)
        try:
            expect(inspector.cell(order[7])).to_have_attribute("aria-current", "true", timeout=3000)
        except AssertionError:
            return False
        return True

    inspector.until(chosen, "the channel of the bar is the active one")
    assert findings(page, ".zf-inspector") == []
    expect(page.locator(".zf-projection-title")).to_contain_text(str(order[7]))
    expect(page.locator(".zf-charts-row")).to_contain_text(f"channel {order[7]}")
    for theme in ("Light", "Dark"):
        page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})",
            f"JupyterLab {theme}",
        )
        light = str(theme == "Light").lower()
        expect(page.locator(f"body[data-jp-theme-light='{light}']")).to_be_attached()
        page.set_viewport_size({"width": 1400, "height": 2000})
        take(inspector.root, screenshots / f"charts-{theme.lower()}.png")


def test_a_restarted_kernel_is_said_and_running_the_cell_goes_on(in_lab: Notebook) -> None:
    page = in_lab(CELL)
    inspector = ready(page)
    before = inspector.figure(0)
    gone = inspector.root.locator(".zf-gone")
    expect(gone).to_be_hidden()
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(gone).to_contain_text("run the cell again")
    assert np.array_equal(inspector.figure(0), before), "what was shown stays"
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    expect(gone).to_be_hidden(timeout=KERNEL_LIMIT)
    inspector.wait_for_layer("conv5")


def test_two_views_of_one_inspector_show_the_same(in_lab: Notebook) -> None:
    page = in_lab(CELL, "inspector")
    ready_views = page.locator(".zf-inspector")
    expect(ready_views).to_have_count(2)
    for index in (0, 1):
        view = ready_views.nth(index)
        expect(view.locator(".zf-channel-browser .zf-summary")).to_contain_text("conv5 ·")
    ready_views.nth(1).locator('.zf-layer-selector [data-id="conv3"]').click()
    expect(ready_views.nth(0).locator(".zf-summary")).to_contain_text("conv3 · 384")
    titles = ready_views.locator(".zf-projection-title")
    expect(titles.nth(0)).to_contain_text("conv3")
    expect(titles.nth(1)).to_contain_text(titles.nth(0).inner_text())


def test_all_of_it_speaks_korean(in_lab: Notebook, screenshots: Path) -> None:
    page = in_lab("import zfwidgets as zf\n\nzf.Inspector('zfnet', 'cat', locale='ko')")
    inspector = InspectorPage(page)
    expect(inspector.root.locator(".zf-head-lead")).to_have_text("의 답:")
    for part in (".zf-channel-browser", ".zf-image-picker", ".zf-projection-view", ".zf-charts"):
        text = inspector.root.locator(part).first
        page.wait_for_function(
            "part => /[가-힣]/.test(document.querySelector(`.zf-inspector ${part}`).innerText)",
            arg=part,
        )
        expect(text).to_be_visible()
    # The network's classes and the names of samples are English in Python.
    expect(inspector.root.locator(".zf-guess").filter(has_text="얼룩고양이")).to_have_count(1)
    expect(inspector.picker.get_by_role("option", name="우주 비행사")).to_have_count(1)
    expect(inspector.browser.locator('[data-waiting="true"]:visible')).to_have_count(0)
    page.set_viewport_size({"width": 1400, "height": 2000})
    take(inspector.root, screenshots / "inspector-ko.png")
