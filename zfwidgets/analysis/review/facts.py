"""All that a review has looked at, before anything is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zfwidgets.analysis.filters import Filters
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.review.anatomy import Anatomy
from zfwidgets.analysis.review.cases import Case, ClassExamples
from zfwidgets.analysis.review.decisions import Decisions
from zfwidgets.analysis.review.finding import Limits
from zfwidgets.analysis.review.robustness import Change, Control
from zfwidgets.analysis.review.shelf import ChannelPictures
from zfwidgets.analysis.scan import Scan


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Facts(Result):
    """What a review found, in numbers and pictures.

    net, weights: its name, and the SHA-256 of its weights. images: how many pictures were seen.
    limits: what was asked for. anatomy: what it is. scan: strongest pictures and usage of the
    channels, see `Scan`. decisions: None without class scores. matter: (layer, channel) that matter
    most, and `why_matter`, how that was measured. channels: pictures of those, of channels with
    faults, and of channels that differ between right and wrong decisions; words: what these are of.
    examples: right and wrong decisions, class by class. cases: decisions that were looked into.
    changes: of `changed_pictures` pictures. control: faithfulness beside an untrained copy.
    filters: of the first layer. notes: why something is missing, by name. credits: who made
    pictures that are shown, by their ids.
    """

    net: str
    weights: str
    images: int
    limits: Limits
    anatomy: Anatomy
    scan: Scan
    decisions: Decisions | None
    matter: tuple[tuple[str, int], ...]
    why_matter: str
    channels: Mapping[tuple[str, int], ChannelPictures]
    words: Mapping[tuple[str, int], str]
    examples: tuple[ClassExamples, ...]
    cases: tuple[Case, ...]
    changes: tuple[Change, ...]
    changed_pictures: int
    control: Control | None
    filters: Filters | None
    notes: Mapping[str, str]
    credits: Mapping[str, str]
