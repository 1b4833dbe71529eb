"""A network on a server gives what the same network gives here, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import zfwidgets as zf
from tests.unit.serve.serving import picture, small
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.images import ImageError
from zfwidgets.remote import RemoteNet, RemoteRecording, wire
from zfwidgets.remote.client import Client
from zfwidgets.remote.tensors import TensorNet
from zfwidgets.serve.engine import Engine
from zfwidgets.widgets.channel_browser.responses import Responses
from zfwidgets.widgets.channel_browser.tiles import tiles_of
from zfwidgets.widgets.exemplar_strip.kernels import kernels_of

FIELDS = ("image", "channel", "row", "col", "value")


class Direct(Client):
    """Asks an engine of this process."""

    def __init__(self, engine: Engine, net: DeconvNet) -> None:
        super().__init__("http://nowhere", "")
        self.engine, self.net = engine, net

    def _reach(self, body: bytes) -> tuple[int, bytes]:
        return self.engine.answer(self.net, [body])[0]


@pytest.fixture(name="here")
def here_fixture() -> DeconvNet:
    return small()


@pytest.fixture(name="engine")
def engine_fixture() -> Engine:
    return Engine()


@pytest.fixture(name="afar")
def afar_fixture(here: DeconvNet, engine: Engine) -> RemoteNet:
    return RemoteNet(Direct(engine, here), "small")


def same(tensor: torch.Tensor, array: np.ndarray[Any, Any]) -> bool:
    return bool(np.array_equal(tensor.numpy(), array))


def test_it_says_what_a_filter_weighs_most(here: DeconvNet, afar: RemoteNet) -> None:
    mine, theirs = kernels_of(here, "conv2", 1), afar.kernels("conv2", 1)
    assert mine is not None
    assert theirs is not None
    assert (theirs.layer, theirs.count) == (mine.layer, mine.count)
    assert tuple(theirs.heaviest) == mine.heaviest


def test_the_networks_facts_are_its_own(here: DeconvNet, afar: RemoteNet) -> None:
    assert [*afar.layers] == [*here.layers]
    for name, layer in here.layers.items():
        assert afar.layers[name].shape == layer.shape
        assert afar.layers[name].box(1, 2) == layer.box(1, 2)
    assert (afar.categories, afar.input_channels) == (here.categories, 3)
    assert afar.transforms == here.transforms
    assert afar.weights_hash() == here.weights_hash()
    with pytest.raises(AttributeError, match=r"no 'model'.*zf\.load"):
        afar.model  # noqa: B018


@pytest.fixture(name="both")
def both_fixture(here: DeconvNet, afar: RemoteNet) -> tuple[Recording, RemoteRecording]:
    photos = [picture(1), picture(2, (60, 60))]
    return here.record(photos), afar.record(photos)


def test_maps_and_classes_are_the_same_bits(both: tuple[Recording, RemoteRecording]) -> None:
    mine, theirs = both
    assert len(theirs) == 2
    assert theirs.size == mine.size == (32, 32)
    assert same(mine.inputs, theirs.inputs)
    assert np.array_equal(mine.seen(), theirs.seen())
    for layer in mine.layers:
        assert same(mine.feature_maps(layer), theirs.feature_maps(layer))
    assert mine.logits is not None
    assert theirs.logits is not None
    assert same(mine.logits, theirs.logits)
    for one, other in zip(mine.top_classes(3), theirs.top_classes(3), strict=True):
        assert [name for name, _ in one] == [name for name, _ in other]
        assert [p for _, p in one] == pytest.approx([p for _, p in other])


@pytest.mark.parametrize("layer", ["conv1", "pool1", "conv2", "fc3"])
def test_neurons_and_projections_are_the_same_bits(
    both: tuple[Recording, RemoteRecording], layer: str
) -> None:
    mine, theirs = both
    for one, other in (
        (mine.strongest(layer), theirs.strongest(layer)),
        (mine.strongest(layer, [3, 1]), theirs.strongest(layer, [3, 1])),
        (mine.neurons(layer, 1, [0, 2]), theirs.neurons(layer, 1, [0, 2])),
    ):
        assert all(same(getattr(one, name), getattr(other, name)) for name in FIELDS)
        for rule in ("deconvnet", "guided"):
            there = theirs.project(other, rule)
            here = mine.project(one, rule)
            assert same(here.pixels, there.pixels)
            assert same(here.boxes, there.boxes)
            assert same(here.on_canvas(), there.on_canvas())
            assert str(here.origin) == str(there.origin)
            # Torch and NumPy draw the same but for the last bit of a sum.
            off = np.abs(here.to_images().astype(int) - there.to_images())
            assert off.max() <= 1
    fast = mine.project(one, precision="fast")
    assert same(fast.pixels, theirs.project(other, precision="fast").pixels)
    whole = mine.project_map(layer, [1], image=1)
    assert same(whole.pixels, theirs.project_map(layer, [1], image=1).pixels)
    assert len(theirs.project(theirs.strongest(layer)[:0])) == 0


def test_tiles_are_drawn_as_the_browser_draws_them(
    both: tuple[Recording, RemoteRecording],
) -> None:
    mine = both[0]
    for mode in ("feature map", "projection", "in place", "photo patch"):
        views = [Responses(1, r, 1, mine.layers["conv2"], mode, "guided") for r in both]  # type: ignore[arg-type]
        here, there = (tiles_of(view, [5, 2], 24) for view in views)
        assert np.array_equal(here, there), mode
        for name, values in views[0].measures.items():
            assert np.array_equal(values, views[1].measures[name], equal_nan=True), name
        assert views[0].order("energy", "alive") == views[1].order("energy", "alive")


def test_a_forgotten_recording_is_made_again(
    both: tuple[Recording, RemoteRecording], engine: Engine
) -> None:
    mine, theirs = both
    assert 0 < engine.recordings.nbytes == mine.nbytes
    engine.recordings.limit = 0
    engine.recordings.put(("", ""), mine, 0)
    assert len(engine.recordings) == 1, "that of two pictures is gone"
    assert same(mine.feature_maps("conv2"), theirs.feature_maps("conv2"))
    chosen = theirs.strongest("conv2", [4])
    assert same(mine.project(mine.strongest("conv2", [4])).pixels, theirs.project(chosen).pixels)


def test_equal_pictures_are_recorded_once(afar: RemoteNet, engine: Engine) -> None:
    for _ in range(3):
        afar.record(picture(7))
    assert len(engine.recordings) == 1
    afar.record(picture(8))
    assert len(engine.recordings) == 2


def test_neurons_that_several_ask_for_go_back_together(
    here: DeconvNet, afar: RemoteNet, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = afar.record(picture(3))
    mine = here.record(picture(3))
    calls: list[int] = []
    real = Recording.project

    def counted(self: Recording, neurons: Any, *how: Any) -> Any:
        calls.append(len(neurons))
        return real(self, neurons, *how)

    monkeypatch.setattr(Recording, "project", counted)
    method = {"rule": "deconvnet"}
    head = {"op": "project", "net": "small", "key": theirs.key, "layer": "conv2", "method": method}
    some = [theirs.strongest("conv2", ids) for ids in ([1], [2, 5], [0])]
    messages = [wire.pack(head, {name: getattr(n, name) for name in FIELDS}) for n in some]
    beyond = {**{name: getattr(some[0], name) for name in FIELDS}, "row": np.array([99])}
    replies = engine.answer(here, messages)
    assert calls == [4]
    for neurons, (status, body) in zip(some, replies, strict=True):
        assert status == 200
        wanted = real(mine, mine.strongest("conv2", neurons.channel.tolist()))
        assert same(wanted.pixels, wire.unpack(body)[1]["pixels"])
    replies = engine.answer(here, [*messages, wire.pack(head, beyond)])
    assert [status for status, _ in replies] == [200, 200, 200, 400], "one's mistake is one's own"


def test_pictures_under_another_name_are_refused(here: DeconvNet, engine: Engine) -> None:
    """Or one client could put a picture in another's place."""
    sent = {"picture0": np.asarray(picture(1))}
    head = {"op": "record", "net": "small", "key": wire.key_of({"picture0": np.zeros(3)})}
    ((status, body),) = engine.answer(here, [wire.pack(head, sent)])
    assert status == 400
    assert b"not those that the key names" in body
    assert len(engine.recordings) == 0


def test_what_is_wrong_is_said_as_the_engine_here_says_it(
    here: DeconvNet, afar: RemoteNet, both: tuple[Recording, RemoteRecording]
) -> None:
    mine, theirs = both
    for wrong, kind in (
        (lambda r: r.feature_maps("conv9"), KeyError),
        (lambda r: r.strongest("conv1", [99]), IndexError),
        (lambda r: r.neurons("conv1", 0, 0, 99, 0), IndexError),
        (lambda r: r.neurons("conv1", 0, [0, 1], [0, 1, 2]), ValueError),
        (lambda r: r.strongest("conv1", [0.5]), TypeError),
    ):
        said = []
        for recording in (mine, theirs):
            with pytest.raises(kind) as error:
                wrong(recording)
            said.append(str(error.value))
        assert said[0] == said[1]
    with pytest.raises(ImageError, match="not a picture"):
        afar.record(b"<html>no picture</html>")
    with pytest.raises(ImageError):
        afar.record(7)
    with pytest.raises(ValueError, match="no pictures"):
        afar.record([])


def test_hostile_questions_are_refused_and_the_next_is_answered(
    here: DeconvNet, engine: Engine
) -> None:
    key = wire.key_of({"picture0": np.asarray(picture(1))})
    good = {"op": "record", "net": "small", "key": key}
    hostile = [
        b"\x80\x04nonsense",
        wire.pack({"op": "__class__", "net": "small"}),
        wire.pack({"op": "tiles", "key": key, "layer": "conv1", "mode": "feature map", "rule": 1}),
        wire.pack({"op": "feature_maps", "key": key, "layer": ["conv1"]}),
        wire.pack({"op": "project", "key": key, "layer": "conv1", "method": {"rule": "eval"}}),
        wire.pack({"op": "record", "key": 7}),
        wire.pack({**good, "op": "strip", "layer": "conv1", "channel": -1, "px": 10**9}),
        wire.pack({**good, "op": "kernels", "layer": "conv2", "channel": 10**9}),
    ]
    whole = np.zeros((1, 3, 4096, 4096), np.float16)
    hostile.append(wire.pack({**good, "key": wire.key_of({"inputs": whole})}, {"inputs": whole}))
    picture0 = {"picture0": np.asarray(picture(1))}
    replies = engine.answer(here, [wire.pack(good, picture0), *hostile, wire.pack(good)])
    statuses = [status for status, _ in replies]
    assert statuses[0] == statuses[-1] == 200
    assert all(400 <= status < 500 for status in statuses[1:-1]), statuses


def test_pictures_larger_than_the_limits_are_not_decoded(
    afar: RemoteNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zfwidgets.images import limits

    monkeypatch.setattr(limits, "_limits", limits.Limits(max_pixels=100))
    with pytest.raises(ImageError, match="too many pixels"):
        afar.record(np.zeros((20, 20, 3), np.uint8))


def test_analyses_compute_on_the_server(here: DeconvNet, engine: Engine) -> None:
    afar: Any = TensorNet(Direct(engine, here), "small")
    photo = picture(6)
    assert torch.equal(afar.preprocess(photo), here.preprocess(photo))
    mine, theirs = here.record(photo), afar.record(photo)
    neurons = theirs.strongest("conv2", [1, 3])
    assert torch.equal(theirs.project(neurons).pixels, mine.project(neurons).pixels)
    one, other = (
        zf.occlusion(net, photo, size=12, stride=6, layer="conv2") for net in (here, afar)
    )
    assert torch.equal(one.probability, other.probability)
    one_tuning, other_tuning = (zf.exemplars(net, [photo], "conv1", k=1) for net in (here, afar))
    assert torch.equal(one_tuning.value, other_tuning.value)
