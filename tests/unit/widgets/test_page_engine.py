"""The engine in a notebook's page, from Python's side: what is handed over, who goes on without."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.widgets.browsing import TinyNet
from tests.unit.widgets.fakes import picture
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Preprocess
from zfwidgets.widgets import page_engine
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.core.wire import PROTOCOL
from zfwidgets.widgets.inspector import Inspector

GALLERY = {"red": picture("red"), "white": picture("white")}
SMALL = Preprocess(size=32, resize=32)
LIMIT = 30.0  # seconds; only a broken test waits so long


class Page:
    """The page of an Inspector: asks its engine's questions, and keeps what is answered."""

    def __init__(self, inspector: Inspector) -> None:
        self.inspector = inspector
        self.engine = next(
            child
            for child in inspector.children[0].children
            if isinstance(child, page_engine.PageEngine)
        )
        self._told: list[tuple[dict[str, Any], list[Any]]] = []
        self.engine._responder._send = lambda content, buffers: self._told.append(
            (content, [*(buffers or ())])
        )

    def ask(self, op: str, **body: Any) -> tuple[dict[str, Any], list[Any]]:
        """The last chunk of the answer, with the buffers of all."""
        self._told.clear()
        question = {"v": PROTOCOL, "id": 1, "epoch": 0, "op": op, **body}
        self.engine._responder.on_msg(None, question, None)
        worker().join()
        answer = {key: value for content, _ in self._told for key, value in content.items()}
        return answer, [buffer for _, buffers in self._told for buffer in buffers]

    def open(self) -> dict[str, Any]:
        """Be there: take the network, and say that it can be run."""
        answer, _ = self.ask("net")
        self.ask("ready", workers=1)
        return dict(answer["payload"])


Make = Callable[..., Inspector]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Inspector] = []

    def build(net: Any = None, **options: Any) -> Inspector:
        made.append(Inspector(net or tiny(), GALLERY, compute="page", **options))
        worker().join()
        return made[-1]

    yield build
    for one in made:
        one.close()


def tiny(*more: nn.Module) -> DeconvNet:
    torch.manual_seed(1)
    model = nn.Sequential(TinyNet(), *more).eval() if more else TinyNet().eval()
    return DeconvNet(model, transforms=SMALL, categories=list("abcdefg"), device="cpu")


def test_the_weights_come_in_pieces_that_make_up_the_block_of_the_graph(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_engine, "_PIECE", 1000)
    page = Page(make())
    graph = page.open()["graph"]
    _, pieces = page.ask("weights")
    block = b"".join(pieces)
    assert len(pieces) > 2
    assert len(block) == graph["weights"]["bytes"]
    assert hashlib.sha256(block).hexdigest() == graph["weights"]["sha256"]


def test_a_photo_is_handed_over_as_the_network_takes_it_and_python_records_nothing(
    make: Make,
) -> None:
    inspector = make()
    page = Page(inspector)
    page.open()
    inspector.picker.value = "white"
    worker().join()
    _, (data,) = page.ask("photo")
    inputs = inspector.net.preprocess(GALLERY["white"])[0].numpy()
    assert np.array_equal(np.frombuffer(data, "<f4").reshape(inputs.shape), inputs)
    assert inspector.recording is inspector.browser.recording is inspector.view.recording is None
    assert inspector.status == "busy"
    page.ask("recorded", photo=page.engine.photo, classes=[{"label": "b", "p": 0.75}])
    assert inspector.status == "ready"
    assert inspector.head.classes == [{"label": "b", "p": 0.75}]
    assert inspector.layers.input_size == [32, 32]


def test_what_is_said_of_a_photo_that_is_not_looked_at_any_more_changes_nothing(make: Make) -> None:
    inspector = make()
    page = Page(inspector)
    page.open()
    old = page.engine.photo
    inspector.picker.value = "white"
    worker().join()
    page.ask("recorded", photo=old, classes=[{"label": "b", "p": 0.75}])
    assert inspector.status == "busy"
    assert inspector.head.classes == []


def test_the_neuron_that_the_page_shows_is_known_in_python(make: Make) -> None:
    inspector = make()
    page = Page(inspector)
    page.open()
    neuron = {"layer": "conv2", "image": 0, "channel": 3, "row": 1, "col": 2, "value": 0.5}
    page.ask("shown", neuron={**neuron, "box": [0, 4, 11, 15]}, full=0.25)
    assert inspector.view.neuron == {**neuron, "box": (0, 4, 11, 15)}
    assert inspector.view.full == 0.25
    answer, _ = page.ask("shown", neuron={"layer": "no such layer"}, full=None)
    assert not answer["ok"]
    assert inspector.view.neuron["channel"] == 3


def test_another_layer_lets_go_of_the_channel_for_the_page_to_choose(make: Make) -> None:
    inspector = make()
    Page(inspector).open()
    inspector.set_trait("channel", 4)
    inspector.layer = "conv1"
    assert inspector.channel is None
    assert inspector.browser.layer == "conv1"


def at_conv2(make: Make) -> Page:
    """A page that computes, at a layer of which no channel is chosen."""
    page = Page(make())
    page.open()
    page.inspector.layer = "conv2"
    return page


def test_the_channel_that_the_page_begins_with_is_taken_where_none_is_chosen(make: Make) -> None:
    page = at_conv2(make)
    inspector = page.inspector
    page.ask("proposed", layer="conv2", channel=3)
    assert (inspector.layer, inspector.channel) == ("conv2", 3)


def test_a_channel_that_was_chosen_while_the_page_looked_for_the_strongest_stays(
    make: Make,
) -> None:
    page = at_conv2(make)
    inspector = page.inspector
    inspector.set_trait("channel", 4)
    page.ask("proposed", layer="conv2", channel=3)
    assert inspector.channel == 4
    inspector.layer = "conv1"
    page.ask("proposed", layer="conv2", channel=3)
    assert inspector.layer == "conv1"
    assert inspector.channel is None


def test_the_page_goes_to_a_pinned_channel_of_another_layer(make: Make) -> None:
    page = at_conv2(make)
    inspector = page.inspector
    page.ask("visit", layer="conv1", channel=2)
    assert (inspector.layer, inspector.channel) == ("conv1", 2)
    answer, _ = page.ask("visit", layer="fc9", channel=0)
    assert not answer["ok"]
    assert (inspector.layer, inspector.channel) == ("conv1", 2)


class Trunk(nn.Module):
    """A net with an operation that the page does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.silu(self.conv1(x))


def test_what_the_page_lacks_is_named_in_the_head_and_python_computes(make: Make) -> None:
    inspector = make(DeconvNet(Trunk().eval(), transforms=SMALL, device="cpu"))
    answer, _ = Page(inspector).ask("net")
    worker().join()
    assert not answer["ok"]
    assert "silu()" in inspector.head.note
    assert inspector.compute == "kernel"
    assert inspector.status == "ready"
    assert inspector.recording is not None
    assert inspector.browser.recording is inspector.recording
    assert inspector.view.neuron["layer"] == "conv1"


def test_a_network_too_large_for_a_page_is_not_even_written_down(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_engine, "MOST_BYTES", 5000)
    monkeypatch.setattr(page_engine, "page_net", lambda _net: pytest.fail("written down"))
    inspector = make()
    Page(inspector).ask("net")
    worker().join()
    assert "MB" in inspector.head.note
    assert inspector.compute == "kernel"
    assert inspector.recording is not None


def test_a_page_that_fails_later_leaves_the_photo_of_now_to_python(make: Make) -> None:
    inspector = make()
    page = Page(inspector)
    page.open()
    inspector.picker.value = "white"
    worker().join()
    page.ask("failed", message="Memory was refused.")
    worker().join()
    assert "Memory was refused." in inspector.head.note
    assert inspector.compute == "kernel"
    assert not page.engine.active
    seen = inspector.recording.seen()[0]
    assert (seen == 255).all()


def test_where_no_page_answers_python_computes_until_one_does(make: Make) -> None:
    taken = threading.Event()
    inspector = make(silence=0.05)
    inspector.observe(lambda _: taken.set(), "recording")
    if inspector.recording is None:
        assert taken.wait(LIMIT)
    worker().join()
    assert inspector.compute == "kernel"
    assert "no page has answered" in inspector.head.note
    page = Page(inspector)
    page.engine._silence = LIMIT
    page.open()
    worker().join()
    assert inspector.compute == "page"
    assert inspector.head.note == ""
    assert inspector.recording is None


def test_weights_that_have_changed_since_are_handed_over_anew(make: Make) -> None:
    inspector = make()
    page = Page(inspector)
    before = page.open()["graph"]["weights"]["sha256"]
    with torch.no_grad():
        inspector.net.model.conv1.weight.add_(0.5)
    active: list[bool] = []
    page.engine.observe(lambda change: active.append(change["new"]), "active")
    inspector.picker.value = "white"
    worker().join()
    assert active == [False, True]
    assert page.open()["graph"]["weights"]["sha256"] != before


def test_the_charts_are_drawn_from_a_recording_of_pythons_own(make: Make) -> None:
    inspector = make()
    page = Page(inspector)
    page.open()
    inspector.charts.head.opened = True
    worker().join()
    assert inspector.charts.recording is not None
    assert inspector.recording is None


def test_compute_is_one_of_two_words_or_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ValueError, match="expected one of kernel, page"):
        Inspector(tiny(), GALLERY, compute="gpu")
    monkeypatch.setenv("ZFWIDGETS_COMPUTE", "page")
    inspector = Inspector(tiny(), GALLERY)
    assert inspector.compute == "page"
    inspector.close()
