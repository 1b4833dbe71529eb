"""An exported page inside of an article: a notebook made into HTML, a module, a frame."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, FrameLocator, Page, expect

import zfwidgets as zf
from tests.browser import conftest
from tests.browser.pixels import on_canvas
from zfwidgets.widgets.export.frame import LISTEN

OPTIONS: dict[str, Any] = {"channels": 4, "progress": False}

# As the directive of MyST has it: the module's element is in a shadow tree, its model is JSON.
ARTICLE = """<!doctype html><html lang="en"><title>An article</title><body><h1>An article</h1>
<div id="one"></div><div id="two"></div><script type="module">
import figure from "./figures/cat.mjs";
function model(state) {
  const heard = {};
  return {
    state,
    get: (key) => state[key],
    set: (key, value) => { state[key] = value; (heard[`change:${key}`] ?? []).map((f) => f()); },
    on: (event, f) => (heard[event] ??= []).push(f),
  };
}
function show(id, state) {
  const el = document.createElement("div");
  document.getElementById(id).attachShadow({ mode: "open" }).append(el);
  const made = model(state);
  return { made, end: figure.render({ model: made, el }) };
}
window.one = show("one", { state: "#layer=conv2&channel=CHANNEL" });
window.two = show("two", { parts: ["view"] });
</script></body></html>"""

FRAME = """<!doctype html><html lang="en"><title>Framed</title><body>
<iframe src="figures/cat.html#layer=conv2" title="ZFNet" sandbox="allow-scripts" width="100%"
 height="150" onload="LISTEN"></iframe></body></html>"""


@pytest.fixture(scope="module")
def inspector() -> Iterator[zf.Inspector]:
    """Of a photo, with another channel than the strongest."""
    net = zf.load("zfnet", device="cpu")
    made = zf.Inspector(net, image="cat", state="#layer=conv5&channel=70", inline=True)
    yield made
    made.close()


@pytest.fixture(scope="module")
def second(inspector: zf.Inspector) -> int:
    """A channel of conv2 that the page has."""
    return int(inspector.recording.strongest("conv2").value.argmax())


@pytest.fixture(scope="module")
def site(
    inspector: zf.Inspector, second: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server of an author's folder: two articles, a module and its page."""
    folder = tmp_path_factory.mktemp("articles")
    (folder / "figures").mkdir()
    inspector.to_module(folder / "figures" / "cat.mjs", layers=("conv2", "conv5"), **OPTIONS)
    (folder / "article.html").write_text(ARTICLE.replace("CHANNEL", str(second)))
    (folder / "frame.html").write_text(FRAME.replace("LISTEN", LISTEN))
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and writes no log."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

    def log_message(self, *_told: object) -> None:
        """Nothing."""


def title(frame: FrameLocator, text: str) -> None:
    """The projection in the frame is that of this neuron."""
    expect(frame.locator(".zf-projection-title").first).to_contain_text(text)


def grown(page: Page, selector: str) -> None:
    """The frame is as tall as the page in it: nothing in it scrolls, and little is left over."""
    measure = "document.documentElement.scrollHeight - document.body.scrollHeight"
    frame = page.locator(selector)
    expect(frame).not_to_have_css("height", "900px")
    expect(frame).not_to_have_css("height", "150px")
    inside = frame.element_handle().content_frame()
    assert inside is not None
    assert abs(inside.evaluate(measure)) < 12
    assert inside.evaluate("innerHeight >= document.body.scrollHeight")


def test_a_notebook_made_into_html_is_explorable_from_the_disk(
    chromium: Browser, inspector: zf.Inspector, tmp_path: Path
) -> None:
    static = inspector.render_static(layers=("conv5",), **OPTIONS)
    cell = nbformat.v4.new_code_cell("inspector.render_static()", execution_count=1)
    bundle = static._repr_mimebundle_()
    cell.outputs = [nbformat.v4.new_output("execute_result", bundle, execution_count=1)]
    text, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    (tmp_path / "notebook.html").write_text(text, encoding="utf-8")
    page = conftest.new_page(chromium)
    page.context.set_offline(True)
    page.goto((tmp_path / "notebook.html").as_uri(), wait_until="domcontentloaded")
    frame = page.frame_locator(".zf-static > iframe")
    title(frame, "conv5 · channel 70")
    grown(page, ".zf-static > iframe")
    assert frame.get_by_role("button", name="Copy link").count() == 0
    recording = inspector.recording
    best = int(recording.strongest("conv5").value.argmax())
    frame.locator(f'.zf-channel-browser [data-channel="{best}"]').click()
    title(frame, f"conv5 · channel {best}")
    expected = recording.project(recording.strongest("conv5", [best])).to_images(canvas=True)[0]
    assert np.array_equal(on_canvas(frame.locator(".zf-pane-picture").nth(1)), expected)
    for text in ("MIT License", "10.1007/978-3-319-10590-1_53", "Stéfan van der Walt"):
        expect(frame.locator(".zf-page-facts")).to_contain_text(text)
    picture = page.locator(".zf-static > img")
    expect(picture).to_be_hidden()
    page.emulate_media(media="print")
    expect(page.locator(".zf-static > iframe")).to_be_hidden()
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 300")
    expect(page.locator(".zf-static > figcaption")).to_contain_text("zfnet (weights")
    page.context.close()


def test_a_module_shows_the_neuron_of_its_state_and_says_where_it_goes(
    page: Page, site: str, inspector: zf.Inspector, second: int
) -> None:
    page.goto(f"{site}/article.html")
    frame = page.frame_locator("#one iframe")
    title(frame, f"conv2 · channel {second}")
    grown(page, "#one iframe")
    page.evaluate("one.made.set('state', '#layer=conv5&channel=70')")
    title(frame, "conv5 · channel 70")
    best = int(inspector.recording.strongest("conv5").value.argmax())
    frame.locator(f'.zf-channel-browser [data-channel="{best}"]').click()
    page.wait_for_function(f"one.made.state.state.includes('layer=conv5&channel={best}')")
    other = page.frame_locator("#two iframe")
    title(other, "conv5 · channel 70")
    expect(other.locator(".zf-channel-browser")).to_be_hidden()
    expect(other.locator(".zf-page-title")).to_be_hidden()
    expect(other.locator(".zf-page-facts")).to_be_visible()
    page.evaluate("one.end()")
    expect(page.locator("#one iframe")).to_have_count(0)


def test_a_module_that_stands_alone_needs_no_file_beside_it(
    page: Page, inspector: zf.Inspector, tmp_path: Path, second: int
) -> None:
    saved = inspector.to_module(tmp_path / "alone.mjs", alone=True, layers=("conv2",), **OPTIONS)
    assert saved.page is None
    assert saved.size == saved.module.stat().st_size
    state = f'{{"state": "#layer=conv2&channel={second}"}}'
    page.set_content("<div id=here></div>")
    page.evaluate(
        """async ([text, state]) => {
            const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
            const { default: figure } = await import(address);
            const said = JSON.parse(state);
            const model = { get: (key) => said[key], set() {}, on() {} };
            figure.render({ model, el: document.querySelector("#here") });
        }""",
        [saved.module.read_text("utf-8"), state],
    )
    title(page.frame_locator("#here iframe"), f"conv2 · channel {second}")


def test_a_frame_becomes_as_tall_as_its_page(page: Page, site: str, second: int) -> None:
    page.goto(f"{site}/frame.html")
    frame = page.frame_locator("iframe")
    title(frame, f"conv2 · channel {second}")
    grown(page, "iframe")
    before = page.locator("iframe").bounding_box()
    page.set_viewport_size({"width": 500, "height": 900})
    assert before is not None
    page.wait_for_function(
        f"document.querySelector('iframe').offsetHeight > {before['height'] + 100}"
    )
    grown(page, "iframe")
