"""What an installation lacks, and how to mend each thing.

Widgets live in three places that must fit together: the *kernel* runs zfwidgets, the *server* hands
anywidget's page code to the browser, and the two may belong to different environments. "Failed to
load model class 'AnyModel'" is nearly always the second one missing, so the server is asked itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

State = Literal["ok", "note", "lack"]
MARKS: dict[State, str] = {"ok": "ok  ", "note": "note", "lack": "LACK"}
REINSTALL = (
    f"{sys.executable} -m pip install --force-reinstall --no-deps with the wheel or the checkout"
)
NEEDED_BY_THE_PAGE = ("anywidget", "@jupyter-widgets/jupyterlab-manager", "bqplot")


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``mend`` is what to do about it, empty where nothing needs doing."""

    state: State
    subject: str
    says: str
    mend: str = ""

    def __str__(self) -> str:
        """One line, and a second one where something should be done."""
        line = f"{MARKS[self.state]}  {self.subject}: {self.says}"
        return f"{line}\n      -> {self.mend}" if self.mend else line


@dataclass(frozen=True)
class Server:
    """A Jupyter server that may show our widgets: its interpreter, and how we came to know it."""

    python: Path
    known_as: str

    @property
    def prefix(self) -> Path:
        """The root of the server's environment; links are kept, for venvs are made of them."""
        return self.python.parent.parent

    def ask(self, *module: str) -> str:
        """What ``python -m module ...`` prints in the server's environment; empty on failure."""
        try:
            answer = subprocess.run(
                [str(self.python), "-m", *module],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return answer.stdout + (answer.stderr if "labextensions" in module[0] else "")


def examine() -> Iterator[Finding]:
    """Look at everything, cheapest first."""
    yield Finding("ok", "Python", f"{sys.version.split()[0]} in {sys.prefix}")
    yield from check_packages(metadata.requires("zfwidgets") or ())
    yield from check_bundles()
    for server in find_servers():
        yield from check_server(server)
    yield check_device()
    yield from check_nets()


def report(say: Callable[[str], None] = print) -> int:
    """Say what was found, line by line.

    In a notebook ``zfwidgets.doctor.report()`` looks at the kernel and at the server behind it.

    Returns:
        How many things are lacking; 0 means that everything should work.
    """
    lacking = 0
    for finding in examine():
        say(str(finding))
        lacking += finding.state == "lack"
    say(f"\n{lacking} lacking." if lacking else "\nNothing is lacking.")
    return lacking


# --- this environment -----------------------------------------------------------------------------


def check_packages(requirements: Iterable[str]) -> Iterator[Finding]:
    """Are the packages that we depend on here, in versions that we were written for?"""
    for line in requirements:
        needed = Requirement(line)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        mend = f"{sys.executable} -m pip install '{needed}'"
        try:
            version = metadata.version(needed.name)
        except metadata.PackageNotFoundError:
            yield Finding("lack", needed.name, "not installed", mend)
            continue
        if needed.specifier.contains(version, prereleases=True):
            yield Finding("ok", needed.name, version)
        else:
            yield Finding("lack", needed.name, f"{version}, but {needed.specifier} is needed", mend)


def check_bundles() -> Iterator[Finding]:
    """Are the page's half of the widgets and the notebooks part of this installation?"""
    static = resources.files("zfwidgets") / "widgets" / "static"
    bundles = sorted(p.name for p in static.iterdir() if p.name.endswith(".js"))
    if bundles:
        yield Finding("ok", "page code", ", ".join(bundles))
    else:
        yield Finding("lack", "page code", f"no bundles in {static}", REINSTALL)


# --- the server -----------------------------------------------------------------------------------


def find_servers() -> list[Server]:
    """The server of this kernel, those running, the ``jupyter-lab`` on the PATH; once each."""
    found: list[Server] = []
    if parent := os.environ.get("JPY_PARENT_PID"):
        found += _server_of(int(parent), "the server of this kernel")
    here = Server(Path(sys.executable), "this environment")
    for line in here.ask("jupyter_server", "list", "--json").splitlines():
        running = json.loads(line)
        found += _server_of(running["pid"], f"the server at {running['url']}")
    if script := shutil.which("jupyter-lab"):
        python = Path(script).parent / Path(sys.executable).name
        found.append(Server(python, "jupyter lab on your PATH"))
    found.append(here)
    return list({server.prefix: server for server in reversed(found)}.values())[::-1]


def _server_of(pid: int, known_as: str) -> list[Server]:
    """The interpreter of a process as it was started, so that a venv's is not resolved away."""
    try:
        started_as = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        ps = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        started_as = ps.stdout.split(" ")[0].strip()
    python = Path(started_as)
    return [Server(python, known_as)] if python.is_absolute() and python.exists() else []


def check_server(server: Server) -> Iterator[Finding]:
    """Does this server hand out what our widgets need, and does one of its kernels run here?"""
    subject = f"server ({server.known_as}, {server.prefix})"
    listing = server.ask("jupyterlab.labextensions", "list")
    if "JupyterLab" not in listing:
        yield Finding("note", subject, "has no JupyterLab that answers")
        return
    extensions = parse_labextensions(listing)
    wanting = [name for name in NEEDED_BY_THE_PAGE if not extensions.get(name, False)]
    if wanting:
        yield Finding(
            "lack",
            subject,
            f"does not find {', '.join(wanting)}; widgets will not load there",
            f"{server.python} -m pip install 'anywidget>=0.9.18,<0.12' ipywidgets bqplot, "
            "then start the server again",
        )
    else:
        yield Finding("ok", subject, "finds anywidget, ipywidgets and bqplot")
    yield check_kernels(server, server.ask("jupyter_client.kernelspecapp", "list", "--json"))


def parse_labextensions(listing: str) -> dict[str, bool]:
    """Extension -> enabled and sound, from what ``jupyter labextension list`` prints."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", listing)
    lines = re.findall(r"^\s+(\S+) v\S+ (enabled|disabled) +(OK|X)\b", plain, re.MULTILINE)
    return {name: state == "enabled" and sound == "OK" for name, state, sound in lines}


def check_kernels(server: Server, kernelspecs: str) -> Finding:
    """Is there a kernel in the server's launcher that runs the environment we are in?"""
    subject = f"kernel ({server.known_as})"
    specs = json.loads(kernelspecs or "{}").get("kernelspecs", {})
    prefixes = {name: _prefix(spec["spec"]["argv"][0], server) for name, spec in specs.items()}
    ours = [name for name, prefix in prefixes.items() if prefix == Path(sys.prefix)]
    if ours:
        return Finding("ok", subject, f"'{ours[0]}' runs {sys.prefix}")
    others = ", ".join(f"'{name}' runs {prefix}" for name, prefix in prefixes.items()) or "none"
    return Finding(
        "lack",
        subject,
        f"no kernel runs {sys.prefix}, where zfwidgets is ({others})",
        f"{sys.executable} -m ipykernel install --user --name zfwidgets",
    )


def _prefix(program: str, server: Server) -> Path:
    """The environment of a kernel's program; a bare ``python`` means the server's own."""
    return Path(program).parent.parent if Path(program).is_absolute() else server.prefix


# --- what computes, and on what -------------------------------------------------------------------


def check_device() -> Finding:
    """What ``device="auto"`` will choose."""
    import torch

    if torch.cuda.is_available():
        return Finding("ok", "device", f"{torch.cuda.get_device_name(0)} (CUDA)")
    if torch.backends.mps.is_available():
        return Finding("ok", "device", "Apple GPU (MPS)")
    return Finding("note", "device", f"CPU with {torch.get_num_threads()} threads; no GPU is seen")


def check_nets() -> Iterator[Finding]:
    """Which networks can be loaded with no connection at all?"""
    from zfwidgets.nets import list_nets

    nets = list_nets()
    bundled = [net for net in nets if net.source == "bundled"]
    here = [net for net in bundled if net.local]
    if not here:
        yield Finding("lack", "bundled weights", "none are here", REINSTALL)
    for net in bundled:
        if net.local:
            yield Finding("ok", f"weights of {net.name}", f"here; accuracy: {net.accuracy}")
        else:
            yield Finding("note", f"weights of {net.name}", "not part of this installation")
    away = [net.name for net in nets if net.local is False and net.source != "bundled"]
    yield Finding("note", "fetched when first loaded", ", ".join(away) or "nothing, all are here")
