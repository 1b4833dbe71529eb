"""Pictures and labels as people keep them: whatever holds them, the numbers are the same."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import zfwidgets as zf
from zfwidgets.analysis.confusion import confusion
from zfwidgets.analysis.review.labels import labels_of
from zfwidgets.analysis.stream import items
from zfwidgets.images.decode import SUFFIXES

NUMBERS = [0, 1, 2] * 4


@pytest.fixture
def net() -> zf.DeconvNet:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3)
    )
    preparation = zf.Preprocess(size=16, resize=16)
    return zf.DeconvNet(model.eval(), preparation, ["a", "b", "c"], device="cpu", name="small")


def pictures() -> list[Tensor]:
    return list(torch.randn(12, 3, 16, 16, generator=torch.Generator().manual_seed(1)))


# -------------------------------------------------------------------------------- labels

Kind = Callable[[list[int]], Any]


@pytest.mark.parametrize("kind", [np.array, torch.tensor, lambda some: np.array(some)[:, None]])
def test_labels_in_an_array_or_a_tensor_are_the_numbers_in_it(
    net: zf.DeconvNet, kind: Kind, tmp_path: Path
) -> None:
    photos, held = pictures(), kind(NUMBERS)
    how: dict[str, Any] = {"progress": False}

    def selectivity(labels: Any, **more: Any) -> Tensor:
        found = zf.scan(net, photos, ["conv1"], labels=labels, **more, **how).usage["conv1"]
        assert found.selectivity is not None
        return found.selectivity

    expected = selectivity(NUMBERS)
    assert torch.equal(selectivity(held), expected)
    assert torch.equal(selectivity(held, checkpoint=tmp_path / "a"), expected)
    pairs = list(zip(photos, held, strict=True))
    found = zf.usage(net, pairs, layers=["conv1"], **how)["conv1"].selectivity
    assert found is not None
    assert torch.equal(found, expected)
    right = zf.ablate(net, photos, "conv1", [0], labels=NUMBERS, **how).accuracy
    assert right is not None
    assert zf.ablate(net, photos, "conv1", [0], labels=held, **how).accuracy == right
    assert torch.equal(confusion(net, photos, held).truth, confusion(net, photos, NUMBERS).truth)
    assert labels_of(photos, held) == NUMBERS


def test_names_in_an_array_are_names(net: zf.DeconvNet) -> None:
    names = ["a", "b", "c"] * 4
    expected = confusion(net, pictures(), names)
    assert torch.equal(confusion(net, pictures(), np.array(names)).truth, expected.truth)
    probed = zf.linear_probe(
        net,
        pictures(),
        np.array(names),
        folds=2,
        seeds=[0],
        control=False,
        progress=False,
    )
    assert probed.classes == ("a", "b", "c")


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_numbers_are_words_for_channels(kind: Kind) -> None:
    """Channel 0 answers to red, which the first twenty of sixty pictures are."""
    photos = torch.zeros(60, 3, 8, 8)
    photos[:20, 0] = torch.linspace(1, 2, 20)[:, None, None]
    model = nn.Sequential(nn.Conv2d(3, 1, 1, bias=False), nn.ReLU())
    with torch.no_grad():
        model.get_parameter("0.weight").copy_(torch.tensor([1.0, 0, 0])[None, :, None, None])
    red = zf.DeconvNet(model.eval(), device="cpu")
    found = zf.exemplars(red, list(photos), "conv1", k=20, progress=False)
    (word,) = zf.concepts(found, list(photos), kind([1] * 20 + [0] * 40))[0]
    assert (word.name, word.count, word.of) == ("1", 20, 20)


def test_a_tensor_of_several_numbers_is_no_label(net: zf.DeconvNet) -> None:
    with pytest.raises(ValueError, match=r"a label is a Tensor of shape \[3\]: expected one"):
        zf.usage(net, pictures(), labels=torch.eye(3).repeat(4, 1), progress=False)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_number_of_no_output_is_no_true_class(net: zf.DeconvNet, label: int) -> None:
    with pytest.raises(ValueError, match=rf"label {label} is none of the 3 outputs of small"):
        confusion(net, pictures(), [label, *NUMBERS[1:]])


def test_more_labels_than_pictures_are_refused(net: zf.DeconvNet) -> None:
    loads: list[int] = []

    class Watched(list[Tensor]):
        def __getitem__(self, index: Any) -> Any:
            loads.append(index)
            return super().__getitem__(index)

    photos, many = pictures(), [*NUMBERS, 0, 0]
    with pytest.raises(ValueError, match="got 14 labels for 12 images; expected one each"):
        zf.usage(net, Watched(photos), labels=many, progress=False)
    assert loads == []
    for images, labels in ((photos, iter(many)), (iter(photos), many)):
        with pytest.raises(ValueError, match="a label more than images, 0: expected one label"):
            zf.ablate(net, images, "conv1", [0], labels=labels, progress=False)


def test_labels_without_an_end_are_as_many_as_the_pictures(net: zf.DeconvNet) -> None:
    how: dict[str, Any] = {"layers": ["conv1"], "progress": False}
    found = zf.usage(net, pictures(), labels=cycle([0, 1, 2]), **how)["conv1"].selectivity
    expected = zf.usage(net, pictures(), labels=NUMBERS, **how)["conv1"].selectivity
    assert found is not None
    assert expected is not None
    assert torch.equal(found, expected)


# ------------------------------------------------------------------------------- folders


def folder(where: Path, *names: str) -> Path:
    """Grey pictures of these names, in the format that each name tells."""
    for number, name in enumerate(names):
        path = where / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shade = Image.new("RGB", (20, 20), (10 * number, 0, 0))
        shade.save(path, "JPEG" if name.endswith("jfif") else None)
    return where


def test_of_a_folder_every_format_counts_that_is_read_and_nothing_hidden(
    net: zf.DeconvNet, tmp_path: Path
) -> None:
    names = ["A.PNG", "b.ppm", "c.jfif", "deep/d.bmp", "deep/er/e.webp"]
    folder(tmp_path, *names, ".ipynb_checkpoints/a-checkpoint.png")
    (tmp_path / "._A.PNG").write_bytes(b"\0\5\x16\7" + bytes(60))
    (tmp_path / "notes.txt").write_text("no picture")
    assert [item.id for item in items(tmp_path)] == names
    assert zf.exemplars(net, tmp_path, "conv1", progress=False).scanned == len(names)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_whatever_the_package_reads_is_found_in_a_folder(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix}").touch()
    (tmp_path / f"B{suffix.upper()}").touch()
    assert [item.id for item in items(tmp_path)] == [f"B{suffix.upper()}", f"a{suffix}"]


def test_a_file_whose_reader_is_not_installed_is_named_with_what_to_install(
    net: zf.DeconvNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path, "a.png")
    (tmp_path / "slice.dcm").write_bytes(bytes(128) + b"DICM" + bytes(60))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ValueError, match=r"slice.dcm needs a package.*zfwidgets\[medical\]"):
        zf.exemplars(net, tmp_path, "conv1", progress=False)


def test_a_tilde_is_the_home_folder(
    net: zf.DeconvNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / "photos", "a/1.png", "b/2.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert zf.usage(net, "~/photos", progress=True).images == 2
    assert labels_of("~/photos", None) == ["a", "b"]
    assert zf.exemplars(net, "~/photos", "conv1", progress=False).ids == ("a/1.png", "b/2.png")


def test_a_folder_without_pictures_is_named(net: zf.DeconvNet, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    told = rf"got no images: {re.escape(str(tmp_path))} has none.*\.png"
    for ask in (
        lambda: zf.exemplars(net, tmp_path, "conv1", progress=False),
        lambda: zf.ablate(net, tmp_path, "conv1", 0, progress=False),
        lambda: confusion(net, tmp_path),
        lambda: zf.similarity(net, tmp_path, ["conv1"]),
    ):
        with pytest.raises(ValueError, match=told):
            ask()
