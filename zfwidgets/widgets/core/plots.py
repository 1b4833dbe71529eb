"""Charts: the only module that imports bqplot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import bqplot
import ipywidgets
import numpy as np

from zfwidgets.widgets.core.base import dispose, heard_as_addressed

Box = tuple[float, float, float, float]

#: Okabe & Ito's blue, vermilion and green; lines also differ by their dashes.
CURVE_COLOURS = ("#0072B2", "#D55E00", "#009E73")
_DASHES = ("solid", "dashed", "dash_dotted")
#: Their orange: what is chosen; a triangle marks it, too, for it is not to be told by hue alone.
CHOSEN_COLOUR = "#E69F00"
BAR_MARGIN = {"top": 14, "bottom": 36, "left": 48, "right": 12}
CURVE_MARGIN = {"top": 8, "bottom": 28, "left": 44, "right": 12}


class CurveChart(ipywidgets.Box):
    """Lines over one shared quantity, told apart by colour and by dash.

    ``name`` is what screen readers say.  The page finds its plotting area by the class
    ``zf-curves``, to draw a cursor there without asking the kernel.
    """

    _figure: Any = None  # until it is made: ipywidgets closes half-made widgets too

    def __init__(self, name: str, **kwargs: Any) -> None:
        # Without padding the plotting area is the span itself, which the page's cursor relies on.
        self._x = bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._y = bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._axes = [
            bqplot.Axis(scale=self._x, grid_lines="none"),
            bqplot.Axis(scale=self._y, side="left", grid_lines="none"),
        ]
        self.title = ipywidgets.Label(name)
        self._figure = bqplot.Figure(
            marks=[],
            axes=self._axes,
            fig_margin=CURVE_MARGIN,
            padding_x=0.0,
            padding_y=0.0,
            animation_duration=0,
            display_toolbar=False,
        )
        self._figure.add_class("zf-curve-figure")
        super().__init__([self.title, self._figure], **kwargs)
        self.add_class("zf-curves")

    def show(self, x: Sequence[float], lines: Mapping[str, Sequence[float]], span: Box) -> None:
        """Draw one line per name; ``span`` is (lowest y, lowest x, highest y, highest x).

        Lines of the names that were shown before are moved, not made anew.
        """
        low_y, low_x, high_y, high_x = span
        with self._x.hold_sync():
            self._x.min, self._x.max = float(low_x), float(high_x)
        with self._y.hold_sync():
            self._y.min, self._y.max = float(low_y), float(high_y)
        for axis, low, high, count in zip(
            self._axes, (low_x, low_y), (high_x, high_y), (8, 4), strict=True
        ):
            axis.tick_values = round_values(low, high, count)
            axis.tick_format = ".3~g"
        if [mark.labels[0] for mark in self._figure.marks] != list(lines):
            old, self._figure.marks = (
                self._figure.marks,
                [self._line(name, place) for place, name in enumerate(lines)],
            )
            for mark in old:
                dispose(mark)
        for mark, values in zip(self._figure.marks, lines.values(), strict=True):
            with mark.hold_sync():
                mark.x, mark.y = np.asarray(x, float), np.asarray(values, float)

    def close(self) -> None:
        """Close every widget that this one made, bqplot's and the layouts included."""
        figure, self._figure = self._figure, None  # closing twice is allowed
        super().close()
        if figure is None:
            return
        parts = [self.title, *figure.marks, *self._axes, self._x, self._y]
        for part in (*parts, figure.scale_x, figure.scale_y, figure):
            dispose(part)

    def _line(self, name: str, place: int) -> bqplot.Lines:
        return bqplot.Lines(
            # bqplot stumbles over a line that was empty when it was first drawn.
            x=[0.0, 0.0],
            y=[0.0, 0.0],
            scales={"x": self._x, "y": self._y},
            colors=[CURVE_COLOURS[place % len(CURVE_COLOURS)]],
            line_style=_DASHES[place % len(_DASHES)],
            stroke_width=2.0,
            labels=[name],
            marker="circle",
            marker_size=20,
        )


class BarChart(ipywidgets.Box):
    """Bars over numbers; one of them can be marked, and chosen by a click.

    ``clicked`` is called with the place of the bar, from 0.  ``name`` stands above.
    """

    _figure: Any = None  # until it is made: ipywidgets closes half-made widgets too

    def __init__(self, clicked: Callable[[int], None] | None = None) -> None:
        self._x = bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._y = bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False)
        scales = {"x": self._x, "y": self._y}
        self._axes = [
            bqplot.Axis(scale=self._x, grid_lines="none", tick_format="~g"),
            bqplot.Axis(
                scale=self._y,
                side="left",
                grid_lines="none",
                tick_format="~g",
                label_offset="38px",
            ),
        ]
        self._bars = bqplot.Bars(
            x=[0.0], y=[0.0], scales=scales, colors=[CURVE_COLOURS[0]], padding=0.15, stroke=None
        )
        self._sign = bqplot.Scatter(
            x=[0.0],
            y=[0.0],
            scales=scales,
            marker="triangle-down",
            colors=[CHOSEN_COLOUR],
            default_size=70,
            visible=False,
        )
        self.title = ipywidgets.Label("")
        self._figure = bqplot.Figure(
            marks=[self._bars, self._sign],
            axes=self._axes,
            fig_margin=BAR_MARGIN,
            padding_x=0.0,
            padding_y=0.0,
            animation_duration=0,
            display_toolbar=False,
        )
        self._figure.add_class("zf-bar-figure")
        super().__init__([self.title, self._figure])
        self.add_class("zf-bar-chart")
        if clicked is not None:
            self.add_class("zf-bar-choose")
            heard_as_addressed(self._bars.comm)
            self._bars.on_element_click(lambda _, told: clicked(int(told["data"]["index"])))

    def label(self, x: str, y: str) -> None:
        """Name the axes."""
        for axis, text in zip(self._axes, (x, y), strict=True):
            axis.label = text

    def show(self, name: str, x: Sequence[float], heights: Sequence[float]) -> None:
        """Draw the bars, evenly spaced at ``x``; no bar is marked."""
        step = float(x[1] - x[0]) if len(x) > 1 else 1.0
        # A click on nothing but a bar's foot must hit it, too; and a flat chart needs some height.
        top = max((float(height) for height in heights), default=0.0) * 1.12 or 1.0
        low = min(0.0, *(float(height) for height in heights)) if len(heights) else 0.0
        with self._x.hold_sync():
            self._x.min, self._x.max = float(x[0]) - step / 2, float(x[-1]) + step / 2
        with self._y.hold_sync():
            self._y.min, self._y.max = low * 1.12, top
        for axis, scale, most in zip(self._axes, (self._x, self._y), (6, 4), strict=True):
            axis.tick_values = round_values(scale.min, scale.max, most)
        self.title.value = name
        self._sign.visible = False
        with self._bars.hold_sync():
            self._bars.x, self._bars.y = np.asarray(x, float), np.asarray(heights, float)
            self._bars.colors = [CURVE_COLOURS[0]]

    def mark(self, place: int | None) -> None:
        """Mark the bar at this place; None marks none."""
        count = len(self._bars.x)
        if place is None or not 0 <= place < count:
            self._sign.visible = False
            self._bars.colors = [CURVE_COLOURS[0]]
            return
        self._bars.colors = [
            CHOSEN_COLOUR if index == place else CURVE_COLOURS[0] for index in range(count)
        ]
        with self._sign.hold_sync():
            self._sign.x = [float(self._bars.x[place])]
            self._sign.y = [max(0.0, float(self._bars.y[place])) + 0.05 * self._y.max]
            self._sign.visible = True

    def close(self) -> None:
        """Close every widget that this one made, bqplot's and the layouts included."""
        figure, self._figure = self._figure, None  # closing twice is allowed
        super().close()
        if figure is None:
            return
        parts = [self.title, *figure.marks, *self._axes, self._x, self._y]
        for part in (*parts, figure.scale_x, figure.scale_y, figure):
            dispose(part)


def round_values(low: float, high: float, most: int) -> list[float]:
    """At most so many round numbers from ``low`` to ``high``: 1, 2 or 5 times a power of 10 apart.

    >>> round_values(-0.5, 255.5, 6)
    [0.0, 50.0, 100.0, 150.0, 200.0, 250.0]
    """
    power = 10.0 ** np.floor(np.log10((high - low) / most))
    for step in (power * factor for factor in (1, 2, 5, 10)):
        first, last = int(np.ceil(low / step)), int(np.floor(high / step))
        if last - first < most:
            break
    return [round(number * step, 12) for number in range(first, last + 1)]
