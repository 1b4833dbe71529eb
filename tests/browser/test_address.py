"""Every neuron has an address: a page opens with it, follows it, keeps it up to date."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect
from torch import nn

import zfwidgets as zf
from tests.browser.test_page_engine import Computing, like
from zfwidgets.widgets.core.address import read

DEEP = "#net=zfnet&photo=dogs&layer=conv3&channel=7&at=4,3&rule=guided&mode=projection"


class Linked(Computing):
    """The page at an address, once its engine is ready."""

    def __init__(self, chromium: Browser, path: Path, address: str) -> None:
        permissions = ["clipboard-read", "clipboard-write"]
        self.visit(chromium, path.as_uri() + address, offline=True, permissions=permissions)
        self.state("ready")

    def address(self) -> dict[str, object]:
        fragment = urlsplit(self.page.url).fragment
        return read(fragment) if fragment else {}

    def becomes(self, **expected: object) -> None:
        self.until(lambda: expected.items() <= self.address().items(), f"address {expected}")


@pytest.fixture(scope="module")
def shared(chromium: Browser, computing: zf.SavedPage) -> Iterator[Linked]:
    """Opened at the address."""
    opened = Linked(chromium, computing.path, DEEP)
    yield opened
    opened.page.context.close()


@pytest.fixture
def deep(shared: Linked) -> Iterator[Linked]:
    """The page at the address again, as it looked when it was opened."""
    if shared.address() != read(DEEP):
        shared.as_at_first()
        shared.page.evaluate("address => location.hash = address", DEEP)
        shared.title("conv3 · channel 7")
        shared.settled()
    yield shared
    assert shared.complaints == []


def test_a_page_opens_with_the_neuron_of_its_address(deep: Linked, net: zf.DeconvNet) -> None:
    recording = net.record(zf.sample("dogs").open())
    deep.title("conv3 · channel 7")
    line = deep.root.locator(".zf-projection-line").first
    expect(line).to_contain_text("row 4, column 3")
    neuron = recording.neurons("conv3", image=0, channel=7, row=4, col=3)
    expected = recording.project(neuron, rule="guided").to_images(canvas=True)[0]
    like(deep, expected, "the projection is that of the address")
    assert deep.chosen_photo() == "dogs"
    assert deep.address() == read(DEEP)
    expect(deep.page.locator(".zf-page-link")).to_be_empty()


def test_the_address_follows_what_is_chosen(deep: Linked) -> None:
    deep.title("conv3 · channel 7")
    deep.click_channel(11)
    deep.becomes(channel=11)
    deep.choose_layer("conv5")
    deep.becomes(layer="conv5")
    deep.title("conv5 · channel " + str(deep.address()["channel"]))
    assert "at" not in deep.address()
    deep.choose_photo("cat")
    deep.becomes(photo="cat")
    deep.choose_mode("Feature map")
    deep.becomes(mode="feature map")
    before = deep.page.evaluate("history.length")
    deep.click_channel(3)
    deep.becomes(channel=3)
    assert deep.page.evaluate("history.length") == before


def test_another_address_shows_another_neuron(deep: Linked) -> None:
    deep.page.evaluate("location.hash = '#photo=cat&layer=conv5&channel=70'")
    deep.title("conv5 · channel 70")
    assert deep.chosen_photo() == "cat"
    deep.becomes(layer="conv5", channel=70, photo="cat", rule="guided")
    deep.page.evaluate("location.hash = '#layer=conv5&channel=70&at=0,12'")
    expect(deep.root.locator(".zf-projection-line").first).to_contain_text("row 0, column 12")
    deep.page.go_back()
    expect(deep.root.locator(".zf-projection-line").first).not_to_contain_text("row 0, column 12")


def test_a_link_is_copied_and_announced(deep: Linked, tmp_path: Path) -> None:
    told = deep.page.get_by_role("status").filter(has_text="The link is copied.")
    button = deep.root.get_by_role("button", name="Copy link")
    deep.title("conv3 · channel 7")
    button.click()
    expect(told).to_be_visible()
    copied = deep.page.evaluate("navigator.clipboard.readText()")
    assert copied == deep.page.url
    assert read(copied) == read(DEEP)
    mine = tmp_path / "me.png"
    zf.sample("bee").open().save(mine)
    deep.upload(mine)
    deep.until(lambda: deep.chosen_photo() == mine.name, "the photo is taken")
    deep.settled()
    button.click()
    expect(told).to_contain_text("Your own photo does not travel with it.")
    assert "photo" not in read(deep.page.evaluate("navigator.clipboard.readText()"))


def test_what_a_page_does_not_have_is_said_and_the_rest_is_shown(
    chromium: Browser, computing: zf.SavedPage
) -> None:
    address = "#net=alexnet&photo=<b>&layer=conv3&channel=999&at=1,1&rule=magic&walk=on"
    opened = Linked(chromium, computing.path, address)
    told = opened.page.locator(".zf-page-link")
    expect(told).to_contain_text("net=alexnet, photo=<b>, channel=999, rule=magic")
    expect(told).to_contain_text("walk=on")
    opened.wait_for_layer("conv3")
    assert opened.chosen_photo() == "cat"
    opened.page.context.close()


def test_a_recorded_page_goes_to_what_it_has(
    chromium: Browser, net: zf.DeconvNet, tmp_path: Path
) -> None:
    page = tmp_path / "recorded.html"
    layers = ("conv1", "conv2")
    zf.to_html(net, page, photos="cat", layers=layers, channels={"conv1": [5]}, progress=False)
    opened = Linked.__new__(Linked)
    opened.visit(chromium, page.as_uri() + "#layer=conv1&channel=5", offline=True)
    opened.title("conv1 · channel 5")
    opened.page.context.close()


def small(name: str) -> zf.DeconvNet:
    """A network that the page computes in no time."""
    rows = {
        "conv1": nn.Conv2d(3, 4, 5, 4),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(4, 8, 3),
        "relu2": nn.ReLU(),
    }
    model = nn.Sequential(OrderedDict(rows))
    return zf.DeconvNet(model, name=name, transforms=zf.Preprocess(size=64, resize=64))


def test_a_link_to_another_network_leads_to_its_page(chromium: Browser, tmp_path: Path) -> None:
    nets = [small("first"), small("second")]
    saved = zf.site(tmp_path / "site", nets, photos="cat", progress=False)
    address = "#net=second&layer=conv2&channel=7"
    opened = Linked(chromium, saved.folder / "index.html", address)
    expect(opened.root.locator(".zf-inspector-head")).to_contain_text("second")
    opened.state("ready")
    opened.title("conv2 · channel 7")
    opened.page.get_by_role("link", name="한국어").click()
    expect(opened.page.locator("html[lang=ko]")).to_be_attached()
    expect(opened.root.locator(".zf-projection-title")).to_contain_text("7")
    opened.becomes(net="second", layer="conv2", channel=7)
    opened.page.context.close()
