"""The hosts of the widgets on loopback, for the tests: JupyterLab, Notebook, Voila, marimo."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zfwidgets.cli import TEMPLATE, jupyter_environment

START_LIMIT = 120.0  # seconds; a cold start on two busy cores takes 10


@dataclass(frozen=True)
class Host:
    """A running server: where it answers, the folder whose notebooks it shows, its log."""

    url: str
    folder: Path
    log: Path

    def start_kernel(self) -> str:
        """A kernel that belongs to no notebook yet, by its id."""
        kernel: str = self._post("/api/kernels", {"name": "python3"})["id"]
        return kernel

    def attach(self, notebook: str, kernel: str) -> None:
        """Let a notebook of the folder find this kernel when it is opened."""
        named = {"path": notebook, "name": notebook, "type": "notebook"}
        self._post("/api/sessions", {**named, "kernel": {"id": kernel}})

    def _post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(self.url + path, json.dumps(content).encode())
        with urllib.request.urlopen(request, timeout=START_LIMIT) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


def isolated(home: Path) -> dict[str, str]:
    """An environment in which Jupyter finds nothing of the person who runs the tests."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY_", "VOILA"))}
    folders = {
        name: str(home / name.lower())
        for name in (
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_RUNTIME_DIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
            "IPYTHONDIR",
        )
    }
    return {**kept, **folders, **jupyter_environment(), "HOME": str(home)}


@contextmanager
def lab(folder: Path, home: Path) -> Iterator[Host]:
    """JupyterLab without token or news, and under /notebooks/ Notebook 7.

    Their application objects are within the page's reach.
    """
    options = [
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port_retries=0",
        "--ServerApp.open_browser=False",
        "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True",
        "--allow-root",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]
    # Nothing pops up over the page, and nobody asks the internet for news.
    settings = home / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    with _serve("jupyterlab", options, "/api/status", folder, home) as host:
        yield host


@contextmanager
def voila(folder: Path, home: Path) -> Iterator[Host]:
    """Voila over a folder of notebooks; errors of cells are shown in the page."""
    options = [
        str(folder),
        "--Voila.ip=127.0.0.1",
        "--no-browser",
        "--Voila.open_browser=False",
        "--token=",
        "--show_tracebacks=True",
        f"--template={TEMPLATE}",
    ]
    with _serve("voila", options, "/", folder, home) as host:
        yield host


@contextmanager
def marimo(notebook: Path, home: Path) -> Iterator[Host]:
    """A notebook of marimo as an app."""
    options = ["run", notebook.name, "--host=127.0.0.1", "--headless", "--no-token"]
    with _serve("marimo", options, "/health", notebook.parent, home) as host:
        yield host


@contextmanager
def _serve(module: str, options: list[str], alive: str, folder: Path, home: Path) -> Iterator[Host]:
    port = free_port()
    host = Host(f"http://127.0.0.1:{port}", folder, home / f"{module}.log")
    command = [sys.executable, "-m", module, *options, f"--port={port}"]
    environment = isolated(home)
    with host.log.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
        try:
            wait_until_alive(process, host, alive)
            yield host
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_alive(process: subprocess.Popen[bytes], host: Host, path: str) -> None:
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit:
        try:
            with urllib.request.urlopen(host.url + path, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
            break
    raise RuntimeError(f"{host.url} did not come up; its log:\n{host.log.read_text()[-4000:]}")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
