"""What limits the agreement: short runs of ZFNet that differ from one another in one thing each.

`python -m training limits` makes them, and the model cards then show them. They are much shorter
than the run that ships, so what they say is how much each thing matters, not what can be reached.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from training.evaluate import on_training_crops
from training.train import Exam, Recipe, Run, agreement, answers, train


@dataclass(frozen=True)
class Trial:
    """One short run: how it differs from the plain one."""

    name: str
    steps: float = 1.0  # times as many
    photographs: float = 1.0  # share of the training pictures, drawn at random
    width: float = 1.0  # times as many maps in every layer
    mixed: bool = False  # also the crops that are mixed with others


TRIALS = (
    Trial("plain: whole pictures only, all of them"),
    Trial("half of the pictures", photographs=0.5),
    Trial("a quarter of the pictures", photographs=0.25),
    Trial("also the mixed crops", mixed=True),
    Trial("also the mixed crops, three times the steps", mixed=True, steps=3.0),
    Trial("also the mixed crops, half as many maps in every layer", mixed=True, width=0.5),
)


def rows_of(trial: Trial, crops: Path, seed: int) -> NDArray[np.int64]:
    """Which of the stored crops a trial learns from."""
    owners = np.load(crops / "owners.npy")
    count = int(owners.max()) + 1
    chosen = np.random.default_rng(seed).permutation(count)[: round(trial.photographs * count)]
    shards = sorted(crops.glob("labels-*.npy"))
    places = np.concatenate([np.arange(len(np.load(path, mmap_mode="r"))) for path in shards])
    kept = np.isin(owners[: len(places)], chosen)
    return np.flatnonzero(kept & (trial.mixed | (places % 2 == 0)))


def attempt(trial: Trial, recipe: Recipe, crops: Path, exam: Exam, folder: Path) -> dict[str, Any]:
    """Make one short run, or read what it gave before."""
    folder = folder / trial.name.replace(" ", "-").replace(":", "").replace(",", "")
    result = folder / "result.json"
    if result.exists():
        found: dict[str, Any] = json.loads(result.read_text())
        return found
    recipe = replace(recipe, steps=round(trial.steps * recipe.steps), minutes=None, kept=())
    run = Run("zfnet", recipe, crops, folder, width=trial.width)
    run.shards.rows = rows_of(trial, crops, recipe.seed)
    train([run])
    net = run.student.net
    found = {
        "name": trial.name,
        "samples": run.step * recipe.batch,
        "crops": len(run.shards.rows),
        "known": on_training_crops(net, crops),
        "held out": agreement(answers(net, exam.crops, size=160), exam.logits),
    }
    result.write_text(json.dumps(found))
    return found


def attempt_all(recipe: Recipe, crops: Path, exam: Exam, folder: Path) -> None:
    """Make every short run and write `limits.json`; those made before are not made again."""
    short = replace(recipe, sizes=((1.0, 96),))
    found = [attempt(t, short, crops, exam, folder) for t in tqdm(TRIALS, desc="limits")]
    (folder / "limits.json").write_text(json.dumps(found, indent=1))
