"""What is shipped: the bundles are those of the sources, and the wheel works without a checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

STATIC = Path("zfwidgets/widgets/static")


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built without node."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder)]
    without_node = {**os.environ, "PATH": str(Path(sys.executable).parent)}
    subprocess.run([*command, str(repository)], check=True, env=without_node)
    (built,) = folder.glob("zfwidgets-*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    """The names of the files in the wheel."""
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel was installed, away from the checkout."""
    folder = tmp_path_factory.mktemp("site-packages")
    options = ["--no-deps", "--no-index", "--quiet", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(wheel)], check=True)
    return folder


def run_installed(installed: Path, *arguments: str) -> str:
    """What the installed package prints, run from a folder that is not the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    answer = subprocess.run(
        [sys.executable, *arguments],
        cwd=installed,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


def test_the_committed_bundles_are_those_of_the_sources(repository: Path, tmp_path: Path) -> None:
    subprocess.run(
        ["node", "build.mjs", "--outdir", str(tmp_path)], cwd=repository / "js", check=True
    )
    fresh = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    committed = {file.name: file.read_bytes() for file in (repository / STATIC).iterdir()}
    assert sorted(committed) == sorted(fresh), "run `make bundles` and commit what it writes"
    stale = [name for name, content in fresh.items() if committed[name] != content]
    assert stale == [], "run `make bundles` and commit what it writes"


def test_no_bundle_fetches_anything_or_is_larger_than_its_ceiling(repository: Path) -> None:
    for bundle in (repository / STATIC).glob("*.js"):
        text = bundle.read_text()
        # These two are sent with no widget: they stand in files of megabytes.
        ceiling = 80 if bundle.name in ("engine.js", "page.js") else 60
        assert len(text.encode()) <= ceiling * 1024, bundle.name
        # The engine's code comes from Python, as bytes.
        if bundle.name == "page-engine.js":
            text = re.sub(r"\bimport\(\w+\)", "", text, count=1)
        # `#fetch(` and `.fetch(` are methods of ours; `window.fetch` would be the browser's.
        fetches = re.findall(
            r"https?://(?!www\.w3\.org/)|(?<![\w#.])fetch\(|(?:window|globalThis|self)\.fetch"
            r"|XMLHttpRequest|WebSocket|importScripts|\bimport\(",
            text,
        )
        assert fetches == [], bundle.name


def test_the_wheel_has_all_that_runs_without_a_connection(
    contents: set[str], repository: Path
) -> None:
    needed = [
        *(repository / STATIC).iterdir(),
        *(repository / "zfwidgets/images/photos").iterdir(),
        *(repository / "zfwidgets/images/gallery_photos").iterdir(),
        *(repository / "zfwidgets/analysis/scans").iterdir(),
        *(repository / "zfwidgets/nets/weights").glob("*.safetensors"),
        *(repository / "zfwidgets/widgets").glob("*/strings.json"),
        repository / "zfwidgets/py.typed",
    ]
    missing = [
        file for file in needed if str(file.relative_to(repository).as_posix()) not in contents
    ]
    assert missing == []
    assert {
        "zfwidgets/notebooks/quickstart.ipynb",
        "zfwidgets/notebooks/dashboard.ipynb",
    } < contents


def test_the_wheel_is_not_too_large_to_hand_out_and_names_whose_photographs_it_has(
    wheel: Path, contents: set[str]
) -> None:
    assert wheel.stat().st_size <= 60e6
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in contents}


def test_the_wheel_has_nothing_that_only_developers_need(contents: set[str]) -> None:
    top = {name.split("/")[0] for name in contents}
    assert {name for name in top if not name.endswith(".dist-info")} == {"zfwidgets"}
    assert not [name for name in contents if "__pycache__" in name or ".ipynb_checkpoints" in name]


def test_the_installed_package_finds_its_dashboard_inside_itself(installed: Path) -> None:
    program = "from zfwidgets.cli import find_notebook; print(find_notebook('dashboard.ipynb'))"
    assert run_installed(installed, "-c", program).strip() == str(
        installed / "zfwidgets" / "notebooks" / "dashboard.ipynb"
    )


def test_the_installed_package_projects_with_its_bundled_weights_and_photos(
    installed: Path,
) -> None:
    program = (
        "import zfwidgets as zf\n"
        f"assert zf.__file__.startswith({str(installed)!r})\n"
        "recording = zf.load('zfnet', device='cpu').record(zf.samples()['cat'].open())\n"
        "neurons = recording.strongest('conv5')[:2]\n"
        "print(recording.project(neurons).to_images().shape[0])"
    )
    assert run_installed(installed, "-c", program).strip() == "2"
