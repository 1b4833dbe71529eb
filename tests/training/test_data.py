"""Pictures are split before they are cut, and what was done is not done again."""

from __future__ import annotations

import copy
import struct
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import ShuffleNetV2, shufflenet_v2_x0_5

from tests.training.conftest import FOLDER, PLAN, picture
from training.album import Album, CropPlan, Entry, pack, packed, rarity, weigh
from training.catalogue import Picture, build
from training.data import ECHO, Batch, Lattice, Lessons, Shown, cut_at, frequencies
from training.pictures import cut_held_out
from training.rcc import read_rcc
from training.teacher import OnnxTeacher, Several, Teacher, last_of_stride, normalised
from zfwidgets.images import Photo


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


class Shipped(Photo):
    """A photograph that ships, made of a scene."""

    def open(self) -> Image.Image:
        return picture(int(self.name), 180).transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def test_nothing_that_looks_like_what_ships_is_learned_from(
    sources: Path, pictures: list[Picture], tmp_path: Path
) -> None:
    held = [p.path for p in pictures if p.split == "held-out"]
    ships = [Shipped(name, *[""] * 7) for name in ("07", "08")]
    found = build(sources, tmp_path / "catalogue.json", held, ships)
    gone = {p.path for p in pictures} - {p.path for p in found}
    assert gone == {f"{FOLDER}/07.png"}, "08 is held out: it is asked, not learned from"
    assert {p.split for p in found} == {"train", "held-out"}


def test_rare_classes_are_shown_more_often() -> None:
    """Eight pictures of one class and two of another, each shown with certainty."""
    chances = torch.nn.functional.one_hot(torch.tensor([0] * 8 + [1] * 2), 3).float()
    weights = torch.ones(10)
    even = rarity(chances, weights, 1.0)
    assert even[:8].sum().item() == pytest.approx(even[8:].sum().item())
    half = rarity(chances, weights, 0.5)
    assert (half[9] / half[0]).item() == pytest.approx(2.0)
    assert half.mean().item() == pytest.approx(1.0)
    assert torch.equal(rarity(chances, weights, 0.0), weights)


def test_an_album_is_weighed_once_by_what_the_teacher_says(
    sources: Path, pictures: list[Picture], tmp_path: Path
) -> None:
    before = pack(pictures, sources, tmp_path, PLAN)
    asked = []

    def first_is_rare(pixels: torch.Tensor) -> torch.Tensor:
        asked.append(pixels)
        first = torch.arange(len(pixels)) == 0
        return 20.0 * torch.stack((first, ~first), 1).float()

    weigh(tmp_path, PLAN, first_is_rare)
    after = packed(tmp_path)
    assert asked[0].shape == (len(before), 3, PLAN.size, PLAN.size)
    assert 0 <= asked[0].min() <= asked[0].max() <= 1
    times = [new.weight / old.weight for new, old in zip(after, before, strict=True)]
    assert times[0] > 2 * times[1]
    assert times[1:] == pytest.approx([times[1]] * (len(times) - 1), rel=1e-4)
    weigh(tmp_path, PLAN, first_is_rare)
    assert (len(asked), packed(tmp_path)) == (1, after)
    assert Album(after, tmp_path, PLAN)._weights[0] == after[0].weight


def test_both_sides_of_the_split_have_pictures(pictures: list[Picture]) -> None:
    sides = {p.split for p in pictures}
    assert sides == {"train", "held-out"}


def crops_of(album: Album, plan: CropPlan, count: int = 64) -> torch.Tensor:
    """Crops drawn by another plan than the album's own."""
    varied = copy.copy(album)
    varied.plan = plan
    return varied.draw(count, torch.Generator().manual_seed(1))


def test_no_held_out_photograph_is_in_a_training_crop(
    pictures: list[Picture], album: Album
) -> None:
    train = {int(Path(p.path).stem[:2]) for p in pictures if p.split == "train"}
    crops = crops_of(album, replace(PLAN, mixed=0.0), 400)
    seen = {blue((crop * 255).permute(1, 2, 0).numpy()) for crop in crops}
    assert seen == train


def test_the_exam_is_of_held_out_photographs_only(
    sources: Path, pictures: list[Picture], tmp_path: Path
) -> None:
    cut, owners, photos = cut_held_out(pictures, sources, tmp_path, size=64, each=3)
    held = {int(Path(p.path).stem[:2]) for p in pictures if p.split == "held-out"}
    assert {blue(crop) for crop in cut} == held
    assert len(cut) == 3 * len(photos)
    assert [blue(crop) for crop in cut] == [int(Path(photos[i].path).stem[:2]) for i in owners]


def test_an_album_is_packed_once_and_smaller(
    sources: Path, pictures: list[Picture], tmp_path: Path
) -> None:
    entries = pack(pictures, sources, tmp_path, PLAN)
    assert len(entries) == sum(p.split == "train" for p in pictures)
    with Image.open(tmp_path / entries[0].file) as image:
        assert image.size == (PLAN.side, PLAN.side)
    assert (entries[0].width, entries[0].height) == (320, 240), "of the original"
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert pack([], sources, tmp_path, PLAN) == entries
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times


def gradient_album(folder: Path, *, aspect: float = 1.0, turn: float = 0.0) -> Album:
    """One photo whose red grows to the right and whose green grows downwards, from 20 to 235."""
    ramp = np.linspace(20, 235, 128).astype(np.uint8)
    flat = np.zeros((128, 128, 3), np.uint8)
    flat[..., 0], flat[..., 1] = ramp[None], ramp[:, None]
    Image.fromarray(flat).save(folder / "0.png")
    plan = CropPlan(size=32, side=128, turn=turn, colour=0.0, grey=0.0, mixed=0.0, finest=20.0)
    return Album([Entry("0.png", "photo", round(600 * aspect), 600, 1.0)], folder, plan)


def test_a_crop_has_the_aspect_of_its_box_in_the_picture(tmp_path: Path) -> None:
    """Of a wide picture squeezed into a square: a crop as wide as high takes less of the width."""
    crops = gradient_album(tmp_path, aspect=2.0).draw(400, torch.Generator().manual_seed(2))
    wide = (crops[:, 0, 16, -1] - crops[:, 0, 16, 0]).abs()  # share of the width
    high = (crops[:, 1, -1, 16] - crops[:, 1, 0, 16]).abs()
    inside = (wide < 0.7) & (high < 0.7)  # neither was cut to the picture
    ratio = (wide / high)[inside] * 2  # of the picture's own sides
    assert inside.sum() > 100
    assert ratio.min() > 0.7
    assert ratio.max() < 1.4
    assert ratio.log().mean().abs() < 0.1


@pytest.mark.parametrize("aspect", [2.0, 0.5])
def test_a_whole_photograph_is_the_square_in_its_middle(tmp_path: Path, aspect: float) -> None:
    album = gradient_album(tmp_path, aspect=aspect)
    (shown,) = album.photographs(5, 56, torch.Generator(), batch=2)
    assert shown.shape == (1, 3, 56, 56)
    levels = (235 - 20) / 255 * 7 / 8  # seven eighths of the shorter side
    across = (shown[0, 0, 28, -1] - shown[0, 0, 28, 0]).item()
    down = (shown[0, 1, -1, 28] - shown[0, 1, 0, 28]).item()
    wanted = (levels / aspect, levels) if aspect > 1 else (levels, levels * aspect)
    assert (across, down) == pytest.approx(wanted, abs=0.02)
    assert shown[0, :2].mean().item() == pytest.approx((20 + 235) / 2 / 255, abs=0.01)


def test_crops_are_mirrored_and_turned_by_chance(tmp_path: Path) -> None:
    def slopes(turn: float) -> tuple[torch.Tensor, torch.Tensor]:
        crops = gradient_album(tmp_path, turn=turn).draw(300, torch.Generator().manual_seed(2))
        across = crops[:, 0, 16, 20] - crops[:, 0, 16, 11]
        down = crops[:, 0, 20, 16] - crops[:, 0, 11, 16]
        return across, down

    across, down = slopes(0.0)
    assert 0.4 < (across > 0).float().mean() < 0.6
    assert (down.abs() < 0.02).all()
    across, down = slopes(20.0)
    assert ((down / across).atan().rad2deg().std() - 20).abs() < 5


def test_objects_lie_over_crops_of_photographs(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (0, 0, 255)).save(tmp_path / "sea.png")
    Image.new("RGB", (64, 64), (0, 255, 0)).save(tmp_path / "painting.png")
    tall = Image.new("RGBA", (24, 48), (255, 0, 0, 255))
    tall.paste((9, 9, 9, 0), (0, 24, 24, 48))  # its lower half is transparent, and not red
    tall.save(tmp_path / "tall.png")
    entries = [
        Entry("sea.png", "photo", 600, 600, 1.0),
        Entry("painting.png", "painting", 600, 600, 1.0),
        Entry("tall.png", "cutout", 24, 48, 2.0),
    ]
    plan = CropPlan(size=64, side=64, object_side=48, colour=0.0, grey=0.0, mixed=0.0, turn=0.0)
    crops = Album(entries, tmp_path, plan).draw(200, torch.Generator().manual_seed(4))
    red, green, blue = crops.unbind(1)
    with_object = red.amax((1, 2)) > 0.9
    assert with_object.sum() == pytest.approx(100, abs=8), "half of the weight; a few lie outside"
    assert (green[with_object] < 0.01).all(), "never over a painting"
    torch.testing.assert_close(
        (red + blue)[with_object], torch.ones_like(red[with_object]), atol=0.02, rtol=0
    )
    # 0.5 to 1.1 of the crop high, a quarter of that height wide where it is seen whole.
    rows = (red[with_object] > 0.5).any(2).sum(1) / 64
    assert rows.max() <= 0.56
    assert rows.max() > 0.45


def test_half_of_the_crops_are_mixed_with_one_of_the_others(album: Album) -> None:
    levels = torch.cat((torch.full((32, 3, 16, 16), 40 / 255), torch.full((32, 3, 16, 16), 0.8)))
    mixed = album._mixed(levels, torch.Generator().manual_seed(1))
    assert torch.equal(mixed[:32], levels[:32]), "those stay as they were cut"
    last = mixed[32:, 0].flatten(1)
    share = (0.8 - last.mean(1)) / (0.8 - 40 / 255)
    assert share.min() > 0.1
    assert share.max() < 0.55
    blended = (last - last[:, :1]).abs().amax(1) < 1e-6
    pasted = ((last - 0.8).abs() < 1e-6) | ((last - 40 / 255).abs() < 1e-6)
    assert (blended ^ pasted.all(1)).all(), "each is a blend or has a rectangle of the other"
    assert blended.sum() == 16


def test_colours_vary_and_shapes_do_not(album: Album) -> None:
    plain = crops_of(album, replace(PLAN, mixed=0.0))
    varied = crops_of(album, replace(PLAN, mixed=0.0, colour=0.35))
    assert 0.02 < (varied.mean((1, 2, 3)) - plain.mean((1, 2, 3))).std() < 0.25
    pairs = zip(plain[:, 0].flatten(1), varied[:, 0].flatten(1), strict=True)
    assert np.median([np.corrcoef(a, b)[0, 1] for a, b in pairs]) > 0.9
    grey = crops_of(album, replace(PLAN, mixed=0.0, grey=1.0))
    torch.testing.assert_close(grey[:, 0], grey[:, 2])


def test_part_of_an_album_is_the_same_part_each_time(
    sources: Path, pictures: list[Picture], tmp_path: Path
) -> None:
    entries = pack(pictures, sources, tmp_path, PLAN)
    half, again = (Album(entries, tmp_path, PLAN, share=0.5) for _ in range(2))
    assert len(half.entries) == round(len(entries) / 2)
    assert half.entries == again.entries
    assert len(half.scenes) == len(half.entries)


def test_the_teacher_labels_what_the_students_see(teacher: Teacher, lessons: Lessons) -> None:
    shown = lessons.shown(5, count=6, size=64, noise=0.0)
    crops, _ = lessons.taught(5, 6)
    torch.testing.assert_close(shown.inputs, normalised(crops))
    expected = teacher.answer(crops)
    torch.testing.assert_close(shown.logits, expected.logits)
    mean, deviation = expected.fine.mean((0, 2, 3)), expected.fine.std((0, 2, 3))
    found = shown.fine.mean((0, 2, 3)) * deviation + mean
    assert torch.corrcoef(torch.stack((found, mean)))[0, 1] > 0.9, "scaled, but the same maps"


def test_the_teacher_says_the_same_on_onnxruntime(teacher: Teacher, lessons: Lessons) -> None:
    model = copy.deepcopy(teacher.model)
    assert isinstance(model, ShuffleNetV2)
    exported = OnnxTeacher(model, model.stage2, model.stage3, threads=1)
    seen, _ = lessons.taught(1, 5)
    expected, found = teacher.answer(seen), exported.answer(seen)
    # The one computes in bfloat16, three digits, the other in single precision.
    for part in ("logits", "fine", "coarse"):
        want, have = getattr(expected, part), getattr(found, part)
        assert want.shape == have.shape
        assert (want - have).norm() < 0.03 * want.norm(), part


def test_several_teachers_say_the_mean_and_show_the_features_of_the_first(
    teacher: Teacher, lessons: Lessons
) -> None:
    torch.manual_seed(8)
    model = shufflenet_v2_x0_5(num_classes=10)
    other = Teacher(model, model.stage2, model.stage3)
    other.side = 96  # trained with larger pictures than the crops
    crops, _ = lessons.taught(1, 4)
    one, two, both = (t.answer(crops) for t in (teacher, other, Several([teacher, other])))
    expected = (one.logits.log_softmax(1) + two.logits.log_softmax(1)) / 2
    torch.testing.assert_close(both.logits, expected)
    torch.testing.assert_close(both.fine, one.fine)
    assert two.fine.shape[-1] == 96 / 8
    assert one.fine.shape[-1] == 64 / 8


def test_features_are_of_the_last_block_of_a_stride() -> None:
    def block(stride: int) -> torch.nn.Module:
        found = torch.nn.Module()
        found.add_module("_depthwise_conv", torch.nn.Conv2d(4, 4, 3, stride, groups=4))
        return found

    blocks = [block(stride) for stride in (1, 2, 1, 2, 1, 1, 2, 1, 2)]
    last = last_of_stride(blocks)
    assert {stride: blocks.index(found) for stride, found in last.items()} == {
        2: 0,
        4: 2,
        8: 5,
        16: 7,
        32: 8,
    }


def test_a_step_shows_the_same_each_time_and_another_the_next(
    album: Album, teacher: Teacher
) -> None:
    lattice = (Lattice(12.5, 8), 6)

    def batch(step: int) -> Batch:
        fresh = Lessons(album, teacher, seed=3)
        return fresh.shown(step, count=4, size=48).batch(lattice, (Lattice(20.5, 16), 3))

    first, second, again = batch(7), batch(8), batch(7)
    assert first.inputs.shape == (4, 3, 48, 48)
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.fine, again.fine)
    assert not torch.equal(first.inputs, second.inputs)


def test_classes_occur_as_often_as_the_teacher_says(lessons: Lessons) -> None:
    one, two = torch.tensor([[9.0, 0, 0], [0, 9, 0]]), torch.tensor([[9.0, 0, 0]])
    often = frequencies([one, two])
    torch.testing.assert_close(often, torch.tensor([2 / 3, 1 / 3, 0.0]), atol=1e-3, rtol=0)
    assert lessons.frequencies.shape == (lessons.widths[0],)
    assert lessons.frequencies.sum().item() == pytest.approx(1)
    seen = torch.cat([lessons.taught(step, 64)[1].logits for step in range(8)]).softmax(1).mean(0)
    torch.testing.assert_close(lessons.frequencies, seen, atol=0, rtol=0.05)


def test_crops_are_shown_twice_with_other_noise(lessons: Lessons) -> None:
    steps = [cut_at(step) for step in range(400)]
    assert max(Counter(steps).values()) == 2
    assert len(set(steps)) == pytest.approx(200, abs=10)
    assert all(0 <= step - cut <= ECHO for step, cut in enumerate(steps))
    fresh = {step: lessons.shown(step, count=4, size=48) for step in range(20)}
    first, again = fresh[2], fresh[2 + ECHO]
    assert torch.equal(first.logits, again.logits)
    assert not torch.equal(first.inputs, again.inputs)
    calm = [lessons.shown(step, count=4, size=48, noise=0.0) for step in (2, 2 + ECHO)]
    assert torch.equal(calm[0].inputs, calm[1].inputs)


def test_a_grid_is_that_of_torch(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.Tensor] = []

    def sample(pixels: torch.Tensor, grid: torch.Tensor, **how: object) -> torch.Tensor:
        asked.append(grid)
        return torch.zeros(len(pixels), pixels.shape[1], *grid.shape[1:3])

    monkeypatch.setattr("training.album.F.grid_sample", sample)
    matrix = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(5))
    album._sampled(torch.zeros(3, 3, 9, 9, dtype=torch.uint8), matrix, "zeros")
    side = 2 * album.plan.size
    expected = torch.nn.functional.affine_grid(matrix, [3, 1, side, side], align_corners=False)
    torch.testing.assert_close(asked[0], expected)


def test_features_are_read_where_the_units_look() -> None:
    """A ramp of features, read at the centres of a lattice, is the ramp of the pixels there."""
    centres = (torch.arange(16) + 0.5) / 16
    maps = torch.stack((centres.expand(16, 16), centres[:, None].expand(16, 16)))[None]
    inputs = torch.zeros(1, 3, 64, 64)
    lattice = (Lattice(6.0, 8), 7)
    drawn = Shown(inputs, torch.zeros(1, 10), maps, maps).batch(lattice, lattice)
    expected = (6.0 + 8 * torch.arange(7)) / 64
    torch.testing.assert_close(drawn.fine[0, 0], expected.expand(7, 7))
    torch.testing.assert_close(drawn.fine[0, 1], expected[:, None].expand(7, 7))


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
