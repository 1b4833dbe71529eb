"""A folder of pages for a plain web server, a stick or a disk: `site`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from zfwidgets.widgets.core.nets import as_net
from zfwidgets.widgets.core.strings import LOCALES, table
from zfwidgets.widgets.export.page import Around, code, css, document, megabytes, used_bundles
from zfwidgets.widgets.site.content import Content
from zfwidgets.widgets.site.folder import WORKER, Folder
from zfwidgets.widgets.site.markup import bottom, script, top
from zfwidgets.widgets.site.pages import contents

__all__ = ["SavedSite", "site"]


@dataclass(frozen=True)
class SavedSite:
    """What `site` wrote: the folder, and its files by their way from there, with their bytes."""

    folder: Path
    nets: tuple[str, ...]
    locales: tuple[str, ...]
    files: dict[str, int]

    @property
    def size(self) -> int:
        """Of all files together, bytes."""
        return sum(self.files.values())

    @property
    def pages(self) -> tuple[str, ...]:
        """The files that people open."""
        return tuple(name for name in self.files if name.endswith(".html"))

    def __str__(self) -> str:
        return (
            f"{self.folder}: {megabytes(self.size)} MB; {', '.join(self.nets)}; "
            f"{len(self.pages)} pages in {', '.join(self.locales)}; begin at index.html"
        )


def site(
    folder: str | Path,
    nets: Any = "zfnet",
    *,
    photos: Any = None,
    locales: Iterable[str] = LOCALES,
    progress: bool = True,
) -> SavedSite:
    """Write a folder of pages that compute in the browser, for a web server, a stick or a disk.

    For every network, with the network itself inside: an Inspector for photos of whoever opens it,
    all layers, channels and rules; the way back step by step; the square that hides parts of a
    photo; the camera; of bundled networks the gallery's strongest photographs of every channel,
    and a quiz about them.
    And a page that compares the first two networks; a site of ZFNet alone compares it with AlexNet.
    Nothing leaves the machine on which a page is open. The pages share their files, find them from
    any address and from ``file://``, and are kept by the browser after the first visit where the
    address is secure (https, or the machine's own). A site that was written there before is
    replaced.

    Parameters:
        folder: new, empty, or a site.
        nets: names for `zfwidgets.load`, torch modules or `DeconvNet`, or one of them. The first
            one is that of ``index.html``.
        photos: as for `to_html`; default: the sample photographs. The first one is shown first.
        locales: languages, "en" and "ko"; the first one lies in the folder itself, others in a
            folder of their name.
        progress: show bars.

    Raises:
        ValueError: the folder has files of somebody else; two networks have one name; no network,
            or no language.
        TypeError, KeyError, LookupError, ImageError: a network or photo that there is not.
        UnsupportedInPage: a ValueError; the engine in the page lacks an operation of a network.

    Examples:
        >>> zf.site("public")
        >>> zf.site("public", ["zfnet", "alexnet"], locales=["ko", "en"])
    """
    loaded = [as_net(net) for net in _listed(nets)]
    languages = tuple(dict.fromkeys(locales))
    if not loaded or not languages:
        raise ValueError("site() wants at least one network and one language")
    target = Folder(folder)
    pages = contents(loaded, photos, languages, target, progress=progress)
    _write(target, pages)
    names = tuple(net.name for net in loaded)
    return SavedSite(target.path, names, languages, target.write())


def _listed(nets: Any) -> list[Any]:
    several = isinstance(nets, Iterable) and not isinstance(nets, (str, nn.Module))
    return [*nets] if several else [nets]


def _write(target: Folder, pages: Mapping[str, Sequence[Content]]) -> None:
    """Make documents of the pages, the first language's in the folder itself."""
    names = {n for some in pages.values() for one in some for n in used_bundles(one.payload)}
    style = target.add("style", "css", css(sorted(names)))
    modules = target.add("code", "js", script("bundles", code(sorted(names))))
    inside = {locale: f"{locale}/" if n else "" for n, locale in enumerate(pages)}
    for locale, some in pages.items():
        root = "../" if inside[locale] else ""
        others = {other: root + way for other, way in inside.items() if other != locale}
        for content in some:
            around = Around(
                style=root + style,
                scripts=[root + name for name in (modules, *content.scripts)],
                top=top(content, some, others),
                bottom=bottom(locale),
                lead=content.lead,
            )
            page = document(
                _payload(content, some, root, target.later),
                parts=content.parts,
                title=content.title,
                rules=content.rules,
                texts=table("export", locale),
                facts=content.facts,
                locale=locale,
                around=around,
            )
            target.page(inside[locale] + content.path, page)


def _payload(
    content: Content, every: Sequence[Content], root: str, later: Collection[str]
) -> dict[str, Any]:
    """The page's payload; its pictures are files, and addresses are from the page.

    every: all of its language; a link to another network's neuron leads to its page. later: files
    that browsers keep when a page needs them.
    """
    needs: list[str] = [*content.scripts]
    payload = dict(content.payload)
    if "engines" in payload:
        needs += [engine["weights"] for engine in payload["engines"].values()]
        payload["engines"] = {
            side: {**engine, "weights": root + engine["weights"]}
            for side, engine in payload["engines"].items()
        }
    if "engine" in payload:
        engine = payload["engine"]
        payload["engine"] = {**engine, "weights": root + engine["weights"]}
        needs.append(engine["weights"])
        if scan := engine.get("scan"):
            needs.append(scan["address"])
            payload["engine"]["scan"] = {**scan, "address": root + scan["address"]}
    if "address" in payload:
        addressed = [one for one in every if "address" in one.payload]
        others = {one.payload["address"]["net"]: one.path for one in addressed}
        payload["address"] = {**payload["address"], "others": others}
    texts = table("site", content.locale)
    told = {key: texts[key] for key in ("kept", "not_kept", "insecure", "from_disk")}
    if later:
        told["kept"] = texts["kept_part"]
    mine = [name for name in needs if name in later]
    payload["site"] = {"worker": root + WORKER, "later": mine, "texts": told}
    return payload
