"""A review names faults that were planted, passes a sound network, and says what it cannot tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import zfwidgets as zf
from zfwidgets.analysis.review.anatomy import anatomy
from zfwidgets.analysis.review.decisions import decide, interval
from zfwidgets.analysis.review.labels import Classes
from zfwidgets.analysis.scanning import scanner, state
from zfwidgets.analysis.scanning.checkpoint import write

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 60, 220)}
EACH = 6
"""Pictures of a class."""


def pictures() -> dict[str, np.ndarray]:
    """Noise in three colours, six pictures of each: [24, 24, 3]."""
    random = np.random.default_rng(0)
    made = {}
    for name, colour in COLOURS.items():
        for number in range(EACH):
            noise = random.integers(-25, 26, (24, 24, 3))
            made[f"{name}-{number}"] = (np.array(colour) + noise).clip(0, 255).astype(np.uint8)
    return made


LABELS = [name for name in COLOURS for _ in range(EACH)]


class Prepare:
    """Pixels as numbers from -1 to 1."""

    def __call__(self, picture: Image.Image) -> Tensor:
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 127.5 - 1

    def __repr__(self) -> str:
        return "Prepare()"


def part(model: nn.Sequential, place: int) -> Any:
    """A module with weights; what mypy knows of modules does not tell which."""
    return model[place]


def sound() -> nn.Sequential:
    """A classifier of the three colours: conv1 sees the colours and pairs of them, smoothly."""
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 4, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 3),
    ).eval()
    first, second, last = (part(model, place) for place in (0, 3, 7))
    planes = torch.tensor(
        [[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1], [-1, 1, 1], [1, -1, 1.0]]
    )
    with torch.no_grad():
        first.weight.copy_(planes[:, :, None, None] * torch.full((3, 3), 1 / 9))
        first.bias.fill_(1.2)
        second.weight.zero_()
        for channel in range(3):
            second.weight[channel, channel] = 1 / 9
            second.weight[channel, 3 + channel] = 0.01
        second.weight[3, 3:] = torch.tensor([0.05, 0.03, 0.04])[:, None, None]
        second.bias.zero_()
        last.weight.zero_()
        last.weight[:, :3] = 4 * torch.eye(3)
        last.bias.zero_()
    return model


def network(model: nn.Module, name: str = "colours") -> zf.DeconvNet:
    return zf.DeconvNet(model, Prepare(), list(COLOURS), device="cpu", name=name)


def reviewed(model: nn.Module, **options: object) -> zf.Review:
    given = {"labels": LABELS, "batch": 9, "progress": False} | options
    return zf.review(network(model), pictures(), **given)  # type: ignore[arg-type]


def line(found: zf.Review, about: str) -> str:
    (one,) = [one for one in found.summary if one.about == about]
    return f"{one.verdict}: {one.text}"


@pytest.fixture(scope="module")
def healthy() -> zf.Review:
    return reviewed(sound(), min_accuracy=0.9, max_duplicates=0.0, max_aliasing=0.5)


@pytest.fixture(scope="module")
def plain() -> zf.Review:
    return reviewed(sound())


def test_a_sound_network_passes_with_ten_lines(healthy: zf.Review) -> None:
    assert healthy.missed == ()
    assert len(healthy.summary) == 10
    assert line(healthy, "Decisions").startswith("fact: 18 of 18 pictures (100 %)")
    assert line(healthy, "Mistaken classes").startswith("good: None of the 3 classes")
    for about in ("Dead channels", "Duplicates", "Skew", "Invariance", "Aliasing"):
        assert line(healthy, about).startswith("good"), line(healthy, about)
    assert str(healthy).splitlines()[0].startswith("colours on 18 pictures: no limit missed")


def dead_layer(model: nn.Sequential) -> None:
    part(model, 3).bias.fill_(-1000)


def duplicate(model: nn.Sequential) -> None:
    part(model, 0).weight[5] = 3 * part(model, 0).weight[2]


def swapped(model: nn.Sequential) -> None:
    part(model, 7).weight.copy_(part(model, 7).weight[[2, 1, 0]])


def aliasing(model: nn.Sequential) -> None:
    board = (torch.arange(3)[:, None] + torch.arange(3)) % 2 * 2.0 - 1
    part(model, 0).weight.copy_(part(model, 0).weight.mean((2, 3), keepdim=True) * 3 * board)
    part(model, 0).stride = (2, 2)


@pytest.mark.parametrize(
    ("plant", "about", "told"),
    [
        (
            dead_layer,
            "Dead channels",
            "missed: The layer conv2 is dead, none of its 4 channels fires",
        ),
        (duplicate, "Duplicates", "missed: In conv1 channel 5 copies channel 2 (cosine 1.000)"),
        (swapped, "Mistaken classes", "look: blue and red are swapped: blue is taken for red in 6"),
        # In-band share of 1 - 2 cos: (1.5 - 4 / pi) / 3 along one axis, its square along both.
        (
            aliasing,
            "Aliasing",
            (
                "missed: 99 % of the energy of conv1's 6 filters lies beyond what its stride of 2 "
                "can sample; in 6 filters it is more than half, so conv1 aliases"
            ),
        ),
    ],
)
def test_a_planted_fault_is_found_and_named(
    plant: Callable[[nn.Sequential], None], about: str, told: str
) -> None:
    model = sound()
    with torch.no_grad():
        plant(model)
    found = reviewed(model, max_duplicates=0.0, max_aliasing=0.5, min_accuracy=0.9)
    assert line(found, about).startswith(told), line(found, about)
    assert found.missed
    assert about in {one.about for one in found.summary if one.verdict in ("missed", "look")}
    assert found.headline.startswith("colours on 18 pictures: limits missed: ")


def test_multiply_adds_and_memory_are_those_of_a_count_by_hand() -> None:
    net = network(sound())
    found = anatomy(net, torch.zeros(1, 3, 24, 24))
    first, _, second, *_, last = found.layers
    assert first.multiply_adds == 24 * 24 * 6 * 3 * 9
    assert second.multiply_adds == 12 * 12 * 4 * 6 * 9
    assert last.multiply_adds == 4 * 3
    assert found.multiply_adds == sum(layer.multiply_adds for layer in found.layers)
    assert first.map_bytes == 6 * 24 * 24 * 4
    assert first.weight_bytes == (6 * 3 * 9 + 6) * 4
    assert found.parameters == 6 * 27 + 6 + 4 * 54 + 4 + 4 * 3 + 3


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_a_network_that_says_nothing_is_right_by_chance_alone(kind: torch.dtype) -> None:
    """All scores are equal: the first class is the answer, and only its pictures are right."""
    model = sound()
    with torch.no_grad():
        part(model, 7).weight.zero_()
    found = reviewed(model.to(kind), min_accuracy=0.9).decisions
    assert found is not None
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.accuracy == pytest.approx(float((found.answer == found.truth).float().mean()))
    assert found.rank.tolist() == [0] * EACH + [1] * EACH + [2] * EACH
    assert found.responses[:, 0, 0].tolist() == [EACH, 2 * EACH]


def test_wilsons_interval_holds_the_share_and_stays_within_zero_and_one() -> None:
    assert interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert interval(0, 10)[0] == 0
    assert interval(10, 10)[1] == 1


def test_folders_name_classes_by_name_by_number_and_by_order() -> None:
    net = network(sound())
    assert [Classes.of(net, 3, ["Blue", "red"]).number(one) for one in ("Blue", "x")] == [2, -1]
    assert Classes.of(net, 3, ["0", "2"]).number("2") == 2
    ordered = Classes.of(net, 3, ["n03", "n01", "n02"])
    assert [ordered.number(one) for one in ("n01", "n02", "n03")] == [0, 1, 2]
    assert "sorted order" in ordered.how
    assert "cannot be told" in Classes.of(net, 3, ["x", "y"]).how


def folder(where: Path, subfolders: bool) -> Path:
    for name, pixels in pictures().items():
        inside = where / name.split("-")[0] if subfolders else where
        inside.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(inside / f"{name}.png")
    return where


def test_subfolders_are_classes_and_without_them_right_and_wrong_cannot_be_told(
    tmp_path: Path,
) -> None:
    net = network(sound())
    classes = zf.review(net, folder(tmp_path / "a", True), progress=False)
    assert line(classes, "Decisions").startswith("fact: 18 of 18")
    plain = zf.review(net, folder(tmp_path / "b", False), progress=False)
    assert "right and wrong cannot be told" in line(plain, "Decisions")
    assert line(plain, "Doubts").startswith("fact: Of the 4 least certain decisions")
    assert plain.to_html(tmp_path / "plain.html").stat().st_size > 10_000


def test_one_class_is_judged_and_said_to_be_one() -> None:
    some = dict(list(pictures().items())[:EACH])
    found = zf.review(network(sound()), some, labels=["red"] * EACH, progress=False)
    assert "all are red, other classes cannot be judged" in line(found, "Decisions")
    assert line(found, "Mistaken classes").endswith("all pictures are of one class.")


def test_a_network_without_scores_is_reviewed_but_for_its_decisions(tmp_path: Path) -> None:
    model = sound()[:5]
    found = zf.review(network(model), pictures(), progress=False)
    assert "gives no class scores" in line(found, "Decisions")
    assert line(found, "Invariance").startswith("good")
    assert found.decisions is None
    assert "colours gives no class scores" in found.to_html(tmp_path / "a.html").read_text("utf-8")
    asked = zf.review(network(model), pictures(), min_accuracy=0.5, progress=False)
    assert [one.about for one in asked.missed] == ["Decisions"]


def test_bad_input_is_said(tmp_path: Path) -> None:
    net = network(sound())
    with pytest.raises(ValueError, match=r"review\(\): .* has no pictures; expected one or more"):
        zf.review(net, tmp_path)
    with pytest.raises(FileNotFoundError, match="expected a folder"):
        zf.review(net, tmp_path / "none")
    with pytest.raises(KeyError, match="no layer 'conv9'"):
        zf.review(net, pictures(), layers=["conv9"], progress=False)
    broken = sound()
    with torch.no_grad():
        part(broken, 0).weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"NaN or infinite: 0.weight \(1 of 162\)"):
        reviewed(broken)


def test_a_finished_scan_is_taken_and_one_of_another_network_refused(
    plain: zf.Review, tmp_path: Path
) -> None:
    net = network(sound())
    made = zf.scan(net, pictures(), labels=LABELS, progress=False)
    made.save(tmp_path / "scan.safetensors")
    file = tmp_path / "scan.safetensors"
    found = zf.review(net, pictures(), scan=file, labels=LABELS, progress=False)
    assert found.scan.usage.images == 18
    assert str(found) == str(plain)
    with pytest.raises(ValueError, match="of 18 pictures and 6 are given"):
        zf.review(net, dict(list(pictures().items())[:6]), scan=made, progress=False)
    other = sound()
    with torch.no_grad():
        part(other, 0).weight[0] += 0.1
    with pytest.raises(ValueError, match="has other weights than the network that was scanned"):
        zf.review(network(other), pictures(), scan=made, progress=False)


def test_a_stopped_review_goes_on_and_says_the_same(
    plain: zf.Review, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner, "_SAVE_SECONDS", -1.0)
    see, batches = state.State.see, list[int]()

    def interrupted(found, net, group, deepest):  # type: ignore[no-untyped-def]
        if len(batches) == 5:
            raise KeyboardInterrupt
        batches.append(len(group))
        see(found, net, group, deepest)

    monkeypatch.setattr(state.State, "see", interrupted)
    file = tmp_path / "review.part"
    with pytest.raises(KeyboardInterrupt):
        reviewed(sound(), checkpoint=file, batch=2)
    batches.clear()
    monkeypatch.setattr(state.State, "see", see)
    found = reviewed(sound(), checkpoint=file, batch=2)
    assert str(found) == str(plain)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "review.part",
        "review.part.decisions",
    ]


def test_decisions_that_were_kept_are_not_those_of_other_labels_or_pictures(
    tmp_path: Path,
) -> None:
    net, file = network(sound()), tmp_path / "decisions"
    wrong = LABELS[EACH:] + LABELS[:EACH]

    def decided(images: Any, labels: list[str] | None) -> float:
        classes = Classes.of(net, 3, labels)
        how: dict[str, Any] = {"batch": 4, "checkpoint": file, "progress": False}
        return decide(net, images, classes, labels, "conv1", **how).accuracy

    photos = list(pictures().values())
    assert decided(photos[:10], wrong[:10]) == 0
    assert decided(photos, wrong) == 0  # more pictures, from the tenth of which it goes on
    with pytest.raises(ValueError, match="is of other labels: expected those that the 18"):
        decided(photos, LABELS)
    with pytest.raises(ValueError, match="is of other labels"):
        decided(list(zip(photos, LABELS, strict=True)), None)
    with pytest.raises(ValueError, match="is of other images, though"):
        decided([255 - photo for photo in photos], wrong)
    with pytest.raises(ValueError, match="is of other images: expected the 18"):
        decided(photos[:-1], wrong[:-1])
    write(file, {}, {"format": "zfwidgets decisions in progress 1"})
    with pytest.raises(ValueError, match="of another version of zfwidgets, delete it"):
        decided(photos, wrong)


def test_the_numbers_are_json_that_any_reader_takes(healthy: zf.Review, tmp_path: Path) -> None:
    path = healthy.to_json(tmp_path / "review.json")

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is no JSON")

    numbers = json.loads(path.read_text("utf-8"), parse_constant=refuse)
    assert numbers["passed"] is True
    assert len(numbers["summary"]) == 10
    assert numbers["layers"]["conv1"]["channels"] == 6
    assert numbers["classes"] == [
        {"class": name, "pictures": EACH, "right": EACH} for name in COLOURS
    ]
    assert list(healthy.to_frame().loc[["conv1", "conv2"], "dead"]) == [0, 0]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else_and_its_texts_are_text(tmp_path: Path) -> None:
    net = network(sound(), "<script>alert(1)</script>")
    found = zf.review(net, pictures(), labels=LABELS, progress=False)
    page = _Page()
    page.feed(found.to_html(tmp_path / "report.html").read_text("utf-8"))
    kinds = {tag for tag, _ in page.tags}
    assert not kinds & {"script", "link", "iframe", "object", "form"}
    assert "<script>alert(1)</script>" in page.text
    policy = next(a["content"] for tag, a in page.tags if "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert images
    assert all((a["src"] or "").startswith("data:image/webp;base64,") and a["alt"] for a in images)
    anchors = {a["id"] for _, a in page.tags if "id" in a}
    targets = {(a["href"] or "")[1:] for tag, a in page.tags if tag == "a"}
    assert targets <= anchors
    for one in found.summary:
        assert one.text in page.text
