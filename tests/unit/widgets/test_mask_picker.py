"""MaskPicker: boxes in, the analysis out, stopping, and what is refused."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import traitlets
from torch import nn

from zfwidgets.analysis.correspondence import correspondence
from zfwidgets.deconv import DeconvNet
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.mask_picker import MaskPicker

BOX = [2, 2, 8, 9]


@pytest.fixture(scope="module")
def net() -> DeconvNet:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 18 * 18, 2))
    return DeconvNet(model, device="cpu")


@pytest.fixture(scope="module")
def photos() -> torch.Tensor:
    return torch.randn(3, 3, 20, 20, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def picker(net: DeconvNet, photos: torch.Tensor) -> Iterator[MaskPicker]:
    made = MaskPicker(net, photos, {"eye": [BOX, BOX, None]}, random=4, inline=True)
    yield made
    made.close()


def rounds(picker: MaskPicker, boxes: dict[str, Any]) -> None:
    """The page sets boxes as JSON."""
    picker.set_state({"boxes": boxes})


def test_only_parts_with_a_box_on_every_photo_count(picker: MaskPicker) -> None:
    assert picker.masks == {}
    rounds(picker, {"eye": [BOX, BOX, BOX], "nose": [None, BOX, None]})
    assert picker.masks == {"eye": [tuple(BOX)] * 3}


def test_the_comparison_is_the_analysis(
    picker: MaskPicker, net: DeconvNet, photos: torch.Tensor
) -> None:
    rounds(picker, {"eye": [BOX, [3, 3, 9, 9], [0, 1, 5, 6]]})
    picker.running = True
    assert not picker.running
    assert picker.progress == 1
    expected = correspondence(net, photos, picker.masks, random=4, progress=False)
    assert picker.result is not None
    torch.testing.assert_close(picker.result.delta, expected.delta)
    table = [(row["layer"], row["part"], row["delta"]) for row in picker._table]
    frame = expected.to_frame()
    assert table == list(zip(frame["layer"], frame["part"], frame["delta"], strict=True))


def test_without_a_complete_part_nothing_runs_and_it_says_why(picker: MaskPicker) -> None:
    picker.running = True
    assert not picker.running
    assert "every photo" in picker.error["message"]
    picker.locale = "ko"
    picker.running = True
    assert "모든 사진" in picker.error["message"]


def test_it_stops_at_once(net: DeconvNet, photos: torch.Tensor) -> None:
    picker = MaskPicker(net, photos, {"eye": [BOX, BOX, BOX]}, random=50)

    def stop(_change: object) -> None:
        picker.running = False

    picker.observe(stop, "progress")
    picker.running = True
    worker().join()
    assert picker.progress < 0.5
    assert picker.result is None
    picker.close()


def test_a_layer_that_is_not_there_is_said(net: DeconvNet, photos: torch.Tensor) -> None:
    picker = MaskPicker(net, photos, {"eye": [BOX] * 3}, layers=["conv9"], inline=True)
    picker.running = True
    assert "conv9" in picker.error["message"]
    assert not picker.running
    picker.close()


def test_photos_and_boxes_must_fit(net: DeconvNet, photos: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="got 1 photos"):
        MaskPicker(net, photos[:1])
    picker = MaskPicker(net, photos, inline=True)
    assert picker.boxes == {"part 1": [None, None, None]}
    with pytest.raises(traitlets.TraitError, match="one a photo"):
        picker.boxes = {"eye": [BOX]}
    assert picker.contact_sheet()
    picker.close()


def test_closing_lets_go_of_the_network(net: DeconvNet, photos: torch.Tensor) -> None:
    picker = MaskPicker(net, photos)
    gone = weakref.ref(picker)
    picker.close()
    del picker
    gc.collect()
    assert gone() is None
