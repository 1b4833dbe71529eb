"""What a review found: ten lines, numbers for machines, a page for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zfwidgets.analysis.review import verdicts_channels as channels
from zfwidgets.analysis.review import verdicts_decisions as decisions
from zfwidgets.analysis.review.facts import Facts
from zfwidgets.analysis.review.finding import Finding
from zfwidgets.analysis.review.pages import page

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Review(Facts):
    """What `review` found: `Facts`, and what is to be said of them.

    `print(review)` gives the ten lines of `summary`; `missed` are those whose limit is missed.
    """

    def __str__(self) -> str:
        return "\n".join([self.headline, *map(str, self.summary)])

    @property
    def headline(self) -> str:
        """Whether limits were missed, in a sentence."""
        found = f"{self.net} on {self.images:,} pictures"
        if self.missed:
            return f"{found}: limits missed: {', '.join(one.about.lower() for one in self.missed)}."
        look = [one.about.lower() for one in self.summary if one.verdict == "look"]
        return f"{found}: no limit missed" + (f"; look at: {', '.join(look)}." if look else ".")

    @property
    def summary(self) -> tuple[Finding, ...]:
        """Ten lines: each a statement with its numbers and its test."""
        usage, why = self.scan.usage, self.notes.get
        return (
            channels.sized(self.anatomy),
            channels.dead(usage, self.limits),
            channels.copies(usage, self.limits),
            channels.skew(usage, self.limits),
            decisions.decided(self.decisions, self.net, self.limits),
            decisions.confused(self.decisions),
            decisions.explained(self.cases),
            decisions.stable(self.changes, self.changed_pictures, why("changes", "")),
            decisions.believed(self.control, why("control", "")),
            channels.aliased(self.filters, why("filters", ""), self.limits),
        )

    @property
    def missed(self) -> tuple[Finding, ...]:
        """Lines whose limit is missed; none: the network passes."""
        return tuple(one for one in self.summary if one.verdict == "missed")

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per layer: what it costs, and how its channels are used."""
        import pandas as pd

        rows = pd.DataFrame(
            [
                {
                    "layer": one.name,
                    "kind": one.kind,
                    "maps": one.shape[0],
                    "height": one.shape[1],
                    "width": one.shape[2],
                    "parameters": one.parameters,
                    "multiply-adds": one.multiply_adds,
                    "map bytes": one.map_bytes,
                    "weight bytes": one.weight_bytes,
                }
                for one in self.anatomy.layers
            ]
        ).set_index("layer")
        return rows.join(self.scan.usage.to_frame().drop(columns="channels"))

    def to_json(self, path: str | Path) -> Path:
        """Write every number, and the summary, for machines; returns the path."""
        path = Path(path).expanduser()
        path.write_text(json.dumps(_plain(self._numbers()), indent=1, ensure_ascii=False) + "\n")
        return path

    def to_html(self, path: str | Path) -> Path:
        """Write one HTML file that needs nothing else, not even a script; returns the path."""
        from zfwidgets.analysis.plot.review_page import write_page

        path = Path(path).expanduser()
        write_page(path, page(self, self.summary))
        return path

    def _numbers(self) -> dict[str, Any]:
        usage = self.scan.usage
        decisions = self.decisions
        return {
            "format": "zfwidgets review 1",
            "zfwidgets": version("zfwidgets"),
            "net": self.net,
            "weights": self.weights,
            "images": self.images,
            "passed": not self.missed,
            "limits": asdict(self.limits),
            "summary": [asdict(one) for one in self.summary],
            "anatomy": asdict(self.anatomy),
            "layers": {
                name: {
                    "channels": one.channels,
                    "dead": one.dead,
                    "near_dead": one.near_dead,
                    "broken": one.broken,
                    "duplicates": one.duplicates,
                    "gini": one.gini,
                    "effective": one.effective,
                    "population": one.population,
                }
                for name, one in usage.layers.items()
            },
            "classes": None
            if decisions is None
            else [
                {"class": decisions.classes.name(label), "pictures": pictures, "right": right}
                for label, pictures, right in decisions.per_class()
            ],
            "matter": self.matter,
            "apart": None
            if decisions is None
            else {"layer": decisions.layer, "t": decisions.apart.tolist()},
            "changes": [
                {
                    "transform": one.transform,
                    "values": one.values,
                    "stays": None if one.stays is None else one.stays.tolist(),
                    "moved": one.moved.tolist(),
                }
                for one in self.changes
            ],
            "notes": dict(self.notes),
        }


def _plain(value: Any) -> Any:
    """As JSON knows it: numbers that are none become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
