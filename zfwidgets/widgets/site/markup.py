"""What stands above and below the parts of a site's pages; scripts that carry what pages share."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from zfwidgets.images.gallery import GalleryPhoto
from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.site.content import Content
from zfwidgets.widgets.site.sevens import literal, sevens

_FILES = "globalThis.zfFiles ??= {};\n"


def script(name: str, value: Any) -> str:
    """A script that gives the pages `value` as ``zfFiles[name]``.

    Scripts and not JSON: a page on a disk may read nothing else.
    """
    return f"{_FILES}zfFiles.{name} = {json.dumps(value, separators=(',', ':'))};\n"


def weights_script(text: str) -> str:
    """The script of a network's weights; text: as `packed` writes them."""
    return f"{_FILES}zfFiles.weights = {_written(text)};\n"


def blobs_script(texts: Sequence[str]) -> str:
    """A script that adds pictures to those that the page has; texts: in base64."""
    written = ",\n".join(map(_written, texts))
    return f"{_FILES}(zfFiles.blobs ??= []).push({written});\n"


def gallery_script(photographs: Iterable[GalleryPhoto]) -> str:
    """The script of photographs, with what must be said of each."""
    written = ",\n".join(
        f"[{json.dumps(one.name)},{json.dumps(one.credit)},{literal(sevens(one.read()))}]"
        for one in photographs
    )
    return f"{_FILES}zfFiles.gallery = [{written}];\n"


def _written(text: str) -> str:
    return literal(sevens(base64.b64decode(text)))


def top(content: Content, contents: Sequence[Content], others: Mapping[str, str]) -> str:
    """Links to all pages, and to this one in other languages; others: the way to their pages."""
    here = content.locale
    pages = "".join(
        f'<li><a href="{escape(one.path)}"{" aria-current=page" if one is content else ""}>'
        f"{escape(one.name)}</a></li>"
        for one in contents
    )
    spoken = "".join(
        f'<li><a href="{escape(way + content.path)}" lang="{locale}" hreflang="{locale}">'
        f"{escape(table('site', locale)['language'])}</a></li>"
        for locale, way in others.items()
    )
    return (
        f'<header class="zf-page-top"><nav aria-label="{_said("pages", here)}"><ul>{pages}</ul>'
        f'</nav><nav aria-label="{_said("languages", here)}"><ul>{spoken}</ul></nav></header>'
    )


def bottom(locale: str) -> str:
    """What the site promises, and whether the browser keeps it."""
    return (
        f'<footer class="zf-page-bottom"><p>{_said("private", locale)}</p>'
        '<p class="zf-page-kept" role="status"></p></footer>'
    )


def _said(key: str, locale: str) -> str:
    return escape(table("site", locale)[key])
