"""An exported page as an ES module for articles: `Inspector.to_module`.

The module's text is js/src/article/index.ts; before it stands what it is to show.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zfwidgets.widgets.core.base import bundle
from zfwidgets.widgets.export.article import Article
from zfwidgets.widgets.export.page import megabytes, script_text, write


@dataclass(frozen=True)
class SavedModule:
    """What `Inspector.to_module` wrote.

    module: the ES module. page: the page that it shows, an HTML file beside it; None: it is inside.
    size: of both together, bytes.
    """

    module: Path
    page: Path | None
    size: int
    net: str

    def __str__(self) -> str:
        files = self.module if self.page is None else f"{self.module} and {self.page.name}"
        return f"{files}: {megabytes(self.size)} MB; {self.net}"


def write_module(made: Article, path: str | Path, *, alone: bool) -> SavedModule:
    """Write the module, and its page beside it unless it is to stand `alone`.

    Raises:
        ValueError: the name does not end as modules' names do.
    """
    path = Path(path).expanduser()
    if path.suffix not in (".mjs", ".js"):
        raise ValueError(f"to_module({path.name!r}): expected a name that ends in .mjs or .js")
    beside = None if alone else path.with_suffix(".html")
    shown = {"page": made.page} if beside is None else {"file": beside.name}
    said = {**shown, "title": made.title, "picture": made.picture_url, "caption": made.caption}
    notice = made.caption.replace("*/", "* /").replace("\n", " ")
    text = f"/*! {notice} */\nconst zfFigure = {script_text(said)};\n{bundle('article', 'js')}"
    module = text.encode("utf-8")
    size = len(module)
    if beside is not None:
        write(beside, made.page.encode("utf-8"))
        size += made.saved.size
    write(path, module)
    return SavedModule(path, beside, size, made.saved.net)
