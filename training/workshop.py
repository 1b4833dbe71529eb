"""Where the pictures, runs and weights lie, and the stages from the ones to the others."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training import album, card, catalogue, evaluate, export, fetch, figures, photographs, pictures
from training.album import Album, CropPlan
from training.data import Lessons
from training.onward import Labelled, Onward, OnwardRun
from training.teacher import Teacher, efficientnet_lite
from training.train import Exam, Recipe, Run, machine, progress_of, train
from zfwidgets.images import gallery, samples
from zfwidgets.nets.fingerprint import fingerprint
from zfwidgets.nets.sources.papers import metadata

HERE = Path(__file__).parent
ROOT = HERE.parent
WEIGHTS = ROOT / "zfwidgets" / "nets" / "weights"
CENTRE = slice(16, 240)  # of a photograph of the gallery: what a network sees of 256 pixels


def _load(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


class Workshop:
    """Where everything lies, and the stages over it.

    Args:
        cache: pictures, and what is made of them before training.
        runs: logs and checkpoints.
        weights: what ships.
        photos: folder of archives of photographs; None fetches them.
    """

    def __init__(
        self, cache: Path, runs: Path, weights: Path, recipe: Recipe, photos: Path | None = None
    ) -> None:
        self.sources, self.album, self.held = cache / "sources", cache / "album", cache / "held-out"
        self.cache = cache
        self.listing, self.runs, self.weights = cache / "catalogue.json", runs, weights
        self.photos, self.shown = photos, gallery()
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.recipe, self.plan = recipe, CropPlan()
        self._examiner: Teacher | None = None
        self._teacher: Teacher | None = None
        torch.set_num_threads(recipe.threads)

    @property
    def examiner(self) -> Teacher:
        """EfficientNet-Lite0, whose answers every network is compared with; loaded when asked."""
        if self._examiner is None:
            self._examiner = efficientnet_lite(0, device=self.device, threads=self.recipe.threads)
        return self._examiner

    @property
    def teacher(self) -> Teacher:
        """Who labels the crops: the examiner, unless the recipe says another."""
        if self.recipe.teachers == (0,):
            return self.examiner
        if self._teacher is None:
            self._teacher = efficientnet_lite(
                *self.recipe.teachers, device=self.device, threads=self.recipe.threads
            )
        return self._teacher

    def teach(self, pixels: np.ndarray) -> torch.Tensor:
        """The examiner's logits for uint8 pictures [N,S,S,3]."""
        parts = [self.examiner(pixels[i : i + 32]).logits.cpu() for i in range(0, len(pixels), 32)]
        return torch.cat(parts)

    def exam(self) -> tuple[Exam, np.ndarray]:
        """The held-out crops with the examiner's answers, and which photo each crop is of."""
        listed = catalogue.load(self.listing)
        held, owners, _ = pictures.cut_held_out(listed, self.sources, self.held)
        return Exam(held, self._answers("logits", held)), owners

    def gallery(self) -> Exam:
        """The gallery's photographs with the examiner's answers and their true classes."""
        shown = self.shown
        crops = np.stack([np.asarray(photo.open())[CENTRE, CENTRE] for photo in shown.values()])
        labels = torch.tensor([photo.category.index for photo in shown.values()])
        return Exam(crops, self._answers(f"gallery-{shown.sha256[:8]}", crops), labels)

    def _answers(self, name: str, crops: np.ndarray) -> torch.Tensor:
        """What the examiner says, asked once."""
        stored = self.held / f"{name}.npy"
        if not stored.exists():
            self.held.mkdir(parents=True, exist_ok=True)
            np.save(stored, self.teach(crops).half().numpy())
        return torch.from_numpy(np.load(stored)).float()

    def fetch(self) -> None:
        """Get all pictures: of packages, and the photographs."""
        fetch.fetch(self.sources)
        if self.photos is not None:
            photographs.unpack(self.photos, self.sources)
        else:
            photographs.fetch(self.sources)

    def make_album(self) -> None:
        """Choose and pack the pictures to learn from, and cut the exam."""
        ships = [*samples().values(), *self.shown.values()]
        listed = catalogue.build(self.sources, self.listing, ships=ships)
        album.pack(listed, self.sources, self.album, self.plan)
        album.weigh(self.album, self.plan, self._ask)
        self.exam()

    def _ask(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.examiner.answer(pixels.to(self.device)).logits

    def images(self, share: float = 1.0, plan: CropPlan | None = None) -> Album:
        """The training pictures, or a share of them, cut by the workshop's plan or another."""
        plan = plan or self.plan
        return Album(album.packed(self.album), self.album, plan, self.device, share)

    def lessons(self, share: float = 1.0) -> Lessons:
        """Crops of the training pictures with the teacher's answers."""
        return Lessons(self.images(share), self.teacher, self.recipe.seed)

    def train(self, kinds: list[str]) -> None:
        """Train the students side by side, and write down what was done."""
        lessons = self.lessons()
        runs = [Run(kind, self.recipe, lessons, self.runs / kind) for kind in kinds]
        if progress_of(runs) < 1:
            for run in runs:  # what was made of fewer steps is out of date
                for made in ("run.json", "results.json"):
                    (run.folder / made).unlink(missing_ok=True)
        train(runs, self.gallery())
        for run in runs:
            if (run.folder / "run.json").exists():
                continue
            self._finish(run.folder, self.recipe, run.step, run.device)

    def _finish(
        self, folder: Path, recipe: Recipe | Onward, taken: int, device: torch.device, **about: Any
    ) -> None:
        """Write down what was done in a run that took so many steps."""
        about = {
            "recipe": asdict(recipe),
            "steps": taken,
            "samples": taken * recipe.batch,
            "machine": machine(device, recipe.threads),
            "date": datetime.now(UTC).date().isoformat(),
            **about,
        }
        (folder / "run.json").write_text(json.dumps(about))

    def go_on(self, kinds: list[str], recipe: Onward) -> None:
        """Train what ships further, one network after the other, and write down what was done."""
        labelled = Labelled(self.cache / f"labelled-{recipe.first}", recipe)
        album = self.images(plan=replace(self.plan, mixed=recipe.mixed, finest=recipe.finest))
        if labelled.count < recipe.crops:
            labelled.fill(album, self.teacher)
        exam = self.gallery()
        for kind in kinds:
            weights, folder = self.weights / f"{kind}.safetensors", self.runs / kind
            before = metadata(weights)
            run = OnwardRun(kind, recipe, weights, labelled, folder)
            run.go_on(exam, album)
            if (folder / "run.json").exists():
                continue
            self._finish(
                folder,
                recipe,
                run.step,
                torch.device("cpu"),
                steps=int(before["steps"]) + run.step,
                frequencies=[run.frequencies.min().item(), run.frequencies.max().item()],
                before={"weights": fingerprint(weights), **before},
            )

    def finished(self, kinds: list[str]) -> dict[str, dict[str, Any]]:
        """The runs that came to their end, and what was written down of each."""
        logs = {kind: self.runs / kind / "run.json" for kind in kinds}
        return {kind: json.loads(log.read_text()) for kind, log in logs.items() if log.exists()}

    def export(self, kinds: list[str]) -> None:
        """Write the shipped weights of every run that is finished."""
        for kind, about in self.finished(kinds).items():
            notes = {
                "recipe": json.dumps(about["recipe"] | {"steps": about["steps"]}),
                "seed": str(about["recipe"]["seed"]),
                "steps": str(about["steps"]),
                "date": about["date"],
                "accuracy": card.accuracy(self.runs / kind / "results.json"),
            }
            export.export(self._trained(kind), self.weights / f"{kind}.safetensors", notes)
            if kind == "zfnet":
                self.export_evolution()

    def _trained(self, kind: str) -> dict[str, torch.Tensor]:
        """The network of a run as it was last saved, without what only training needs."""
        state = _load(self.runs / kind / "last.pt")["student"]
        return {k.removeprefix("net."): v for k, v in state.items() if k.startswith("net.")}

    def export_evolution(self) -> None:
        """Write ZFNet's kept states as one file; the last is what ships.

        Nothing is done where the file says that it is of the weights that ship already.
        """
        target = self.weights / "zfnet-evolution.safetensors"
        of = {"weights": fingerprint(self.weights / "zfnet.safetensors")}
        if target.exists() and metadata(target).get("weights") == of["weights"]:
            return
        folder = self.runs / "zfnet"
        kept = {int(p.stem.partition("-")[2]): _load(p) for p in folder.glob("step-*.pt")}
        about = json.loads((folder / "run.json").read_text())
        kept[about["steps"]] = self._trained("zfnet")
        before = about.get("before")
        # Where what shipped before had gone on, too, its state makes room: conv1 and conv2 are the
        # same in both.
        again = before is not None and "crops" in json.loads(before["recipe"])
        export.export_evolution(
            kept,
            target,
            of,
            earlier=target if before else None,
            without={int(before["steps"])} if again else (),
        )

    def evaluate(self, kinds: list[str]) -> None:
        """Measure every shipped net, draw the card's pictures, write the card."""
        exam, owners = self.exam()
        shown = self.gallery()
        seen = evaluate.known(self.lessons())
        finished = self.finished(kinds)
        for kind in kinds:
            path = self.weights / f"{kind}.safetensors"
            if not path.exists():
                continue
            seed = self.recipe.seed
            results = evaluate.evaluate(kind, path, exam, owners, shown, seen, self.teach, seed)
            folder = self.runs / kind
            folder.mkdir(parents=True, exist_ok=True)
            evaluate.write(results, folder / "results.json")
            export.annotate(path, {"accuracy": card.accuracy(folder / "results.json")})
            net, control = evaluate.shipped(kind, path), evaluate.untrained(kind, seed)
            figures.draw_all(net, control, kind, self.weights / "figures")
            if kind not in finished:
                print(f"{kind}: measured; its card stays, for the log of its run is not here")
                continue
            listed = catalogue.load(self.listing)
            card.write(kind, folder, listed, self.weights / f"{kind}.md")
