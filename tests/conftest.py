"""What every test gets: no GPU unless asked for, OMP_NUM_THREADS or two threads, one seed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.browser.sites import WAY

if TYPE_CHECKING:
    import zfwidgets as zf

# Before torch is imported anywhere: the tests say the same on a machine with a GPU and without.
# CUDA_VISIBLE_DEVICES=0 in the environment runs them on the first GPU instead.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


ORDER = ("notebooks", "training", "oracles", "unit", "browser")
"""Folders by how long their longest file takes: no process is to end with such a file alone.

Those of the browser come last, for Playwright leaves an event loop running in the process.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders in order."""

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        return ORDER.index(folder if folder in ORDER else "unit")

    items.sort(key=place)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout under test."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> zf.SavedSite:
    """One site of ZFNet for all: English and Korean; two photos, of which the first is recorded.

    Writing it takes long, so that of several processes the first one does it for all.
    """
    import zfwidgets as zf

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, told = shared / "www" / WAY.replace("%20", " "), shared / "www.json"
    with FileLock(shared / "www.lock"):
        if not told.exists():
            net = zf.load("zfnet", device="cpu")
            saved = zf.site(folder, net, photos=["cat", "dogs"], progress=False)
            told.write_text(json.dumps([saved.nets, saved.locales, saved.files]))
    nets, locales, files = json.loads(told.read_text())
    return zf.SavedSite(folder, tuple(nets), tuple(locales), files)


@pytest.fixture(autouse=True)
def _same_numbers_each_run() -> None:
    """Seed torch where it is loaded already; importing it here would slow the other tests."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(0)
        threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
        torch.set_num_threads(threads or min(2, os.cpu_count() or 1))
