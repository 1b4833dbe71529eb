"""Pictures of a page, for people to look at afterwards."""

from __future__ import annotations

import base64
from pathlib import Path

from playwright.sync_api import Locator, Page


def take(shown: Page | Locator, path: Path, *, whole: bool = False) -> None:
    """Write what is seen as PNG. whole: all of the page, not only what is in its window.

    Chromium compresses it quickly; what Playwright asks for is smaller and takes three times as
    long.
    """
    page = shown if isinstance(shown, Page) else shown.page
    if isinstance(shown, Locator):
        shown.scroll_into_view_if_needed()
    session = page.context.new_cdp_session(page)
    metrics = session.send("Page.getLayoutMetrics")
    window = metrics["cssVisualViewport"]
    left, top, width, height = (
        window[name] for name in ("pageX", "pageY", "clientWidth", "clientHeight")
    )
    clip = {"x": left, "y": top, "width": width, "height": height}
    if whole:
        clip = metrics["cssContentSize"]
    elif isinstance(shown, Locator):
        box = shown.bounding_box()
        assert box is not None
        clip = {**box, "x": left + box["x"], "y": top + box["y"]}
    inside = left <= clip["x"] and clip["x"] + clip["width"] <= left + width
    inside &= top <= clip["y"] and clip["y"] + clip["height"] <= top + height
    asked = {
        "format": "png",
        "optimizeForSpeed": True,
        "clip": {**clip, "scale": 1},
        "captureBeyondViewport": not inside,
    }
    path.write_bytes(base64.b64decode(session.send("Page.captureScreenshot", asked)["data"]))
    session.detach()
