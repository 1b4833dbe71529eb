"""Exemplars in a page with the engine: the strongest of the photos that the page has."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

import zfwidgets as zf
from tests.browser.pictures import take
from tests.browser.pixels import on_canvas
from tests.browser.test_accessibility import findings
from tests.browser.test_page_engine import LEVELS, Computing
from tests.browser.waiting import until
from zfwidgets.images import contrast
from zfwidgets.images.tiles import resize

PHOTOS = ["cat", "dogs", "bee", "coffee"]
SHOWN = "zfKernel.models.get('strip').get('_shown')"


@pytest.fixture(scope="module")
def opened(
    chromium: Browser, net: zf.DeconvNet, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Computing]:
    path = tmp_path_factory.mktemp("strip") / "page.html"
    page = Computing(chromium, zf.to_html(net, path, photos=PHOTOS, engine=True, progress=False))
    page.root.locator(".zf-exemplar-strip").scroll_into_view_if_needed()
    yield page
    assert page.complaints == []
    page.page.context.close()


def strongest(net: zf.DeconvNet, layer: str, channel: int, photos: list[str]) -> list[Any]:
    """(value, name, row, col) of the photos that excite the channel, strongest first."""
    found = []
    for name in photos:
        neurons = net.record(zf.sample(name).open()).strongest(layer, [channel])
        found.append((float(neurons.value[0]), name, int(neurons.row[0]), int(neurons.col[0])))
    return sorted((one for one in found if one[0] > 0), reverse=True)


def shows(opened: Computing, layer: str, channel: int, photos: int) -> list[dict[str, Any]]:
    """The pictures of the strip, once it is of this channel and as many photos."""
    until(
        opened.page,
        f"""([layer, channel, scanned]) => {{
            const shown = {SHOWN};
            return shown.layer === layer && shown.channel === channel
                && shown.scanned === scanned;
        }}""",
        [layer, channel, photos],
    )
    pictures: list[dict[str, Any]] = opened.page.evaluate(f"{SHOWN}.pictures")
    return pictures


def goes_to(opened: Computing, layer: str) -> None:
    """Choose a layer. A click on a channel before the grid is its own lands on another one."""
    opened.choose_layer(layer)
    opened.wait_for_layer(layer)
    opened.settled()


def test_the_strip_shows_the_photos_of_the_page_that_excite_the_channel_most(
    opened: Computing, net: zf.DeconvNet, screenshots: Path
) -> None:
    channel = 70
    opened.click_channel(channel)
    pictures = shows(opened, "conv5", channel, len(PHOTOS))
    expected = strongest(net, "conv5", channel, PHOTOS)
    assert [one["id"] for one in pictures] == [name for _, name, _, _ in expected]
    for picture, (value, _, row, col) in zip(pictures, expected, strict=True):
        assert picture["value"] == pytest.approx(value, rel=1e-2)
        assert (picture["row"], picture["col"]) == (row, col)
    # The first patch is what its neuron sees, as the decoders of browsers give it.
    head, text = opened.page.evaluate(
        f"""() => {{
            const {{ sheet, data }} = {SHOWN};
            const bytes = new Uint8Array(data.buffer);
            let text = "";
            for (const byte of bytes) text += String.fromCharCode(byte);
            return [sheet, btoa(text)];
        }}"""
    )
    assert len(head["ids"]) == 2 * len(expected)
    height, width = head["tile"]
    tile = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))
    recording = net.record(zf.sample(expected[0][1]).open())
    top, left, bottom, right = recording.layers["conv5"].box(*expected[0][2:])
    inside = np.pad(recording.seen()[0], ((139, 139), (139, 139), (0, 0)), constant_values=128)[
        top + 139 : bottom + 139, left + 139 : right + 139
    ]
    patch = resize(inside[None], height, width)[0]
    far = np.abs(tile[:height, :width].astype(int) - patch)
    assert float((far <= LEVELS).mean()) > 0.98
    expect(opened.root.locator(".zf-strip-pictures [data-rank]")).to_have_count(len(expected))
    answers = opened.root.locator(".zf-answer")
    expect(answers.nth(0)).to_contain_text("No picture")
    expect(answers.nth(1).locator("canvas")).to_have_count(2)
    expect(answers.nth(3)).to_contain_text("Not in this page.")
    # Nobody has counted classes here, so nothing is said of them.
    expect(opened.root.locator(".zf-exemplar-strip")).not_to_contain_text("class")
    assert findings(opened.page, ".zf-exemplar-strip") == []
    take(opened.page, screenshots / "page-strip.png", whole=True)


def test_beside_them_stands_what_the_chosen_photo_and_the_filter_say(
    opened: Computing, net: zf.DeconvNet
) -> None:
    photo = opened.chosen_photo()
    recording = net.record(zf.sample(photo).open())
    goes_to(opened, "conv1")
    channel = 9
    opened.click_channel(channel)
    shows(opened, "conv1", channel, len(PHOTOS))
    answers = "zfKernel.models.get('strip').get('_answers')"
    until(
        opened.page,
        f"(channel) => {answers}.layer === 'conv1' && {answers}.channel === channel",
        channel,
    )
    shown = on_canvas(opened.root.locator('[data-answer="filter"] canvas'))
    weights = net.model.get_parameter("conv1.weight").detach()[[channel]]
    assert np.abs(shown.astype(int) - contrast(net.to_rgb(weights))[0][0]).max() <= 1
    patch = on_canvas(opened.root.locator('[data-answer="photo"] canvas').first)
    neuron = recording.strongest("conv1", [channel])
    top, left, bottom, right = recording.layers["conv1"].box(int(neuron.row[0]), int(neuron.col[0]))
    inside = np.pad(recording.seen()[0], ((8, 8), (8, 8), (0, 0)), constant_values=128)[
        top + 8 : bottom + 8, left + 8 : right + 8
    ]
    assert float((np.abs(patch.astype(int) - inside) <= LEVELS).mean()) > 0.9


def test_a_click_shows_the_neuron_in_its_photo(opened: Computing, net: zf.DeconvNet) -> None:
    goes_to(opened, "conv5")
    channel = 70
    opened.click_channel(channel)
    shows(opened, "conv5", channel, len(PHOTOS))
    other = next(
        (rank, one)
        for rank, one in enumerate(strongest(net, "conv5", channel, PHOTOS))
        if one[1] != opened.chosen_photo()
    )
    rank, (_, name, row, col) = other
    opened.root.locator(f'.zf-strip-pictures [data-rank="{rank}"]').click()
    opened.shows_photo(net.record(zf.sample(name).open()).seen()[0])
    assert opened.chosen_photo() == name
    place = opened.page.evaluate("zfKernel.models.get('view').get('place')")
    assert place == [row, col]


def test_a_photo_of_ones_own_joins_the_others(
    opened: Computing, net: zf.DeconvNet, tmp_path: Path
) -> None:
    goes_to(opened, "conv5")
    picture = tmp_path / "mine.png"
    zf.sample("raccoon").open().save(picture)
    opened.upload(picture)
    recording = net.record(picture)
    # The channels are sorted anew when it has come; a click meanwhile lands on another one.
    opened.shows_photo(recording.seen()[0])
    opened.settled()
    channel = int(recording.strongest("conv5").value.argmax())
    opened.click_channel(channel)
    pictures = shows(opened, "conv5", channel, len(PHOTOS) + 1)
    assert "mine.png" in [one["id"] for one in pictures]
