"""What a sheet for print is made of, one channel after another. Without matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Block:
    """One channel on the sheet: equally many projections and patches, strongest first.

    projections, patches: uint8 [N, h, w, 3]; patches has no tiles if only projections are printed.
    label: the line above them.
    """

    label: str
    projections: Pixels
    patches: Pixels
