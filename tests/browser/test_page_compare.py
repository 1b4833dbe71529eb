"""Two engines in one page: each side is its own network's, and what goes together is Compare's."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from torch import nn

import zfwidgets as zf
from tests.browser import conftest
from tests.browser.inspector_page import InspectorPage
from tests.browser.pictures import take
from tests.browser.pixels import on_canvas
from tests.browser.test_accessibility import findings
from tests.browser.waiting import until
from zfwidgets.images import Preprocess
from zfwidgets.images.tiles import encode

PATIENCE = 60_000
NETS = ("zfnet", "alexnet")
LEVELS = 2
NOT_TIED = 0.99
"""Share of pixels: where two places of a pooling window hold the same but for rounding, a signal
may take the other one."""


@pytest.fixture(scope="module")
def nets() -> list[zf.DeconvNet]:
    return [zf.load(name, device="cpu") for name in NETS]


@pytest.fixture(scope="module")
def saved(nets: list[zf.DeconvNet], tmp_path_factory: pytest.TempPathFactory) -> zf.SavedPage:
    """The comparison as one file."""
    compare = zf.Compare(*nets, image="cat", layer="conv4")
    path = tmp_path_factory.mktemp("compare") / "page.html"
    saved = compare.to_html(path, photos=["cat", "dogs"], engine=True, progress=False)
    compare.close()
    assert saved.engine
    assert saved.size == path.stat().st_size < 26e6
    return saved


def opened(chromium: Browser, path: Path, **options: Any) -> Page:
    page = conftest.new_page(chromium, offline=True, **options)
    page.goto(path.as_uri())
    expect(page.locator("html[data-engine=ready]")).to_be_attached(timeout=PATIENCE)
    return page


@pytest.fixture(scope="module")
def page(chromium: Browser, saved: zf.SavedPage) -> Iterator[Page]:
    page = opened(chromium, saved.path)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []
    page.context.close()


def side(page: Page, index: int) -> Locator:
    """The left half (0) or the right one (1)."""
    return page.locator(".zf-compare-column").nth(index)


def ranks(recording: Any, layer: str) -> list[int]:
    value = recording.strongest(layer).value
    order: list[int] = value.argsort(descending=True, stable=True).tolist()
    return order


def choose(page: Page, index: int, channel: int) -> None:
    box = side(page, index).get_by_label("go to channel number or name")
    box.fill(str(channel))
    box.press("Enter")
    side(page, index).locator(f'[data-channel="{channel}"]').click()


def shows(page: Page, index: int, recording: Any, layer: str, channel: int) -> None:
    """A side shows this channel of its network, projected as Python does it."""
    found = recording.project(recording.strongest(layer, [channel]))
    expected = found.to_images(canvas=True)[0]
    title = side(page, index).locator(".zf-projection-title")
    expect(title).to_have_text(f"{layer} · channel {channel}", timeout=PATIENCE)

    def there() -> bool:
        mine = on_canvas(side(page, index).locator(".zf-pane-picture").nth(1))
        if mine.shape != expected.shape:
            return False
        far = np.abs(mine.astype(int) - expected.astype(int))
        return float((far <= LEVELS).mean()) > NOT_TIED

    InspectorPage(page).until(there, f"{recording.net.name} shows {layer} {channel}")


def test_the_channel_of_the_same_rank_stands_on_the_other_side(
    page: Page, nets: list[zf.DeconvNet]
) -> None:
    recordings = [net.record(zf.sample("cat").open()) for net in nets]
    orders = [ranks(recording, "conv4") for recording in recordings]
    for chooser, rank in ((0, 3), (1, 5)):
        choose(page, chooser, orders[chooser][rank])
        for index, recording in enumerate(recordings):
            shows(page, index, recording, "conv4", orders[index][rank])


def test_a_layer_leads_to_its_counterpart_and_both_begin_with_their_strongest(
    page: Page, nets: list[zf.DeconvNet]
) -> None:
    side(page, 0).locator('.zf-layer-selector [data-id="conv3"]').click()
    for index, net in enumerate(nets):
        recording = net.record(zf.sample("cat").open())
        shows(page, index, recording, "conv3", ranks(recording, "conv3")[0])


def test_a_photo_of_ones_own_is_seen_by_both(
    page: Page, nets: list[zf.DeconvNet], tmp_path: Path, screenshots: Path
) -> None:
    mine = tmp_path / "mine.png"
    zf.sample("mountains").open().save(mine)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload").click()
    chooser.value.set_files(mine)
    until(page, "zfKernel.models.get('picker').get('value') === 'mine.png'")
    recordings = [net.record(mine) for net in nets]
    for index, recording in enumerate(recordings):
        label = recording.top_classes()[0][0][0]
        guess = side(page, index).locator(".zf-guesses .zf-guess bdi").first
        expect(guess).to_have_text(label, timeout=PATIENCE)
    orders = [ranks(recording, "conv3") for recording in recordings]
    choose(page, 0, orders[0][2])
    for index, recording in enumerate(recordings):
        shows(page, index, recording, "conv3", orders[index][2])
    take(page, screenshots / "page-compare-own.png", whole=True)


def test_the_place_under_the_pointer_is_marked_on_both_sides(page: Page) -> None:
    side(page, 0).locator(".zf-pane-frame").first.hover()
    until(page, "zfKernel.models.get('right.view').get('pointed') !== null")
    pointed = [
        page.evaluate("side => zfKernel.models.get(`${side}.view`).get('pointed')", name)
        for name in ("left", "right")
    ]
    assert pointed[0] == pointed[1]


class Little(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 5, stride=2)
        self.conv2 = nn.Conv2d(8, 14, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        return maps


def as_sent(image: Image.Image) -> Image.Image:
    """A picture that has no file of its own comes along as JPEG."""
    written = encode(np.asarray(image.convert("RGB")), "image/jpeg", quality=95)
    return Image.open(io.BytesIO(written)).convert("RGB")


def test_one_network_on_two_photos_says_which_channels_changed_most(
    chromium: Browser, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    net = zf.DeconvNet(Little().eval(), Preprocess(size=32, resize=32), device="cpu", name="little")
    images = [zf.sample(name).open() for name in ("cat", "dogs")]
    compare = zf.Compare(net, images=images, layer="conv2")
    compare.to_html(tmp_path / "two.html", engine=True, progress=False)
    compare.close()
    assert (tmp_path / "two.html").read_text("utf-8").count('type="text/plain"') == 1
    page = opened(chromium, tmp_path / "two.html")
    until(page, "zfKernel.models.get('compare').get('changed').length === 12")
    changed = page.evaluate("zfKernel.models.get('compare').get('changed')")
    sent = [as_sent(image) for image in images]
    before, after = (net.record(image).strongest("conv2").value for image in sent)
    order = (after - before).abs().argsort(descending=True, stable=True).tolist()
    assert changed[0]["channel"] == order[0]
    assert {one["channel"] for one in changed} == {*order[:12]}
    for one in changed:
        assert one["before"] == pytest.approx(float(before[one["channel"]]), rel=2e-2, abs=2e-3)
        assert one["after"] == pytest.approx(float(after[one["channel"]]), rel=2e-2, abs=2e-3)
    page.locator(f'.zf-changed-list [data-channel="{order[1]}"]').click()
    for index, image in enumerate(sent):
        shows(page, index, net.record(image), "conv2", order[1])
    page.context.close()


@pytest.fixture(scope="module")
def seen(chromium: Browser, saved: zf.SavedPage) -> Iterator[Page]:
    """The page that is only looked at, in light and dark, wide and narrow."""
    page = opened(chromium, saved.path)
    yield page
    page.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1400)])
def test_screenshots(seen: Page, screenshots: Path, scheme: Any, width: int) -> None:
    seen.emulate_media(color_scheme=scheme)
    seen.set_viewport_size({"width": width, "height": 1000})
    for name in ("left", "right"):
        until(seen, "side => zfKernel.models.get(`${side}.view`).get('status') === 'ready'", name)
    expect(seen.locator(".zf-compare [data-busy=true]")).to_have_count(0, timeout=PATIENCE)
    path = screenshots / f"page-compare-{scheme}-{width}.png"
    take(seen, path, whole=True)
    assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(seen) == []
