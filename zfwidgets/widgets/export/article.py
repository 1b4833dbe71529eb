"""An exported page inside of an article: its title, its picture for paper, what must be said.

`Article` is made of an Inspector; `frame.py` and `module.py` write it for a cell's output and for
MyST, Quarto and plain pages.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.export import PAPER, SavedPage, to_html
from zfwidgets.widgets.export.plan import credited, plan_for


@dataclass(frozen=True)
class Article:
    """page: HTML. title: of the frame. picture: PNG. saved: what is in the page.

    caption: names the network, the authors of the photos, licences, and whom to cite.
    """

    page: str
    title: str
    picture: bytes
    caption: str
    saved: SavedPage

    @property
    def picture_url(self) -> str:
        """The picture as a data URL."""
        return f"data:image/png;base64,{base64.b64encode(self.picture).decode('ascii')}"


def article(inspector: Any, options: dict[str, Any]) -> Article:
    """The page of an Inspector as it stands. options: as `to_html` takes them.

    Raises:
        ValueError: the Inspector shows nothing yet that could be printed.
        PageTooLarge and what else `to_html` raises.
    """
    picture = inspector.contact_sheet()
    if picture is None:
        raise ValueError(
            "The Inspector shows no projection yet, so there is no picture for paper; choose a "
            "photo, or wait until its status is 'ready'"
        )
    with TemporaryDirectory() as folder:
        saved = to_html(inspector, Path(folder) / "page.html", **options)
        page = saved.path.read_text("utf-8")
    locale = options.get("locale") or inspector.locale
    texts = table("export", locale)
    title = texts["static_title"].format(net=saved.net, layer=inspector.layer)
    return Article(page, title, picture, _caption(inspector, options, locale), saved)


def _caption(inspector: Any, options: dict[str, Any], locale: str) -> str:
    from zfwidgets import __version__

    plan = plan_for(inspector, None, options.get("photos"), None, locale)
    texts = table("export", locale)
    where = inspector.layer
    if inspector.channel is not None:
        where = texts["static_where"].format(layer=where, channel=inspector.channel)
    return texts["static_line"].format(
        net=plan.net.name,
        weights=plan.net.weights_hash()[:12],
        where=where,
        photos=credited(plan.photos, plan.credits, locale),
        made=f"zfwidgets {__version__}",
        licence=texts["licence"],
        cite=texts["cite"].format(version=__version__, paper=PAPER),
    )
