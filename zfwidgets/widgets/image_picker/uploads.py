"""Files from the page, put together from pieces.

Jupyter's web server drops the connection at a message of 10 MiB, and in Colab uploads of a megabyte
are reported to fail, so files travel in pieces below that, one after another. Used by one thread
only.
"""

from __future__ import annotations

from zfwidgets.images import ImageError, get_limits
from zfwidgets.widgets.core.wire import Request, WireError
from zfwidgets.widgets.image_picker.gallery import clean_label

_MOST = 4  # unfinished ones; a view that went away leaves its pieces behind


class Uploads:
    """Files that are under way."""

    def __init__(self) -> None:
        self._parts: dict[str, bytearray] = {}

    def __len__(self) -> int:
        return len(self._parts)

    def clear(self) -> None:
        """Forget all of them."""
        self._parts.clear()

    def take(self, request: Request) -> tuple[str, bytes] | int:
        """One piece: {key, name, at, size} and one buffer. Name and file once it is complete, else
        the number of bytes so far.

        Raises:
            WireError: it is unreadable, or a piece before it is missing.
            ImageError: it would be larger than `get_limits` allows.
        """
        body, buffers = request.body, request.buffers
        key, name = body.get("key"), body.get("name")
        at, size = body.get("at"), body.get("size")
        if not (
            isinstance(key, str)
            and isinstance(name, str)
            and isinstance(at, int)
            and isinstance(size, int)
            and len(buffers) == 1
        ):
            raise WireError("Unreadable upload", "expected key, name, at, size and one buffer")
        _check_size(name, size)
        data = self._piece(key, at, bytes(buffers[0]))
        if len(data) < size:
            return len(data)
        del self._parts[key]
        if len(data) > size:
            raise WireError("Unreadable upload", f"announced {size} bytes, got {len(data)}")
        return name, bytes(data)

    def _piece(self, key: str, at: int, piece: bytes) -> bytearray:
        if at == 0:
            self._parts.pop(key, None)
            while len(self._parts) >= _MOST:
                del self._parts[next(iter(self._parts))]
            self._parts[key] = bytearray()
        data = self._parts.get(key)
        if data is None or len(data) != at:
            self._parts.pop(key, None)
            raise WireError(
                "The upload was interrupted", "A piece of the file is missing.", "Upload it again."
            )
        data += piece
        return data


def _check_size(name: str, size: int) -> None:
    """As decode() would, but before the first byte is kept."""
    limit = get_limits().max_bytes
    if size > limit:
        raise ImageError(
            f"{clean_label(name)} is too large",
            f"It has {size / 2**20:.1f} MiB; at most {limit / 2**20:.0f} MiB are read.",
            "Save it smaller, or raise the limit with zf.images.set_limits(max_bytes=…).",
        )
