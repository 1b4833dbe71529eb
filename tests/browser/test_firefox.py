"""Firefox gives what Python gives: in exported pages, in a site, in every answer of the engine."""

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
from tests.browser.sites import WAY, Server
from tests.browser.test_engine import equal
from tests.browser.test_page_engine import LEVELS, NOT_TIED, difference, projection
from zfwidgets.widgets.core.spoken import class_name
from zfwidgets.widgets.core.strings import table

READY = "() => document.documentElement.dataset.engine === 'ready'"
PANE = f"(n) => ({READ_CANVAS})(document.querySelectorAll('.zf-pane-picture')[n])"
TITLE = "() => document.querySelector('.zf-projection-title')?.textContent"
CLASSES = "() => [...document.querySelectorAll('.zf-guess bdi')].map((e) => e.textContent)"
KEPT = "() => document.documentElement.dataset.kept === 'kept'"
LANGUAGE = "() => document.documentElement.lang"
CHOSEN = "() => document.querySelector('[role=option][aria-selected=true]')?.dataset.id"
SETTLED = """() => ['channel-browser', 'projection-view', 'inspector-head'].every((part) =>
  !document.querySelector(`.zf-${part} :is([aria-busy=true], [data-busy=true])`))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("firefox")) as running:
        yield running


@pytest.fixture
def visitor(browser: Firefox) -> Iterator[Tab]:
    """A page that may ask a server."""
    page = browser.new_tab()
    yield page
    assert page.complaints() == []
    page.close()


@pytest.fixture
def tab(visitor: Tab) -> Iterator[Tab]:
    """A page that may not."""
    yield visitor
    assert visitor.asked() == []


def pane(tab: Tab, number: int) -> Pixels:
    """0 the photo, 1 the projection, as they are drawn."""
    png = base64.b64decode(tab.evaluate(PANE, number).partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A photo that no page has."""
    path = tmp_path / "mountains.png"
    zf.sample("mountains").open().crop((20, 0, 420, 300)).save(path)
    return path


def uploads(tab: Tab, net: zf.DeconvNet, mine: Path) -> None:
    """A photo of one's own is seen, named and sent back as Python does."""
    recording = net.record(mine)
    second = int(recording.strongest("conv5").value.argsort()[-2])  # the page begins with the best
    before = pane(tab, 1)
    tab.choose_files(".zf-image-picker input[type=file]", mine)
    tab.until(f"() => ({CHOSEN})() === 'mountains.png' && ({SETTLED})()")
    seen = recording.seen()[0]
    assert pane(tab, 0).shape == seen.shape
    assert difference(pane(tab, 0), seen).max() <= 1
    language = tab.evaluate(LANGUAGE)
    names = [class_name(label, language) for label, _ in recording.top_classes()[0]]
    assert tab.evaluate(CLASSES) == names

    tab.click(f'[data-channel="{second}"]')
    title = table("projection-view", language)["title"].format(layer="conv5", channel=second)
    tab.until(f"() => ({TITLE})() === '{title}' && ({SETTLED})()")
    expected = projection(recording, "conv5", second)
    found = pane(tab, 1)
    assert found.shape == expected.shape
    assert float((difference(found, expected) <= LEVELS).mean()) > NOT_TIED
    assert not np.array_equal(found, before)


def test_a_photo_of_ones_own_and_its_projection_are_those_of_python(
    tab: Tab, net: zf.DeconvNet, computing: zf.SavedPage, mine: Path, screenshots: Path
) -> None:
    """The page lies on the disk, there is no network, and the photo is none of the page's."""
    tab.goto(computing.path.as_uri())
    tab.until(READY)
    uploads(tab, net, mine)
    tab.screenshot(screenshots / "page-engine-firefox.png")


# -------------------------------------------------------------------------------------- a site


def test_on_a_server_a_site_computes_and_asks_for_its_own_files_alone(
    visitor: Tab, site: zf.SavedSite, site_server: Server, net: zf.DeconvNet, mine: Path
) -> None:
    """Some folders below the server's root."""
    visitor.goto(site_server.home)
    visitor.until(READY)
    visitor.until(KEPT)
    before = len(site_server.asked)
    uploads(visitor, net, mine)
    assert len(site_server.asked) == before
    assert set(site_server.asked) <= {f"/{WAY}/{name}" for name in (*site.files, "")}
    assert [url for url in visitor.asked() if not url.startswith(site_server.home)] == []


def test_after_one_visit_a_site_opens_and_computes_without_a_connection(
    visitor: Tab, site_server: Server, net: zf.DeconvNet, mine: Path, screenshots: Path
) -> None:
    """The page in the other language, which nobody has looked at before."""
    visitor.goto(site_server.home)
    visitor.until(KEPT)
    site_server.stop()
    visitor.goto(f"{site_server.home}ko/index.html")
    visitor.until(READY)
    assert visitor.evaluate(LANGUAGE) == "ko"
    uploads(visitor, net, mine)
    visitor.screenshot(screenshots / "site-firefox.png")


def test_from_a_disk_a_site_computes(
    tab: Tab, site: zf.SavedSite, net: zf.DeconvNet, mine: Path
) -> None:
    tab.goto((site.folder / "index.html").as_uri())
    tab.until(READY)
    tab.until("() => document.documentElement.dataset.kept === 'from_disk'")
    uploads(tab, net, mine)


# ---------------------------------------------------------------------------------- the engine


@pytest.mark.parametrize("name", ["zfnet", "traps"])
def test_every_answer_is_that_of_python(tab: Tab, tmp_path: Path, name: str) -> None:
    equal(PageEngine(tab, tmp_path), name)


def test_what_a_script_of_the_page_throws_is_told(browser: Firefox) -> None:
    tab = browser.new_tab()
    tab.goto("about:blank")
    with pytest.raises(FirefoxError, match="no such layer"):
        tab.evaluate("() => { throw new Error('no such layer'); }")
    tab.close()
