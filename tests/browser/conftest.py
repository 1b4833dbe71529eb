"""A real Chromium, a real JupyterLab, a real Voila; one of each for all browser tests."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

import zfwidgets as zf
from tests.browser import hosts
from tests.browser.sites import WAY, Server

#: The first of them is Chromium without a window; the others open one for each page, unseen.
CHROMIUM_NAMES = (
    "chromium-headless-shell",
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
)
KERNEL_LIMIT = 120_000  # ms; importing torch on two busy cores is what takes long
WINDOW: ViewportSize = {"width": 1400, "height": 1000}
SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--renderer-process-limit=1",  # for each context
    "--use-fake-device-for-media-stream",  # a camera that shows a moving pattern
    "--use-fake-ui-for-media-stream",  # and somebody who allows it
]
#: Run in the kernel after a notebook: nothing of it goes on, and none of its names is left.
EMPTY = """
import ipywidgets
ipywidgets.Widget.close_all()
get_ipython().run_line_magic("reset", "-f")
"""
Notebook = Callable[..., Page]

expect.set_options(timeout=30_000)


#: What Playwright says when a browser did not get there within its 30 seconds.
LATE = ["TimeoutError", "Locator expected", "Page expected"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a browser test.

    On two busy cores a browser comes too late once in some thousand times: such a test, and no
    other, is run again once, and the summary says which (R).
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=LATE))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    """A failed test leaves a picture of what was on the screen."""
    report = yield
    chromium = getattr(item, "funcargs", {}).get("chromium")
    if report.failed and chromium is not None:
        pages = [page for context in chromium.contexts for page in context.pages]
        for number, page in enumerate(pages):
            page.screenshot(path=SCREENSHOTS / f"failed-{file_name(item.name)}-{number}.png")
    return report


def chromium_path() -> str:
    """The system's Chromium; a missing one fails the tests, for a skipped test proves nothing."""
    named = os.environ.get("ZF_CHROMIUM")
    path = named or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path is None:
        pytest.fail(
            f"no Chromium: looked for {', '.join(CHROMIUM_NAMES)}; "
            "`apt-get install chromium`, or set ZF_CHROMIUM to its path"
        )
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests."""
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def refusing(chromium: Browser) -> Iterator[Browser]:
    """A Chromium whose owner does not allow the camera."""
    flags = [*FLAGS, "--use-fake-ui-for-media-stream=deny"]
    browser = chromium.browser_type.launch(executable_path=chromium_path(), args=flags)
    yield browser
    browser.close()


def new_page(chromium: Browser, **options: Any) -> Page:
    """A fresh page of 1400 px that never animates."""
    options = {"viewport": WINDOW, "reduced_motion": "reduce", **options}
    return chromium.new_context(**options).new_page()


@cache
def context_of(chromium: Browser, *permissions: str) -> BrowserContext:
    """One for all pages that leave it as it is: the process that they live in is started once."""
    # Its own page stays, for that process ends with the last page.
    return new_page(chromium, permissions=list(permissions) or None).context


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A fresh page for one test, which leaves its context as it is."""
    page = context_of(chromium).new_page()
    yield page
    page.close()


@pytest.fixture
def camera(chromium: Browser) -> Iterator[Page]:
    """The same, and it may use the fake camera."""
    page = context_of(chromium, "camera").new_page()
    yield page
    page.close()


@pytest.fixture
def apart(chromium: Browser) -> Iterator[Page]:
    """A fresh page in a context of its own, with which a test may do what it likes."""
    page = new_page(chromium)
    yield page
    page.context.close()


def file_name(text: str) -> str:
    """A test's name as the name of a file."""
    return re.sub(r"[^\w.-]+", "_", text)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hosts.Host]:
    """One JupyterLab for all tests; each test brings its own notebook."""
    folder = tmp_path_factory.mktemp("lab")
    with hosts.lab(folder, tmp_path_factory.mktemp("lab-home")) as host:
        yield host


@pytest.fixture(scope="session")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hosts.Host]:
    """One Voila over an empty folder; each test brings its own notebook."""
    folder = tmp_path_factory.mktemp("voila")
    with hosts.voila(folder, tmp_path_factory.mktemp("voila-home")) as host:
        yield host


@pytest.fixture(scope="session")
def net() -> zf.DeconvNet:
    """ZFNet in the test's own process; its way back is checked once for all tests."""
    return zf.load("zfnet", device="cpu")


@pytest.fixture(scope="session")
def computing(net: zf.DeconvNet, tmp_path_factory: pytest.TempPathFactory) -> zf.SavedPage:
    """A page with ZFNet's engine; two photos, of which the first is recorded."""
    path = tmp_path_factory.mktemp("computing") / "page.html"
    return zf.to_html(net, path, photos=["cat", "dogs"], engine=True, progress=False)


@pytest.fixture(scope="session")
def telling() -> int:
    """The channel of ZFNet's conv5 that says most clearly what excites it, whatever was learned."""
    said = zf.concepts(zf.exemplars("zfnet", layer="conv5", k=50)).channels
    return max((words[0].lift, channel) for channel, words in said.items() if words)[1]


@pytest.fixture
def site_server(site: zf.SavedSite) -> Iterator[Server]:
    """That site on a plain web server of a test's own."""
    server = Server(site.folder.parents[1], WAY)
    yield server
    server.stop()


@pytest.fixture(scope="session", autouse=True)
def screenshots() -> Path:
    """Where a person finds the pictures afterwards."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook of code cells without outputs."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, path)


@cache
def kernel_of(lab: hosts.Host) -> str:
    """The one kernel of all notebooks in a JupyterLab: importing torch is what takes long."""
    return lab.start_kernel()


def open_in_lab(page: Page, lab: hosts.Host, name: str) -> None:
    """Open a notebook alone on the screen, run all of it, and wait until the kernel rests.

    page: a new one, or one with a JupyterLab in which a notebook was closed.
    """
    lab.attach(name, kernel_of(lab))
    if page.url.startswith(lab.url):
        page.evaluate(
            "async path => { await jupyterapp.commands.execute('docmanager:open', { path }); }",
            name,
        )
    else:
        page.goto(f"{lab.url}/doc/tree/{name}")
    page.wait_for_function(
        """name => {
            const shown = window.jupyterapp?.shell.currentWidget;
            return shown?.context?.path === name && shown.sessionContext.isReady;
        }""",
        arg=name,
    )
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(
        """() => {
            const {model} = jupyterapp.shell.currentWidget.content;
            return [...model.cells].every(c => c.type !== 'code' || c.executionCount !== null);
        }""",
        timeout=KERNEL_LIMIT,
    )


@contextmanager
def notebook(page: Page, lab: hosts.Host, name: str, *cells: str) -> Iterator[Page]:
    """A notebook of these cells alone on the screen, all of them run.

    Afterwards the kernel is left to the next one as if it had just started, and JupyterLab, which
    takes seconds to open, stays open.
    """
    write_notebook(lab.folder / name, *cells)
    page.set_viewport_size(WINDOW)
    open_in_lab(page, lab, name)
    try:
        yield page
    finally:
        leave(page)
        page.evaluate("jupyterapp.shell.currentWidget.dispose()")


def leave(page: Page) -> None:
    """The kernel of the notebook on the screen is as if it had just started."""
    page.evaluate(
        """code => {
            const {kernel} = jupyterapp.shell.currentWidget.sessionContext.session;
            window.emptied = null;
            kernel.requestExecute({code, store_history: false}).done.then(
                reply => { window.emptied = reply.content; });
        }""",
        EMPTY,
    )
    page.wait_for_function("window.emptied")
    assert page.evaluate("emptied.status") == "ok", page.evaluate("emptied.evalue")


@pytest.fixture(scope="session")
def lab_page(chromium: Browser) -> Iterator[Page]:
    """A page for one notebook after the other."""
    page = new_page(chromium)
    yield page
    page.context.close()


@pytest.fixture
def in_lab(lab: hosts.Host, lab_page: Page, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """``in_lab(cell, ...)``: the page of a JupyterLab in which these cells have been run."""
    with ExitStack() as stack:
        name = f"{file_name(request.node.name)}.ipynb"
        yield lambda *cells: stack.enter_context(notebook(lab_page, lab, name, *cells))
