"""The shipped exemplar browser in Chromium, joined to the real widget and engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import zfwidgets as zf
from tests.browser.conftest import SCREENSHOTS
from tests.browser.live import LiveWidget
from tests.browser.pictures import take
from tests.browser.pixels import on_canvas
from zfwidgets.deconv import DeconvNet
from zfwidgets.widgets.core.rpc import worker

#: Every channel in the grid's window has its picture, and nothing else is on its way.
COMPLETE = """
(() => {
  const frame = document.querySelector('.zf-grid').getBoundingClientRect();
  const cells = [...document.querySelectorAll('.zf-cell:not([hidden])')].filter((cell) => {
    const box = cell.getBoundingClientRect();
    return box.bottom > frame.top && box.top < frame.bottom;
  });
  const root = document.querySelector('.zf-exemplar-browser');
  return cells.length > 0 && !cells.some((cell) => cell.hasAttribute('data-waiting'))
    && root.dataset.state === 'ready';
})()
"""
PANEL = "document.querySelectorAll('.zf-pair').length === 9"
Open = Callable[..., LiveWidget]


@pytest.fixture(scope="module")
def photos() -> dict[str, Any]:
    return {name: photo.path for name, photo in zf.samples().items()}


@pytest.fixture(scope="module")
def scan(net: DeconvNet, photos: dict[str, Any]) -> zf.Scan:
    return zf.scan(net, photos, ["conv2", "conv4"], progress=False)


@pytest.fixture
def show(page: Page) -> Iterator[Open]:
    opened: list[zf.ExemplarBrowser] = []

    def build(source: Any, images: Any, theme: str = "light", **how: Any) -> LiveWidget:
        browser = zf.ExemplarBrowser(source, images, **how)
        opened.append(browser)
        return LiveWidget(page, browser, "exemplar-browser", theme)

    yield build
    for browser in opened:
        browser.close()


def cell(live: LiveWidget, channel: int) -> Locator:
    return live.page.locator(f'.zf-cell[data-channel="{channel}"]')


def test_a_channel_is_nine_projections_beside_nine_patches(
    show: Open, net: DeconvNet, photos: dict[str, Any], scan: zf.Scan
) -> None:
    live = show(scan, photos, net=net, layer="conv4", tile_size=800)
    live.until(COMPLETE)
    patches, _ = scan.exemplars["conv4"].patches(net, photos, 0)
    live.until("document.querySelector('.zf-row-canvas').width > 1000")
    row = live.page.locator(".zf-grid-row", has=cell(live, 0))
    picture = on_canvas(row.locator("canvas"), "RGBA")
    drawn = picture[:, :, 3] > 0
    # Rows and columns without ink are the gaps: three squares down, six across.
    down = np.flatnonzero(np.diff(drawn.any(1).astype(int), prepend=0, append=0))
    across = np.flatnonzero(np.diff(drawn.any(0).astype(int), prepend=0, append=0))
    assert (len(down), len(across)) == (6, 12)
    for index, patch in enumerate(patches):
        y, x = index // 3, 3 + index % 3
        part = picture[down[2 * y] : down[2 * y + 1], across[2 * x] : across[2 * x + 1], :3]
        assert np.abs(part.mean((0, 1)) - patch.mean((0, 1))).max() < 3
    left = picture[down[0] : down[1], across[0] : across[1], :3].reshape(-1, 3)
    assert np.median(left, axis=0).tolist() == [128, 128, 128]


def test_elements_exist_only_near_the_window(
    show: Open, net: DeconvNet, photos: dict[str, Any], scan: zf.Scan
) -> None:
    live = show(scan, photos, net=net, layer="conv4")
    live.until(COMPLETE)
    assert live.page.evaluate("document.querySelectorAll('.zf-cell').length") < 60
    live.page.get_by_role("grid").evaluate("(grid) => { grid.scrollTop = grid.scrollHeight; }")
    live.until("document.querySelector('.zf-cell[data-channel=\"383\"]:not([hidden])')")
    live.until(COMPLETE)
    assert live.page.evaluate("document.querySelectorAll('.zf-cell').length") < 60


def test_the_keyboard_opens_turns_and_closes_a_panel(
    show: Open, net: DeconvNet, photos: dict[str, Any], scan: zf.Scan
) -> None:
    live = show(scan, photos, net=net, layer="conv4")
    live.until(COMPLETE)
    press = live.page.keyboard.press
    live.page.get_by_role("slider").focus()
    press("Tab")
    press("ArrowRight")
    press("Enter")
    live.until(PANEL)
    dialog = live.page.get_by_role("dialog", name="channel 1 of conv4")
    expect(dialog).to_be_visible()
    for rank, (name, row, col, _) in enumerate(scan.exemplars["conv4"].of(1), start=1):
        pair = dialog.locator("li").nth(rank - 1)
        expect(pair).to_contain_text(name)
        expect(pair).to_contain_text(f"row {row}, column {col}")
    press("ArrowRight")
    expect(live.page.get_by_role("dialog", name="channel 2 of conv4")).to_be_visible()
    press("Escape")
    expect(live.page.get_by_role("dialog")).to_have_count(0)
    assert live.page.evaluate("document.activeElement.dataset.channel") == "2"
    live.until("model.state.active === null")


def test_layers_and_orders_are_chosen_in_the_page(
    show: Open, net: DeconvNet, photos: dict[str, Any], scan: zf.Scan
) -> None:
    live = show(scan, photos, net=net, layer="conv4")
    live.until(COMPLETE)
    live.page.get_by_label("Layer").select_option("conv2")
    live.until("model.state._page.layer === 'conv2'")
    live.page.get_by_label("Order").select_option("strength")
    live.until(COMPLETE)
    strongest = int(scan.exemplars["conv2"].value[:, 0].argmax())
    first = live.page.locator(".zf-cell").first
    expect(first).to_have_attribute("data-channel", str(strongest))
    expect(live.page.locator(".zf-summary")).to_contain_text("conv2 · 256 channels")


def test_a_scan_is_watched_stopped_and_gone_on_with(show: Open, net: DeconvNet) -> None:
    gate = threading.Event()

    class Gated(dict[str, Any]):
        """Stands still before its last picture until it may go on."""

        def __getitem__(self, name: str) -> Any:
            if name == list(self)[-1]:
                assert gate.wait(60)
            return super().__getitem__(name)

    some = Gated([(n, photo.path) for n, photo in zf.samples().items()][:6])
    live = show(net, some, layers=["conv2"], k=4, batch=2)
    live.until("document.querySelector('.zf-scan-text')?.textContent.includes('4 of 6')")
    bar = live.page.get_by_role("progressbar", name="progress of the scan")
    expect(bar).to_have_js_property("value", 4)
    live.widget.stop()
    gate.set()
    live.until("model.state.progress.state === 'stopped'")
    live.page.get_by_role("button", name="Go on").click()
    live.until("model.state.progress.state === 'done'")
    told = "document.querySelector('.zf-summary').textContent.includes('strongest of 6 pictures')"
    live.until(f"{told} && {COMPLETE}")
    expect(bar).to_be_hidden()


def test_a_dead_channel_says_so(show: Open, photos: dict[str, Any]) -> None:
    other = zf.load("zfnet", device="cpu")
    conv = other.model.get_submodule("conv2")
    conv.bias.data[1] = -1e6  # type: ignore[operator]
    live = show(zf.scan(other, photos, ["conv2"], progress=False), photos, net=other, sort="fires")
    live.until(COMPLETE)
    expect(cell(live, 1)).to_have_attribute("aria-label", "channel 1 · dead: fires in no picture")
    expect(live.page.locator(".zf-cell").first).to_have_attribute("data-channel", "1")
    expect(live.page.locator(".zf-summary")).to_contain_text("1 dead")
    cell(live, 1).click()
    live.until("document.querySelector('.zf-panel-about').textContent.includes('fires in none')")


def test_names_of_files_never_become_markup(show: Open, net: DeconvNet) -> None:
    evil = "<img src=x onerror=window.hacked=1>"
    some = {evil: zf.sample("cat").path}
    live = show(zf.scan(net, some, ["conv2"], progress=False), some, net=net)
    live.until(COMPLETE)
    cell(live, 0).click()
    live.until("document.querySelectorAll('.zf-pair').length === 1")
    expect(live.page.locator(".zf-pair-name")).to_contain_text(evil)
    assert live.page.evaluate("document.querySelectorAll('.zf-panel img').length") == 0


def test_it_fits_the_page(
    show: Open, net: DeconvNet, photos: dict[str, Any], scan: zf.Scan
) -> None:
    live = show(scan, photos, net=net, layer="conv4")
    for theme in ("light", "dark"):
        for width in (1400, 800, 390):
            live.look(theme, width, height=800)
            live.until(COMPLETE)
            worker().join()
            live.until(COMPLETE)
            told = f"{theme}-{width}"
            assert live.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), told
            take(live.page, SCREENSHOTS / f"exemplar-browser-{told}.png")
