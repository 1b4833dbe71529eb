"""What the site shows but does not keep: the notebooks, an exported page, and two reviews.

Notebooks are stored once, in `notebooks/`; Sphinx reads only below `docs/`, so they are copied to
`docs/notebooks/` (ignored by git) when they have changed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
EXPORTED = ROOT / "build" / "docs-cache" / "inspector.html"
REVIEWED = {
    "zfnet": ROOT / "build" / "docs-cache" / "review.html",
    "alexnet": ROOT / "build" / "docs-cache" / "review-alexnet.html",
}

_log = logging.getLogger(__name__)


def copy_notebooks(docs: Path) -> None:
    """Make docs/notebooks/ the same as notebooks/; what has not changed keeps its time."""
    folder = docs / "notebooks"
    folder.mkdir(exist_ok=True)
    stored = {file.name: file for file in (ROOT / "notebooks").glob("*.ipynb")}
    for copy in folder.glob("*.ipynb"):
        if copy.name not in stored:
            copy.unlink()
    for name, file in stored.items():
        copy = folder / name
        if not copy.exists() or copy.read_bytes() != file.read_bytes():
            shutil.copyfile(file, copy)


def exported_page() -> Path:
    """The page that the site embeds, written anew when the widgets have changed."""
    if _older(EXPORTED, "widgets", "page"):
        from zfwidgets import to_html

        _log.info("writing the exported page ...")
        EXPORTED.parent.mkdir(parents=True, exist_ok=True)
        to_html(
            "zfnet",
            EXPORTED,
            photos=("cat", "dogs"),
            layers=("conv1", "conv3", "conv5"),
            channels=12,
            progress=False,
        )
    return EXPORTED


def reviewed_page(net: str) -> Path:
    """The report of a bundled network, written anew when an analysis or the network has changed."""
    page = REVIEWED[net]
    if _older(page, "analysis", "nets"):
        from zfwidgets import gallery, review

        _log.info("reviewing %s on the gallery ...", net)
        page.parent.mkdir(parents=True, exist_ok=True)
        review(net, gallery(), progress=False).to_html(page)
    return page


def _older(page: Path, *rooms: str) -> bool:
    """Whether a page is missing, or older than what made it."""
    sources = [file for room in rooms for file in (ROOT / "zfwidgets" / room).rglob("*")]
    newest = max(file.stat().st_mtime for file in sources if file.suffix != ".pyc")
    return not page.exists() or page.stat().st_mtime < newest


def gather(app: Sphinx) -> None:
    """Before anything is read."""
    copy_notebooks(Path(app.srcdir))


def embed(app: Sphinx, error: Exception | None) -> None:
    """Beside the pages, once they are written."""
    if error is None and app.builder.format == "html":
        folder = Path(app.outdir) / "_static"
        shutil.copyfile(exported_page(), folder / "inspector.html")
        for net, page in REVIEWED.items():
            shutil.copyfile(reviewed_page(net), folder / page.name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Around a build."""
    app.connect("builder-inited", gather)
    app.connect("build-finished", embed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
