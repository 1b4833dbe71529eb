"""How large a picture may be, and how a picture that cannot be used is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass


class ImageError(ValueError):
    """A picture that cannot be used: what was given, what was expected, what to do.

    ``title``, ``message`` and ``hint`` are plain text of our own making but for the cleaned file
    name; ``str(error)`` joins the three.
    """

    def __init__(self, title: str, message: str, hint: str) -> None:
        super().__init__(title, message, hint)
        self.title = title
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.title}: {self.message} {self.hint}"


@dataclass(frozen=True)
class Limits:
    """The largest picture that is decoded.

    ``max_bytes`` counts the file, ``max_pixels`` width times height, ``max_side`` the longer side
    in pixels (a strip one pixel high and millions long passes the other two, yet makes resizing
    allocate tables of that length).
    """

    max_bytes: int = 16 * 2**20
    max_pixels: int = 50_000_000
    max_side: int = 65_535

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels", "max_side"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(
                    f"Limits({name}={value!r}): expected a whole number of at least 1, "
                    f"for example Limits({name}={getattr(type(self), name)})."
                )


_limits = Limits()


def get_limits() -> Limits:
    """The limits that `decode` uses when it is given none."""
    return _limits


def set_limits(
    limits: Limits | None = None,
    *,
    max_bytes: int | None = None,
    max_pixels: int | None = None,
    max_side: int | None = None,
) -> Limits:
    """Replace the default limits for this process and return the previous ones.

    ``set_limits(max_pixels=200_000_000)`` changes one of them, ``set_limits(old)`` puts back what
    an earlier call returned, ``set_limits(Limits())`` returns to the shipped values.
    """
    global _limits
    previous = _limits
    base = previous if limits is None else limits
    _limits = Limits(
        max_bytes=base.max_bytes if max_bytes is None else max_bytes,
        max_pixels=base.max_pixels if max_pixels is None else max_pixels,
        max_side=base.max_side if max_side is None else max_side,
    )
    return previous


def check_bytes(count: int, limits: Limits, label: str) -> None:
    """Raise ImageError if a file has more bytes than the limits allow."""
    if count > limits.max_bytes:
        raise ImageError(
            f"{label} is too large a file",
            f"It has {count / 2**20:.1f} MiB; expected at most {limits.max_bytes / 2**20:g} MiB.",
            "Save it smaller, or raise the limit with "
            f"zfwidgets.images.set_limits(max_bytes={count}).",
        )


def check_size(width: int, height: int, limits: Limits, label: str) -> None:
    """Raise ImageError if a picture has no pixel, or more than the limits allow."""
    if width < 1 or height < 1:
        raise ImageError(
            f"{label} is empty",
            f"Its size is {width} x {height} pixels; expected at least 1 x 1.",
            "Save or download the picture again.",
        )
    if width * height > limits.max_pixels:
        size = f"{width} x {height} = {width * height / 1e6:.1f} million pixels"
        raise too_many_pixels(label, size, limits, f"max_pixels={width * height}")
    if max(width, height) > limits.max_side:
        size = f"{width} x {height} pixels"
        raise ImageError(
            f"{label} is too long a strip",
            f"It has {size}; expected at most {limits.max_side} on each side.",
            "Cut out a part of it, or raise the limit with "
            f"zfwidgets.images.set_limits(max_side={max(width, height)}).",
        )


def too_many_pixels(label: str, size: str, limits: Limits, setting: str = "") -> ImageError:
    """The refusal of a picture of `size`; `setting`: the limit that would admit it, if known."""
    raise_it = (
        f"zfwidgets.images.set_limits({setting})"
        if setting
        else "PIL.Image.MAX_IMAGE_PIXELS and zfwidgets.images.set_limits(max_pixels=…)"
    )
    return ImageError(
        f"{label} has too many pixels",
        f"It has {size}; expected at most {limits.max_pixels / 1e6:g} million.",
        f"Scale it down first (a network sees only some 200 x 200), or raise {raise_it}.",
    )


def clean(text: str) -> str:
    """A name or reason fit for one line of a message: printable and short."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = re.sub(r"\s+", " ", line).strip()
    return line if len(line) <= 80 else line[:60] + "…" + line[-16:]
