"""What stands beside a strip's exemplars: filter, projection in the photo, synthesised picture."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import zfwidgets as zf
from tests.unit.widgets.browsing import TinyNet, cut
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import contrast
from zfwidgets.images.tiles import resize
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.exemplar_strip import ExemplarStrip
from zfwidgets.widgets.exemplar_strip.kernels import kernels_of

Make = Callable[..., ExemplarStrip]


@pytest.fixture(scope="module")
def zfnet() -> DeconvNet:
    return zf.load("zfnet", device="cpu")


@pytest.fixture
def tiny() -> DeconvNet:
    torch.manual_seed(1)
    how = zf.Preprocess(size=32, resize=32)
    return DeconvNet(TinyNet().eval(), how, device="cpu", name="tiny")


@pytest.fixture
def make() -> Iterator[Make]:
    """Strips with all four answers that somebody sees; closed afterwards."""
    made: list[ExemplarStrip] = []

    def build(net: Any, **how: Any) -> ExemplarStrip:
        strip = ExemplarStrip(net, **{"four": True, "in_sight": True, **how})
        made.append(strip)
        worker().join()
        return strip

    yield build
    for strip in made:
        strip.close()


def pictures(strip: ExemplarStrip, name: str) -> np.ndarray:
    """The pictures of one answer."""
    cell = strip._answers["cells"][name]
    return np.stack(list(cut(cell["sheet"], cell["data"]).values()))


def test_the_photos_answer_is_its_patch_and_its_projection_at_the_strongest_neuron(
    make: Make, zfnet: DeconvNet
) -> None:
    recording = zfnet.record(zf.sample("cat").open())
    channel = int(recording.strongest("conv5").value.argmax())
    strip = make(zfnet, recording=recording, layer="conv5", channel=channel)
    assert strip._answers["channel"] == channel
    patch, projection = pictures(strip, "photo")
    neuron = recording.strongest("conv5", [channel])
    pixels = resize(recording.project(neuron).pixels, *projection.shape[:2])
    far = np.abs(projection.astype(int) - contrast(pixels)[0][0])
    assert far.mean() < 4, "but for compression"
    box = recording.layers["conv5"].box(int(neuron.row[0]), int(neuron.col[0]))
    margin = 150
    photo = np.pad(recording.seen()[0], ((margin, margin), (margin, margin), (0, 0)))
    seen = photo[margin + box[0] : margin + box[2], margin + box[1] : margin + box[3]]
    assert patch.shape == seen.shape
    inside = np.zeros(seen.shape[:2], bool)
    inside[max(0, -box[0]) : 224 - box[0], max(0, -box[1]) : 224 - box[1]] = True
    assert np.abs(patch.astype(int) - seen)[inside].mean() < 4, "but for compression"


def test_the_filter_is_a_picture_where_it_reads_pixels(make: Make, zfnet: DeconvNet) -> None:
    recording = zfnet.record(zf.sample("cat").open())
    strip = make(zfnet, recording=recording, layer="conv1", channel=9)
    (shown,) = pictures(strip, "filter")
    weights = zfnet.model.get_parameter("conv1.weight").detach()[[9]]
    expected = contrast(zfnet.to_rgb(weights))[0][0]
    assert np.abs(shown.astype(int) - expected).max() <= 1


def test_a_deeper_filter_names_the_channels_that_it_weighs_most(
    make: Make, zfnet: DeconvNet
) -> None:
    recording = zfnet.record(zf.sample("cat").open())
    strip = make(zfnet, recording=recording, layer="conv4", channel=5)
    cell = strip._answers["cells"]["filter"]
    kernels = zfnet.model.get_parameter("conv4.weight").detach()[5]
    sizes = [float((kernel**2).sum()) for kernel in kernels]
    largest = sorted(range(len(sizes)), key=lambda one: -sizes[one])[:3]
    assert cell == {
        "why": "filter_inputs",
        "values": {
            "count": 384,
            "layer": "conv3",
            "channels": ", ".join(map(str, largest)),
        },
    }


def test_of_two_groups_the_second_reads_the_second_half_of_the_channels() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 6, 3, groups=2))
    how = zf.Preprocess(size=16, resize=16)
    net = DeconvNet(model.eval(), how, device="cpu")
    first, second = net.layers
    for channel, half in ((0, range(4)), (5, range(4, 8))):
        found = kernels_of(net, second, channel)
        assert found is not None
        assert (found.layer, found.count) == (first, 4)
        assert set(found.heaviest) <= set(half)


def test_what_ships_is_shown_as_the_synthesised_picture(make: Make, zfnet: DeconvNet) -> None:
    recording = zfnet.record(zf.sample("cat").open())
    strip = make(zfnet, recording=recording, layer="conv3", channel=11)
    (shown,) = pictures(strip, "synthesised")
    expected = zf.synthesized("zfnet", "conv3").images[11]
    assert np.abs(shown.astype(int) - expected).mean() < 4, "but for compression"


def test_a_silent_channel_says_so(make: Make) -> None:
    class Silent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            nn.init.zeros_(self.conv.weight)
            self.conv.bias = nn.Parameter(-torch.ones(4))

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.conv(x))

    how = zf.Preprocess(size=16, resize=16)
    net = DeconvNet(Silent().eval(), how, device="cpu", name="silent")
    recording = net.record(zf.sample("cat").open())
    strip = make(net, recording=recording, layer="conv", channel=0)
    assert strip._answers["cells"]["photo"] == {"why": "silent_here"}


def test_ones_own_network_can_have_its_picture_synthesised(make: Make, tiny: DeconvNet) -> None:
    recording = tiny.record(zf.sample("cat").open())
    strip = make(tiny, recording=recording, layer="conv2", channel=3)
    assert strip._answers["cells"]["synthesised"] == {"why": "none_ships", "offer": True}
    steps: list[int] = []
    strip.observe(lambda change: steps.append(change["new"].get("step", -1)), "synthesis")
    strip.synthesise()
    worker().join()
    assert strip.synthesis == {}
    assert sorted(set(steps)) == [-1, *range(65)], "each step is told"
    (shown,) = pictures(strip, "synthesised")
    made = zf.synthesize(tiny, "conv2", 3, steps=64, rate=0.06, progress=False)
    np.testing.assert_array_equal(shown, made.images[0])
    strip.channel = 4
    worker().join()
    assert strip._answers["cells"]["synthesised"].get("offer"), "of this one none was made"
    strip.channel = 3
    worker().join()
    assert "sheet" in strip._answers["cells"]["synthesised"], "it is remembered"


def test_synthesising_can_be_stopped_between_two_steps(make: Make, tiny: DeconvNet) -> None:
    recording = tiny.record(zf.sample("cat").open())
    strip = make(tiny, recording=recording, layer="conv2", channel=3)
    seen: list[int] = []

    def stop(change: Any) -> None:
        seen.append(change["new"].get("step", -1))
        if seen[-1] == 5:
            strip.halt()

    strip.observe(stop, "synthesis")
    strip.synthesise()
    worker().join()
    assert max(seen) == 5
    assert strip.synthesis == {}
    assert strip._answers["cells"]["synthesised"] == {"why": "none_ships", "offer": True}


def test_folded_or_alone_nothing_is_drawn(make: Make, zfnet: DeconvNet) -> None:
    recording = zfnet.record(zf.sample("cat").open())
    strip = make(zfnet, recording=recording, layer="conv1", channel=0, opened=False)
    assert strip._answers == {}
    strip.opened = True
    worker().join()
    assert strip._answers["channel"] == 0
    assert make(zfnet, recording=recording, layer="conv1", channel=0, four=False)._answers == {}


def test_a_prepared_photo_is_recorded_when_it_is_needed(make: Make, zfnet: DeconvNet) -> None:
    inputs = zfnet.preprocess(zf.sample("cat").open())
    recorded = zfnet.record(inputs)
    one = make(zfnet, recording=inputs, layer="conv2", channel=7)
    other = make(zfnet, recording=recorded, layer="conv2", channel=7)
    np.testing.assert_array_equal(pictures(one, "photo"), pictures(other, "photo"))


def test_an_error_of_the_answers_goes_with_the_next_ones_and_others_stay(
    make: Make, tiny: DeconvNet
) -> None:
    strip = make(tiny, recording=tiny.record(zf.sample("cat").open()), layer="conv2", channel=3)
    strip.channel = 99
    worker().join()
    assert "99" in strip.error["message"]
    strip.channel = 4
    worker().join()
    assert (strip._answers["channel"], strip.error) == (4, {})
    strip.channel = 99
    worker().join()
    strip.fail(ValueError("a scan broke off"))
    strip.channel = 5
    worker().join()
    assert strip._answers["channel"] == 5
    assert strip.error["message"] == "a scan broke off"


def test_a_closed_strip_lets_go_of_the_recording(zfnet: DeconvNet) -> None:
    recording = zfnet.record(zf.sample("cat").open())
    strip = ExemplarStrip(zfnet, four=True, in_sight=True, layer="conv1", channel=0)
    strip.recording = recording
    worker().join()
    gone = weakref.ref(recording)
    strip.close()
    del recording
    gc.collect()
    assert gone() is None
