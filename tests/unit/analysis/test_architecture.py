"""Architectures beside each other: tables against the papers, the report against its parts."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import zfwidgets as zf
from zfwidgets.analysis.architecture import ArchitectureReport, architecture_report
from zfwidgets.analysis.layer_table import layer_table
from zfwidgets.deconv import DeconvNet
from zfwidgets.nets import NetError
from zfwidgets.nets.training import Training, in_words, same_training, training_of

#: Kernel, stride, padding, maps, side, parameters, receptive field, jump: Zeiler & Fergus 2013,
#: Fig. 3, and Chatfield et al. 2014, Table 1; fields and jumps worked out from them.
PAPERS: dict[str, dict[str, tuple[int, ...]]] = {
    "zfnet": {
        "conv1": (7, 2, 1, 96, 110, 14_208, 7, 2),
        "pool1": (3, 2, 0, 96, 55, 0, 11, 4),
        "conv2": (5, 2, 0, 256, 26, 614_656, 27, 8),
        "pool2": (3, 2, 0, 256, 13, 0, 43, 16),
        "conv3": (3, 1, 1, 384, 13, 885_120, 75, 16),
        "conv4": (3, 1, 1, 384, 13, 1_327_488, 107, 16),
        "conv5": (3, 1, 1, 256, 13, 884_992, 139, 16),
        "pool5": (3, 2, 0, 256, 6, 0, 171, 32),
    },
    "cnn-f": {
        "conv1": (11, 4, 0, 64, 54, 23_296, 11, 4),
        "pool1": (3, 2, 0, 64, 27, 0, 19, 8),
        "conv2": (5, 1, 2, 256, 27, 409_856, 51, 8),
        "conv5": (3, 1, 1, 256, 13, 590_080, 163, 16),
        "pool5": (3, 2, 0, 256, 6, 0, 195, 32),
    },
    "cnn-m": {
        "conv1": (7, 2, 0, 96, 109, 14_208, 7, 2),
        "conv2": (5, 2, 1, 256, 26, 614_656, 27, 8),
        "conv3": (3, 1, 1, 512, 13, 1_180_160, 75, 16),
        "pool5": (3, 2, 0, 512, 6, 0, 171, 32),
    },
    "cnn-s": {
        "pool1": (3, 3, 0, 96, 37, 0, 11, 6),
        "conv2": (5, 1, 1, 256, 35, 614_656, 35, 6),
        "pool2": (2, 2, 0, 256, 18, 0, 41, 12),
        "conv5": (3, 1, 1, 512, 18, 2_359_808, 113, 12),
        "pool5": (3, 3, 0, 512, 6, 0, 137, 36),
    },
}
TOTALS = {"zfnet": 62_357_608, "cnn-f": 60_834_536, "cnn-m": 102_908_520, "cnn-s": 102_908_520}
COLUMNS = ["kernel", "stride", "padding", "maps", "height", "parameters", "receptive field", "jump"]


@pytest.mark.parametrize("name", PAPERS)
def test_the_table_is_the_papers(name: str) -> None:
    table = layer_table(name)
    for layer, expected in PAPERS[name].items():
        assert tuple(table.loc[(name, layer), COLUMNS]) == expected, layer
    assert table["parameters"].sum() == TOTALS[name]
    assert (table["height"] == table["width"]).all()


def test_networks_stand_below_each_other_as_they_are() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2))
    table = layer_table(DeconvNet(model, name="mine", device="cpu"), "alexnet")
    assert table.loc[("mine", "conv1"), "parameters"] == 4 * 27 + 4
    assert table.loc[("mine", "pool1"), "parameters"] == 0
    assert table.loc[("alexnet", "conv1"), "receptive field"] == 11
    with pytest.raises(NetError, match="zfnet"):
        layer_table("resnet")


def network(name: str, stride: int) -> DeconvNet:
    torch.manual_seed(stride)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 5, stride), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3), nn.ReLU()
    )
    with torch.no_grad():
        model.get_parameter("0.weight")[2] = 0  # a dead filter
        model.get_parameter("0.bias")[2] = -1
        model.get_parameter("0.weight")[4] *= 50
    return DeconvNet(model.eval(), name=name, device="cpu")


def pictures() -> dict[str, Tensor]:
    return {f"photo {i}": torch.randn(3, 40, 40) for i in range(4)}


@pytest.fixture(scope="module")
def report() -> ArchitectureReport:
    return architecture_report(network("<first>", 1), network("second", 4), images=pictures())


def test_every_number_is_that_of_its_own_analysis(report: ArchitectureReport) -> None:
    table = report.to_frame()
    assert table.loc[("<first>", "conv1"), "stride"] == 1
    assert table.loc[("second", "conv2"), "parameters"] == 5 * 6 * 9 + 5
    for side in report.sides:
        found = side.filters["conv1"]
        row = table.loc[(side.net, "conv1")]
        rms = [float(w.square().mean().sqrt()) for w in found.weights]
        assert row["above clip"] == pytest.approx(sum(r > 0.1 for r in rms) / 6)
        assert row["dead filters"] == pytest.approx(1 / 6)
        assert row["dead on images"] == pytest.approx(1 / 6)
        assert row["evenness"] == pytest.approx(side.usage["conv1"].evenness)
        alive = [i for i in range(6) if i != 2]
        assert row["aliasing"] == pytest.approx(float(found.aliasing[alive].mean()))
    assert table.loc[("<first>", "conv1"), "aliasing"] == 0  # stride 1 samples everything
    assert table.loc[("second", "conv1"), "aliasing"] > 0.3  # noise at stride 4


def test_a_dominating_filter_is_seen_on_one_scale_and_tamed_by_clipping(
    report: ArchitectureReport,
) -> None:
    side = report.sides[0]

    def contrast(tiles: Any) -> list[float]:
        return [float(tile.astype(float).std()) for tile in tiles]

    own, shared, clipped = map(contrast, (side.own, side.shared, side.clipped))
    assert own[4] < 2 * own[0]
    assert shared[4] > 10 * shared[0]
    assert clipped[4] < 4 * clipped[0]


def test_projections_are_of_the_second_layer(report: ArchitectureReport) -> None:
    for side in report.sides:
        field = side.sizes["conv2"]["receptive field"]
        assert side.projections.shape == (5, field, field, 3)


def test_whether_training_was_equal_is_read_in_the_weights() -> None:
    recipe = {"learning_rate": 0.1, "batch": 32, "minutes": 5, "seed": 1}
    first = Training("a", 1000, recipe)
    alike = Training("b", 1000, recipe | {"minutes": 9})
    longer = Training("c", 2500, recipe)
    faster = Training("d", 1000, recipe | {"learning_rate": 0.2})
    assert same_training([first, alike]) is True
    assert in_words([first, alike]).startswith("Training was equal: a 1,000 steps, b 1,000 steps")
    assert same_training([first, longer]) is False
    assert "not equal: a 1,000 steps, c 2,500 steps" in in_words([first, longer])
    assert same_training([first, faster]) is False
    assert "differ in learning_rate" in in_words([first, faster])
    assert same_training([first, Training("e", None)]) is None
    assert "cannot be told" in in_words([first, Training("e", None)])
    assert same_training([first, Training("f", 0)]) is False


def test_metadata_of_bundled_and_own_files_are_found(tmp_path: Path) -> None:
    for name in ("zfnet", "alexnet"):
        steps = training_of(name).steps
        assert steps is not None
        assert steps > 0
    assert training_of("zfnet-untrained").steps == 0
    assert training_of("torchvision:alexnet").steps is None
    path = tmp_path / "mine.safetensors"
    save_file({"x": torch.zeros(1)}, path, metadata={"steps": "12", "recipe": json.dumps({"a": 1})})
    assert training_of(path) == Training(str(path), 12, {"a": 1})


def test_a_network_is_not_taken_for_the_bundled_one_by_its_name() -> None:
    bundled = zf.load("zfnet", device="cpu")
    again = architecture_report(bundled, images={"a": torch.randn(3, 96, 96)})
    assert again.sides[0].training == training_of("zfnet")
    same_name = architecture_report(network("zfnet", 2), images=pictures())
    assert same_name.sides[0].training.steps is None
    assert same_name.equal_training is None


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else_and_its_texts_are_text(
    report: ArchitectureReport, tmp_path: Path
) -> None:
    path = report.to_html(tmp_path / "report.html")
    page = _Page()
    page.feed(path.read_text("utf-8"))
    kinds = {tag for tag, _ in page.tags}
    assert "first" not in kinds
    assert not kinds & {"script", "link", "iframe"}
    images = [attributes["src"] or "" for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 2
    assert all(source.startswith("data:image/png;base64,") for source in images)
    assert not re.search(r"(src|href)=.?(http|/|file)", path.read_text("utf-8"))
    assert "<first>" in page.text
    assert report.training in page.text
    assert str(5 * 6 * 9 + 5) in page.text


def test_figures_have_a_column_for_each_network(report: ArchitectureReport) -> None:
    assert len(report.plot().axes) == 8
    assert len(report.plot_numbers().axes) == 4
    with pytest.raises(ValueError, match="no networks"):
        architecture_report()
