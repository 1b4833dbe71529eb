"""Charts: the bars are the numbers, and choosing works both ways."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import traitlets as t

from zfwidgets.widgets import charts as module
from zfwidgets.widgets.charts import Charts
from zfwidgets.widgets.core.plots import CHOSEN_COLOUR, CURVE_COLOURS

MAPS = torch.tensor(
    [
        [[0.0, 1.0], [0.0, 0.5]],
        [[3.0, 0.0], [0.0, 0.0]],
        [[0.0, 0.0], [0.0, 0.0]],
        [[2.0, 2.0], [1.0, 0.5]],
    ]
)


class Recording:
    """Four channels of 2 x 2 values, and a classifier."""

    def __init__(self) -> None:
        self.layers = {"conv1": object()}
        self.logits = torch.zeros(1, 2)
        self.net = SimpleNamespace(categories=["cat", "dog"])
        self.asked = 0

    def __len__(self) -> int:
        return 1

    def feature_maps(self, layer: str) -> torch.Tensor:
        self.asked += 1
        assert layer == "conv1"
        return MAPS[None]

    def strongest(self, layer: str) -> None:
        """Nobody asks for it here."""

    def top_classes(self, k: int) -> list[list[tuple[str, float]]]:
        return [[("cat", 0.75), ("dog", 0.25)][:k]]


class Browser(t.HasTraits):
    """The traits of a channel browser that the charts follow."""

    recording = t.Any(None, allow_none=True)
    image = t.Int(0)
    layer = t.Unicode("")
    sort = t.Unicode("strength")
    active = t.Int(None, allow_none=True)


def make(browser: Any = None, **options: Any) -> Charts:
    return Charts(browser, inline=True, **options)


def shown() -> Charts:
    return make(recording=Recording(), layer="conv1")


def click(charts: Charts, place: int) -> None:
    """What bqplot's page says when a bar is clicked."""
    told = {"event": "element_click", "data": {"index": place}}
    charts.strength._bars._handle_custom_msgs(None, told)


def test_the_bars_are_the_maxima_of_the_maps_strongest_first() -> None:
    charts = shown()
    bars = charts.strength._bars
    assert np.allclose(bars.y, [3.0, 2.0, 1.0, 0.0])
    charts.sort = "index"
    assert np.allclose(bars.y, [1.0, 3.0, 0.0, 2.0])
    assert "all 4 channels" in charts.strength.title.value


def test_the_chosen_channel_is_marked_by_colour_and_by_a_sign() -> None:
    charts = shown()
    charts.channel = 3
    bars, sign = charts.strength._bars, charts.strength._sign
    assert bars.colors == [CURVE_COLOURS[0], CHOSEN_COLOUR, CURVE_COLOURS[0], CURVE_COLOURS[0]]
    assert sign.visible
    assert sign.x[0] == 1
    charts.channel = None
    assert not sign.visible
    assert set(bars.colors) == {CURVE_COLOURS[0]}


def test_a_click_on_a_bar_chooses_its_channel() -> None:
    charts = shown()
    click(charts, 1)
    assert charts.channel == 3


def test_the_histogram_counts_the_active_places_of_the_map() -> None:
    charts = shown()
    charts.channel = 3
    bars = charts.histogram._bars
    assert bars.y.sum() == 4
    assert bars.y[-1] == 2, "two places hold the largest value"
    assert "4 of 4 places (100 %)" in charts.histogram.title.value
    charts.channel = 0
    assert charts.histogram._bars.y.sum() == 2
    assert "2 of 4 places (50 %)" in charts.histogram.title.value
    charts.channel = 2
    assert "silent" in charts.histogram.title.value
    assert charts.histogram._bars.y.sum() == 0


def test_the_classes_are_those_of_the_recording() -> None:
    assert shown().head.classes == [{"label": "cat", "p": 0.75}, {"label": "dog", "p": 0.25}]


def test_browser_and_charts_choose_for_each_other() -> None:
    browser = Browser(recording=Recording(), layer="conv1", sort="index")
    charts = make(browser)
    browser.active = 1
    assert charts.channel == 1
    assert charts.strength._sign.x[0] == 1
    click(charts, 3)
    assert browser.active == 3
    browser.sort = "strength"
    assert charts.strength._sign.x[0] == 1
    charts.close()
    browser.active = 0
    assert charts.channel == 3


def test_closed_charts_compute_nothing_until_they_are_opened() -> None:
    recording = Recording()
    charts = make(recording=recording, layer="conv1", opened=False)
    assert recording.asked == 0
    assert charts._row.children == (), "a figure without a size is not drawn"
    charts.head.opened = True
    assert recording.asked == 1
    assert charts._row.children == (charts.strength, charts.histogram)
    assert charts.head.status == "ready"


def test_of_very_many_channels_the_strongest_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BARS", 2)
    charts = shown()
    assert np.allclose(charts.strength._bars.y, [3.0, 2.0])
    assert "2 strongest of 4" in charts.strength.title.value
    charts.channel = 0  # not among them
    assert not charts.strength._sign.visible
    assert charts.histogram._bars.y.sum() == 2


def test_an_error_is_shown_and_the_last_charts_stay() -> None:
    charts = shown()
    before = list(charts.strength._bars.y)
    broken = Recording()
    broken.layers = {"conv1": object(), "conv2": object()}
    charts.recording = broken
    charts.layer = "conv2"  # which its feature_maps does not have
    assert charts.head.status == "error"
    assert "AssertionError" in charts.head.error["title"]
    assert list(charts.strength._bars.y) == before
    charts.layer = "conv1"
    assert (charts.head.status, charts.head.error) == ("ready", {})


def test_a_layer_that_there_is_not_is_said_and_not_waited_for() -> None:
    charts = shown()
    before = list(charts.strength._bars.y)
    charts.layer = "conv9"
    assert charts.head.status == "error"
    assert charts.head.error["message"] == "layer='conv9': expected one of conv1"
    assert list(charts.strength._bars.y) == before
    charts.layer = "conv1"
    assert (charts.head.status, charts.head.error) == ("ready", {})


def test_a_recording_and_its_layer_that_come_one_after_the_other_end_without_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser = Browser(recording=Recording(), layer="conv1")
    charts = make(browser)
    other = Recording()
    other.layers = {"features.0": object()}
    monkeypatch.setattr(other, "feature_maps", lambda _layer: MAPS[None])
    browser.recording, browser.layer = other, "features.0"
    assert (charts.head.status, charts.head.error) == ("ready", {})
    assert "features.0" in charts.strength.title.value


def test_without_a_recording_the_charts_are_empty() -> None:
    charts = shown()
    charts.channel = 3
    charts.recording = None
    for chart in (charts.strength, charts.histogram):
        assert (chart.title.value, chart._bars.y.any(), chart._sign.visible) == ("", False, False)
    assert (charts.head.status, charts.head.classes) == ("empty", [])
    charts.recording = Recording()
    assert np.allclose(charts.strength._bars.y, [3.0, 2.0, 1.0, 0.0])


def test_another_language_is_spoken_at_once() -> None:
    charts = shown()
    charts.locale = "ko"
    charts.channel = 3
    assert "채널 3" in charts.histogram.title.value
    assert charts.head.locale == "ko"


def test_closing_frees_every_part() -> None:
    charts = shown()
    charts.channel = 3
    marks = [charts.strength._bars, charts.strength._sign, charts.histogram._bars]
    things = [charts, charts.head, charts.strength, charts.histogram, charts.recording, *marks]
    references = [weakref.ref(thing) for thing in things]
    charts.close()
    charts.close()
    del charts, things, marks
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)
