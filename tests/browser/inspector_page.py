"""An Inspector on a page, driven as a person would, and read back as pixels."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.pixels import READ_CANVAS, Pixels, on_canvas, on_tile

__all__ = ["READ_CANVAS", "InspectorPage", "Pixels", "likeness"]

PATIENCE = 60.0  # seconds until what is on the screen must be what was asked for


class InspectorPage:
    """The parts of one Inspector, by what they are for; they stand in ``root``."""

    def __init__(self, page: Page, root: str = ".zf-inspector") -> None:
        self.page = page
        self.root = page.locator(root)
        self.picker = self.root.locator(".zf-image-picker")
        self.layers = self.root.locator(".zf-layer-selector")
        self.browser = self.root.locator(".zf-channel-browser")
        self.summary = self.browser.locator(".zf-summary")
        self.notices = self.picker.locator(".zf-notices .zf-alert")

    # ------------------------------------------------------------------ what a person does

    def choose_photo(self, name: str) -> None:
        """Click a photo of the gallery."""
        self.picker.locator(f'[role=option][data-id="{name}"]').click()

    def choose_layer(self, name: str) -> None:
        """Click a layer in the drawing of the network."""
        self.layers.locator(f'[role=option][data-id="{name}"]').click()

    def choose_mode(self, label: str) -> None:
        """Click "Feature map" or "Projection", and wait until the grid has followed."""
        self.browser.get_by_text(label, exact=True).click()
        expect(self.summary).to_contain_text(f"· {label.lower()}")

    def click_channel(self, channel: int) -> None:
        """Go to a channel by number, which brings it into sight, and click it."""
        box = self.browser.get_by_label("go to channel number or name")
        box.fill(str(channel))
        box.press("Enter")
        self.cell(channel).click()

    def upload(self, *files: Path) -> None:
        """Choose files in the dialog of the upload button."""
        with self.page.expect_file_chooser() as chooser:
            self.picker.get_by_role("button", name="Upload").click()
        chooser.value.set_files([str(file) for file in files])

    # ----------------------------------------------------------------- what is on the screen

    def cell(self, channel: int) -> Locator:
        """The cell of a channel; there is one only near the window of the grid."""
        return self.browser.locator(f'[data-channel="{channel}"]')

    def chosen_photo(self) -> str:
        """The id of the photo that is marked as chosen."""
        chosen = self.picker.locator("[role=option][aria-selected=true]")
        return chosen.get_attribute("data-id") or ""

    def tile(self, channel: int) -> Pixels:
        """The picture of a channel as it is drawn: uint8 [h, w, 3]."""
        return on_tile(self.cell(channel))

    def figure(self, index: int) -> Pixels:
        """The pictures that zoom together: 0 the photo, 1 the projection. uint8 [H, W, 3]."""
        return on_canvas(self.root.locator(".zf-pane-picture").nth(index))

    def wait_for_layer(self, name: str) -> None:
        """Until the grid says that it shows this layer and waits for no tile in sight."""
        expect(self.summary).to_contain_text(f"{name} ·")
        expect(self.browser.locator('[data-waiting="true"]:visible')).to_have_count(0)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Look once per frame until it holds; fails with ``what`` after PATIENCE."""
        limit = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < limit, f"after {PATIENCE:.0f} s still not so: {what}"
            self.page.evaluate("new Promise(requestAnimationFrame)")


def likeness(shown: Pixels, expected: np.ndarray[Any, Any]) -> float:
    """Correlation, -1 to 1, between the lightness of what is shown and numbers [h, w].

    What is shown is averaged over the places of ``expected``.
    """
    light = np.asarray(Image.fromarray(shown).convert("L"), dtype=np.float64)
    height, width = expected.shape
    resized = Image.fromarray(light.astype(np.float32)).resize(
        (width, height), Image.Resampling.BOX
    )
    ours, theirs = np.asarray(resized, dtype=np.float64).ravel(), expected.astype(float).ravel()
    if ours.std() == 0 or theirs.std() == 0:
        return 0.0
    return float(np.corrcoef(ours, theirs)[0, 1])
