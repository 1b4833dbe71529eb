"""`python -m training all`: pictures in, bundled weights and model cards out; every stage restarts.

Stages in order: fetch, crops, label, train, export, evaluate. A stage finds what it did before and
goes on from there, so the same command can be given again after an interruption. Besides,
`limits` makes short runs that show what holds the agreement back, for `evaluate` to put into the
cards.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from training import card, catalogue, crops, evaluate, export, fetch, figures, limits
from training.teacher import Teacher, efficientnet_lite0, label_all
from training.train import Exam, Recipe, Run, train

STAGES = ("fetch", "crops", "label", "train", "export", "evaluate")
HERE = Path(__file__).parent
WEIGHTS = HERE.parent / "zfwidgets" / "nets" / "weights"


class Workshop:
    """Where everything lies, and the stages over it."""

    def __init__(
        self, cache: Path, runs: Path, weights: Path, recipe: Recipe, shards: int | None = None
    ) -> None:
        self.sources, self.crops = cache / "sources", cache / "crops"
        self.listing, self.runs, self.weights = cache / "catalogue.json", runs, weights
        self.recipe, self.shards = recipe, shards
        self._teacher: Teacher | None = None

    @property
    def teacher(self) -> Teacher:
        """The teacher, loaded when it is first asked."""
        if self._teacher is None:
            torch.set_num_threads(self.recipe.threads)
            device = "cuda" if torch.cuda.is_available() else "cpu"
            self._teacher = efficientnet_lite0(device, self.recipe.threads)
        return self._teacher

    def teach(self, pixels: np.ndarray) -> torch.Tensor:
        """The teacher's logits for uint8 pictures [N,S,S,3]."""
        parts = [self.teacher(pixels[i : i + 32]).logits.cpu() for i in range(0, len(pixels), 32)]
        return torch.cat(parts)

    def exam(self) -> tuple[Exam, np.ndarray]:
        """The held-out crops with the teacher's answers, and which photo each crop is of."""
        pictures = catalogue.load(self.listing)
        held, owners, _ = crops.cut_held_out(pictures, self.sources, self.crops)
        stored = self.crops / "held-out-logits.npy"
        if not stored.exists():
            np.save(stored, self.teach(held).half().numpy())
        return Exam(held, torch.from_numpy(np.load(stored)).float()), owners

    def make_crops(self) -> None:
        pictures = catalogue.build(self.sources, self.listing)
        crops.cut_all(pictures, self.sources, self.crops, crops.CropPlan())
        self.exam()

    def train(self, kinds: list[str]) -> None:
        """Train the students side by side, and write down how long that took."""
        exam, _ = self.exam()
        pick = np.random.default_rng(0).permutation(len(exam.crops))[:512]
        runs = [Run(kind, self.recipe, self.crops, self.runs / kind) for kind in kinds]
        train(runs, Exam(exam.crops[pick], exam.logits[pick]))
        for run in runs:
            about = {
                "recipe": asdict(self.recipe),
                "steps": run.step,
                "samples": run.step * self.recipe.batch,
                "seconds": round(run.seconds),
                "crops": run.crops,
                "machine": run.machine,
                "date": datetime.now(UTC).date().isoformat(),
            }
            (run.folder / "run.json").write_text(json.dumps(about))

    def export(self, kinds: list[str]) -> None:
        """Write the shipped files of every run that has a checkpoint."""
        for kind in kinds:
            folder = self.runs / kind
            if not (folder / "last.pt").exists():
                continue
            state = torch.load(folder / "last.pt", map_location="cpu", weights_only=True)
            net = {
                name.removeprefix("net."): tensor
                for name, tensor in state["student"].items()
                if name.startswith("net.")
            }
            notes = {
                "recipe": json.dumps(state["recipe"] | {"steps": state["step"]}),
                "seed": str(state["recipe"]["seed"]),
                "steps": str(state["step"]),
                "date": datetime.now(UTC).date().isoformat(),
                "accuracy": card.accuracy(folder / "results.json"),
            }
            export.export(net, self.weights / f"{kind}.safetensors", notes)
            if kind == "zfnet":
                export.export_evolution(folder, self.weights / "zfnet-evolution.safetensors")

    def evaluate(self, kinds: list[str]) -> None:
        """Measure every shipped net, draw the card's pictures, write the card."""
        exam, owners = self.exam()
        for kind in kinds:
            path = self.weights / f"{kind}.safetensors"
            if not path.exists():
                continue
            seed = self.recipe.seed
            results = evaluate.evaluate(kind, path, exam, owners, self.crops, self.teach, seed)
            folder = self.runs / kind
            folder.mkdir(parents=True, exist_ok=True)
            evaluate.write(results, folder / "results.json")
            net, control = evaluate.shipped(kind, path), evaluate.untrained(kind, seed)
            figures.draw_all(net, control, kind, self.weights / "figures")
            pictures = catalogue.load(self.listing)
            card.write(kind, folder, pictures, self.weights / f"{kind}.md")
        self.export(kinds)  # once more: the accuracy belongs into the files' metadata

    def run(self, stage: str, kinds: list[str]) -> None:
        """Run one stage."""
        if stage == "fetch":
            fetch.fetch(self.sources)
        elif stage == "crops":
            self.make_crops()
        elif stage == "label":
            label_all(self.teacher, self.crops, most=self.shards)
        elif stage == "train":
            self.train(kinds)
        elif stage == "export":
            self.export(kinds)
        elif stage == "limits":
            exam, _ = self.exam()
            limits.attempt_all(self.recipe, self.crops, exam, self.runs / "limits")
        else:
            self.evaluate(kinds)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and run the stages asked for."""
    parser = argparse.ArgumentParser("python -m training", description=__doc__)
    parser.add_argument("stage", choices=("all", *STAGES, "limits"))
    parser.add_argument("--cache", type=Path, default=HERE / "cache", help="pictures and crops")
    parser.add_argument("--runs", type=Path, default=HERE / "runs", help="logs and checkpoints")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="what ships")
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="length of a run")
    parser.add_argument(
        "--minutes", type=float, help="most minutes of steps, all networks together"
    )
    parser.add_argument("--shards", type=int, help="label only so many shards of 2,048 crops")
    parser.add_argument("--kinds", nargs="+", default=["zfnet", "alexnet"])
    given = parser.parse_args(arguments)
    recipe = Recipe(steps=given.steps, minutes=given.minutes)
    shop = Workshop(given.cache, given.runs, given.weights, recipe, given.shards)
    for stage in STAGES if given.stage == "all" else (given.stage,):
        shop.run(stage, given.kinds)


if __name__ == "__main__":
    main()
