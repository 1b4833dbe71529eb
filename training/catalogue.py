"""Which fetched files are pictures to learn from, of what kind, and on which side of the split.

The split is made by photograph, before any crop is cut. Pictures that look alike to a perceptual
hash (the same picture in two formats, sizes or mirrored) form a family, and a family is never
split.
"""

from __future__ import annotations

import fnmatch
import json
import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import imagehash
from PIL import Image
from tqdm.auto import tqdm

from training.fetch import PICTURES

Image.MAX_IMAGE_PIXELS = 60_000_000
SMALLEST_SIDE = 96
ALIKE = 8  # of the 64 bits of a perceptual hash; unrelated pictures differ in about 32


@dataclass(frozen=True)
class Rule:
    """Files of one package that are pictures of one kind; `but` names those that are not."""

    pattern: str
    kind: str  # "photo" | "cutout" (photographed object on transparency) | "painting"
    but: tuple[str, ...] = ()


@dataclass
class Picture:
    """One source picture; `path` is relative to the folder of sources, sides are pixels."""

    path: str
    kind: str
    width: int
    height: int
    hash: str
    mirrored: str
    family: int = -1
    split: str = "train"  # "train" | "held-out"
    sample: bool = False  # fit to ship as a sample photo, so never trained on


GCOMPRIS = "gcompris-qt-data/rcc"
WALLPAPER = "plasma-workspace-wallpapers/usr/share/wallpapers"
RULES = (
    Rule(f"{GCOMPRIS}/categorization/*", "photo", ("alphabets*", "numbers*")),
    Rule(f"{GCOMPRIS}/clickgame/sea*", "photo"),
    Rule(f"{GCOMPRIS}/erase/*", "photo"),
    Rule(f"{GCOMPRIS}/explore_*/*", "photo"),
    Rule(f"{GCOMPRIS}/details/*_back*", "photo", ("*Gogh*", "*Portrait*", "*Eglise*")),
    Rule(f"{GCOMPRIS}/paintings/*", "painting"),
    Rule(
        "scratch/usr/share/scratch/Media/Backgrounds/*/*",
        "photo",
        (
            *("bedroom*", "chalkboard*", "party-room*", "room*", "spotlight*", "desert*"),
            *("stars*", "underwater*", "woods*", "night-city*", "school*", "train-tracks3*"),
        ),
    ),
    Rule("tuxpaint-data/usr/share/tuxpaint/templates/*", "photo"),
    *(
        Rule(f"lxqt-themes/usr/share/lxqt/wallpapers/{name}*", "photo")
        for name in (
            *("Butterfly-Ken", "Valendas", "after-the-rain", "appleflower", "butterfly"),
            *("cloud", "drop", "flowers", "fog"),
        )
    ),
    Rule("mate-backgrounds/usr/share/backgrounds/mate/nature/*", "photo"),
    Rule("lomiri-wallpapers-16.04/usr/share/backgrounds/*", "photo", ("analogpattern*",)),
    Rule("lomiri-wallpapers-20.04/usr/share/backgrounds/Kleiber*", "photo"),
    Rule("darknet/usr/share/darknet/data/*", "photo", ("scream*",)),
    Rule("gnome-taquin/usr/share/gnome-taquin/themes/cats/*", "photo"),
    Rule("palapeli-data/usr/share/palapeli/collection/*", "photo"),
    *(
        Rule(f"{WALLPAPER}/{name}/contents/images/*", "photo")
        for name in (
            *("Autumn", "BytheWater", "ColdRipple", "ColorfulCups", "EveningGlow", "FallenLeaf"),
            *("Grey", "Kite", "OneStandsOut", "PastelHills", "Path", "summer_1am"),
        )
    ),
    *(
        Rule(f"scikit-image/{name}.*", "photo")
        for name in ("astronaut", "camera", "chelsea", "coffee", "motorcycle_left", "rocket")
    ),
    Rule("scikit-learn/*", "photo"),
    Rule("datasets-img-*/package/data/*", "photo"),
    Rule(
        "tuxpaint-stamps-default/usr/share/tuxpaint/stamps/*",
        "cutout",
        ("*/cartoon/*", "*/symbols/*", "*/roadsigns/*", "*/toys/*", "*_mirror*", "*/planets/*"),
    ),
)
# Pictures whose licences let them ship as samples: what is shown in a demo was never trained on.
SAMPLES = (
    *("scikit-image/*", "scikit-learn/*", "datasets-img-*", "palapeli-data/*honey-bee*"),
    *("palapeli-data/*cincinnati*", "palapeli-data/*citrus*", "*/seeding_by_*", "*/friends_by_*"),
    *("*/Picture_0B_by_*", "*/Picture_1A_by_*", "*/picosdeeuropa_*", "*/Wine_by_*"),
    *("*/umang_by_*", "*/explore_world_animals/moose*", "*/categorization/greatWall*"),
    *("*/categorization/leaningTower*", "*/categorization/fish15*"),
)


def kind_of(path: str) -> str | None:
    """Return the kind of the picture at this relative path, or None when it is not to be used."""
    for rule in RULES:
        if fnmatch.fnmatch(path, rule.pattern):
            name = path.rpartition("/")[2]
            refused = any(fnmatch.fnmatch(name, b) or fnmatch.fnmatch(path, b) for b in rule.but)
            return None if refused else rule.kind
    return None


def describe(root: Path, path: Path, kind: str) -> Picture | None:
    """Measure and hash one file; None when it cannot be read or is too small to crop."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            if min(width, height) < SMALLEST_SIDE:
                return None
            image.draft("RGB", (512, 512))
            small = image.convert("RGBA")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    small.thumbnail((256, 256))
    flat = Image.new("RGBA", small.size, "white")
    flat.alpha_composite(small)
    grey = flat.convert("L")
    mirrored = grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return Picture(
        path=path.relative_to(root).as_posix(),
        kind=kind,
        width=width,
        height=height,
        hash=str(imagehash.phash(grey)),
        mirrored=str(imagehash.phash(mirrored)),
    )


def _distance(a: str, b: str) -> int:
    return (int(a, 16) ^ int(b, 16)).bit_count()


def alike(a: Picture, b: Picture) -> bool:
    """Tell whether two pictures are near-duplicates, one of them possibly mirrored."""
    return _distance(a.hash, b.hash) <= ALIKE or _distance(a.mirrored, b.hash) <= ALIKE


def families(pictures: list[Picture]) -> None:
    """Number the families of look-alike pictures in place, by joining every look-alike pair."""
    parent = list(range(len(pictures)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, a in enumerate(pictures):
        for j in range(i):
            if alike(a, pictures[j]):
                parent[root(i)] = root(j)
    for i, picture in enumerate(pictures):
        picture.family = root(i)


def largest_of_each_family(pictures: Iterable[Picture]) -> list[Picture]:
    """Keep one picture a family: its largest photo, so that no scene is counted twice."""
    best: dict[int, Picture] = {}
    for picture in pictures:
        rank = (picture.sample, picture.kind == "photo", picture.width * picture.height)
        held = best.get(picture.family)
        if held is None or rank > (held.sample, held.kind == "photo", held.width * held.height):
            best[picture.family] = picture
    return list(best.values())


def split(pictures: list[Picture], share: float, seed: int) -> None:
    """Put `share` of each kind's families and all samples on the held-out side, in place."""
    chance = random.Random(seed)
    for kind in sorted({p.kind for p in pictures}):
        for number in sorted({p.family for p in pictures if p.kind == kind}):
            members = [p for p in pictures if p.family == number]
            held_out = chance.random() < share or any(p.sample for p in members)
            for picture in members:
                picture.split = "held-out" if held_out else "train"


def build(sources: Path, target: Path, share: float = 0.12, seed: int = 2013) -> list[Picture]:
    """Write the catalogue of all usable pictures as JSON, or read the one that is there."""
    if target.exists():
        return load(target)
    pictures = []
    for path in tqdm(sorted(sources.rglob("*")), desc="catalogue"):
        if path.suffix.lower() not in PICTURES or any(part[0] == "." for part in path.parts[-8:]):
            continue
        relative = path.relative_to(sources).as_posix()
        kind = kind_of(relative)
        picture = describe(sources, path, kind) if kind else None
        if picture:
            picture.sample = any(fnmatch.fnmatch(relative, s) for s in SAMPLES)
            pictures.append(picture)
    families(pictures)
    pictures = largest_of_each_family(pictures)
    split(pictures, share, seed)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps([asdict(p) for p in pictures], indent=1))
    return pictures


def load(target: Path) -> list[Picture]:
    """Read a catalogue written by `build`."""
    return [Picture(**entry) for entry in json.loads(target.read_text())]
