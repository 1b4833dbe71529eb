"""The document of a page without a kernel: bundles, recorded payload and texts in one HTML file.

The browser is told to load nothing from anywhere (Content-Security-Policy); scripts are only those
whose hashes stand in the document and the widgets' own bundles, which come as blobs.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zfwidgets.widgets.core.base import bundle

MEGABYTE = 1_000_000

_BUNDLE = "page"
_ENGINE = "engine"
_SIDES = "page-sides"
_ASIDE = {"steps-view", "occlusion-view", "live-view", "exemplar-browser"}
"""Widgets for which the engine answers by `_SIDES`."""

# The bundles stay text until here: `import()` of a blob is the only way to load a module that is
# not at an address of its own.
_START = """
const payload = {
  ...globalThis.zfFiles,
  ...JSON.parse(document.getElementById("zf-payload").textContent),
};
const modules = {};
for (const [name, code] of Object.entries(payload.bundles)) {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  modules[name] = (await import(url)).default;
  URL.revokeObjectURL(url);
}
globalThis.zfKernel = modules["page"].start(payload, modules, modules["engine"]);
"""

# Four tiles, one of them alive. A page without an icon is asked for one at the server's root.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'%3E"
    "%3Cpath fill='%230072b2' d='M0 0h4v4H0z'/%3E"
    "%3Cpath fill='%2399a' d='M5 0h4v4H5zM0 5h4v4H0zM5 5h4v4H5z'/%3E%3C/svg%3E"
)

_PAGE = """<!doctype html>
<html lang="{locale}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="zfwidgets {version}">
<title>{title}</title>
<link rel="icon" href="{icon}">
{style}
</head>
<body class="zf-page">{top}
<h1 class="zf-page-title">{title}</h1>
<p class="zf-page-lead">{lead}</p>{status}
<noscript>{noscript}</noscript>
<main class="zf-page-parts zf-composed {kind} jupyter-widgets" data-waiting="{waiting}"
 data-rules="{rules}"{data}>
<div class="zf-parts {kind}-grid jupyter-widgets">
{parts}
</div>
</main>
<dl class="zf-page-facts">
{facts}
</dl>{bottom}{scripts}
<script type="application/json" id="zf-payload">{payload}</script>
<script type="module"{at_once}>{start}</script>{weights}
</body>
</html>
"""


@dataclass(frozen=True)
class Around:
    """What a page of a site has around its parts, instead of everything inside.

    style, scripts: addresses of files; the scripts put the page's code and pictures into the global
    `zfFiles`. top, bottom: HTML. lead: the first paragraph.
    """

    style: str
    scripts: Sequence[str]
    top: str
    bottom: str
    lead: str


def document(
    payload: Mapping[str, Any],
    *,
    parts: Sequence[str | Sequence[str]],
    title: str,
    rules: int,
    texts: Mapping[str, str],
    facts: Sequence[tuple[str, str]],
    locale: str,
    weights: str | Mapping[str, str] = "",
    around: Around | None = None,
) -> str:
    """The page. Texts may be anything; they are escaped.

    parts: each gets a place; those in a list of their own are a column of a comparison. rules: how
    many there are to choose from. weights: those of the engine in the page, as base64; none without
    one; of several engines by the ids of their elements. around: of a page whose code, pictures and
    weights are files beside it.

    `payload` is as `Payload` of js/src/page/payload.ts, without its bundles.
    """
    from zfwidgets import __version__

    engine = _computes(payload)
    by_id = {"zf-weights": weights} if isinstance(weights, str) else weights
    whole = dict(payload)
    if around is None:
        names = used_bundles(payload)
        whole["bundles"] = code(names)
        style = "<style>\n" + css(names).replace("</", "<\\/") + "\n</style>"
    else:
        style = f'<link rel="stylesheet" href="{_text(around.style)}">'
    scripts = () if around is None else around.scripts
    listed = "\n".join(f"<dt>{_text(term)}</dt><dd>{_text(fact)}</dd>" for term, fact in facts)
    return _PAGE.format(
        locale=locale,
        policy=_policy(_START, engine=engine, own_files=around is not None),
        version=__version__,
        title=_text(title),
        icon=_text(_ICON),
        style=style,
        top=f"\n{around.top}" if around else "",
        bottom=f"\n{around.bottom}" if around else "",
        scripts="".join(f'\n<script src="{_text(address)}"></script>' for address in scripts),
        lead=_text(around.lead if around else texts["page_lead_engine" if engine else "page_lead"]),
        status='\n<p class="zf-page-engine" role="status"></p>' if engine else "",
        data=" data-engine" if engine else "",
        noscript=_text(texts["page_noscript"]),
        rules=rules,
        waiting=_text(texts["page_waiting"]),
        kind="zf-inspector" if all(isinstance(part, str) for part in parts) else "zf-compare",
        parts="\n".join(map(_place, parts)),
        facts=listed,
        payload=script_text(whole),
        start=_START,
        # What was recorded is shown before the weights have come.
        at_once=" async" if engine else "",
        weights="".join(
            f'\n<script type="text/plain" id="{_text(name)}">{text}</script>'
            for name, text in by_id.items()
            if text
        ),
    )


def used_bundles(payload: Mapping[str, Any]) -> list[str]:
    """The bundles that a page with this payload is made of."""
    widgets = {part["bundle"] for part in payload["parts"]}
    inside = {_ENGINE, *([_SIDES] if widgets & _ASIDE else [])} if _computes(payload) else set()
    counting = {_SIDES} if "quiz" in payload else set()
    return sorted({*widgets, _BUNDLE, *inside, *counting})


def _computes(payload: Mapping[str, Any]) -> bool:
    return "engine" in payload or "engines" in payload


def code(names: Iterable[str]) -> dict[str, str]:
    """The modules of these bundles, as text."""
    return {name: bundle(name, "js") for name in names}


def css(names: Iterable[str]) -> str:
    """The style sheets of these bundles; the page's own has the last word."""
    # The first one carries the shared tokens, and so do all others.
    styled = [name for name in names if name not in (_ENGINE, _SIDES, _BUNDLE)]
    return "\n".join(bundle(name, "css") for name in [*styled, _BUNDLE])


def _place(part: str | Sequence[str]) -> str:
    if isinstance(part, str):
        return f'<div data-part="{_text(part)}"></div>'
    places = "\n".join(map(_place, part))
    return f'<div class="zf-parts zf-compare-column jupyter-widgets">\n{places}\n</div>'


def with_its_size(made: Callable[[int], str], check: Callable[[int], None]) -> bytes:
    """The page in UTF-8 that `made` makes of its own size in bytes; `check` may refuse the size."""
    size = 0
    while True:
        page = made(size).encode("utf-8")
        if megabytes(len(page)) == megabytes(size):
            return page
        size = len(page)
        check(size)


def megabytes(size: float) -> str:
    """In millions of bytes, to a tenth."""
    return f"{size / MEGABYTE:.1f}"


def write(path: Path, page: bytes) -> None:
    """Beside the file first, so that a failure leaves the old one as it was."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(page)
        # mkstemp makes files for the owner alone; a page is to be shown around.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _policy(script: str, *, engine: bool, own_files: bool) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    own = " 'self'" if own_files else ""
    kernels = " 'wasm-unsafe-eval'" if engine else ""
    workers = f"worker-src blob:{own}; " if engine or own else ""
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' blob:{kernels}{own}; {workers}"
        f"style-src 'unsafe-inline'{own}; img-src blob: data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def script_text(value: Any) -> str:
    """JSON in which nothing can end the script element or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
