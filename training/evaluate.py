"""The numbers of a model card, measured on photographs no student was trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from training import filters
from training.data import Lessons
from training.student import KINDS, shaped
from training.train import Exam, agreement, answers, distance, normal, right
from zfwidgets.deconv import DeconvNet
from zfwidgets.images.samples import samples
from zfwidgets.nets.state import fill, imagenet_classes, read_state

LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")


def shipped(kind: str, weights: Path) -> nn.Module:
    """A network as it ships, with as many maps and classes as the file of its weights has."""
    state = read_state(weights)
    return fill(shaped(kind, state), state, str(weights)).eval()


def untrained(kind: str, seed: int) -> nn.Module:
    """The control: the same network at the initialisation of the run."""
    torch.manual_seed(seed)
    net: nn.Module = KINDS[kind].make(head="light", norm=False)
    return net.eval()


@dataclass
class Known:
    """Crops of the training pictures that no student saw, with the teacher's answers."""

    crops: np.ndarray  # uint8 [N,S,S,3], none of them mixed
    logits: Tensor  # [N,K], of those
    counts: Tensor  # [K], how often the teacher puts each class first, mixed crops too


def known(lessons: Lessons, draws: int = 32, count: int = 64) -> Known:
    """Cut and label crops as for training, of steps that no training takes."""
    plain = count - round(lessons.album.plan.mixed * count)
    pixels, answered, first = [], [], []
    for crops, said in tqdm(lessons.unseen(draws, count), "known pictures", draws):
        pixels.append((crops[:plain].permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy())
        answered.append(said.logits[:plain].cpu())
        first.append(said.logits.argmax(1).cpu())
    counts = torch.bincount(torch.cat(first), minlength=lessons.widths[0]).float()
    return Known(np.concatenate(pixels), torch.cat(answered), counts)


def by_familiarity(guess: Tensor, exam: Tensor, counts: Tensor) -> list[dict[str, Any]]:
    """Agreement on held-out crops by how many of the known crops are of their class."""
    familiar = counts[exam.argmax(1)]
    rows = []
    for low, high in ((0, 1), (1, 5), (5, 20), (20, 1e9)):
        rows_in = (familiar >= low) & (familiar < high)
        if rows_in.any():
            found = agreement(guess[rows_in], exam[rows_in])
            share = rows_in.float().mean().item()
            rows.append({"from": low, "to": high, "share": share, "agreement": found})
    return rows


def spread(hits: Tensor, owners: np.ndarray, draws: int = 2000) -> list[float]:
    """95 % interval of a share of hits [N] when whole photographs, not crops, are drawn anew."""
    values = hits.float().numpy()
    photos = np.unique(owners)
    sums = np.array([values[owners == p].sum() for p in photos])
    counts = np.array([(owners == p).sum() for p in photos])
    chance = np.random.default_rng(0)
    picks = chance.integers(len(photos), size=(draws, len(photos)))
    shares = sums[picks].sum(1) / counts[picks].sum(1)
    return [float(q) for q in np.quantile(shares, (0.025, 0.975))]


def on_gallery(guess: Tensor, blind: Tensor, exam: Exam, counts: Tensor) -> dict[str, Any]:
    """Answers to photographs whose classes are known: the network's, the teacher's, two controls'.

    Args:
        guess: of the network [N,K], one photograph a row; `blind`: of the untrained one.
        exam: the photographs with the teacher's answers and the true classes.
        counts: how often the teacher puts training crops into each class [K]: whoever guesses
            without looking names the commonest.

    Each gives the share right at first and among five, and a 95 % interval over photographs; and
    of all but the teacher itself how often they agree with it.
    """
    assert exam.labels is not None
    named = {
        "trained": guess,
        "teacher": exam.logits,
        "untrained": blind,
        "constant": counts.expand(len(guess), -1),
    }
    owners = np.arange(len(guess))
    rows = {}
    for name, answered in named.items():
        hits = right(answered, exam.labels)
        rows[name] = [(hit.float().mean().item(), spread(hit, owners)) for hit in hits]
    return {
        "photos": len(guess),
        "classes": len(exam.labels.unique()),
        "labels": rows,
        "agreement": {
            name: agreement(answered, exam.logits)
            for name, answered in named.items()
            if name != "teacher"
        },
    }


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


@dataclass
class Likeness:
    """Mean cosine of two channels' projections: of all pairs, and by how far apart they start."""

    all: float
    same_place: float
    near: float  # 1 to 4 units apart
    far: float


def likeness_of_projections(
    net: nn.Module, photos: list[str], most: int = 96
) -> dict[str, Likeness]:
    """How alike the channels of a layer are in what they show of one photo; by layer.

    Each of up to `most` evenly chosen channels is projected from its strongest position; dead
    channels are left out. One is all alike, zero is all different. Pairs that start at the same
    place share the pooling switches, which shape a projection whatever the weights.
    """
    deconv = DeconvNet(net, device="cpu")
    records = [deconv.record(samples()[name].open()) for name in photos]
    found = {}
    for layer in LAYERS[1:]:
        channels = deconv.layers[layer].channels
        chosen = list(range(0, channels, max(1, channels // most)))
        cosines, apart, means = [], [], []
        for record in records:
            neurons = record.strongest(layer, chosen)
            neurons = neurons[(neurons.value > 0).nonzero().flatten()]
            if len(neurons) < 2:
                continue
            unit = F.normalize(record.project(neurons).on_canvas().flatten(1), dim=1)
            first, second = torch.triu_indices(len(unit), len(unit), 1)
            cosine = (unit @ unit.T)[first, second]
            place = torch.stack((neurons.row, neurons.col), 1)
            cosines.append(cosine)
            apart.append((place[first] - place[second]).abs().amax(1))
            means.append(cosine.mean().item())
        if means:
            cosine, units = torch.cat(cosines), torch.cat(apart)
            ranges = (units == 0, (units > 0) & (units <= 4), units > 4)
            parts = [cosine[r].mean().item() if r.any() else float("nan") for r in ranges]
            found[layer] = Likeness(float(np.mean(means)), *parts)
    return found


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
    gallery: Exam,
    seen: Known,
    teach: Callable[[np.ndarray], Tensor],
    seed: int,
) -> dict[str, Any]:
    """Measure one bundled network beside its untrained control; returns what the card prints."""
    net, control = shipped(kind, weights), untrained(kind, seed)
    guess, blind = answers(net, exam.crops), answers(control, exam.crops)
    centres = np.unique(owners, return_index=True)[1]
    responses, before = (strongest_responses(n, exam.crops) for n in (net, control))
    photos = ["cat", "dogs", "bee", "pagoda"]
    named = on_samples(net, teach)
    return {
        "crops": len(exam.crops),
        "photos": len(centres),
        "agreement": {
            "trained": agreement(guess, exam.logits),
            "trained, whole photos": agreement(guess[centres], exam.logits[centres]),
            "untrained": agreement(blind, exam.logits),
            "constant": agreement(seen.counts.expand(len(guess), -1), exam.logits),
        },
        "distance": {
            "trained": distance(guess, exam.logits),
            "untrained": distance(blind, exam.logits),
        },
        "known": agreement(answers(net, seen.crops), seen.logits),
        "known crops": int(seen.counts.sum()),
        "familiarity": by_familiarity(guess, exam.logits, seen.counts),
        "interval": spread(right(guess, exam.logits.argmax(1))[0], owners),
        "gallery": on_gallery(
            answers(net, gallery.crops), answers(control, gallery.crops), gallery, seen.counts
        ),
        "at": {s: agreement(answers(net, exam.crops, s), exam.logits) for s in (128, 160, 192)},
        "dead": {k: int((v.amax(0) <= 0).sum()) for k, v in responses.items()},
        "dead untrained": {k: int((v.amax(0) <= 0).sum()) for k, v in before.items()},
        "filters": filters.report(net.get_parameter("conv1.weight").detach()).as_dict(),
        "filters untrained": filters.report(
            control.get_parameter("conv1.weight").detach()
        ).as_dict(),
        **{
            name: {k: vars(v) for k, v in likeness_of_projections(n, photos).items()}
            for name, n in (("likeness", net), ("likeness untrained", control))
        },
        "shared": shared_content(responses["conv5"], exam.logits, owners),
        "shared untrained": shared_content(before["conv5"], exam.logits, owners)[0],
        "samples": named,
        "samples right": sum(r["teacher"][0] in r["student"] for r in named),
    }


def write(results: dict[str, Any], target: Path) -> None:
    """Keep results as JSON, for the card."""
    target.write_text(json.dumps(results, indent=1))
