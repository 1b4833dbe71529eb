"""Slices of DICOM and NIfTI files as grey pictures, through a window of values.

Scanners measure more shades than a screen or a network has.  A window picks those that matter: its
width is spread from black to white around its centre (its level).  The file names one, or whoever
looks does; without either all values are spread, which is said.

pydicom and nibabel read the files; they come with ``pip install 'zfwidgets[medical]'``.
"""

from __future__ import annotations

import importlib
import io
import math
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zfwidgets.images.files import read_file
from zfwidgets.images.levels import levels
from zfwidgets.images.limits import ImageError, Limits, check_bytes, check_size, clean, get_limits

Array = np.ndarray[Any, Any]
Window = tuple[float, float]

SUFFIXES = (".dcm", ".dicom", ".nii", ".nii.gz")

_UNPACKED = 32
"""So many times `Limits.max_bytes` may a packed NIfTI volume have once it is unpacked."""

# Deflated as a whole: pydicom would unpack it without any limit.
_DEFLATED = b"1.2.840.10008.1.2.1.99"


def is_medical(data: bytes) -> bool:
    """Whether the first bytes are those of a DICOM or (packed) NIfTI file."""
    return data[128:132] == b"DICM" or _nifti(_head(data)) != 0


def read_slice(
    source: bytes | str | Path,
    index: int | None = None,
    *,
    axis: int = 2,
    window: Window | None = None,
    limits: Limits | None = None,
    name: str = "",
) -> Image.Image:
    """One slice of a DICOM or NIfTI file as an image of mode ``"RGB"``.

    Args:
        source: the file's path or its bytes.
        index: the frame of a DICOM file, or the slice of a NIfTI volume, counted from 0 (negative:
            from the end); default: the first frame, the middle slice.
        axis: of a NIfTI volume: across which axis of the body it is cut. 0 from left to right
            (sagittal), 1 from back to front (coronal), 2 from feet to head (axial). The picture
            has the body's left (of a sagittal one: the back) on its left and the head or the front
            on top. Of several volumes in time the first is taken.
        window: (centre, width) in the units of the file, such as (40, 400) Hounsfield units for
            soft tissue; default: the first that the file names.
        limits, name: as for `zfwidgets.images.decode`.

    ``info["note"]`` of the result says what was chosen for want of an answer.

    Raises:
        ImageError: the file is damaged, too large or of another kind, there is no such slice, or
            the package that reads it is not installed.
        ValueError: axis or window are no such thing.
    """
    limits = get_limits() if limits is None else limits
    if axis not in (0, 1, 2):
        raise ValueError(f"read_slice(axis={axis!r}): expected 0, 1 or 2.")
    if window is not None and not (
        len(tuple(window)) == 2 and all(map(math.isfinite, window)) and window[1] > 0
    ):
        raise ValueError(f"read_slice(window={window!r}): expected (centre, width), width above 0.")
    if isinstance(source, str | Path):
        name = name or Path(source).name
        source = read_file(source, limits, clean(name) or "the file")
    label = clean(name) or "the file"
    check_bytes(len(source), limits, label)
    dicom = source[128:132] == b"DICM"
    if not dicom and not _nifti(_head(source)):
        raise ImageError(
            f"{label} is no slice that can be read",
            "Its first bytes are those of neither a DICOM nor a NIfTI file.",
            "Other pictures are read by zfwidgets.images.decode.",
        )
    kind, package = ("DICOM", "pydicom") if dicom else ("NIfTI", "nibabel")
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise ImageError(
            f"{label} needs a package that is not installed",
            f"It is a {kind} file, which {package} reads.",
            "Install it with: pip install 'zfwidgets[medical]'",
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on harmless breaches of the standards
            if dicom:
                return _dicom(source, index, window, limits, label)
            return _volume(source, index, axis, window, limits, label)
    except ImageError:
        raise
    except Exception as error:  # parsers raise almost any type on hostile input
        reason = clean(str(error)).rstrip(".") or type(error).__name__
        raise ImageError(
            f"{label} is damaged or cannot be decoded",
            f"It begins as a {kind} file, but {package} says: {reason}.",
            "Export it again, uncompressed if there is a choice.",
        ) from error


# -------------------------------------------------------------------------------------- DICOM


def _dicom(
    data: bytes, index: int | None, window: Window | None, limits: Limits, label: str
) -> Image.Image:
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
    from pydicom.pixels.utils import pixel_array

    if _DEFLATED in data:
        raise ImageError(
            f"{label} is packed as a whole",
            "Its transfer syntax is Deflated Explicit VR Little Endian, which is not read here.",
            "Export it as Explicit VR Little Endian.",
        )
    file = dcmread(io.BytesIO(data))
    if "PixelData" not in file:
        raise ImageError(
            f"{label} holds no picture",
            "It is a DICOM file without pixel data (a report, a plan or an index).",
            "Choose a file of the series itself.",
        )
    check_size(int(file.Columns), int(file.Rows), limits, label)
    frames = max(1, int(file.get("NumberOfFrames", None) or 1))
    frame = _chosen(index, frames, 0, "frame", label)
    note = f"Frame {frame} of {frames}." if index is None and frames > 1 else ""
    pixels: Array = pixel_array(file, index=frame)
    kind = str(file.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, file)
    if pixels.ndim == 3:
        deep = pixels.dtype != np.uint8
        shown, guess = levels(pixels, sixteen=True) if deep else (pixels, "")
        return _image(shown, [note, guess])
    values = np.asarray(apply_modality_lut(pixels, file), np.float64)
    shown, guess = _through_tags(values, file) if window is None else (_linear(values, *window), "")
    return _image(255 - shown if kind == "MONOCHROME1" else shown, [note, guess])


def _through_tags(values: Array, file: Any) -> tuple[Array, str]:
    """Through the first window or table that the file names (PS3.3, C.11.2)."""
    from pydicom.pixels.processing import apply_voi_lut

    if file.get("WindowWidth", None) is not None and file.get("WindowCenter", None) is not None:
        centre, width = _first(file.WindowCenter), _first(file.WindowWidth)
        shape = str(file.get("VOILUTFunction", None) or "LINEAR")
        if width > 0 and math.isfinite(centre) and math.isfinite(width):
            if shape == "SIGMOID":
                steep = np.clip(-4 * (values - centre) / width, -700, 700)
                return 255 / (1 + np.exp(steep)), ""
            if shape == "LINEAR" and width > 1:
                # The standard's own half and one: the window counts whole steps.
                return _linear(values, centre - 0.5, width - 1), ""
            return _linear(values, centre, width), ""
    if file.get("VOILUTSequence", None):
        table = np.asarray(apply_voi_lut(values.astype(np.int64), file), np.float64)
        bits = int(file.VOILUTSequence[0].LUTDescriptor[2])
        return table * (255 / (2**bits - 1)), ""
    return levels(values, sixteen=True)


def _first(value: Any) -> float:
    return float(value if isinstance(value, int | float) else value[0])


# -------------------------------------------------------------------------------------- NIfTI


def _head(data: bytes) -> bytes:
    """The first bytes of a file, unpacked if it is packed: as many as a NIfTI header has."""
    if not data.startswith(b"\x1f\x8b"):
        return data[:540]
    try:
        return zlib.decompressobj(31).decompress(data, 540)
    except zlib.error:
        return b""


def _nifti(head: bytes) -> int:
    """The version of a single-file NIfTI header, or 0."""
    if len(head) >= 348 and head[344:348] == b"n+1\0":
        return 1
    return 2 if len(head) >= 540 and head[4:8] == b"n+2\0" else 0


def _volume(
    data: bytes, index: int | None, axis: int, window: Window | None, limits: Limits, label: str
) -> Image.Image:
    import nibabel

    kind = nibabel.Nifti1Image if _nifti(_head(data)) == 1 else nibabel.Nifti2Image
    header: Any = kind.header_class(_head(data)[: 348 if kind is nibabel.Nifti1Image else 540])
    shape = tuple(int(n) for n in header.get_data_shape())
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or not 2 <= len(shape) <= 4 or min(shape, default=0) < 1:
        raise ImageError(
            f"{label} is no volume of grey values",
            f"Its shape is {list(shape)}, its type {dtype}; expected 2 to 4 axes of real numbers.",
            "Save one of its volumes alone.",
        )
    size = math.prod(shape) * dtype.itemsize + int(header.get_data_offset())
    image = kind.from_bytes(_unpacked(data, size, limits, label))
    shape = (*shape, 1)[:3]
    stored, flipped = _stored_axes(image.affine)
    across = stored[axis]
    columns, rows = (stored[other] for other in range(3) if other != axis)
    check_size(shape[columns], shape[rows], limits, label)
    count = shape[across]
    chosen = _chosen(index, count, count // 2, "slice", label)
    where: list[Any] = [slice(None)] * 3
    where[across] = count - 1 - chosen if flipped[across] else chosen
    proxy: Any = image.dataobj
    plane = _plane(proxy, where)
    if columns < rows:  # what is left has the stored order; rows of a picture come first
        plane = plane.T
    plane = plane[:, ::-1] if flipped[columns] else plane
    plane = plane if flipped[rows] else plane[::-1]  # the head, or the front, on top
    notes = [f"Slice {chosen} of {count}."] if index is None and count > 1 else []
    if len(image.shape) > 3 and image.shape[3] > 1:
        notes.append(f"Volume 0 of {image.shape[3]}.")
    low, high = float(header["cal_min"]), float(header["cal_max"])
    if window is not None:
        return _image(_linear(plane, *window), notes)
    if math.isfinite(low) and math.isfinite(high) and low < high:
        return _image(_linear(plane, (low + high) / 2, high - low), notes)
    shown, guess = levels(plane, sixteen=True)
    return _image(shown, [*notes, guess])


def _plane(proxy: Any, where: list[Any]) -> Array:
    """The values of one slice, float64, scaled as the header says; [rows or columns, other]."""
    if len(proxy.shape) == 2:
        whole = np.asarray(proxy, np.float64)[:, :, None]
        return np.asarray(whole[tuple(where)])
    first = [0] * (len(proxy.shape) - 3)
    return np.asarray(proxy[(*where, *first)], np.float64)


def _stored_axes(affine: Any) -> tuple[list[int], list[bool]]:
    """Which stored axis runs along each axis of the body, and which stored axes run backwards."""
    from nibabel.orientations import io_orientation

    found = io_orientation(affine) if np.isfinite(affine).all() else np.full((3, 2), np.nan)
    if not np.isfinite(found).all():
        return [0, 1, 2], [False] * 3
    body = found[:, 0].astype(int).tolist()
    return [body.index(axis) for axis in range(3)], (found[:, 1] < 0).tolist()


def _unpacked(data: bytes, size: int, limits: Limits, label: str) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    most = _UNPACKED * limits.max_bytes
    if size > most:
        raise ImageError(
            f"{label} is too large once it is unpacked",
            f"It has {size / 2**20:.0f} MiB then; expected at most {most / 2**20:g} MiB.",
            "Save fewer slices, or raise the limit with "
            f"zfwidgets.images.set_limits(max_bytes={math.ceil(size / _UNPACKED)}).",
        )
    return zlib.decompressobj(31).decompress(data, size)


# ---------------------------------------------------------------------------------- pictures


def _chosen(index: int | None, count: int, usual: int, what: str, label: str) -> int:
    if index is None:
        return usual
    if not -count <= index < count:
        raise ImageError(
            f"{label} has no {what} {index}",
            f"It has {count}; expected 0 to {count - 1}, or {-count} to -1 from the end.",
            f"Choose another {what}.",
        )
    return index % count


def _linear(values: Array, centre: float, width: float) -> Array:
    """Black at and below the window's lower edge, white at and above its upper one."""
    return np.clip((values - centre) / width + 0.5, 0, 1) * 255


def _image(shown: Array, notes: list[str]) -> Image.Image:
    pixels = np.clip(np.rint(np.nan_to_num(shown)), 0, 255).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    note = " ".join(part for part in notes if part)
    image.info = {"note": note} if note else {}
    return image
