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
EARLIER = {
    "zfnet": (
        (351, 178_656, UNFITTING, 0.078, 0.300, 0.328),
        (697, 182_400, UNFITTING, 0.096, 0.294, 0.259),
        (697, 455_680, FITTING, 0.125, 0.332, 0.322),
        (697, 3_871_488, FRESH, 0.189, 0.473, 0.438),
        (697, 6_020_608, RIGHT, 0.225, 0.456, 0.438),
    ),
    "alexnet": (
        (351, 93_952, UNFITTING, 0.062, 0.237, 0.229),
        (697, 182_400, UNFITTING, 0.089, 0.259, 0.232),
        (697, 455_680, FITTING, 0.130, 0.326, 0.315),
        (697, 3_871_488, FRESH, 0.179, 0.434, 0.430),
        (697, 6_020_608, RIGHT, 0.201, 0.442, 0.455),
    ),
}


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

Agreement with a teacher is not accuracy: the teacher errs, most of all on tight crops. For features
of full quality load a network trained on ImageNet."""


def limits(
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
