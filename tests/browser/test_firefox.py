"""Firefox gives what Python gives: in the exported page, and in every answer of its engine."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zfwidgets as zf
from tests.browser.engine import PageEngine
from tests.browser.firefox import Firefox, FirefoxError, Tab, firefox
from tests.browser.inspector_page import READ_CANVAS, Pixels
from tests.browser.test_engine import equal
from tests.browser.test_page_engine import LEVELS, NOT_TIED, difference, projection

READY = "() => document.documentElement.dataset.engine === 'ready'"
PANE = f"(n) => ({READ_CANVAS})(document.querySelectorAll('.zf-pane-picture')[n])"
TITLE = "() => document.querySelector('.zf-projection-title')?.textContent"
CLASSES = "() => [...document.querySelectorAll('.zf-guess bdi')].map((e) => e.textContent)"
CHOSEN = "() => document.querySelector('[role=option][aria-selected=true]')?.dataset.id"
SETTLED = """() => ['channel-browser', 'projection-view', 'inspector-head'].every((part) =>
  !document.querySelector(`.zf-${part} :is([aria-busy=true], [data-busy=true])`))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("firefox")) as running:
        yield running


@pytest.fixture
def tab(browser: Firefox) -> Iterator[Tab]:
    page = browser.new_tab()
    yield page
    assert page.complaints() == []
    assert page.asked() == []
    page.close()


def pane(tab: Tab, number: int) -> Pixels:
    """0 the photo, 1 the projection, as they are drawn."""
    png = base64.b64decode(tab.evaluate(PANE, number).partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_a_photo_of_ones_own_and_its_projection_are_those_of_python(
    tab: Tab, tmp_path: Path, screenshots: Path
) -> None:
    """The page lies on the disk, there is no network, and the photo is none of the page's."""
    net = zf.load("zfnet", device="cpu")
    saved = zf.to_html(net, tmp_path / "page.html", photos=["cat"], engine=True, progress=False)
    mine = tmp_path / "mountains.png"
    zf.sample("mountains").open().crop((20, 0, 420, 300)).save(mine)
    recording = net.record(mine)
    second = int(recording.strongest("conv5").value.argsort()[-2])  # the page begins with the best

    tab.goto(saved.path.as_uri())
    tab.until(READY)
    recorded = pane(tab, 1)
    tab.choose_files(".zf-image-picker input[type=file]", mine)
    tab.until(f"() => ({CHOSEN})() === 'mountains.png' && ({SETTLED})()")
    seen = recording.seen()[0]
    assert pane(tab, 0).shape == seen.shape
    assert difference(pane(tab, 0), seen).max() <= 1
    assert tab.evaluate(CLASSES) == [label for label, _ in recording.top_classes()[0]]

    tab.click(f'[data-channel="{second}"]')
    tab.until(f"() => ({TITLE})() === 'conv5 · channel {second}' && ({SETTLED})()")
    expected = projection(recording, "conv5", second)
    found = pane(tab, 1)
    assert found.shape == expected.shape
    assert float((difference(found, expected) <= LEVELS).mean()) > NOT_TIED
    assert not np.array_equal(found, recorded)
    tab.screenshot(screenshots / "page-engine-firefox.png")


@pytest.mark.parametrize("name", ["zfnet", "traps"])
def test_every_answer_is_that_of_python(tab: Tab, tmp_path: Path, name: str) -> None:
    equal(PageEngine(tab, tmp_path), name)


def test_what_a_script_of_the_page_throws_is_told(browser: Firefox) -> None:
    tab = browser.new_tab()
    tab.goto("about:blank")
    with pytest.raises(FirefoxError, match="no such layer"):
        tab.evaluate("() => { throw new Error('no such layer'); }")
    tab.close()
