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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zfwidgets.widgets.core.base import bundle

MEGABYTE = 1_000_000

_BUNDLE = "page"
_ENGINE = "engine"

# The bundles stay text until here: `import()` of a blob is the only way to load a module that is
# not at an address of its own.
_START = """
const payload = JSON.parse(document.getElementById("zf-payload").textContent);
const modules = {};
for (const [name, code] of Object.entries(payload.bundles)) {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  modules[name] = (await import(url)).default;
  URL.revokeObjectURL(url);
}
globalThis.zfKernel = modules["page"].start(payload, modules, modules["engine"]);
"""

_PAGE = """<!doctype html>
<html lang="{locale}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="zfwidgets {version}">
<title>{title}</title>
<style>
{css}
</style>
</head>
<body class="zf-page">
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
</dl>
<script type="application/json" id="zf-payload">{payload}</script>
<script type="module"{at_once}>{start}</script>{weights}
</body>
</html>
"""


def document(
    payload: Mapping[str, Any],
    *,
    parts: Sequence[str | Sequence[str]],
    title: str,
    rules: int,
    texts: Mapping[str, str],
    facts: Sequence[tuple[str, str]],
    locale: str,
    weights: str = "",
) -> str:
    """The page. Texts may be anything; they are escaped.

    parts: each gets a place; those in a list of their own are a column of a comparison. rules: how
    many there are to choose from. weights: those of the engine in the page, as base64; none without
    one.

    `payload` is as `Payload` of js/src/page/kernel.ts, without its bundles.
    """
    from zfwidgets import __version__

    names = sorted({part["bundle"] for part in payload["parts"]} | {_BUNDLE})
    engine = (_ENGINE,) if weights else ()
    whole = {**payload, "bundles": {name: bundle(name, "js") for name in (*names, *engine)}}
    # The first style sheet carries the shared tokens, and so do all others.
    css = "\n".join(bundle(name, "css") for name in [*names, _BUNDLE])
    listed = "\n".join(f"<dt>{_text(term)}</dt><dd>{_text(fact)}</dd>" for term, fact in facts)
    return _PAGE.format(
        locale=locale,
        policy=_policy(_START, engine=bool(weights)),
        version=__version__,
        title=_text(title),
        css=css.replace("</", "<\\/"),
        lead=_text(texts["page_lead_engine" if weights else "page_lead"]),
        status='\n<p class="zf-page-engine" role="status"></p>' if weights else "",
        data=" data-engine" if weights else "",
        noscript=_text(texts["page_noscript"]),
        rules=rules,
        waiting=_text(texts["page_waiting"]),
        kind="zf-inspector" if all(isinstance(part, str) for part in parts) else "zf-compare",
        parts="\n".join(map(_place, parts)),
        facts=listed,
        payload=_script_text(whole),
        start=_START,
        # What was recorded is shown before the weights have come.
        at_once=" async" if weights else "",
        weights=f'\n<script type="text/plain" id="zf-weights">{weights}</script>'
        if weights
        else "",
    )


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


def _policy(script: str, *, engine: bool) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    kernels, workers = (" 'wasm-unsafe-eval'", "worker-src blob:; ") if engine else ("", "")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' blob:{kernels}; {workers}"
        "style-src 'unsafe-inline'; img-src blob: data:; base-uri 'none'; form-action 'none'"
    )


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _script_text(value: Any) -> str:
    """JSON in which nothing can end the script element or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
