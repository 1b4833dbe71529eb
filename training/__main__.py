"""`python -m training all`: pictures in, bundled weights and all that hangs on them out.

Stages in order: fetch, album, train, export, remake. A stage finds what it did before and goes on
from there, so the same command can be given again after an interruption. Besides, `onward` trains
what ships further where there is no GPU, and stands in place of `train`; `evaluate` measures what
ships and writes its cards, `gallery` makes the gallery's file anew, and `limits` makes short runs
that show what holds the agreement back, for `evaluate` to put into the cards.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training import gallery, limits, remake
from training.onward import Onward
from training.train import Recipe
from training.workshop import HERE, ROOT, WEIGHTS, Workshop

STAGES = ("fetch", "album", "train", "export", "remake")
GALLERY = ROOT / "zfwidgets" / "images" / "gallery_photos"


def run(shop: Workshop, stage: str, kinds: list[str], onward: Onward | None = None) -> None:
    """Run one stage."""
    if stage == "fetch":
        shop.fetch()
    elif stage == "album":
        shop.make_album()
    elif stage == "train":
        shop.train(kinds)
    elif stage == "export":
        shop.export(kinds)
    elif stage == "evaluate":
        shop.evaluate(kinds)
    elif stage == "onward":
        shop.go_on(kinds, onward or Onward())
    elif stage == "remake":
        remake.remake(shop)
    else:
        exam, _ = shop.exam()
        limits.attempt_all(shop.recipe, shop.lessons, exam, shop.runs / "limits")


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and run the stages asked for."""
    parser = argparse.ArgumentParser("python -m training", description=__doc__)
    parser.add_argument(
        "stage", choices=("all", *STAGES, "onward", "evaluate", "gallery", "limits")
    )
    parser.add_argument(
        "--photos", type=Path, help="folder of archives of photographs; otherwise they are fetched"
    )
    parser.add_argument("--cache", type=Path, default=HERE / "cache", help="pictures")
    parser.add_argument("--runs", type=Path, default=HERE / "runs", help="logs and checkpoints")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="what ships")
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="length of a run")
    parser.add_argument(
        "--minutes", type=float, help="most minutes of steps, all networks together"
    )
    parser.add_argument("--batch", type=int, default=Recipe.batch, help="crops a step")
    parser.add_argument(
        "--rate", type=float, default=Recipe.learning_rate, help="learning rate at its peak"
    )
    parser.add_argument(
        "--teachers",
        type=int,
        nargs="+",
        choices=(0, 1, 2),
        default=Recipe.teachers,
        help="which of EfficientNet-Lite 0 to 2; of several the mean",
    )
    parser.add_argument("--threads", type=int, default=Recipe.threads, help="CPU cores to use")
    parser.add_argument("--kinds", nargs="+", default=["zfnet", "alexnet"])
    given = parser.parse_args(arguments)
    if given.stage == "gallery":
        if given.photos is None:
            parser.error("gallery needs --photos DIR, the folder of gallery.tar and gallery.csv")
        print(f"{gallery.make(given.photos, GALLERY)} photographs in {GALLERY}")
        return
    recipe = Recipe(
        steps=given.steps,
        minutes=given.minutes,
        batch=given.batch,
        learning_rate=given.rate,
        teachers=tuple(given.teachers),
        threads=given.threads,
    )
    shop = Workshop(given.cache, given.runs, given.weights, recipe, given.photos)
    for stage in STAGES if given.stage == "all" else (given.stage,):
        run(shop, stage, given.kinds, Onward(threads=given.threads))


if __name__ == "__main__":
    main()
