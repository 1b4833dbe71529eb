"""InvarianceView: the photo at one amount, the curves, stopping, and what is said when it fails."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from ipywidgets.widgets import widget as widgets
from PIL import Image
from torch import nn

from zfwidgets.analysis import invariance
from zfwidgets.analysis.invariance import Trial
from zfwidgets.analysis.transforms import DEFAULTS
from zfwidgets.deconv import DeconvNet, Recording
from zfwidgets.images import Preprocess
from zfwidgets.widgets.core.plots import CurveChart
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.invariance_view import InvarianceView

NAMES = ["ant", "bee", "cat"]


@pytest.fixture(scope="module")
def recording() -> Recording:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.append(nn.Linear(4, 3))
    net = DeconvNet(model, Preprocess(size=64, resize=64), NAMES, device="cpu")
    photo = np.zeros((64, 64, 3), np.uint8)
    photo[8:24, :, 0], photo[30:50, 20:40] = 200, 90
    return net.record(photo)


@pytest.fixture
def view(recording: Recording) -> Iterator[InvarianceView]:
    made = InvarianceView(recording, inline=True)
    yield made
    made.close()


def ask(view: InvarianceView, value: Any) -> tuple[dict[str, Any], list[bytes]]:
    answers: list[tuple[dict[str, Any], list[bytes]]] = []
    view._responder._send = lambda content, buffers: answers.append(
        (content, [bytes(b) for b in buffers or ()])
    )
    message = {"v": 1, "id": 3, "epoch": view.panel.epoch, "op": "look", "value": value}
    view.panel._handle_custom_msg(message, [])
    worker().join()
    return answers[-1]


def test_the_curves_are_the_analysis(view: InvarianceView, recording: Recording) -> None:
    expected = invariance(recording.net, recording.inputs, "translation", progress=False)
    assert not view.running
    assert view.panel.progress == 1
    assert view.result is not None
    torch.testing.assert_close(view.result.distance, expected.distance)
    lines = {mark.labels[0]: mark for mark in view.distances._figure.marks}
    for name, curve in zip(expected.layers, expected.relative[:, 0], strict=True):
        np.testing.assert_allclose(lines[name].y, curve, rtol=1e-5)
        assert lines[name].x.tolist() == list(DEFAULTS["translation"])
    (p,) = view.probabilities._figure.marks
    assert expected.probability is not None
    np.testing.assert_allclose(p.y, expected.probability[0], rtol=1e-5)
    assert view.probabilities.title.value == f"p({expected.names[0]})"


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 350, [0, 50, 100, 150, 200, 250, 300, 350]),
        (-60, 60, [-60, -40, -20, 0, 20, 40, 60]),
        (1, 1.8, [1, 1.2, 1.4, 1.6, 1.8]),
    ],
)
def test_axes_are_marked_at_round_numbers(low: float, high: float, ticks: list[float]) -> None:
    chart = CurveChart("test")
    chart.show([low, high], {"line": [0, 1]}, (0, low, 1, high))
    np.testing.assert_allclose(chart._axes[0].tick_values, ticks, atol=1e-9)
    chart.close()


def test_one_amount_is_the_moved_photo(view: InvarianceView, recording: Recording) -> None:
    answer, (photo,) = ask(view, 30)
    expected = invariance(
        recording.net, recording.inputs, "translation", [30], progress=False
    ).relative
    np.testing.assert_allclose(answer["shares"], expected[:, 0, 0], rtol=1e-5)
    shown = np.asarray(Image.open(io.BytesIO(photo)).convert("RGB")).astype(int)
    before = recording.seen()[0].astype(int)
    assert np.abs(shown[40:52, 50:] - before[10:22, 50:]).mean() < 12
    assert sum(answer["p"]) == pytest.approx(1, rel=1e-4)
    assert view.panel.facts["names"][int(np.argmax(answer["p"]))] == answer["best"]


@pytest.mark.parametrize("value", [61, -61, "far", None, float("nan")])
def test_an_amount_beyond_the_axis_is_refused(view: InvarianceView, value: Any) -> None:
    answer, _ = ask(view, value)
    assert not answer["ok"]
    assert "-60 to 60" in answer["error"]["message"]


def test_another_transform_starts_over(view: InvarianceView) -> None:
    epoch = view.panel.epoch
    view.panel.transform = "scale"
    assert view.transform == "scale"
    assert view.panel.epoch == epoch + 1
    assert view.value == 1
    assert view.result is not None
    assert view.result.transform == "scale"
    assert view.contact_sheet()


def test_it_stops_at_once_and_goes_on_where_it_stopped(recording: Recording) -> None:
    view = InvarianceView(recording, transform="rotation")

    def stop(_change: object) -> None:
        view.running = False

    view.panel.observe(stop, "progress")
    worker().join()
    assert 0 < view.panel.progress < 0.5
    assert view.result is not None
    before = len(view.result.values)
    view.panel.unobserve(stop, "progress")
    view.running = True
    worker().join()
    assert view.panel.progress == 1
    assert len(view.result.values) == 36 > before
    view.close()


@pytest.mark.parametrize("by_the_page", [False, True])
def test_curves_that_are_asked_for_too_early_come_when_the_photo_is_ready(
    recording: Recording, by_the_page: bool
) -> None:
    view = InvarianceView(recording)
    worker().join()
    view.transform = "scale"
    (view.panel if by_the_page else view).running = True
    worker().join()
    assert (view.status, view.running, view.panel.running) == ("ready", False, False)
    assert view.panel.progress == 1
    assert view.result is not None
    assert view.result.transform == "scale"
    assert list(view.result.values) == list(DEFAULTS["scale"])
    view.close()


def test_a_curve_has_one_transform_even_after_a_fault(recording: Recording) -> None:
    view = InvarianceView(recording)
    worker().join()
    view.label = "dragon"
    view.transform = "rotation"
    view.panel.running = True
    worker().join()
    assert (view.status, view.running, view.panel.running) == ("error", False, False)
    view.running = True
    worker().join()
    assert not view.running
    assert not view.panel.running
    assert view.result is not None
    assert view.result.transform == "translation"
    assert list(view.result.values) == list(DEFAULTS["translation"])
    view.label = None
    worker().join()
    assert (view.status, view.error, view.result.transform) == ("ready", {}, "rotation")
    view.close()


def test_what_is_wrong_is_said(recording: Recording) -> None:
    view = InvarianceView(recording, layers=["conv7"], inline=True)
    assert view.status == "error"
    assert "conv7" in view.error["message"]
    view.layers = ["conv1"]
    assert view.status == "ready"
    assert view.error == {}
    view.close()


def test_without_a_photo_the_view_is_empty() -> None:
    view = InvarianceView(inline=True)
    assert view.status == "empty"
    view.running = True
    assert not view.running
    assert view.contact_sheet() is None
    view.close()


def test_a_photo_that_is_taken_away_leaves_nothing_and_nobody_is_answered(
    view: InvarianceView, recording: Recording
) -> None:
    assert view.contact_sheet()
    view.recording = None
    panel = view.panel
    assert (view.status, view.result, view.contact_sheet()) == ("empty", None, None)
    assert (panel.photo, panel.facts, panel.progress) == (b"", {}, 0)
    assert [*view.distances._figure.marks, *view.probabilities._figure.marks] == []
    refused, _ = ask(view, 10)
    assert (refused["ok"], refused["error"]["title"]) == (False, "Nothing to look at")
    view.running = True
    assert (view.running, view.result) == (False, None)
    view.recording = recording
    assert (view.status, panel.progress) == ("ready", 1)
    assert ask(view, 10)[0]["ok"]


def test_curves_whose_photo_is_taken_away_meanwhile_have_no_result(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = InvarianceView(inline=True)
    at = Trial.at

    def taken_away(trial: Trial, value: float) -> Any:
        view.recording = None
        return at(trial, value)

    monkeypatch.setattr(Trial, "at", taken_away)
    view.recording = recording
    assert (view.status, view.running, view.result) == ("empty", False, None)
    assert view.panel.progress == 0
    view.close()


def test_closing_leaves_no_widget(recording: Recording) -> None:
    before = set(widgets._instances)
    view = InvarianceView(recording)
    worker().join()
    gone = weakref.ref(view)
    view.close()
    worker().join()
    del view
    gc.collect()
    assert gone() is None
    assert set(widgets._instances) <= before
