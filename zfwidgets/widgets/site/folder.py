"""The files of a site: named by what is in them, written at once, old ones taken away.

A name that carries the hash of its file means the same bytes for ever: no browser mixes versions.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from zfwidgets.widgets.core.base import bundle
from zfwidgets.widgets.export.page import write

WORKER = "offline.js"
"""The service worker, which must lie beside the pages that it keeps."""

_SHARED = "files"
_LIST = "self.zfSite = "
"""What the service worker begins with: the list of all files, by which a site is known."""


class Folder:
    """A folder to be: files are added, then written together.

    Raises:
        ValueError: there are files of somebody else.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self._files: dict[str, bytes] = {}
        self.later: set[str] = set()
        self._old = _listed(self.path)

    def add(self, stem: str, suffix: str, text: str, *, later: bool = False) -> str:
        """A file that pages share; returns its way from the folder.

        later: browsers keep it when a page has needed it, not on the first visit of any page.
        """
        data = text.encode("utf-8")
        name = f"{_SHARED}/{stem}-{hashlib.sha256(data).hexdigest()[:10]}.{suffix}"
        self._files[name] = data
        if later:
            self.later.add(name)
        return name

    def page(self, path: str, text: str) -> None:
        """A page, at its way from the folder."""
        self._files[path] = text.encode("utf-8")

    def write(self) -> dict[str, int]:
        """Write everything; the sizes of the files in bytes, pages first.

        Raises:
            OSError: the folder cannot be written to.
        """
        hashes = {name: _integrity(data) for name, data in sorted(self._files.items())}
        version = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:16]
        listed = {"version": version, "files": hashes, "later": sorted(self.later)}
        written = json.dumps(listed, separators=(",", ":"))
        worker = f"{_LIST}{written};\n{bundle('offline', 'js')}"
        # Pages after what they need, the worker that keeps them all at the end.
        last = [name for name in self._files if name.endswith(".html")]
        order = [*(name for name in self._files if name not in last), *last]
        for name in order:
            self._put(name, self._files[name])
        self._put(WORKER, worker.encode("utf-8"))
        for name in self._old - self._files.keys():
            (self.path / name).unlink(missing_ok=True)
        sizes = {name: len(data) for name, data in self._files.items()}
        pages = {name: sizes[name] for name in last}
        return {**pages, **sizes, WORKER: len(worker.encode("utf-8"))}

    def _put(self, name: str, data: bytes) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, data)


def _integrity(data: bytes) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode("ascii")


def _listed(folder: Path) -> set[str]:
    """The files of the site that is there; none in a new or empty folder."""
    if not folder.exists():
        return set()
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file; expected a folder for the site")
    there = folder / WORKER
    first = there.read_text(encoding="utf-8").partition(";\n")[0] if there.is_file() else ""
    if first.startswith(_LIST):
        names = json.loads(first.removeprefix(_LIST))["files"]
        return {
            name for name in names if (folder / name).resolve().is_relative_to(folder.resolve())
        }
    if any(folder.iterdir()):
        raise ValueError(
            f"{folder} has files, and they are not a site that zfwidgets wrote; give a new or an "
            "empty folder"
        )
    return set()
