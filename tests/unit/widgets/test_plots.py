"""CurveChart: lines over one span, told apart, moved and not made anew, closed with all parts."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from zfwidgets.widgets.core.plots import CURVE_COLOURS, CurveChart, round_values

SPAN = (0.0, -60.0, 1.0, 60.0)


def made() -> CurveChart:
    chart = CurveChart("Distance")
    lines = {"layer 1": [0.0, 0.5, 1.0], "layer 7": [0.1, 0.2, 0.3]}
    chart.show([-60, 0, 60], lines, SPAN)
    return chart


def test_every_line_has_its_values_its_colour_and_its_dash() -> None:
    marks = made()._figure.marks
    assert [mark.labels[0] for mark in marks] == ["layer 1", "layer 7"]
    assert np.array_equal(marks[1].y, [0.1, 0.2, 0.3])
    assert [mark.colors[0] for mark in marks] == list(CURVE_COLOURS[:2])
    assert marks[0].line_style != marks[1].line_style


def test_the_axes_end_where_the_span_does() -> None:
    chart = made()
    assert (chart._x.min, chart._x.max, chart._y.min, chart._y.max) == (-60, 60, 0, 1)
    assert chart._axes[0].tick_values[0] == -60
    assert chart._axes[0].tick_values[-1] == 60


def test_lines_of_the_same_names_are_moved_and_others_made() -> None:
    chart = made()
    before = list(chart._figure.marks)
    chart.show([0, 1], {"layer 1": [1.0, 2.0], "layer 7": [3.0, 4.0]}, (0, 0, 4, 1))
    assert all(one is other for one, other in zip(chart._figure.marks, before, strict=True))
    assert before[1].y.tolist() == pytest.approx([3, 4])
    chart.show([0, 1], {"output": [0.0, 1.0]}, (0, 0, 1, 1))
    assert [mark.labels[0] for mark in chart._figure.marks] == ["output"]


def test_closing_leaves_no_widget_behind() -> None:
    chart = made()
    parts = [weakref.ref(part) for part in (chart, chart._figure, *chart._figure.marks, chart._x)]
    chart.close()
    chart.close()
    del chart
    gc.collect()
    assert [part() for part in parts] == [None] * len(parts)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((-0.5, 255.5), [0, 50, 100, 150, 200, 250]),
        ((0.0, 7.6), [0, 2, 4, 6]),
        ((0.0, 0.034), [0, 0.01, 0.02, 0.03]),
        ((-12.0, 31.0), [-10, 0, 10, 20, 30]),
    ],
)
def test_ticks_are_few_round_numbers_inside_the_span(
    span: tuple[float, float], expected: list[float]
) -> None:
    assert round_values(*span, 6) == expected
