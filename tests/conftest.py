"""What every test gets: no GPU unless asked for, its share of two threads, the same seed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# Before torch is imported anywhere: the tests say the same on a machine with a GPU and without.
# CUDA_VISIBLE_DEVICES=0 in the environment runs them on the first GPU instead.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folder whose files take longest, so that no process ends with them alone."""
    items.sort(key=lambda item: "training" not in item.path.parts)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout under test."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _same_numbers_each_run() -> None:
    """Seed torch where it is loaded already; importing it here would slow the other tests."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(0)
        processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        torch.set_num_threads(max(1, min(2, os.cpu_count() or 1) // processes))
