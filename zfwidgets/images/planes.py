"""Which of a network's channels are shown as red, green and blue, or which one in grey.

A network of two, four or thirteen channels sees what no screen has colours for.  Its pictures and
projections are shown by three of its planes, or by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zfwidgets.images.numbers import library


@dataclass(frozen=True)
class Planes:
    """Channels, counted from 0, as colours: ``Planes(red=3, green=2, blue=1)``, ``Planes(grey=7)``.

    Raises:
        ValueError: neither one grey plane nor all of the three colours, or no whole numbers.
    """

    red: int | None = None
    green: int | None = None
    blue: int | None = None
    grey: int | None = None

    def __post_init__(self) -> None:
        given = [plane for plane in (self.red, self.green, self.blue) if plane is not None]
        complete = not given if self.grey is not None else len(given) == 3
        if not complete or not all(type(plane) is int and plane >= 0 for plane in self.channels):
            raise ValueError(
                f"{self!r}: expected channels counted from 0, either all of red, green and blue "
                "or grey alone, as in Planes(red=3, green=2, blue=1) or Planes(grey=7)."
            )

    @classmethod
    def usual(cls, channels: int) -> Planes:
        """The first three of so many channels as red, green, blue; of one or two the first in grey.

        Raises:
            ValueError: there is no channel.
        """
        if channels < 1:
            raise ValueError(f"Planes.usual({channels}): expected at least one channel.")
        return cls(grey=0) if channels < 3 else cls(red=0, green=1, blue=2)

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels that are shown: three, or one."""
        if self.grey is not None:
            return (self.grey,)
        return tuple(plane for plane in (self.red, self.green, self.blue) if plane is not None)

    def __str__(self) -> str:
        """As a caption says it."""
        if self.grey is not None:
            return f"channel {self.grey} in grey"
        return f"channels {self.red}, {self.green}, {self.blue} as red, green, blue"

    def of(self, values: Any) -> Any:
        """The shown planes of a Tensor or array ``[N, C, h, w]`` as ``[N, 3, h, w]``.

        Raises:
            ValueError: a chosen channel is not among the C.
        """
        if values.ndim != 4 or max(self.channels) >= values.shape[1]:
            raise ValueError(
                f"{self!r} does not fit values of shape {list(values.shape)}; expected "
                f"[N, C, h, w] with more than {max(self.channels)} channels, counted from 0."
            )
        if self.grey is not None:
            shape = (len(values), 3, *values.shape[2:])
            return library(values).broadcast_to(values[:, self.grey, None], shape)
        if self.channels == tuple(range(values.shape[1])):
            return values
        return values[:, list(self.channels)]
