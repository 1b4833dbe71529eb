"""Two pictures through one network: which channels answer otherwise, and by how much."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from zfwidgets.analysis.difference import difference
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Preprocess, add_noise, hide

PREPARED = Preprocess(size=8, resize=8, mean=(0, 0, 0), std=(1, 1, 1))


class Colours(nn.Module):
    """Four channels: red, green, blue, and one that is always silent."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 1, bias=False)
        with torch.no_grad():
            self.conv.weight[:] = 0
            for i in range(3):
                self.conv.weight[i, i] = 1
        self.head = nn.Linear(channels, 2)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(torch.relu(self.conv(x)).mean((2, 3)))
        return scores


@pytest.fixture(name="net")
def net_fixture() -> DeconvNet:
    torch.manual_seed(2)
    return DeconvNet(Colours().eval(), PREPARED, ["left", "right"], device="cpu")


def test_the_channel_of_the_colour_that_was_painted_over_changes_most(net: DeconvNet) -> None:
    photo = Image.new("RGB", (8, 8), (255, 51, 0))
    edited = hide(photo, (0, 0, 8, 8), fill=(0, 51, 51))
    found = difference(net.record(photo), net.record(edited))
    layer = found.layers["conv"]
    torch.testing.assert_close(layer.before, torch.tensor([1, 0.2, 0, 0]))
    torch.testing.assert_close(layer.change, torch.tensor([-1, 0, 0.2, 0]))
    torch.testing.assert_close(layer.distance, torch.tensor([1, 0, 1, torch.nan]), equal_nan=True)
    assert [one[:2] for one in found.most(2)] == [("conv", 0), ("conv", 2)]
    table = found.to_frame()
    assert table.channel.tolist() == [0, 2, 1, 3]
    assert table.share.tolist() == pytest.approx([-1, 0.2, 0, 0])


def test_a_part_painted_over_changes_maps_where_it_is_and_strongest_responses_elsewhere_not(
    net: DeconvNet,
) -> None:
    photo = Image.new("RGB", (8, 8), (255, 255, 255))
    half = hide(photo, (0, 0, 4, 8), fill=(0, 0, 0))
    layer = difference(net.record(photo), net.record(half)).layers["conv"]
    assert layer.change.tolist() == [0, 0, 0, 0]
    # Half of 64 equal places is gone: sqrt(32) / (sqrt(64) + sqrt(32)).
    expected = 32**0.5 / (64**0.5 + 32**0.5)
    assert layer.distance[:3].tolist() == pytest.approx([expected] * 3)


def test_probabilities_of_both_are_told_side_by_side(net: DeconvNet) -> None:
    one, two = (net.record(Image.new("RGB", (8, 8), colour)) for colour in ("red", "blue"))
    found = difference(one, two).classes
    expected = dict(two.top_classes()[0])
    assert [(label, p) for label, p, _ in found] == one.top_classes()[0]
    assert [now for *_, now in found] == [expected[label] for label, *_ in found]


def test_the_same_picture_changes_nothing_and_is_drawn_all_the_same(net: DeconvNet) -> None:
    recording = net.record(Image.new("RGB", (8, 8), "red"))
    found = difference(recording, recording)
    assert found.layers["conv"].change.abs().max() == 0
    assert len(found.plot().axes[0].get_yticks()) == 4


def test_what_cannot_be_compared_is_refused(net: DeconvNet) -> None:
    one = net.record(Image.new("RGB", (8, 8), "red"))
    with pytest.raises(ValueError, match="recording of 2 pictures"):
        difference(one, net.record(torch.rand(2, 3, 8, 8)))
    with pytest.raises(KeyError, match="conv9"):
        difference(one, one, ["conv9"])
    other = DeconvNet(Colours(5).eval(), PREPARED, device="cpu").record(one.inputs)
    with pytest.raises(ValueError, match=r"4 channels .* 5 in"):
        difference(one, other)
    with pytest.raises(ValueError, match="NaN"):
        difference(one, net.record(one.inputs * torch.nan))


# ----------------------------------------------------------------------------------------- edits


def test_hiding_paints_the_box_or_the_mask_and_nothing_else() -> None:
    photo = Image.fromarray(np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3))
    before = np.asarray(photo)
    edited = np.asarray(hide(photo, (1, 2, 3, 99), fill=(9, 8, 7)))
    assert (edited[1:3, 2:] == (9, 8, 7)).all()
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:] = True
    np.testing.assert_array_equal(edited[~mask], before[~mask])
    np.testing.assert_array_equal(np.asarray(hide(photo, mask, fill=(9, 8, 7))), edited)
    mean = np.asarray(hide(photo, mask))[2, 3]
    np.testing.assert_array_equal(mean, before.mean((0, 1)).round())


def test_noise_has_its_deviation_and_is_the_same_for_a_seed() -> None:
    grey = Image.new("RGB", (64, 64), (128, 128, 128))
    noise = np.asarray(add_noise(grey, 10)).astype(float) - 128
    assert noise.std() == pytest.approx(10, rel=0.05)
    np.testing.assert_array_equal(np.asarray(add_noise(grey, 10)), noise + 128)
    assert (np.asarray(add_noise(grey, 10, seed=1)) != noise + 128).any()
    np.testing.assert_array_equal(np.asarray(add_noise(grey, 0)), np.asarray(grey))


@pytest.mark.parametrize("where", [(9, 9, 12, 12), (0, 0, 0, 4), (1, 2), np.zeros((3, 3), bool)])
def test_a_part_that_is_none_is_refused(where: object) -> None:
    with pytest.raises(ValueError, match="where"):
        hide(Image.new("RGB", (6, 6)), where)  # type: ignore[arg-type]


def test_an_edit_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="fill="):
        hide(Image.new("RGB", (6, 6)), (0, 0, 3, 3), fill=(0, 300, 0))
    with pytest.raises(ValueError, match="deviation"):
        add_noise(Image.new("RGB", (6, 6)), -1)
