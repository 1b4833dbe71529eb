"""How a network was trained, as far as its weights file says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zfwidgets.nets.sources.papers import PAPERS, WEIGHTS, metadata

ASIDE = frozenset(("minutes", "threads", "kept", "seed", "steps"))
"""Parts of a recipe that do not make a training another one; steps are compared by themselves."""


@dataclass(frozen=True)
class Training:
    """What is known of one training. steps: None if it is not known, 0 untrained."""

    net: str
    steps: int | None
    recipe: dict[str, Any] = field(default_factory=dict)


def training_of(name: str | Path) -> Training:
    """What the metadata of the weights of that name (or path) say."""
    text = str(name)
    if text.removesuffix("-untrained") != text and text.removesuffix("-untrained") in PAPERS:
        return Training(text, 0)
    bundled = text in PAPERS and PAPERS[text].bundled
    path = WEIGHTS / f"{text}.safetensors" if bundled else Path(text).expanduser()
    if path.suffix != ".safetensors" or not path.is_file():
        return Training(text, None)
    said = metadata(path)
    recipe = json.loads(said.get("recipe", "{}"))
    steps = said.get("steps", said.get("step", recipe.get("steps")))
    return Training(text, None if steps is None else int(steps), recipe)


def same_training(trainings: Sequence[Training]) -> bool | None:
    """Whether the networks were trained alike: as long, by one recipe. None: it is not known."""
    if any(one.steps is None for one in trainings):
        return None
    if len({one.steps for one in trainings}) > 1 or differences(trainings):
        return False
    trained = trainings[0].steps != 0
    return None if trained and not all(one.recipe for one in trainings) else True


def differences(trainings: Sequence[Training]) -> list[str]:
    """The parts of the recipes that differ, by name."""
    recipes = [one.recipe for one in trainings if one.recipe]
    names = sorted({name for recipe in recipes for name in recipe} - ASIDE)
    return [name for name in names if len({json.dumps(recipe.get(name)) for recipe in recipes}) > 1]


def in_words(trainings: Sequence[Training]) -> str:
    """A sentence on whether differences between these networks can come from their training."""
    each = ", ".join(
        f"{one.net} {'not known' if one.steps is None else f'{one.steps:,} steps'}"
        for one in trainings
    )
    equal = same_training(trainings)
    if equal is None:
        return f"Training: {each}. Whether it was equal cannot be told from the weights."
    if not equal:
        other = differences(trainings)
        recipes = f" Their recipes differ in {', '.join(other)}." if other else ""
        return (
            f"Training was not equal: {each}.{recipes} Differences between these networks may come "
            "from that and not from their architecture."
        )
    seeds = {str(one.recipe.get("seed")) for one in trainings}
    return (
        f"Training was equal: {each}, by one recipe"
        f"{'' if len(seeds) == 1 else ' with different seeds'}. One run each: what another seed "
        "would change is not known."
    )
