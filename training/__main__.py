"""`python -m training all`: pictures in, bundled weights and model cards out; every stage restarts.

Stages in order: fetch, album, train, mend, export, evaluate. A stage finds what it did before and
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
from typing import Any

import numpy as np
import torch

from training import (
    album,
    card,
    catalogue,
    evaluate,
    export,
    fetch,
    figures,
    gallery,
    limits,
    pictures,
)
from training.album import Album, CropPlan
from training.data import Lessons
from training.mend import mend
from training.student import KINDS
from training.teacher import Teacher, efficientnet_lite0
from training.train import Exam, Recipe, Run, progress_of, train

STAGES = ("fetch", "album", "train", "mend", "export", "evaluate")
HERE = Path(__file__).parent
WEIGHTS = HERE.parent / "zfwidgets" / "nets" / "weights"
GALLERY = HERE.parent / "zfwidgets" / "images" / "gallery_photos"


def _load(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


class Workshop:
    """Where everything lies, and the stages over it."""

    def __init__(self, cache: Path, runs: Path, weights: Path, recipe: Recipe) -> None:
        self.sources, self.album, self.held = cache / "sources", cache / "album", cache / "held-out"
        self.listing, self.runs, self.weights = cache / "catalogue.json", runs, weights
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.recipe, self.plan = recipe, CropPlan()
        self._teacher: Teacher | None = None
        torch.set_num_threads(recipe.threads)

    @property
    def teacher(self) -> Teacher:
        """The teacher, loaded when it is first asked."""
        if self._teacher is None:
            self._teacher = efficientnet_lite0(self.device, self.recipe.threads)
        return self._teacher

    def teach(self, pixels: np.ndarray) -> torch.Tensor:
        """The teacher's logits for uint8 pictures [N,S,S,3]."""
        parts = [self.teacher(pixels[i : i + 32]).logits.cpu() for i in range(0, len(pixels), 32)]
        return torch.cat(parts)

    def exam(self) -> tuple[Exam, np.ndarray]:
        """The held-out crops with the teacher's answers, and which photo each crop is of."""
        listed = catalogue.load(self.listing)
        held, owners, _ = pictures.cut_held_out(listed, self.sources, self.held)
        stored = self.held / "logits.npy"
        if not stored.exists():
            np.save(stored, self.teach(held).half().numpy())
        return Exam(held, torch.from_numpy(np.load(stored)).float()), owners

    def make_album(self) -> None:
        """Choose and pack the pictures to learn from, and cut the exam."""
        listed = catalogue.build(self.sources, self.listing)
        album.pack(listed, self.sources, self.album, CropPlan())
        self.exam()

    def images(self, share: float = 1.0) -> Album:
        """The training pictures, or a share of them."""
        return Album(album.packed(self.album), self.album, self.plan, self.device, share)

    def lessons(self, share: float = 1.0) -> Lessons:
        """Crops of the training pictures with the teacher's answers."""
        return Lessons(self.images(share), self.teacher, self.recipe.seed)

    def train(self, kinds: list[str]) -> None:
        """Train the students side by side, and write down what was done."""
        exam, _ = self.exam()
        pick = np.random.default_rng(0).permutation(len(exam.crops))[:512]
        lessons = self.lessons()
        runs = [Run(kind, self.recipe, lessons, self.runs / kind) for kind in kinds]
        if progress_of(runs) < 1:
            for run in runs:  # what was made of fewer steps is out of date
                for made in ("run.json", "mended.pt"):
                    (run.folder / made).unlink(missing_ok=True)
        train(runs, Exam(exam.crops[pick], exam.logits[pick]))
        for run in runs:
            if (run.folder / "run.json").exists():
                continue
            about = {
                "recipe": asdict(self.recipe),
                "steps": run.step,
                "samples": run.step * self.recipe.batch,
                "machine": run.machine,
                "date": datetime.now(UTC).date().isoformat(),
            }
            (run.folder / "run.json").write_text(json.dumps(about))

    def mend(self, kinds: list[str]) -> None:
        """Let the silent channels of every finished run start anew."""
        finished = [k for k in kinds if (self.runs / k / "run.json").exists()]
        waiting = [k for k in finished if not (self.runs / k / "mended.pt").exists()]
        if not waiting:
            return
        images = self.images()
        for kind in waiting:
            folder = self.runs / kind
            state = _load(folder / "last.pt")["student"]
            net = KINDS[kind].make(
                num_classes=len(state["net.fc8.bias"]), head="light", norm=False, batch_norm=True
            )
            net.load_state_dict(
                {
                    name.removeprefix("net."): tensor
                    for name, tensor in state.items()
                    if name.startswith("net.")
                }
            )
            about = json.loads((folder / "run.json").read_text())
            about["anew"] = mend(net, images, Recipe(**about["recipe"]))
            (folder / "run.json").write_text(json.dumps(about))
            mended = {name: tensor.cpu() for name, tensor in net.state_dict().items()}
            torch.save(mended, folder / "mended.part")
            (folder / "mended.part").rename(folder / "mended.pt")

    def export(self, kinds: list[str]) -> None:
        """Write the shipped files of every run that is mended."""
        for kind in kinds:
            folder = self.runs / kind
            if not (folder / "mended.pt").exists():
                continue
            mended = _load(folder / "mended.pt")
            about = json.loads((folder / "run.json").read_text())
            notes = {
                "recipe": json.dumps(about["recipe"] | {"steps": about["steps"]}),
                "seed": str(about["recipe"]["seed"]),
                "steps": str(about["steps"]),
                "anew": str(about["anew"]),
                "date": about["date"],
                "accuracy": card.accuracy(folder / "results.json"),
            }
            export.export(mended, self.weights / f"{kind}.safetensors", notes)
            if kind == "zfnet":
                kept = {int(p.stem.partition("-")[2]): _load(p) for p in folder.glob("step-*.pt")}
                kept[about["steps"]] = mended
                export.export_evolution(kept, self.weights / "zfnet-evolution.safetensors")

    def evaluate(self, kinds: list[str]) -> None:
        """Measure every shipped net, draw the card's pictures, write the card."""
        exam, owners = self.exam()
        seen = evaluate.known(self.lessons())
        for kind in kinds:
            path = self.weights / f"{kind}.safetensors"
            if not path.exists():
                continue
            seed = self.recipe.seed
            results = evaluate.evaluate(kind, path, exam, owners, seen, self.teach, seed)
            folder = self.runs / kind
            folder.mkdir(parents=True, exist_ok=True)
            evaluate.write(results, folder / "results.json")
            net, control = evaluate.shipped(kind, path), evaluate.untrained(kind, seed)
            figures.draw_all(net, control, kind, self.weights / "figures")
            if not (folder / "run.json").exists():
                print(f"{kind}: measured; its card stays, for the log of its run is not here")
                continue
            listed = catalogue.load(self.listing)
            card.write(kind, folder, listed, self.weights / f"{kind}.md")
        self.export(kinds)  # once more: the accuracy belongs into the files' metadata

    def run(self, stage: str, kinds: list[str]) -> None:
        """Run one stage."""
        if stage == "fetch":
            fetch.fetch(self.sources)
        elif stage == "album":
            self.make_album()
        elif stage == "train":
            self.train(kinds)
        elif stage == "mend":
            self.mend(kinds)
        elif stage == "export":
            self.export(kinds)
        elif stage == "limits":
            exam, _ = self.exam()
            limits.attempt_all(self.recipe, self.lessons, exam, self.runs / "limits")
        else:
            self.evaluate(kinds)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and run the stages asked for."""
    parser = argparse.ArgumentParser("python -m training", description=__doc__)
    parser.add_argument("stage", choices=("all", *STAGES, "gallery", "limits"))
    parser.add_argument("--cache", type=Path, default=HERE / "cache", help="pictures")
    parser.add_argument("--runs", type=Path, default=HERE / "runs", help="logs and checkpoints")
    parser.add_argument("--photos", type=Path, help="folder of photographs, see README.md")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="what ships")
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="length of a run")
    parser.add_argument(
        "--minutes", type=float, help="most minutes of steps, all networks together"
    )
    parser.add_argument("--batch", type=int, default=Recipe.batch, help="crops a step")
    parser.add_argument("--kinds", nargs="+", default=["zfnet", "alexnet"])
    given = parser.parse_args(arguments)
    if given.stage == "gallery":
        if given.photos is None:
            parser.error("gallery needs --photos DIR, the folder of gallery.tar and gallery.csv")
        print(f"{gallery.make(given.photos, GALLERY)} photographs in {GALLERY}")
        return
    recipe = Recipe(steps=given.steps, minutes=given.minutes, batch=given.batch)
    shop = Workshop(given.cache, given.runs, given.weights, recipe)
    for stage in STAGES if given.stage == "all" else (given.stage,):
        shop.run(stage, given.kinds)


if __name__ == "__main__":
    main()
