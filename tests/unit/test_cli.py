"""The command line says what it will do, serves this machine only, and finds its notebooks."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from zfwidgets import cli


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """The servers that would have been started: command and environment of each."""
    calls: list[tuple[list[str], dict[str, str]]] = []

    def call(command: list[str], env: dict[str, str]) -> int:
        calls.append((command, env))
        return 0

    monkeypatch.setattr(cli, "_run", call)
    return calls


def test_the_demo_is_voila_on_the_dashboard_that_comes_with_the_package(
    served: list[tuple[list[str], dict[str, str]]],
) -> None:
    assert cli.main(["demo", "--no-browser"]) == 0
    command, environment = served[0]
    assert command[:3] == [sys.executable, "-m", "voila"]
    assert Path(command[3]).name == "dashboard.ipynb"
    assert Path(command[3]).is_file()
    assert "--no-browser" in command
    assert environment["JUPYTER_PREFER_ENV_PATH"] == "1"
    assert "--template=zfwidgets" in command
    page = Path(environment["JUPYTER_PATH"].split(os.pathsep)[-1]) / "voila/templates/zfwidgets"
    assert (page / "index.html.j2").is_file()


def test_the_demo_computes_on_the_server_that_it_is_given(
    served: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZFWIDGETS_TOKEN", raising=False)
    engine = "http://127.0.0.1:8900"
    assert cli.main(["demo", "--no-browser", "--engine", engine, "--token", "secret"]) == 0
    assert cli.main(["demo", "--no-browser"]) == 0
    told, alone = (environment for _, environment in served)
    assert (told["ZFWIDGETS_ENGINE"], told["ZFWIDGETS_TOKEN"]) == (engine, "secret")
    assert "ZFWIDGETS_ENGINE" not in alone


def test_the_demo_can_leave_computing_to_the_pages_of_its_visitors(
    served: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZFWIDGETS_COMPUTE", raising=False)
    assert cli.main(["demo", "--compute", "page"]) == 0
    assert cli.main(["demo"]) == 0
    (_, asked), (_, default) = served
    assert asked["ZFWIDGETS_COMPUTE"] == "page"
    assert "ZFWIDGETS_COMPUTE" not in default


def test_export_writes_the_page_that_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    asked = ["export", "--image", "cat", "--layer", "conv5", "--channels", "1", "--out", str(page)]
    assert cli.main(asked) == 0
    assert f"{page.stat().st_size / 1e6:.1f} MB" in capsys.readouterr().out
    assert page.read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--layer", "conv9", "no layer"),
        ("--channels", "many", "many"),
        ("--max-mb", "0.1", "max_mb"),
        ("--image", "no-such-photo.png", "no-such-photo"),
    ],
)
def test_an_export_that_cannot_be_is_explained_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, says: str
) -> None:
    page = tmp_path / "page.html"
    asked = ["export", "--layer", "conv5", "--channels", "1", "--out", str(page), option, value]
    assert cli.main(asked) == 2
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["demo", "lab"])
def test_servers_listen_on_this_machine_only_unless_told_otherwise(
    command: str,
    served: list[tuple[list[str], dict[str, str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    cli.main([command])
    cli.main([command, "--ip", "0.0.0.0", "--port", "9999"])
    (default, _), (told, _) = served
    assert any(option.endswith(".ip=127.0.0.1") for option in default)
    assert any(option.endswith(".ip=0.0.0.0") for option in told)
    assert "--port=9999" in told


def test_lab_opens_a_copy_of_the_quickstart_and_keeps_what_is_written_in_it(
    served: list[tuple[list[str], dict[str, str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    cli.main(["lab"])
    copy = tmp_path / "quickstart.ipynb"
    assert copy.read_bytes() == cli.find_notebook("quickstart.ipynb").read_bytes()
    copy.write_text("my notes")
    cli.main(["lab"])
    assert copy.read_text() == "my notes"
    assert [Path(command[3]).name for command, _ in served] == ["quickstart.ipynb"] * 2


def test_lab_opens_a_copy_of_any_notebook_that_comes_along(
    served: list[tuple[list[str], dict[str, str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    cli.main(["lab", "steps.ipynb"])
    known = cli.find_notebook("steps.ipynb")
    assert (tmp_path / "steps.ipynb").read_bytes() == known.read_bytes()
    ((command, _),) = served
    assert Path(command[3]).name == "steps.ipynb"
    assert cli.main(["lab", "step.ipynb"]) == 2
    assert "quickstart.ipynb, quiz.ipynb" in capsys.readouterr().err
    assert not (tmp_path / "step.ipynb").exists()


def test_the_address_that_lab_says_is_the_notebooks_and_nobody_is_asked_about_news(
    served: list[tuple[list[str], dict[str, str]]], tmp_path: Path
) -> None:
    notebook = tmp_path / "my notes.ipynb"
    notebook.write_text("{}")
    cli.main(["lab", str(notebook), "--no-browser"])
    ((command, environment),) = served
    assert "--LabApp.default_url=/lab/tree/my%20notes.ipynb" in command
    *_, folder = environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    told = json.loads((Path(folder) / "labconfig" / "page_config.json").read_text("utf-8"))
    assert told["disabledExtensions"] == {"@jupyterlab/apputils-extension:announcements": True}


def test_lab_refuses_what_is_not_a_file(
    served: list[tuple[list[str], dict[str, str]]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["lab", str(tmp_path / "none.ipynb")]) == 2
    assert "none.ipynb is not a file" in capsys.readouterr().err
    assert served == []


def test_root_is_let_into_lab_since_containers_often_have_nobody_else(
    served: list[tuple[list[str], dict[str, str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for user in (0, 1000):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        cli.main(["lab"])
    as_root, as_user = (command for command, _ in served)
    assert "--allow-root" in as_root
    assert "--allow-root" not in as_user


def test_a_missing_notebook_is_an_error_that_says_where_it_was_looked_for() -> None:
    with pytest.raises(FileNotFoundError, match=r"never\.ipynb is neither in .*notebooks"):
        cli.find_notebook("never.ipynb")


def test_nets_lists_every_network_with_its_licence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["nets"]) == 0
    printed = capsys.readouterr().out
    assert "zfnet" in printed
    assert "alexnet" in printed


@pytest.mark.parametrize("encoding", ["ascii", "cp949"])
def test_nets_can_be_written_where_few_signs_are_known(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding=encoding))
    assert cli.main(["nets"]) == 0
    sys.stdout.flush()
    assert "zfnet" in written.getvalue().decode(encoding)


def test_the_doctors_exit_code_is_1_when_something_is_lacking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zfwidgets.doctor.report", lambda: 0)
    assert cli.main(["doctor"]) == 0
    monkeypatch.setattr("zfwidgets.doctor.report", lambda: 2)
    assert cli.main(["doctor"]) == 1


def test_an_unknown_command_prints_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["dream"])
    assert stop.value.code == 2
    assert "usage: zfwidgets" in capsys.readouterr().err
