"""What had to be guessed to show a picture is said beside it; files go by all their names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.unit.widgets.fakes import picture
from tests.unit.widgets.test_picker_wall import ask
from zfwidgets.images import Preparation, decode
from zfwidgets.images.decode import SUFFIXES
from zfwidgets.images.levels import levels
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.image_picker import ImagePicker
from zfwidgets.widgets.image_picker.notes import spoken

TWELVE = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)


def test_twelve_bits_are_shown_with_a_word_in_either_language(tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    Image.fromarray(TWELVE).save(path)
    picker = ImagePicker([path, picture("red")])
    note = decode(path).info["note"]
    assert "12 bits" in note
    assert [item.get("note") for item in picker.items] == [note, None]
    picker.locale = "ko"
    said = picker.items[0]["note"]
    assert "12비트" in said
    assert "4095" in said
    assert not re.search("taken|value", said)
    picker.close()


def test_a_file_of_a_folder_says_it_once_it_is_looked_at(tmp_path: Path) -> None:
    picture("red").save(tmp_path / "a.png")
    Image.fromarray(TWELVE).save(tmp_path / "b.png")
    picker = ImagePicker(tmp_path)
    assert [item.get("note") for item in picker.items] == [None, None]
    picker.value = "b.png"
    assert "12 bits" in picker.items[1]["note"]
    picker.close()


@pytest.mark.parametrize(
    "values", [[[-3.0, 900.5]], [[70000.0, 70000.0]], [[0, 1]], [[0, 900]], [[0, 4095]]], ids=str
)
def test_every_guess_about_values_is_said_in_korean(values: list[list[float]]) -> None:
    _, note = levels(np.array(values), sixteen=True)
    assert note
    told = spoken(note, "ko")
    assert spoken(note, "en") == note
    assert re.search("[가-힣]", told)
    assert not re.search("[A-Za-z]{2}", told)
    assert set(re.findall(r"[\d.]+\d", told)) <= set(re.findall(r"[\d.]+\d", note))


def test_what_is_said_of_slices_and_volumes_is_said_in_korean() -> None:
    note = (
        "Slice 12 of 24. Volume 0 of 3. The greatest value is 999: taken as 10 bits, 1023 is white."
    )
    told = spoken(note, "ko")
    assert not re.search("[A-Za-z]", told)
    assert [int(n) for n in re.findall(r"\d+", told)] == [24, 12, 3, 0, 999, 10, 1023]
    assert not re.search("[A-Za-z]", spoken("Frame 0 of 30.", "ko"))


def test_what_nobody_has_translated_stays_as_it_is() -> None:
    assert spoken("Something <b>new</b> {high}.", "ko") == "Something <b>new</b> {high}."


def equalised(image: Image.Image) -> Tensor:
    """Each picture in its own way: from its least to its greatest value."""
    values = torch.from_numpy(np.array(image.resize((32, 32)), np.float32)).permute(2, 0, 1)
    return (values - values.mean()) / (values.std() + 1)


def refusing(_image: Image.Image) -> Tensor:
    raise ValueError("expected an array of 12 bands")


def flat(_image: Image.Image) -> Tensor:
    return torch.zeros(3, 8, 8)


@pytest.mark.parametrize("transforms", [equalised, refusing, flat])
def test_why_the_networks_view_is_stretched_is_said_in_either_language(
    transforms: Callable[[Any], Tensor],
) -> None:
    how = Preparation(transforms, 3)
    picker = ImagePicker({"red": picture("red")}, transforms=how)
    worker().join()
    assert how.note
    assert picker.get_state()["_seen_note"] == how.note
    picker.locale = "ko"
    worker().join()
    said = picker.get_state()["_seen_note"]
    assert "되돌릴 수 없습니다" in said
    assert "Inputs are shown" not in said
    assert " it " not in said
    picker.close()


def test_a_known_preparation_needs_no_word() -> None:
    picker = ImagePicker({"red": picture("red")}, transforms=Preparation(None, 3))
    worker().join()
    assert picker.get_state()["_seen_note"] == ""
    assert picker.get_state()["_share"] == pytest.approx(224 / 256)
    picker.close()


def test_what_any_preparation_makes_of_a_crop_is_shown() -> None:
    how = Preparation(equalised, 3)
    ramp = Image.fromarray(np.tile(np.arange(200, dtype=np.uint8), (200, 1))).convert("RGB")
    picker = ImagePicker({"ramp": ramp}, transforms=how)
    (head, (data,)), *_ = ask(picker, "seen", picture="ramp", crop=[0, 100, 80])
    assert head["known"]
    shown = np.asarray(decode(data))
    assert np.array_equal(shown, how.undo(how(ramp.crop((100, 0, 180, 80)))[None])[0])
    picker.close()


def test_folders_list_and_the_page_offers_what_is_read(tmp_path: Path) -> None:
    for suffix in (*SUFFIXES, ".txt", ".gz", ".npy"):
        (tmp_path / f"file{suffix}").write_bytes(b"")
    (tmp_path / "UPPER.TIFF").write_bytes(b"")
    picker = ImagePicker(tmp_path)
    assert {item["id"] for item in picker.items} == {
        "UPPER.TIFF",
        *(f"file{suffix}" for suffix in SUFFIXES),
    }
    offered = picker.get_state()["_accept"].split(",")
    assert offered == ["image/*", *SUFFIXES, ".npy"]
    assert {".heic", ".avif", ".ppm", ".dcm", ".nii.gz"} <= set(offered)
    picker.close()
