"""The exemplars of a site: photographs that a scan has found, projected by the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import zfwidgets as zf
from tests.browser import conftest
from tests.browser.pictures import take
from tests.browser.test_accessibility import findings
from tests.browser.waiting import until
from zfwidgets.analysis.shipped import exemplars_that_ship
from zfwidgets.analysis.strongest import Exemplars
from zfwidgets.widgets.exemplar_browser.tiles import Gallery, Wall

PATIENCE = 60_000
LEVELS = 2

#: Ask the model as the widget does; its picture comes back as base64.
ASK = """body => new Promise(done => {
    const model = zfKernel.models.get("exemplars");
    const id = 2 ** 40 + Math.floor(Math.random() * 2 ** 30);
    const found = [];
    const heard = (message, buffers) => {
        if (message.id !== id) return;
        if (buffers.length || !found.length && message.last) found.push([message, buffers[0]]);
        if (!message.last) return;
        model.off("msg:custom", heard);
        const text = view => btoa([...new Uint8Array(view.buffer, view.byteOffset, view.byteLength)]
            .map(byte => String.fromCharCode(byte)).join(""));
        done(found.map(([said, data]) => ({ ...said, picture: data && text(data) })));
    };
    model.on("msg:custom", heard);
    model.send({ v: 1, id, epoch: model.get("epoch"), ...body });
})"""


@pytest.fixture(scope="module")
def scan(net: zf.DeconvNet) -> dict[str, Exemplars]:
    return exemplars_that_ship(net, 9)


@pytest.fixture(scope="module")
def saved(site: zf.SavedSite) -> zf.SavedSite:
    return site


def opened(chromium: Browser, page: Path, **options: Any) -> Page:
    shown = conftest.new_page(chromium, offline=True, **options)
    goes_to(shown, page)
    return shown


def goes_to(shown: Page, page: Path) -> None:
    """Until the page computes."""
    shown.goto(page.as_uri())
    expect(shown.locator("html[data-engine=ready]")).to_be_attached(timeout=PATIENCE)


@pytest.fixture(scope="module")
def page(chromium: Browser, saved: zf.SavedSite) -> Iterator[Page]:
    page = opened(chromium, saved.folder / "exemplars.html")
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []
    page.context.close()


@pytest.fixture(scope="module")
def korean(chromium: Browser, saved: zf.SavedSite) -> Iterator[Page]:
    """The Korean page, dark, on a phone."""
    narrow = {"width": 390, "height": 1000}
    path = saved.folder / "ko/exemplars.html"
    page = opened(chromium, path, color_scheme="dark", viewport=narrow)
    yield page
    page.context.close()


def pictures(answer: dict[str, Any], count: int) -> Any:
    """The tiles of an answer: uint8 [count, h, w, 3]."""
    data = base64.b64decode(answer["picture"])
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    (height, width), columns = answer["tile"], answer["columns"]
    return np.stack(
        [
            picture[height * (n // columns) :, width * (n % columns) :][:height, :width]
            for n in range(count)
        ]
    )


def near(mine: Any, expected: Any) -> None:
    assert mine.shape == expected.shape
    far = np.abs(mine.astype(int) - expected.astype(int))
    assert float((far <= LEVELS).mean()) > 0.98


def wall(net: zf.DeconvNet, found: Exemplars, rule: Any = "deconvnet") -> Wall:
    return Wall(1, Gallery(net, zf.gallery()), found, None, rule)


def sets(page: Page, **traits: Any) -> None:
    """As the widget does when somebody chooses."""
    page.evaluate(
        """traits => {
            const model = zfKernel.models.get("exemplars");
            for (const [name, value] of Object.entries(traits)) model.set(name, value);
            model.save_changes();
        }""",
        traits,
    )


def chosen(page: Page, **traits: Any) -> None:
    """The page's browser, once it shows what was chosen."""
    sets(page, **traits)
    until(
        page,
        """traits => {
            const page = zfKernel.models.get("exemplars").get("_page");
            return Object.entries(traits).every(([name, value]) => page[name] === value);
        }""",
        traits,
    )


@pytest.mark.parametrize(
    ("layer", "channel", "rule"),
    [("conv5", 200, "deconvnet"), ("conv2", 31, "deconvnet"), ("conv3", 7, "guided")],
)
def test_a_channels_photographs_are_those_of_the_scan_projected_as_in_python(
    page: Page, net: zf.DeconvNet, scan: Any, layer: str, channel: int, rule: str
) -> None:
    chosen(page, layer=layer, rule=rule)
    expected = wall(net, scan[layer], rule)
    (answer,) = page.evaluate(ASK, {"op": "panel", "ids": [channel], "px": 96})
    tiles, facts = expected.panel(channel, 96)
    for fact, told in zip(answer["facts"], facts, strict=True):
        assert fact == {**told, "value": pytest.approx(told["value"])}
        assert fact["credit"] == zf.gallery()[fact["id"]].credit
    near(pictures(answer, len(tiles)), tiles)
    (answer,) = page.evaluate(ASK, {"op": "tiles", "ids": [channel], "px": 300})
    near(pictures(answer, 1), expected.mosaics([channel], 300))


def test_the_first_channels_are_there_before_anything_is_computed(
    chromium: Browser, saved: zf.SavedSite, scan: Any
) -> None:
    page = conftest.new_page(chromium, offline=True)
    page.goto((saved.folder / "exemplars.html").as_uri())
    cells = page.locator(".zf-exemplar-browser [role=gridcell], .zf-exemplar-browser [role=option]")
    expect(cells.first).to_be_visible()
    raw = page.evaluate("zfKernel.models.get('exemplars').get('_page')")
    assert (raw["layer"], raw["count"], raw["k"]) == ("conv5", 256, 9)
    assert raw["scanned"] == scan["conv5"].scanned == len(zf.gallery())
    page.context.close()


def test_what_a_channels_photographs_have_in_common_is_said(
    korean: Page, net: zf.DeconvNet
) -> None:
    shown = zf.gallery()
    known = Gallery(net, shown)
    found = exemplars_that_ship(net, 50)["conv5"]
    channel = next(c for c in range(256) if known.words(found, c))
    (word, *_) = known.words(found, channel)
    (answer,) = korean.evaluate(ASK, {"op": "words", "ids": [channel]})
    assert answer["words"][0]["name"] == word.korean
    assert answer["words"][0]["count"] == word.count


@pytest.mark.parametrize("name", ["light-1400", "dark-390"])
def test_screenshots(page: Page, korean: Page, screenshots: Path, name: str) -> None:
    shown = korean if name == "dark-390" else page
    chosen(shown, layer="conv5", rule="deconvnet")
    expect(shown.locator(".zf-exemplar-browser .zf-progress[data-busy=true]")).to_have_count(
        0, timeout=PATIENCE
    )
    take(shown, screenshots / f"page-exemplars-{name}.png", whole=True)
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(shown) == []


def test_a_click_on_a_photograph_opens_the_inspector_at_its_channel(
    page: Page, saved: zf.SavedSite, net: zf.DeconvNet, screenshots: Path
) -> None:
    """The last one of this page, which is left."""
    if not page.url.endswith("exemplars.html"):  # run again
        goes_to(page, saved.folder / "exemplars.html")
    chosen(page, layer="conv5", rule="deconvnet")
    sets(page, active=3)
    pair = page.locator(".zf-panel .zf-pair").first
    expect(pair).to_be_visible(timeout=PATIENCE)
    name = exemplars_that_ship(net, 9)["conv5"].of(3)[0][0]
    expect(page.locator(".zf-pairs li").first).to_contain_text(zf.gallery()[name].credit)
    assert findings(page, ".zf-exemplar-browser") == []
    take(page, screenshots / "page-exemplars-panel.png", whole=True)
    pair.click()
    page.wait_for_url("**/index.html#*")
    title = page.locator(".zf-projection-title")
    expect(title).to_have_text("conv5 · channel 3", timeout=PATIENCE)
