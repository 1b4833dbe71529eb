"""The pictures to learn from, small enough to lie in memory whole, and new crops of them at will.

All variation is made here, in one go for a whole batch: the place, size, aspect and turn of a crop,
its colours, an object pasted on it, and with which other crop it is mixed. The teacher is asked
afterwards, so that it labels exactly the picture that the students see ("consistent teaching",
Beyer et al., CVPR 2022).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from training.catalogue import Picture
from training.pictures import on_white, opened

OBJECTS = ("cutout",)
LISTING = "album.json"
RARITY = "rarity.json"


@dataclass(frozen=True)
class CropPlan:
    """How often each picture is shown, relative to the others, and how a crop varies."""

    size: int = 224  # of a crop, in pixels: what the teacher was trained with
    side: int = 256  # of a picture in memory, squeezed into a square: 200 KB each
    object_side: int = 320  # of an object in memory, in a square of its own
    photo: int = 110  # weight of a photo of a quarter of a megapixel; grows with its area
    photo_most: int = 200
    landscapes: str = "endless-sky-data"  # a third of all photographs, and much alike
    landscape: int = 50
    cutout: int = 110
    painting: int = 20
    finest: float = 110.0  # the shortest side worth cutting, in pixels as they lie in memory
    rare: float = 0.5  # power by which pictures of rare classes are shown more often
    turn: float = 8.0  # degrees, standard deviation
    colour: float = 0.35  # how far brightness, contrast and saturation stray from 1
    grey: float = 0.05  # share of crops without colour
    mixed: float = 0.5  # share of crops that are mixed with another


def weight_of(picture: Picture, plan: CropPlan) -> float:
    """How often to show a picture, relative to the others: larger photographs hold more to see."""
    if picture.kind == "cutout":
        return plan.cutout
    if picture.kind == "painting":
        return plan.painting
    if picture.path.startswith(plan.landscapes):
        return plan.landscape
    megapixels = picture.width * picture.height / 1e6
    return min(plan.photo * max(1.0, math.sqrt(megapixels / 0.25)), plan.photo_most)


@dataclass(frozen=True)
class Entry:
    """A picture as it lies in the folder of an album; sides are of the original, in pixels."""

    file: str
    kind: str
    width: int
    height: int
    weight: float

    def pixels(self, side: int) -> int:
        """How many pixels of it lie in memory, in a square of this side; no more than it has."""
        return min(self.width, side) * min(self.height, side)

    @property
    def is_object(self) -> bool:
        """Whether it is pasted on crops of other pictures."""
        return self.kind in OBJECTS


def packed(folder: Path) -> list[Entry]:
    """What lies in the folder of an album."""
    entries = [Entry(**entry) for entry in json.loads((folder / LISTING).read_text())]
    if not (folder / RARITY).exists():
        return entries
    rare = json.loads((folder / RARITY).read_text())
    return [
        replace(entry, weight=entry.weight * by) for entry, by in zip(entries, rare, strict=True)
    ]


def rarity(chances: Tensor, weights: Tensor, power: float) -> Tensor:
    """How many times more often to show each picture, so that rare classes count; mean 1.

    A class that a picture shows with the chance p counts p / frequency ** power, where its
    frequency is the weighted mean of its chances: with a power of 1 all classes would be shown
    equally often, with 0 as often as there are pictures of them.

    Args:
        chances: what the teacher says of each picture [N,K].
        weights: how often each is shown otherwise [N].
    """
    often = (weights @ chances) / weights.sum()
    rare = (chances / often.clamp_min(1e-9) ** power).sum(1)
    return rare / ((weights @ rare) / weights.sum())


def weigh(
    folder: Path, plan: CropPlan, answer: Callable[[Tensor], Tensor], batch: int = 64
) -> None:
    """Let an album show pictures of rare classes more often; done once.

    `answer` gives the teacher's logits [N,K] of pixels [N,3,S,S], 0 to 1. Objects stay as they are.
    """
    if (folder / RARITY).exists():
        return
    entries = packed(folder)
    scenes = [entry for entry in entries if not entry.is_object]
    said = []
    for start in tqdm(range(0, len(scenes), batch), desc="classes"):
        part = [_scene(folder / e.file, plan.size) for e in scenes[start : start + batch]]
        said.append(answer(torch.from_numpy(np.stack(part)).float() / 255).softmax(1).cpu())
    weights = torch.tensor([entry.weight for entry in scenes])
    found = iter(rarity(torch.cat(said), weights, plan.rare).tolist())
    rare = [1.0 if entry.is_object else next(found) for entry in entries]
    (folder / RARITY).write_text(json.dumps(rare))


def _scene(path: Path, side: int) -> np.ndarray:
    """A picture of the album squeezed into a square, uint8 [3,S,S]."""
    with Image.open(path) as image:
        square = image.convert("RGB").resize((side, side))
    return np.asarray(square).transpose(2, 0, 1)


def pack(pictures: list[Picture], root: Path, folder: Path, plan: CropPlan) -> list[Entry]:
    """Write the training pictures small, as WebP, with a listing, where there is none yet.

    Photographs are squeezed into `plan.side` squares where they are larger, objects fitted into
    `plan.object_side` with their transparency.
    """
    if (folder / LISTING).exists():
        return packed(folder)
    folder.mkdir(parents=True, exist_ok=True)
    train = [p for p in pictures if p.split == "train"]

    def work(numbered: tuple[int, Picture]) -> Entry:
        number, picture = numbered
        image, file = opened(root / picture.path), f"{number:05d}.webp"
        width, height = image.size
        if picture.kind in OBJECTS:
            image = image.convert("RGBA")
            image.thumbnail((plan.object_side, plan.object_side))
        else:
            side = plan.side
            image = on_white(image).resize((min(width, side), min(height, side)), reducing_gap=3.0)
        image.save(folder / file, quality=75, method=4, exact=False)
        return Entry(file, picture.kind, width, height, weight_of(picture, plan))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        entries = list(tqdm(pool.map(work, enumerate(train)), total=len(train), desc="album"))
    (folder / LISTING).write_text(json.dumps([vars(entry) for entry in entries], indent=1))
    return entries


class Album:
    """Photographs and objects in the memory of a device, and crops of them."""

    def __init__(
        self,
        entries: Iterable[Entry],
        folder: Path,
        plan: CropPlan,
        device: torch.device | str = "cpu",
        share: float = 1.0,
    ) -> None:
        """Load an album; of a `share` below one, so many of its pictures drawn at random."""
        self.plan, self.device = plan, torch.device(device)
        entries = list(entries)
        kept = np.random.default_rng(0).permutation(len(entries))[: round(share * len(entries))]
        entries = [entries[i] for i in sorted(kept)]
        self.entries = entries
        scenes = [e for e in entries if not e.is_object]
        objects = [e for e in entries if e.is_object]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            side = plan.side
            found = pool.map(lambda e: _scene(folder / e.file, side), scenes)
            self.scenes = self._stack(found, (len(scenes), 3, side, side))
            side = plan.object_side
            found = pool.map(lambda e: self._object(folder / e.file), objects)
            self.objects = self._stack(found, (len(objects), 4, side, side))
        self._weights = self._floats(e.weight for e in scenes)
        self._is_photo = self._floats(float(e.kind == "photo") for e in scenes)
        self._aspects = self._floats(e.width / e.height for e in scenes)
        self._least = self._floats(
            min(0.9, max(0.08, plan.finest**2 / e.pixels(plan.side))) for e in scenes
        )
        self._object_weights = self._floats(e.weight for e in objects)
        self._object_sides = torch.tensor(
            [(e.width / max(e.width, e.height), e.height / max(e.width, e.height)) for e in objects]
        ).to(self.device)
        total = sum(e.weight for e in entries)
        self._share_of_objects = sum(e.weight for e in objects) / total

    def _floats(self, values: Iterable[float]) -> Tensor:
        return torch.tensor(list(values), dtype=torch.float32).to(self.device)

    def _stack(self, arrays: Iterable[np.ndarray], shape: tuple[int, ...]) -> Tensor:
        """Arrays side by side, copied one by one: there are never two of all of them."""
        stack = torch.empty(shape, dtype=torch.uint8)
        for place, array in zip(stack, arrays, strict=True):
            place.copy_(torch.from_numpy(array.copy()))
        return stack.to(self.device)

    def _object(self, path: Path) -> np.ndarray:
        side = self.plan.object_side
        with Image.open(path) as image:
            fitted = image.convert("RGBA")
        grown = side / max(fitted.size)
        fitted = fitted.resize([max(1, round(grown * n)) for n in fitted.size])
        square = Image.new("RGBA", (side, side))
        square.paste(fitted, ((side - fitted.width) // 2, (side - fitted.height) // 2))
        return np.asarray(square).transpose(2, 0, 1).copy()

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Cut `count` new crops [count,3,size,size], 0 to 1."""
        objects = round(count * self._share_of_objects)
        under = torch.multinomial(
            self._is_photo, objects or 1, replacement=True, generator=generator
        )[:objects]
        alone = torch.multinomial(
            self._weights, count - objects, replacement=True, generator=generator
        )
        crops = self._cut(torch.cat((under, alone)), generator)
        if objects:
            crops[:objects] = self._pasted(crops[:objects], generator)
        crops = crops[torch.randperm(count, generator=generator, device=self.device)]
        return self._mixed(self._recoloured(crops, generator), generator)

    def photographs(
        self, most: int, size: int, generator: torch.Generator, batch: int
    ) -> Iterator[Tensor]:
        """Photographs at random as networks are shown them, 0 to 1: [batch,3,size,size].

        The square in the middle of each, seven eighths of its shorter side.
        """
        order = torch.randperm(len(self.scenes), generator=generator)
        picks = order[self._is_photo.cpu()[order] > 0][:most]
        for some in picks.split(batch):
            yield torch.stack([self._square(int(pick), size) for pick in some])

    def _square(self, pick: int, size: int) -> Tensor:
        aspect = self._aspects[pick].item()
        height, width = (round(size * 8 / 7 / min(1, a)) for a in (aspect, 1 / aspect))
        pixels = self.scenes[pick].float()[None] / 255
        shown = F.interpolate(pixels, size=(height, width), mode="bilinear", antialias=True)[0]
        top, left = (height - size) // 2, (width - size) // 2
        return shown[:, top : top + size, left : left + size]

    def _uniform(
        self, count: int, low: float, high: float, generator: torch.Generator, columns: int = 1
    ) -> Tensor:
        """Random numbers [count,columns,1,1]."""
        unit = torch.rand(count, columns, 1, 1, generator=generator, device=self.device)
        return low + (high - low) * unit

    def _angles(self, count: int, generator: torch.Generator) -> Tensor:
        degrees = torch.randn(count, generator=generator, device=self.device) * self.plan.turn
        return torch.deg2rad(degrees)

    def _sampled(self, pixels: Tensor, matrix: Tensor, padding: str) -> Tensor:
        """Crops of uint8 pictures [N,C,S,S] under maps [N,2,3], averaged over 2 x 2 samples."""
        fine = 2 * self.plan.size
        places = (2 * torch.arange(fine, device=self.device) + 1) / fine - 1
        across, down, offset = matrix.unbind(2)
        # What F.affine_grid gives, but in one pass over memory.
        rows = down[:, None] * places[None, :, None] + offset[:, None]
        columns = across[:, None] * places[None, :, None]
        grid = rows[:, :, None] + columns[:, None]
        sampled = F.grid_sample(pixels.float(), grid, padding_mode=padding, align_corners=False)
        return F.avg_pool2d(sampled, 2) / 255

    def _cut(self, picks: Tensor, generator: torch.Generator) -> Tensor:
        """Boxes log-uniform in area, aspect 3:4 to 4:3, turned a little, mirrored by chance."""
        count, aspects = len(picks), self._aspects[picks]

        def uniform(low: float, high: float) -> Tensor:
            return self._uniform(count, low, high, generator).flatten()

        area = torch.exp(self._least[picks].log() * uniform(0, 1))
        shape = torch.exp(uniform(math.log(3 / 4), math.log(4 / 3))) / aspects
        width, height = (area * shape).sqrt().clamp_max(1), (area / shape).sqrt().clamp_max(1)
        angle = self._angles(count, generator)
        sine, cosine = angle.sin(), angle.cos()
        mirror = (uniform(0, 1) < 0.5).float() * 2 - 1
        x, y = uniform(-1, 1) * (1 - width), uniform(-1, 1) * (1 - height)
        rows = (
            torch.stack((mirror * width * cosine, -height / aspects * sine, x), 1),
            torch.stack((mirror * width * aspects * sine, height * cosine, y), 1),
        )
        return self._sampled(self.scenes[picks], torch.stack(rows, 1), "reflection")

    def _pasted(self, scenes: Tensor, generator: torch.Generator) -> Tensor:
        """Lay an object over each crop [N,3,S,S]."""
        count = len(scenes)
        picks = torch.multinomial(
            self._object_weights, count, replacement=True, generator=generator
        )
        share = self._uniform(count, 0.5, 1.1, generator).flatten()
        room = (1 - share[:, None] * self._object_sides[picks]).abs() + 0.1
        x, y = (room * self._uniform(count, -1, 1, generator, 2).flatten(1)).unbind(1)
        angle = self._angles(count, generator)
        sine, cosine = angle.sin() / share, angle.cos() / share
        mirror = (self._uniform(count, 0, 1, generator).flatten() < 0.5).float() * 2 - 1
        rows = (
            torch.stack((mirror * cosine, -mirror * sine, mirror * (y * sine - x * cosine)), 1),
            torch.stack((sine, cosine, -x * sine - y * cosine), 1),
        )
        pixels = self.objects[picks].float()
        pixels[:, :3] *= pixels[:, 3:] / 255
        laid = self._sampled(pixels, torch.stack(rows, 1), "zeros")
        return laid[:, :3] + (1 - laid[:, 3:]) * scenes

    def _recoloured(self, crops: Tensor, generator: torch.Generator) -> Tensor:
        """Vary saturation, contrast, brightness and tint of each crop."""
        count, spread = len(crops), self.plan.colour

        def around_one(spread: float, columns: int = 1) -> Tensor:
            return self._uniform(count, 1 - spread, 1 + spread, generator, columns)

        grey = crops.mean(1, keepdim=True)
        coloured = self._uniform(count, 0, 1, generator) >= self.plan.grey
        crops = grey + coloured * around_one(spread) * (crops - grey)
        level = crops.mean((1, 2, 3), keepdim=True)
        crops = level + around_one(spread) * (crops - level)
        return (crops * around_one(spread / 3, 3) * around_one(spread)).clamp(0, 1)

    def _mixed(self, crops: Tensor, generator: torch.Generator) -> Tensor:
        """Mix the last crops of a batch with one of the others each.

        Half of them are blended (mixup, Zhang et al. 2018), half get a rectangle of the other
        pasted in (cutmix, Yun et al. 2019).
        """
        count, size = len(crops), crops.shape[-1]
        many = round(self.plan.mixed * count)
        if not many:
            return crops
        plain, base = crops[: count - many], crops[count - many :]
        which = torch.randint(len(plain), (many,), generator=generator, device=self.device)
        other = plain[which]
        share = self._uniform(many, 0.15, 0.5, generator)  # of the other crop
        shape = torch.exp(self._uniform(many, math.log(1 / 2), math.log(2), generator))
        places = (torch.arange(size, device=self.device) + 0.5) / size

        def inside(extent: Tensor, places: Tensor) -> Tensor:
            extent = extent.clamp_max(1)
            start = self._uniform(many, 0, 1, generator) * (1 - extent)
            return (places >= start) & (places < start + extent)

        box = inside((share * shape).sqrt(), places[None, None, None, :])
        box = box & inside((share / shape).sqrt(), places[None, None, :, None])
        blended = torch.arange(many, device=self.device).view(-1, 1, 1, 1) < many / 2
        return torch.cat((plain, base.lerp(other, torch.where(blended, share, box.float()))))
