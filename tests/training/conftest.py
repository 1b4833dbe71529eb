"""A tiny world to train in: synthetic pictures, a small untrained teacher."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import shufflenet_v2_x0_5

from training import catalogue
from training.album import Album, CropPlan, pack
from training.catalogue import Picture
from training.data import Lessons
from training.teacher import Teacher

FOLDER = "mate-backgrounds/usr/share/backgrounds/mate/nature"
PLAN = CropPlan(size=64, side=96, object_side=48, colour=0.0, grey=0.0, finest=40.0)


def picture(number: int, side: int = 240) -> Image.Image:
    """A scene of coarse random patches; its blue is the same everywhere and no other's."""
    patches = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(patches).resize((side * 4 // 3, side), Image.Resampling.BICUBIC)
    pixels = np.array(image)
    pixels[..., 2] = number * 8
    return Image.fromarray(pixels)


def webp(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP")
    return out.getvalue()


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty different pictures, and look-alikes of three of them: smaller, mirrored, as JPEG."""
    root = tmp_path_factory.mktemp("sources")
    folder = root / FOLDER
    folder.mkdir(parents=True)
    for number in range(30):
        picture(number).save(folder / f"{number:02d}.png")
    picture(0, 160).save(folder / "00-smaller.png")
    picture(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "01-mirrored.png")
    picture(2).save(folder / "02-again.jpg", quality=60)
    return root


@pytest.fixture(scope="session")
def pictures(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    listing = tmp_path_factory.mktemp("listing") / "catalogue.json"
    held = [f"{FOLDER}/{number:02d}.png" for number in range(0, 30, 4)]
    return catalogue.build(sources, listing, held)


@pytest.fixture(scope="session")
def teacher() -> Teacher:
    torch.manual_seed(1)
    model = shufflenet_v2_x0_5(num_classes=10)
    return Teacher(model, model.stage2, model.stage3)


@pytest.fixture(scope="session")
def album(
    sources: Path, pictures: list[Picture], tmp_path_factory: pytest.TempPathFactory
) -> Album:
    """The training pictures, packed and loaded."""
    folder = tmp_path_factory.mktemp("album")
    return Album(pack(pictures, sources, folder, PLAN), folder, PLAN)


@pytest.fixture(scope="session")
def lessons(album: Album, teacher: Teacher) -> Lessons:
    return Lessons(album, teacher, seed=3)
