"""A report as one HTML file: no script, no address, every text escaped, light, dark and on paper.

What it is made of are the few parts below; who writes a report puts numbers and words into them.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from zfwidgets.analysis.plot.review_style import STYLE
from zfwidgets.images.tiles import encode

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

VERDICTS = {"missed": "missed", "look": "look", "good": "fine", "fact": "fact", "open": "open"}
"""What is said of a statement, in a word."""


_KEY = (
    "missed: a limit that was asked for is not kept. look: a test found something, no limit was "
    "asked for. fine: it passed its test. fact: a number without a test. open: it cannot be told "
    "from these pictures, or of this network."
)


@dataclass(frozen=True)
class Words:
    """A paragraph. quiet: an aside, in grey."""

    text: str
    quiet: bool = False


@dataclass(frozen=True)
class Heading:
    """What the parts after it are about."""

    text: str


@dataclass(frozen=True)
class Line:
    """A statement: about what, a verdict of `VERDICTS`, a sentence, its test; its section."""

    about: str
    verdict: str
    text: str
    test: str
    section: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first column names the rows, the others are numbers as text."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Tile:
    """A picture, uint8 [h, w, 3], with a title and a line below. sharp: pixels are not blurred."""

    pixels: Pixels
    title: str
    caption: str = ""
    alt: str = ""
    sharp: bool = False


@dataclass(frozen=True)
class Tiles:
    """Pictures beside each other, `wide` CSS pixels each, under a heading."""

    tiles: Sequence[Tile]
    wide: int = 240
    title: str = ""


@dataclass(frozen=True)
class Bars:
    """A row of bars per label: (label, shares from 0 to 1 of each series, what stands beside)."""

    series: Sequence[str]
    rows: Sequence[tuple[str, Sequence[float], str]]
    title: str = ""


@dataclass(frozen=True)
class Curve:
    """Shares from 0 to 1 over values. limit: a line to stay above."""

    title: str
    unit: str
    values: Sequence[float]
    shares: Sequence[float]
    limit: float | None = None


@dataclass(frozen=True)
class Curves:
    """Small diagrams beside each other. axis: what goes up."""

    curves: Sequence[Curve]
    axis: str


Part = Words | Heading | Line | Table | Tiles | Bars | Curves


@dataclass(frozen=True)
class Section:
    """A part of the report with a heading and an anchor."""

    anchor: str
    title: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Page:
    """A whole report. passed: whether no limit was missed. facts: small print above the summary."""

    title: str
    lead: str
    passed: bool
    facts: Sequence[str]
    summary: Sequence[Line]
    sections: Sequence[Section]
    credits: Sequence[str] = field(default=())


def write_page(path: Path, page: Page) -> None:
    """Write the report."""
    path.write_text(document(page), encoding="utf-8")


def document(page: Page) -> str:
    """The report as HTML."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
    lines = "\n".join(_summary(line) for line in page.summary)
    sections = "\n".join(map(_section, page.sections))
    links = "".join(
        f'<li><a href="#{escape(one.anchor)}">{escape(one.title)}</a></li>' for one in page.sections
    )
    credits_ = "".join(f"<li>{escape(one)}</li>" for one in page.credits)
    state = "passed" if page.passed else "missed"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(page.title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header class="{state}">
<h1>{escape(page.title)}</h1>
<p class="lead">{escape(page.lead)}</p>
<p class="facts">{" · ".join(map(escape, page.facts))}</p>
</header>
<main>
<section aria-label="Summary">
<ol class="summary">
{lines}
</ol>
<p class="quiet">{escape(_KEY)}</p>
<nav aria-label="Contents"><ul>{links}</ul></nav>
</section>
{sections}
{f'<section class="credits"><h2>Photographs</h2><ul>{credits_}</ul></section>' if credits_ else ""}
</main>
</body>
</html>
"""


def _summary(line: Line) -> str:
    about = escape(line.about)
    if line.section:
        about = f'<a href="#{escape(line.section)}">{about}</a>'
    return (
        f'<li class="{escape(line.verdict)}"><span class="chip">{_verdict(line)}</span>'
        f"<div><strong>{about}</strong> {escape(line.text)} "
        f'<span class="test">Test: {escape(line.test)}.</span></div></li>'
    )


def _verdict(line: Line) -> str:
    return escape(VERDICTS[line.verdict])


def _section(section: Section) -> str:
    parts = "\n".join(map(_part, section.parts))
    return (
        f'<section id="{escape(section.anchor)}"><h2>{escape(section.title)}</h2>\n{parts}\n'
        "</section>"
    )


def _part(part: Part) -> str:
    match part:
        case Words():
            kind = ' class="quiet"' if part.quiet else ""
            return f"<p{kind}>{escape(part.text)}</p>"
        case Heading():
            return f'<h3 class="part">{escape(part.text)}</h3>'
        case Line():
            return (
                f'<p class="line {escape(part.verdict)}"><span class="chip">{_verdict(part)}</span>'
                f'<span>{escape(part.text)} <span class="test">Test: {escape(part.test)}.</span>'
                "</span></p>"
            )
        case Table():
            return _table(part)
        case Tiles():
            return _tiles(part)
        case Bars():
            return _bars(part)
        case Curves():
            drawn = "".join(_curve(one, part.axis) for one in part.curves)
            return f'<div class="curves">{drawn}</div>'


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.head)
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _tiles(tiles: Tiles) -> str:
    title = f"<h4>{escape(tiles.title)}</h4>" if tiles.title else ""
    shown = "".join(map(_tile, tiles.tiles))
    # Five or six stand in one row where there is room, rather than leave a gap.
    least = (
        f"{100 / len(tiles.tiles) - 2:.1f}%"
        if len(tiles.tiles) in (5, 6) and tiles.wide > 150
        else "0%"
    )
    style = f"--wide:{tiles.wide}px;--least:{least}"
    return f'{title}<div class="tiles" style="{style}">{shown}</div>'


def _tile(tile: Tile) -> str:
    data = base64.b64encode(encode(tile.pixels, quality=82)).decode("ascii")
    height, width = tile.pixels.shape[:2]
    caption = f"<span>{escape(tile.caption)}</span>" if tile.caption else ""
    sharp = ' class="sharp"' if tile.sharp else ""
    return (
        f'<figure><img{sharp} alt="{escape(tile.alt or tile.title)}" width="{width}" '
        f'height="{height}" src="data:image/webp;base64,{data}">'
        f"<figcaption><b>{escape(tile.title)}</b>{caption}</figcaption></figure>"
    )


def _bars(bars: Bars) -> str:
    title = f"<h4>{escape(bars.title)}</h4>" if bars.title else ""
    key = "".join(
        f'<span><i class="s{i}"></i>{escape(name)}</span>' for i, name in enumerate(bars.series)
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td class="bar">'
        + "".join(
            f'<i class="s{i}" style="width:{100 * min(1.0, max(0.0, share)):.2f}%"></i>'
            for i, share in enumerate(shares)
        )
        + f"</td><td>{escape(text)}</td></tr>"
        for label, shares, text in bars.rows
    )
    return f'{title}<p class="key">{key}</p><table class="bars"><tbody>{rows}</tbody></table>'


def _curve(curve: Curve, axis: str) -> str:
    wide, high, left, top = 200, 110, 34, 8
    low, top_value = min(curve.values), max(curve.values)
    span = (top_value - low) or 1.0

    def at(value: float, share: float) -> str:
        x = left + (value - low) / span * (wide - left - 12)
        return f"{x:.1f},{top + (1 - share) * (high - top - 22):.1f}"

    points = [at(v, s) for v, s in zip(curve.values, curve.shares, strict=True)]
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="2.6"/>' for x, y in (point.split(",") for point in points)
    )
    ticks = "".join(
        f'<text x="{at(v, 0).split(",")[0]}" y="{high - 8}" text-anchor="middle">{v:g}</text>'
        for v in curve.values
    )
    levels = "".join(
        f'<line class="grid" x1="{left}" x2="{wide - 12}" y1="{y}" y2="{y}"/>'
        f'<text x="{left - 4}" y="{float(y) + 3:.1f}" text-anchor="end">{percent} %</text>'
        for percent in (0, 50, 100)
        for y in (at(low, percent / 100).split(",")[1],)
    )
    limit = ""
    if curve.limit is not None:
        y = at(low, curve.limit).split(",")[1]
        limit = f'<line class="limit" x1="{left}" x2="{wide - 12}" y1="{y}" y2="{y}"/>'
    told = ", ".join(
        f"{value:g}: {100 * share:.0f} %"
        for value, share in zip(curve.values, curve.shares, strict=True)
    )
    return (
        f'<figure><svg viewBox="0 0 {wide} {high}" role="img" '
        f'aria-label="{escape(f"{curve.title}, {axis}: {told}")}">'
        f'{levels}{limit}<polyline points="{" ".join(points)}"/>{dots}{ticks}</svg>'
        f"<figcaption><b>{escape(curve.title)}</b><span>{escape(curve.unit)}</span></figcaption>"
        "</figure>"
    )
