"""EvolutionView in a real JupyterLab: one slider moves networks, recordings and other widgets."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Notebook
from tests.browser.pictures import take

MAKE = """
import ipywidgets, traitlets
import zfwidgets as zf
photos = {name: zf.sample(name).path for name in ("cat", "citrus", "bridge")}
view = zf.EvolutionView("zfnet", photos, layer="conv1")
browser = zf.ChannelBrowser(layer="conv1", height=160)
said = ipywidgets.Label()
ipywidgets.dlink((view, "recording"), (browser, "recording"))
traitlets.dlink((browser, "net"), (said, "value"), lambda net: f"follows {net.name}" if net else "")
ipywidgets.VBox([view, browser, said])
"""


def test_everything_follows_the_slider(in_lab: Notebook, screenshots: Path) -> None:
    page = in_lab(MAKE)
    view = page.locator(".zf-evolution-view")
    expect(view).to_have_attribute("data-state", "ready", timeout=120_000)
    tiles = view.locator(".zf-figure td canvas")
    expect(tiles.first).to_be_visible()
    columns = view.locator("thead th").count() - 1
    assert tiles.count() == 8 * columns
    slider = page.get_by_role("slider", name="Checkpoint")
    expect(slider).to_have_value(str(columns - 1))
    slider.focus()
    page.keyboard.press("Home")
    first = view.locator("thead th").nth(1)
    expect(first).to_have_attribute("aria-current", "true")
    step = (first.text_content() or "").replace(",", "")
    expect(page.get_by_text(f"follows zfnet, step {step}", exact=True)).to_be_visible()
    browser = page.locator(".zf-channel-browser")
    expect(browser).to_have_attribute("data-state", "ready")
    take(page, screenshots / "evolution-view-lab.png")
