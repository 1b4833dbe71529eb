"""The photographs to train on that lie in no package: out of a folder of archives, or fetched.

None of them ships. `sources.tsv` names each source, what it is, its terms and the public repository
that holds it. `listed.tsv.xz` is the project's own list of the photographs: path, SHA-256 and
perceptual hash of each, scaled to a short side of 200 pixels.

A folder of archives (one `SOURCE.tar` a source) is checked by SHA-256. What comes from the
repositories themselves is scaled on arrival, whose bytes depend on the encoder: a picture is taken
where its perceptual hash is that of a listed one, and everything else is passed over.
"""

from __future__ import annotations

import csv
import hashlib
import io
import lzma
import shutil
import tarfile
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.error import HTTPError, URLError

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm.auto import tqdm

HERE = Path(__file__).parent
ARCHIVES = "https://codeload.github.com"
FOLDER = "photographs"  # under the folder of sources
SHORT_SIDE = 200
SAME = 6  # of the 64 bits of a perceptual hash, between a picture and itself scaled
MOST_BYTES = 16 * 2**20  # of one picture in an archive
_SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Source:
    """A set of photographs: what it is, who published it, on what terms, and where it lies."""

    name: str
    pictures: int
    what: str
    publisher: str
    terms: str
    repository: str


@dataclass(frozen=True)
class Listed:
    """One photograph: `path` is its source's name and a path in the archive."""

    path: str
    sha256: str
    hash: str

    @property
    def source(self) -> str:
        return self.path.partition("/")[0]


@cache
def sources() -> dict[str, Source]:
    """All sources by name."""
    with (HERE / "sources.tsv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    assert head[1] == "pictures"
    return {row[0]: Source(row[0], int(row[1]), *row[2:]) for row in rows}


@cache
def listed() -> tuple[Listed, ...]:
    """Every photograph of the list."""
    _, *lines = lzma.decompress((HERE / "listed.tsv.xz").read_bytes()).decode().splitlines()
    return tuple(Listed(*line.split("\t")) for line in lines)


def by_source(photographs: Iterable[Listed]) -> dict[str, list[Listed]]:
    """Listed photographs, source by source."""
    found: dict[str, list[Listed]] = {}
    for photograph in photographs:
        found.setdefault(photograph.source, []).append(photograph)
    return found


def unpack(archives: Path, target: Path, wanted: Iterable[Listed] | None = None) -> int:
    """Take the listed photographs out of a folder of archives; what is there already is kept.

    Args:
        archives: folder with one `SOURCE.tar` a source.
        target: folder of sources; photographs go to ``target/photographs/SOURCE/…``.
        wanted: by default all of the list.

    Returns how many photographs there are then.

    Raises:
        FileNotFoundError: an archive is missing.
        ValueError: a photograph is missing, or not the one that the list names.
    """
    count = 0
    for name, rows in tqdm(
        by_source(listed() if wanted is None else wanted).items(), "photographs"
    ):
        folder = target / FOLDER / name
        if not folder.exists():
            archive = archives / f"{name}.tar"
            if not archive.exists():
                raise FileNotFoundError(
                    f"{archive} is missing: a folder of photographs has one archive for each "
                    "source of training/photographs/sources.tsv"
                )
            part = _fresh(folder)
            with tarfile.open(archive) as tar:
                for row in rows:
                    _write(part / row.path.partition("/")[2], _checked(tar, row))
            part.rename(folder)
        count += len(rows)
    return count


def _checked(tar: tarfile.TarFile, row: Listed) -> bytes:
    try:
        member = tar.extractfile(row.path.partition("/")[2])
    except KeyError:
        member = None
    if member is None:
        raise ValueError(f"{row.path} of the list is not in {tar.name!r}")
    data = member.read()
    found = hashlib.sha256(data).hexdigest()
    if found != row.sha256:
        raise ValueError(f"{row.path} has the SHA-256 {found}; the list says {row.sha256}")
    return data


def fetch(
    target: Path, wanted: Iterable[Listed] | None = None, archives: str = ARCHIVES
) -> dict[str, int]:
    """Get the listed photographs from the public repositories; what is there already is kept.

    Args:
        target: as of `unpack`.
        wanted: by default all of the list.
        archives: address under which ``OWNER/NAME/tar.gz/HEAD`` is a repository.

    Returns how many photographs of each source were found; a repository that is gone gives none.

    Raises:
        RuntimeError: no repository can be reached.
    """
    found: dict[str, int] = {}
    failed: list[Exception] = []
    for name, rows in by_source(listed() if wanted is None else wanted).items():
        folder = target / FOLDER / name
        if not folder.exists():
            part = _fresh(folder)
            address = f"{archives}/{sources()[name].repository}/tar.gz/HEAD"
            try:
                with urllib.request.urlopen(address, timeout=60) as answer:
                    found[name] = _sift(answer, rows, part)
            except (URLError, TimeoutError, tarfile.TarError, EOFError) as error:
                if isinstance(error, HTTPError):
                    error.close()  # it holds the connection
                failed.append(error)
                found[name] = 0
                continue
            part.rename(folder)
        found[name] = sum(path.is_file() for path in folder.rglob("*"))
    if failed and not any(found.values()):
        raise RuntimeError(
            f"no repository of photographs could be reached ({failed[0]}); without a connection "
            "give a folder of their archives with --photos DIR"
        ) from failed[0]
    return found


def _sift(archive: io.BufferedIOBase, rows: list[Listed], part: Path) -> int:
    """Write the listed photographs of a repository's archive, read once from start to end."""
    left = {row.path: row for row in rows}
    hashes = np.array([int(row.hash, 16) for row in rows], np.uint64)
    paths = [row.path for row in rows]
    with tarfile.open(fileobj=archive, mode="r|gz") as tar:
        for member in tqdm(tar, rows[0].source, unit="file"):
            picture = Path(member.name).suffix.lower() in _SUFFIXES
            if not member.isfile() or not picture or member.size > MOST_BYTES:
                continue
            opened = tar.extractfile(member)
            image = _scaled(opened.read()) if opened else None
            if image is None:
                continue
            apart = distances(hashes, perceptual(image))
            nearest = int(apart.argmin())
            if apart[nearest] <= SAME and left.pop(paths[nearest], None):
                target = part / paths[nearest].partition("/")[2]
                target.parent.mkdir(parents=True, exist_ok=True)
                image.save(target, "JPEG", quality=90)
    return len(rows) - len(left)


def _scaled(data: bytes) -> Image.Image | None:
    """A picture of at most 200 pixels on its short side; None when the bytes are none."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as image:
            image.draft("RGB", (2 * SHORT_SIDE, 2 * SHORT_SIDE))
            rgb = image.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    shrink = SHORT_SIDE / min(rgb.size)
    if shrink >= 1:
        return rgb
    width, height = (max(1, round(side * shrink)) for side in rgb.size)
    return rgb.resize((width, height), Image.Resampling.LANCZOS)


def perceptual(image: Image.Image) -> int:
    """The 64 bits of a picture's perceptual hash."""
    import imagehash  # type: ignore[import-untyped] # only here: training itself needs it not

    return int(str(imagehash.phash(image.convert("L"))), 16)


def distances(hashes: NDArray[np.uint64], other: int) -> NDArray[np.int64]:
    """How many bits of each hash [N] differ from those of another."""
    differ = (hashes ^ np.uint64(other)).view(np.uint8).reshape(len(hashes), 8)
    return np.unpackbits(differ, axis=1).sum(1, dtype=np.int64)


def _fresh(folder: Path) -> Path:
    """An empty folder beside `folder`, which gets its name when it is complete."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    return part


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
