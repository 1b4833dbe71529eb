"""Faithfulness tells a detector from something that only repeats the picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from zfwidgets.analysis import faithfulness
from zfwidgets.deconv import DeconvNet


def detector() -> tuple[nn.Sequential, Tensor]:
    """A network whose channel 0 answers to one bright cross, and a picture with that cross."""
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 8, 9, bias=False)
    cross = torch.zeros(9, 9)
    cross[4], cross[:, 4] = 1, 1
    with torch.no_grad():
        conv.weight.normal_(0, 0.05)
        conv.weight[0] = cross / 17
    picture = torch.rand(1, 3, 32, 32) * 0.1 - 0.05
    picture[0, :, 11:20, 7:16] += cross
    return nn.Sequential(conv, nn.ReLU()), picture


def test_painting_over_what_a_detector_shows_silences_it() -> None:
    model, picture = detector()
    recording = DeconvNet(model, device="cpu").record(picture)
    neuron = recording.strongest("conv1", channels=[0])
    assert (int(neuron.row[0]), int(neuron.col[0])) == (11, 7)
    # The cross has 17 of the window's 81 pixels.
    result = faithfulness(recording, recording.project(neuron), area=17 / 81, progress=False)
    assert float(result.drop[0]) > 0.9
    assert float(result.drop_elsewhere[0]) < 0.5
    assert abs(float(result.neighbours[0])) < 0.5


def test_shuffled_weights_leave_nothing_of_a_detectors_projection() -> None:
    model, picture = detector()
    recording = DeconvNet(model, device="cpu").record(picture)
    projections = recording.project(recording.strongest("conv1", channels=[0]))
    before = recording.net.weights_hash()
    result = faithfulness(recording, projections, progress=False)
    assert result.layers == ("conv1",)
    assert abs(float(result.randomised[0, 0])) < 0.5
    assert recording.net.weights_hash() == before


def test_channels_that_are_copies_are_neighbours_of_similarity_one() -> None:
    model, picture = detector()
    conv = model[0]
    assert isinstance(conv, nn.Conv2d)
    with torch.no_grad():
        conv.weight[:] = conv.weight[0].clone()
    recording = DeconvNet(model, device="cpu").record(picture)
    projections = recording.project(recording.strongest("conv1", channels=[0, 5]))
    result = faithfulness(recording, projections, progress=False)
    torch.testing.assert_close(result.neighbours, torch.ones(2))
    frame = result.to_frame()
    assert frame["channel"].tolist() == [0, 5]
    assert "shuffled to conv1" in frame.columns


def test_a_silent_neuron_has_no_drop() -> None:
    model, picture = detector()
    recording = DeconvNet(model, device="cpu").record(-picture.abs())
    projections = recording.project(recording.strongest("conv1", channels=[0]))
    assert float(projections.neurons.value[0]) == 0
    assert faithfulness(recording, projections, progress=False).drop.isnan().all()


class Steered(nn.Module):
    """A detector whose contrast is given beside the picture."""

    def __init__(self, seen: nn.Sequential) -> None:
        super().__init__()
        self.seen = seen

    def forward(self, picture: Tensor, contrast: Tensor) -> Tensor:
        maps: Tensor = self.seen(picture * contrast)
        return maps


def test_a_network_with_further_inputs_keeps_them_while_its_weights_are_shuffled() -> None:
    model, picture = detector()
    inputs = {"contrast": torch.tensor(2.0)}
    recording = DeconvNet(Steered(model), device="cpu", inputs=inputs).record(picture)
    (layer,) = recording.layers
    projections = recording.project(recording.strongest(layer, channels=[0]))
    result = faithfulness(recording, projections, progress=False)
    assert result.layers == (layer,)
    assert abs(float(result.randomised[0, 0])) < 0.5


def test_a_direction_is_checked_by_the_weights_that_it_looks_at() -> None:
    model, picture = detector()
    net = DeconvNet(model, device="cpu").with_directions("cross", "conv1", torch.eye(8)[0])
    recording = net.record(picture)
    along, channel = recording.strongest("cross"), recording.strongest("conv1", channels=[0])
    found, same = (
        faithfulness(recording, recording.project(one), progress=False) for one in (along, channel)
    )
    assert found.layers == same.layers == ("conv1",)
    assert torch.equal(found.randomised, same.randomised)
    assert torch.equal(found.drop, same.drop)


def test_an_area_that_is_no_share_is_refused() -> None:
    model, picture = detector()
    recording = DeconvNet(model, device="cpu").record(picture)
    projections = recording.project(recording.strongest("conv1", channels=[0]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        faithfulness(recording, projections, area=15)
