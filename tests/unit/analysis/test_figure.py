"""figure: a printed sheet shows the right pixels, at the right size, and says what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

import zfwidgets as zf
from zfwidgets.analysis.exemplars import exemplars

CM = 2.54


@pytest.fixture(scope="module")
def net() -> zf.DeconvNet:
    """Eight channels that see 9 x 9 pixels of 24 x 24."""
    torch.manual_seed(5)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 2), nn.ReLU()
    ).eval()
    return zf.DeconvNet(model, _tensor, device="cpu", name="tiny")


def _tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    """Twelve pictures of noise."""
    noise = np.random.default_rng(3).integers(0, 256, (12, 24, 24, 3), dtype=np.uint8)
    return [Image.fromarray(pixels) for pixels in noise]


def tiles(figure: Figure) -> list[np.ndarray[Any, Any]]:
    """The pictures on the sheet, in the order in which they were drawn."""
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def texts(figure: Figure) -> str:
    """All text on the sheet."""
    return " ".join(text.get_text() for text in figure.axes[0].texts)


def test_one_photo_gives_a_projection_and_its_patch_for_each_channel(
    net: zf.DeconvNet, photos: list[Image.Image]
) -> None:
    recording = net.record(photos[0])
    drawn = tiles(zf.figure(recording, "conv2", [5, 2]))
    assert len(drawn) == 4
    for place, channel in enumerate((5, 2)):
        neurons = recording.strongest("conv2", [channel])
        found = recording.project(neurons)
        assert np.array_equal(drawn[2 * place], found.to_images()[0])
        top, left, bottom, right = found.boxes[0].tolist()
        photo = np.asarray(photos[0])
        expected = photo[max(0, top) : bottom, max(0, left) : right]
        assert np.abs(drawn[2 * place + 1].astype(int) - expected).max() <= 1


def test_a_number_of_channels_means_the_strongest(
    net: zf.DeconvNet, photos: list[Image.Image]
) -> None:
    recording = net.record(photos[0])
    value = recording.strongest("conv2").value
    order = value.argsort(descending=True).tolist()
    said = texts(zf.figure(recording, "conv2", 3))
    assert [said.index(f"channel {channel} · {value[channel]:.3g}") for channel in order[:3]]
    assert f"channel {order[3]} " not in said


def test_several_photos_give_the_nine_best_of_each_channel(
    net: zf.DeconvNet, photos: list[Image.Image]
) -> None:
    recording = net.record(photos)
    drawn = tiles(zf.figure(recording, "conv2", [4]))
    assert len(drawn) == 18
    one = [net.record(photo).strongest("conv2", [4]).value.item() for photo in photos]
    best = sorted(range(12), key=lambda number: -one[number])[:9]
    for place, number in enumerate(best):
        alone = net.record(photos[number])
        expected = alone.project(alone.strongest("conv2", [4])).to_images()[0]
        assert np.abs(drawn[place].astype(int) - expected).max() <= 1, place


def test_exemplars_are_printed_as_they_were_found(
    net: zf.DeconvNet, photos: list[Image.Image]
) -> None:
    named = {f"{number:02}": photo for number, photo in enumerate(photos)}
    found = exemplars(net, named, "conv2", k=9)
    figure = zf.figure(found, channels=[1], net=net, images=named)
    panel = found.project(net, named, 1)
    expected = [*panel.projections.to_images(), *panel.patches]
    assert all(np.array_equal(*pair) for pair in zip(tiles(figure), expected, strict=True))
    assert "the strongest of 12 photos" in texts(figure)
    with pytest.raises(TypeError, match="net=net"):
        zf.figure(found)


def test_a_whole_layer_is_printed_without_patches(
    net: zf.DeconvNet, photos: list[Image.Image]
) -> None:
    recording = net.record(photos[0])
    figure = zf.figure(recording, "conv2", "all")
    expected = recording.project(recording.strongest("conv2")).to_images()
    assert np.array_equal(np.stack(tiles(figure)), expected)


def test_the_caption_says_what_made_it(net: zf.DeconvNet, photos: list[Image.Image]) -> None:
    said = texts(zf.figure(net.record(photos[0]), "conv2", 2, rule="guided"))
    for part in (
        "tiny",
        net.weights_hash()[:12],
        "layer conv2",
        "Rule: guided",
        "99.5th percentile",
    ):
        assert part in said


@pytest.mark.parametrize(("width", "centimetres"), [("page", 17.8), ("column", 8.6), (12.0, 12.0)])
def test_it_is_as_wide_as_the_text_around_it(
    net: zf.DeconvNet, photos: list[Image.Image], tmp_path: Path, width: Any, centimetres: float
) -> None:
    path = tmp_path / "sheet.png"
    figure = zf.figure(net.record(photos[0]), "conv2", 4, width=width, path=path)
    assert figure.get_size_inches()[0] * CM == pytest.approx(centimetres)
    with Image.open(path) as saved:
        assert saved.width == pytest.approx(centimetres / CM * 300, abs=1)
        assert saved.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        edges = np.asarray(saved.convert("L"))[[0, -1]]
    assert (edges == 255).all(), "nothing is cut at the top or the bottom"


def test_text_on_paper_is_text(
    net: zf.DeconvNet, photos: list[Image.Image], tmp_path: Path
) -> None:
    path = tmp_path / "sheet.pdf"
    zf.figure(net.record(photos[0]), "conv2", 2, path=path)
    assert b"/FontFile2" in path.read_bytes(), "a TrueType font is embedded"
    svg = tmp_path / "sheet.svg"
    zf.figure(net.record(photos[0]), "conv2", 2, path=svg)
    assert "<text" in svg.read_text()


def test_what_cannot_be_printed_is_said(net: zf.DeconvNet, photos: list[Image.Image]) -> None:
    recording = net.record(photos[0])
    many = net.record(photos)
    with pytest.raises(ValueError, match="expected 0 to 7"):
        zf.figure(recording, "conv2", [8])
    with pytest.raises(KeyError, match="conv9"):
        zf.figure(recording, "conv9")
    with pytest.raises(TypeError, match="without a layer"):
        zf.figure(recording)
    with pytest.raises(ValueError, match="'column', 'page' or centimetres"):
        zf.figure(recording, "conv2", width="letter")
    with pytest.raises(ValueError, match="do not fit an A4 page"):
        zf.figure(many, "conv2", "all", width=3.0)
    with pytest.raises(TypeError, match="expected a Recording"):
        zf.figure("zfnet", "conv5")  # type: ignore[arg-type]
