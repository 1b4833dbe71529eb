"""One channel's strip of exemplars, drawn: here, or by a server. Knows no Jupyter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from zfwidgets.analysis.strongest import Exemplars
    from zfwidgets.analysis.vocabulary import Concept

Pictures = npt.NDArray[np.uint8]

PX = 160
"""Longer side of a picture at most."""


@dataclass(frozen=True)
class Strip:
    """One channel's pictures, strongest first.

    pictures: uint8 [2 N, h, w, 3], N patches, then the N projections. facts: of each what is known,
    as `Fact` of the page side. words: what its 50 strongest have in common.
    """

    found: Exemplars
    pictures: Pictures
    facts: list[dict[str, Any]]
    words: tuple[Concept, ...]
