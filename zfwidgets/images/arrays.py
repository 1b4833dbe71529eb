"""Arrays as pictures: of one, three or four colours, or of as many planes as a network takes."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
from PIL import Image

from zfwidgets.images.levels import levels
from zfwidgets.images.limits import ImageError, Limits, check_size, clean

Array = np.ndarray[Any, Any]

NPY_MAGIC = b"\x93NUMPY"

_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def array_image(array: Array, limits: Limits, label: str) -> Image.Image:
    """An array of 1, 3 or 4 colours as an image of mode L, RGB or RGBA, with `info["note"]`.

    Raises:
        ImageError: its shape or its values are not those of a picture.
    """
    _check_shape(array.shape, label)
    check_size(array.shape[1], array.shape[0], limits, label)
    pixels, note = _array_to_uint8(array, label)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if note:
        image.info["note"] = note
    return image


def array_planes(array: Array, channels: int, limits: Limits, label: str) -> Array:
    """A scene of so many planes as it is: ``[H, W, channels]``; ``[H, W]`` counts as one plane.

    Raises:
        ImageError: its shape, size or type is another.
    """
    if array.ndim == 2 and channels == 1:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] != channels:
        hint = "Arrange rows first, then columns, then planes."
        if array.ndim == 3 and array.shape[0] == channels:
            hint = "The planes come first here; use array.transpose(1, 2, 0)."
        elif array.ndim == 4:
            hint = "This looks like a batch; give its scenes one by one, as in array[0]."
        raise ImageError(
            f"{label} does not have the planes that the network takes",
            f"Its shape is {list(array.shape)}; expected [height, width, {channels}].",
            hint,
        )
    check_size(array.shape[1], array.shape[0], limits, label)
    if not (array.dtype in (np.uint8, np.uint16) or array.dtype.kind in "bf"):
        raise ImageError(
            f"{label} does not hold the values of a picture",
            f"It is of type {array.dtype}; expected uint8, uint16, bool or floats.",
            "Use array.astype('float32'), in the units that Preprocess(scale=) names.",
        )
    if not np.isfinite(array).all():
        raise ImageError(
            f"{label} has gaps",
            "Some of its values are not finite numbers; expected a value everywhere.",
            "Fill them first, for example with numpy.nan_to_num(array).",
        )
    return array


def read_npy(data: bytes, label: str) -> Array:
    """The array in the bytes of an .npy file. Nothing is unpickled, and no memory is set aside for
    more values than there are bytes.

    Raises:
        ImageError: the file is damaged, or holds Python objects.
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read = _NPY_HEADERS[version]
        shape, fortran, dtype = read(stream)
        if dtype.hasobject or dtype.itemsize == 0:
            raise ValueError(f"it holds values of type {dtype}, which are not read")
        count = math.prod(shape)
        found = (len(data) - stream.tell()) / dtype.itemsize
        if count != found:
            raise ValueError(f"it promises {count} values and has {found:g}")
        array: Array = np.frombuffer(data, dtype, offset=stream.tell())
        return array.reshape(shape, order="F" if fortran else "C")
    except Exception as error:
        reason = clean(str(error)).rstrip(".") or type(error).__name__
        raise ImageError(
            f"{label} is damaged or incomplete",
            f"Its first bytes are those of an .npy file but it cannot be used ({reason}); expected "
            "an array of numbers.",
            "Save it again with numpy.save(path, array, allow_pickle=False).",
        ) from error


def _check_shape(shape: tuple[int, ...], label: str) -> None:
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)):
        if 0 in shape:
            raise ImageError(
                f"{label} is empty",
                f"Its shape is {list(shape)}, without a single pixel; expected at least 1 x 1.",
                "Check how the array was cut out.",
            )
        return
    hint = "Arrange rows first, then columns, then colours."
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        hint = "The colours come first here; use array.transpose(1, 2, 0)."
    elif len(shape) == 4:
        hint = "This looks like a batch; give its pictures one by one, as in array[0]."
    raise ImageError(
        f"{label} does not have the shape of a picture",
        f"Its shape is {list(shape)}; expected [height, width], or [height, width, channels] with "
        "1, 3 or 4 channels.",
        hint,
    )


def _array_to_uint8(array: Array, label: str) -> tuple[Array, str]:
    kind = array.dtype.kind
    if array.dtype == np.uint8:
        return array, ""
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255), ""
    if kind in "iuf" and bool(np.isfinite(array).all()):
        low, high = float(array.min()), float(array.max())
        if kind == "f" and low >= 0 and high <= 1:
            return np.rint(array.astype(np.float64) * 255).astype(np.uint8), ""
        if array.dtype == np.uint16:
            values, note = levels(array, sixteen=True)
            return np.rint(values).astype(np.uint8), note
        if kind in "iu" and low >= 0 and high <= 255:
            return array.astype(np.uint8), ""
        found = f"values from {low:g} to {high:g}"
    else:
        found = "values that are not finite numbers"
    raise ImageError(
        f"{label} does not hold the values of a picture",
        f"It is of type {array.dtype} with {found}; expected whole numbers 0..255 (uint8) or "
        "floats 0..1.",
        "Scale the values first; a tensor that was prepared for a network can be given to record() "
        "as it is.",
    )
