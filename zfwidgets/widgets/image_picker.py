"""A gallery of pictures: samples, uploads, drag and drop, paste; one of them is chosen.

Uploads travel in pieces, since Jupyter's web server drops the connection at a message of 10 MiB.
They are put together and decoded on the worker thread. A picture that cannot be decoded is
reported to the view that sent it; the chosen picture stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import traitlets as t
from PIL import Image, ImageOps

from zfwidgets.images import ImageError, decode, get_limits
from zfwidgets.images.samples import Sample, samples
from zfwidgets.images.tiles import encode, sprite
from zfwidgets.widgets.base import ZFWidget
from zfwidgets.widgets.rpc import Job, Responder
from zfwidgets.widgets.wire import Answer, WireError

THUMB = 128
"""Side of a thumbnail on the atlas in pixels; shown at half of that on a plain screen."""

_COLUMNS = 8
_MAX_UPLOADS = 4  # unfinished ones; a view that went away leaves its pieces behind
_MAX_LABEL = 60


@dataclass(frozen=True)
class _Entry:
    """A picture of the gallery. Kept as it came: decoded pictures are twenty times larger."""

    label: str
    credit: str
    source: Any
    thumb: np.ndarray[Any, Any]

    def open(self) -> Image.Image:
        if isinstance(self.source, Sample):
            return self.source.open()
        return decode(self.source, name=self.label)


class ImagePicker(ZFWidget):
    """Choose a picture, or bring one: upload, drag and drop, paste.

    Parameters:
        images: what the gallery begins with: a mapping of label -> picture, or an iterable of
            pictures. A picture is a path, the bytes of a file, a PIL image, a uint8 array
            ``[H, W, 3]`` or a `Sample`. Default: the sample photographs of the package.
        value: id of the picture to begin with; default: the first.

    Raises:
        ImageError: one of `images` cannot be decoded.
        traitlets.TraitError: no picture has the id `value`.

    Examples:
        >>> picker = ImagePicker({"my cat": "cat.jpg"})
        >>> picker.observe(lambda change: print(change["new"].size), "image")
    """

    bundle_name = "image-picker"

    items = t.List(t.Dict(), read_only=True).tag(sync=True)
    """The gallery in order: ``{id, label, credit}``, plain text. Grows with every upload."""

    value = t.Unicode(None, allow_none=True).tag(sync=True)
    """Id of the chosen picture; None while the gallery is empty."""

    image = t.Instance(Image.Image, allow_none=True, read_only=True)
    """The chosen picture, mode RGB. Python only. Set by choosing, see `value` and `add`."""

    disabled = t.Bool(False).tag(sync=True)
    """Whether choosing and uploading are off for the moment."""

    rows = t.Int(0, min=0, max=1).tag(sync=True)
    """0: the gallery wraps into as many rows as it needs; 1: one row that scrolls sideways."""

    _thumbs = t.Bytes().tag(sync=True)
    _columns = t.Int(_COLUMNS).tag(sync=True)
    _max_bytes = t.Int().tag(sync=True)

    def __init__(
        self,
        images: Mapping[str, Any] | Iterable[Any] | None = None,
        *,
        value: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._entries: dict[str, _Entry] = {}
        self._uploads: dict[str, bytearray] = {}
        self._opened: tuple[str, Image.Image] | None = None
        # Before anything can fail: close() is called for half-made widgets too.
        self._responder = Responder(self.send, {"upload": self._upload})
        super().__init__(**kwargs)
        for label, source in _labelled(images):
            self._enter(label, source)
        self._show_gallery()
        first = next(iter(self._entries), None)
        self.value = first if value is None else value
        self.on_msg(self._responder.on_msg)

    @t.default("_max_bytes")
    def _limit(self) -> int:
        return get_limits().max_bytes

    def add(self, image: Any, label: str = "", credit: str = "", *, choose: bool = True) -> str:
        """Put a picture into the gallery and give its id.

        Parameters:
            image: a path, the bytes of a file, a PIL image, a uint8 array ``[H, W, 3]``, a Sample.
            label: its name; a path or a sample brings its own.
            credit: author and licence, shown with the label.
            choose: whether it becomes the chosen one.

        Raises:
            ImageError: it cannot be decoded. Nothing changes then.
        """
        name = self._enter(label or _own_label(image) or "picture", image, credit)
        with self.hold_sync():
            self._show_gallery()
            if choose:
                self.value = name
        return name

    def close(self) -> None:
        """Close the widget and let go of its pictures."""
        self._responder.close()
        self.unobserve_all("image")  # nobody waits for the None below
        super().close()
        self._entries.clear()
        self._uploads.clear()
        self._opened = None
        self.set_trait("image", None)

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"ImagePicker(value={self.value!r}, {len(self.items)} pictures)"

    def contact_sheet(self) -> bytes | None:
        """The thumbnails, for places without a kernel."""
        if not self._entries:
            return None
        return encode(self._atlas(), "image/png")

    # ----------------------------------------------------------------------- gallery

    def _enter(self, label: str, source: Any, credit: str = "") -> str:
        """Decode once, keep the thumbnail and the source; the picture is ready to be chosen."""
        label = clean_label(label)
        if isinstance(source, Sample):
            entry = _Entry(source.name, source.credit, source, _sample_thumb(source))
            name = source.name
        else:
            image = decode(source, name=label)
            # A path may point to something else tomorrow, and arrays can be written to.
            kept = source if isinstance(source, bytes) else image
            entry = _Entry(label, credit, kept, _thumb(image))
            name = self._new_id(label)
            self._opened = (name, image)
        self._entries[name] = entry
        return name

    def _new_id(self, label: str) -> str:
        if label not in self._entries:
            return label
        number = 2
        while (name := f"{label} ({number})") in self._entries:
            number += 1
        return name

    def _show_gallery(self) -> None:
        listed = [
            {"id": name, "label": entry.label, "credit": entry.credit}
            for name, entry in self._entries.items()
        ]
        atlas = encode(self._atlas(), "image/webp", quality=86) if self._entries else b""
        with self.hold_sync():
            self.set_trait("items", listed)
            self._thumbs = atlas

    def _atlas(self) -> np.ndarray[Any, Any]:
        return sprite(np.stack([entry.thumb for entry in self._entries.values()]), _COLUMNS)

    @t.validate("value")
    def _check_value(self, proposal: dict[str, Any]) -> str | None:
        value: str | None = proposal["value"]
        if value is not None and value not in self._entries:
            known = ", ".join(self._entries) or "none, the gallery is empty"
            raise t.TraitError(f"value got {value!r:.80}; expected one of {known}")
        return value

    @t.observe("value")
    def _open_value(self, change: dict[str, Any]) -> None:
        name = change["new"]
        if name is None:
            self.set_trait("image", None)
            return
        try:
            ready = self._opened is not None and self._opened[0] == name
            image = self._opened[1] if ready and self._opened else self._entries[name].open()
        except ImageError as error:
            self.fail(error)
            self.value = change["old"]
            return
        self._opened = None
        self.clear_error()
        self.set_trait("image", image)

    # ------------------------------------------------------------------------ upload

    def _upload(self, job: Job) -> Answer:
        """One piece of a file: {key, name, at, size} + bytes. The last one is answered by its id.

        Runs on the worker thread, which alone touches `_uploads`.
        """
        body, buffers = job.request.body, job.request.buffers
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
        self._check_size(name, size)
        data = self._piece(key, at, bytes(buffers[0]))
        if len(data) < size:
            return Answer({"received": len(data)}, last=True)
        del self._uploads[key]
        if len(data) > size:
            raise WireError("Unreadable upload", f"announced {size} bytes, got {len(data)}")
        job.check()
        return Answer({"item": self.add(bytes(data), name)}, last=True)

    def _piece(self, key: str, at: int, piece: bytes) -> bytearray:
        if at == 0:
            self._uploads.pop(key, None)
            while len(self._uploads) >= _MAX_UPLOADS:
                del self._uploads[next(iter(self._uploads))]
            self._uploads[key] = bytearray()
        data = self._uploads.get(key)
        if data is None or len(data) != at:
            self._uploads.pop(key, None)
            raise WireError(
                "The upload was interrupted", "A piece of the file is missing.", "Upload it again."
            )
        data += piece
        return data

    def _check_size(self, name: str, size: int) -> None:
        """As decode() would, but before the first byte is kept."""
        limit = get_limits().max_bytes
        if size > limit:
            raise ImageError(
                f"{clean_label(name)} is too large",
                f"It has {size / 2**20:.1f} MiB; at most {limit / 2**20:.0f} MiB are read.",
                "Save it smaller, or raise the limit with zf.images.set_limits(max_bytes=…).",
            )


# --------------------------------------------------------------------------------- sources


def clean_label(name: str) -> str:
    """A file name from anywhere as one short line of printable text, without its folders."""
    line = "".join(c if c.isprintable() else " " for c in name.replace("\\", "/"))
    line = " ".join(PurePosixPath(line).name.split())
    if len(line) > _MAX_LABEL:
        line = f"{line[: _MAX_LABEL - 13]}…{line[-12:]}"
    return line or "picture"


def _labelled(images: Mapping[str, Any] | Iterable[Any] | None) -> list[tuple[str, Any]]:
    if images is None:
        images = samples()
    if isinstance(images, Mapping):
        return [(str(label), source) for label, source in images.items()]
    if isinstance(images, (str, bytes, Path, Image.Image, np.ndarray, Sample)):
        images = [images]
    numbered = enumerate(images, 1)
    return [(_own_label(source) or f"picture {number}", source) for number, source in numbered]


def _own_label(source: Any) -> str:
    if isinstance(source, Sample):
        return source.name
    return Path(source).name if isinstance(source, (str, Path)) else ""


_sample_thumbs: dict[str, np.ndarray[Any, Any]] = {}


def _sample_thumb(sample: Sample) -> np.ndarray[Any, Any]:
    """The thumbnail of a bundled photograph; decoded once per process."""
    if sample.sha256 not in _sample_thumbs:
        _sample_thumbs[sample.sha256] = _thumb(sample.open())
    return _sample_thumbs[sample.sha256]


def _thumb(image: Image.Image) -> np.ndarray[Any, Any]:
    """The middle square of a picture, uint8 [THUMB, THUMB, 3]."""
    # Two-step: a box reduction first makes a 50-megapixel picture take milliseconds.
    factor = max(1, min(image.size) // (2 * THUMB))
    small = image.reduce(factor) if factor > 1 else image
    return np.asarray(ImageOps.fit(small, (THUMB, THUMB), Image.Resampling.LANCZOS))
