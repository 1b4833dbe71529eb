"""Docstrings that name parameters within their sentences, shown as lists of parameters.

    nets: one or several. grid: rows and columns of cells.

reads well in the source. In the reference each becomes a field of its own; what is a parameter
the signature says, so that no other colon is taken for one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
from itertools import groupby
from typing import Any

from sphinx.application import Sphinx

from zfwidgets.analysis.result import Result

PARAMETER = ":param {name}: {text}"
ATTRIBUTE = "- **{name}**: {text}"
SEVERAL = re.compile(r"^:(param|raises) (\w+(?:, \w+)+):")
# autodoc_type_aliases within a union come out as they are written in memory.
ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
SECTION = re.compile(r"^(Args|Parameters|Raises|Returns|Examples?|Attributes|Note):\s*$")


def parameters(thing: Any) -> list[str]:
    """Names of what a function takes, or of what a class is made of or a dataclass has."""
    names: list[str] = []
    if dataclasses.is_dataclass(thing):
        names += [field.name for field in dataclasses.fields(thing)]
    with contextlib.suppress(TypeError, ValueError):  # a built-in, or no callable
        names += [name for name in inspect.signature(thing).parameters if name != "self"]
    return names


def fields(text: str, names: list[str]) -> tuple[str, list[tuple[str, str]]]:
    """A paragraph as what stands before the first parameter, and (names, description) of each."""
    one = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    found = list(re.finditer(rf"(?:^|(?<=[.;)] ))((?:{one})(?:, (?:{one}))*): ", text))
    if not names or not found:
        return text, []
    ends = [match.start() for match in found[1:]] + [len(text)]
    told = [(m[1], text[m.end() : end].strip()) for m, end in zip(found, ends, strict=True)]
    return text[: found[0].start()].strip(), told


def as_fields(lines: list[str], names: list[str], form: str) -> list[str]:
    """The lines of a docstring with its parameters in this form at the end."""
    kept: list[str] = []
    told: list[tuple[str, str]] = []
    in_section = False
    for blank, group in groupby(lines, lambda line: not line.strip()):
        paragraph = list(group)
        if blank:
            kept += paragraph
            continue
        in_section = bool(SECTION.match(paragraph[0])) or (
            in_section and paragraph[0].startswith(" ")
        )
        literal = paragraph[0].startswith((" ", ">>>", "-", "* ", "|", ".."))
        if in_section or literal:
            kept += paragraph
            continue
        before, parts = fields(" ".join(line.strip() for line in paragraph), names)
        told += parts
        kept += [before] if parts else paragraph
    if told:
        kept += ["", *(form.format(name=name, text=text) for name, text in told)]
    return kept


def process(
    _app: Sphinx, what: str, _name: str, thing: Any, _options: Any, lines: list[str]
) -> None:
    """For `autodoc-process-docstring`."""
    if what in ("class", "exception", "function", "method"):
        # What a class is made of is no parameter to most people: they are handed one.
        form = ATTRIBUTE if what in ("class", "exception") else PARAMETER
        lines[:] = as_fields(lines, parameters(thing), form)


def join(
    _app: Sphinx, _what: str, _name: str, _thing: Any, _options: Any, lines: list[str]
) -> None:
    """For `autodoc-process-docstring`, after napoleon: names that share a description.

    A blank within a field's argument would make the first name the type of the second.
    """
    lines[:] = [
        SEVERAL.sub(lambda found: f":{found[1]} {found[2].replace(', ', ',')}:", line)
        for line in lines
    ]


def signature(
    _app: Sphinx, what: str, _name: str, thing: Any, _options: Any, given: str | None, back: Any
) -> tuple[str | None, Any]:
    """For `autodoc-process-signature`: aliases by name; nobody makes a result by hand."""
    if what == "class" and isinstance(thing, type) and issubclass(thing, Result):
        return "", None
    return given and ALIAS.sub(r"\1", given), back and ALIAS.sub(r"\1", back)


def setup(app: Sphinx) -> dict[str, bool]:
    """Around napoleon, which leaves fields alone."""
    app.connect("autodoc-process-docstring", process, priority=400)
    app.connect("autodoc-process-docstring", join, priority=600)
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
