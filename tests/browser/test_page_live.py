"""The camera in a page without Python: what is seen, mapped and projected is Python's."""

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
from zfwidgets.widgets.live_view.frames import Looker

PATIENCE = 60_000
LEVELS = 2
NOT_TIED = 0.999
"""Share of pixels: where two places of a pooling window hold the same but for rounding, a signal
may take the other one."""

#: One frame, as the widget sends it; what is told, and the pictures as base64.
FRAME = """frame => new Promise(done => {
    const model = zfKernel.models.get("live");
    const id = 2 ** 40 + Math.floor(Math.random() * 2 ** 30);
    const text = view => btoa(Array.from(
        new Uint8Array(view.buffer, view.byteOffset, view.byteLength),
        byte => String.fromCharCode(byte)).join(""));
    const heard = (message, buffers) => {
        if (message.id !== id) return;
        model.off("msg:custom", heard);
        done([message, buffers.map(text)]);
    };
    model.on("msg:custom", heard);
    const bytes = Uint8Array.from(atob(frame), letter => letter.charCodeAt(0));
    model.send({ v: 1, id, epoch: 0, op: "frame" }, undefined, [bytes.buffer]);
})"""


@pytest.fixture(scope="module")
def saved(net: zf.DeconvNet, tmp_path_factory: pytest.TempPathFactory) -> zf.SavedPage:
    view = zf.LiveView(net, layer="conv5")
    saved = view.to_html(tmp_path_factory.mktemp("live") / "page.html")
    view.close()
    assert saved.size < 12e6
    return saved


@pytest.fixture(scope="module")
def page(chromium: Browser, saved: zf.SavedPage) -> Iterator[Page]:
    """The page from the disk, without a network; it may use the fake camera."""
    page = conftest.new_page(chromium, offline=True, permissions=["camera"])
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(saved.path.as_uri())
    expect(page.locator("html[data-engine=ready]")).to_be_attached(timeout=PATIENCE)
    yield page
    assert complaints == []
    page.context.close()


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def test_a_frame_is_mapped_and_projected_as_python_does(page: Page, net: zf.DeconvNet) -> None:
    square = zf.sample("raccoon").open().crop((60, 20, 284, 244))
    assert square.size == (224, 224)
    frame = Looker(net).look(png(square), "conv5")
    told, pictures = page.evaluate(FRAME, base64.b64encode(png(square)).decode())
    assert told["ok"]
    assert (told["channel"], told["row"], told["col"]) == (frame.channel, frame.row, frame.col)
    assert told["shape"] == list(frame.levels.shape)
    assert tuple(told["box"]) == frame.box
    levels, projection, strengths = map(base64.b64decode, pictures)
    assert np.allclose(np.frombuffer(strengths, "<f4"), frame.strengths, rtol=1e-3, atol=1e-4)
    shown = np.frombuffer(levels, np.uint8).reshape(frame.levels.shape)
    assert np.abs(shown.astype(int) - frame.levels).max() <= LEVELS
    picture = np.asarray(Image.open(io.BytesIO(projection)).convert("RGB"))
    close = np.abs(picture.astype(int) - frame.projection) <= LEVELS
    assert close.mean() > NOT_TIED


def test_maps_larger_than_can_be_shown_are_shrunk_as_python_does(
    page: Page, net: zf.DeconvNet
) -> None:
    square = zf.sample("raccoon").open().crop((60, 20, 284, 244))
    page.locator(".zf-live-view select").select_option("conv1")
    frame = Looker(net).look(png(square), "conv1")
    told, pictures = page.evaluate(FRAME, base64.b64encode(png(square)).decode())
    shown = np.frombuffer(base64.b64decode(pictures[0]), np.uint8).reshape(told["shape"])
    assert shown.shape == frame.levels.shape
    assert np.abs(shown.astype(int) - frame.levels).max() <= LEVELS


def test_the_camera_is_looked_through_frozen_and_let_go_of(page: Page, screenshots: Path) -> None:
    page.locator(".zf-live-view select").select_option("conv5")
    page.get_by_role("button", name="Start camera").click()
    status = page.locator(".zf-live-status")
    expect(status).to_contain_text("frames/s", timeout=PATIENCE)
    assert page.locator(".zf-live-view .zf-alert:visible").count() == 0
    shades: Any = page.locator(".zf-live-maps").evaluate(
        """canvas => {
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return new Set(data.filter((_, n) => n % 4 === 0)).size;
        }"""
    )
    assert shades > 20, "maps are drawn"
    print("camera:", status.inner_text())
    page.get_by_role("button", name="Freeze").click()
    expect(page.locator(".zf-live-view[data-mode=frozen]")).to_be_visible()
    caption = page.locator(".zf-live-pair figcaption").last
    page.locator(".zf-live-view select").select_option("conv3")
    expect(caption).to_contain_text("conv3", timeout=PATIENCE)
    assert findings(page, ".zf-live-view") == []
    take(page, screenshots / "page-live.png", whole=True)
    page.get_by_role("button", name="Stop camera").click()
    until(page, "document.querySelector('video').srcObject === null")
