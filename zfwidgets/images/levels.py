"""Numbers of many ranges as the grey levels 0 to 255, with a word where the range was guessed.

A 16-bit file says nothing about how many of its bits a camera or scanner filled: X-rays, CT and
microscopes have 10 to 14.  Taken as 16 they would be black to people and to the network.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_DEPTHS = (8, 10, 12, 14, 16)


def levels(values: Array, sixteen: bool = False) -> tuple[Array, str]:
    """Numbers of any range as float64 0..255, and what had to be guessed (empty: nothing).

    Values that fit into 0..1 are taken as that range; else into the least of 8, 10, 12, 14 or 16
    bits that holds the greatest; anything else is stretched from least to greatest.  What is not
    finite becomes 0.

    Args:
        values: whole numbers or floats of any shape, at least one.
        sixteen: the file or array has 16 bits, so that fewer of them are worth a word.
    """
    if values.dtype.kind == "f":
        values = np.where(np.isfinite(values), values, 0)
    low, high = float(values.min()), float(values.max())
    values = values.astype(np.float64)
    if low < 0 or high > 65535:
        if low == high:
            return np.zeros_like(values), f"Every value is {low:g}; shown black."
        note = f"Values from {low:g} to {high:g} are shown from black to white."
        return (values - low) * (255 / (high - low)), note
    if high <= 1:
        note = "None of 16 bits but the last is used: 1 is shown white." if sixteen and high else ""
        return values * 255, note
    bits = next(bits for bits in _DEPTHS if high < 2**bits)
    white = 2**bits - 1
    usual = bits == 16 or (bits == 8 and not sixteen)
    note = (
        "" if usual else f"The greatest value is {high:g}: taken as {bits} bits, {white} is white."
    )
    return values / (white / 255), note
