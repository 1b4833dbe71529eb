"""Slices of what scanners write: the right one, the right way up, through the right window."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    generate_uid,
)

from zfwidgets.images import ImageError, Limits, decode, read_slice

Array = np.ndarray[Any, Any]

CT = np.array([[-1000, -160, 40], [0, 240, 3000]])
"""Hounsfield units: air, the edges and the middle of the window of soft tissue, water, metal."""


def dicom(values: Array, deflated: bool = False, **tags: Any) -> bytes:
    """A file of unsigned 16-bit values (12 used), [H, W] or [frames, H, W]; or 8-bit [H, W, 3]."""
    colour = values.dtype == np.uint8
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.MediaStorageSOPClassUID = CTImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    file.file_meta.TransferSyntaxUID = (
        DeflatedExplicitVRLittleEndian if deflated else ExplicitVRLittleEndian
    )
    file.SOPClassUID = CTImageStorage
    file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID
    file.Rows, file.Columns = values.shape[:2] if colour else values.shape[-2:]
    file.SamplesPerPixel = 3 if colour else 1
    file.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    file.BitsAllocated, file.BitsStored, file.HighBit = (8, 8, 7) if colour else (16, 12, 11)
    file.PixelRepresentation = 0
    if colour:
        file.PlanarConfiguration = 0
    elif values.ndim == 3:
        file.NumberOfFrames = len(values)
    data = values.tobytes() if colour else values.astype("<u2").tobytes()
    file.PixelData = data + b"\0" * (len(data) % 2)
    for name, value in tags.items():
        setattr(file, name, value)
    out = io.BytesIO()
    file.save_as(out, enforce_file_format=True)
    return out.getvalue()


def ct(**tags: Any) -> bytes:
    return dicom(CT + 1024, RescaleSlope=1, RescaleIntercept=-1024, **tags)


def grey(image: Any) -> list[list[int]]:
    pixels = np.asarray(image)
    assert image.mode == "RGB"
    assert (pixels[..., :1] == pixels).all()
    levels: list[list[int]] = pixels[..., 0].tolist()
    return levels


# --------------------------------------------------------------------------------------- DICOM


def test_a_window_spreads_its_width_from_black_to_white() -> None:
    """(40, 400): from -160 to 240; water, at 0, is 160 of 400 above black."""
    expected = [[0, 0, 128], [round(255 * 160 / 400), 255, 255]]
    assert grey(read_slice(ct(), window=(40, 400))) == expected


def test_the_first_window_that_the_file_names_is_taken() -> None:
    named = {"WindowCenter": [40.5, 500], "WindowWidth": [401, 3000]}
    expected = [[0, 0, 128], [102, 255, 255]]
    assert grey(decode(ct(**named))) == expected
    exact = {"WindowCenter": 40, "WindowWidth": 400, "VOILUTFunction": "LINEAR_EXACT"}
    assert grey(decode(ct(**exact))) == expected
    assert decode(ct(**named)).info == {}


def test_a_sigmoid_window_is_half_grey_at_its_centre() -> None:
    levels = grey(decode(ct(WindowCenter=40, WindowWidth=400, VOILUTFunction="SIGMOID")))
    assert levels[0][2] == 128
    assert levels[1][1] == round(255 / (1 + np.exp(-4 * 200 / 400)))


def test_a_table_of_the_file_is_followed() -> None:
    table = Dataset()
    table.LUTDescriptor = [4, 0, 8]
    table.LUTData = [255, 0, 200, 100]
    table["LUTData"].VR = "US"
    data = dicom(np.array([[0, 1, 2, 3]]), VOILUTSequence=[table])
    assert grey(decode(data)) == [[255, 0, 200, 100]]


def test_without_a_window_all_values_are_spread_and_that_is_said() -> None:
    image = decode(ct())
    assert grey(image)[0][0] == 0
    assert grey(image)[1][2] == 255
    assert image.info["note"] == "Values from -1000 to 3000 are shown from black to white."
    twelve = decode(dicom(np.array([[0, 4095]])))
    assert grey(twelve) == [[0, 255]]
    assert "12 bits" in twelve.info["note"]


def test_what_is_stored_inverted_is_turned() -> None:
    data = dicom(np.array([[0, 4095]]), PhotometricInterpretation="MONOCHROME1")
    assert grey(decode(data)) == [[255, 0]]


def test_colours_stay_colours() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(decode(dicom(colours))), colours)


def test_frames_are_chosen_by_number() -> None:
    data = dicom(np.arange(5)[:, None, None] * np.full((2, 3), 1000))
    window = (2000.0, 4000.0)
    for index, level in ((0, 0), (3, 191), (-1, 255)):
        assert grey(read_slice(data, index, window=window)) == [[level] * 3] * 2
    assert "Frame 0 of 5." in decode(data).info["note"]
    with pytest.raises(ImageError, match=r"no frame 5.*It has 5; expected 0 to 4"):
        read_slice(data, 5, name="series.dcm")


def test_a_deflated_file_is_not_unpacked() -> None:
    with pytest.raises(ImageError, match=r"packed as a whole.*Explicit VR Little Endian"):
        decode(dicom(np.zeros((3000, 3000)), deflated=True))


def test_a_file_without_a_picture_says_so() -> None:
    with pytest.raises(ImageError, match="without pixel data"):
        decode(ct().replace(b"\xe0\x7f\x10\x00", b"\xe0\x7f\x12\x00"))


def test_a_size_that_the_header_only_claims() -> None:
    with pytest.raises(ImageError, match="too many pixels"):
        decode(ct(Rows=60_000, Columns=60_000))
    with pytest.raises(ImageError, match="damaged or cannot be decoded"):
        decode(ct(Rows=500, Columns=500))


# --------------------------------------------------------------------------------------- NIfTI


def body(order: str = "RAS") -> nibabel.Nifti1Image:
    """A volume of 4 x 5 x 6 voxels; value = 100 i + 10 j + k of its place in the body.

    order: towards where the stored axes run: R(ight) or L, A(nterior) or P, S(uperior) or I.
    """
    i, j, k = np.mgrid[0:4, 0:5, 0:6]
    image = nibabel.Nifti1Image((100 * i + 10 * j + k).astype(np.float32), np.diag([2, 2, 2, 1]))
    wanted = nibabel.orientations.axcodes2ornt(order)
    return image.as_reoriented(
        nibabel.orientations.ornt_transform(nibabel.orientations.axcodes2ornt("RAS"), wanted)
    )


def place(image: Any) -> Array:
    """Grey levels of a window of 255 as values again."""
    return np.asarray(image)[..., 0].astype(int)


@pytest.mark.parametrize("order", ["RAS", "LPS", "PIR", "SLA", "ASL", "IPR"])
def test_slices_stand_the_same_way_however_they_are_stored(order: str) -> None:
    data = body(order).to_bytes()
    window = (127.5, 255.0)
    # Through the feet-to-head axis: columns from left to right, the front on top.
    axial = place(read_slice(data, 3, axis=2, window=window))
    assert axial.shape == (5, 4)
    assert axial[4, :3].tolist() == [3, 103, 203]
    assert axial[:, 0].tolist() == [43, 33, 23, 13, 3]
    # From back to front: columns from left to right, the head on top.
    coronal = place(read_slice(data, 1, axis=1, window=window))
    assert coronal[:, 0].tolist() == [15, 14, 13, 12, 11, 10]
    assert coronal[5, :3].tolist() == [10, 110, 210]
    # From left to right: columns from back to front, the head on top.
    sagittal = place(read_slice(data, 2, axis=0, window=window))
    assert sagittal[5].tolist() == [200, 210, 220, 230, 240]
    assert sagittal[0, 0] == 205


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("packed", [False, True])
def test_both_versions_packed_or_not(kind: Any, packed: bool, tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    file = tmp_path / ("brain.nii.gz" if packed else "brain.nii")
    nibabel.save(kind(values, np.eye(4)), file)
    seen = place(read_slice(file, 1, window=(127.5, 255)))
    np.testing.assert_array_equal(seen, values[:, ::-1, 1].T)
    assert "Slice 2 of 4." in decode(file).info["note"]


def test_scaled_values_and_the_files_own_window() -> None:
    """A stored v stands for 2 v - 100; the window from -100 to 300 makes 0 a quarter of white."""
    image = nibabel.Nifti1Image(np.array([[[0], [100]], [[50], [200]]], np.int16), np.eye(4))
    image.header.set_slope_inter(2, -100)
    image.header["cal_min"], image.header["cal_max"] = -100, 300
    assert grey(decode(image.to_bytes())) == [[128, 255], [0, 64]]


def test_of_volumes_in_time_the_first_is_shown() -> None:
    values = np.stack([np.full((2, 2, 3), 10), np.full((2, 2, 3), 90)], -1).astype(np.int16)
    image = decode(nibabel.Nifti1Image(values, np.eye(4)).to_bytes())
    assert place(image).max() == 10
    assert image.info["note"].startswith("Slice 1 of 3. Volume 0 of 2.")


def test_a_single_plane_is_a_picture() -> None:
    values = np.array([[1, 2], [3, 4], [5, 6]], np.int16)
    seen = place(decode(nibabel.Nifti1Image(values, np.eye(4)).to_bytes()))
    np.testing.assert_array_equal(seen, values[:, ::-1].T)


def test_colours_and_complex_numbers_are_refused() -> None:
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.complex64), np.eye(4))
    with pytest.raises(ImageError, match="complex64; expected 2 to 4 axes of real numbers"):
        decode(image.to_bytes())


def test_a_packed_bomb_is_refused_by_its_header() -> None:
    image = nibabel.Nifti1Image(np.zeros((200, 200, 200), np.uint8), np.eye(4))
    data = gzip.compress(image.to_bytes())
    assert len(data) < 20_000
    with pytest.raises(ImageError, match=r"too large once it is unpacked.*set_limits\(max_bytes="):
        decode(data, Limits(max_bytes=20_000))
    claims = bytearray(image.to_bytes()[:400])
    claims[42:48] = np.array([30_000] * 3, "<i2").tobytes()
    with pytest.raises(ImageError, match="too large once it is unpacked"):
        decode(gzip.compress(bytes(claims)))
    with pytest.raises(ImageError, match="too many pixels"):
        decode(bytes(claims))


# -------------------------------------------------------------------------------------- hostile


@pytest.mark.parametrize(
    "data", [ct(), body().to_bytes(), gzip.compress(body().to_bytes())], ids=["dcm", "nii", "gz"]
)
def test_half_a_file_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize(
    "good",
    [ct(WindowCenter=40, WindowWidth=400), body().to_bytes(), gzip.compress(body().to_bytes())],
    ids=["dcm", "nii", "gz"],
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_flipped_bytes_give_a_picture_or_an_image_error(good: bytes, data: st.DataObject) -> None:
    flipped = bytearray(good)
    for _ in range(data.draw(st.integers(1, 6))):
        flipped[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = decode(bytes(flipped), Limits(max_pixels=100_000))
    except ImageError:
        return
    assert image.mode == "RGB"
    assert image.width * image.height <= 100_000


# --------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("data", "package"), [(ct(), "pydicom"), (body().to_bytes(), "nibabel")], ids=["dcm", "nii"]
)
def test_a_missing_package_is_named_with_the_way_to_get_it(
    data: bytes, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImageError, match=rf"which {package} reads.*zfwidgets\[medical\]"):
        decode(data, name="scan")


def test_questions_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="expected 0, 1 or 2"):
        read_slice(body().to_bytes(), axis=3)
    for window in ((40, 0), (40, -1), (float("nan"), 5), (1,), (1, float("inf"))):
        wrong: Any = window
        with pytest.raises(ValueError, match=r"expected \(centre, width\)"):
            read_slice(ct(), window=wrong)
    with pytest.raises(ImageError, match="neither a DICOM nor a NIfTI"):
        read_slice(b"GIF89a")
