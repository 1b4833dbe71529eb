"""Exemplars and usage in one pass: the same as apart, as in one go, and as on several processes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zfwidgets.analysis import Exemplars, Scan, exemplars, scan, usage
from zfwidgets.analysis.scanning import scanner as scanner_module
from zfwidgets.analysis.scanning.checkpoint import write
from zfwidgets.analysis.usage import LayerUsage
from zfwidgets.deconv import DeconvNet

LABELS = ["cat", "dog", "fox"]


def network() -> DeconvNet:
    """conv1 (5 channels), pool1, conv2 (4), an output."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(5, 4, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(36, 3),
    )
    return DeconvNet(model.eval(), device="cpu", name="small")


def pictures(number: int = 41) -> dict[str, Tensor]:
    """With ids that are not in order, and some that are equal, so that there are ties."""
    tensors = torch.randn(number, 3, 10, 10, generator=torch.Generator().manual_seed(1))
    tensors[7] = tensors[29] = tensors[2]
    return {f"photo {index * 7 % number:03d}": tensor for index, tensor in enumerate(tensors)}


def labels(number: int = 41) -> list[str]:
    return [LABELS[index % 3] for index in range(number)]


def bits(found: Scan) -> dict[str, Any]:
    """Every number of a scan, in a form that == compares bit for bit."""
    values: dict[str, Any] = {"scanned": found.scanned, "complete": found.complete}
    for name, one in found.exemplars.items():
        for part in ("value", "image", "row", "col"):
            values[f"{name} {part}"] = getattr(one, part).numpy().tobytes()
        values[f"{name} ids"] = one.ids
    for name, layer in found.usage.layers.items():
        for field in fields(LayerUsage):
            value = getattr(layer, field.name)
            is_tensor = isinstance(value, Tensor)
            values[f"{name} {field.name}"] = value.numpy().tobytes() if is_tensor else value
    return values


def in_one_go(**how: Any) -> Scan:
    net, photos = network(), pictures()
    return scan(net, photos, k=4, batch=2, labels=labels(), progress=False, **how)


def stopping_after(steps: int) -> Callable[[], bool]:
    answers = itertools.chain(itertools.repeat(False, steps - 1), itertools.repeat(True))
    return lambda: next(answers)


@pytest.fixture
def saving_each_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints as soon as there may be one, not only every few seconds."""
    monkeypatch.setattr(scanner_module, "_SAVE_SECONDS", -1.0)


def test_a_scan_is_the_exemplars_and_the_usage() -> None:
    found = in_one_go()
    net, photos = network(), pictures()
    how: dict[str, Any] = {"batch": 2, "progress": False}
    assert list(found.exemplars) == list(found.usage.layers) == ["conv1", "conv2"]
    several = exemplars(net, photos, layers=["conv2", "conv1"], k=4, **how)
    assert list(several) == ["conv2", "conv1"]
    for name in ("conv1", "conv2"):
        alone = exemplars(net, photos, name, 4, **how)
        for other in (alone, several[name]):
            assert found.exemplars[name].ids == other.ids
            assert torch.equal(found.exemplars[name].value, other.value)
            assert torch.equal(found.exemplars[name].row, other.row)
    assert str(found.usage) == str(usage(net, photos, labels=labels(), **how))


def test_the_strongest_are_those_of_all_activations_sorted() -> None:
    net, photos = network(), pictures()
    found = scan(net, photos, ["conv2"], k=5, batch=8, progress=False).exemplars["conv2"]
    maps = net.record(torch.stack(list(photos.values()))).feature_maps("conv2")
    for channel in range(4):
        places = [
            (-value, name, y, x)
            for name, picture in zip(photos, maps[:, channel].tolist(), strict=True)
            for y, row in enumerate(picture)
            for x, value in enumerate(row)
        ]
        best: dict[str, tuple[str, int, int, float]] = {}
        for value, name, y, x in sorted(places):
            best.setdefault(name, (name, y, x, -value))
        expected = list(best.values())[:5]
        assert [entry[:3] for entry in found.of(channel)] == [entry[:3] for entry in expected]
        assert [v for *_, v in found.of(channel)] == pytest.approx([v for *_, v in expected])


@pytest.mark.parametrize("steps", [1, 5, 12, 17])
def test_a_scan_that_was_stopped_goes_on_and_gives_the_same_bits(
    steps: int, tmp_path: Path, saving_each_run: None
) -> None:
    file = tmp_path / "half.safetensors"
    stopped = in_one_go(checkpoint=file, should_stop=stopping_after(steps))
    assert (stopped.complete, stopped.scanned) == (False, 2 * steps)
    assert file.exists() == (steps >= 4)
    assert bits(in_one_go(checkpoint=file)) == bits(in_one_go())
    # Once more, from the file of a scan that is complete.
    assert bits(in_one_go(checkpoint=file)) == bits(in_one_go())
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_resumed_scan_loads_only_pictures_it_has_not_seen(
    tmp_path: Path, saving_each_run: None
) -> None:
    asked: list[str] = []

    class Watched(dict[str, Tensor]):
        def __getitem__(self, name: str) -> Tensor:
            asked.append(name)
            return super().__getitem__(name)

    how: dict[str, Any] = {"batch": 2, "checkpoint": tmp_path / "half", "progress": False}
    scan(network(), Watched(pictures()), should_stop=stopping_after(8), **how)
    asked.clear()
    scan(network(), Watched(pictures()), **how)
    # The first is looked at for the sizes of the layers.
    assert asked == [next(iter(pictures())), *list(pictures())[16:]]


def test_an_interrupted_scan_goes_on(tmp_path: Path, saving_each_run: None) -> None:
    class Interrupted(dict[str, Tensor]):
        def __getitem__(self, name: str) -> Tensor:
            if name == list(self)[25]:
                raise KeyboardInterrupt
            return super().__getitem__(name)

    file, how = tmp_path / "half", {"k": 4, "batch": 2, "labels": labels(), "progress": False}
    half = scan(network(), Interrupted(pictures()), checkpoint=file, **how)  # type: ignore[arg-type]
    assert (half.complete, half.scanned) == (False, 24)
    assert bits(in_one_go(checkpoint=file)) == bits(in_one_go())


def test_the_checkpoint_of_another_scan_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "half"
    in_one_go(checkpoint=file)
    photos = pictures()
    how: dict[str, Any] = {"k": 4, "batch": 2, "progress": False, "checkpoint": file}
    with pytest.raises(ValueError, match="is of another scan: plan is"):
        scan(network(), photos, ["conv1"], **how)
    with pytest.raises(ValueError, match="is of other images: expected the 41"):
        scan(network(), dict(reversed(photos.items())), **how)
    other = network()
    with torch.no_grad():
        other.model.get_submodule("0").weight.mul_(2)  # type: ignore[operator]
    with pytest.raises(ValueError, match="is of another scan: weights is"):
        scan(other, photos, **how)
    file.write_bytes(b"something else")
    with pytest.raises(ValueError, match="holds no checkpoint of a scan"):
        scan(network(), photos, **how)


def test_other_pictures_in_the_same_places_are_refused(tmp_path: Path) -> None:
    net, file = network(), tmp_path / "half"
    photos = list(pictures().values())
    how: dict[str, Any] = {"k": 4, "batch": 4, "progress": False, "checkpoint": file}
    whole = scan(net, photos, **how)
    assert bits(scan(net, photos, **how)) == bits(whole)
    with pytest.raises(ValueError, match="is of other images, though their names or places"):
        scan(net, [*photos[:3], photos[3] + 0.1, *photos[4:]], **how)
    named = pictures()
    how["checkpoint"] = tmp_path / "named"
    scan(net, named, **how)
    with pytest.raises(ValueError, match="is of other images, though their names or places"):
        scan(net, {name: 2 * photo for name, photo in named.items()}, **how)


def test_other_labels_are_refused_whether_given_or_with_the_pictures(tmp_path: Path) -> None:
    net, photos = network(), pictures()
    how: dict[str, Any] = {"batch": 4, "progress": False}
    given, own = tmp_path / "given", tmp_path / "own"
    scan(net, photos, labels=labels(), checkpoint=given, **how)
    scan(net, list(zip(photos.values(), labels(), strict=True)), checkpoint=own, **how)
    for other in ([*labels()[:-1], "fox"], None):
        with pytest.raises(ValueError, match="is of other labels: expected those that the 41"):
            scan(net, photos, labels=other, checkpoint=given, **how)
    for other in (["dog", *labels()[1:]], labels()[::-1]):
        with pytest.raises(ValueError, match="is of other labels: expected those that the 41"):
            scan(net, list(zip(photos.values(), other, strict=True)), checkpoint=own, **how)


@pytest.mark.parametrize("before", [10, 12])
def test_a_finished_scan_goes_on_with_more_pictures(
    before: int, tmp_path: Path, saving_each_run: None
) -> None:
    net, photos, file = network(), list(pictures().values()), tmp_path / "half"
    how: dict[str, Any] = {"k": 4, "batch": 4, "progress": False}
    scan(net, photos[:before], labels=labels()[:before], checkpoint=file, **how)
    first = file.read_bytes()
    more = scan(net, photos, labels=labels(), checkpoint=file, **how)
    whole = scan(net, photos, labels=labels(), **how)
    assert more.scanned == 41
    for name, one in whole.exemplars.items():
        assert more.exemplars[name].ids == one.ids
        torch.testing.assert_close(more.exemplars[name].value, one.value)
        torch.testing.assert_close(more.usage[name].energy, whole.usage[name].energy)
        torch.testing.assert_close(more.usage[name].selectivity, whole.usage[name].selectivity)
    # What goes on can be stopped as well, and gives the same bits.
    file.write_bytes(first)
    stop = stopping_after(7)
    scan(net, photos, labels=labels(), checkpoint=file, should_stop=stop, **how)
    assert file.read_bytes() != first
    assert bits(scan(net, photos, labels=labels(), checkpoint=file, **how)) == bits(more)


def test_a_checkpoint_of_an_earlier_version_is_refused_in_words(tmp_path: Path) -> None:
    """It says nothing of labels, nor of what the pictures look like."""
    file = tmp_path / "half"
    write(file, {}, {"format": "zfwidgets scan in progress 1", "seen": "41", "digest": "0"})
    with pytest.raises(ValueError, match=r"of another version of zfwidgets, delete it or give"):
        in_one_go(checkpoint=file)


def test_a_saved_scan_comes_back_whole(tmp_path: Path) -> None:
    found = in_one_go()
    found.save(tmp_path / "scan.safetensors")
    again = Scan.load(tmp_path / "scan.safetensors")
    assert bits(again) == bits(found)
    assert again.exemplars["conv2"].weights == network().weights_hash()
    assert str(again.usage) == str(found.usage)
    found.exemplars["conv1"].save(tmp_path / "one.safetensors")
    with pytest.raises(ValueError, match=r"Exemplars.load\(\) reads"):
        Scan.load(tmp_path / "one.safetensors")
    with pytest.raises(ValueError, match=r"Scan.load\(\) reads"):
        Exemplars.load(tmp_path / "scan.safetensors")


def test_labels_that_a_file_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected text or a number"):
        scan(
            network(),
            pictures(),
            labels=[(index, index) for index in range(41)],
            checkpoint=tmp_path / "half",
            progress=False,
        )


def test_one_layer_or_several_are_asked_for_not_both() -> None:
    with pytest.raises(TypeError, match="layer=, the name of one, or layers="):
        exemplars(network(), pictures(), "conv1", layers=["conv1"])  # type: ignore[call-overload]


def test_progress_counts_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    scan(network(), pictures(), batch=8, progress=True)
    assert "41/41" in capsys.readouterr().err
