"""`zfwidgets review`: a folder in, a page and numbers out, and an exit code for CI."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import zfwidgets as zf
from zfwidgets import cli


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photographs in the folders of their classes."""
    made = tmp_path / "photos"
    for name, photo in list(zf.samples().items())[:2]:
        (made / name).mkdir(parents=True)
        shutil.copy(photo.path, made / name)
    return made


def test_page_numbers_and_exit_code_say_whether_limits_are_missed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, numbers = tmp_path / "report.html", tmp_path / "report.json"
    command = ["review", "zfnet", str(folder), "--device", "cpu", "--layers", "conv1"]
    command += ["-o", str(page), "--json", str(numbers)]
    assert cli.main([*command, "--max-dead", "1", "--max-aliasing", "0.25"]) == 0
    said = capsys.readouterr().out
    assert "zfnet on 2 pictures: no limit missed" in said
    assert f"The report is in {page}." in said
    assert "Passes: no limit that was asked for is missed." in page.read_text("utf-8")
    assert json.loads(numbers.read_text("utf-8"))["passed"] is True
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "photos",
        "report.html",
        "report.json",
    ]
    assert cli.main([*command, "--max-dead", "1", "--max-aliasing", "0.01"]) == 1
    assert "limits missed: aliasing" in capsys.readouterr().out
    found = json.loads(numbers.read_text("utf-8"))
    assert found["passed"] is False
    assert [one["about"] for one in found["summary"] if one["verdict"] == "missed"] == ["Aliasing"]


def test_what_cannot_be_reviewed_is_said_and_the_exit_code_is_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["review", "zfnet", str(tmp_path), "-o", str(tmp_path / "a.html")]) == 2
    assert f"zfwidgets review: review(): {tmp_path} has no pictures" in capsys.readouterr().err
    assert cli.main(["review", "znfet", str(tmp_path)]) == 2
    assert "There is no network 'znfet'. Did you mean 'zfnet'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["review", "zfnet", str(tmp_path), "--max-dead", "5"])
    assert "expected a share from 0 to 1" in capsys.readouterr().err
