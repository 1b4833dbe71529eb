"""What earlier runs reached and what was tried in them: the last part of a model card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.catalogue import Picture
from training.markdown import percent, table

# Of the weights bundled before: photographs, samples, what the labels were of, top-1 and top-5 on
# the same held-out crops, top-1 on crops of the pictures they were trained on.
UNFITTING = "of the whole crop, shown in part and recoloured"
FITTING = "of what is shown; crops shown again and again"
FRESH = "of what is shown; every crop new"
RIGHT = "of what is shown, by the teacher as it was trained; every crop twice"
STORED = "of what is shown, once a crop, by the teacher as it was trained; conv3 and all above"
BALANCED = STORED + "; how often a class occurs is made up for"
EARLIER = {
    "zfnet": (
        (351, 178_656, UNFITTING, 0.078, 0.300, 0.328),
        (697, 182_400, UNFITTING, 0.096, 0.294, 0.259),
        (697, 455_680, FITTING, 0.125, 0.332, 0.322),
        (697, 3_871_488, FRESH, 0.189, 0.473, 0.438),
        (697, 6_020_608, RIGHT, 0.225, 0.456, 0.438),
        (11_919, 148_480, STORED, 0.180, 0.435, 0.256),
        (11_919, 473_600, STORED, 0.202, 0.461, 0.387),
        (11_919, 256_000, STORED, 0.231, 0.469, 0.382),
    ),
    "alexnet": (
        (351, 93_952, UNFITTING, 0.062, 0.237, 0.229),
        (697, 182_400, UNFITTING, 0.089, 0.259, 0.232),
        (697, 455_680, FITTING, 0.130, 0.326, 0.315),
        (697, 3_871_488, FRESH, 0.179, 0.434, 0.430),
        (697, 6_020_608, RIGHT, 0.201, 0.442, 0.455),
        (11_919, 148_480, STORED, 0.172, 0.430, 0.239),
        (11_919, 473_600, STORED, 0.193, 0.453, 0.375),
        (11_919, 256_000, STORED, 0.225, 0.491, 0.402),
    ),
}


# The run that conv1 and conv2 are of, by the recipe of its day; the tables' fifth rows.
FIRST = """**The first**, 2026-11-27, of the 697 photographs, 466 objects and 239 paintings of
packages: 23,518 steps of 256 (6,020,608 crops shown, half as many cut) of both networks side
by side in 7.75 minutes of one GPU (NVIDIA H200), bfloat16, seed 2013, at 96 px up to 50%, 128 px up
to 80%, 160 px up to 95%, then 224 px. AdamW (.9, .98), learning rate .004 with 6% warm-up and half
a cosine to zero, weight decay .05. Weights start as in the paper, N(0, .01); filters whose root
mean square exceeds .1 are scaled back, as in the paper (before folding).

Crops are log-uniform in area, aspect 3:4 to 4:3, turned by some degrees, mirrored by chance, their
brightness, contrast, saturation and tint varied; some get a photographed object pasted on, and
every second one is mixed with another (half of these blended, half with a rectangle pasted in).
Then the teacher labels **exactly what the student sees** (consistent teaching, Beyer et al. 2022),
but for the scale of the input and Gaussian noise of up to .15 deviations; every crop is shown
twice, 15 steps apart (data echoing, Choi et al. 2019).

What is minimised: KL divergence from the teacher's soft labels at T = 4, and two **hints** (weight
1.5; 1x1 convolutions, discarded afterwards) by which conv2 and conv4 guess the teacher's feature
maps at stride 8 and 16. **For the sake of conv1**, and not in the paper: its filters learn at half
the rate with a weight decay of 2.8, which washes the random start out of them; a penalty (weight
.5) on filters whose cosine exceeds .5; a decay that grows with the square of the frequency, since
photographs hold little detail that fine and a veil of speckle grew instead. **For the sake of
conv5's projections** (weight .1): what two channels of conv5 send back through the transposed
filters of conv5, conv4 and conv3, rectified on the way, may be alike up to a cosine of .1; the
squared excess costs. It is a matter of weights alone and sees no photograph, but it bears on the
likeness of conv5's projections above.

Channels of conv1 that fell silent in that run (39 of 96 of ZFNet) **started anew** after it: their
filters from N(0, .01) once more, and for 1,000 steps of 64 crops at 96 px they and conv2 learned to
give the maps of conv2 that were there before, while up to two in five of the other channels were
held back at random; in the end conv2 got the filters that come closest to its former maps by ridge
regression (256 crops)."""

# The runs that went on from it; the tables' sixth to eighth rows.
SECOND = """**The second**, 2026-11-29, went on from the weights of the first with all the
photographs of the list below, in the way of the last: 1,160 steps of 128 views (148,480, 3.7 of
each of 40,000 crops, half of them mixed as in the first run, kept at 192 px) on one CPU core,
single precision, at 128 px up to 75% (40,000 views kept), then at 192 px (12,000 views kept), with
a learning rate of .0007; conv5 was kept apart every fourth step, and the last layer was not fitted
to 224 px."""

THIRD = """**The third**, 2026-11-29, went on from the weights of the second in the same way: 3,700
steps of 128 views (473,600, 5.3 of each of 90,000 crops, a quarter of them mixed, kept at 224 px)
on one CPU core, bfloat16, at 128 px up to 85% (90,000 views kept), then at 192 px (22,500 views
kept), with a learning rate of .001. Batch norm's statistics and fc8 were fitted to 224 px in the
end, on 13,500 views of the same crops. It began with 45,000 crops, two views of each; ZFNet got the
others from step 1,014 on, AlexNet from step 1,310."""

FOURTH = """**The fourth**, 2026-11-29, went on from the weights of the third: 2,000 steps of 128
views (256,000, 2.3 of each of 112,000 crops, of which 90,000 were those of the third run) on one
CPU core, bfloat16, at 128 px up to 75% (112,000 views kept), then at 192 px (28,000 views kept),
with a learning rate of .001. Batch norm got the statistics of 3,840 whole photographs at 224 px in
the end. Tried with the third run's ZFNet on the gallery: 18.0% are named right at first with these
statistics, 17.6% with those that it had, of crops that it had learned, and 15.7% with those of as
many new crops. Fitting fc8 anew to 10,800 new crops changed little (17.3% to 18.5%)."""

# What the tables say, in words: to be read again whenever the weights are made anew.
VERDICT = """Every row is by the teacher's answers of its time. For the first four it was given
pixels with ImageNet's mean and deviation, and crops of 160 or (the fourth) 192 px;
EfficientNet-Lite was trained with others, at 224 px. With its own it names sliced lemons lemon and
brushes paintbrushes, and agrees with itself at 192 px on 76% of the held-out crops instead of 66%.
By those answers the weights of the fourth row reach 19.1% and 44.0% (ZFNet), 17.4% and
41.5% (AlexNet).

The first five rows are of few pictures, those of packages alone: more steps helped, and classes
that were common in the pictures did better, many times over. Tried then with ZFNet in runs of 707
steps (180,992 crops at 96 px), with the divergence and the mean cosine of conv5's projections:

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

**The last four rows** have 16 times the photographs, and learned from few crops of them, at 128
and 192 px. Photographs of ImageNet's classes are named right more often than before (the gallery,
right at first and among five: ZFNet 11.8% and 28.0% in the fifth row, then 14.0% and 34.3%, 17.8%
and 37.0%, 17.5% and 39.5% in the eighth; AlexNet 11.5% and 33.7% in the sixth, then 15.9% and
37.0%, 16.2% and 37.4%). In the third run there were 45,000 crops to begin with, two views of each.
Within 700 steps the divergence on them fell from 1.48 to 1.16 (ZFNet), and on the gallery it rose
from 2.82 to 2.93: crops were wanting, not steps. So as many more were labelled, which ZFNet got
from step 1,014 on and AlexNet from step 1,310; 200 steps later the divergence on the gallery was
2.85 again. The fourth run brought three points of agreement on the held-out photographs, and on the
gallery little.

**What helped most was to make up for how often a class occurs.** With nothing else than .6 times
the logarithm of each class's frequency taken from the answers of the fourth run, ZFNet names 20.2%
of the gallery right at first and 44.6% among five (17.5% and 39.5% without), AlexNet 20.9% and
44.1% (16.2% and 37.4%). Learning on, on 45,000 new crops at 192 px, added half a point to ZFNet and
one and a half to AlexNet, and two or three among five; the mean of the weights before and after is
no better (ZFNet: 19.8% right with half of each, 20.4% with .7 of the later ones). Tried before the
fifth run, with ZFNet for 500 steps at 128 px on crops of the fourth, measured at 128 px:

| | right | in five | divergence |
|---|---|---|---|
| as it was | 16.6% | 36.4% | 2.92 |
| learned on, rate .001 | 18.3% | 38.7% | 2.81 |
| T = 2 | 14.5% | 34.0% | 2.97 |
| pool2's maps mixed, each with another's | 17.9% | 36.0% | 2.92 |
| a fifth of pool2's channels left out | 15.3% | 36.4% | 2.87 |
| three of ten inputs of fc8 left out | 15.4% | 36.1% | 2.90 |
| made up for frequency to the power of .6 | 20.4% | 42.5% | 2.72 |
| the same, rate .0004 | 20.3% | 42.7% | 2.71 |
| the same, rate .001, fc8 in front of the teacher's own last layer | 18.6% | 42.3% | 2.72 |

Agreement with a teacher is not accuracy: the teacher errs, most of all on tight crops. For features
of full quality load a network trained on ImageNet."""


def limits(
    kind: str, about: dict[str, Any], r: dict[str, Any], pictures: list[Picture], trials: Path
) -> str:
    """The part of the card of a run, `about`, that was measured as `r` says."""
    photos = sum(p.kind == "photo" and p.split == "train" for p in pictures)
    labels = BALANCED if "before" in about else RIGHT
    now = (photos, about["samples"], labels, *r["agreement"]["trained"], r["known"][0])
    rows = [
        (n, f"{many:,}", how, *map(percent, rest)) for n, many, how, *rest in (*EARLIER[kind], now)
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
