"""What is known of a photograph that ships: who took it, on what terms, and how it is opened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Photo(ABC):
    """One photograph and what must be said about it.

    ``source`` is the address its author published it at, ``changes`` what was done to it,
    ``sha256`` the checksum of the file as it ships.
    """

    name: str
    title: str
    author: str
    licence: str
    licence_url: str
    source: str
    changes: str
    sha256: str

    @abstractmethod
    def open(self) -> Image.Image:
        """Decode the photograph, mode ``"RGB"``."""

    @property
    def credit(self) -> str:
        """One line that satisfies the licence: title, author, licence."""
        return f"{self.title}. {self.author}, {self.licence}"
