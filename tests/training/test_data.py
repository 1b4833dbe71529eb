"""Pictures are split before they are cut, and what was done is not done again."""

from __future__ import annotations

import copy
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import ShuffleNetV2

from tests.training.conftest import FOLDER, PLAN, picture
from training import crops, data
from training.catalogue import Picture, build
from training.data import Lattice, Shards
from training.rcc import read_rcc
from training.teacher import OnnxTeacher, Teacher, label_all


def blue(crop: np.ndarray) -> int:
    """The number of the picture that a crop is of: its blue is constant."""
    return round(float(np.median(crop[..., 2])) / 8)


def test_of_look_alikes_one_picture_is_kept(pictures: list[Picture]) -> None:
    names = sorted(Path(p.path).stem for p in pictures)
    assert len(names) == 30
    assert len({name[:2] for name in names}) == 30, "each scene once, whatever its format or side"
    assert "00-smaller" not in names, "the largest of a family is kept"


def test_a_list_says_what_is_held_out(
    sources: Path, pictures: list[Picture], tmp_path: Path
) -> None:
    """Its photograph is kept even where a larger look-alike would be, which is then left out."""
    listed = [f"{FOLDER}/00-smaller.png", f"{FOLDER}/07.png"]
    found = build(sources, tmp_path / "catalogue.json", listed)
    assert sorted(p.path for p in found if p.split == "held-out") == listed
    assert len(found) == len(pictures)
    assert f"{FOLDER}/00.png" not in {p.path for p in found}


def test_a_held_out_photograph_that_is_missing_is_named(sources: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        build(sources, tmp_path / "catalogue.json", ["nowhere.jpg"])


def test_both_sides_of_the_split_have_pictures(pictures: list[Picture]) -> None:
    sides = {p.split for p in pictures}
    assert sides == {"train", "held-out"}


def test_no_held_out_photograph_is_in_a_training_crop(
    pictures: list[Picture], labelled: Path
) -> None:
    train = {int(Path(p.path).stem[:2]) for p in pictures if p.split == "train"}
    # At odd places lie mixtures of two crops.
    seen = {blue(crop) for path in labelled.glob("crops-*.npy") for crop in np.load(path)[::2]}
    assert seen == train


def test_the_exam_is_of_held_out_photographs_only(
    sources: Path, pictures: list[Picture], tmp_path: Path
) -> None:
    cut, owners, photos = crops.cut_held_out(pictures, sources, tmp_path, size=64, each=3)
    held = {int(Path(p.path).stem[:2]) for p in pictures if p.split == "held-out"}
    assert {blue(crop) for crop in cut} == held
    assert len(cut) == 3 * len(photos)
    assert [blue(crop) for crop in cut] == [int(Path(photos[i].path).stem[:2]) for i in owners]


def test_crops_are_cut_alike_each_time(
    sources: Path, pictures: list[Picture], labelled: Path, tmp_path: Path
) -> None:
    crops.cut_all(pictures, sources, tmp_path, PLAN)
    for path in labelled.glob("crops-*.npy"):
        np.testing.assert_array_equal(np.load(path), np.load(tmp_path / path.name))


def test_every_second_crop_is_mixed_with_one_between() -> None:
    flat = np.array([[40], [200]] * 32, np.uint8)[:, :, None, None]
    shard = np.broadcast_to(flat, (64, 16, 16, 3)).copy()
    crops.mix(shard, "seed")
    assert (shard[::2] == 40).all(), "those at even places stay as they were cut"
    mixed = shard[1::2, :, :, 0].reshape(32, -1)
    share = (200 - mixed.mean(1)) / 160
    assert share.min() > 0.1
    assert share.max() < 0.55
    blended = (mixed == mixed[:, :1]).all(1)
    pasted = np.isin(mixed, (40, 200)).all(1)
    assert (blended ^ pasted).all(), "each is a blend or has a rectangle of the other"
    assert blended.any()
    assert pasted.any()


def test_colours_vary_and_shapes_do_not() -> None:
    crop = np.asarray(picture(3, 48).crop((0, 0, 48, 48)))
    chance = random.Random(1)
    varied = [crops.recoloured(crop, chance, crops.CropPlan()) for _ in range(40)]
    means = np.array([v.mean() for v in varied])
    assert 5 < means.std() < 60
    edges = [np.corrcoef(crop[..., 0].ravel(), v[..., 0].ravel())[0, 1] for v in varied]
    assert np.median(edges) > 0.9
    plain = crops.CropPlan(colour=0.0, grey=0.0)
    np.testing.assert_array_equal(crops.recoloured(crop, chance, plain), crop)


def test_the_teacher_labels_what_the_students_see(teacher: Teacher, labelled: Path) -> None:
    stored = np.load(labelled / "crops-001.npy")
    expected = teacher(stored).logits
    found = torch.from_numpy(np.load(labelled / "labels-001.npy")).float()
    torch.testing.assert_close(found, expected, atol=2e-2, rtol=2e-2)


def test_the_teacher_says_the_same_on_onnxruntime(teacher: Teacher, labelled: Path) -> None:
    model = copy.deepcopy(teacher.model)
    assert isinstance(model, ShuffleNetV2)
    exported = OnnxTeacher(model, model.stage2, model.stage3, threads=1)
    seen = np.load(labelled / "crops-000.npy")[:5]
    expected, found = teacher(seen), exported(seen)
    # The one computes in bfloat16, three digits, the other in single precision.
    for part in ("logits", "fine", "coarse"):
        want, have = getattr(expected, part), getattr(found, part)
        assert want.shape == have.shape
        assert (want - have).norm() < 0.03 * want.norm(), part


def test_labelled_shards_are_not_labelled_again(
    teacher: Teacher, labelled: Path, tmp_path: Path
) -> None:
    for path in labelled.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    lost = sorted(tmp_path.glob("labels-*.npy"))[1]
    before = {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("labels-*.npy")}
    expected = np.load(lost)
    lost.unlink()
    label_all(teacher, tmp_path)
    np.testing.assert_array_equal(np.load(lost), expected)
    for path in tmp_path.glob("labels-*.npy"):
        assert path == lost or path.stat().st_mtime_ns == before[path.name]


def test_a_step_draws_the_same_batch_each_time_and_another_the_next(labelled: Path) -> None:
    shards = Shards(labelled)
    shards.refresh()

    def batch(step: int) -> data.Batch:
        lattice = (Lattice(12.5, 8), 6)
        shown = shards.shown(step, seed=3, count=4, size=64)
        return shown.batch(lattice, (Lattice(20.5, 16), 3))

    first, second, again = batch(7), batch(8), batch(7)
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.fine, again.fine)
    assert not torch.equal(first.inputs, second.inputs)


def test_features_move_with_the_pixels(tmp_path: Path) -> None:
    """Where a crop is mirrored its features are too: a ramp stays the same ramp."""
    ramp = torch.linspace(0, 1, 64).expand(8, 64, 64)
    stored = (ramp * 255).round().byte()[..., None].expand(-1, -1, -1, 3)
    np.save(tmp_path / "crops-000.npy", stored.numpy())
    np.save(tmp_path / "labels-000.npy", np.zeros((8, 10), np.float16))
    centres = (torch.arange(16) + 0.5) / 16
    features = (centres.expand(8, 1, 16, 16) * 127).round().to(torch.int8).numpy()
    np.save(tmp_path / "fine-000.npy", features)
    np.save(tmp_path / "coarse-000.npy", features)
    shards = Shards(tmp_path)
    shards.refresh()
    lattice = Lattice(4.0, 8)
    shown = shards.shown(0, seed=1, count=8, size=64, noise=0.0)
    assert set(shown.mirror.tolist()) == {-1.0, 1.0}
    drawn = shown.batch((lattice, 8), (lattice, 8))
    red = drawn.inputs[:, 0] * 0.229 + 0.485
    at_units = (red[:, :, 3::8] + red[:, :, 4::8]) / 2
    expected = at_units[:, 3::8] * 127 / 32
    # Both are read by linear interpolation; they part only where the ramp ends at the border.
    inside = (expected > 0.2) & (expected < 3.7)
    torch.testing.assert_close(drawn.fine[:, 0][inside], expected[inside], atol=0.06, rtol=0)


def resource(tmp_path: Path, name: str, content: bytes, *, compressed: bool) -> Path:
    """A Qt resource file, version 1, with one file in its root folder."""
    body = struct.pack(">I", len(content)) + zlib.compress(content) if compressed else content
    data_part = struct.pack(">I", len(body)) + body
    names = struct.pack(">HI", len(name), 0) + name.encode("utf-16-be")
    tree = struct.pack(">IHII", 0, 2, 1, 1) + struct.pack(
        ">IHHHI", 0, 1 if compressed else 0, 0, 0, 0
    )
    start = 20
    header = b"qres" + struct.pack(
        ">IIII", 1, start, start + len(tree), start + len(tree) + len(data_part)
    )
    path = tmp_path / "some.rcc"
    path.write_bytes(header + tree + data_part + names)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_a_resource_file_gives_back_its_files(tmp_path: Path, compressed: bool) -> None:
    path = resource(tmp_path, "lémur.webp", b"picture" * 9, compressed=compressed)
    assert list(read_rcc(path)) == [("lémur.webp", b"picture" * 9)]


def test_another_file_is_refused_as_a_resource(tmp_path: Path) -> None:
    path = tmp_path / "not.rcc"
    Image.new("RGB", (4, 4)).save(path, format="PNG")
    with pytest.raises(ValueError, match="no Qt resource file"):
        list(read_rcc(path))
