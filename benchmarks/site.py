"""A class opens a site at the same time: what a plain web server sends, and when pages are ready.

    python benchmarks/site.py [--students 30] [--pages 2] [--rounds 5] [--json site.json]

Writes the site (`zfwidgets site`: ZFNet, all sample photographs, English and Korean) and serves it
with `python -m http.server`: one process, HTTP/1.0, nothing compressed, no caching but by date.
First one Chromium visits it. What it asks for, and what is sent, is what it and the server's log
say: by the page itself, and after that by its service worker, which keeps the site for the time
without a connection. Then, round by round, a class asks for the same at the same time: each student
over six connections as a browser does, and --pages of them are real pages, whose times are told.
All of it runs on this machine: there is no cable or wireless between, and pages, students and
server share its cores. Bytes are those of the files, without headers.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import multiprocessing
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import BrowserType, Page, sync_playwright

import zfwidgets as zf
from benchmarks.page import WHEN, processor_seconds
from tests.browser.conftest import chromium_path

CONNECTIONS = 6
"""Of a browser to one server."""
MOST_REFUSED = 100
"""Connections that a student makes anew."""
PATIENCE = 600_000
"""Milliseconds until a page must be ready."""

#: The page tells when it was shown, ready, and kept, and when anything was to be seen.
TIMES = """() => ({
  ...times,
  "first paint": performance.getEntriesByName("first-contentful-paint")[0].startTime,
})"""
MOMENTS = ("first paint", "shown", "ready", "kept")


class Asked(NamedTuple):
    """A line of the server's log. new: the browser did not have it, so that it was sent."""

    path: str
    new: bool


class Server:
    """`python -m http.server`, and what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[Asked] = []
        command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, "--directory", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        found = re.search(r"port (\d+)", self._process.stdout.readline())
        assert found, "the server did not start"
        self.home = f"http://127.0.0.1:{found[1]}/"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := re.search(r'"GET /(\S*) HTTP/[\d.]+" (\d+)', line):
                self.asked.append(Asked(found[1], found[2] == "200"))

    def seconds(self) -> float:
        return processor_seconds(self._process.pid)

    def most_megabytes(self) -> float:
        """The most that it had in memory so far."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


# ---------------------------------------------------------------------------------- the students


class Fetched(NamedTuple):
    """What a student got. refused: connections that the server broke off; they were made anew."""

    seconds: float
    size: int
    refused: int


def student(home: str, asked: list[Asked]) -> Fetched:
    """Fetch what a page fetches."""
    start = time.perf_counter()
    refused: list[str] = []

    def fetch(one: Asked) -> int:
        request = urllib.request.Request(home + one.path)
        if not one.new:
            request.add_header("If-Modified-Since", formatdate(usegmt=True))
        while True:
            try:
                with urllib.request.urlopen(request) as answer:
                    return len(answer.read())
            except urllib.error.HTTPError as answer:
                if answer.code != 304:
                    raise
                return 0
            except (urllib.error.URLError, ConnectionError):
                refused.append(one.path)
                if len(refused) > MOST_REFUSED:
                    raise

    document, *others = asked
    size = fetch(document)  # what else there is stands in it
    with ThreadPoolExecutor(CONNECTIONS) as connections:
        size += sum(connections.map(fetch, others))
    return Fetched(time.perf_counter() - start, size, len(refused))


def students(home: str, asked: list[Asked], many: int) -> list[Fetched]:
    """All at once, in a process that is not the browsers'."""
    with ThreadPoolExecutor(many) as everyone:
        return list(everyone.map(lambda _: student(home, asked), range(many)))


# ----------------------------------------------------------------------------------- real pages


@contextlib.contextmanager
def visitors(chromium: BrowserType, many: int) -> Iterator[list[Page]]:
    """Browsers that have never been anywhere, each with a profile, and so a cache, on the disk."""
    path = chromium_path()
    with contextlib.ExitStack() as stack:
        pages = []
        for _ in range(many):
            profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            context = chromium.launch_persistent_context(
                profile, executable_path=path, args=["--no-sandbox"]
            )
            stack.callback(context.close)
            context.add_init_script(WHEN)
            pages.append(context.new_page())
        yield pages


def visit(pages: list[Page], home: str) -> None:
    for page in pages:
        page.goto(home, wait_until="commit", timeout=PATIENCE)


def times(page: Page) -> dict[str, float]:
    done = page.locator("html[data-engine=ready][data-kept=kept]")
    done.wait_for(state="attached", timeout=PATIENCE)
    found: dict[str, float] = page.evaluate(TIMES)
    return found


def alone(
    chromium: BrowserType, server: Server
) -> tuple[list[Asked], list[Asked], dict[str, float]]:
    """One visit: what the page asked for, and what was asked to keep the site; the page's times."""
    own: set[str] = set()
    with visitors(chromium, 1) as pages:
        pages[0].on("request", lambda request: own.add(request.url.removeprefix(server.home)))
        visit(pages, server.home)
        found = times(pages[0])
    first: list[Asked] = []
    kept: list[Asked] = []
    for one in server.asked:
        page = one.path in own
        own.discard(one.path)
        (first if page else kept).append(one)
    return first, kept, found


# ------------------------------------------------------------------------------------ the report


def p95(numbers: list[float]) -> float:
    return sorted(numbers)[min(len(numbers) - 1, int(0.95 * len(numbers)))]


def sent(folder: Path, asked: list[Asked], *, squeezed: bool = False) -> float:
    """Megabytes of the answers; squeezed: as a server that compresses would send them."""
    files = [folder / (one.path or "index.html") for one in asked if one.new]
    data = (file.read_bytes() for file in files)
    return sum(len(gzip.compress(one) if squeezed else one) for one in data) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--pages", type=int, default=2, help="how many of them are real pages")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name) / "public"
        saved = zf.site(folder, progress=False)
        server = Server(folder)
        page, kept, first = alone(playwright.chromium, server)
        asked = page + kept
        before, seconds, pupils = server.seconds(), [], []
        rows: list[dict[str, float]] = []
        spawned = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawned) as others:
            others.submit(time.perf_counter).result()  # it has started
            for _ in range(options.rounds):
                with visitors(playwright.chromium, options.pages) as pages:
                    start = time.perf_counter()
                    many = options.students - options.pages
                    fetched = others.submit(students, server.home, asked, many)
                    visit(pages, server.home)
                    rows += [times(page) for page in pages]
                    pupils += fetched.result()
                    seconds.append(time.perf_counter() - start)
        found = {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}",
            "load before": os.getloadavg()[2],
            "server": f"python -m http.server, Python {platform.python_version()}",
            "students": options.students,
            "site MB": saved.size / 1e6,
            "page MB": sent(folder, page),
            "page and site to keep MB": sent(folder, asked),
            "the same, gzipped": [sent(folder, some, squeezed=True) for some in (page, asked)],
            "requests": [len(page), len(asked)],
            "alone": {moment: first[moment] / 1e3 for moment in MOMENTS},
            "connections refused": sum(one.refused for one in pupils),
            "seconds until all have all": statistics.median(seconds),
            "a student's seconds": [
                statistics.median(one.seconds for one in pupils),
                p95([one.seconds for one in pupils]),
            ],
            "pages": {
                moment: [
                    statistics.median(row[moment] / 1e3 for row in rows),
                    p95([row[moment] / 1e3 for row in rows]),
                ]
                for moment in MOMENTS
            },
            "server CPU seconds a round": (server.seconds() - before) / options.rounds,
            "server MB": server.most_megabytes(),
        }
        assert {one.size for one in pupils} == {round(1e6 * sent(folder, asked))}
        server.stop()
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    print("\n" + row(found))


def row(found: dict[str, object]) -> str:
    """A line of the table in docs/howto/publish.md."""
    pages = found["pages"]
    assert isinstance(pages, dict)
    spans = [" / ".join(f"{s:.1f}" for s in pages[moment]) for moment in ("first paint", "ready")]
    return (
        f"| {found['students']} | {found['page MB']:.1f} MB "
        f"| {found['seconds until all have all']:.0f} s | {spans[0]} s | {spans[1]} s "
        f"| {found['server CPU seconds a round']:.1f} s | {found['server MB']:.0f} MB |"
    )


if __name__ == "__main__":
    main()
