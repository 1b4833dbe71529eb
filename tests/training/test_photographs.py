"""Photographs come from archives that are checked, or from repositories that are sifted."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from tests.training.conftest import picture
from training import photographs
from training.photographs import Listed


def packed(files: dict[str, bytes], path: Path, mode: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def encoded(image: Image.Image, kind: str = "JPEG", **how: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def small(number: int) -> Image.Image:
    return picture(number, 200)


def row(path: str, number: int) -> Listed:
    image = small(number)
    digest = hashlib.sha256(encoded(image)).hexdigest()
    return Listed(path, digest, f"{photographs.perceptual(image):016x}")


WANTED = [row("dogs/a/0.jpg", 1), row("dogs/a/1.jpg", 2), row("imagen/x/0.jpg", 3)]


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    files = {"a/0.jpg": encoded(small(1)), "a/1.jpg": encoded(small(2)), "b.jpg": b"?"}
    packed(files, folder / "dogs.tar", "w")
    packed({"x/0.jpg": encoded(small(3))}, folder / "imagen.tar", "w")
    return folder


def found_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_the_list_is_small_and_names_every_photograph_once() -> None:
    rows = photographs.listed()
    assert (photographs.HERE / "listed.tsv.xz").stat().st_size < 1e6
    assert len({r.path for r in rows}) == len({r.sha256 for r in rows}) == len(rows) > 11_000
    assert all(len(r.sha256) == 64 and len(r.hash) == 16 for r in rows)


def test_every_source_has_terms_and_as_many_photographs_as_are_listed() -> None:
    counted = {
        name: len(rows) for name, rows in photographs.by_source(photographs.listed()).items()
    }
    assert counted == {name: s.pictures for name, s in photographs.sources().items()}
    for source in photographs.sources().values():
        assert source.terms
        assert source.what
        assert source.repository.count("/") == 1


def test_listed_photographs_are_unpacked_once_and_nothing_else(
    archives: Path, tmp_path: Path
) -> None:
    target = tmp_path / "sources"
    assert photographs.unpack(archives, target, WANTED) == 3
    assert found_in(target / "photographs") == ["dogs/a/0.jpg", "dogs/a/1.jpg", "imagen/x/0.jpg"]
    (archives / "dogs.tar").unlink()
    assert photographs.unpack(archives, target, WANTED) == 3, "what is there is kept"


def test_a_changed_photograph_is_refused_and_leaves_no_half_folder(
    archives: Path, tmp_path: Path
) -> None:
    packed({"a/0.jpg": encoded(small(1)), "a/1.jpg": encoded(small(9))}, archives / "dogs.tar", "w")
    with pytest.raises(ValueError, match=r"dogs/a/1\.jpg has the SHA-256"):
        photographs.unpack(archives, tmp_path / "sources", WANTED)
    assert not (tmp_path / "sources" / "photographs" / "dogs").exists()


def test_a_missing_photograph_or_archive_is_named(archives: Path, tmp_path: Path) -> None:
    packed({"a/0.jpg": encoded(small(1))}, archives / "dogs.tar", "w")
    with pytest.raises(ValueError, match=r"dogs/a/1\.jpg of the list is not in"):
        photographs.unpack(archives, tmp_path, WANTED)
    (archives / "dogs.tar").unlink()
    with pytest.raises(FileNotFoundError, match=r"dogs\.tar is missing"):
        photographs.unpack(archives, tmp_path, WANTED)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Repositories as large pictures in archives, under the addresses that GitHub gives them."""
    root = tmp_path / "www"
    dogs = photographs.sources()["dogs"].repository
    large = {
        "repo/train/dog.7.jpg": encoded(picture(1, 700), quality=95),
        "repo/train/dog.8.png": encoded(picture(2, 460), "PNG"),
        "repo/train/stranger.jpg": encoded(picture(20, 460)),
        "repo/train/damaged.jpg": b"\xff\xd8\xff no picture",
        "repo/README.md": b"# dogs",
    }
    packed(large, root / dogs / "tar.gz" / "HEAD", "w:gz")
    handler = partial(SimpleHTTPRequestHandler, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_a_repository_gives_the_listed_photographs_scaled_and_no_others(
    server: str, tmp_path: Path
) -> None:
    target = tmp_path / "sources"
    assert photographs.fetch(target, WANTED, server) == {"dogs": 2, "imagen": 0}
    assert found_in(target / "photographs") == ["dogs/a/0.jpg", "dogs/a/1.jpg"]
    for number, name in enumerate(("0.jpg", "1.jpg"), start=1):
        with Image.open(target / "photographs" / "dogs" / "a" / name) as image:
            assert min(image.size) == 200
            blue = image.convert("RGB").getpixel((100, 100))
        assert isinstance(blue, tuple)
        assert round(blue[2] / 8) == number, "each under the name of the one that it is"


def test_what_was_fetched_is_not_fetched_again(server: str, tmp_path: Path) -> None:
    dogs = WANTED[:2]
    assert photographs.fetch(tmp_path, dogs, server) == {"dogs": 2}
    assert photographs.fetch(tmp_path, dogs, "http://127.0.0.1:1") == {"dogs": 2}


def test_without_a_connection_it_says_what_else_can_be_done(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="--photos DIR"):
        photographs.fetch(tmp_path, WANTED, "http://127.0.0.1:1")
    assert found_in(tmp_path) == []


def test_distances_count_the_bits_that_differ() -> None:
    import numpy as np

    hashes = np.array([0, 1, 2**64 - 1], np.uint64)
    assert photographs.distances(hashes, 3).tolist() == [2, 1, 62]
