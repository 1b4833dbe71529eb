"""What is said about a network: one row of the table that `list_nets` shows, and a built net."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from html import escape
from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor, nn


class NetError(ValueError):
    """A network cannot be built as asked; the message says what to do instead."""


class MissingWeightsError(NetError):
    """Trained weights were asked for and are not there. Random ones never stand in for them."""


@dataclass(frozen=True)
class NetInfo:
    """What one network is.

    Attributes:
        name: what `zf.load` takes.
        title: for people.
        description: in a sentence or two.
        licence: of the weights, or of the code where there are no weights.
        accuracy: text, with the data set and what it was measured with.
        size_bytes: of the weights file; None where it differs or is not known.
        source: where the weights come from.
        local: whether the weights are already here; None if it cannot be said.
        params: number of parameters; None where it differs.
    """

    name: str
    title: str
    description: str
    licence: str
    accuracy: str
    size_bytes: int | None
    source: str
    local: bool | None
    params: int | None


@dataclass(frozen=True)
class Built:
    """A network ready to look into: eval mode, float32, on the CPU."""

    model: nn.Module
    transforms: Callable[[Image.Image], Tensor] | None
    categories: list[str] | None
    info: NetInfo


def built(
    model: nn.Module,
    transforms: Callable[[Image.Image], Tensor] | None,
    categories: list[str] | None,
    info: NetInfo,
) -> Built:
    """`Built` with the model in eval mode, in float32, counted, and in no need of gradients."""
    model = model.eval().float().requires_grad_(False)
    if categories is not None:
        categories = list(categories)
    params = sum(parameter.numel() for parameter in model.parameters())
    return Built(model, transforms, categories, replace(info, params=params))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean …?`` with the closest known names, or nothing."""
    close = get_close_matches(name, sorted(set(known)), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


CELL = 36
"""Characters after which a cell of the text table goes on in the next line."""
COLUMNS = ("name", "what it is", "accuracy", "parameters", "size", "licence", "here")


class NetList(list[NetInfo]):
    """A list of `NetInfo` that shows itself as a table, as text and in notebooks."""

    def names(self) -> list[str]:
        """The names, as `zf.load` takes them."""
        return [info.name for info in self]

    def __repr__(self) -> str:
        rows = [[wrap(cell, CELL) or [""] for cell in row] for row in (COLUMNS, *map(_cells, self))]
        widths = [max(len(line) for row in rows for line in row[i]) for i in range(len(COLUMNS))]
        rows.insert(1, [["-" * width] for width in widths])
        return "\n".join(
            "  ".join(map(str.ljust, line, widths)).rstrip()
            for row in rows
            for line in zip_longest(*row, fillvalue="")
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col" style="text-align:left">{c}</th>' for c in COLUMNS)
        body = ""
        for info in self:
            cells = [escape(cell) for cell in _cells(info)]
            cells[0] = f"<code>{cells[0]}</code>"
            cells[1] += f"<br><small>{escape(info.description)}</small>"
            row = "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells)
            body += f"<tr>{row}</tr>"
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(info: NetInfo) -> tuple[str, ...]:
    accuracy = info.accuracy.partition(",")[0]  # the first number; the rest stands in `info`
    here = {True: "yes", False: "no", None: "–"}[info.local]
    params = f"{info.params / 1e6:.1f} M" if info.params is not None else "–"
    size = f"{info.size_bytes / 1e6:.1f} MB" if info.size_bytes is not None else "–"
    return (info.name, info.title, accuracy, params, size, info.licence, here)
