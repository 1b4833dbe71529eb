"""A page with the engine, opened from the disk, offline: it computes what Python computes."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

import zfwidgets as zf
from tests.browser.inspector_page import Pixels
from tests.browser.pictures import take
from tests.browser.test_accessibility import findings
from tests.browser.test_export import Opened
from zfwidgets.images import heat_colours
from zfwidgets.widgets.channel_browser.responses import Responses
from zfwidgets.widgets.channel_browser.tiles import tiles_of

PATIENCE = 60_000
LEVELS = 2
"""Grey levels of 255 that a tile of the page may differ from Python's by."""
NOT_TIED = 0.999
"""Share of pixels: where two places of a pooling window hold the same but for rounding, a signal
may take the other one."""


class Computing(Opened):
    """The page once its engine is ready; messages of the protocol can be listened to."""

    def __init__(self, chromium: Browser, saved: zf.SavedPage, **options: Any) -> None:
        super().__init__(chromium, saved, **options)
        self.state("ready")

    def as_at_first(self) -> None:
        """The first photo, the last layer, and no photos but those of the page."""
        brought = self.picker.locator("[role=option]").nth(2)
        while brought.count():
            brought.click()
            self.picker.get_by_role("button", name="Remove").click()
        self.choose_photo("cat")
        self.choose_layer("conv5")
        self.choose_mode("Projection")
        self.settled()

    def state(self, state: str) -> None:
        expect(self.page.locator(f"html[data-engine={state}]")).to_be_attached(timeout=PATIENCE)

    def settled(self) -> None:
        """Until nothing is under way."""
        for part in (".zf-channel-browser", ".zf-projection-view", ".zf-inspector-head"):
            busy = self.root.locator(f"{part} :is([aria-busy=true], [data-busy=true])")
            expect(busy).to_have_count(0, timeout=PATIENCE)

    def shows_photo(self, seen: Pixels) -> None:
        """Until the photo of the view is this one, but for what decoders differ by."""
        self.until(
            lambda: (
                self.pane(0).shape == seen.shape and int(difference(self.pane(0), seen).max()) <= 1
            ),
            "the photo is the input",
        )

    def classes(self) -> list[str]:
        return self.root.locator(".zf-guesses .zf-guess bdi").all_inner_texts()

    def title(self, text: str) -> None:
        expect(self.root.locator(".zf-projection-title")).to_have_text(text, timeout=PATIENCE)


def difference(one: Pixels, other: Pixels) -> np.ndarray[Any, Any]:
    return np.abs(one.astype(int) - other.astype(int))


@pytest.fixture(scope="module")
def shared(chromium: Browser, computing: zf.SavedPage) -> Iterator[Computing]:
    """Opened once: thirteen megabytes are read, and a network is made of them."""
    page = Computing(chromium, computing)
    yield page
    page.page.context.close()


@pytest.fixture
def opened(shared: Computing) -> Iterator[Computing]:
    """The page as it looked when it was opened."""
    shared.as_at_first()
    yield shared
    assert shared.complaints == []
    assert shared.asked == []


@pytest.fixture
def fresh(chromium: Browser, computing: zf.SavedPage) -> Iterator[Computing]:
    """The page of one test alone."""
    page = Computing(chromium, computing)
    yield page
    assert page.complaints == []
    assert page.asked == []
    page.page.context.close()


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A photo that the page does not have: the mountains, lossless, of another shape."""
    path = tmp_path / "my holiday.png"
    zf.sample("mountains").open().crop((20, 0, 420, 300)).save(path)
    return path


def like(opened: Computing, expected: Pixels, what: str) -> None:
    opened.until(
        lambda: (
            opened.pane(1).shape == expected.shape
            and float((difference(opened.pane(1), expected) <= LEVELS).mean()) > NOT_TIED
        ),
        what,
    )


def projection(recording: zf.Recording, layer: str, channel: int, **how: Any) -> Pixels:
    found = recording.project(recording.strongest(layer, [channel]), **how)
    return found.to_images(canvas=True)[0]


# ------------------------------------------------------------------------------------- photos


def test_a_photo_of_ones_own_is_seen_and_named_as_python_does(
    opened: Computing, net: zf.DeconvNet, mine: Path
) -> None:
    recording = net.record(mine)
    opened.upload(mine)
    opened.shows_photo(recording.seen()[0])
    assert opened.chosen_photo() == "my holiday.png"
    opened.settled()
    assert opened.classes() == [label for label, _ in recording.top_classes()[0]]
    best = int(recording.strongest("conv5").value.argmax())
    opened.click_channel(best)
    opened.title(f"conv5 · channel {best}")
    like(opened, projection(recording, "conv5", best), "the projection is Python's")


def test_a_photo_of_the_page_that_was_not_recorded_is_computed(
    opened: Computing, net: zf.DeconvNet
) -> None:
    recording = net.record(zf.sample("dogs").open())
    opened.choose_photo("dogs")
    opened.shows_photo(recording.seen()[0])
    opened.choose_layer("conv3")
    best = int(recording.strongest("conv3").value.argmax())
    opened.title(f"conv3 · channel {best}")
    like(opened, projection(recording, "conv3", best), "the projection is Python's")
    opened.choose_photo("cat")
    opened.choose_layer("conv5")
    recording = net.record(zf.sample("cat").open())
    best = int(recording.strongest("conv5").value.argmax())
    opened.title(f"conv5 · channel {best}")
    expected = projection(recording, "conv5", best)
    opened.until(lambda: np.array_equal(opened.pane(1), expected), "what was recorded is back")
    opened.settled()
    assert opened.classes() == [label for label, _ in recording.top_classes()[0]]


def test_pictures_that_cannot_be_read_are_said_and_the_last_one_stays(
    fresh: Computing, tmp_path: Path, mine: Path
) -> None:
    broken, text = tmp_path / "broken.jpg", tmp_path / "notes.txt"
    broken.write_bytes(zf.sample("bee").path.read_bytes()[:900])
    text.write_text("no picture")
    before = fresh.pane(0)
    fresh.upload(broken, text)
    expect(fresh.notices).to_have_count(2)
    expect(fresh.notices.nth(0)).to_contain_text("broken.jpg cannot be read")
    expect(fresh.notices.nth(1)).to_contain_text("Save it as JPEG or PNG")
    assert fresh.chosen_photo() == "cat"
    assert np.array_equal(fresh.pane(0), before)
    fresh.upload(mine)
    fresh.until(lambda: fresh.chosen_photo() == mine.name, "what can be read is chosen")
    expect(fresh.notices).to_have_count(0)


def test_a_square_of_the_photo_is_what_the_network_sees(
    fresh: Computing, net: zf.DeconvNet
) -> None:
    photo = zf.sample("cat").open()
    side = min(photo.size) // 2
    fresh.picker.get_by_role("button", name="Crop").click()
    stage = fresh.picker.locator(".zf-crop-stage")
    expect(stage).to_have_class("zf-crop-stage")
    zoom = fresh.picker.locator(".zf-crop-zoom input")
    zoom.fill("0.3")
    told = fresh.picker.locator(".zf-crop-told")
    expect(told).to_contain_text("pixels")
    fresh.settled()
    crop = fresh.page.evaluate(
        "() => document.querySelector('.zf-crop-told').textContent.match(/\\d+/g).map(Number)"
    )
    size, _, top, left = crop
    assert side // 4 < size < min(photo.size)
    part = photo.crop((left, top, left + size, top + size))
    fresh.shows_photo(net.record(part).seen()[0])


def test_a_photo_that_is_taken_away_can_be_brought_back(opened: Computing) -> None:
    opened.choose_photo("dogs")
    opened.settled()
    opened.picker.get_by_role("button", name="Remove").click()
    expect(opened.picker.locator("[role=option]")).to_have_count(1)
    assert opened.chosen_photo() == "cat"
    opened.picker.get_by_role("button", name="Undo").click()
    expect(opened.picker.locator("[role=option]")).to_have_count(2)
    opened.settled()
    assert opened.chosen_photo() == "dogs"


# ---------------------------------------------------------------------------- tiles, neurons


_TILES = """([px, epoch]) => new Promise(done => {
    // The very messages that the grid asks with.
    const model = window.zfKernel.models.get("browser");
    const ids = [...Array(24).keys()], sheets = [];
    const listen = (answer, buffers) => {
        if (answer.id !== 7) return;
        if (buffers.length) {
            const bytes = new Uint8Array(buffers[0].buffer);
            sheets.push({ ...answer, base64: bytes.toBase64() });
        }
        if (answer.last || !answer.ok) { model.off("msg:custom", listen); done(sheets); }
    };
    model.on("msg:custom", listen);
    model.send({ v: 1, id: 7, epoch: model.get("epoch"), op: "tiles", ids, px });
})"""


def tiles(opened: Computing, px: int) -> dict[int, Pixels]:
    """The tiles of the first 24 channels, as they travel."""

    found: dict[int, Pixels] = {}
    for sheet in opened.page.evaluate(_TILES, [px, 0]):
        picture = Image.open(io.BytesIO(base64.b64decode(sheet["base64"]))).convert("RGB")
        height, width = sheet["tile"]
        for n, channel in enumerate(sheet["ids"]):
            row, col = divmod(n, sheet["columns"])
            box = (col * width, row * height, (col + 1) * width, (row + 1) * height)
            found[channel] = np.asarray(picture.crop(box))
    return found


@pytest.mark.parametrize(
    ("label", "mode"),
    [
        ("Feature map", "feature map"),
        ("Projection", "projection"),
        ("In place", "in place"),
        ("Photo patch", "photo patch"),
    ],
)
def test_tiles_are_those_of_python(
    opened: Computing, net: zf.DeconvNet, mine: Path, label: str, mode: str
) -> None:
    recording = net.record(mine)
    opened.upload(mine)
    opened.shows_photo(recording.seen()[0])
    for layer in ("conv2", "conv5"):
        opened.choose_layer(layer)
        if mode != "projection":
            opened.choose_mode(label)
        opened.settled()
        opened.wait_for_layer(layer)
        compare_tiles(opened, recording, layer, mode)


def test_so_are_those_of_alexnet(chromium: Browser, tmp_path: Path, mine: Path) -> None:
    net = zf.load("alexnet", device="cpu")
    page = tmp_path / "alexnet.html"
    opened = Computing(chromium, zf.to_html(net, page, photos=["cat"], engine=True, progress=False))
    recording = net.record(mine)
    opened.upload(mine)
    opened.shows_photo(recording.seen()[0])
    opened.choose_layer("conv4")
    opened.settled()
    opened.wait_for_layer("conv4")
    compare_tiles(opened, recording, "conv4", "projection")
    assert opened.classes() == [label for label, _ in recording.top_classes()[0]]
    opened.page.context.close()


def compare_tiles(opened: Computing, recording: zf.Recording, layer: str, mode: Any) -> None:
    """Of the first 24 channels of the photo that is shown."""
    found = tiles(opened, 96)
    assert sorted(found) == list(range(24))
    responses = Responses(0, recording, 0, recording.layers[layer], mode, "deconvnet")
    each = list(tiles_of(responses, range(24), 96))
    if mode == "feature map":
        # A value between two of the 256 steps becomes either; a step is up to three levels.
        apart = [np.abs(steps_of(found[n]) - steps_of(tile)) for n, tile in enumerate(each)]
        assert int(np.max(apart)) <= 1
        assert float((np.array(apart) == 0).mean()) > NOT_TIED
        return
    for channel, expected in enumerate(each):
        off = difference(found[channel], expected)
        assert off.shape == expected.shape
        share = float((off <= LEVELS).mean())
        assert share > NOT_TIED, f"{layer} {channel}: {share:.4f}, up to {off.max()}"


def steps_of(tile: Pixels) -> np.ndarray[Any, Any]:
    """Which of the 256 heat colours each place of a feature map's tile has; all are of these."""
    known = {tuple(colour): step for step, colour in enumerate(heat_colours().tolist())}
    return np.asarray([[known[tuple(colour)] for colour in row] for row in tile.tolist()])


def test_the_filters_of_the_first_layer_have_their_colours(
    opened: Computing, net: zf.DeconvNet, mine: Path
) -> None:
    recording = net.record(mine)
    opened.upload(mine)
    opened.choose_layer("conv1")
    opened.choose_mode("Filter")
    opened.settled()
    responses = Responses(0, recording, 0, recording.layers["conv1"], "filter", "deconvnet")
    found = tiles(opened, 96)
    for channel, expected in enumerate(tiles_of(responses, range(24), 96)):
        assert np.array_equal(found[channel], expected)
    opened.choose_layer("conv2")
    expect(opened.summary).to_contain_text("conv2 · ", timeout=PATIENCE)
    expect(opened.summary).to_contain_text("projection")


def test_a_click_on_the_photo_shows_the_neuron_that_sees_it(
    fresh: Computing, net: zf.DeconvNet
) -> None:
    recording = net.record(zf.sample("dogs").open())
    fresh.choose_photo("dogs")
    fresh.shows_photo(recording.seen()[0])
    fresh.click_channel(3)
    fresh.title("conv5 · channel 3")
    fresh.settled()
    pane = fresh.root.locator(".zf-pane-frame").first
    box = pane.bounding_box()
    assert box is not None
    pane.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    expect(fresh.root.locator(".zf-projection-line").first).to_contain_text("row 6, column 6")
    neuron = recording.neurons("conv5", image=0, channel=3, row=6, col=6)
    like(fresh, recording.project(neuron).to_images(canvas=True)[0], "the neuron in the middle")


def test_four_rules_and_other_contrasts_are_those_of_python(
    opened: Computing, net: zf.DeconvNet
) -> None:
    recording = net.record(zf.sample("cat").open())
    best = int(recording.strongest("conv5").value.argmax())
    opened.click_channel(best)
    opened.title(f"conv5 · channel {best}")
    opened.settled()
    opened.root.get_by_label("All four").check()
    expect(opened.root.locator(".zf-pane-picture")).to_have_count(5, timeout=PATIENCE)
    for n, rule in enumerate(("deconvnet", "guided", "gradient", "linear"), 1):
        expected = projection(recording, "conv5", best, rule=rule)
        assert float((difference(opened.pane(n), expected) <= LEVELS).mean()) > NOT_TIED, rule
    opened.root.get_by_label("All four").uncheck()
    contrast = opened.root.get_by_label("Contrast", exact=True)
    before = contrast.input_value()
    contrast.select_option("largest")
    found = recording.project(recording.strongest("conv5", [best]))
    expected = found.to_images(canvas=True, percentile=100.0)[0]
    like(opened, expected, "full contrast is at the largest value")
    contrast.select_option(before)


# ------------------------------------------------------------------------------- what can fail


def damaged(saved: zf.SavedPage, path: Path, where: float) -> zf.SavedPage:
    """The page with one letter of its weights changed."""
    text = saved.path.read_text(encoding="utf-8")
    begin = text.index('id="zf-weights">') + 16
    at = begin + int((text.index("</script>", begin) - begin) * where)
    path.write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :], "utf-8")
    return zf.SavedPage(path, saved.size, saved.net, (), (), (), {})


def test_damaged_weights_are_said_and_what_was_recorded_stays(
    chromium: Browser, net: zf.DeconvNet, computing: zf.SavedPage, tmp_path: Path, mine: Path
) -> None:
    opened = Opened(chromium, damaged(computing, tmp_path / "damaged.html", 0.5))
    expect(opened.page.locator("html[data-engine=failed]")).to_be_attached(timeout=PATIENCE)
    alert = opened.page.locator(".zf-inspector-head [role=alert]")
    expect(alert).to_contain_text("damaged")
    expect(alert).to_contain_text("export the page again")
    recording = net.record(zf.sample("cat").open())
    best = int(recording.strongest("conv5").value.argmax())
    expected = projection(recording, "conv5", best)
    opened.until(lambda: np.array_equal(opened.pane(1), expected), "what was recorded is there")
    opened.upload(mine)
    expect(opened.notices).to_contain_text("damaged")
    opened.choose_photo("dogs")
    opened.until(lambda: opened.chosen_photo() == "cat", "the last photo is back")
    expect(alert).to_contain_text("damaged")
    assert np.array_equal(opened.pane(1), expected)
    opened.page.context.close()


def test_a_browser_without_simd_is_told_which_one_to_use(
    chromium: Browser, computing: zf.SavedPage, tmp_path: Path, mine: Path
) -> None:
    """The kernels are refused as an old browser refuses them."""
    text = computing.path.read_text(encoding="utf-8")
    old = tmp_path / "old.html"
    old.write_text(text.replace("WebAssembly.validate(", "((_) => false)("), "utf-8")
    assert old.stat().st_size != computing.size
    opened = Opened(chromium, zf.SavedPage(old, 0, "", (), (), (), {}))
    expect(opened.page.locator("html[data-engine=failed]")).to_be_attached(timeout=PATIENCE)
    alert = opened.page.locator(".zf-inspector-head [role=alert]")
    expect(alert).to_contain_text("no WebAssembly SIMD")
    expect(alert).to_contain_text("Firefox 89")
    opened.page.context.close()


# -------------------------------------------------------------------------------------- looks


def test_the_page_is_small_and_says_that_nothing_leaves_the_machine(
    opened: Computing, computing: zf.SavedPage
) -> None:
    assert computing.size == computing.path.stat().st_size < 14e6
    lead = opened.page.locator(".zf-page-lead")
    expect(lead).to_contain_text("no photo leaves it")
    status = opened.page.locator(".zf-page-engine")
    expect(status).to_have_text("The network is ready.")
    expect(opened.page.locator("html[data-computes=cpu]")).to_be_attached()
    expect(status).to_have_attribute("title", re.compile("WebGPU"))  # why not the other one


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1400), ("dark", 1400), ("light", 390), ("dark", 390)]
)
def test_screenshots(opened: Computing, screenshots: Path, scheme: Any, width: int) -> None:
    opened.page.emulate_media(color_scheme=scheme)
    opened.page.set_viewport_size({"width": width, "height": 1000})
    opened.choose_photo("dogs")
    opened.settled()
    opened.wait_for_layer("conv5")
    path = screenshots / f"page-engine-{scheme}-{width}.png"
    take(opened.page, path, whole=True)
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(opened.page) == []
    opened.complaints.clear()  # the audit asks for style sheets in a way that is refused
