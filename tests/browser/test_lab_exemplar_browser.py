"""ExemplarBrowser in a real JupyterLab: a network is scanned, and a channel's panel opened."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Notebook
from tests.browser.pictures import take

MAKE = """
import zfwidgets as zf
photos = {name: photo.path for name, photo in zf.samples().items()}
zf.ExemplarBrowser(zf.load("zfnet"), photos, layers=["conv2", "conv3"], batch=6, height=360)
"""


def test_a_scan_fills_the_browser_and_the_keyboard_opens_a_channel(
    in_lab: Notebook, screenshots: Path
) -> None:
    page = in_lab(MAKE)
    view = page.locator(".zf-exemplar-browser")
    expect(view.locator(".zf-summary")).to_have_text(
        "conv3 · 384 channels · strongest of 18 pictures", timeout=120_000
    )
    expect(view.get_by_role("progressbar")).to_be_hidden()
    view.get_by_role("slider").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog", name="channel 1 of conv3")
    expect(panel.locator(".zf-pair")).to_have_count(9)
    take(page, screenshots / "exemplar-browser-lab.png")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(view.locator('.zf-cell[data-channel="1"]')).to_be_focused()
