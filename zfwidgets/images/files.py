"""The bytes of a file, counted before they are read."""

from __future__ import annotations

import re
from pathlib import Path

from zfwidgets.images.limits import ImageError, Limits, check_bytes


def read_file(path: str | Path, limits: Limits, label: str) -> bytes:
    """The bytes of the file at `path`.

    Raises:
        ImageError: it is no file, cannot be read, or is larger than the limits allow.
    """
    if isinstance(path, str) and re.match(r"(?i)(https?|ftp|data):", path):
        raise ImageError(
            f"{label} is an address, not a file",
            "Nothing is fetched from the network here; expected a path on this machine.",
            "Save the picture first and give its path.",
        )
    try:
        file = Path(path).expanduser()
        if not file.is_file():  # also keeps out folders, pipes and devices, which may never end
            what = "is not a regular file" if file.exists() else "does not exist"
            raise ImageError(
                f"{label} {what}",
                f"Expected the path of a picture, relative to {Path.cwd().name or 'the folder'}/ "
                "or absolute.",
                "Check the spelling, or the folder that the notebook runs in.",
            )
        check_bytes(file.stat().st_size, limits, label)
        with file.open("rb") as stream:
            return stream.read(limits.max_bytes + 1)
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, ImageError):
            raise
        reason = getattr(error, "strerror", None) or "the path is not valid"
        raise ImageError(
            f"{label} could not be read",
            f"The system says: {reason}.",
            "Check the path and whether you may read the file.",
        ) from error
