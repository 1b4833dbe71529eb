"""What limits the agreement: short runs of ZFNet that differ from one another in one thing each.

`python -m training limits` makes them, and the model cards then show them. They are much shorter
than the run that ships, so what they say is how much each thing matters, not what can be reached.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from training.data import Lessons
from training.evaluate import known
from training.train import Exam, Recipe, Run, agreement, answers, distance, train


@dataclass(frozen=True)
class Trial:
    """One short run: how it differs from the plain one."""

    name: str
    steps: float = 1.0  # times as many
    pictures: float = 1.0  # share of the training pictures, drawn at random
    width: float = 1.0  # times as many maps in every layer


TRIALS = (
    Trial("plain"),
    Trial("half of the pictures", pictures=0.5),
    Trial("a quarter of the pictures", pictures=0.25),
    Trial("half as many maps in every layer", width=0.5),
    Trial("a quarter of the steps", steps=0.25),
)


def attempt(
    trial: Trial, recipe: Recipe, lessons: Callable[[float], Lessons], exam: Exam, folder: Path
) -> dict[str, Any]:
    """Make one short run, or read what it gave before."""
    folder = folder / trial.name.replace(" ", "-")
    result = folder / "result.json"
    if result.exists():
        found: dict[str, Any] = json.loads(result.read_text())
        return found
    steps = round(trial.steps * recipe.steps)
    recipe = replace(recipe, steps=steps, minutes=None, kept=(), width=trial.width)
    taught = lessons(trial.pictures)
    run = Run("zfnet", recipe, taught, folder)
    train([run])
    guess = answers(run.student.net, exam.crops, size=160)
    seen = known(taught)
    found = {
        "name": trial.name,
        "samples": run.step * recipe.batch,
        "pictures": len(taught.album.entries),
        "known": agreement(answers(run.student.net, seen.crops, size=160), seen.logits),
        "held out": agreement(guess, exam.logits),
        "distance": distance(guess, exam.logits),
    }
    result.write_text(json.dumps(found))
    return found


def attempt_all(
    recipe: Recipe, lessons: Callable[[float], Lessons], exam: Exam, folder: Path
) -> None:
    """Make every short run and write `limits.json`; those made before are not made again."""
    short = replace(recipe, sizes=((1.0, 96),))
    found = [attempt(t, short, lessons, exam, folder) for t in tqdm(TRIALS, desc="limits")]
    (folder / "limits.json").write_text(json.dumps(found, indent=1))
