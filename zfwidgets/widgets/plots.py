"""Pictures that zoom and pan together: the only module that imports bqplot.

All pictures of a `LinkedPictures` live in one coordinate system, the pixels of the network's input
(x to the right, row 0 at the top), and share one pair of bqplot scales.  Zooming into the photo
therefore zooms into the projection, in the page, without asking the kernel.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import bqplot
import ipywidgets
import numpy as np
from PIL import Image

from zfwidgets.widgets.base import dispose

Array = np.ndarray[Any, Any]
Box = tuple[float, float, float, float]

#: Okabe-Ito orange over black: visible on any photo, and not by hue alone.
BOX_COLOUR = "#E69F00"

#: Okabe & Ito's blue, vermilion and green; lines also differ by their dashes.
CURVE_COLOURS = ("#0072B2", "#D55E00", "#009E73")
_DASHES = ("solid", "dashed", "dash_dotted")
CURVE_MARGIN = {"top": 8, "bottom": 28, "left": 44, "right": 12}
_MARGIN = {"top": 0, "bottom": 0, "left": 0, "right": 0}


class LinkedPictures(ipywidgets.Box):
    """Pictures of one size side by side, zoomed (wheel) and panned (drag) as one.

    ``titles`` has one line of text per picture, shown above it.  Nothing is drawn until `show` is
    called.  Boxes are ``(top, left, bottom, right)`` in input pixels, as in `Projections.boxes`.
    """

    def __init__(self, titles: Sequence[str], **kwargs: Any) -> None:
        self._size = (1, 1)
        self._x = bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._y = bqplot.LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._pictures = [self._picture() for _ in titles]
        self._outlines = [self._outline() for _ in titles]
        self._figures = [
            self._figure(picture, outline)
            for picture, outline in zip(self._pictures, self._outlines, strict=True)
        ]
        self.titles = [ipywidgets.Label(title) for title in titles]
        super().__init__(
            [self._cell(*pair) for pair in zip(self.titles, self._figures, strict=True)],
            **kwargs,
        )
        self.add_class("zf-linked-pictures")

    def show(self, index: int, pixels: Array) -> None:
        """Show uint8 pixels ``[H, W, 3]`` as picture ``index``.

        A picture of another size than before resets the zoom.

        Raises:
            ValueError: not uint8 ``[H, W, 3]``.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(
                f"show() got {pixels.dtype} pixels of shape {list(pixels.shape)}; "
                "expected uint8 [H, W, 3]."
            )
        height, width = pixels.shape[:2]
        if (height, width) != self._size:
            self._size = (height, width)
            self.reset()
        mark = self._pictures[index]
        with mark.hold_sync():
            mark.x, mark.y = [0.0, float(width)], [0.0, float(height)]
        # bqplot draws a new image widget, but not the new value of an old one.
        old, mark.image = mark.image, _image(pixels)
        dispose(old)
        mark.visible = True

    def outline(self, box: Box | None) -> None:
        """Draw ``box`` on every picture, cut at the picture's edges; None draws nothing."""
        for line in (line for pair in self._outlines for line in pair):
            with line.hold_sync():
                if box is not None:
                    line.x, line.y = self._corners(box)
                line.visible = box is not None

    def reset(self) -> None:
        """Show the whole picture again."""
        height, width = self._size
        self._look_at(0.0, 0.0, float(height), float(width))

    def zoom_to(self, box: Box, margin: float = 0.15) -> None:
        """Fill the frame with ``box``, plus ``margin`` of its size on every side.

        At the edge of the picture the frame stays inside.
        """
        top, left, bottom, right = box
        height, width = self._size
        # One scale for rows and columns: pixels stay square.
        zoom = max((bottom - top) / height, (right - left) / width) * (1 + 2 * margin)
        half_h, half_w = zoom * height / 2, zoom * width / 2
        row = _within((top + bottom) / 2, half_h, height)
        column = _within((left + right) / 2, half_w, width)
        self._look_at(row - half_h, column - half_w, row + half_h, column + half_w)

    @property
    def window(self) -> Box:
        """What is in sight now: (top, left, bottom, right) in input pixels."""
        height = self._size[0]
        return (height - self._y.max, self._x.min, height - self._y.min, self._x.max)

    def close(self) -> None:
        """Close every widget that this one made, bqplot's and the layouts included."""
        parts: list[Any] = [self._x, self._y, *self.titles, *self.children]
        for figure in self._figures:
            parts += [figure.interaction, figure.scale_x, figure.scale_y, *figure.marks, figure]
        parts += [mark.image for mark in self._pictures]
        self._figures, self._pictures, self.titles = [], [], []  # closing twice is allowed
        super().close()
        for part in parts:
            dispose(part)

    # ------------------------------------------------------------------------- marks

    def _picture(self) -> bqplot.Image:
        blank = _image(np.full((1, 1, 3), 128, np.uint8))
        return bqplot.Image(image=blank, scales={"x": self._x, "y": self._y}, visible=False)

    def _outline(self) -> list[bqplot.Lines]:
        """A dark line under a bright one, so that the box shows on dark and on bright photos."""
        return [
            bqplot.Lines(
                # bqplot stumbles over a line that was empty when it was first drawn.
                x=[0.0, 0.0],
                y=[0.0, 0.0],
                scales={"x": self._x, "y": self._y},
                colors=[colour],
                stroke_width=width,
                visible=False,
            )
            for colour, width in (("#000000", 4.0), (BOX_COLOUR, 2.0))
        ]

    def _figure(self, picture: bqplot.Image, outline: list[bqplot.Lines]) -> bqplot.Figure:
        figure = bqplot.Figure(
            marks=[picture, *outline],
            interaction=bqplot.PanZoom(scales={"x": [self._x], "y": [self._y]}),
            fig_margin=_MARGIN,
            padding_y=0.0,
            min_aspect_ratio=1.0,
            max_aspect_ratio=1.0,
            animation_duration=0,
            display_toolbar=False,
        )
        figure.add_class("zf-linked-figure")
        return figure

    def _cell(self, title: ipywidgets.Label, figure: bqplot.Figure) -> ipywidgets.Box:
        cell = ipywidgets.Box([title, figure])
        cell.add_class("zf-linked-cell")
        return cell

    # ------------------------------------------------------------------------ scales

    def _look_at(self, top: float, left: float, bottom: float, right: float) -> None:
        height = self._size[0]
        with self._x.hold_sync():
            self._x.min, self._x.max = left, right
        with self._y.hold_sync():
            self._y.min, self._y.max = height - bottom, height - top

    def _corners(self, box: Box) -> tuple[list[float], list[float]]:
        height, width = self._size
        top, bottom = (float(np.clip(row, 0, height)) for row in (box[0], box[2]))
        left, right = (float(np.clip(column, 0, width)) for column in (box[1], box[3]))
        rows = [height - row for row in (top, top, bottom, bottom, top)]
        return [left, right, right, left, left], rows


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
            self._axes, (low_x, low_y), (high_x, high_y), (7, 3), strict=True
        ):
            axis.tick_values = np.linspace(low, high, count)
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


def _within(centre: float, half: float, size: int) -> float:
    """The centre moved so that no place is lost to what lies outside the picture."""
    return size / 2 if 2 * half >= size else min(max(centre, half), size - half)


def _image(pixels: Array) -> ipywidgets.Image:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return ipywidgets.Image(value=buffer.getvalue(), format="png")
