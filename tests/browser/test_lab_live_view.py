"""LiveView in JupyterLab: frames travel until it is closed."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser import conftest, hosts
from tests.browser.pictures import take
from tests.browser.test_live_view import ON, WATCH

#: Run in the kernel: wait for the frozen recording, then close.
CLOSE = """
import threading
arrived = threading.Event()
live.observe(lambda change: arrived.set(), "recording")
assert live.recording is not None or arrived.wait(60), live.error
assert "conv5" in live.recording.layers
live.close()
"""


def test_frames_travel_until_the_widget_is_closed(
    chromium: Browser, lab: hosts.Host, screenshots: Path
) -> None:
    page = conftest.new_page(chromium, permissions=["camera"])
    show = "import zfwidgets as zf\nlive = zf.LiveView('zfnet', layer='conv2')\nlive"
    with conftest.notebook(page, lab, "live.ipynb", show):
        page.evaluate(WATCH)
        root = page.locator(".zf-live-view")
        root.get_by_role("button", name="Start camera").click()
        status = root.locator(".zf-live-status")
        expect(status).to_contain_text("frames/s", timeout=conftest.KERNEL_LIMIT)

        # Frames that are drawn, seen by the sheet's canvas being painted.
        page.evaluate(
            """() => {
                window.painted = 0;
                const put = CanvasRenderingContext2D.prototype.putImageData;
                CanvasRenderingContext2D.prototype.putImageData = function (...given) {
                    window.painted += 1;
                    return put.apply(this, given);
                };
            }"""
        )
        page.wait_for_function("painted > 5")
        take(page, screenshots / "lab-live.png")

        root.get_by_role("button", name="Freeze").click()
        expect(root).to_have_attribute("data-mode", "frozen")
        assert page.evaluate(ON) == 1
        page.evaluate(
            """async code => {
                const {sessionContext} = jupyterapp.shell.currentWidget;
                window.reply = await sessionContext.session.kernel.requestExecute({code}).done;
            }""",
            CLOSE,
        )
        assert page.evaluate("reply.content.status") == "ok", page.evaluate("reply.content.evalue")
        page.wait_for_function(f"{ON} === 0")
    page.context.close()
