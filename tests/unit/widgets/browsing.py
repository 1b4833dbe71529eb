"""What the tests of ChannelBrowser share: a small net, a browser that is closed, its tiles."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.widgets.channel_browser import ChannelBrowser
from zfwidgets.widgets.core.rpc import worker

LIMIT = 60.0  # seconds; only a broken test waits so long
Make = Callable[..., ChannelBrowser]


class TinyNet(nn.Module):
    """Four layers, 5 to 12 channels, inputs of 3 x 32 x 32; channel 2 of conv1 is always silent."""

    def __init__(self, classes: int = 7) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 5, 3, stride=2, padding=1)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(5, 12, 3, padding=1)
        self.fc3 = nn.Linear(12 * 8 * 8, classes)
        with torch.no_grad():
            self.conv1.weight[2] = 0
            self.conv1.bias[2] = -1  # type: ignore[index]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool1(torch.relu(self.conv1(x)))
        return self.fc3(torch.relu(self.conv2(x)).flatten(1))


@pytest.fixture(name="net")
def net_fixture() -> DeconvNet:
    torch.manual_seed(1)
    return DeconvNet(TinyNet().eval(), categories=list("abcdefg"))


@pytest.fixture(name="recording")
def recording_fixture(net: DeconvNet) -> Recording:
    return net.record(torch.rand(2, 3, 32, 32))


@pytest.fixture(name="make")
def make_fixture() -> Iterator[Make]:
    made: list[ChannelBrowser] = []

    def build(*args: Any, **traits: Any) -> ChannelBrowser:
        made.append(ChannelBrowser(*args, **traits))
        settle(made[-1])
        return made[-1]

    yield build
    for browser in made:
        browser.close()


def settle(browser: ChannelBrowser) -> None:
    assert browser.wait(LIMIT)
    worker().join()


def cut(head: dict[str, Any], data: bytes) -> dict[int, np.ndarray[Any, Any]]:
    """The tiles of a sheet by channel."""
    height, width = head["tile"]
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    return {
        channel: picture[height * (i // head["columns"]) :, width * (i % head["columns"]) :][
            :height, :width
        ]
        for i, channel in enumerate(head["ids"])
    }


def first_tiles(browser: ChannelBrowser) -> dict[int, np.ndarray[Any, Any]]:
    return cut(browser._page["sheet"], browser._page["picture"])


def ask(
    browser: ChannelBrowser, monkeypatch: pytest.MonkeyPatch, **body: Any
) -> list[tuple[dict[str, Any], list[bytes]]]:
    """Ask as the page does, and wait for everything that comes back."""
    answers: list[tuple[dict[str, Any], list[bytes]]] = []
    # The responder holds the bound method, so the way out is watched one step further.
    monkeypatch.setattr(
        browser,
        "_send",
        lambda message, buffers=None: answers.append((message.get("content", {}), buffers or [])),
    )
    question = {"v": 1, "id": 1, "epoch": browser.epoch, "op": "tiles", **body}
    browser._handle_custom_msg(question, [])
    worker().join()
    return [(content, buffers) for content, buffers in answers if content.get("id") == 1]
