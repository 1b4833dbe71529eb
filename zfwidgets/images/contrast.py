"""From numbers to pixels for people: signed projections around mid-grey, feature maps as heat.

The paper says only that contrast was "artificially enhanced" (Zeiler & Fergus 2013, Fig. 4) and
gives no formula.  The rules here are written down, and every picture comes with a `Contrast` that
says which rule was used and how far it stretched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from zfwidgets.images.numbers import is_tensor, library

if TYPE_CHECKING:
    from torch import Tensor

Rule = Literal["symmetric", "minmax"]
Share = Literal["tile", "all"]
Array = np.ndarray[Any, Any]
Numbers = Any
"""A Tensor or an array; what is done with it below both understand."""

#: The grey that stands for zero.  128 + 127 v fills 1..255, the same number of steps up and down.
MID_GREY = 128

#: Scales below this count as zero; dividing by less would overflow single precision.
_TINY = 1e-30

#: Numbers of a large picture that are looked at before all are.
_SAMPLE = 2048


@dataclass(frozen=True)
class Contrast:
    """How numbers became grey levels.

    ``low`` and ``high`` hold, per tile (or once, if shared), the values shown as the darkest and
    the brightest level; what lies beyond is clipped.  ``str()`` gives a caption.
    """

    rule: Rule
    share: Share
    percentile: float
    low: tuple[float, ...]
    high: tuple[float, ...]

    fixed: bool = False
    """Whether full contrast was given as a number, not found in the pictures."""

    def __str__(self) -> str:
        if self.fixed:
            return f"contrast: zero is mid-grey, full at |x| = {self.high[0]:.3g}, as given"
        scope = "each tile on its own" if self.share == "tile" else "one scale for all tiles"
        if self.rule == "minmax":
            return f"contrast: smallest value black, largest white, {scope}"
        at = (
            f"the {self.percentile:g}th percentile of the non-zero |x|"
            if self.percentile < 100
            else "the largest |x|"
        )
        return f"contrast: zero is mid-grey, full at {at}, {scope}"


def contrast(
    pixels: Tensor | Array,
    rule: Rule = "symmetric",
    share: Share = "tile",
    percentile: float = 99.5,
    gain: Tensor | Sequence[float] | None = None,
    full: float | None = None,
) -> tuple[Array, Contrast]:
    """Signed pictures ``[N, 3 or 1, h, w]`` -> uint8 ``[N, h, w, 3]`` and the `Contrast` used.

    Args:
        rule: ``"symmetric"`` keeps signs readable: zero is exactly grey 128, and the percentile of
            ``|x|`` over the channels of a tile becomes full contrast.  Exact zeros do not count in
            the percentile, so a projection looks the same alone and pasted on a large empty canvas;
            a tile of nothing but zeros stays flat grey.  ``"minmax"`` sends the smallest value to
            black and the largest to white; a constant tile is flat grey.
        share: ``"tile"`` scales each picture on its own, ``"all"`` makes brightness comparable
            between tiles.
        percentile: 0 < percentile <= 100, used by ``"symmetric"`` (nearest rank from above).
        gain: one factor per channel, applied first: `Preprocess.pixel_gain` undoes the division by
            the standard deviation, so that colours are balanced.
        full: with ``"symmetric"``, the ``|x|`` of full contrast instead of the percentile: pictures
            shown with one number can be compared.

    Raises:
        ValueError: wrong shape, rule, percentile or full, or values that are not finite.
    """
    values = _checked(pixels, 4, "contrast")
    if values.shape[1] not in (1, 3):
        raise ValueError(
            f"contrast() got {values.shape[1]} channels; expected [N, 3, h, w] or [N, 1, h, w]. "
            "Feature maps are shown with heat()."
        )
    if rule not in ("symmetric", "minmax") or not 0 < percentile <= 100:
        raise ValueError(
            f"contrast(rule={rule!r}, percentile={percentile}): expected rule 'symmetric' or "
            "'minmax' and 0 < percentile <= 100."
        )
    if full is not None and not (rule == "symmetric" and 0 < full < math.inf):
        raise ValueError(
            f"contrast(rule={rule!r}, full={full}): expected a positive number, and 'symmetric'."
        )
    if gain is not None:
        values = values * _gain(gain, values)
    rows, xp = _rows(values, share), library(values)
    if rule == "symmetric":
        high = (
            _top_percentile(abs(rows), percentile)
            if full is None
            else xp.full_like(rows[:, 0], full)
        )
        levels = _scaled(rows, high, 127)
        levels += MID_GREY
        low = -high
    else:
        low, high = xp.amin(rows, 1), xp.amax(rows, 1)
        span = high - low
        levels = _scaled(rows - low[:, None], span, 255)
        levels[span < _TINY] = MID_GREY
    grey = _bytes(levels, 1 if rule == "symmetric" else 0).reshape(values.shape)
    picture = np.broadcast_to(grey, (len(grey), 3, *grey.shape[2:])).transpose(0, 2, 3, 1)
    ends = tuple(low.tolist()), tuple(high.tolist())
    how = Contrast(rule, share, percentile, *ends, fixed=full is not None)
    return np.ascontiguousarray(picture), how


def heat(maps: Tensor | Array, share: Share = "tile") -> Array:
    """Feature maps ``[N, h, w]`` -> uint8 ``[N, h, w, 3]`` in the colours of `heat_colours`.

    Zero is the darkest colour and the largest value (of the tile, or of all) the brightest.  Maps
    are rectified activations; a negative value is shown as zero.

    Raises:
        ValueError: wrong shape, or values that are not finite.
    """
    checked = _checked(maps, 3, "heat")
    xp = library(checked)
    rows = _rows(xp.clip(checked, 0, None), share)
    index = _bytes(_scaled(rows, xp.amax(rows, 1), 255), 0)
    return heat_colours()[index.reshape(checked.shape)]


# ------------------------------------------------------------------------------ scaling


def _checked(values: Tensor | Array, ndim: int, caller: str) -> Numbers:
    numbers: Numbers = values.detach() if is_tensor(values) else np.asarray(values)
    shape = "[N, C, h, w]" if ndim == 4 else "[N, h, w]"
    if numbers.ndim != ndim or 0 in numbers.shape[1:]:
        raise ValueError(
            f"{caller}() got values of shape {list(numbers.shape)}; expected {shape} with at least "
            "one pixel. For a single picture give values[None]."
        )
    numbers = numbers.float() if is_tensor(numbers) else numbers.astype(np.float32)
    xp = library(numbers)
    # NaN and infinity both show in the extremes, which take no copy.
    ends = (float(xp.amin(numbers)), float(xp.amax(numbers))) if len(numbers) else ()
    if not all(map(math.isfinite, ends)):
        bad = int((~xp.isfinite(numbers)).sum())
        raise ValueError(
            f"{caller}() got {bad} values that are not finite (NaN or infinity); expected finite "
            "numbers. Look for an overflow, for instance in half precision."
        )
    return numbers.contiguous() if is_tensor(numbers) else np.ascontiguousarray(numbers)


def _rows(values: Numbers, share: Share) -> Numbers:
    """One row of numbers for each scale that is wanted."""
    if share not in ("tile", "all"):
        raise ValueError(f"share={share!r}: expected 'tile' or 'all'.")
    if values.shape[0] == 0:
        return values.reshape(0, math.prod(values.shape[1:]))
    return values.reshape(values.shape[0] if share == "tile" else 1, -1)


def _gain(gain: Tensor | Sequence[float], values: Numbers) -> Numbers:
    factors = library(values).asarray(gain)
    factors = factors.to(values) if is_tensor(factors) else factors.astype(np.float32)
    if factors.shape != (values.shape[1],):
        raise ValueError(
            f"contrast(gain={factors.tolist()}): expected one factor for each of the "
            f"{values.shape[1]} channels."
        )
    return factors[:, None, None]


def _scaled(rows: Numbers, scale: Numbers, steps: int) -> Numbers:
    """rows / scale * steps, and zero where the scale is nothing: nothing is not made something."""
    xp = library(rows)
    # Tensor by tensor: torch divides a number by one as its inverse times the number, which is
    # another last bit than that of NumPy and the page, and now and then another grey.
    factor = xp.full_like(scale, steps) / xp.clip(scale, _TINY, None)
    factor = xp.where(scale < _TINY, 0.0, factor)
    return rows * factor[:, None]


def _bytes(levels: Numbers, least: int) -> Array:
    """Levels rounded in place into `least` to 255, as bytes."""
    xp = library(levels)
    xp.round(levels, out=levels)
    xp.clip(levels, least, 255, out=levels)
    if is_tensor(levels):
        return levels.byte().cpu().numpy()
    return np.asarray(levels.astype(np.uint8))


def _top_percentile(magnitude: Numbers, percentile: float) -> Numbers:
    """Per row, the given percentile of its non-zero entries; 0 for a row without any."""
    if magnitude.shape[0] == 0:
        return magnitude[:, :0].sum(1)
    counted = library(magnitude).count_nonzero(magnitude, 1).tolist()
    rank = [math.floor(max(count - 1, 0) * (1 - percentile / 100)) for count in counted]
    # Only the largest few are needed: a full sort of 384 tiles would take seconds.
    if is_tensor(magnitude):
        largest = magnitude.topk(max(rank) + 1, dim=1).values
        return largest.gather(1, largest.new_tensor(rank).long()[:, None])[:, 0]
    found = [_from_above(row, behind) for row, behind in zip(magnitude, rank, strict=True)]
    return np.array(found, np.float32)


def _from_above(row: Array, behind: int) -> float:
    """The number of a row to which so many others come first, from the largest on."""
    few = row
    if row.size > 4 * _SAMPLE:
        # A sample says which numbers are too small to matter: most of them, and to tell them apart
        # is what takes long. Where it was mistaken, the whole row is looked through.
        sample = row[:: row.size // _SAMPLE]
        among = min(sample.size - 1, 2 * math.ceil(behind * sample.size / row.size) + 2)
        large = row[row >= np.partition(sample, -1 - among)[-1 - among]]
        few = large if large.size > behind else row
    at = few.size - 1 - behind
    return float(np.partition(few, at)[at])


# ------------------------------------------------------------------------------- colours

#: Anchors of the heat colours: position, then lightness, a, b in OKLab (B. Ottosson 2020).  From
#: near-black blue over violet and coral to pale yellow; lightness rises evenly, so the order can be
#: read without seeing hue, and blue to yellow is the axis that red-green blind people keep.
_ANCHORS = np.array(
    [
        [0.00, 0.14, 0.005, -0.030],
        [0.22, 0.32, 0.045, -0.125],
        [0.45, 0.50, 0.150, -0.070],
        [0.68, 0.68, 0.140, 0.085],
        [0.86, 0.83, 0.025, 0.150],
        [1.00, 0.97, -0.015, 0.070],
    ]
)


@cache
def heat_colours() -> Array:
    """The 256 heat colours, uint8 sRGB ``[256, 3]``, darkest first, lightness linear in OKLab."""
    at = np.linspace(0.0, 1.0, 256)
    a = _smooth(at, _ANCHORS[:, 0], _ANCHORS[:, 2])
    b = _smooth(at, _ANCHORS[:, 0], _ANCHORS[:, 3])
    lightness = np.interp(at, [0, 1], _ANCHORS[[0, -1], 1])
    chroma = np.ones(256)
    for _ in range(64):  # colours outside sRGB are made paler, not darker: lightness must stay even
        linear = _oklab_to_linear(lightness, a * chroma, b * chroma)
        outside = ((linear < 0) | (linear > 1)).any(1)
        if not outside.any():
            break
        chroma = np.where(outside, chroma * 0.97, chroma)
    linear = _oklab_to_linear(lightness, a * chroma, b * chroma).clip(0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    table: Array = np.rint(srgb * 255).astype(np.uint8)
    table.setflags(write=False)
    return table


def _smooth(at: Array, positions: Array, values: Array) -> Array:
    """Cubic Hermite interpolation with finite-difference slopes (no corner at an anchor)."""
    slopes = np.gradient(values, positions)
    i = np.clip(np.searchsorted(positions, at, side="right") - 1, 0, len(positions) - 2)
    width = positions[i + 1] - positions[i]
    t = (at - positions[i]) / width
    return np.asarray(
        (1 + 2 * t) * (1 - t) ** 2 * values[i]
        + t * (1 - t) ** 2 * width * slopes[i]
        + t**2 * (3 - 2 * t) * values[i + 1]
        + t**2 * (t - 1) * width * slopes[i + 1]
    )


def _oklab_to_linear(lightness: Array, a: Array, b: Array) -> Array:
    """OKLab -> linear sRGB [n, 3], with the matrices of Ottosson's definition."""
    lab = np.stack([lightness, a, b])
    cone = np.array(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    return np.asarray((rgb @ (cone @ lab) ** 3).T)
