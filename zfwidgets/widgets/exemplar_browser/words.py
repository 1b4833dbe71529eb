"""Names of what is on pictures, if that is what was given."""

from __future__ import annotations

from typing import Any

from zfwidgets.analysis.vocabulary import Labels


def named(labels: Any) -> Labels | None:
    """Labels that are names; those that are numbers say nothing."""
    if isinstance(labels, list | tuple) and all(isinstance(label, str) for label in labels):
        return labels
    return None
