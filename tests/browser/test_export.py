"""A page that `to_html` wrote: opened from the disk, without a network, and explored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

import zfwidgets as zf
from tests.browser.inspector_page import InspectorPage, likeness
from tests.browser.pictures import take
from tests.browser.pixels import READ_CANVAS, Pixels, on_canvas
from tests.browser.test_accessibility import findings

PHOTOS = ("cat", "dogs")
LAYERS = ("conv2", "conv5")


@pytest.fixture(scope="module")
def saved(net: zf.DeconvNet, tmp_path_factory: pytest.TempPathFactory) -> zf.SavedPage:
    """Two photos, two layers, two rules, four large projections a layer."""
    return zf.to_html(
        net,
        tmp_path_factory.mktemp("page") / "page.html",
        photos=PHOTOS,
        layers=LAYERS,
        channels=4,
        rules=("deconvnet", "guided"),
        progress=False,
    )


class Opened(InspectorPage):
    """The page in a browser that is offline; every request that is not for the file is counted."""

    home = ("file:", "blob:", "data:")
    """Where requests may go."""

    def __init__(self, chromium: Browser, saved: zf.SavedPage, **options: Any) -> None:
        self.visit(chromium, saved.path.as_uri(), offline=True, **options)

    def visit(self, chromium: Browser, address: str, **options: Any) -> None:
        """Open the page of this address in a browser of its own."""
        context = chromium.new_context(
            viewport={"width": 1400, "height": 1000}, reduced_motion="reduce", **options
        )
        self.asked: list[str] = []
        self.complaints: list[str] = []
        page = context.new_page()
        context.route(
            "**/*", lambda route: route.abort() if self._foreign(route) else route.continue_()
        )
        page.on("console", lambda message: self._heard(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(address)
        super().__init__(page)
        expect(page.locator("html[data-ready]")).to_be_attached()

    def _heard(self, text: str) -> None:
        # Chromium's own note where a page asks for a graphics processor and there is none.
        if text != "No available adapters.":
            self.complaints.append(text)

    def _foreign(self, route: object) -> bool:
        url = route.request.url  # type: ignore[attr-defined]
        foreign = not url.startswith(self.home)
        if foreign:
            self.asked.append(url)
        return foreign

    def pane(self, index: int) -> Pixels:
        """0 the photo, 1 the projection, as they are drawn."""
        return on_canvas(self.page.locator(".zf-pane-picture").nth(index))


@pytest.fixture
def opened(chromium: Browser, saved: zf.SavedPage) -> Iterator[Opened]:
    """The page, as someone who was sent the file opens it."""
    page = Opened(chromium, saved)
    yield page
    assert page.complaints == []
    assert page.asked == []
    page.page.context.close()


def projection(net: zf.DeconvNet, photo: str, layer: str, channel: int, rule: str) -> Pixels:
    """What the engine makes of a channel's strongest neuron, in its place."""
    recording = net.record(zf.samples()[photo].open())
    found = recording.project(recording.strongest(layer, [channel]), rule=rule)  # type: ignore[arg-type]
    return found.to_images(canvas=True)[0]


def test_it_opens_with_the_photo_and_the_strongest_channels_projection(
    opened: Opened, net: zf.DeconvNet
) -> None:
    recording = net.record(zf.samples()["cat"].open())
    best = int(recording.strongest("conv5").value.argmax())
    opened.until(
        lambda: np.array_equal(opened.pane(0), recording.seen()[0]), "the photo is the input"
    )
    expected = projection(net, "cat", "conv5", best, "deconvnet")
    opened.until(lambda: np.array_equal(opened.pane(1), expected), "the projection is the engine's")


def test_another_photo_layer_rule_and_channel_are_those_of_the_engine(
    opened: Opened, net: zf.DeconvNet, saved: zf.SavedPage
) -> None:
    recording = net.record(zf.samples()["dogs"].open())
    opened.choose_photo("dogs")
    opened.choose_layer("conv2")
    opened.wait_for_layer("conv2")
    for channel in saved.channels["conv2"][:2]:
        opened.click_channel(channel)
        expected = projection(net, "dogs", "conv2", channel, "deconvnet")
        opened.until(
            lambda expected=expected: np.array_equal(opened.pane(1), expected),  # type: ignore[misc]
            f"the projection is that of channel {channel}",
        )
    assert np.array_equal(opened.pane(0), recording.seen()[0])
    opened.browser.get_by_label("backward rule").select_option("guided")
    expected = projection(net, "dogs", "conv2", channel, "guided")
    opened.until(lambda: np.array_equal(opened.pane(1), expected), "the rule is guided")


def test_every_channel_has_its_tile(opened: Opened, net: zf.DeconvNet) -> None:
    recording = net.record(zf.samples()["cat"].open())
    opened.choose_mode("Feature map")
    opened.wait_for_layer("conv5")
    maps = recording.feature_maps("conv5")[0]
    strongest = maps.amax((1, 2)).argsort(descending=True).tolist()
    for channel in (strongest[0], strongest[5], strongest[60]):
        opened.click_channel(channel)
        opened.wait_for_layer("conv5")
        assert likeness(opened.tile(channel), maps[channel].numpy()) > 0.95, channel


def test_a_channel_that_was_left_out_is_said_and_the_next_one_is_shown(
    opened: Opened, net: zf.DeconvNet, saved: zf.SavedPage
) -> None:
    left_out = next(c for c in range(256) if c not in saved.channels["conv5"])
    opened.click_channel(left_out)
    alert = opened.page.locator(".zf-projection-view [role=alert]")
    expect(alert).to_contain_text("Not in this page")
    there = saved.channels["conv5"][0]
    opened.click_channel(there)
    expect(alert).to_be_hidden()
    expected = projection(net, "cat", "conv5", there, "deconvnet")
    opened.until(lambda: np.array_equal(opened.pane(1), expected), "the next one is shown")


def test_pins_keep_their_pictures_in_other_layers_and_lead_back(
    opened: Opened, saved: zf.SavedPage
) -> None:
    channel = saved.channels["conv5"][1]
    opened.click_channel(channel)
    opened.page.keyboard.press("p")
    pin = opened.browser.locator(".zf-pin-go")
    drawn = pin.locator("canvas")
    expect(pin).to_have_count(1)
    opened.until(lambda: "zf-pin-label" in pin.inner_html(), "the pin is there")
    opened.choose_layer("conv2")
    opened.wait_for_layer("conv2")
    expect(pin).not_to_have_attribute("data-waiting", "true")
    expect(pin).not_to_have_attribute("data-missing", "true")
    first = drawn.evaluate(READ_CANVAS)
    opened.choose_photo("dogs")
    opened.until(lambda: drawn.evaluate(READ_CANVAS) != first, "another photo, another picture")
    opened.choose_photo("cat")
    opened.until(lambda: drawn.evaluate(READ_CANVAS) == first, "the first photo's again")
    pin.click()
    opened.wait_for_layer("conv5")
    expect(opened.cell(channel)).to_have_attribute("aria-current", "true")


def test_the_page_says_its_size_and_what_is_in_it(opened: Opened, saved: zf.SavedPage) -> None:
    facts = opened.page.locator(".zf-page-facts")
    assert saved.size == saved.path.stat().st_size
    expect(facts).to_contain_text(f"{saved.size / 1e6:.1f} MB")
    for text in ("zfnet", "conv2, conv5", "deconvnet, guided", "Stéfan van der Walt"):
        expect(facts).to_contain_text(text)


def test_the_exemplars_of_the_channels_that_were_written_are_there(
    opened: Opened, net: zf.DeconvNet, saved: zf.SavedPage
) -> None:
    assert saved.exemplars >= 4
    strip = opened.page.locator(".zf-exemplar-strip")
    pairs = strip.locator(".zf-strip-pair")
    best = int(net.record(zf.samples()["cat"].open()).strongest("conv5").value.argmax())
    names = [name for name, *_ in zf.exemplars(net, layer="conv5").of(best)]
    expect(pairs).to_have_count(9)
    assert pairs.evaluate_all("all => all.map(one => one.dataset.id)") == names
    pairs.first.hover()
    expect(strip.locator(".zf-strip-detail")).to_contain_text(zf.gallery()[names[0]].author)
    beside = strip.locator(".zf-answer")
    synthesised = strip.locator('[data-answer="synthesised"]')
    expect(strip.locator('[data-answer="filter"]')).to_contain_text("kernels on conv4")
    expect(strip.locator('[data-answer="photo"] canvas')).to_have_count(2)
    expect(synthesised.locator("canvas")).to_have_count(1)
    expect(synthesised.get_by_role("button", name="Synthesise")).to_be_hidden()
    pairs.first.click(force=True)  # it says that it leads nowhere here
    expect(strip.get_by_role("alert")).to_be_hidden()
    left_out = next(c for c in range(256) if c not in saved.channels["conv5"])
    opened.click_channel(left_out)
    for one in beside.all():
        expect(one).to_contain_text("Not in this page.")
    opened.choose_layer("conv2")
    expect(pairs).to_have_count(9)
    expect(strip).to_contain_text("of conv2?")
    expect(opened.page.locator(".zf-page-facts")).to_contain_text("Exemplars")


def test_nothing_can_be_loaded_from_anywhere(opened: Opened) -> None:
    refused = opened.page.evaluate(
        """() => new Promise(done => {
            document.addEventListener("securitypolicyviolation", e => done(e.effectiveDirective));
            const image = new Image();
            image.src = "https://example.org/x.png";
            document.body.append(image);
        })"""
    )
    assert refused == "img-src"
    opened.complaints.clear()  # the refusal itself


@pytest.fixture(scope="module")
def seen(chromium: Browser, saved: zf.SavedPage) -> Iterator[Opened]:
    """The page that is only looked at, in light and dark, wide and narrow."""
    page = Opened(chromium, saved)
    yield page
    page.page.context.close()


@pytest.mark.parametrize(
    ("theme", "width"), [("light", 1400), ("dark", 1400), ("light", 800), ("dark", 420)]
)
def test_screenshots(
    seen: Opened, screenshots: Path, theme: Literal["light", "dark"], width: int
) -> None:
    seen.page.emulate_media(color_scheme=theme)
    seen.page.set_viewport_size({"width": width, "height": 1000})
    seen.wait_for_layer("conv5")
    take(seen.page, screenshots / f"export-{theme}-{width}.png", whole=True)
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(seen: Opened, scheme: Literal["light", "dark"]) -> None:
    seen.page.emulate_media(color_scheme=scheme)
    seen.page.set_viewport_size({"width": 1400, "height": 1000})
    seen.wait_for_layer("conv5")
    assert findings(seen.page) == []
