"""Texts of the widgets: every key in every language, with the same names to fill in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from zfwidgets.widgets.core import strings
from zfwidgets.widgets.core.base import STATIC
from zfwidgets.widgets.inspector_head import InspectorHead

FILES = sorted(Path(strings.__file__).parents[1].glob("*/strings.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_every_text_is_there_in_every_language(path: Path) -> None:
    for key, languages in json.loads(path.read_text("utf-8")).items():
        assert set(languages) == set(strings.LOCALES), key
        assert all(text.strip() for text in languages.values()), key
        filled = {frozenset(re.findall(r"\{(\w+)\}", text)) for text in languages.values()}
        assert len(filled) == 1, f"{key}: the languages fill in different names"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_korean_is_korean(path: Path) -> None:
    entries = json.loads(path.read_text("utf-8")).values()
    hangul = [bool(re.search("[가-힣]", text["ko"])) for text in entries]
    # Symbols, numbers and names are the same in both.
    same = [text["ko"] == text["en"] for text in entries]
    assert all(korean or alike for korean, alike in zip(hangul, same, strict=True))
    assert sum(hangul) >= len(hangul) / 2


def test_every_table_belongs_to_a_bundle() -> None:
    bundles = {path.stem.replace("-", "_") for path in STATIC.glob("*.js")}
    # Those of core/ are every widget's; those of export/ and site/ stand around the page.
    assert {path.parent.name for path in FILES} - {"core", "export", "site"} <= bundles


def test_a_widget_speaks_another_language_at_once() -> None:
    head = InspectorHead()
    english = head.say("taken", label="tabby", p="62 %")
    head.locale = "ko"
    assert head.say("taken", label="tabby", p="62 %") != english
    assert head.get_state("_strings")["_strings"] == strings.table("inspector-head", "ko")
    head.close()


def test_the_language_of_the_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZFWIDGETS_LOCALE", "ko_KR.UTF-8")
    head = InspectorHead()
    assert head.locale == "ko"
    head.close()


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of en, ko"):
        strings.table("inspector-head", "xx")
