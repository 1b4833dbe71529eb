"""The card says what was measured, on which photographs, and whose pictures were learned from."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from training import card, photographs
from training.catalogue import Picture
from training.onward import Onward
from training.train import Recipe

LIKENESS = {"all": 0.1, "same_place": 0.5, "near": 0.3, "far": 0.0}
FILTERS = {
    "frequency_bands": [0.2, 0.6, 0.2],
    **dict.fromkeys(("oriented", "opponent", "either", "noise", "chequered", "dead"), 0.5),
    "near_duplicates": 0.0,
}
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
RESULTS = {
    "crops": 1200,
    "photos": 75,
    "agreement": dict.fromkeys(
        ("trained", "trained, whole photos", "untrained", "constant"), (0.413, 0.666)
    ),
    "distance": {"trained": 1.5, "untrained": 4.0},
    "known": (0.6, 0.8),
    "known crops": 2048,
    "familiarity": [{"from": 0, "to": 1, "share": 0.2, "agreement": (0.1, 0.2)}],
    "interval": (0.3, 0.5),
    "gallery": {
        "photos": 845,
        "classes": 395,
        "labels": {
            name: [(0.371, (0.33, 0.41)), (0.612, (0.57, 0.65))]
            for name in ("trained", "teacher", "untrained", "constant")
        },
        "agreement": {"trained": (0.38, 0.63), "untrained": (0.0, 0.01), "constant": (0.03, 0.08)},
    },
    "at": {"160": (0.4, 0.6)},
    "dead": dict.fromkeys(LAYERS, 0),
    "dead untrained": dict.fromkeys(LAYERS, 0),
    "filters": FILTERS,
    "filters untrained": FILTERS,
    "likeness": dict.fromkeys(LAYERS[1:], LIKENESS),
    "likeness untrained": dict.fromkeys(LAYERS[1:], LIKENESS),
    "shared": (0.2, 0.0),
    "shared untrained": 0.0,
    "samples": [{"photo": "cat", "student": ["tabby"], "teacher": ["tabby"]}],
    "samples right": 1,
}
LOG = {"step": 0, "seconds": 0.0, "top1": 0.1, "top5": 0.2, "label1": 0.123, "label5": 0.3} | {
    "distance": 3.0,
    "silent": 0,
}


def photo(path: str, split: str = "train") -> Picture:
    return Picture(path, "photo", 300, 200, "0", "0", split=split)


def written(folder: Path, pictures: list[Picture], recipe: Recipe | Onward, **about: Any) -> str:
    about = {
        "recipe": asdict(recipe),
        "steps": 23_000,
        "samples": 5_888_000,
        "machine": "one GPU",
        "date": "2026-12-01",
        **about,
    }
    run = folder / "zfnet"
    run.mkdir()
    (run / "results.json").write_text(json.dumps(RESULTS))
    (run / "run.json").write_text(json.dumps(about))
    (run / "log.jsonl").write_text(json.dumps(LOG) + "\n")
    card.write("zfnet", run, pictures, folder / "card.md")
    return (folder / "card.md").read_text()


@pytest.fixture(autouse=True)
def _licence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The teacher's package is needed for training alone."""
    file = SimpleNamespace(name="LICENSE", read_text=lambda: "Apache Software License 2.0")
    monkeypatch.setattr("training.card.metadata.files", lambda _name: [file])


def test_the_card_says_whose_photographs_were_learned_from_and_on_what_terms(
    tmp_path: Path,
) -> None:
    pictures = [
        *(photo(f"photographs/imagen/x/{n}.jpg") for n in range(3)),
        *(photo(f"photographs/caltech101/x/{n}.jpg") for n in range(4)),
        photo("mate-backgrounds/a.jpg"),
        photo("scikit-image/cat.png", "held-out"),
    ]
    text = written(tmp_path, pictures, Recipe(teachers=(0, 2)))
    assert "8 photographs of many sources, 3 of them from parts of ImageNet" in text
    for name, count in (("imagen", 3), ("caltech101", 4)):
        source = photographs.sources()[name]
        row = f"| {source.what} | {count} | {source.publisher} | {source.terms} | "
        assert row + source.repository in text
    assert "| mate-backgrounds | photo | 1 | 0 |" in text
    assert photographs.sources()["corel1k"].what not in text, "none of it was used"
    assert "never seen ImageNet" not in text
    assert "EfficientNet-Lite2 (at 260 px)" in text
    assert "--teachers 0 2" in text
    assert "mend" not in text


def test_the_card_gives_the_true_classes_beside_the_teacher_and_the_controls(
    tmp_path: Path,
) -> None:
    text = written(tmp_path, [photo("mate-backgrounds/a.jpg")], Recipe())
    assert "none of them ImageNet's" in text
    row = "| this network | 37.1% (33.0% to 41.0%) | 61.2% (57.0% to 65.0%) | 38.0% | 63.0% |"
    assert row in text
    assert "| constant | 37.1% (33.0% to 41.0%) | 61.2% (57.0% to 65.0%) | 3.0% | 8.0% |" in text
    assert "61.2% (57.0% to 65.0%) |  |  |" in text, "the teacher always agrees with itself"
    for name in ("its teacher, EfficientNet-Lite0", "untrained", "constant"):
        assert f"| {name} | 37.1%" in text
    assert "| 0 |  |  |  | 10.0% | 20.0% | 12.3% | 30.0% | 3.00 | 0 |" in text


def test_the_card_of_a_run_that_went_on_tells_all_runs(tmp_path: Path) -> None:
    before = {"weights": "c17f", "date": "2026-11-29"}
    recipe = Onward(
        crops=1000,
        steps=1160,
        sizes=((0.7, 128, 2), (1.0, 160, 0.5)),
        used_at=200,
        photographs=300,
    )
    text = written(
        tmp_path,
        [photo("a/b.jpg")],
        recipe,
        before=before,
        samples=5000,
        frequencies=[0.00014, 0.0053],
    )
    text = " ".join(text.split())
    assert "Made by `python -m training onward`" in text
    assert "23,518 steps of 256" in text, "of the first"
    assert "1,160 steps of 128 views (5,000, 5.0 of each crop) on one GPU" in text
    assert "128 px up to 70% (2,000 views kept), 160 px up to 100% (500 views kept)" in text
    assert "goes on from the weights of the fourth (2026-11-29)" in text
    assert "the commonest class is 0.53% of these crops and the rarest 0.014%" in text
    assert "1,160 steps of 128 views (148,480, 3.7 of each of 40,000 crops" in text, "of the second"
    assert "3,700 steps of 128 views (473,600, 5.3 of each of 90,000 crops" in text, "of the third"
    assert "2.3 of each of 112,000 crops" in text, "of the fourth"
    assert "statistics of 300 whole photographs at 200 px" in text


def test_the_table_of_networks_gets_a_few_numbers(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    assert card.accuracy(results) == "not measured yet"
    results.write_text(json.dumps(RESULTS))
    assert card.accuracy(results).startswith("41 % / 67 % as its teacher, 37 % / 61 % right")
