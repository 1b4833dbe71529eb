"""The Inspector in JupyterLab: what is on the screen is what the engine computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

import zfwidgets as zf
from tests.browser import conftest, hosts
from tests.browser.inspector_page import InspectorPage, likeness
from tests.browser.pictures import take
from tests.browser.pixels import Pixels
from zfwidgets.images import decode

EYE = (80, 66)  # row and column of the cat's left eye in the square that the network sees


@pytest.fixture(scope="module")
def opened(lab_page: Page, lab: hosts.Host) -> Iterator[InspectorPage]:
    """A notebook with the one-liner, run once for all tests of this file."""
    cell = "import zfwidgets as zf\n\nzf.Inspector('zfnet')"
    with conftest.notebook(lab_page, lab, "inspector.ipynb", cell) as page:
        inspector = InspectorPage(page)
        expect(inspector.root).to_be_visible()
        yield inspector


@pytest.fixture
def inspector(opened: InspectorPage) -> InspectorPage:
    """The Inspector with the cat and conv5, as every test begins."""
    opened.choose_photo("cat")
    opened.choose_layer("conv5")
    opened.choose_mode("Feature map")
    opened.wait_for_layer("conv5")
    return opened


def shows_map(inspector: InspectorPage, recording: zf.Recording, layer: str, channel: int) -> bool:
    """Is the tile of a channel its feature map, brighter where it is larger?"""
    expected = recording.feature_maps(layer)[0, channel].numpy()
    return likeness(inspector.tile(channel), expected) > 0.95


def strongest(recording: zf.Recording, layer: str) -> list[int]:
    """Channels of a layer, the one with the largest value first."""
    order: list[int] = recording.strongest(layer).value.argsort(descending=True).tolist()
    return order


def looking_at(recording: zf.Recording, layer: str, row: int, col: int) -> int:
    """The strongest channel whose strongest neuron has this pixel near the middle of its field."""
    neurons = recording.strongest(layer)
    for channel in strongest(recording, layer):
        box = recording.layers[layer].box(int(neurons.row[channel]), int(neurons.col[channel]))
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        if np.hypot(middle[0] - row, middle[1] - col) < 24:
            return channel
    return strongest(recording, layer)[0]


def shows_projection(
    inspector: InspectorPage, recording: zf.Recording, layer: str, channel: int
) -> bool:
    """Is the large projection that of the channel's strongest neuron, in its place?"""
    projection = recording.project(recording.strongest(layer, [channel]))
    expected = projection.to_images(canvas=True)[0]
    shown = inspector.figure(1)
    return shown.shape == expected.shape and int(abs(shown.astype(int) - expected).max()) <= 2


def test_the_page_opens_with_the_photo_that_the_network_sees(
    inspector: InspectorPage, net: zf.DeconvNet
) -> None:
    seen = net.record(zf.samples()["cat"].open()).seen()[0]
    inspector.until(
        lambda: np.array_equal(inspector.figure(0), seen), "the photo is the network's input"
    )


def test_each_tile_is_its_channels_feature_map(inspector: InspectorPage, net: zf.DeconvNet) -> None:
    recording = net.record(zf.samples()["cat"].open())
    for channel in strongest(recording, "conv5")[:6]:
        inspector.click_channel(channel)
        assert shows_map(inspector, recording, "conv5", channel), channel


def test_choosing_a_layer_shows_that_layers_channels(
    inspector: InspectorPage, net: zf.DeconvNet
) -> None:
    recording = net.record(zf.samples()["cat"].open())
    for layer in ("conv3", "conv2"):
        inspector.choose_layer(layer)
        inspector.wait_for_layer(layer)
        expect(inspector.summary).to_contain_text(f"{net.layers[layer].channels} channels")
        channel = strongest(recording, layer)[0]
        inspector.click_channel(channel)
        assert shows_map(inspector, recording, layer, channel), layer


def test_clicking_a_channel_projects_its_strongest_neuron(
    inspector: InspectorPage, net: zf.DeconvNet
) -> None:
    recording = net.record(zf.samples()["cat"].open())
    first, second = strongest(recording, "conv5")[1:3]
    for channel in (first, second):
        inspector.click_channel(channel)
        inspector.until(
            lambda channel=channel: shows_projection(inspector, recording, "conv5", channel),  # type: ignore[misc]
            f"the projection is that of channel {channel}",
        )
    assert not shows_projection(inspector, recording, "conv5", first)


def test_in_projection_mode_each_tile_is_its_channels_projection(
    inspector: InspectorPage, net: zf.DeconvNet
) -> None:
    recording = net.record(zf.samples()["cat"].open())
    inspector.choose_mode("Projection")
    inspector.wait_for_layer("conv5")
    for channel in strongest(recording, "conv5")[:3]:
        inspector.click_channel(channel)
        projection = recording.project(recording.strongest("conv5", [channel]))
        (expected,) = projection.to_images()
        grey = Image.fromarray(expected).convert("L")
        inspector.until(
            lambda channel=channel, grey=grey: shows(inspector.tile(channel), grey),  # type: ignore[misc]
            f"the tile is the projection of channel {channel}",
        )


def shows(tile: Pixels, grey: Image.Image) -> bool:
    """Whether a tile is this picture, made smaller as tiles are: fine lines bear no other way."""
    height, width = tile.shape[:2]
    smaller = grey.resize((width, height), Image.Resampling.BILINEAR)
    return likeness(tile, np.asarray(smaller, float)) > 0.95


def test_an_uploaded_picture_replaces_the_photo_and_every_tile(
    inspector: InspectorPage, net: zf.DeconvNet, tmp_path: Path
) -> None:
    picture = tmp_path / "mine.png"
    rows, cols = np.mgrid[0:300, 0:400]
    rings = (127 + 120 * np.sin(np.hypot(rows - 150, cols - 150) / 6)).astype(np.uint8)
    Image.fromarray(np.stack([rings, rings[::-1], 255 - rings], axis=2)).save(picture)
    recording = net.record(decode(picture))
    channel = strongest(recording, "conv5")[0]

    inspector.upload(picture)
    inspector.until(
        lambda: np.array_equal(inspector.figure(0), recording.seen()[0]),
        "the photo is the uploaded picture",
    )
    assert inspector.chosen_photo() == "mine.png"
    inspector.click_channel(channel)
    inspector.until(
        lambda: shows_map(inspector, recording, "conv5", channel), "the tile is of the new picture"
    )
    inspector.until(
        lambda: shows_projection(inspector, recording, "conv5", channel),
        "the projection is of the new picture",
    )


def corrupt(path: Path) -> None:
    """A photo whose second half was lost on the way and whose first half has wrong bytes."""
    whole = bytearray(zf.samples()["cat"].path.read_bytes())
    whole[20:200] = bytes(180)
    path.write_bytes(whole[: len(whole) // 2])


def hundred_megapixels(path: Path) -> None:
    """10,000 x 10,000 pixels in a file of a few kilobytes."""
    Image.new("1", (10_000, 10_000)).save(path)


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("corrupt.jpg", corrupt, "corrupt.jpg"),
        ("huge.png", hundred_megapixels, "pixels"),
        ("text.png", lambda path: path.write_text("Not a picture.\n" * 100), "text.png"),
        ("empty.png", lambda path: path.write_bytes(b""), "empty"),
    ],
)
def test_a_file_that_is_no_picture_is_explained_and_the_previous_picture_stays(
    inspector: InspectorPage,
    net: zf.DeconvNet,
    tmp_path: Path,
    name: str,
    make: Callable[[Path], object],
    says: str,
) -> None:
    recording = net.record(zf.samples()["cat"].open())
    file = tmp_path / name
    make(file)
    inspector.upload(file)
    expect(inspector.notices).to_have_count(1)
    expect(inspector.notices).to_contain_text(says)
    expect(inspector.picker.locator("[role=alert]:visible")).to_have_count(1)
    assert inspector.chosen_photo() == "cat"
    assert np.array_equal(inspector.figure(0), recording.seen()[0])
    channel = strongest(recording, "conv5")[0]
    inspector.click_channel(channel)
    assert shows_map(inspector, recording, "conv5", channel)
    inspector.notices.get_by_role("button", name="Dismiss").click()
    expect(inspector.notices).to_have_count(0)


def test_of_five_quick_clicks_the_last_layer_is_the_one_shown(
    inspector: InspectorPage, net: zf.DeconvNet
) -> None:
    recording = net.record(zf.samples()["cat"].open())
    for layer in ("conv5", "conv3", "conv1", "conv4", "conv2"):
        inspector.choose_layer(layer)
    inspector.wait_for_layer("conv2")
    # What is still under way must not come later and replace it.
    inspector.page.wait_for_function(
        "jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"
    )
    expect(inspector.summary).to_contain_text("conv2 · 256 channels")
    channel = strongest(recording, "conv2")[0]
    inspector.click_channel(channel)
    assert shows_map(inspector, recording, "conv2", channel)
    inspector.until(
        lambda: shows_projection(inspector, recording, "conv2", channel),
        "the projection is that of the last layer",
    )


def test_the_layers_are_walked_with_the_keyboard_and_the_notebook_does_not_hear_it(
    inspector: InspectorPage,
) -> None:
    cells = "jupyterapp.shell.currentWidget.content.model.cells.length"
    before = inspector.page.evaluate(cells)
    inspector.layers.locator('[role=option][data-id="conv5"]').focus()
    inspector.page.keyboard.press("ArrowLeft")
    inspector.page.keyboard.press("Enter")
    expect(inspector.summary).not_to_contain_text("conv5 ·")
    for key in ("a", "b", "x"):  # JupyterLab: insert a cell above, below, cut
        inspector.page.keyboard.press(key)
        assert inspector.page.evaluate(cells) == before, key


@pytest.mark.parametrize("theme", ["Light", "Dark"])
@pytest.mark.parametrize("width", [1400, 800])
def test_screenshots(
    inspector: InspectorPage, screenshots: Path, net: zf.DeconvNet, theme: str, width: int
) -> None:
    page = inspector.page
    page.evaluate(
        "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})",
        f"JupyterLab {theme}",
    )
    expect(
        page.locator(f"body[data-jp-theme-light='{str(theme == 'Light').lower()}']")
    ).to_be_attached()
    # What is higher than the window is not all in a picture of it.
    page.set_viewport_size({"width": width, "height": 1600 if width > 1000 else 2800})
    recording = net.record(zf.samples()["cat"].open())
    channel = looking_at(recording, "conv5", *EYE)
    inspector.choose_mode("Projection")
    inspector.wait_for_layer("conv5")
    inspector.click_channel(channel)
    inspector.until(
        lambda: shows_projection(inspector, recording, "conv5", channel), "the projection is shown"
    )
    inspector.wait_for_layer("conv5")
    strip = inspector.root.locator(".zf-exemplar-strip")
    strip.scroll_into_view_if_needed()
    expect(strip).to_have_attribute("data-state", "ready", timeout=60_000)
    expect(strip).to_contain_text(f"What is channel {channel} of conv5?")
    expect(strip.locator(".zf-strip-pair")).to_have_count(9)
    expect(strip.locator('.zf-answer[data-state="waiting"]')).to_have_count(0)
    expect(strip.locator('[data-answer="photo"] canvas')).to_have_count(2)
    picture = screenshots / f"lab-{theme.lower()}-{width}.png"
    take(inspector.root, picture)
    with Image.open(picture) as shot:
        corner = np.asarray(shot.convert("L"))[2, 2]
    assert (corner > 200) == (theme == "Light")
    overflow = inspector.root.evaluate("root => root.scrollWidth - root.clientWidth")
    assert overflow <= 0, "nothing sticks out on the right"
    page.set_viewport_size({"width": 1400, "height": 1000})
