"""The numbers of a model card, measured on photographs no student was trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training import filters
from training.student import KINDS
from training.train import Exam, agreement, answers, normal
from zfwidgets.deconv import DeconvNet
from zfwidgets.images.samples import samples
from zfwidgets.nets.state import fill, imagenet_classes, read_state

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")


def shipped(kind: str, weights: Path) -> nn.Module:
    """A bundled network as it ships."""
    net = KINDS[kind].make(head="light", norm=False)
    return fill(net, read_state(weights), str(weights)).eval()


def untrained(kind: str, seed: int) -> nn.Module:
    """The control: the same network at the initialisation of the run."""
    torch.manual_seed(seed)
    net: nn.Module = KINDS[kind].make(head="light", norm=False)
    return net.eval()


def class_counts(labels: Path, classes: int) -> Tensor:
    """How many training crops the teacher puts first in each class [K]."""
    parts = [np.load(p, mmap_mode="r") for p in sorted(labels.glob("labels-*.npy"))]
    first = np.concatenate([np.asarray(p).argmax(1) for p in parts])
    return torch.from_numpy(np.bincount(first, minlength=classes).astype(np.float32))


def by_familiarity(guess: Tensor, exam: Tensor, counts: Tensor) -> list[dict[str, Any]]:
    """Agreement on held-out crops by how many training crops there are of their class."""
    known = counts[exam.argmax(1)]
    rows = []
    for low, high in ((0, 10), (10, 50), (50, 1e9)):
        rows_in = (known >= low) & (known < high)
        if rows_in.any():
            found = agreement(guess[rows_in], exam[rows_in])
            share = rows_in.float().mean().item()
            rows.append({"from": low, "to": high, "share": share, "agreement": found})
    return rows


def on_training_crops(net: nn.Module, crops: Path, number: int = 1000) -> tuple[float, float]:
    """Agreement on crops that were trained on, none of them mixed, at their own size."""
    pixels = np.load(crops / "crops-000.npy", mmap_mode="r")[: 2 * number : 2]
    logits = torch.from_numpy(np.load(crops / "labels-000.npy")[: 2 * number : 2]).float()
    return agreement(answers(net, pixels), logits)


def on_new_crops(
    net: nn.Module, crops: Path, teach: Callable[[np.ndarray], Tensor], number: int = 512
) -> tuple[float, float] | None:
    """Agreement on crops of the training photographs that were cut but never labelled, if any."""
    unseen = [
        path
        for path in sorted(crops.glob("crops-*.npy"))
        if not (crops / path.name.replace("crops", "labels")).exists()
    ]
    if not unseen:
        return None
    pixels = np.array(np.load(unseen[0], mmap_mode="r")[: 2 * number : 2])
    return agreement(answers(net, pixels), teach(pixels))


def spread(guess: Tensor, teacher: Tensor, owners: np.ndarray, draws: int = 500) -> list[float]:
    """95 % interval of top-1 agreement when whole photographs, not crops, are drawn anew."""
    hits = (guess.argmax(1) == teacher.argmax(1)).float().numpy()
    photos = np.unique(owners)
    sums = np.array([hits[owners == p].sum() for p in photos])
    counts = np.array([(owners == p).sum() for p in photos])
    chance = np.random.default_rng(0)
    picks = chance.integers(len(photos), size=(draws, len(photos)))
    shares = sums[picks].sum(1) / counts[picks].sum(1)
    return [float(q) for q in np.quantile(shares, (0.025, 0.975))]


@torch.inference_mode()
def strongest_responses(net: nn.Module, crops: np.ndarray, batch: int = 32) -> dict[str, Tensor]:
    """Per layer, the spatial maximum of each rectified channel on each crop: [N, C]."""
    found: dict[str, list[Tensor]] = {layer: [] for layer in LAYERS}

    def keep(layer: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            found[layer].append(output.amax((2, 3)).relu())

        return hook

    hooks = [net.get_submodule(layer).register_forward_hook(keep(layer)) for layer in LAYERS]
    for i in range(0, len(crops), batch):
        net(normal(crops[i : i + batch]))
    for hook in hooks:
        hook.remove()
    return {layer: torch.cat(parts) for layer, parts in found.items()}


def likeness_of_projections(net: nn.Module, photos: list[str], most: int = 96) -> dict[str, float]:
    """Mean pairwise cosine of the channels' projections on one photo, averaged over the photos.

    Each of up to `most` evenly chosen channels is projected from its strongest position; dead
    channels are left out. One is all alike, zero is all different.
    """
    deconv = DeconvNet(net, device="cpu")
    means: dict[str, list[float]] = {layer: [] for layer in LAYERS[1:]}
    for name in photos:
        record = deconv.record(samples()[name].open())
        for layer, values in means.items():
            channels = deconv.layers[layer].channels
            chosen = list(range(0, channels, max(1, channels // most)))
            neurons = record.strongest(layer, chosen)
            alive = (neurons.value > 0).nonzero().flatten()
            if len(alive) < 2:
                continue
            canvas = record.project(neurons[alive]).on_canvas().flatten(1)
            unit = F.normalize(canvas, dim=1)
            n = len(unit)
            values.append(((unit @ unit.T).sum() - n).item() / (n * (n - 1)))
    return {layer: float(np.mean(values)) for layer, values in means.items() if values}


def shared_content(
    responses: Tensor, teacher: Tensor, owners: np.ndarray, top: int = 9
) -> tuple[float, float]:
    """How alike the teacher finds the nine photos that drive a channel most, and nine at random.

    Mean pairwise correlation of the teacher's logits, over channels; one crop a photo.
    """
    unit = F.normalize(teacher - teacher.mean(0), dim=1)
    photos = np.unique(owners)

    def alike(rows: Tensor) -> float:
        part = unit[rows]
        n = len(part)
        return ((part @ part.T).sum() - n).item() / (n * (n - 1))

    values = []
    for channel in responses.T:
        best = [int(np.flatnonzero(owners == p)[channel[owners == p].argmax()]) for p in photos]
        order = channel[best].argsort(descending=True)[:top]
        values.append(alike(torch.tensor(best)[order]))
    chance = np.random.default_rng(0)
    rows = [chance.permutation(len(photos))[:top] for _ in range(256)]
    firsts = np.array([np.flatnonzero(owners == p)[0] for p in photos])
    return float(np.mean(values)), float(
        np.mean([alike(torch.from_numpy(firsts[r])) for r in rows])
    )


def on_samples(net: nn.Module, teach: Callable[[np.ndarray], Tensor]) -> list[dict[str, Any]]:
    """Top five of student and teacher on the package's own photos, none of them trained on."""
    deconv = DeconvNet(net, categories=imagenet_classes(), device="cpu")
    rows = []
    for name, sample in samples().items():
        record = deconv.record(sample.open())
        answer = teach(record.seen())[0]
        names = [imagenet_classes()[i] for i in answer.topk(5).indices.tolist()]
        five = [label for label, _ in record.top_classes(5)[0]]
        rows.append({"photo": name, "student": five, "teacher": names})
    return rows


def evaluate(
    kind: str,
    weights: Path,
    exam: Exam,
    owners: np.ndarray,
    labels: Path,
    teach: Callable[[np.ndarray], Tensor],
    seed: int,
) -> dict[str, Any]:
    """Measure one bundled network beside its untrained control; returns what the card prints."""
    net, control = shipped(kind, weights), untrained(kind, seed)
    guess, blind = answers(net, exam.crops), answers(control, exam.crops)
    centres = np.unique(owners, return_index=True)[1]
    responses, before = (strongest_responses(n, exam.crops) for n in (net, control))
    counts = class_counts(labels, exam.logits.shape[1])
    photos = ["cat", "dogs", "bee", "pagoda"]
    known = on_samples(net, teach)
    return {
        "crops": len(exam.crops),
        "photos": len(centres),
        "agreement": {
            "trained": agreement(guess, exam.logits),
            "trained, whole photos": agreement(guess[centres], exam.logits[centres]),
            "untrained": agreement(blind, exam.logits),
            "constant": agreement(counts.expand(len(guess), -1), exam.logits),
        },
        "training crops": on_training_crops(net, labels),
        "new crops": on_new_crops(net, labels, teach),
        "familiarity": by_familiarity(guess, exam.logits, counts),
        "interval": spread(guess, exam.logits, owners),
        "at": {s: agreement(answers(net, exam.crops, s), exam.logits) for s in (128, 160, 192)},
        "dead": {k: int((v.amax(0) <= 0).sum()) for k, v in responses.items()},
        "dead untrained": {k: int((v.amax(0) <= 0).sum()) for k, v in before.items()},
        "filters": filters.report(net.get_parameter("conv1.weight").detach()).as_dict(),
        "filters untrained": filters.report(
            control.get_parameter("conv1.weight").detach()
        ).as_dict(),
        "likeness": likeness_of_projections(net, photos),
        "likeness untrained": likeness_of_projections(control, photos),
        "shared": shared_content(responses["conv5"], exam.logits, owners),
        "shared untrained": shared_content(before["conv5"], exam.logits, owners)[0],
        "samples": known,
        "samples right": sum(r["teacher"][0] in r["student"] for r in known),
    }


def write(results: dict[str, Any], target: Path) -> None:
    """Keep results as JSON, for the card."""
    target.write_text(json.dumps(results, indent=1))
