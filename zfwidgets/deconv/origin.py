"""What made a projection, here or on a server: nothing of it needs torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zfwidgets.deconv.method import Method


@dataclass(frozen=True, slots=True)
class Origin:
    """What made a projection: enough to make it again.

    extensions: operations on the way that go beyond the paper. weights: gives the SHA-256 of
    the weights; computed when asked, RuntimeError if they have changed since the recording.
    """

    net: str
    weights: Callable[[], str]
    layer: str
    method: Method
    precision: str
    extensions: tuple[str, ...]

    def __str__(self) -> str:
        method = self.method
        return (
            f"{self.net}, {self.layer}, {method.rule}, seed {method.seed}, unpool {method.unpool}, "
            f"LRN {method.lrn}, {self.precision}"
        )
