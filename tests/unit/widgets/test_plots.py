"""LinkedPictures: one coordinate system, one pair of scales, boxes where the pixels are."""

from __future__ import annotations

import gc
import io
import weakref
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zfwidgets.widgets.plots import LinkedPictures


def made(height: int = 20, width: int = 30) -> LinkedPictures:
    pictures = LinkedPictures(["photo", "projection"])
    for index in range(2):
        pictures.show(index, np.full((height, width, 3), 40 * (index + 1), np.uint8))
    return pictures


def figures(pictures: LinkedPictures) -> list[Any]:
    return [cell.children[1] for cell in pictures.children]


def test_every_picture_is_drawn_with_the_pixels_given() -> None:
    pictures = made()
    for index, figure in enumerate(figures(pictures)):
        shown = Image.open(io.BytesIO(figure.marks[0].image.value))
        assert shown.size == (30, 20)
        assert shown.getpixel((0, 0)) == (40 * (index + 1),) * 3
        assert list(figure.marks[0].x) == [0, 30]
        assert list(figure.marks[0].y) == [0, 20]


def test_pictures_zoom_together_since_they_share_scales() -> None:
    one, two = figures(made())
    assert one.marks[0].scales["x"] is two.marks[0].scales["x"]
    assert one.marks[0].scales["y"] is two.marks[0].scales["y"]
    assert one.interaction.scales == two.interaction.scales


def test_a_box_is_drawn_on_both_at_its_rows_and_columns() -> None:
    pictures = made(20, 30)
    pictures.outline((4, 6, 10, 16))
    for figure in figures(pictures):
        line = figure.marks[-1]
        assert line.visible
        assert (min(line.x), max(line.x)) == (6, 16)
        # Rows count from the top, bqplot's y from the bottom.
        assert (min(line.y), max(line.y)) == (20 - 10, 20 - 4)
    pictures.outline(None)
    assert not any(figure.marks[-1].visible for figure in figures(pictures))


def test_a_box_beyond_the_edge_is_cut_there() -> None:
    pictures = made(20, 30)
    pictures.outline((-5, 20, 8, 99))
    line = figures(pictures)[0].marks[-1]
    assert (min(line.x), max(line.x)) == (20, 30)
    assert (min(line.y), max(line.y)) == (12, 20)


def test_zooming_to_a_box_keeps_pixels_square_and_reset_shows_all() -> None:
    pictures = made(20, 30)
    everything = pictures.window
    assert everything == pytest.approx((0, 0, 20, 30))
    pictures.zoom_to((4, 6, 8, 10), margin=0)
    top, left, bottom, right = pictures.window
    assert top <= 4
    assert bottom >= 8
    assert left <= 6
    assert right >= 10
    assert (bottom - top) / (right - left) == pytest.approx(20 / 30)
    assert bottom - top < 20
    pictures.reset()
    assert pictures.window == everything


def test_zooming_to_a_box_beyond_the_edge_stays_inside_the_picture() -> None:
    pictures = made(20, 30)
    pictures.zoom_to((-6, 26, 4, 36), margin=0)
    assert pictures.window == pytest.approx((0, 15, 10, 30))
    pictures.zoom_to((-50, -50, 90, 90))
    top, left, bottom, right = pictures.window
    assert (top + bottom, left + right) == pytest.approx((20, 30))


def test_a_picture_of_another_size_starts_unzoomed() -> None:
    pictures = made(20, 30)
    pictures.zoom_to((0, 0, 5, 5))
    pictures.show(0, np.zeros((64, 64, 3), np.uint8))
    assert pictures.window == (0, 0, 64, 64)


def test_only_uint8_pictures_are_shown() -> None:
    with pytest.raises(ValueError, match=r"float64.*uint8 \[H, W, 3\]"):
        made().show(0, np.zeros((4, 4, 3)))


def test_closing_leaves_no_widget_behind() -> None:
    pictures = made()
    figure = weakref.ref(figures(pictures)[0])
    widget = weakref.ref(pictures)
    pictures.close()
    pictures.close()
    del pictures
    gc.collect()
    assert widget() is None
    assert figure() is None
