"""What the tests of the channel browser's page share: a recording, how to open it, its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page

from tests.browser.live import LiveWidget
from tests.browser.pixels import on_tile
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.images.samples import samples
from zfwidgets.nets.zfnet import ZFNet
from zfwidgets.widgets.channel_browser import ChannelBrowser
from zfwidgets.widgets.core.rpc import worker

COMPLETE = """
document.querySelectorAll('.zf-cell:not([hidden])').length > 0
&& !document.querySelector('.zf-cell[data-waiting]:not([hidden])')
&& document.querySelector('.zf-channel-browser').dataset.state === 'ready'
&& document.querySelector('.zf-progress').dataset.busy === 'false'
"""
Open = Callable[..., LiveWidget]


@pytest.fixture(name="recording", scope="module")
def recording_fixture() -> Recording:
    """A photograph in ZFNet; the weights do not matter to the page."""
    torch.manual_seed(3)
    net = DeconvNet(ZFNet().eval(), name="zfnet", device="cpu")
    return net.record(next(iter(samples().values())).open())


@pytest.fixture(name="open_browser")
def open_browser_fixture(page: Page) -> Iterator[Open]:
    opened: list[ChannelBrowser] = []

    def build(source: Any, theme: str = "light", in_page: Page = page, **traits: Any) -> LiveWidget:
        browser = ChannelBrowser(source, **traits)
        opened.append(browser)
        browser.wait(60)
        worker().join()
        return LiveWidget(in_page, browser, "channel-browser", theme)

    yield build
    for browser in opened:
        browser.close()


def grid(live: LiveWidget) -> Locator:
    return live.page.get_by_role("grid")


def tile(live: LiveWidget, channel: int) -> Locator:
    return live.page.locator(f'.zf-cell[data-channel="{channel}"]')


def pixels(live: LiveWidget, channel: int) -> np.ndarray[Any, Any]:
    """A tile's part of its row's canvas: uint8 [h, w, 3]."""
    return on_tile(tile(live, channel))


def enlarged(picture: np.ndarray[Any, Any], side: int) -> np.ndarray[Any, Any]:
    """Each pixel repeated: the one under the centre of each new pixel."""
    at = ((np.arange(side) + 0.5) * len(picture) / side).astype(int)
    return picture[np.ix_(at, at)]


def press(live: LiveWidget, *keys: str) -> None:
    for key in keys:
        live.page.keyboard.press(key)


def focused(live: LiveWidget) -> int:
    return int(live.page.evaluate("document.activeElement.dataset.channel ?? -1"))


def start_in_grid(live: LiveWidget) -> None:
    live.until(COMPLETE)
    live.page.locator("#before").focus()
    while focused(live) < 0:
        press(live, "Tab")
