"""Waiting for something in a page whose policy forbids Playwright's own way, which needs `eval`."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Page

PATIENCE = 60.0  # seconds


def until(page: Page, holds: str, given: Any = None) -> None:
    """Look once per frame until the expression, or function of `given`, is true."""
    limit = time.monotonic() + PATIENCE
    while not page.evaluate(holds, given):
        assert time.monotonic() < limit, f"after {PATIENCE:.0f} s still not so: {holds}"
        page.evaluate("new Promise(requestAnimationFrame)")
