"""A thousand channels and two hundred photos later, page and kernel hold no more than before."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
import torch
from playwright.sync_api import Page
from torch import nn

from tests.browser.channels import COMPLETE
from tests.browser.live import LiveWidget
from zfwidgets.deconv import DeconvNet
from zfwidgets.widgets.channel_browser import ChannelBrowser
from zfwidgets.widgets.core.rpc import worker

Measure = Callable[[], dict[str, float]]
MEGABYTE = 2**20


@pytest.fixture
def live(apart: Page) -> Iterator[LiveWidget]:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 32, 5, stride=2), nn.ReLU(), nn.Conv2d(32, 256, 3), nn.ReLU()]
    net = DeconvNet(nn.Sequential(*layers).eval(), device="cpu")
    pins = [{"layer": "conv1", "channel": 3}, {"layer": "conv2", "channel": 9}]
    browser = ChannelBrowser(net.record(torch.rand(1, 3, 64, 64)), layer="conv2", pins=pins)
    assert browser.wait(60)
    live = LiveWidget(apart, browser, "channel-browser")
    live.until(COMPLETE)
    yield live
    browser.close()


@pytest.fixture
def measure(live: LiveWidget) -> Measure:
    """What is alive in the page and in Python, after a collection of garbage in both."""
    session = live.page.context.new_cdp_session(live.page)
    session.send("Performance.enable")

    def taken() -> dict[str, float]:
        worker().join()
        live.carry()
        live.page.evaluate("model.sent.length = 0")
        session.send("HeapProfiler.collectGarbage")
        metrics = session.send("Performance.getMetrics")["metrics"]
        page = {metric["name"]: metric["value"] for metric in metrics}
        gc.collect()
        return {
            "heap": page["JSHeapUsedSize"] / MEGABYTE,
            "nodes": page["Nodes"],
            "listeners": page["JSEventListeners"],
            "python": tracemalloc.get_traced_memory()[0] / MEGABYTE,
        }

    return taken


def test_a_thousand_channels_leave_memory_as_it_was(live: LiveWidget, measure: Measure) -> None:
    def switch(count: int) -> None:
        for i in range(count):
            live.page.evaluate(
                """(i) => {
                    model.set('active', i % 256);
                    model.set('selected', [i % 256, (i * 7) % 256]);
                    model.save_changes();
                }""",
                i,
            )
            live.carry()

    check(measure, switch, 1000)
    assert live.widget.active == 999 % 256


def test_two_hundred_photos_leave_memory_as_it_was(live: LiveWidget, measure: Measure) -> None:
    net = live.widget.net

    def change(count: int) -> None:
        for i in range(count):
            live.widget.recording = net.record(torch.rand(1, 3, 64, 64))
            assert live.widget.wait(60)
            live.until(f"model.state._page.epoch === {live.widget.epoch}")
            if i % 10 == 0:
                live.widget.mode = "projection" if i % 20 else "feature map"
                live.until(COMPLETE)

    check(measure, change, 200)


def check(measure: Measure, act: Callable[[int], None], count: int) -> None:
    """The growth from `count` times is no more than noise, after some to fill what is kept."""
    tracemalloc.start()
    try:
        act(40)
        before = measure()
        act(count)
        after = measure()
    finally:
        tracemalloc.stop()
    growth = {name: round(after[name] - before[name], 3) for name in after}
    print(f"after {count}: grown by {growth} from {before}")
    assert growth["heap"] < 2
    assert growth["nodes"] < 500
    assert growth["listeners"] < 20
    assert growth["python"] < 2
