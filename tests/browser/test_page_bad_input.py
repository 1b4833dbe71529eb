"""What a page with the engine does with what it cannot do: it says so, and what was there stays."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

import zfwidgets as zf
from tests.browser.test_export import Opened
from tests.browser.test_page_engine import PATIENCE, Computing, difference, projection
from zfwidgets.widgets.core.strings import table

MOST_PIXELS = 16e6
"""Of a photo in the page's memory, whatever the file has."""

COUNT = """
    window.decodedPixels = [];
    const decode = window.createImageBitmap;
    window.createImageBitmap = async (...some) => {
        const bitmap = await decode(...some);
        window.decodedPixels.push(bitmap.width * bitmap.height);
        return bitmap;
    };
"""


@pytest.fixture
def opened(chromium: Browser, computing: zf.SavedPage) -> Iterator[Computing]:
    page = Computing(chromium, computing)
    page.page.evaluate(f"() => {{ {COUNT} }}")
    yield page
    page.page.context.close()


def test_a_huge_photo_is_decoded_no_larger_than_it_is_needed(
    opened: Computing, net: zf.DeconvNet, tmp_path: Path
) -> None:
    side = 7_000
    path = tmp_path / "poster.png"
    Image.linear_gradient("L").rotate(90).resize((side, side)).save(path, compress_level=1)
    opened.upload(path)
    opened.until(lambda: opened.chosen_photo() == "poster.png", "the photo is taken")
    opened.settled()
    sizes = opened.page.evaluate("decodedPixels")
    assert sizes
    assert max(sizes) <= MOST_PIXELS < side * side
    seen = net.record(path).seen()[0]
    opened.until(
        lambda: (
            opened.pane(0).shape == seen.shape and int(difference(opened.pane(0), seen).max()) <= 4
        ),
        "the photo is the input",
    )


def test_a_photo_that_claims_to_be_larger_than_memory_is_refused(
    opened: Computing, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.png"
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(180_001))), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
        )
    )
    before = opened.pane(0)
    opened.upload(path)
    expect(opened.notices).to_contain_text("bomb.png cannot be read", timeout=PATIENCE)
    assert opened.chosen_photo() == "cat"
    assert np.array_equal(opened.pane(0), before)
    sizes = opened.page.evaluate("decodedPixels")
    assert all(pixels <= MOST_PIXELS for pixels in sizes)


def test_a_camera_that_is_refused_is_said_and_the_photo_stays(
    refusing: Browser, computing: zf.SavedPage
) -> None:
    opened = Computing(refusing, computing)
    before = opened.pane(0)
    opened.picker.get_by_role("button", name="Camera").click()
    expect(opened.picker.get_by_role("alert")).to_contain_text("camera", ignore_case=True)
    expect(opened.picker.locator(".zf-snapshot")).to_be_hidden()
    assert opened.chosen_photo() == "cat"
    assert np.array_equal(opened.pane(0), before)
    opened.page.context.close()


def test_memory_that_is_refused_is_said_and_what_was_recorded_stays(
    chromium: Browser, computing: zf.SavedPage, net: zf.DeconvNet, tmp_path: Path
) -> None:
    """The kernels' memory cannot grow, as on a phone that has no more."""
    text = computing.path.read_text(encoding="utf-8")
    poor = tmp_path / "poor.html"
    poor.write_text(text.replace("memory.grow(", "memory.refused("), "utf-8")
    assert poor.stat().st_size != computing.size
    opened = Opened(chromium, zf.SavedPage(poor, 0, "", (), (), (), {}))
    expect(opened.page.locator("html[data-engine=failed]")).to_be_attached(timeout=PATIENCE)
    alert = opened.page.locator(".zf-inspector-head [role=alert]")
    expect(alert).to_contain_text("refused the engine")
    expect(alert).to_contain_text("Close other pages")
    recording = net.record(zf.sample("cat").open())
    best = int(recording.strongest("conv5").value.argmax())
    expected = projection(recording, "conv5", best)
    opened.until(lambda: np.array_equal(opened.pane(1), expected), "what was recorded is there")
    opened.page.context.close()


@pytest.fixture(scope="module")
def korean(net: zf.DeconvNet, tmp_path_factory: pytest.TempPathFactory) -> zf.SavedPage:
    path = tmp_path_factory.mktemp("korean") / "page.html"
    return zf.to_html(net, path, photos=["cat"], engine=True, locale="ko", progress=False)


@pytest.mark.parametrize(
    ("key", "sound", "broken"),
    [
        ("simd", "WebAssembly.validate(", "((_) => false)("),
        ("memory", "memory.grow(", "memory.refused("),
        ("damaged_packing", 'id="zf-weights">e', 'id="zf-weights">A'),
    ],
)
def test_a_korean_page_says_in_korean_why_it_does_not_compute(
    chromium: Browser, korean: zf.SavedPage, tmp_path: Path, key: str, sound: str, broken: str
) -> None:
    text = korean.path.read_text(encoding="utf-8")
    assert sound in text
    path = tmp_path / "broken.html"
    path.write_text(text.replace(sound, broken), "utf-8")
    opened = Opened(chromium, zf.SavedPage(path, 0, "", (), (), (), {}))
    expect(opened.page.locator("html[data-engine=failed]")).to_be_attached(timeout=PATIENCE)
    alert = opened.page.locator(".zf-inspector-head [role=alert]")
    said = re.escape(table("page-engine", "ko")[key]).replace(r"\{megabytes\}", r"\d+")
    expect(alert).to_contain_text(re.compile(said))
    expect(alert).to_contain_text(table("export", "ko")["engine_title"])
    opened.page.context.close()
