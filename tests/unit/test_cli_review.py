"""`zfwidgets review`: a folder in, a page and numbers out, and an exit code for CI."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import zfwidgets as zf
from zfwidgets import cli


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two noisy pictures of each of two classes; and "small" is the name of a network."""
    random = np.random.default_rng(0)
    for name in ("0", "1"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            noise = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / "photos" / name / f"{number}.png")

    def small(name: str, device: str) -> zf.DeconvNet:
        torch.manual_seed(0)
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        model = nn.Sequential(nn.Conv2d(3, 4, 5, stride=2), nn.ReLU(), *head)
        prepare = zf.Preprocess(size=32, resize=32)
        return zf.DeconvNet(model.eval(), prepare, device="cpu", name=f"{name} on {device}")

    monkeypatch.setattr("zfwidgets.deconv.load.load", small)
    return tmp_path / "photos"


def test_page_numbers_and_exit_code_say_whether_limits_are_missed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, numbers = tmp_path / "report.html", tmp_path / "report.json"
    command = ["review", "small", str(folder), "--device", "cpu"]
    command += ["-o", str(page), "--json", str(numbers), "--max-dead", "1"]
    assert cli.main([*command, "--max-aliasing", "1"]) == 0
    said = capsys.readouterr().out
    assert "small on cpu on 4 pictures: no limit missed" in said
    assert f"The report is in {page}." in said
    assert "Passes: no limit that was asked for is missed." in page.read_text("utf-8")
    assert json.loads(numbers.read_text("utf-8"))["passed"] is True
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "photos",
        "report.html",
        "report.json",
    ]
    assert cli.main([*command, "--max-aliasing", "0.01"]) == 1
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
