"""Cuts square crops from the pictures and keeps them as uint8 shards that can be read in parts.

All variation is baked in here: colours are varied as a crop is cut, and every second crop of a
shard is then mixed with another. The teacher labels exactly the picture that the students will see
("consistent teaching", Beyer et al., CVPR 2022), not the crop that it was made from.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm.auto import tqdm

from training.catalogue import Picture

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class CropPlan:
    """How many crops of which size; `size` in pixels, the counts are per picture."""

    size: int = 160
    per_photo: int = 110  # of a photo of a quarter of a megapixel; grows with its area
    per_photo_most: int = 200
    landscapes: str = "endless-sky-data"  # a third of all photographs, and much alike
    per_landscape: int = 50
    per_cutout: int = 110
    per_painting: int = 20
    colour: float = 0.35  # how far brightness, contrast and saturation stray from 1
    grey: float = 0.05  # share of crops without colour
    shard: int = 2048
    seed: int = 2013


def how_many(picture: Picture, plan: CropPlan) -> int:
    """Crops to take of a picture: larger photographs hold more to see."""
    if picture.kind == "cutout":
        return plan.per_cutout
    if picture.kind == "painting":
        return plan.per_painting
    if picture.path.startswith(plan.landscapes):
        return plan.per_landscape
    megapixels = picture.width * picture.height / 1e6
    return int(min(plan.per_photo * max(1.0, math.sqrt(megapixels / 0.25)), plan.per_photo_most))


def random_box(
    width: int, height: int, chance: random.Random, finest: float
) -> tuple[float, float, float, float]:
    """Draw a crop box (left, top, right, bottom): log-uniform in area, aspect 3:4 to 4:3.

    `finest` is the shortest side worth cutting, in pixels: below it a crop is only blur.
    """
    least = min(0.9, max(0.08, finest**2 / (width * height)))
    for _ in range(20):
        area = width * height * math.exp(chance.uniform(math.log(least), 0.0))
        aspect = math.exp(chance.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = math.sqrt(area * aspect), math.sqrt(area / aspect)
        if w <= width and h <= height:
            left, top = chance.uniform(0, width - w), chance.uniform(0, height - h)
            return left, top, left + w, top + h
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def cut(
    image: Image.Image, chance: random.Random, size: int, finest: float | None = None
) -> Image.Image:
    """Cut one random crop and scale it to size x size."""
    box = random_box(image.width, image.height, chance, finest or 0.75 * size)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box, reducing_gap=2.0)


def paste(
    cutout: Image.Image, background: Image.Image, chance: random.Random, size: int
) -> Image.Image:
    """Lay a photographed object with a transparent surround over a crop of a photograph."""
    scene = cut(background, chance, size)
    share = chance.uniform(0.5, 1.1) * size / max(cutout.size)
    w, h = max(8, round(cutout.width * share)), max(8, round(cutout.height * share))
    small = cutout.resize((w, h), Image.Resampling.BICUBIC)
    scene.paste(small, (chance.randint(-8, size - w + 8), chance.randint(-8, size - h + 8)), small)
    return scene


def recoloured(crop: Pixels, chance: random.Random, plan: CropPlan) -> Pixels:
    """Vary brightness, contrast, saturation and tint of a crop [S,S,3]."""

    def around_one(spread: float) -> float:
        return 1 + chance.uniform(-spread, spread)

    pixels = crop.astype(np.float32)
    grey = pixels.mean(2, keepdims=True)
    saturation = 0.0 if chance.random() < plan.grey else around_one(plan.colour)
    pixels = grey + saturation * (pixels - grey)
    level = pixels.mean()
    pixels = level + around_one(plan.colour) * (pixels - level)
    tint = [around_one(plan.colour / 3) for _ in range(3)]
    pixels *= np.array(tint, np.float32) * around_one(plan.colour)
    varied: Pixels = pixels.round().clip(0, 255).astype(np.uint8)
    return varied


def mix(shard: Pixels, seed: str) -> None:
    """Mix every second crop of a shard [N,S,S,3], in place, with one of those between.

    Half of them are blended (mixup, Zhang et al. 2018), half get a rectangle of the other pasted in
    (cutmix, Yun et al. 2019). The crops at even places stay as they were cut.
    """
    chance = random.Random(seed)
    count, size = len(shard), shard.shape[1]
    for place in range(1, count, 2):
        other = shard[chance.randrange(0, count, 2)]
        share = chance.uniform(0.15, 0.5)  # of the other crop
        if chance.random() < 0.5:
            blend = (1 - share) * shard[place].astype(np.float32) + share * other
            shard[place] = blend.round().astype(np.uint8)
        else:
            aspect = math.exp(chance.uniform(math.log(1 / 2), math.log(2)))
            w = min(size, round(size * math.sqrt(share * aspect)))
            h = min(size, round(size * math.sqrt(share / aspect)))
            x, y = chance.randint(0, size - w), chance.randint(0, size - h)
            shard[place, y : y + h, x : x + w] = other[y : y + h, x : x + w]


def opened(path: Path, longest: int = 2400) -> Image.Image:
    """Open a picture as RGB or RGBA, reduced to a side that is still finer than any crop."""
    with Image.open(path) as image:
        image.draft("RGB", (longest, longest))
        transparent = image.mode in ("RGBA", "LA", "P", "PA")
        full = image.convert("RGBA" if transparent else "RGB")
    full.thumbnail((longest, longest))
    return full


def on_white(image: Image.Image) -> Image.Image:
    """Flatten transparency onto white."""
    if image.mode != "RGBA":
        return image
    flat = Image.new("RGB", image.size, "white")
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def crops_of(
    picture: Picture, number: int, scenes: list[Image.Image], root: Path, plan: CropPlan
) -> Iterator[Pixels]:
    """Yield `number` crops of one picture as uint8 arrays [size, size, 3]."""
    chance = random.Random(f"{plan.seed}/{picture.path}")
    image = opened(root / picture.path)
    if picture.kind != "cutout":
        image = on_white(image)
    for _ in range(number):
        if picture.kind == "cutout":
            crop = paste(image.convert("RGBA"), chance.choice(scenes), chance, plan.size)
        else:
            crop = cut(image, chance, plan.size)
        yield recoloured(np.asarray(crop.convert("RGB")), chance, plan)


def backgrounds(
    pictures: list[Picture], root: Path, seed: int, most: int = 60
) -> list[Image.Image]:
    """Open some large training photographs to lay cut-out objects on."""
    large = [p for p in pictures if p.kind == "photo" and min(p.width, p.height) >= 360]
    chosen = random.Random(seed).sample(large, min(most, len(large)))
    if not chosen:
        return [Image.new("RGB", (400, 400), (128, 128, 128))]
    return [on_white(opened(root / p.path, 900)) for p in chosen]


def cut_all(pictures: list[Picture], root: Path, folder: Path, plan: CropPlan) -> int:
    """Cut the training crops into shards `crops-NNN.npy`, mixed across pictures; return the count.

    The crops of all pictures are shuffled over the shards, so that any one shard is a fair sample.
    Restart: done when `crops.done` exists.
    """
    done = folder / "crops.done"
    if done.exists():
        return int(done.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    train = [p for p in pictures if p.split == "train"]
    counts = [how_many(p, plan) for p in train]
    total = sum(counts)
    places = np.random.default_rng(plan.seed).permutation(total)
    starts = np.cumsum([0, *counts])
    shape = (plan.size, plan.size, 3)
    shards = [
        np.lib.format.open_memmap(
            folder / f"crops-{i:03d}.npy", "w+", np.uint8, (min(plan.shard, total - at), *shape)
        )
        for i, at in enumerate(range(0, total, plan.shard))
    ]
    owners = np.empty(total, np.int32)
    scenes = backgrounds(train, root, plan.seed)

    def work(index: int) -> None:
        picture = train[index]
        for k, crop in enumerate(crops_of(picture, counts[index], scenes, root, plan)):
            place = int(places[starts[index] + k])
            shards[place // plan.shard][place % plan.shard] = crop
            owners[place] = index

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        list(tqdm(pool.map(work, range(len(train))), total=len(train), desc="crops"))
    for number, shard in enumerate(tqdm(shards, desc="mix")):
        mix(shard, f"{plan.seed}/{number}")
        shard.flush()
    np.save(folder / "owners.npy", owners)
    done.write_text(str(total))
    return total


def cut_held_out(
    pictures: list[Picture], root: Path, folder: Path, size: int = 224, each: int = 16
) -> tuple[Pixels, NDArray[np.int32], list[Picture]]:
    """Cut the held-out photographs: crops [N,size,size,3], the picture each is of, the pictures.

    Only clean photographs: no drawing, painting or cut-out flatters the agreement. The first crop
    of each picture is its whole centre square, the others are random and no smaller than a fifth
    of its area.
    """
    photos = [p for p in pictures if p.split == "held-out" and p.kind == "photo"]
    target = folder / "held-out.npz"
    if target.exists():
        with np.load(target) as stored:
            return stored["crops"], stored["owners"], photos
    crops, owners = [], []
    for index, picture in enumerate(tqdm(photos, desc="held-out crops")):
        chance = random.Random(f"held-out/{picture.path}")
        image = on_white(opened(root / picture.path))
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        centre = image.crop((left, top, left + side, top + side)).resize((size, size))
        finest = math.sqrt(0.2 * image.width * image.height)
        drawn = [cut(image, chance, size, finest) for _ in range(each - 1)]
        crops += [np.asarray(c.convert("RGB")) for c in (centre, *drawn)]
        owners += [index] * each
    folder.mkdir(parents=True, exist_ok=True)
    stacked, of = np.stack(crops), np.asarray(owners, np.int32)
    np.savez(target, crops=stacked, owners=of)
    return stacked, of, photos
