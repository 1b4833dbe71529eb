"""OcclusionView: one place, the scan, stopping, and what is left when something fails."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from zfwidgets.analysis import occlusion
from zfwidgets.analysis.occlusion import scan
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.occlusion_view import OcclusionView

NAMES = ["ant", "bee", "cat", "dog", "eel", "fox"]


@pytest.fixture(scope="module")
def recording() -> Recording:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(6 * 12 * 12, len(NAMES)),
    )
    return DeconvNet(model, categories=NAMES, device="cpu").record(torch.randn(2, 3, 24, 24))


@pytest.fixture
def view(recording: Recording) -> Iterator[OcclusionView]:
    made = OcclusionView(recording, size=6, stride=[6, 3], inline=True)
    yield made
    made.close()


def ask(view: OcclusionView, **fields: Any) -> dict[str, Any]:
    """The answer to one question of the page."""
    answers: list[dict[str, Any]] = []
    view._responder._send = lambda content, _buffers: answers.append(content)
    message = {"v": 1, "id": 7, "epoch": view._epoch, "op": "look", "fill": "grey", "size": 6}
    view._handle_custom_msg(message | fields, [])
    worker().join()
    return answers[-1]


def test_the_view_begins_with_the_clean_photo(view: OcclusionView, recording: Recording) -> None:
    assert view.status == "ready"
    facts = view._facts
    best = recording.top_classes(5)[0]
    assert facts["names"] == [label for label, _ in best]
    np.testing.assert_allclose(facts["p"], [p for _, p in best], rtol=1e-5)
    assert view.place == [9, 9]


def test_one_place_is_what_the_network_makes_of_the_hidden_picture(
    view: OcclusionView, recording: Recording
) -> None:
    answer = ask(view, top=3, left=5)
    hidden = recording.inputs[:1].clone()
    grey = (128 / 255 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    hidden[:, :, 3:9, 5:11] = grey[:, None, None]
    seen = recording.net.record(hidden)
    total = seen.feature_maps(view._facts["layer"])[0, view._facts["channel"]].sum()
    assert answer["activation"] == pytest.approx(float(total), rel=1e-4)
    assert seen.logits is not None
    chances = dict(zip(NAMES, seen.logits[0].softmax(0).tolist(), strict=True))
    expected = [chances[name] for name in view._facts["names"]]
    np.testing.assert_allclose(answer["p"], expected, rtol=1e-4)
    assert answer["best"] == max(NAMES, key=lambda name: chances[name])


def test_another_fill_paints_the_mean_colour(view: OcclusionView, recording: Recording) -> None:
    answer = ask(view, top=0, left=0, fill="mean")
    hidden = recording.inputs[:1].clone()
    hidden[:, :, :6, :6] = hidden.mean((2, 3), keepdim=True)
    maps = recording.net.record(hidden).feature_maps(view._facts["layer"])
    total = float(maps[0, view._facts["channel"]].sum())
    assert answer["activation"] == pytest.approx(total, rel=1e-4)


def test_the_scan_is_the_analysis(view: OcclusionView, recording: Recording) -> None:
    view.scan()
    assert not view.scanning
    assert view.progress == 1
    expected = occlusion(
        recording.net, recording.inputs[0], size=6, stride=3, layer="conv1", progress=False
    )
    assert view.result is not None
    torch.testing.assert_close(view.result.probability, expected.probability)
    drawn = np.frombuffer(view._maps["activation"], "<f4")
    np.testing.assert_allclose(drawn, expected.activation.flatten(), rtol=1e-4)
    classes = np.frombuffer(view._maps["class"], "<f4").astype(int)
    names = [view._maps["names"][index] for index in classes]
    assert names == [NAMES[index] for index in expected.most_probable.flatten().tolist()]
    assert view.contact_sheet()


def test_a_question_comes_before_the_next_step_of_a_scan(recording: Recording) -> None:
    view = OcclusionView(recording, size=4, stride=[8, 1])
    worker().join()
    asked = threading.Event()

    def once(_change: object) -> None:
        if not asked.is_set():
            asked.set()
            view._handle_custom_msg(
                {"v": 1, "id": 1, "epoch": view._epoch, "op": "look", "top": 0, "left": 0}
                | {"size": 4, "fill": "grey"},
                [],
            )

    progress: list[float] = []
    view._responder._send = lambda _content, _buffers: progress.append(view.progress)
    view.observe(once, "progress")
    view.scan()
    worker().join()
    assert view.progress == 1
    assert 0 < progress[0] < 0.2
    view.close()


def test_a_scan_stops_at_once_and_what_is_measured_stays(recording: Recording) -> None:
    view = OcclusionView(recording, size=4, stride=[8, 1])
    worker().join()
    view.observe(lambda _change: view.stop(), "progress")
    view.scan()
    worker().join()
    assert not view.scanning
    assert 0 < view.progress < 0.5
    assert view.result is not None
    assert view.result.measured.any()
    view.close()


def test_another_photo_starts_over(view: OcclusionView) -> None:
    view.scan()
    epoch = view._epoch
    view.image = 1
    assert view._epoch == epoch + 1
    assert view.result is None
    assert view._maps == {}
    assert ask(view, top=0, left=0)["ok"]


@pytest.mark.parametrize(
    ("traits", "says"),
    [
        ({"layer": "conv9"}, "conv9"),
        ({"label": "cow"}, "cow"),
        ({"channel": 6}, "0 to 5"),
        ({"size": 25}, "1 to 24"),
    ],
)
def test_what_cannot_be_watched_is_said(
    recording: Recording, traits: dict[str, Any], says: str
) -> None:
    view = OcclusionView(recording, inline=True, **({"size": 6} | traits))
    assert view.status == "error"
    assert says in view.error["message"]
    view.close()


def test_strides_that_do_not_fit_are_said_and_nothing_runs(recording: Recording) -> None:
    view = OcclusionView(recording, size=6, stride=[8, 3], inline=True)
    view.scan()
    assert "multiple" in view.error["message"]
    assert not view.scanning
    view.close()


def test_without_a_photo_the_view_is_empty() -> None:
    view = OcclusionView(inline=True)
    assert view.status == "empty"
    view.scan()
    assert not view.scanning
    view.close()


def test_a_photo_that_is_taken_away_leaves_nothing_and_nobody_is_answered(
    view: OcclusionView, recording: Recording
) -> None:
    view.scan()
    view.recording = None
    assert (view.status, view.result, view.overlay, view.progress) == ("empty", None, "none", 0)
    assert (view._photo, view._facts, view._maps) == (b"", {}, {})
    assert view.contact_sheet() is None
    refused = ask(view, top=0, left=0)
    assert (refused["ok"], refused["error"]["title"]) == (False, "Nothing to look at")
    view.scan()
    assert (view.scanning, view.result) == (False, None)
    view.recording = recording
    assert view.status == "ready"
    assert ask(view, top=0, left=0)["ok"]


def test_a_scan_whose_photo_is_taken_away_meanwhile_has_no_result(
    view: OcclusionView, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken_away(*args: Any, **options: Any) -> Iterator[Any]:
        for found in scan(*args, **options):
            view.recording = None
            yield found

    monkeypatch.setattr("zfwidgets.widgets.occlusion_view.scan", taken_away)
    view.scan()
    assert (view.status, view.scanning, view.result, view._maps) == ("empty", False, None, {})


def test_closing_lets_go_of_everything(recording: Recording) -> None:
    view = OcclusionView(recording, size=6, stride=[6, 3])
    view.scan()
    gone = weakref.ref(view)
    view.close()
    worker().join()
    del view
    gc.collect()
    assert gone() is None
