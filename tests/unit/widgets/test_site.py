"""A site: which files it has, what they may load, and what becomes of the files that were there."""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import zfwidgets as zf
from zfwidgets import cli
from zfwidgets.widgets.export.engine import InPage
from zfwidgets.widgets.site import pages
from zfwidgets.widgets.site.sevens import literal, sevens
from zfwidgets.widgets.site.views import view_of_part


class Addresses(HTMLParser):
    """Everything that a page links to or loads, but for what is inside it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        addresses = [value for name, value in attrs if name in ("src", "href") and value]
        self.found += [address for address in addresses if not address.startswith("data:")]


def small(name: str = "Small Net") -> zf.DeconvNet:
    """A network that the page computes in no time."""
    model = nn.Sequential(
        nn.Conv2d(3, 4, 5, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    return zf.DeconvNet(model, name=name, transforms=zf.Preprocess(size=32, resize=32))


@pytest.fixture(scope="module", params=["two nets", "ZFNet alone"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> zf.SavedSite:
    if request.param == "ZFNet alone":
        alone: zf.SavedSite = request.getfixturevalue("site")
        return alone
    folder = tmp_path_factory.mktemp("site") / "new"
    return zf.site(folder, [small(), small("other")], photos="cat", progress=False)


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_page_for_every_widget_network_and_language_and_everything_they_load(
    saved: zf.SavedSite,
) -> None:
    names = ["index", "steps", "occlusion", "live"]
    if saved.nets == ("zfnet",):
        # The scan that ships is of ZFNet: there are no exemplars of another network.
        names += ["exemplars", "quiz"]
    else:
        names += ["other", "other-steps", "other-occlusion", "other-live"]
    names.append("compare")
    assert saved.pages == tuple(f"{way}{name}.html" for way in ("", "ko/") for name in names)
    assert files_of(saved.folder) == set(saved.files)
    assert saved.size == sum(path.stat().st_size for path in saved.folder.rglob("*.*"))
    for name in saved.pages:
        page = saved.folder / name
        addresses = Addresses(page).found
        assert all(not re.match(r"[a-z]+:|/", address) for address in addresses)
        assert all((page.parent / address).is_file() for address in addresses)
        payload = json.loads(
            re.search(r'id="zf-payload">(.*?)</script>', page.read_text("utf-8"))[1]  # type: ignore[index]
        )
        engines = [*payload.get("engines", {}).values(), *filter(None, [payload.get("engine")])]
        assert bool(engines) != ("quiz" in payload)
        for engine in engines:
            assert (page.parent / engine["weights"]).is_file()


def test_pages_of_exemplars_are_named_after_their_network_and_lead_to_its_inspector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leading_to = []

    def exemplars(_net: object, inside: InPage, _to: object, way: str, **_: object) -> Any:
        leading_to.append(way)
        return {"exemplars": lambda plan, blobs: view_of_part(plan, inside, "live", blobs)}

    monkeypatch.setattr(pages, "_exemplars", exemplars)
    two = [small(), small("other")]
    saved = zf.site(tmp_path / "new", two, photos="cat", locales=["en"], progress=False)
    assert leading_to == ["index.html", "other.html"]
    assert {"exemplars.html", "other-exemplars.html"} < {*saved.pages}


def test_pages_may_load_their_own_files_and_send_nothing(saved: zf.SavedSite) -> None:
    for name in saved.pages:
        text = (saved.folder / name).read_text(encoding="utf-8")
        (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        assert rules["default-src"] == "'none'"
        assert "connect-src" not in rules
        assert rules["form-action"] == "'none'"
        assert not re.search(r"https?:|\*|unsafe-inline", rules["script-src"])


def test_pages_share_what_they_have_in_common(saved: zf.SavedSite) -> None:
    shared = [name for name in saved.files if name.startswith("files/")]
    stems = sorted(re.sub(r"-[0-9a-f]{10}\..*", "", Path(name).name) for name in shared)
    pages = ("inspector", "live", "occlusion", "steps", "weights")
    nets = [net.lower().replace(" ", "-") for net in saved.nets]
    expected = ["code", "photos", "style", "two-compare"]
    expected += [f"{net}-{page}" for net in nets for page in pages]
    if saved.nets == ("zfnet",):
        expected += ["gallery", "zfnet-exemplars", "zfnet-quiz", "alexnet-weights"]
    assert stems == sorted(expected)
    for name in shared:
        digest = hashlib.sha256((saved.folder / name).read_bytes()).hexdigest()
        assert digest[:10] in name


def test_the_worker_knows_every_file_by_its_hash(saved: zf.SavedSite) -> None:
    worker = (saved.folder / "offline.js").read_text(encoding="utf-8")
    listed = json.loads(worker.partition(";\n")[0].removeprefix("self.zfSite = "))
    assert set(listed["files"]) == set(saved.files) - {"offline.js"}


def test_a_site_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    before = zf.site(folder, [small(), small("other")], photos="cat", progress=False)
    assert "other.html" in before.pages
    after = zf.site(folder, small(), photos="dogs", locales=["ko"], progress=False)
    assert after.pages == ("index.html", "steps.html", "occlusion.html", "live.html")
    assert files_of(folder) == set(after.files)
    assert '<html lang="ko">' in (folder / "index.html").read_text(encoding="utf-8")


def test_files_of_somebody_else_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    assert cli.main(["site", str(tmp_path)]) == 2
    assert "give a new or an empty folder" in capsys.readouterr().err
    assert files_of(tmp_path) == {"thesis.txt"}
    with pytest.raises(ValueError, match="is a file"):
        zf.site(tmp_path / "thesis.txt")


def test_what_there_is_not_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    with pytest.raises(ValueError, match="two networks are called small-net"):
        zf.site(folder, [small(), small()], progress=False)
    with pytest.raises(ValueError, match="at least one network"):
        zf.site(folder, [])
    with pytest.raises(ValueError, match="locale='fr'"):
        zf.site(folder, small(), photos="cat", locales=["fr"], progress=False)
    with pytest.raises(zf.ImageError):
        zf.site(folder, small(), photos="no-such.png", progress=False)
    assert not folder.exists()


def test_bytes_are_written_seven_bits_a_letter() -> None:
    for data in (b"", b"\x00", bytes(range(256)), b"\xff" * 15):
        text = sevens(data)
        bits = "".join(f"{ord(letter):07b}" for letter in text)
        assert len(text) == -(-8 * len(data) // 7)
        assert int(bits or "0", 2) == int.from_bytes(data) << (len(bits) - 8 * len(data))
        assert literal(text).isascii()
        assert not {"\n", "\r"} & {*literal(text)}
