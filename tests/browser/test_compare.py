"""Compare in JupyterLab: ZFNet against AlexNet, each side what its own engine computes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import zfwidgets as zf
from tests.browser import conftest, hosts
from tests.browser.inspector_page import InspectorPage
from tests.browser.pictures import take
from tests.browser.pixels import Pixels, on_canvas
from tests.browser.test_accessibility import findings

NETS = ("zfnet", "alexnet")


@pytest.fixture(scope="module")
def opened(lab_page: Page, lab: hosts.Host) -> Iterator[Page]:
    """A notebook with the one-liner."""
    cell = "import zfwidgets as zf\n\nzf.Compare('zfnet', 'alexnet', image='cat')"
    with conftest.notebook(lab_page, lab, "compare.ipynb", cell) as page:
        expect(page.locator(".zf-compare")).to_be_visible()
        yield page


def side(page: Page, index: int) -> Locator:
    """The left half (0) or the right one (1)."""
    return page.locator(".zf-compare-column").nth(index)


def pane(half: Locator, index: int) -> Pixels:
    """The photo (0) or the projection (1) of a side, as it is drawn."""
    return on_canvas(half.locator(".zf-pane-picture").nth(index))


def strongest(name: str, layer: str, rank: int) -> tuple[int, Pixels]:
    """A network's channel of this rank on the cat, and its projection."""
    recording = zf.load(name, device="cpu").record(zf.samples()["cat"].open())
    order = recording.strongest(layer).value.argsort(descending=True, stable=True)
    channel = int(order[rank])
    found = recording.project(recording.strongest(layer, [channel]))
    return channel, found.to_images(canvas=True)[0]


def test_each_side_shows_its_own_networks_channel_of_that_rank(opened: Page) -> None:
    look = InspectorPage(opened)
    side(opened, 0).locator(".zf-side-layer select").select_option("conv4")
    expect(side(opened, 1).locator(".zf-side-layer select")).to_have_value("conv4")
    channel, _ = strongest("zfnet", "conv4", 2)
    box = side(opened, 0).get_by_label("go to channel number or name")
    box.fill(str(channel))
    box.press("Enter")
    side(opened, 0).locator(f'[data-channel="{channel}"]').click()
    for index, name in enumerate(NETS):
        _, expected = strongest(name, "conv4", 2)
        look.until(
            lambda index=index, expected=expected: np.array_equal(  # type: ignore[misc]
                pane(side(opened, index), 1), expected
            ),
            f"{name} shows its own third strongest channel",
        )


def test_both_photos_zoom_as_one_until_they_are_let_go(opened: Page) -> None:
    moved = "nth => document.querySelectorAll('.zf-panes')[nth].dataset.zoomed"
    side(opened, 0).locator(".zf-pane-frame").first.hover()
    opened.keyboard.down("Control")
    opened.mouse.wheel(0, -300)
    opened.keyboard.up("Control")
    opened.wait_for_function(f"({moved})(1) === 'true'")
    styles = [
        side(opened, i).locator(".zf-pane-picture").first.evaluate("c => c.style.transform")
        for i in (0, 1)
    ]
    scales = [float(style.split("scale(")[1].split(")")[0].split(",")[0]) for style in styles]
    assert scales[0] == pytest.approx(scales[1], rel=0.05)
    opened.get_by_label("zoom", exact=True).uncheck()
    side(opened, 1).get_by_role("button", name="whole").first.click()
    opened.wait_for_function(f"({moved})(1) === 'false'")
    assert opened.evaluate(f"({moved})(0)") == "true"
    side(opened, 0).get_by_role("button", name="whole").first.click()


@pytest.mark.parametrize(("theme", "width"), [("Light", 1500), ("Dark", 1500), ("Light", 800)])
def test_screenshots(opened: Page, screenshots: Path, theme: str, width: int) -> None:
    opened.evaluate(
        "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})",
        f"JupyterLab {theme}",
    )
    expect(
        opened.locator(f"body[data-jp-theme-light='{str(theme == 'Light').lower()}']")
    ).to_be_attached()
    opened.set_viewport_size({"width": width, "height": 1700})
    expect(opened.locator('[data-waiting="true"]:visible')).to_have_count(0)
    root = opened.locator(".zf-compare")
    # Beside each other where there is room; the host lays out when it has a moment.
    opened.wait_for_function(
        """beside => {
          const columns = [...document.querySelectorAll(".zf-compare-column")];
          const [left, right] = columns.map((column) => column.getBoundingClientRect().top);
          return (left === right) === beside;
        }""",
        arg=width > 1000,
    )
    assert root.evaluate("root => root.scrollWidth - root.clientWidth") <= 0
    take(root, screenshots / f"compare-{theme.lower()}-{width}.png")


def test_axe_finds_nothing_serious(opened: Page) -> None:
    assert findings(opened, ".zf-compare") == []


def test_a_comparison_that_was_given_away_links_its_sides_without_a_kernel(
    chromium: Browser, tmp_path: Path
) -> None:
    made = zf.Compare("zfnet", "alexnet", image="cat", layer="conv2")
    path = made.to_html(
        tmp_path / "compare.html", layers=["conv2", "conv3"], channels=3, progress=False
    ).path
    made.close()
    page = conftest.new_page(chromium)
    page.goto(path.as_uri())
    expect(page.locator("html[data-ready]")).to_be_attached()
    look = InspectorPage(page)

    def both_show(layer: str, rank: int) -> None:
        for index, name in enumerate(NETS):
            _, expected = strongest(name, layer, rank)
            look.until(
                lambda index=index, expected=expected: np.array_equal(  # type: ignore[misc]
                    pane(side(page, index), 1), expected
                ),
                f"{name} shows its channel of rank {rank} in {layer}",
            )

    both_show("conv2", 0)
    side(page, 1).locator('.zf-layer-selector [role=option][data-id="conv3"]').click()
    both_show("conv3", 0)
    channel, _ = strongest("alexnet", "conv3", 2)
    box = side(page, 1).get_by_label("go to channel number or name")
    box.fill(str(channel))
    box.press("Enter")
    side(page, 1).locator(f'[data-channel="{channel}"]').click()
    both_show("conv3", 2)
    page.get_by_label("layers", exact=True).uncheck()
    side(page, 0).locator('.zf-layer-selector [role=option][data-id="conv2"]').click()
    expect(
        side(page, 1).locator(".zf-layer-selector [role=option][aria-selected=true]")
    ).to_have_attribute("data-id", "conv3")
    take(page, conftest.SCREENSHOTS / "compare-page.png", whole=True)
    page.context.close()
