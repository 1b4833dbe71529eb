"""`zfwidgets scan`: a folder in, one file out, gone on with where it stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import zfwidgets as zf
from zfwidgets import cli

COMMAND = ["--net", "zfnet", "--device", "cpu", "--layers", "conv1", "conv2", "--k", "3"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "photos"
    made.mkdir()
    for photo in list(zf.samples().values())[:6]:
        shutil.copy(photo.path, made)
    return made


def test_the_file_holds_what_a_scan_finds(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.safetensors"
    assert cli.main(["scan", str(folder), *COMMAND, "--out", str(out)]) == 0
    said = capsys.readouterr()
    found = zf.Scan.load(out)
    net = zf.load("zfnet", device="cpu")
    expected = zf.scan(net, folder, ["conv1", "conv2"], k=3, progress=False)
    assert (found.scanned, list(found.exemplars)) == (6, ["conv1", "conv2"])
    for name, one in found.exemplars.items():
        assert [one.of(c) for c in range(96)] == [expected.exemplars[name].of(c) for c in range(96)]
    assert str(found.usage) in said.out
    assert f"zf.ExemplarBrowser({str(out)!r}" in said.out
    assert "6/6" in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.safetensors", "photos"]


def test_a_stopped_scan_goes_on_with_the_same_command(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "found.safetensors"
    command = ["scan", str(folder), *COMMAND, "--batch", "1", "--out", str(out)]
    from zfwidgets.analysis.scanning import scanner, state

    monkeypatch.setattr(scanner, "_SAVE_SECONDS", -1.0)
    see, seen = state.State.see, list[str]()

    def interrupted(found, net, group, deepest):  # type: ignore[no-untyped-def]
        if len(seen) == 5:
            raise KeyboardInterrupt
        seen.extend(item.id for item in group)
        see(found, net, group, deepest)

    monkeypatch.setattr(state.State, "see", interrupted)
    assert cli.main(command) == 130
    assert "Stopped after 5 pictures; the same command goes on." in capsys.readouterr().err
    assert not out.exists()
    seen.clear()
    assert cli.main(command) == 0
    assert len(seen) == 2  # four of them were in the checkpoint
    assert zf.Scan.load(out).scanned == 6


def test_what_is_wrong_is_said_in_a_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "found.safetensors")]
    assert cli.main(["scan", str(tmp_path / "none"), *out]) == 2
    assert "expected a folder of images" in capsys.readouterr().err
    assert cli.main(["scan", str(folder), "--layers", "conv9", *out]) == 2
    assert "no layer 'conv9'" in capsys.readouterr().err
