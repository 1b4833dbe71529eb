"""The dashboard in Voila: the full page is the Inspector, no code, the same pixels."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

import zfwidgets as zf
from tests.browser import conftest, hosts
from tests.browser.inspector_page import InspectorPage, likeness
from tests.browser.pictures import take
from zfwidgets.cli import find_notebook


@pytest.fixture(scope="module")
def asked() -> set[str]:
    """What the dashboard's page has asked for."""
    return set()


@pytest.fixture(scope="module")
def dashboard(chromium: Browser, voila: hosts.Host, asked: set[str]) -> Iterator[InspectorPage]:
    """The dashboard that `zfwidgets demo` opens."""
    shutil.copyfile(find_notebook("dashboard.ipynb"), voila.folder / "dashboard.ipynb")
    page = conftest.new_page(chromium)
    page.on("request", lambda request: asked.add(request.url))
    page.goto(f"{voila.url}/voila/render/dashboard.ipynb", timeout=conftest.KERNEL_LIMIT)
    inspector = InspectorPage(page)
    expect(inspector.root).to_be_visible(timeout=conftest.KERNEL_LIMIT)
    yield inspector
    page.context.close()


def test_the_page_asks_nobody_but_its_own_server(
    dashboard: InspectorPage, voila: hosts.Host, asked: set[str]
) -> None:
    dashboard.wait_for_layer("conv5")
    assert asked
    assert not {url for url in asked if not url.startswith((voila.url, "data:", "blob:"))}


def test_no_code_is_visible(dashboard: InspectorPage) -> None:
    dashboard.wait_for_layer("conv5")
    assert "import zfwidgets" not in dashboard.page.locator("body").inner_text()


def test_the_inspector_fills_the_page(dashboard: InspectorPage) -> None:
    box = dashboard.root.bounding_box()
    assert box is not None
    assert box["width"] > 0.9 * 1400
    assert dashboard.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_click_projects_what_the_engine_projects(dashboard: InspectorPage) -> None:
    recording = zf.load("zfnet", device="cpu").record(zf.samples()["raccoon"].open())
    neurons = recording.strongest("conv4")
    channel = int(neurons.value.argmax())
    expected = recording.project(neurons[[channel]]).to_images(canvas=True)[0]

    dashboard.choose_photo("raccoon")
    dashboard.choose_layer("conv4")
    dashboard.wait_for_layer("conv4")
    dashboard.click_channel(channel)
    dashboard.until(
        lambda: np.array_equal(dashboard.figure(0), recording.seen()[0]),
        "the photo is the raccoon",
    )
    dashboard.until(
        lambda: int(abs(dashboard.figure(1).astype(int) - expected).max()) <= 2,
        "the projection is the engine's",
    )
    dashboard.choose_mode("Feature map")
    feature_map = recording.feature_maps("conv4")[0, channel].numpy()
    assert likeness(dashboard.tile(channel), feature_map) > 0.95


def test_where_the_page_computes_the_kernel_records_nothing(
    chromium: Browser, voila: hosts.Host, screenshots: Path
) -> None:
    # What `zfwidgets demo --compute page` sets for every kernel.
    cell = "import os\n\nos.environ['ZFWIDGETS_COMPUTE'] = 'page'\n"
    show = "import zfwidgets as zf\n\ninspector = zf.Inspector('zfnet', 'raccoon')\ninspector"
    conftest.write_notebook(voila.folder / "page.ipynb", cell, show)
    page = conftest.new_page(chromium)
    # Voila says the theme with the page.
    address = f"{voila.url}/voila/render/page.ipynb?theme=dark"
    page.goto(address, timeout=conftest.KERNEL_LIMIT)
    inspector = InspectorPage(page)
    expect(inspector.root).to_be_visible(timeout=conftest.KERNEL_LIMIT)
    expect(inspector.root.locator(".zf-head-name")).to_have_text("zfnet in this page")
    inspector.wait_for_layer("conv5")
    expect(inspector.root.locator(".zf-head-note")).to_be_hidden()
    recording = zf.load("zfnet", device="cpu").record(zf.samples()["raccoon"].open())
    neurons = recording.strongest("conv5")
    channel = int(neurons.value.argmax())
    expected = recording.project(neurons[[channel]]).to_images(canvas=True)[0]
    inspector.until(
        lambda: (
            inspector.figure(1).shape == expected.shape
            and float((abs(inspector.figure(1).astype(int) - expected) <= 2).mean()) > 0.9999
        ),
        "the projection is the engine's",
    )
    take(page, screenshots / "voila-dark.png", whole=True)
    page.context.close()


def test_a_picture_for_people(dashboard: InspectorPage, screenshots: Path) -> None:
    dashboard.choose_layer("conv5")
    dashboard.wait_for_layer("conv5")
    take(dashboard.page, screenshots / "voila-light.png", whole=True)
