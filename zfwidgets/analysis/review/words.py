"""Numbers and lists as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percent(share: float) -> str:
    """A share in percent; a digit more where it is small, and a dash for none."""
    if math.isnan(share):
        return "–"
    value = 100 * share
    text = f"{value:.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.1f}"
    return f"{text.replace('-', '−')} %"


def signed(number: float) -> str:
    """With its sign, to a hundredth."""
    return f"{number:+.2f}".replace("-", "−")


def counted(number: int, what: str, several: str | None = None) -> str:
    """1 channel, 2 channels."""
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def large(number: float) -> str:
    """Thousands, millions and thousand millions by their letters."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g} {letter}"
    return f"{number:.0f}"


def size(count: float) -> str:
    """Bytes."""
    for limit, letter in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= limit:
            return f"{count / limit:.3g} {letter}"
    return f"{count:.0f} bytes"


def listed(members: Sequence[object], limit: int = 8) -> str:
    """The first of them by name, and how many more there are."""
    names = [str(member) for member in members]
    if len(names) > limit:
        return f"{', '.join(names[:limit])} and {len(names) - limit} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
