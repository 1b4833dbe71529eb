"""Evolution: each column is what the single checkpoint gives, asked for by hand."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import zfwidgets as zf
from zfwidgets.analysis.evolution import Evolution, evolution
from zfwidgets.analysis.recorder import EvolutionRecorder
from zfwidgets.deconv.checkpoints import Checkpoints

CHANNELS = [4, 0, 3]


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.ReLU()
    )


def pictures(number: int = 7) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {f"photo {i}": torch.randn(3, 16, 16, generator=generator) for i in range(number)}


@pytest.fixture
def run(tmp_path: Path) -> Checkpoints:
    """Four checkpoints of a network that changes a little every time."""
    model = network()
    recorder = EvolutionRecorder(tmp_path, model, every=1)
    for step in range(4):
        recorder.step(step)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return recorder.checkpoints()


@pytest.fixture
def found(run: Checkpoints) -> Evolution:
    return evolution(run, pictures(), "conv2", CHANNELS, k=3, progress=False)


def test_every_column_is_what_recording_and_projecting_gives_for_that_checkpoint(
    run: Checkpoints, found: Evolution
) -> None:
    photos = pictures()
    for column, net in enumerate(run):
        for row, channel in enumerate(CHANNELS):
            best = {
                name: net.record(photo[None]).strongest("conv2", channel)
                for name, photo in photos.items()
            }
            name = max(best, key=lambda one: float(best[one].value))
            neuron = best[name]
            assert found.ids[found.image[column, row]] == name
            assert found.value[column, row] == pytest.approx(float(neuron.value), rel=1e-5)
            assert (found.row[column, row], found.col[column, row]) == (neuron.row, neuron.col)
            alone = net.record(photos[name][None]).project(neuron)
            together = found.projections[column]
            assert torch.allclose(together.pixels[row], alone.pixels[0], atol=1e-5)
            assert torch.equal(together.boxes[row], alone.boxes[0])


def test_patches_are_the_pixels_in_the_boxes(run: Checkpoints, found: Evolution) -> None:
    seen = pictures()
    for column, net in enumerate(run):
        for row in range(len(CHANNELS)):
            photo = net.undo(seen[found.ids[found.image[column, row]]][None])[0]
            top, left, bottom, right = found.projections[column].boxes[row].tolist()
            patch = found.patches[column, row]
            for y, x in itertools.product(range(top, bottom, 3), range(left, right, 3)):
                inside = 0 <= y < 16 and 0 <= x < 16
                expected = photo[y, x].tolist() if inside else [128] * 3
                assert patch[y - top, x - left].tolist() == expected


def test_jumps_and_overlap_count_pictures_as_sets_do(found: Evolution) -> None:
    for column, row in itertools.product(range(4), range(len(CHANNELS))):
        if column == 0:
            assert not found.jumps[0, row]
            assert torch.isnan(found.overlap[0, row])
            continue
        before, now = (set(found.top[t, row].tolist()) for t in (column - 1, column))
        jaccard = len(before & now) / len(before | now)
        assert float(found.overlap[column, row]) == pytest.approx(jaccard)
        changed = found.image[column, row] != found.image[column - 1, row]
        alive = min(found.value[column, row], found.value[column - 1, row]) > 0
        assert bool(found.jumps[column, row]) == bool(changed and alive)


def test_a_network_that_stands_still_has_no_jumps_and_all_its_pictures(tmp_path: Path) -> None:
    recorder = EvolutionRecorder(tmp_path, network(), every=1)
    for step in range(3):
        recorder.step(step)
    found = evolution(recorder.checkpoints(), pictures(), "conv1", k=3, progress=False)
    assert not found.jumps.any()
    assert (found.overlap[1:] == 1).all()
    assert torch.allclose(found.similarity, torch.ones(3, 4))


def test_the_overlap_by_chance_is_that_of_all_draws(found: Evolution) -> None:
    draws = [set(draw) for draw in itertools.combinations(range(7), 3)]
    mean = sum(len(a & b) / len(a | b) for a in draws for b in draws) / len(draws) ** 2
    assert found.chance == pytest.approx(mean)


def test_similarity_is_the_cosine_with_the_last_filters(run: Checkpoints, found: Evolution) -> None:
    last = run[-1].model.get_parameter("3.weight")
    first = run[0].model.get_parameter("3.weight")
    for row, channel in enumerate(CHANNELS):
        a, b = first[channel].flatten(), last[channel].flatten()
        cosine = float(a @ b / (a.norm() * b.norm()))
        assert float(found.similarity[0, row]) == pytest.approx(cosine, rel=1e-4)
    assert torch.allclose(found.similarity[-1], torch.ones(len(CHANNELS)))


def test_many_pictures_are_read_anew_and_give_the_same(
    run: Checkpoints, found: Evolution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zfwidgets.analysis.shared_images.HELD", 2)
    monkeypatch.setattr("zfwidgets.analysis.evolution.AT_ONCE", 1)
    again = evolution(run, pictures(), "conv2", CHANNELS, k=3, batch=3, progress=False)
    assert torch.equal(again.image, found.image)
    assert torch.allclose(again.projections[2].pixels, found.projections[2].pixels, atol=1e-5)


def test_one_row_of_the_table_for_each_checkpoint_and_channel(found: Evolution) -> None:
    table = found.to_frame()
    assert len(table) == 4 * len(CHANNELS)
    row = table[(table.step == 2) & (table.channel == 3)].iloc[0]
    assert row["image"] == found.ids[found.image[2, 2]]
    assert row["value"] == pytest.approx(float(found.value[2, 2]))
    assert list(found.summary().index) == [0, 1, 2, 3]


def test_it_stops_when_it_is_told_to(run: Checkpoints) -> None:
    short = evolution(run, pictures(), "conv1", [0], k=2, progress=False, should_stop=lambda: True)
    assert short.steps == (0,)


def test_figures_have_a_tile_for_each_checkpoint_of_each_channel(found: Evolution) -> None:
    assert len(found.plot().axes) == 4 * len(CHANNELS)
    assert len(found.plot([3], patches=True).axes) == 4
    assert len(found.plot_stability().axes) == 2
    with pytest.raises(ValueError, match="expected some of the channels"):
        found.plot([1])


def test_wrong_channels_and_no_pictures_are_said(run: Checkpoints) -> None:
    with pytest.raises(IndexError, match="0 to 4"):
        evolution(run, pictures(), "conv2", [5], progress=False)
    with pytest.raises(ValueError, match="no images"):
        evolution(run, {}, "conv2", progress=False)
    with pytest.raises(KeyError, match="no layer"):
        evolution(run, pictures(), "conv9", progress=False)


def test_the_bundled_checkpoints_are_there_offline_and_end_near_the_bundled_network() -> None:
    bundled = zf.checkpoints("zfnet", device="cpu")
    assert len(bundled) >= 2
    assert list(bundled.steps) == sorted(set(bundled.steps))
    last, net = bundled[-1], zf.load("zfnet", device="cpu")
    assert [*last.layers] == [*net.layers][: len(last.layers)]
    kept = last.model.state_dict()
    for name, weight in net.model.state_dict().items():
        if name in kept and name.endswith("weight"):
            cosine = nn.functional.cosine_similarity(kept[name].flatten(), weight.flatten(), dim=0)
            assert cosine > 0.999  # int8 with a scale a filter
    photo = zf.sample("cat").path
    a, b = (one.record(photo, upto="conv1").feature_maps("conv1").flatten() for one in (last, net))
    assert nn.functional.cosine_similarity(a, b, dim=0) > 0.9999
