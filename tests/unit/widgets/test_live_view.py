"""LiveView without a camera: frames in, the engine's own pictures out, and a frozen recording."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image

import zfwidgets as zf
from zfwidgets.images import heat_colours
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.live_view import LiveView
from zfwidgets.widgets.live_view.frames import MOST_VALUES, Looker, _Heavy, shades


@pytest.fixture(scope="module")
def net() -> zf.DeconvNet:
    return zf.load("zfnet", device="cpu")


def photo(name: str = "cat", side: int = 224) -> Image.Image:
    """The middle square of a sample, as a page would cut it."""
    picture = zf.sample(name).open()
    short = min(picture.size)
    left, top = (picture.width - short) // 2, (picture.height - short) // 2
    return picture.crop((left, top, left + short, top + short)).resize((side, side))


def encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


class Camera:
    """The page's part: sends frames, keeps what was answered."""

    def __init__(self, live: LiveView) -> None:
        self.live = live
        self.sent = 0
        self.answers: list[tuple[dict[str, Any], list[bytes]]] = []
        live._responder._send = lambda content, buffers: self.answers.append(
            (content, [bytes(b) for b in buffers or ()])
        )

    def show(self, data: bytes) -> tuple[dict[str, Any], list[bytes]]:
        self.sent += 1
        message = {"v": 1, "id": self.sent, "epoch": 0, "op": "frame"}
        self.live._handle_custom_msg(message, [memoryview(data)])
        worker().join()
        return self.answers[-1]


@pytest.fixture
def live(net: zf.DeconvNet) -> Iterator[LiveView]:
    made = LiveView(net, layer="conv2")
    yield made
    made.close()


def picture(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("layer", ["conv1", "conv2", "conv5", "pool1"])
def test_maps_and_projection_are_the_engines(net: zf.DeconvNet, layer: str) -> None:
    live = LiveView(net, layer=layer)
    head, (levels, projection, strengths) = Camera(live).show(encoded(photo()))
    live.close()

    # A square of the input's size is not resized: only the preparation's numbers are left.
    prepared = net.transforms
    values = np.asarray(photo(), np.float32) / 255
    values = (values - np.array(prepared.mean)) / np.array(prepared.std)  # type: ignore[attr-defined]
    inputs = torch.tensor(values, dtype=torch.float32).permute(2, 0, 1)[None]
    recording = net.record(inputs)
    maps = recording.feature_maps(layer)[0]
    found = recording.strongest(layer)
    best = int(found.value.argmax())

    assert (head["ok"], head["layer"], head["channel"]) == (True, layer, best)
    assert (head["row"], head["col"]) == (int(found.row[best]), int(found.col[best]))
    # The live frame is computed on one thread, whose sums round otherwise than those of several.
    strongest = maps.amax((1, 2)).numpy()
    assert np.frombuffer(strengths, "<f4") == pytest.approx(strongest, rel=1e-3, abs=1e-5)
    expected = recording.project(found[[best]])
    assert head["box"] == expected.boxes[0].tolist()
    difference = picture(projection).astype(int) - expected.to_images(canvas=True)[0]
    assert np.abs(difference).max() <= 1
    shown = np.frombuffer(levels, np.uint8).reshape(head["shape"])
    assert shown.size <= MOST_VALUES
    if shown.shape == maps.shape:
        scale = np.quantile(maps.amax((1, 2)).numpy(), 0.9)
        assert np.abs(shown - np.clip(maps.numpy() / scale, 0, 1) * 255).max() <= 1


def test_a_chosen_channel_is_the_one_projected(live: LiveView) -> None:
    live.channel = 17
    head, _ = Camera(live).show(encoded(photo()))
    assert head["channel"] == 17


def test_the_strongest_channel_stays_until_another_is_clearly_stronger(net: zf.DeconvNet) -> None:
    looker = Looker(net)
    looker._shown = "conv2", 5
    near = torch.full((256,), 1.0)
    near[9] = 1.15
    assert looker._strongest("conv2", near) == 5
    near[9] = 1.25
    assert looker._strongest("conv2", near) == 9
    assert looker._strongest("conv3", near) == 9


def test_a_black_frame_is_dark_and_without_a_projection(live: LiveView) -> None:
    head, (_, projection, _) = Camera(live).show(encoded(Image.new("RGB", (224, 224))))
    assert head["ok"]
    assert picture(projection).shape == (224, 224, 3)


def test_all_maps_share_one_scale_and_silence_is_dark() -> None:
    maps = torch.zeros(20, 4, 4)
    maps[:10] = torch.arange(1, 11)[:, None, None]
    levels, scale = shades(maps, maps.amax((1, 2)))
    assert scale == pytest.approx(np.quantile([*range(1, 11), *[0] * 10], 0.9))
    assert levels[10:].max() == 0
    assert levels[9].min() == 255
    assert levels[3, 0, 0] == round(4 * 255 / scale)
    silent, nothing = shades(torch.zeros(3, 2, 2), torch.zeros(3))
    assert (silent.max(), nothing) == (0, 0.0)


class Processor:
    """A preparation as transformers have it: a mapping comes out, of a size of its own."""

    def __call__(self, picture: Image.Image) -> dict[str, Any]:
        small = np.asarray(picture.resize((64, 64)), np.float32) / 255
        return {"pixel_values": [small.transpose(2, 0, 1)]}


class Grey:
    """A preparation that wants a grey picture, and says nothing of itself."""

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        if picture.mode != "L":
            raise ValueError("expected a grey picture")
        return torch.from_numpy(np.asarray(picture.resize((48, 48)), np.float32))[None] / 255


@pytest.mark.parametrize(("channels", "transforms"), [(3, Processor()), (1, Grey())])
def test_frames_go_through_whatever_preparation_the_network_has(
    channels: int, transforms: Any
) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(channels, 4, 3), torch.nn.ReLU())
    net = zf.DeconvNet(model, transforms=transforms)
    looker = Looker(net)
    sent = photo(side=looker.side)
    frame = looker.look(encoded(sent), next(iter(net.layers)))
    recording = net.record(sent)
    assert looker.inputs is not None
    assert torch.equal(looker.inputs, recording.inputs)
    assert np.array_equal(frame.seen, recording.seen()[0])
    assert not looker.exact  # what is seen is not what was sent: it must be sent back


def test_large_maps_are_shrunk_to_a_bounded_message() -> None:
    maps = torch.rand(64, 224, 224)
    levels, _ = shades(maps, maps.amax((1, 2)))
    assert levels.size <= MOST_VALUES
    assert levels.shape[0] == 64
    assert levels.shape[1] == levels.shape[2]


@pytest.mark.parametrize("data", [b"", b"no picture", b"x" * (3 * 2**20)], ids=len)
def test_a_frame_that_is_no_picture_is_refused_and_the_last_one_stays(
    live: LiveView, data: bytes
) -> None:
    camera = Camera(live)
    camera.show(encoded(photo()))
    before = live._frame
    head, _ = camera.show(data)
    assert not head["ok"]
    assert head["error"]["title"]
    assert live._frame is before


def test_freezing_keeps_all_layers_of_the_last_frame(live: LiveView, net: zf.DeconvNet) -> None:
    camera = Camera(live)
    camera.show(encoded(photo("cat")))
    seen: list[Any] = []
    live.observe(lambda change: seen.append(change["new"]), "recording")
    live.frozen = True
    worker().join()
    assert len(seen) == 1
    assert list(live.recording.layers) == list(net.layers)
    assert live.recording.logits is not None
    assert np.array_equal(live.recording.seen()[0], np.asarray(photo("cat")))
    assert live.image is not None
    assert np.array_equal(np.asarray(live.image), live.recording.seen()[0])
    # A frame that was under way when it froze changes nothing.
    head, _ = camera.show(encoded(photo("dogs")))
    assert head["frozen"]
    live.frozen = False
    worker().join()
    assert np.array_equal(live.recording.seen()[0], np.asarray(photo("cat")))


def test_a_frozen_recording_feeds_a_channel_browser(live: LiveView) -> None:
    Camera(live).show(encoded(photo()))
    browser = zf.ChannelBrowser(layer="conv5")
    link = traitlets.dlink((live, "recording"), (browser, "recording"))
    live.frozen = True
    worker().join()
    assert browser.recording is live.recording
    assert browser.wait(60)
    link.unlink()
    browser.close()


def test_freezing_before_the_first_frame_records_nothing(live: LiveView) -> None:
    live.frozen = True
    worker().join()
    assert live.recording is None
    assert not live.error


def test_a_change_of_layer_forgets_the_channel(live: LiveView) -> None:
    live.channel = 200
    live.layer = "conv1"
    assert live.get_state()["channel"] is None
    head, _ = Camera(live).show(encoded(photo()))
    assert (head["layer"], head["shape"][0]) == ("conv1", 96)


def test_unknown_layers_and_channels_are_refused(live: LiveView, net: zf.DeconvNet) -> None:
    with pytest.raises(KeyError, match="conv2"):
        LiveView(net, layer="conv22")
    with pytest.raises(traitlets.TraitError, match="0 to 255"):
        live.channel = 256
    assert (live.layer, live.channel) == ("conv2", None)


def test_computing_leaves_the_number_of_threads_alone(live: LiveView) -> None:
    before = torch.get_num_threads()
    Camera(live).show(encoded(photo()))
    assert torch.get_num_threads() == before


def test_only_a_layer_that_is_slow_again_and_again_gets_all_threads() -> None:
    heavy = _Heavy()
    for seconds in (9.0, 0.01, 9.0, 9.0):  # the first frame of a network takes longer
        heavy.tell("conv2", seconds)
        assert "conv2" not in heavy
    heavy.tell("conv2", 9.0)
    assert "conv2" in heavy
    assert "conv1" not in heavy


def test_the_page_is_told_layers_colours_and_size(live: LiveView, net: zf.DeconvNet) -> None:
    state = live.get_state()
    assert [one["name"] for one in state["_layers"]] == list(net.layers)
    assert state["_palette"] == heat_colours().tobytes()
    assert state["_side"] == 224


def test_a_network_with_another_preparation_gets_frames_to_crop(net: zf.DeconvNet) -> None:
    prepare = zf.Preprocess()
    live = LiveView(zf.DeconvNet(net.model, transforms=prepare.__call__), layer="conv1")
    assert live.get_state()["_side"] == 256
    head, (*_, seen) = Camera(live).show(encoded(photo(side=256)))
    live.close()
    # What it sees is sent back, since the page cannot know.
    assert head["size"] == [224, 224]
    net_of_unknown = zf.DeconvNet(net.model, transforms=prepare.__call__)
    expected = net_of_unknown.undo(prepare(photo(side=256))[None])[0]
    assert np.array_equal(picture(seen), expected)


def test_closing_lets_go_of_everything(net: zf.DeconvNet) -> None:
    live = LiveView(net)
    Camera(live).show(encoded(photo()))
    live.frozen = True
    worker().join()
    gone = [weakref.ref(live.recording), weakref.ref(live)]
    live.close()
    live.close()
    del live
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
