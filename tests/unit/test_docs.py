"""The site names everything that is public, and shows nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

import zfwidgets as zf
from zfwidgets import deconv, images, nets

DIRECTIVE = re.compile(r"^\.\. (currentmodule|auto\w+|data):: (\S+)", re.MULTILINE)
PICTURE = re.compile(r"^```\{picture\} (\S+)", re.MULTILINE)
PAGES = ("*.md", "*/*.md", "*/*.rst")


@pytest.fixture(scope="module")
def docs(repository: Path) -> Path:
    return repository / "docs"


@pytest.fixture(scope="module")
def referenced(docs: Path) -> set[str]:
    """The full names that the pages of the reference document."""
    names = set()
    for page in (docs / "api").glob("*.rst"):
        module = ""
        for kind, name in DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            if kind == "currentmodule":
                module = name
            else:
                names.add(name if name.startswith("zfwidgets.") else f"{module}.{name}")
    return names


def test_every_public_name_is_in_the_reference(referenced: set[str]) -> None:
    assert {f"zfwidgets.{name}" for name in zf.__all__} <= referenced


@pytest.mark.parametrize("module", [images, nets, deconv], ids=lambda module: module.__name__)
def test_every_name_of_a_public_room_is_in_the_reference(
    module: object, referenced: set[str]
) -> None:
    # What is a zf. name as well stands there.
    names = {str(name) for name in getattr(module, "__all__")}  # noqa: B009 - of any module
    room = getattr(module, "__name__")  # noqa: B009
    missing = {name for name in names - set(zf.__all__) if f"{room}.{name}" not in referenced}
    assert missing == set()


def test_the_reference_names_nothing_twice(docs: Path) -> None:
    pages = [page.read_text(encoding="utf-8") for page in (docs / "api").glob("*.rst")]
    named = [
        name for page in pages for kind, name in DIRECTIVE.findall(page) if kind != "currentmodule"
    ]
    short = [name.rpartition(".")[2] for name in named if name.startswith("auto")]
    assert sorted(short) == sorted(set(short))


def test_every_picture_of_a_page_is_there_light_and_dark_and_none_besides(docs: Path) -> None:
    pages = [page for pattern in PAGES for page in docs.glob(pattern)]
    shown = {name for page in pages for name in PICTURE.findall(page.read_text(encoding="utf-8"))}
    files = {file.name for file in (docs / "pictures").iterdir()}
    assert files == {f"{name}-{theme}.webp" for name in shown for theme in ("light", "dark")}


def test_the_pictures_are_small(docs: Path) -> None:
    assert sum(file.stat().st_size for file in (docs / "pictures").iterdir()) <= 3e6


def test_every_notebook_is_on_the_page_of_the_method(docs: Path, repository: Path) -> None:
    listed = (docs / "method" / "index.md").read_text(encoding="utf-8")
    stored = {file.stem for file in (repository / "notebooks").glob("*.ipynb")}
    named = set(re.findall(r"^\.\./notebooks/([\w-]+)$", listed, re.MULTILINE))
    assert named == stored - {"dashboard"}, "the dashboard alone has nothing to read"


def test_every_notebook_begins_with_one_title(repository: Path) -> None:
    for file in (repository / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(file, as_version=4).cells
        titles = [c for c in cells if c.cell_type == "markdown" and c.source.startswith("# ")]
        assert len(titles) == (file.stem != "dashboard"), file.name


def test_version_and_date_are_those_of_the_newest_change(repository: Path) -> None:
    newest = re.search(
        r"^## (\S+) \((\S+)\)", (repository / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    citation = (repository / "CITATION.cff").read_text()
    assert newest is not None
    assert newest[1] == zf.__version__
    assert f"version: {newest[1]}" in citation
    assert f'date-released: "{newest[2]}"' in citation
    assert f"{{{newest[1]}}}" in (repository / "docs" / "more.md").read_text()
