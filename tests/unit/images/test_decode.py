"""Whatever a person hands over becomes an upright opaque RGB image, or an error that helps."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from zfwidgets.images import ImageError, Limits, decode, get_limits, heif, set_limits
from zfwidgets.images.decode import FORMATS, SUFFIXES

Array = np.ndarray[Any, Any]


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(image).save(out, **options)
    else:
        image.save(out, kind, **options)
    return out.getvalue()


def photo(height: int = 40, width: int = 60) -> Array:
    """Smooth, without any symmetry, different in its three channels."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * 4, y * 6, (x + 2 * y) * 1.5]
    return np.stack(planes, -1).clip(0, 255).astype(np.uint8)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and has no pixels at all."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def refusal(source: Any, **options: Any) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode(source, **options)
    error = caught.value
    assert error.title
    assert error.message
    assert error.hint
    assert str(error) == f"{error.title}: {error.message} {error.hint}"
    return error


# ----------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "PPM"])
def test_lossless_formats_keep_every_pixel(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    image = decode(saved(Image.fromarray(photo()), kind, **options))
    assert image.mode == "RGB"
    assert type(image) is Image.Image
    np.testing.assert_array_equal(np.asarray(image), photo())


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "HEIF"])
def test_lossy_formats_stay_close(kind: str) -> None:
    image = decode(saved(Image.fromarray(photo()), kind, quality=95))
    assert np.abs(np.asarray(image).astype(int) - photo()).mean() < 4


def test_bytes_path_image_and_array_give_the_same_picture(tmp_path: Path) -> None:
    data = saved(Image.fromarray(photo()))
    file = tmp_path / "picture.png"
    file.write_bytes(data)
    for source in (data, bytearray(data), memoryview(data), file, str(file), photo()):
        np.testing.assert_array_equal(np.asarray(decode(source)), photo())
    with Image.open(file) as opened:
        np.testing.assert_array_equal(np.asarray(decode(opened)), photo())


@pytest.mark.parametrize("package", ["pillow_heif", "pi_heif"])
def test_phones_pictures_are_read_by_either_library(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heif, "PACKAGES", (package,))
    data = saved(Image.fromarray(photo()), "HEIF", quality=95)
    image = decode(data, name="IMG_0001.HEIC")
    assert (image.mode, image.size, image.info) == ("RGB", (60, 40), {})
    assert np.abs(np.asarray(image).astype(int) - photo()).mean() < 4


def test_a_phone_held_upright() -> None:
    """Its camera stores the picture lying, with the turn beside it; libheif turns it, once."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.fromarray(stored(photo(), 6))
    data = saved(lying, "HEIF", quality=95, exif=exif.tobytes())
    assert b"irot" in data
    image = np.asarray(decode(data)).astype(int)
    assert image.shape == (40, 60, 3)
    assert np.abs(image - photo()).mean() < 4


def test_without_libheif_the_way_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(Image.fromarray(photo()), "HEIF")
    for package in heif.PACKAGES:
        monkeypatch.setitem(sys.modules, package, None)
    error = refusal(data, name="IMG_0001.HEIC")
    assert error.title == "IMG_0001.HEIC needs a package that is not installed"
    assert error.hint == "Install it with: pip install pi-heif"


def test_a_heic_header_that_promises_too_much() -> None:
    """The box "ispe" has the size: version and flags, then width and height."""
    data = saved(Image.fromarray(photo()), "HEIF")
    at = data.index(b"ispe") + 8
    assert "too many pixels" in refusal(data, limits=Limits(max_pixels=1000)).title
    refusal(data[:at] + struct.pack(">II", 10_000, 10_000) + data[at + 8 :])


@pytest.mark.parametrize(
    ("data", "levels"),
    [
        (b"P1\n# a comment\n2 1\n1 0\n", [0, 255]),
        (b"P2\n3 1\n100\n0 50 100\n", [0, 128, 255]),
        (b"P5\n2 1\n255\n\x07\xff", [7, 255]),
        (b"P5\n2 1\n4095\n" + struct.pack(">HH", 0, 4095), [0, 255]),
        (b"P5\n2 1\n65535\n" + struct.pack(">HH", 257 * 90, 65535), [90, 255]),
        (b"Pf\n2 1\n-1.0\n" + struct.pack("<ff", 0.5, 1.0), [128, 255]),
    ],
    ids=["P1", "P2", "P5", "12 bits", "16 bits", "floats"],
)
def test_the_plain_formats_of_scientists(data: bytes, levels: list[int]) -> None:
    image = decode(data)
    assert np.asarray(image)[0, :, 1].tolist() == levels
    assert image.info == {}


def test_plain_formats_that_promise_too_much() -> None:
    assert "too many pixels" in refusal(b"P6\n60000 60000\n255\n").title
    assert "too long a strip" in refusal(b"P5\n999999 1\n255\n").title
    for data in (b"P6\n", b"P6\n4 4\n255\n1", b"P6\n-4 4\n255\n", b"P5\n4 4\n99999\n1234"):
        refusal(data)


def test_the_names_of_all_that_is_read_are_known() -> None:
    for name in ("a.jpg", "a.jpeg", "a.png", "a.heic", "a.avif", "a.pgm", "a.tif", "a.nii.gz"):
        assert name.endswith(SUFFIXES)
    assert not "a.svg".endswith(SUFFIXES)


def stored(upright: Array, orientation: int) -> Array:
    """Rows and columns as a camera stores them: the EXIF standard's table of what row 0 and
    column 0 stand for, written out index by index."""
    height, width = upright.shape[:2]
    at: dict[int, Callable[[int, int], tuple[int, int]]] = {
        1: lambda r, c: (r, c),
        2: lambda r, c: (r, width - 1 - c),
        3: lambda r, c: (height - 1 - r, width - 1 - c),
        4: lambda r, c: (height - 1 - r, c),
        5: lambda r, c: (c, r),
        6: lambda r, c: (c, width - 1 - r),
        7: lambda r, c: (height - 1 - c, width - 1 - r),
        8: lambda r, c: (height - 1 - c, r),
    }
    rows, columns = (height, width) if orientation < 5 else (width, height)
    return np.array([[upright[at[orientation](r, c)] for c in range(columns)] for r in range(rows)])


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    image = Image.fromarray(stored(photo(12, 20), orientation))
    turned = decode(saved(image, kind, exif=exif, **options))
    np.testing.assert_array_equal(np.asarray(turned), photo(12, 20))
    # What comes out carries no orientation, so decoding it again turns nothing.
    np.testing.assert_array_equal(np.asarray(decode(turned)), photo(12, 20))


def test_damaged_exif_does_not_spoil_good_pixels() -> None:
    data = saved(Image.fromarray(photo()), "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    np.testing.assert_array_equal(np.asarray(decode(data)), photo())


def test_transparent_parts_lie_on_white() -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0] = [200, 100, 50, 255]
    pixels[1] = [200, 100, 50, 0]
    pixels[1, 0] = [0, 0, 0, 128]
    for source in (pixels, saved(Image.fromarray(pixels)), Image.fromarray(pixels)):
        image = np.asarray(decode(source)).astype(int)
        np.testing.assert_array_equal(image[0], [[200, 100, 50]] * 3)
        np.testing.assert_array_equal(image[1, 1:], [[255] * 3] * 2)
        np.testing.assert_allclose(image[1, 0], 255 * (1 - 128 / 255), atol=1)


def test_a_palette_may_have_a_transparent_colour() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    opaque = np.asarray(decode(saved(image, "GIF")))
    np.testing.assert_array_equal(opaque, [[[255, 0, 0], [0, 0, 255]]])
    for kind in ("PNG", "GIF"):
        pixels = np.asarray(decode(saved(image, kind, transparency=1)))
        np.testing.assert_array_equal(pixels, [[[255, 0, 0], [255, 255, 255]]])


def test_grey_grey_with_alpha_and_one_bit() -> None:
    grey = np.array([[0, 100, 255]], np.uint8)
    np.testing.assert_array_equal(
        np.asarray(decode(saved(Image.fromarray(grey))))[0], [[0] * 3, [100] * 3, [255] * 3]
    )
    with_alpha = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(255 - grey)])
    np.testing.assert_allclose(
        np.asarray(decode(saved(with_alpha)))[0, :, 0], [0, 255 - 155 * 155 / 255, 255], atol=1
    )
    one_bit = Image.fromarray(grey > 50)
    np.testing.assert_array_equal(np.asarray(decode(saved(one_bit)))[0, :, 1], [0, 255, 255])


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    deep = grey.astype(np.uint16) * 257
    for source in (saved(Image.fromarray(deep)), saved(Image.fromarray(deep), "TIFF"), deep):
        np.testing.assert_array_equal(np.asarray(decode(source))[..., 0], grey)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "array"])
@pytest.mark.parametrize(
    ("greatest", "white"), [(200, 255), (1000, 1023), (4095, 4095), (9000, 16383), (50_000, 65535)]
)
def test_cameras_that_fill_fewer_than_sixteen_bits_are_not_black(
    kind: str, greatest: int, white: int
) -> None:
    ramp = np.linspace(0, greatest, 64).astype(np.uint16).reshape(8, 8)
    image = decode(ramp if kind == "array" else saved(Image.fromarray(ramp), kind))
    np.testing.assert_allclose(np.asarray(image)[..., 1], ramp * (255 / white), atol=0.51)
    note = image.info.get("note", "")
    assert (note == "") == (white == 65535)
    assert note == "" or f"{greatest}: taken as {white.bit_length()} bits" in note


def test_a_mask_of_ones_in_sixteen_bits_is_white() -> None:
    mask = np.array([[0, 1]], np.uint16)
    image = decode(saved(Image.fromarray(mask)))
    assert np.asarray(image)[0, :, 0].tolist() == [0, 255]
    assert "1 is shown white" in image.info["note"]
    assert decode(0 * mask).info == {}


def test_a_note_in_a_file_is_not_ours() -> None:
    info = PngInfo()
    info.add_text("note", "<b>trust me</b>")
    assert decode(saved(Image.fromarray(photo()), pnginfo=info)).info == {}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),  # 0..1
        ([0.0, 100.0, 255.0], [0, 100, 255]),  # 0..255
        ([0.0, 257.0 * 90, 65535.0], [0, 90, 255]),  # 16 bits in floats
        ([-3.0, 0.0, 3.0], [0, 128, 255]),  # anything else is stretched
        ([-1e6, np.nan, 1e6], [0, 128, 255]),  # what is no number counts as zero
        ([0.0, 0.0, 0.0], [0, 0, 0]),
    ],
)
def test_float_tiffs_are_scaled_by_their_range(values: list[float], expected: list[int]) -> None:
    image = Image.fromarray(np.array([values], np.float32))
    pixels = np.asarray(decode(saved(image, "TIFF")))[0, :, 0].astype(int)
    np.testing.assert_allclose(pixels, expected, atol=1)


def test_thirty_two_bit_whole_numbers() -> None:
    image = Image.fromarray(np.array([[-100, 0, 100]], np.int32))
    pixels = np.asarray(decode(saved(image, "TIFF")))[0, :, 0].astype(int)
    np.testing.assert_allclose(pixels, [0, 128, 255], atol=1)


def test_printers_colours_become_screen_colours() -> None:
    inks = {(255, 0, 0, 0): "cyan", (0, 255, 0, 0): "magenta", (0, 0, 255, 0): "yellow"}
    dark = {"cyan": 0, "magenta": 1, "yellow": 2}  # the channel that the ink takes away
    for ink, colour in inks.items():
        pixels = np.asarray(decode(saved(Image.new("CMYK", (16, 16), ink), "JPEG")))
        assert int(pixels[8, 8].argmin()) == dark[colour]
        assert pixels[8, 8].min() < 60
        assert pixels[8, 8].max() > 200


def swapped_profile() -> bytes:
    """sRGB with the red and green primaries exchanged, under another name."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    profile = profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ")
    return profile.replace(b"????", b"gXYZ")


def test_an_embedded_colour_profile_is_followed() -> None:
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    pixel = np.asarray(decode(saved(red, icc_profile=swapped_profile())))[0, 0].astype(int)
    np.testing.assert_allclose(pixel, [0, 255, 0], atol=3)


def test_an_srgb_profile_changes_nothing_and_a_damaged_one_is_ignored() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"not a profile", srgb[:100]):
        data = saved(Image.fromarray(photo()), icc_profile=profile)
        np.testing.assert_array_equal(np.asarray(decode(data)), photo())


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(np.asarray(decode(data))[4, 4], [255, 0, 0])


def test_the_given_image_is_left_as_it_was() -> None:
    image = Image.fromarray(photo())
    image.info["comment"] = "mine"
    result = decode(image)
    result.putpixel((0, 0), (9, 9, 9))
    assert image.info == {"comment": "mine"}
    np.testing.assert_array_equal(np.asarray(image), photo())
    assert result.info == {}


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_any_grey_array_is_shown_as_it_is(grey: Array) -> None:
    for source in (grey, grey[..., None], np.repeat(grey[..., None], 3, 2)):
        np.testing.assert_array_equal(np.asarray(decode(source)), np.stack([grey] * 3, -1))


def test_floats_whole_numbers_and_truth_values_as_arrays() -> None:
    fraction = np.array([[0.0, 0.25, 1.0]])
    np.testing.assert_array_equal(np.asarray(decode(fraction))[0, :, 0], [0, 64, 255])
    np.testing.assert_array_equal(np.asarray(decode(fraction > 0.5))[0, :, 0], [0, 0, 255])
    whole = np.array([[0, 7, 255]], np.int64)
    np.testing.assert_array_equal(np.asarray(decode(whole))[0, :, 0], [0, 7, 255])


# -------------------------------------------------------------------------- what is refused


def test_an_empty_file() -> None:
    assert "is empty" in refusal(b"", name="cat.png").title


@pytest.mark.parametrize(
    ("data", "guess"),
    [
        (b"Dear diary,\n" * 20, "text"),
        ("größer und größer".encode(), "text"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"%PDF-1.7\n...", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
        (bytes(range(256)), "no picture format"),
    ],
)
def test_what_is_no_picture_is_called_by_its_kind(data: bytes, guess: str) -> None:
    error = refusal(data, name="holiday.png")
    assert error.title == "holiday.png is not a picture that can be read"
    assert guess in error.message
    assert "PNG, JPEG, WebP, GIF, BMP, TIFF" in error.message


def test_formats_outside_the_list_are_not_even_tried() -> None:
    for kind in ("TGA", "ICO", "EPS", "PCX", "SGI"):
        refusal(saved(Image.fromarray(photo()), kind))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "HEIF"])
def test_half_a_file_is_damaged_or_incomplete(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = saved(Image.fromarray(noise), kind)
    assert "damaged or incomplete" in refusal(data[: len(data) // 2], name="cut").title


@pytest.mark.parametrize("kind", [*FORMATS, "HEIF"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_flipped_bytes_give_a_picture_or_an_image_error(kind: str, data: st.DataObject) -> None:
    good = bytearray(saved(Image.fromarray(photo(10, 14)), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = decode(bytes(good), Limits(max_pixels=100_000))
    except ImageError:
        return
    assert image.mode == "RGB"
    assert image.width * image.height <= 100_000


def test_a_hundred_megapixels_are_refused_by_the_header_alone() -> None:
    error = refusal(png_header(10_000, 10_000), name="poster.png")
    assert error.title == "poster.png has too many pixels"
    assert "10000 x 10000 = 100.0 million" in error.message
    assert "at most 50 million" in error.message
    assert "set_limits(max_pixels=100000000)" in error.hint


def test_a_real_file_of_a_hundred_megapixels() -> None:
    data = saved(Image.new("1", (10_000, 10_000)), "PNG")
    assert len(data) < 100_000
    assert "too many pixels" in refusal(data).title


def test_a_bomb_beyond_pillows_own_limit_has_the_same_message() -> None:
    error = refusal(png_header(60_000, 60_000), name="bomb.png")
    assert error.title == "bomb.png has too many pixels"


def test_a_bomb_in_a_text_chunk() -> None:
    packed = zlib.compress(b"0" * 200_000_000, 9)
    data = saved(Image.fromarray(photo()))
    head = len(b"\x89PNG\r\n\x1a\n") + 25
    bomb = data[:head] + chunk(b"zTXt", b"note\0\0" + packed) + data[head:]
    assert len(bomb) < 2**20
    assert "damaged" in refusal(bomb).title


def test_a_strip_of_a_million_pixels_by_one() -> None:
    assert "too long a strip" in refusal(png_header(1_000_000, 1)).title


def test_large_files_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    with file.open("wb") as stream:
        stream.truncate(2**40)  # a terabyte of nothing; reading it would be noticed
    error = refusal(file)
    assert error.title == "large.png is too large a file"
    assert "1048576.0 MiB; expected at most 16 MiB" in error.message
    assert "too large a file" in refusal(bytes(101), limits=Limits(max_bytes=100)).title


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nothing.png").title
    assert "not a regular file" in refusal(tmp_path).title
    assert "not a regular file" in refusal("/dev/zero").title
    assert "address" in refusal("https://example.org/cat.png").title
    refusal("a\0b.png")
    refusal("x" * 5000)


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((3, 20, 30), "transpose(1, 2, 0)"),
        ((5, 20, 30, 3), "array[0]"),
        ((20,), "rows first"),
        ((20, 30, 7), "rows first"),
        ((), "rows first"),
    ],
)
def test_arrays_of_a_wrong_shape_are_told_the_right_one(shape: tuple[int, ...], hint: str) -> None:
    error = refusal(np.zeros(shape, np.uint8))
    assert str(list(shape)) in error.message
    assert hint in error.hint


def test_arrays_with_wrong_values() -> None:
    assert "is empty" in refusal(np.zeros((0, 5, 3), np.uint8)).title
    assert "is empty" in refusal(np.zeros((5, 0), np.uint8)).title
    for wrong in (
        np.full((2, 2), 1.5),
        np.full((2, 2), -1),
        np.full((2, 2), 300),
        np.full((2, 2), np.nan),
        np.zeros((2, 2), complex),
        np.array([["a", "b"]]),
        np.array([[None, {}]]),
    ):
        assert "does not hold the values of a picture" in refusal(wrong).title
    assert "too many pixels" in refusal(np.broadcast_to(np.uint8(0), (9000, 9000))).title


def test_other_objects_are_told_what_is_expected() -> None:
    wrong: Any = {"a": "picture"}
    error = refusal(wrong)
    assert "dict" in error.message


def test_names_from_files_stay_on_one_short_line() -> None:
    error = refusal(b"", name="a\nb\x1b[31m" + "c" * 500 + ".png")
    assert "\n" not in error.title
    assert "\x1b" not in error.title
    assert len(error.title) < 120


# ----------------------------------------------------------------------------------- limits


@pytest.fixture
def shipped_limits() -> Iterator[None]:
    before = set_limits(Limits())
    yield
    set_limits(before)


@pytest.mark.usefixtures("shipped_limits")
def test_limits_can_be_set_and_put_back() -> None:
    before = set_limits(max_pixels=100)
    assert before == Limits()
    assert get_limits() == Limits(max_pixels=100)
    assert "too many pixels" in refusal(photo()).title
    set_limits(before)
    assert decode(photo()).size == (60, 40)


@pytest.mark.usefixtures("shipped_limits")
def test_the_limits_can_be_raised() -> None:
    data = saved(Image.new("1", (8_000, 7_000)))
    refusal(data)
    set_limits(max_pixels=56_000_000)
    assert decode(data).size == (8_000, 7_000)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "many"])
def test_limits_must_be_whole_numbers_above_zero(wrong: Any) -> None:
    with pytest.raises(ValueError, match="whole number"):
        Limits(max_pixels=wrong)
