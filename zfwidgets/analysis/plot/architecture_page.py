"""The architecture report as one HTML file: no script, no address, every text escaped."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    import pandas as pd

_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 1180px; margin: 2rem auto; padding: 0 1rem; }
body { font: 15px/1.5 system-ui, sans-serif; }
h1, h2 { font-weight: 600; line-height: 1.2; }
h2 { margin-top: 2.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 9px; border-bottom: 1px solid #8884; text-align: right; white-space: nowrap; }
thead th { vertical-align: bottom; white-space: normal; min-width: 4.5em; }
tbody th { text-align: left; font-weight: 500; }
img { max-width: 100%; }
.note { padding: .6rem 1rem; border-left: 3px solid #0072B2; background: #0072b214; }
"""


def write_page(
    path: Path,
    *,
    nets: Sequence[str],
    layers: tuple[str, str],
    training: str,
    numbers: pd.DataFrame,
    table: pd.DataFrame,
    figures: tuple[Figure, Figure],
    radius: float,
    images: int,
) -> Path:
    """Write the report; returns its path.

    training: a sentence. numbers: a row per network and layer. table: all their layers. figures:
    of the numbers, and Fig. 6. radius: of the clipping. images: how many were looked at.
    """
    names = " and ".join(nets)
    first, second = layers
    body = "\n".join(
        [
            f"<h1>{escape(names)}</h1>",
            f'<p class="note">{escape(training)}</p>',
            f"<h2>{escape(first)} and {escape(second)} in numbers</h2>",
            _table(numbers.astype(object).T, upright=True),
            f"<p>{escape(_words(radius, images))}</p>",
            _image(figures[0], f"RMS, frequency, orientation of {first}"),
            "<h2>What they look like</h2>",
            _image(figures[1], f"Filters of {first}, features of {second}"),
            "<h2>Layers</h2>",
            _table(table),
        ]
    )
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(names)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )
    path.write_text(page, encoding="utf-8")
    return path


def _words(radius: float, images: int) -> str:
    return (
        f"Filters above an RMS of {radius:g} are scaled down to it in the third row of "
        "pictures, as Zeiler & Fergus (2013, section 3) did in training; their 0.1 belongs to "
        "inputs of about -128 to 128, and says little about networks for inputs of unit variance. "
        "Low, middle and high frequencies are divided at 0.12 and 0.24 cycles per pixel of the "
        f"layer's input. Usage and projections rest on {images} images."
    )


def _table(frame: pd.DataFrame, upright: bool = False) -> str:
    """A pandas table with every cell escaped. upright: labels of two levels stand above."""
    levels = list(zip(*frame.columns, strict=True)) if upright else [tuple(frame.columns)]
    blank = "<th></th>" * frame.index.nlevels
    head = "".join(
        f"<tr>{blank}"
        + "".join(f'<th scope="col">{escape(str(name))}</th>' for name in level)
        + "</tr>"
        for level in levels
    )
    rows = []
    for label, values in zip(frame.index, frame.to_numpy(), strict=True):
        labels = label if isinstance(label, tuple) else (label,)
        cells = "".join(f'<th scope="row">{escape(str(name))}</th>' for name in labels)
        cells += "".join(f"<td>{escape(_cell(value))}</td>" for value in values)
        rows.append(f"<tr>{cells}</tr>")
    body = "".join(rows)
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _cell(value: object) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "–"
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _image(figure: Figure, words: str) -> str:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, transparent=True)
    data = base64.b64encode(out.getvalue()).decode("ascii")
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{data}">'
