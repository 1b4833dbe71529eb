"""What is worth keeping as long as there is room: the least recently used goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """At most so many bytes of values. A value that is larger by itself is not kept.

    limit: in bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.nbytes = limit, 0
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, which counts as used now; None if it is not kept."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: K, value: V, nbytes: int) -> None:
        """Keep a value of so many bytes, and let go of others for it."""
        if key in self._values:
            self.nbytes -= self._values.pop(key)[1]
        if nbytes > self.limit:
            return
        self._values[key] = value, nbytes
        self.nbytes += nbytes
        while self.nbytes > self.limit:
            self.nbytes -= self._values.popitem(last=False)[1][1]
