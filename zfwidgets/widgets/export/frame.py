"""An exported page as the output of a cell: `Inspector.render_static`.

The page stands whole in an attribute of a frame, so that the output needs no file, no kernel and no
script of its own, and its scripts run in an origin of their own, without reach into the notebook.
"""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from typing import Any

from zfwidgets.widgets.export.article import Article

# The frame asks its page, and becomes as tall as the page says; see js/src/page/frame.ts.
LISTEN = (
    "const frame=this;"
    "window.addEventListener('message',({source,data})=>{"
    "if(source===frame.contentWindow&&data?.zf==='height'&&data.height>0)"
    "frame.style.height=data.height+'px'});"
    "frame.contentWindow.postMessage({zf:'hello'},'*')"
)
"""`onload` of a frame that holds an exported page."""

_STYLE = (
    ".zf-static>iframe{display:block}.zf-static>:is(img,figcaption){display:none}"
    "@media print{.zf-static>iframe{display:none}"
    ".zf-static>:is(img,figcaption){display:block;max-width:100%}}"
)

# In one line: Markdown, into which notebooks are turned, would end HTML at an empty one.
_OUTPUT = (
    '<figure class="zf-static" style="margin:0"><style>{style}</style>'
    '<iframe title="{title}" sandbox="allow-scripts allow-downloads" '
    'style="width:100%;height:900px;border:0" onload="{listen}" '
    'srcdoc="{page}"></iframe>'
    '<img alt="{title}" src="{picture}"><figcaption>{caption}</figcaption></figure>'
)


@dataclass(frozen=True, repr=False)
class StaticPage:
    """The page of an Inspector, as the output of a cell; a picture where HTML is not shown.

    html: the output. picture: PNG, for paper. caption: network, photos, licences, and whom to cite.
    """

    html: str
    picture: bytes
    caption: str
    summary: str

    def __repr__(self) -> str:
        return f"StaticPage({self.summary})"

    def _repr_mimebundle_(self, **_kwargs: Any) -> dict[str, str]:
        return {
            "text/html": self.html,
            "image/png": base64.b64encode(self.picture).decode("ascii"),
            "text/plain": repr(self),
        }


def static_page(made: Article) -> StaticPage:
    """The output for a page."""
    output = _OUTPUT.format(
        style=_STYLE,
        title=_attribute(made.title),
        listen=_attribute(LISTEN),
        page=_attribute(made.page),
        picture=made.picture_url,
        caption=html.escape(made.caption),
    )
    summary = f"{made.saved.net}; {len(output) / 1e6:.1f} MB"
    return StaticPage(output, made.picture, made.caption, summary)


def _attribute(text: str) -> str:
    return html.escape(text, quote=True).replace("\r", "&#13;").replace("\n", "&#10;")
