"""What is said in English wherever it comes from, in the language of the widget that shows it.

The rooms below know no language: classes are called as the network calls them, errors say in
English what was given and expected. On the way to the page they are looked up in `korean/`: names
of classes and samples as they are, messages by the English text itself, as gettext does, with names
in braces for what was filled in. A text that is not there is shown as it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from zfwidgets.images.samples import samples

_KOREAN = Path(__file__).parent / "korean"


def class_name(name: str, locale: str) -> str:
    """A class of ImageNet in the language; any other as it is called."""
    return _names()["classes"].get(name, name) if locale == "ko" else name


def sample_name(name: str, locale: str) -> str:
    """A sample photograph in the language; any other name as it is."""
    return _names()["samples"].get(name, name) if locale == "ko" else name


def message(text: str, locale: str) -> str:
    """A sentence or two of an error in the language; as it is, where there is no translation."""
    if locale != "ko":
        return text
    for pattern, korean in _messages():
        if found := pattern.fullmatch(text):
            return korean.format_map(found.groupdict())
    return text


def error(told: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """An error ``{title, message, hint}`` in the language."""
    return {key: message(text, locale) for key, text in told.items()}


# How traits with such texts travel: `.tag(sync=True, **spoken_…)`. In Python they stay as they are.


def _classes(value: list[dict[str, Any]], widget: Any) -> list[dict[str, Any]]:
    return [{**item, "label": class_name(item["label"], widget.locale)} for item in value]


def _error(value: dict[str, Any], widget: Any) -> dict[str, Any]:
    return error(value, widget.locale)


def _photos(value: list[dict[str, Any]], widget: Any) -> list[dict[str, Any]]:
    known = samples()
    return [
        {**item, "label": sample_name(item["label"], widget.locale)}
        if (name := item["label"]) in known and known[name].credit == item["credit"]
        else item
        for item in value
    ]


def _labels(value: dict[str, Any], widget: Any) -> dict[str, Any]:
    if not value.get("labels"):
        return value
    return {**value, "labels": [class_name(name, widget.locale) for name in value["labels"]]}


SPOKEN_CLASSES = {"to_json": _classes, "spoken": True}
"""Of a list of ``{label, ...}``: classes of the network."""

SPOKEN_ERROR = {"to_json": _error, "spoken": True}
"""Of an error."""

SPOKEN_PHOTOS = {"to_json": _photos, "spoken": True}
"""Of a list of ``{label, credit, ...}``: pictures, some of which are samples."""

SPOKEN_LABELS = {"to_json": _labels, "spoken": True}
"""Of a mapping whose ``labels`` are channels' names: classes of the network."""


@cache
def _names() -> dict[str, dict[str, str]]:
    names: dict[str, dict[str, str]] = json.loads((_KOREAN / "names.json").read_text("utf-8"))
    return names


@cache
def _texts() -> dict[str, str]:
    texts: dict[str, str] = json.loads((_KOREAN / "messages.json").read_text("utf-8"))
    return texts


@cache
def _messages() -> list[tuple[re.Pattern[str], str]]:
    """Patterns of the English texts, those with fewer gaps first, and their translations."""
    texts = _texts()
    ordered = sorted(texts, key=lambda text: text.count("{"))
    return [(re.compile(_pattern(text), re.DOTALL), texts[text]) for text in ordered]


def _pattern(text: str) -> str:
    parts = re.split(r"\{(\w+)\}", text)
    names = (f"(?P<{part}>.*?)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    return "".join(names)
