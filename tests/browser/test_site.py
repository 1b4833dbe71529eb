"""A site that `zf.site` wrote: on a plain web server, without a connection, and from a disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

import zfwidgets as zf
from tests.browser.pictures import take
from tests.browser.sites import Server
from tests.browser.test_accessibility import findings
from tests.browser.test_page_engine import PATIENCE, Computing, like, projection
from tests.browser.waiting import until


@pytest.fixture
def saved(site: zf.SavedSite) -> zf.SavedSite:
    return site


@pytest.fixture
def server(site_server: Server) -> Server:
    return site_server


class Visitor(Computing):
    """A browser of its own at an address of the site."""

    def __init__(
        self, chromium: Browser, address: str, home: str, *, becomes: str = "ready", **options: Any
    ) -> None:
        self.home = (home, "blob:", "data:")
        self.visit(chromium, address, **options)
        self.state(becomes)

    def kept(self, how: str) -> None:
        expect(self.page.locator(f"html[data-kept={how}]")).to_be_attached(timeout=PATIENCE)

    def leave(self) -> None:
        assert self.complaints == []
        assert self.asked == []
        self.page.context.close()


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A photo that the site does not have."""
    path = tmp_path / "my holiday.png"
    zf.sample("mountains").open().crop((20, 0, 420, 300)).save(path)
    return path


def uploads(visitor: Visitor, net: zf.DeconvNet, mine: Path) -> None:
    """The visitor's own photo is computed as Python computes it."""
    recording = net.record(mine)
    visitor.upload(mine)
    visitor.shows_photo(recording.seen()[0])
    visitor.settled()
    assert visitor.classes() == [label for label, _ in recording.top_classes()[0]]
    best = int(recording.strongest("conv5").value.argmax())
    visitor.click_channel(best)
    visitor.title(f"conv5 · channel {best}")
    like(visitor, projection(recording, "conv5", best), "the projection is Python's")


def test_from_a_disk_it_computes_a_photo_of_ones_own(
    chromium: Browser, saved: zf.SavedSite, net: zf.DeconvNet, mine: Path
) -> None:
    address = (saved.folder / "index.html").as_uri()
    visitor = Visitor(chromium, address, saved.folder.as_uri(), offline=True)
    visitor.kept("from_disk")
    uploads(visitor, net, mine)
    visitor.leave()


def test_on_a_server_it_computes_and_asks_for_its_own_files_alone(
    chromium: Browser, saved: zf.SavedSite, server: Server, net: zf.DeconvNet, mine: Path
) -> None:
    visitor = Visitor(chromium, server.home, server.home)
    visitor.kept("kept")
    before = len(server.asked)
    uploads(visitor, net, mine)
    assert len(server.asked) == before
    files = {f"/class%203b/nets/{name}" for name in (*saved.files, "")}
    assert set(server.asked) <= files
    visitor.leave()


def test_after_one_visit_all_pages_open_without_a_connection(
    chromium: Browser, server: Server, net: zf.DeconvNet, mine: Path
) -> None:
    visitor = Visitor(chromium, server.home, server.home)
    visitor.kept("kept")
    server.stop()
    visitor.page.get_by_role("link", name="한국어").click()
    expect(visitor.page.locator("html[lang=ko]")).to_be_attached()
    visitor.state("ready")
    assert visitor.page.url == f"{server.home}ko/index.html"
    expect(visitor.page.locator(".zf-page-kept")).to_contain_text("연결 없이도")
    recording = net.record(mine)
    visitor.picker.locator("input[type=file]").set_input_files(mine)
    visitor.shows_photo(recording.seen()[0])
    visitor.page.goto(server.home)
    visitor.state("ready")
    visitor.leave()


def test_large_files_of_one_page_are_kept_when_it_was_opened(
    chromium: Browser, saved: zf.SavedSite, server: Server
) -> None:
    (gallery,) = (name for name in saved.files if "/gallery-" in name)
    (alexnet,) = (name for name in saved.files if "/alexnet-weights-" in name)
    visitor = Visitor(chromium, server.home, server.home)
    visitor.kept("kept")
    (compare,) = (name for name in saved.files if "/two-compare-" in name)
    large = (gallery, alexnet, compare)
    assert not any(name in asked for asked in server.asked for name in large)
    visitor.page.goto(f"{server.home}compare.html")
    visitor.state("ready")
    visitor.kept("kept")
    assert sum(alexnet in asked for asked in server.asked) == 1
    visitor.page.goto(f"{server.home}exemplars.html")
    visitor.state("ready")
    visitor.kept("kept")
    server.stop()
    for name in ("compare", "exemplars"):
        visitor.page.goto(f"{server.home}{name}.html")
        visitor.state("ready")
    visitor.page.context.close()


def test_what_arrives_damaged_is_said_and_not_kept(
    chromium: Browser, saved: zf.SavedSite, tmp_path: Path
) -> None:
    folder = tmp_path / "copied"
    shutil.copytree(saved.folder, folder)
    (weights,) = (folder / "files").glob("zfnet-weights-*.js")
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] = ord("A") if data[len(data) // 2] != ord("A") else ord("B")
    weights.write_bytes(data)
    server = Server(tmp_path, "copied")
    visitor = Visitor(chromium, server.home, server.home, becomes="failed")
    alert = visitor.page.locator(".zf-inspector-head [role=alert]")
    expect(alert).to_contain_text("damaged")
    visitor.kept("not_kept")
    weights.unlink()
    visitor.page.reload()
    visitor.state("failed")
    expect(alert).to_contain_text("could not be read. Reload the page")
    visitor.wait_for_layer("conv5")  # what was recorded is there
    visitor.page.context.close()
    server.stop()


def test_the_square_hides_parts_of_a_photo(
    chromium: Browser, saved: zf.SavedSite, net: zf.DeconvNet
) -> None:
    address = (saved.folder / "index.html").as_uri()
    visitor = Visitor(chromium, address, saved.folder.as_uri(), offline=True)
    visitor.page.get_by_role("link", name="hide parts").click()
    visitor.state("ready")
    view = visitor.page.locator(".zf-occlusion-view")
    best = net.record(zf.sample("cat").open()).top_classes()[0][0][0]
    expect(view).to_contain_text(best, timeout=PATIENCE)
    visitor.leave()


def test_the_way_back_is_gone_step_by_step(chromium: Browser, saved: zf.SavedSite) -> None:
    address = (saved.folder / "ko/index.html").as_uri()
    visitor = Visitor(chromium, address, saved.folder.as_uri(), offline=True)
    visitor.page.get_by_role("link", name="한 단계씩").click()
    visitor.state("ready")
    until(visitor.page, "zfKernel.models.get('steps').get('_plan').epoch > 2 ** 30")
    visitor.page.get_by_role("button", name="다음 단계").click()
    expect(visitor.page.locator(".zf-steps-view .zf-maps").first).to_be_visible()
    visitor.leave()


def test_the_camera_is_looked_through(chromium: Browser, saved: zf.SavedSite) -> None:
    address = (saved.folder / "live.html").as_uri()
    visitor = Visitor(
        chromium, address, saved.folder.as_uri(), offline=True, permissions=["camera"]
    )
    view = visitor.page.locator(".zf-live-view")
    view.get_by_role("button", name="Start camera").click()
    expect(view.locator(".zf-live-status")).to_contain_text("frames/s", timeout=PATIENCE)
    visitor.leave()


@pytest.fixture(scope="module", params=["index.html", "ko/index.html"])
def seen(
    request: pytest.FixtureRequest, chromium: Browser, site: zf.SavedSite
) -> Iterator[tuple[str, Visitor]]:
    """A page that is only looked at: its name in pictures, and who looks."""
    address = (site.folder / request.param).as_uri()
    visitor = Visitor(chromium, address, site.folder.as_uri())
    yield request.param.replace("/", "-").removesuffix(".html"), visitor
    visitor.page.context.close()


@pytest.mark.parametrize(
    ("scheme", "width"),
    [("light", 1920), ("light", 1400), ("dark", 1400), ("light", 390), ("dark", 390)],
)
def test_screenshots(seen: tuple[str, Visitor], screenshots: Path, scheme: Any, width: int) -> None:
    name, visitor = seen
    visitor.page.emulate_media(color_scheme=scheme)
    visitor.page.set_viewport_size({"width": width, "height": 1000})
    visitor.settled()
    visitor.wait_for_layer("conv5")
    path = screenshots / f"site-{name}-{scheme}-{width}.png"
    take(visitor.page, path, whole=True)
    assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visitor.complaints == []
    assert findings(visitor.page) == []
    visitor.complaints.clear()  # the audit asks for style sheets in a way that is refused
