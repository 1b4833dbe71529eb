"""Turn anything a person may hand over as a picture into a plain 8-bit RGB image, or say why not.

Files come from strangers, so the order matters: bytes are counted before they are read, the header
is read before the pixels, the size in the header is compared with the limits, and only then are
pixels decoded.  Formats are an explicit list; Pillow's other readers (some of which start programs,
as EPS does) are never asked.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError, features

from zfwidgets.images.photo import Photo

#: Pillow's names of the formats that are read.  SVG, EPS and PDF are programs, not pictures.
FORMATS: tuple[str, ...] = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF") + (
    ("AVIF",) if features.check("avif") else ()
)

Source = bytes | bytearray | memoryview | str | Path | Image.Image | np.ndarray[Any, Any] | Photo


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
    (a damaged one is ignored); 16-bit grey is divided by 257; 32-bit whole numbers and floats count
    as 0..255, 0..65535 or 0..1 if they fit, and are stretched from their least to their greatest
    value otherwise.  Metadata is dropped.

    Raises:
        ImageError: the picture is empty, damaged, too large, of another format, or no picture.
    """
    limits = _limits if limits is None else limits
    if isinstance(source, Photo):
        name, source = name or source.name, source.open()
    if isinstance(source, np.ndarray):
        return _from_array(source, limits, _clean(name) or "the array")
    if isinstance(source, Image.Image):
        return _finish(source, limits, _clean(name) or "the image")
    if isinstance(source, str | Path):
        name = name or Path(source).name
        source = _read(source, limits, _clean(name) or "the file")
    label = _clean(name) or "the file"
    if not isinstance(source, bytes | bytearray | memoryview):
        raise ImageError(
            f"{label} is not a picture",
            f"Got an object of type {type(source).__name__}; expected the bytes of a file, a path, "
            "a PIL image or a NumPy array.",
            "A tensor becomes an array with tensor.cpu().numpy().",
        )
    return _from_bytes(bytes(source), limits, label)


# ---------------------------------------------------------------------------------- reading


def _read(path: str | Path, limits: Limits, label: str) -> bytes:
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
        _check_bytes(file.stat().st_size, limits, label)
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


def _from_bytes(data: bytes, limits: Limits, label: str) -> Image.Image:
    if not data:
        raise ImageError(
            f"{label} is empty",
            f"It has 0 bytes; expected a {_formats()} file.",
            "Save or download the picture again.",
        )
    _check_bytes(len(data), limits, label)
    try:
        with warnings.catch_warnings():
            # The limits below speak for themselves; Pillow's remarks would be noise beside them.
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(label, f"more than {_bomb_pixels()} pixels", limits) from error
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
    _check_size(*image.size, limits, label)
    try:
        image.load()
        upright = _upright(image)
        rgb = _to_rgb(upright)
    except Exception as error:  # as above: truncated data, bad tables, oversized text chunks …
        raise _damaged(label, error) from error
    _check_size(*rgb.size, limits, label)  # a frame may be larger than the header promised
    rgb.info = {}
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


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = _grey(np.asarray(image).astype(np.float64) / 257)
    elif image.mode in ("I", "F"):
        image = _grey(_stretch(np.asarray(image, dtype=np.float64)))
    elif image.has_transparency_data or image.mode in ("La", "RGBa"):
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


def _stretch(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Bring numbers of unknown range to 0..255; what is not finite becomes black."""
    finite = np.isfinite(values)
    values = np.where(finite, values, 0.0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return values * 255
    if low >= 0 and high <= 255:
        return values
    if low >= 0 and high <= 65535:
        return values / 257
    return (values - low) * (255 / (high - low))


def _grey(values: np.ndarray[Any, Any]) -> Image.Image:
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def _from_array(array: np.ndarray[Any, Any], limits: Limits, label: str) -> Image.Image:
    _check_shape(array.shape, label)
    _check_size(array.shape[1], array.shape[0], limits, label)
    pixels = _array_to_uint8(array, label)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return _on_white(image) if image.mode == "RGBA" else image.convert("RGB")


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


def _array_to_uint8(array: np.ndarray[Any, Any], label: str) -> np.ndarray[Any, Any]:
    kind = array.dtype.kind
    if array.dtype == np.uint8:
        return array
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind in "iuf" and bool(np.isfinite(array).all()):
        low, high = float(array.min()), float(array.max())
        if kind == "f" and low >= 0 and high <= 1:
            return np.rint(array.astype(np.float64) * 255).astype(np.uint8)
        if array.dtype == np.uint16:
            return np.rint(array / 257).astype(np.uint8)
        if kind in "iu" and low >= 0 and high <= 255:
            return array.astype(np.uint8)
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


# --------------------------------------------------------------------------------- refusing


def _check_bytes(count: int, limits: Limits, label: str) -> None:
    if count > limits.max_bytes:
        raise ImageError(
            f"{label} is too large a file",
            f"It has {count / 2**20:.1f} MiB; expected at most {limits.max_bytes / 2**20:g} MiB.",
            "Save it smaller, or raise the limit with "
            f"zfwidgets.images.set_limits(max_bytes={count}).",
        )


def _check_size(width: int, height: int, limits: Limits, label: str) -> None:
    if width < 1 or height < 1:
        raise ImageError(
            f"{label} is empty",
            f"Its size is {width} x {height} pixels; expected at least 1 x 1.",
            "Save or download the picture again.",
        )
    if width * height > limits.max_pixels:
        size = f"{width} x {height} = {width * height / 1e6:.1f} million pixels"
        raise _too_many_pixels(label, size, limits, f"max_pixels={width * height}")
    if max(width, height) > limits.max_side:
        size = f"{width} x {height} pixels"
        raise ImageError(
            f"{label} is too long a strip",
            f"It has {size}; expected at most {limits.max_side} on each side.",
            "Cut out a part of it, or raise the limit with "
            f"zfwidgets.images.set_limits(max_side={max(width, height)}).",
        )


def _too_many_pixels(label: str, size: str, limits: Limits, setting: str = "") -> ImageError:
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


def _damaged(label: str, error: Exception) -> ImageError:
    reason = _clean(str(error)).rstrip(".") or type(error).__name__
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
    return ", ".join(names[:-1]) + " or " + names[-1]


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
        return "It is a HEIC/HEIF picture or a video, which is not read here."
    sample = data[:4096]
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in sample):
        return "Its contents are text."
    return "Its first bytes are those of no picture format known here."


def _clean(text: str) -> str:
    """A name or reason fit for one line of a message: printable and short."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = re.sub(r"\s+", " ", line).strip()
    return line if len(line) <= 80 else line[:60] + "…" + line[-16:]
