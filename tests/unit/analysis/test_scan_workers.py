"""Workers of a scan: they go on where one process stopped, and say what is missing."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tests.unit.analysis.test_scan import bits, network, pictures, stopping_after
from zfwidgets.analysis import scan
from zfwidgets.analysis.scanning import scanner as scanner_module
from zfwidgets.analysis.scanning import workers
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Preprocess

# Ray's own: threads and sockets that end with the interpreter, and what pandas says to it.
pytestmark = pytest.mark.filterwarnings("ignore")


class InThisProcess:
    """Stands in for Ray Data: one worker, whose rows come back in the wrong order."""

    def __init__(self) -> None:
        self.data = self
        self.rows: list[dict[str, Any]] = []

    def is_initialized(self) -> bool:
        return True

    def from_items(self, rows: list[dict[str, Any]], **_: Any) -> InThisProcess:
        self.rows = rows
        return self

    def map(self, worker: Any, fn_constructor_args: tuple[Any, ...], **_: Any) -> InThisProcess:
        work = worker(*copy.deepcopy(fn_constructor_args))  # nothing is shared with another process
        self.rows = [work(row) for row in reversed(self.rows)]
        return self

    def iter_rows(self) -> list[dict[str, Any]]:
        return self.rows


def test_workers_go_on_with_a_folder_where_one_process_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner_module, "_SAVE_SECONDS", -1.0)
    monkeypatch.setattr(workers, "_ray", InThisProcess)
    monkeypatch.setattr(workers, "_cluster", lambda *_: nullcontext(2))
    folder, net = tmp_path / "photos", network()
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(19):
        pixels = random.integers(0, 256, (12, 12, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    net.transforms = Preprocess(size=10, resize=10)
    how: dict[str, Any] = {"batch": 1, "checkpoint": tmp_path / "half", "progress": False}
    scan(net, folder, should_stop=stopping_after(5), **how)
    resumed = scan(net, folder, ray=2, **how)
    assert bits(resumed) == bits(scan(net, folder, batch=1, progress=False))


class Lit(nn.Module):
    """Takes the light of the scene beside the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, picture: Tensor, light: Tensor) -> Tensor:
        maps: Tensor = self.conv(picture * light).relu()
        return maps


def test_workers_see_further_inputs_and_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_ray", InThisProcess)
    monkeypatch.setattr(workers, "_cluster", lambda *_: nullcontext(2))
    torch.manual_seed(0)
    plain = DeconvNet(Lit().eval(), device="cpu", inputs=[torch.tensor(3.0)], name="lit")
    plain.record(torch.zeros(1, 3, 10, 10))
    net = plain.with_directions("dirs", "conv", torch.randn(5, 4))
    how: dict[str, Any] = {"layers": ["conv", "dirs"], "batch": 4, "progress": False}
    assert bits(scan(net, pictures(), ray=2, **how)) == bits(scan(net, pictures(), **how))


def test_what_can_be_gone_through_only_once_cannot_be_shared() -> None:
    with pytest.raises(TypeError, match="expected a folder, a mapping, a list or a dataset"):
        scan(network(), iter(pictures().values()), ray=2, progress=False)
