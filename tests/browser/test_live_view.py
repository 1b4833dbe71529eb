"""LiveView before Chromium's fake camera: frames become pictures, and the camera goes off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import zfwidgets as zf
from tests.browser.conftest import new_page
from tests.browser.live import LiveWidget
from tests.browser.pictures import take
from tests.browser.pixels import on_canvas
from tests.browser.test_accessibility import findings
from zfwidgets.images import heat_colours
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.live_view import LiveView

FRAMES = "model.sent.filter(message => message.op === 'frame').length"
#: Every camera that was opened, to see that it is let go of.
WATCH = """() => {
window.tracks = [];
const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
if (open) navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await open(wanted);
  tracks.push(...stream.getTracks());
  return stream;
};
}"""
ON = "tracks.filter(track => track.readyState === 'live').length"
DRAWN = "document.querySelector('.zf-live-maps')?.width > 300"


@pytest.fixture
def live(net: zf.DeconvNet) -> Iterator[LiveView]:
    made = LiveView(net, layer="conv2")
    yield made
    made.close()


def opened(page: Page, live: LiveView, theme: str = "light") -> LiveWidget:
    held = LiveWidget(page, live, "live-view", theme, secure=True)
    page.evaluate(WATCH)
    return held


def start(page: Page, live: LiveView, theme: str = "light") -> LiveWidget:
    held = opened(page, live, theme)
    page.get_by_role("button", name="Start camera").click()
    held.until(DRAWN)
    return held


def canvas(page: Page, selector: str) -> np.ndarray:
    """The pixels of a canvas, as they are in it."""
    return on_canvas(page.locator(selector))


def test_nothing_is_asked_before_the_click(camera: Page, live: LiveView) -> None:
    held = opened(camera, live)
    held.until("!!document.querySelector('.zf-live-invite')")
    expect(camera.locator(".zf-live-invite")).to_contain_text("never to the internet")
    assert camera.evaluate("tracks.length") == 0
    assert camera.evaluate(FRAMES) == 0


def test_frames_are_processed_until_it_is_stopped(
    camera: Page, live: LiveView, screenshots: Path
) -> None:
    held = start(camera, live)
    held.until(f"{FRAMES} > 20")
    held.until("/frames\\/s/.test(document.querySelector('.zf-live-status').textContent)")
    take(camera, screenshots / "live-running.png")
    camera.get_by_role("button", name="Stop camera").click()
    assert camera.evaluate(ON) == 0
    sent = camera.evaluate(FRAMES)
    camera.evaluate("new Promise(done => setTimeout(done, 200))")
    assert camera.evaluate(FRAMES) == sent
    expect(camera.locator(".zf-live-maps")).to_be_visible()


def test_what_is_on_the_screen_is_what_the_engine_computes(
    camera: Page, live: LiveView, net: zf.DeconvNet
) -> None:
    held = start(camera, live)
    camera.get_by_role("button", name="Freeze").click()
    held.until("document.querySelector('.zf-live-view').dataset.mode === 'frozen'")
    worker().join()
    held.until(f"{FRAMES} > 0")
    recording = live.recording
    assert recording is not None
    assert list(recording.layers) == list(net.layers)

    # JPEG lies between the page's picture and the kernel's.
    seen = canvas(camera, ".zf-live-figure:nth-child(1) canvas")
    assert np.abs(seen.astype(int) - recording.seen()[0]).mean() < 4

    frame = live._frame
    assert frame is not None
    neurons = recording.strongest("conv2", frame.channel)
    expected = recording.project(neurons).to_images(canvas=True)[0]
    shown = canvas(camera, ".zf-live-figure:nth-child(2) canvas")
    assert np.abs(shown.astype(int) - expected).max() <= 1

    maps = recording.feature_maps("conv2")[0].numpy()
    scale = np.quantile(maps.max((1, 2)), 0.9)
    levels = np.clip(np.rint(maps / scale * 255), 0, 255).astype(np.uint8)
    sheet = canvas(camera, ".zf-live-maps")
    step = next(
        zoom * 26 + 1 for zoom in range(20, 0, -1) if (sheet.shape[1] + 1) % (zoom * 26 + 1) == 0
    )
    columns, zoom = (sheet.shape[1] + 1) // step, step // 26
    for channel in np.argsort(maps.max((1, 2)))[-5:]:
        row, column = divmod(int(channel), columns)
        tile = sheet[row * step : row * step + 26 * zoom, column * step : column * step + 26 * zoom]
        colours = heat_colours()[levels[channel]].repeat(zoom, 0).repeat(zoom, 1)
        assert np.abs(tile.astype(int) - colours).max() <= 8, channel
        assert (tile == colours).mean() > 0.95, channel


def test_a_frozen_frame_stands_still_and_goes_on(
    camera: Page, live: LiveView, screenshots: Path
) -> None:
    held = start(camera, live)
    camera.get_by_role("button", name="Freeze").click()
    held.until("document.querySelector('.zf-live-view').dataset.mode === 'frozen'")
    expect(camera.locator(".zf-live-status")).to_contain_text("live.recording")
    take(camera, screenshots / "live-frozen.png")
    held.until(DRAWN)
    sent = camera.evaluate(FRAMES)
    camera.evaluate("new Promise(done => setTimeout(done, 200))")
    assert camera.evaluate(FRAMES) == sent
    camera.get_by_role("button", name="Go on").click()
    held.until(f"{FRAMES} > {sent + 3}")


def test_a_slow_press_is_a_click_though_frames_come_meanwhile(camera: Page, live: LiveView) -> None:
    held = start(camera, live)
    sign = camera.get_by_role("button", name="Freeze").locator("svg").bounding_box()
    assert sign is not None
    camera.mouse.move(sign["x"] + sign["width"] / 2, sign["y"] + sign["height"] / 2)
    camera.mouse.down()
    held.until(f"{FRAMES} > {camera.evaluate(FRAMES) + 3}")
    camera.mouse.up()
    held.until("document.querySelector('.zf-live-view').dataset.mode === 'frozen'")


def test_a_frozen_frame_can_be_seen_at_other_layers(
    camera: Page, live: LiveView, net: zf.DeconvNet
) -> None:
    held = start(camera, live)
    camera.get_by_role("button", name="Freeze").click()
    held.until("document.querySelector('.zf-live-view').dataset.mode === 'frozen'")
    camera.get_by_label("Layer").select_option("conv4")
    held.until("document.querySelector('.zf-live-sheet figcaption').textContent.includes('384')")
    held.until("document.querySelectorAll('figcaption')[1].textContent.includes('conv4')")
    worker().join()
    assert live._frame is not None
    neurons = live.recording.strongest("conv4", live._frame.channel)
    expected = live.recording.project(neurons).to_images(canvas=True)[0]
    shown = canvas(camera, ".zf-live-figure:nth-child(2) canvas")
    assert np.abs(shown.astype(int) - expected).max() <= 1


def test_never_more_than_two_frames_are_on_their_way(camera: Page, live: LiveView) -> None:
    """The kernel is silent: the page must not pile frames up."""
    held = opened(camera, live)
    held.alive = False
    camera.get_by_role("button", name="Start camera").click()
    camera.wait_for_function(f"{FRAMES} === 2")
    camera.evaluate("new Promise(done => setTimeout(done, 400))")
    assert camera.evaluate(FRAMES) == 2


def test_a_click_on_a_map_follows_its_channel(camera: Page, live: LiveView) -> None:
    held = start(camera, live)
    camera.locator(".zf-live-maps").click(position={"x": 40, "y": 10})
    held.until("model.state.channel !== null")
    channel = camera.evaluate("model.state.channel")
    assert live.channel == channel
    held.until(
        f"document.querySelectorAll('figcaption')[1].textContent.includes('channel {channel},')"
    )
    camera.get_by_label("strongest").check()
    held.until("model.state.channel === null")
    assert live.channel is None


def test_the_layer_is_chosen_with_the_keyboard(camera: Page, live: LiveView) -> None:
    held = start(camera, live)
    camera.get_by_label("Layer").select_option("conv1")
    held.until("document.querySelector('.zf-live-sheet figcaption').textContent.includes('96')")
    assert live.layer == "conv1"


#: A camera that sees red on its left and blue on its right.
TWO_COLOURS = """() => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [320, 240];
  const context = canvas.getContext("2d");
  setInterval(() => {
    context.fillStyle = "red";
    context.fillRect(0, 0, 160, 240);
    context.fillStyle = "blue";
    context.fillRect(160, 0, 160, 240);
  }, 30);
  navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(30);
}"""


@pytest.mark.parametrize("mirrored", [True, False])
def test_the_picture_is_mirrored_for_network_and_eye(
    camera: Page, live: LiveView, mirrored: bool
) -> None:
    held = opened(camera, live)
    camera.evaluate(TWO_COLOURS)
    camera.get_by_label("Mirrored").set_checked(mirrored)
    camera.get_by_role("button", name="Start camera").click()
    held.until(DRAWN)
    camera.get_by_role("button", name="Freeze").click()
    held.until("document.querySelector('.zf-live-view').dataset.mode === 'frozen'")
    worker().join()
    assert live.mirrored is mirrored
    assert live.image is not None
    for picture in (np.asarray(live.image), canvas(camera, ".zf-live-figure:nth-child(1) canvas")):
        red, blue = picture[112, 30].astype(int), picture[112, 194].astype(int)
        assert (red[0] > red[2]) is not mirrored
        assert (blue[2] > blue[0]) is not mirrored


def hide_by_scrolling(page: Page) -> None:
    page.evaluate("document.querySelector('#widget').style.marginTop = '3000px'; 0")


def hide_by_tab(page: Page) -> None:
    page.evaluate(
        """() => {
            Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )


def close_the_view(page: Page) -> None:
    page.evaluate("unmount()")


@pytest.mark.parametrize("leave", [hide_by_scrolling, hide_by_tab, close_the_view])
def test_the_camera_is_let_go_of_when_nobody_looks(
    camera: Page, live: LiveView, leave: Callable[[Page], None]
) -> None:
    start(camera, live)
    assert camera.evaluate(ON) == 1
    leave(camera)
    camera.wait_for_function(f"{ON} === 0")
    sent = camera.evaluate(FRAMES)
    camera.evaluate("new Promise(done => setTimeout(done, 200))")
    assert camera.evaluate(FRAMES) == sent


def test_it_goes_on_when_it_is_seen_again(camera: Page, live: LiveView) -> None:
    held = start(camera, live)
    hide_by_scrolling(camera)
    camera.wait_for_function(f"{ON} === 0")
    expect(camera.locator(".zf-live-status")).to_contain_text("the camera is off")
    sent = camera.evaluate(FRAMES)
    camera.evaluate("document.querySelector('#widget').style.marginTop = ''; 0")
    held.until(f"{FRAMES} > {sent + 3}")
    assert camera.evaluate(ON) == 1


def test_a_view_closed_while_the_camera_starts_lets_go_of_it(camera: Page, live: LiveView) -> None:
    opened(camera, live)
    camera.get_by_role("button", name="Start camera").click()
    camera.evaluate("unmount()")
    camera.wait_for_function("tracks.length === 1 && tracks[0].readyState === 'ended'")
    assert camera.evaluate("model.listening()") == 0


def test_a_refused_camera_says_what_to_do(
    refusing: Browser, live: LiveView, screenshots: Path
) -> None:
    page = new_page(refusing)
    opened(page, live)
    page.get_by_role("button", name="Start camera").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The camera was not allowed")
    expect(alert).to_contain_text("address bar")
    expect(page.get_by_role("button", name="Start camera")).to_be_enabled()
    take(page, screenshots / "live-refused.png")
    page.context.close()


def test_a_page_that_is_not_secure_says_so(page: Page, live: LiveView) -> None:
    LiveWidget(page, live, "live-view")
    page.get_by_role("button", name="Start camera").click()
    expect(page.get_by_role("alert")).to_contain_text("https")


@pytest.mark.parametrize(
    ("name", "says"), [("NotFoundError", "No camera was found"), ("NotReadableError", "in use")]
)
def test_a_missing_or_busy_camera_says_so(
    camera: Page, live: LiveView, name: str, says: str
) -> None:
    opened(camera, live)
    camera.evaluate(
        "name => { navigator.mediaDevices.getUserMedia = () => "
        "Promise.reject(new DOMException('no', name)); }",
        name,
    )
    camera.get_by_role("button", name="Start camera").click()
    expect(camera.get_by_role("alert")).to_contain_text(says)


def test_an_error_of_the_kernel_is_shown_and_the_camera_goes_off(
    camera: Page, live: LiveView, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = start(camera, live)

    def broken(*_: object) -> None:
        raise ValueError("the network has lost its weights")

    monkeypatch.setattr(live._looker, "look", broken)
    held.until(f"{ON} === 0")
    expect(camera.get_by_role("alert")).to_contain_text("lost its weights")
    expect(camera.locator(".zf-live-maps")).to_be_visible()


def test_a_running_view_can_be_read_by_everybody(camera: Page, live: LiveView) -> None:
    start(camera, live)
    assert findings(camera) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 800, 390])
def test_pictures_for_people(
    camera: Page, live: LiveView, screenshots: Path, theme: str, width: int
) -> None:
    camera.set_viewport_size({"width": width, "height": 900})
    held = opened(camera, live, theme)
    take(camera, screenshots / f"live-idle-{theme}-{width}.png")
    camera.get_by_role("button", name="Start camera").click()
    held.until(DRAWN if width > 400 else f"{FRAMES} > 5")
    held.until("/frames\\/s/.test(document.querySelector('.zf-live-status').textContent)")
    take(camera, screenshots / f"live-on-{theme}-{width}.png")
    assert camera.evaluate("document.documentElement.scrollWidth <= innerWidth")
