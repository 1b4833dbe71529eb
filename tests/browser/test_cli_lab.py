"""`zfwidgets lab` as someone on another machine uses it: the address that it prints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import conftest, hosts


@contextmanager
def started(notebook: Path) -> Iterator[tuple[subprocess.Popen[bytes], hosts.Host]]:
    """`zfwidgets lab` in a session of its own; whoever asks for it ends it."""
    folder, port = notebook.parent, hosts.free_port()
    host = hosts.Host(f"http://127.0.0.1:{port}", folder, folder / "lab.log")
    command = [sys.executable, "-m", "zfwidgets", "lab", str(notebook), "--no-browser"]
    with (
        host.log.open("wb") as log,
        subprocess.Popen(
            [*command, f"--port={port}"],
            stderr=log,
            env=hosts.isolated(folder / "home"),
            start_new_session=True,
        ) as server,
    ):
        yield server, host


def test_the_printed_address_opens_the_notebook_and_asks_nothing(
    apart: Page, tmp_path: Path
) -> None:
    notebook = tmp_path / "my notes.ipynb"
    conftest.write_notebook(notebook, "6 * 7")
    with started(notebook) as (server, host):
        try:
            hosts.wait_until_alive(server, host, "/api")
            address = re.search(r"http://127\.0\.0\.1\S+token=\w+", host.log.read_text())
            assert address is not None
            apart.goto(address[0])
            expect(apart.locator(".jp-NotebookPanel .jp-InputArea")).to_contain_text("6 * 7")
            settings = json.loads(apart.locator("#jupyter-config-data").inner_text())
            assert "@jupyterlab/apputils-extension:announcements" in settings["disabledExtensions"]
            # A kernel that is still starting would not hear that it is to end.
            expect(
                apart.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
            ).to_be_attached()
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # as a terminal does: Lab is a child of it


def test_ended_as_a_service_is_it_takes_its_server_along(tmp_path: Path) -> None:
    notebook = tmp_path / "notes.ipynb"
    conftest.write_notebook(notebook, "6 * 7")
    with started(notebook) as (server, host):
        try:
            hosts.wait_until_alive(server, host, "/api")
            server.terminate()  # this process alone, not Lab, its child
            server.wait(timeout=30)
            with pytest.raises(ProcessLookupError):
                os.killpg(server.pid, 0)  # nobody of its group is left
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
