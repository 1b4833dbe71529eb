"""The channel browser in JupyterLab: of layers clicked quickly the last one stays."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Notebook

MAKE = """
import torch, zfwidgets as zf
from zfwidgets.nets.zfnet import ZFNet
from zfwidgets.widgets.channel_browser import ChannelBrowser
import ipywidgets
torch.manual_seed(0)
net = zf.DeconvNet(ZFNet().eval(), name="zfnet")
recording = net.record(zf.sample("cat").open())
layers = zf.LayerSelector(net, value="conv5")
browser = ChannelBrowser(recording, layer="conv5", tile_size=32, height=1200)
ipywidgets.link((layers, "value"), (browser, "layer"))
browser.wait(60)
ipywidgets.VBox([layers, browser])
"""


def test_of_five_layers_clicked_quickly_the_last_one_stays(in_lab: Notebook) -> None:
    page = in_lab(MAKE)
    summary = page.locator(".zf-channel-browser .zf-summary")
    expect(summary).to_contain_text("conv5")
    page.evaluate(
        """() => ['conv1', 'pool1', 'conv2', 'conv3', 'conv4'].forEach((name) =>
             document.querySelector(`.zf-layer-selector [data-id="${name}"]`).click())"""
    )
    expect(summary).to_contain_text("conv4 · 384 channels")
    root = page.locator(".zf-channel-browser")
    expect(root).to_have_attribute("data-state", "ready")
    expect(root.locator(".zf-cell[data-waiting]:not([hidden])")).to_have_count(0)
    expect(summary).to_contain_text("conv4 · 384 channels")
