"""Turn anything a person may hand over as a picture into a plain 8-bit RGB image, or say why not.

Files come from strangers, so the order matters: bytes are counted before they are read, the header
is read before the pixels, the size in the header is compared with the limits, and only then are
pixels decoded.  Formats are an explicit list; Pillow's other readers (some of which start programs,
as EPS does) are never asked.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError, features

from zfwidgets.images import heif, medical
from zfwidgets.images.arrays import NPY_MAGIC, array_image, array_planes, read_npy
from zfwidgets.images.files import read_file
from zfwidgets.images.levels import levels
from zfwidgets.images.limits import (
    ImageError,
    Limits,
    check_bytes,
    check_size,
    clean,
    get_limits,
    too_many_pixels,
)
from zfwidgets.images.limits import set_limits as set_limits
from zfwidgets.images.photo import Photo

#: Pillow's names of the formats that are read.  SVG, EPS and PDF are programs, not pictures.
FORMATS: tuple[str, ...] = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM") + (
    ("AVIF",) if features.check("avif") else ()
)

#: How names of picture files end, in lower case.  For lists of folders: files are read by content.
SUFFIXES: tuple[str, ...] = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".avif", ".heic", ".heif", ".hif"),
    *medical.SUFFIXES,
)

Array = np.ndarray[Any, Any]
Source = bytes | bytearray | memoryview | str | Path | Image.Image | Array | Photo


def decode(source: Source, limits: Limits | None = None, name: str = "") -> Image.Image:
    """Read a picture and return it upright, opaque, in sRGB, as a new image of mode ``"RGB"``.

    Args:
        source: the bytes of a file, a path, a PIL image, a photograph of the package, or an array
            ``[H, W]``, ``[H, W, 1]``, ``[H, W, 3]`` or ``[H, W, 4]`` (uint8 0..255, uint16
            0..65535, bool, or floats 0..1).
        limits: the largest picture accepted; `get_limits` if not given.
        name: what to call the picture in messages; a path is called by its file name.

    What is done on the way: the EXIF orientation is applied; an animation gives its first frame;
    transparent parts are laid on white; an embedded colour profile other than sRGB is converted
    (a damaged one is ignored); grey of 16 or 32 bits counts as 0..1 if it fits, else as the least
    of 8, 10, 12, 14 or 16 bits that holds the greatest value, and is stretched from its least to
    its greatest value otherwise.  Metadata is dropped; where a range was guessed, ``info["note"]``
    of the result says which.

    Raises:
        ImageError: the picture is empty, damaged, too large, of another format, or no picture.
    """
    limits = get_limits() if limits is None else limits
    given, label = _opened(source, limits, name)
    return _image(given, limits, label)


def decode_planes(
    source: Source, channels: int, limits: Limits | None = None, name: str = ""
) -> Image.Image | Array:
    """A picture for a network of so many channels, none of which need be a colour.

    An array (or .npy file) ``[H, W, channels]`` comes back as it is, of type uint8, uint16, bool or
    float; anything else as `decode` gives it.

    Raises:
        ImageError: as `decode`; an array of another number of planes that is no photo either.
    """
    limits = get_limits() if limits is None else limits
    given, label = _opened(source, limits, name)
    if isinstance(given, np.ndarray):
        colours = given.ndim == 3 and given.shape[2] in (3, 4) and given.shape[2] != channels
        if not colours:
            return array_planes(given, channels, limits, label)
    return _image(given, limits, label)


# ---------------------------------------------------------------------------------- reading


def _opened(source: Source, limits: Limits, name: str) -> tuple[bytes | Image.Image | Array, str]:
    """What is to be read, files as their bytes, and what to call it."""
    if isinstance(source, Photo):
        name, source = name or source.name, source.open()
    if isinstance(source, np.ndarray):
        return source, clean(name) or "the array"
    if isinstance(source, Image.Image):
        return source, clean(name) or "the image"
    if isinstance(source, str | Path):
        name = name or Path(source).name
        source = read_file(source, limits, clean(name) or "the file")
    label = clean(name) or "the file"
    if not isinstance(source, bytes | bytearray | memoryview):
        raise ImageError(
            f"{label} is not a picture",
            f"Got an object of type {type(source).__name__}; expected the bytes of a file, a path, "
            "a PIL image or a NumPy array.",
            "A tensor becomes an array with tensor.cpu().numpy().",
        )
    data = bytes(source)
    check_bytes(len(data), limits, label)
    return (read_npy(data, label) if data.startswith(NPY_MAGIC) else data), label


def _image(given: bytes | Image.Image | Array, limits: Limits, label: str) -> Image.Image:
    if isinstance(given, np.ndarray):
        image = array_image(given, limits, label)
        note = image.info.get("note")
        image = _on_white(image) if image.mode == "RGBA" else image.convert("RGB")
        image.info = {"note": note} if note else {}
        return image
    if isinstance(given, Image.Image):
        return _finish(given, limits, label)
    return _from_bytes(given, limits, label)


def _from_bytes(data: bytes, limits: Limits, label: str) -> Image.Image:
    if not data:
        raise ImageError(
            f"{label} is empty",
            f"It has 0 bytes; expected a {_formats()} file.",
            "Save or download the picture again.",
        )
    if medical.is_medical(data):
        return medical.read_slice(data, limits=limits, name=label)
    try:
        with warnings.catch_warnings():
            # The limits below speak for themselves; Pillow's remarks would be noise beside them.
            warnings.simplefilter("ignore")
            if heif.is_heif(data):
                image = heif.open_heif(data)
            else:
                image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise too_many_pixels(label, f"more than {_bomb_pixels()} pixels", limits) from error
    except ImportError as error:
        raise ImageError(
            f"{label} needs a package that is not installed",
            f"It is a HEIC/HEIF picture, which {error} reads.",
            f"Install it with: pip install {error}",
        ) from error
    except UnidentifiedImageError as error:
        raise ImageError(
            f"{label} is not a picture that can be read",
            f"{_guess(data)} Expected a {_formats()} file.",
            "Open it in an image program and save it as PNG or JPEG.",
        ) from error
    except Exception as error:  # Pillow's parsers raise almost any type on hostile input
        raise _damaged(label, error) from error
    with image:
        return _finish(image, limits, label)


def _finish(image: Image.Image, limits: Limits, label: str) -> Image.Image:
    """Check the size, decode the pixels, and bring them to upright opaque sRGB."""
    check_size(*image.size, limits, label)
    try:
        image.load()
        upright = _upright(image)
        upright, note = _to_eight_bits(upright)
        rgb = _to_rgb(upright)
    except Exception as error:  # as above: truncated data, bad tables, oversized text chunks …
        raise _damaged(label, error) from error
    check_size(*rgb.size, limits, label)  # a frame may be larger than the header promised
    rgb.info = {"note": note} if note else {}
    return rgb


# ------------------------------------------------------------------------------- converting

#: EXIF tag 0x0112: how the stored rows and columns must be turned to stand upright.
_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(image: Image.Image) -> Image.Image:
    try:
        orientation = image.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001 - damaged metadata is no reason to refuse good pixels
        return image
    turn = _ORIENTATION.get(orientation) if isinstance(orientation, int) else None
    if turn is None:
        return image
    turned = image.transpose(turn)
    turned.info = dict(image.info)
    return turned


def _to_eight_bits(image: Image.Image) -> tuple[Image.Image, str]:
    """Grey of 16 or 32 bits in 8, and what had to be guessed."""
    sixteen = image.mode.startswith("I;16")
    if not sixteen and image.mode not in ("I", "F"):
        return image, ""
    values, note = levels(np.asarray(image), sixteen)
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8)), note


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data or image.mode in ("La", "RGBa"):
        profile = image.info.get("icc_profile")
        image = _on_white(image.convert("RGBA"))
        image.info["icc_profile"] = profile
    elif image.mode in ("1", "P", "YCbCr", "HSV", "LAB"):
        profile = None if image.mode == "LAB" else image.info.get("icc_profile")
        image = image.convert("RGB")
        image.info["icc_profile"] = profile
    return _to_srgb(image)


def _on_white(rgba: Image.Image) -> Image.Image:
    """White is what a picture with holes is most often drawn for, and what pages show behind it."""
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    white.alpha_composite(rgba)
    return white.convert("RGB")


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "L", "CMYK"):
        try:
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            # An sRGB picture is left alone: converting it to itself would only add rounding.
            if "srgb" not in ImageCms.getProfileDescription(given).lower():
                return _through_profile(image, given)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a profile that cannot be used is treated as none, as browsers do
    return image.convert("RGB")


def _through_profile(image: Image.Image, given: ImageCms.ImageCmsProfile) -> Image.Image:
    transform = ImageCms.buildTransform(given, ImageCms.createProfile("sRGB"), image.mode, "RGB")
    return ImageCms.applyTransform(image, transform) or image.convert("RGB")


# --------------------------------------------------------------------------------- refusing


def _damaged(label: str, error: Exception) -> ImageError:
    reason = clean(str(error)).rstrip(".") or type(error).__name__
    return ImageError(
        f"{label} is damaged or incomplete",
        f"Its header is that of a picture but the rest cannot be decoded ({reason}); expected a "
        f"whole {_formats()} file.",
        "Download or export it again; opening and saving it in an image program often mends it.",
    )


def _bomb_pixels() -> str:
    return f"{2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million"


def _formats() -> str:
    names = ["WebP" if name == "WEBP" else name for name in FORMATS]
    return ", ".join(names) + " or HEIC"


def _guess(data: bytes) -> str:
    """Say in words what bytes that no reader accepts look like."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"<svg" in head.lower():
        return "It is an SVG drawing, which is not read here."
    if head.startswith(b"%PDF"):
        return "It is a PDF document, which is not read here."
    if head.startswith((b"%!PS", b"\xc5\xd0\xd3\xc6")):
        return "It is a PostScript program, which is not read here."
    if data[4:8] == b"ftyp":
        return "It is a video, or a picture of a kind that is not read here."
    sample = data[:4096]
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in sample):
        return "Its contents are text."
    return "Its first bytes are those of no picture format known here."
