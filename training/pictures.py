"""Opens pictures, and cuts the held-out ones into the exam that every network is asked."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm.auto import tqdm

from training.catalogue import Picture

Pixels = NDArray[np.uint8]


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
