"""The strongest pictures of each channel, against a sort over all activations."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from zfwidgets.analysis import Exemplars, exemplars
from zfwidgets.analysis.scanning.top import Top
from zfwidgets.deconv import DeconvNet, Recording

FIELDS = ("value", "image", "row", "col")


def network() -> DeconvNet:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    return DeconvNet(model.eval(), device="cpu", name="small")


def pictures(number: int = 12) -> dict[str, Tensor]:
    """Pictures with ids that are not in order; three are equal, so that there are ties."""
    generator = torch.Generator().manual_seed(1)
    tensors = torch.randn(number, 3, 10, 10, generator=generator)
    tensors[7] = tensors[2]
    tensors[9] = tensors[2]
    return {f"photo {index * 5 % number:02d}": tensor for index, tensor in enumerate(tensors)}


def by_sorting(
    net: DeconvNet, photos: dict[str, Tensor], channel: int, k: int
) -> list[tuple[str, int, int, float]]:
    """Every place of every picture sorted; then the first of each picture."""
    places = []
    for name, photo in photos.items():
        values = net.record(photo[None]).feature_maps("conv1")[0, channel].tolist()
        places += [
            (-value, name, y, x) for y, row in enumerate(values) for x, value in enumerate(row)
        ]
    best: dict[str, tuple[str, int, int, float]] = {}
    for value, name, y, x in sorted(places):
        best.setdefault(name, (name, y, x, -value))
    return list(best.values())[:k]


def same(first: Exemplars, second: Exemplars) -> bool:
    return (first.ids, first.scanned) == (second.ids, second.scanned) and all(
        torch.equal(getattr(first, name), getattr(second, name)) for name in FIELDS
    )


@pytest.mark.parametrize("k", [1, 4, 9])
def test_the_strongest_are_those_of_a_sort_over_all_activations(k: int) -> None:
    net, photos = network(), pictures()
    found = exemplars(net, photos, "conv1", k, batch=1, progress=False)
    for channel in range(4):
        assert found.of(channel) == by_sorting(net, photos, channel, k)


def test_equal_activations_are_told_apart_by_id_then_row_then_column() -> None:
    net = network()
    flat = {name: torch.zeros(3, 6, 6) for name in "cadb"}
    with torch.no_grad():
        net.model.get_submodule("0").bias.fill_(1.0)  # type: ignore[operator]
    found = exemplars(net, flat, "conv1", 3, batch=3, progress=False)
    assert found.of(0) == [("a", 0, 0, 1.0), ("b", 0, 0, 1.0), ("c", 0, 0, 1.0)]


def test_shards_merged_in_any_order_equal_the_single_pass() -> None:
    net, photos = network(), pictures()
    names = list(photos)
    whole = exemplars(net, photos, "conv1", 4, batch=1, progress=False)
    shards = [
        exemplars(net, {n: photos[n] for n in part}, "conv1", 4, batch=1, progress=False)
        for part in (names[:2], names[2:7], names[7:])
    ]
    for a, b, c in itertools.permutations(shards):
        assert same(a.merge(b).merge(c), whole)
        assert same(a.merge(b.merge(c)), whole)


def test_scans_that_do_not_belong_together_are_not_merged() -> None:
    net, photos = network(), pictures()
    one = exemplars(net, photos, "conv1", 2, progress=False)
    with pytest.raises(ValueError, match="is in both scans"):
        one.merge(one)
    with pytest.raises(ValueError, match="layer is 'conv1' here and 'pool1' there"):
        one.merge(exemplars(net, photos, "pool1", 2, progress=False))


def test_a_saved_scan_comes_back_with_its_provenance(tmp_path: Path) -> None:
    net, photos = network(), pictures()
    found = exemplars(net, photos, "conv1", 3, progress=False)
    found.save(tmp_path / "scan.safetensors")
    again = Exemplars.load(tmp_path / "scan.safetensors")
    assert same(found, again)
    assert again.weights == net.weights_hash()
    assert (again.net, again.layer, again.complete) == ("small", "conv1", True)
    assert again.preprocessing == repr(net.transforms)
    (tmp_path / "other").write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="holds no exemplars"):
        Exemplars.load(tmp_path / "other")


def test_a_scan_of_fewer_pictures_than_k_has_empty_places() -> None:
    found = exemplars(network(), pictures(12), "conv1", 20, progress=False)
    assert len(found.of(2)) == 12
    assert (found.image[:, 12:] == -1).all()


def test_a_stopped_scan_keeps_what_it_saw() -> None:
    net, photos = network(), pictures()
    answers = iter([False, True])
    stopped = exemplars(
        net, photos, "conv1", 3, batch=2, progress=False, should_stop=lambda: next(answers)
    )
    first = dict(list(photos.items())[:4])
    assert not stopped.complete
    assert same(stopped, exemplars(net, first, "conv1", 3, batch=2, progress=False))


def test_an_interrupted_scan_keeps_what_it_saw() -> None:
    net, photos = network(), list(pictures().values())

    def interrupted():  # type: ignore[no-untyped-def]
        yield from photos[:4]
        raise KeyboardInterrupt

    found = exemplars(net, interrupted(), "conv1", 3, batch=2, progress=False)
    assert (found.scanned, found.complete) == (4, False)


def test_patches_are_the_receptive_field_and_grey_outside_the_picture() -> None:
    net = network()
    with torch.no_grad():
        module = net.model.get_submodule("0")
        assert isinstance(module, nn.Conv2d)
        module.weight.zero_()
        module.weight[0, :, 1, 1] = 1
    corner, middle = torch.zeros(3, 8, 8), torch.zeros(3, 8, 8)
    corner[:, 0, 0], middle[:, 4, 3] = 2, 1
    photos = {"corner": corner, "middle": middle}
    found = exemplars(net, photos, "conv1", 2, progress=False)
    patches, outside = found.patches(net, photos, 0)
    assert patches.shape == (2, 3, 3, 3)
    assert outside.tolist() == [True, False]
    seen = net.undo(torch.stack([corner, middle]))
    assert (patches[0, 0] == 128).all()
    assert (patches[0, :, 0] == 128).all()
    assert np.array_equal(patches[0, 1:, 1:], seen[0, :2, :2])
    assert np.array_equal(patches[1], seen[1, 3:6, 2:5])


def test_a_panel_projects_each_neuron_from_its_own_picture() -> None:
    net, photos = network(), pictures()
    found = exemplars(net, photos, "pool1", 3, progress=False)
    panel = found.project(net, photos, 1)
    assert len(panel.projections) == len(panel.patches) == 3
    for index, (name, row, col, value) in enumerate(found.of(1)):
        recording = net.record(photos[name][None])
        alone = recording.project(recording.neurons("pool1", 0, 1, row, col))
        assert panel.ids[index] == name
        assert float(panel.values[index]) == pytest.approx(value)
        torch.testing.assert_close(panel.projections.on_canvas()[index], alone.on_canvas()[0])


@pytest.mark.parametrize("at_once", [1, 4, 32])
def test_panels_of_several_channels_are_those_of_each_and_share_their_recordings(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, photos = network(), pictures()
    found = exemplars(net, photos, "pool1", 3, progress=False)
    each = [found.project(net, photos, channel) for channel in (3, 0, 2)]
    recorded: list[int] = []
    record = DeconvNet.record

    def counted(self: DeconvNet, images: Tensor, upto: str | None = None) -> Recording:
        recorded.append(len(images))
        return record(self, images, upto)

    monkeypatch.setattr("zfwidgets.analysis.strongest.PICTURES_AT_ONCE", at_once)
    monkeypatch.setattr(DeconvNet, "record", counted)
    together = list(found.panels(net, photos, (3, 0, 2)))
    if at_once == 1:
        assert recorded == [3, 3, 3]
    if at_once == 32:
        assert recorded == [len({name for panel in each for name in panel.ids})]
    for one, other in zip(together, each, strict=True):
        assert one.ids == other.ids
        assert torch.equal(one.values, other.values)
        assert np.array_equal(one.patches, other.patches)
        assert torch.equal(one.outside, other.outside)
        torch.testing.assert_close(one.projections.on_canvas(), other.projections.on_canvas())


def test_another_network_or_missing_pictures_are_refused() -> None:
    net, photos = network(), pictures()
    found = exemplars(net, photos, "conv1", 3, progress=False)
    with pytest.raises(KeyError, match="is not among the images"):
        found.patches(net, {"another": photos["photo 00"]}, 0)
    smaller = {name: torch.zeros(3, 3, 3) for name in photos}
    with pytest.raises(IndexError, match="of layer 'conv1': expected 0 to 2"):
        found.patches(net, smaller, int(found.row.amax(1).argmax()))
    with torch.no_grad():
        net.model.get_submodule("0").weight.mul_(2)  # type: ignore[operator]
    with pytest.raises(ValueError, match="other weights"):
        found.project(net, photos, 0)


def test_an_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    Image.new("RGB", (20, 20)).save(path)
    with pytest.raises(ValueError, match="comes twice"):
        exemplars(network(), [path, path], "conv1", progress=False)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_picture_that_is_no_number_is_named(number: float) -> None:
    photos = pictures()
    photos["photo 05"][1, 4, 4] = number
    with pytest.raises(ValueError, match="image 'photo 05' has 1 values that are NaN or infinite"):
        exemplars(network(), photos, "conv1", progress=False)


def test_what_is_no_number_comes_after_all_numbers_and_before_empty_places() -> None:
    nan = float("nan")
    peaks = torch.tensor([[1.0], [nan], [3.0], [-2.0]])
    maps, ids = peaks[:, :, None, None], ["a", "b", "c", "d"]
    places = []
    for names in (None, ids):
        top = Top.empty(1, 5, maps.device)
        top = top.with_batch(maps[:2], peaks[:2], 0, names and names[:2])
        places.append(top.with_batch(maps[2:], peaks[2:], 2, names))
    for one in places:
        assert one.image.tolist() == [[2, 0, 3, 1, -1]]
        assert one.value[0, 3].isnan()
    parts = [
        Top.empty(1, 5, maps.device).with_batch(maps[at], peaks[at], at.start, ids)
        for at in (slice(0, 2), slice(2, 4))
    ]
    assert parts[1].merged(parts[0], ids).image.tolist() == [[2, 0, 3, 1, -1]]


def test_no_images_and_unknown_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="no images"):
        exemplars(network(), [], "conv1", progress=False)
    with pytest.raises(KeyError, match="conv9"):
        exemplars(network(), pictures(), "conv9", progress=False)
