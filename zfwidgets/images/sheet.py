"""Contact sheets: labelled tiles in rows, like the paper's Fig. 2, for slides and print."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Array = np.ndarray[Any, Any]
Theme = Literal["light", "dark"]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

#: Background, text, quieter text.
_COLOURS: dict[str, tuple[str, str, str]] = {
    "light": ("#ffffff", "#1b1b1b", "#5a5a5a"),
    "dark": ("#111214", "#f0f0f0", "#a8abb0"),
}
#: Lengths below are in pixels at this resolution, and grow with it.
_SCREEN_DPI = 96


def contact_sheet(
    tiles: Array | Sequence[Array | Image.Image],
    labels: Sequence[str] = (),
    title: str = "",
    caption: str = "",
    columns: int | None = None,
    tile_size: int | None = None,
    theme: Theme = "light",
    dpi: int = _SCREEN_DPI,
    font: str | Path | None = None,
) -> Image.Image:
    """Tiles in rows with a label under each, a title above and a caption below -> an RGB image.

    Args:
        tiles: uint8 ``[N, h, w, 3]``, or a sequence of such pictures of any sizes.
        labels: one text per tile, or none; what does not fit under its tile ends in "…".
        title, caption: lines above and below, wrapped to the width; ``str(Contrast)`` is a caption.
        columns: tiles in a row; nearly square without it.
        tile_size: longer side of a tile at screen resolution, pixels; without it tiles keep their
            size, but are at least 48.
        theme: ``"light"`` for paper, ``"dark"`` for a dark slide.
        dpi: 96 for a screen, 300 for print: everything grows with it, pixels of enlarged tiles are
            repeated, not blurred.  Save with ``sheet.save(path, dpi=sheet.info["dpi"])``.
        font: a TrueType file for scripts that Pillow's built-in Latin font lacks.

    Raises:
        ValueError: no tiles, labels that do not match in number, wrong shapes or sizes.
    """
    pictures = _pictures(tiles)
    if labels and len(labels) != len(pictures):
        raise ValueError(
            f"contact_sheet() got {len(labels)} labels for {len(pictures)} tiles; expected one "
            "label per tile, or none."
        )
    columns = math.isqrt(len(pictures) - 1) + 1 if columns is None else columns
    if (
        columns < 1
        or dpi < 24
        or (tile_size is not None and tile_size < 1)
        or theme not in _COLOURS
    ):
        raise ValueError(
            f"contact_sheet(columns={columns}, tile_size={tile_size}, dpi={dpi}, theme={theme!r}): "
            "expected columns and tile_size of at least 1, dpi of at least 24, theme 'light' or "
            "'dark'."
        )
    largest = max(max(picture.size) for picture in pictures)
    side = max(48, largest) if tile_size is None else tile_size
    layout = _Layout(columns, side, largest, dpi / _SCREEN_DPI, _COLOURS[theme], font)
    sheet = layout.draw(pictures, labels, title, caption)
    sheet.info["dpi"] = (dpi, dpi)
    return sheet


def stacked(files: Sequence[bytes | None], gap: int = 8) -> bytes | None:
    """Pictures, as the bytes of files, one below the other on white: a PNG file; None of none."""
    pictures = [Image.open(io.BytesIO(file)).convert("RGB") for file in files if file]
    if not pictures:
        return None
    width = max(picture.width for picture in pictures)
    height = sum(picture.height + gap for picture in pictures) - gap
    sheet = Image.new("RGB", (width, height), "white")
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height + gap
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _pictures(tiles: Array | Sequence[Array | Image.Image]) -> list[Image.Image]:
    pictures = []
    for tile in tiles:
        if isinstance(tile, Image.Image):
            pictures.append(tile.convert("RGB"))
            continue
        if tile.dtype != np.uint8 or tile.ndim != 3 or tile.shape[2] != 3 or 0 in tile.shape:
            raise ValueError(
                f"contact_sheet() got a tile of type {tile.dtype} and shape {list(tile.shape)}; "
                "expected uint8 [h, w, 3]. Numbers become pixels with contrast() or heat()."
            )
        pictures.append(Image.fromarray(np.ascontiguousarray(tile)))
    if not pictures:
        raise ValueError("contact_sheet() got no tiles; expected at least one.")
    return pictures


@dataclass(frozen=True)
class _Layout:
    """Where things go on one sheet; every length is in pixels of the finished picture."""

    columns: int
    side: int  # of a tile, at screen resolution
    largest: int  # longer side of the largest picture, in its own pixels
    grow: float
    colours: tuple[str, str, str]
    font_file: str | Path | None

    def px(self, length: float) -> int:
        return round(length * self.grow)

    @cached_property
    def gap(self) -> int:
        return self.px(8)

    @cached_property
    def margin(self) -> int:
        return self.px(20)

    def font(self, size: float) -> Font:
        if self.font_file is not None:
            return ImageFont.truetype(str(self.font_file), size * self.grow)
        return ImageFont.load_default(size * self.grow)

    def draw(
        self, pictures: list[Image.Image], labels: Sequence[str], title: str, caption: str
    ) -> Image.Image:
        background, ink, quiet = self.colours
        # All pictures are enlarged alike, so that their sizes can be compared.
        fitted = [self._fit(picture) for picture in pictures]
        cell_w = max(picture.width for picture in fitted)
        cell_h = max(picture.height for picture in fitted)
        label_font, title_font, caption_font = self.font(11), self.font(20), self.font(12)
        label_h = self.px(18) if any(labels) else 0
        used = min(self.columns, len(pictures))
        inner = max(used * (cell_w + self.gap) - self.gap, self.px(200))
        title_lines = _wrap(title, title_font, inner)
        caption_lines = _wrap(caption, caption_font, inner)
        rows = -(-len(pictures) // self.columns)
        top = self.margin + len(title_lines) * self.px(27) + (self.px(6) if title_lines else 0)
        bottom = top + rows * (cell_h + label_h + self.gap) - self.gap
        height = bottom + len(caption_lines) * self.px(18) + (self.px(10) if caption_lines else 0)
        sheet = Image.new("RGB", (inner + 2 * self.margin, height + self.margin), background)
        pen = ImageDraw.Draw(sheet)
        for i, line in enumerate(title_lines):
            pen.text((self.margin, self.margin + i * self.px(27)), line, ink, title_font)
        for i, picture in enumerate(fitted):
            x = self.margin + (i % self.columns) * (cell_w + self.gap)
            y = top + (i // self.columns) * (cell_h + label_h + self.gap)
            left, up = (cell_w - picture.width) // 2, (cell_h - picture.height) // 2
            sheet.paste(picture, (x + left, y + up))
            if labels:
                text = _shortened(labels[i], label_font, cell_w)
                pen.text((x, y + cell_h + self.px(3)), text, quiet, label_font)
        for i, line in enumerate(caption_lines):
            pen.text(
                (self.margin, bottom + self.px(10) + i * self.px(18)), line, quiet, caption_font
            )
        return sheet

    def _fit(self, picture: Image.Image) -> Image.Image:
        factor = self.side * self.grow / self.largest
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        if size == picture.size:
            return picture
        how = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS
        return picture.resize(size, how)


def _shortened(text: str, font: Font, width: int) -> str:
    """The text on one line, cut to the width."""
    text = " ".join(str(text).split())
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…" if text else ""


def _wrap(text: str, font: Font, width: int) -> list[str]:
    """Lines no wider than the width, broken at spaces; a word that is too long is cut."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(_shortened(word, font, width))
    return lines
