"""The steps of a projection against torch's own operations on whole maps."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_input

import zfwidgets as zf
from zfwidgets.deconv.steps import Step

torch.manual_seed(5)
NET = nn.Sequential(
    nn.Conv2d(3, 8, 5, stride=2, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(3, 2, ceil_mode=True),
    nn.Conv2d(8, 12, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2, 2),
    nn.Conv2d(12, 6, 3),
    nn.ReLU(),
)
RULES = ("deconvnet", "guided", "gradient", "linear")


@pytest.fixture(scope="module")
def recording() -> zf.Recording:
    return zf.DeconvNet(NET, device="cpu").record(torch.randn(2, 3, 41, 45))


def forward_maps(x: Tensor) -> list[Tensor]:
    """The input of every module."""
    found = []
    with torch.no_grad():
        for module in NET:
            found.append(x)
            x = module(x)
    return found


def unpooled(signal: Tensor, x: Tensor, pool: nn.MaxPool2d) -> Tensor:
    """Every value added at the place that torch's own index names."""
    _, index = F.max_pool2d(
        x, pool.kernel_size, pool.stride, ceil_mode=pool.ceil_mode, return_indices=True
    )
    flat = torch.zeros(*x.shape[:2], x.shape[2] * x.shape[3])
    return flat.scatter_add(2, index.flatten(2), signal.flatten(2)).view_as(x)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("place", [(0, 0), (2, 1), (4, 5)])
def test_every_step_is_torchs_own_operation_and_the_last_is_the_projection(
    recording: zf.Recording, rule: str, place: tuple[int, int]
) -> None:
    layer = list(recording.layers)[-1]
    _, height, width = recording.layers[layer].shape
    row, col = min(place[0], height - 1), min(place[1], width - 1)
    neurons = recording.neurons(layer, image=1, channel=3, row=row, col=col)
    steps = recording.steps(neurons, rule=rule, seed="one")  # type: ignore[arg-type]
    assert [step.kind for step in steps] == [
        "rectify", "filter", "unpool", "rectify", "filter", "unpool", "rectify", "filter"
    ]  # fmt: skip
    inputs = forward_maps(recording.inputs[1:])
    signal = torch.zeros(1, 6, height, width)
    signal[0, 3, row, col] = 1
    for step, module, x in zip(steps, reversed(NET), reversed(inputs), strict=True):
        assert torch.allclose(step.before, signal, atol=1e-6)
        signal = expected(step, module, x, signal, rule)
        assert step.signal.shape == signal.shape
        assert torch.allclose(step.signal, signal, atol=1e-6), step.name
        assert step.shape == tuple(signal.shape[1:])
        assert step.zeros == pytest.approx(float((step.signal == 0).double().mean()))
    projection = recording.project(neurons, rule=rule, seed="one")  # type: ignore[arg-type]
    assert torch.allclose(steps[-1].signal, projection.on_canvas(), atol=1e-6)


def expected(step: Step, module: nn.Module, x: Tensor, signal: Tensor, rule: str) -> Tensor:
    """The signal behind a module, computed on whole maps without the engine."""
    if isinstance(module, nn.MaxPool2d):
        return unpooled(signal, x, module)
    if isinstance(module, nn.ReLU):
        if rule in ("deconvnet", "guided"):
            signal = signal.clamp(min=0)
        return signal * (x > 0) if rule in ("guided", "gradient") else signal
    assert isinstance(module, nn.Conv2d)
    return conv2d_input(x.shape, module.weight.detach(), signal, module.stride, module.padding)


def test_switches_name_the_places_of_the_maxima(recording: zf.Recording) -> None:
    layer = list(recording.layers)[-1]
    steps = recording.steps(recording.neurons(layer, image=0, channel=1, row=2, col=2))
    inputs = forward_maps(recording.inputs[:1])
    for step, module, x in zip(steps, reversed(NET), reversed(inputs), strict=True):
        assert (step.switches is not None) == isinstance(module, nn.MaxPool2d)
        if step.switches is None:
            continue
        pooled = module(x)
        rows, cols = step.switches.rows[0], step.switches.cols[0]
        channels = torch.arange(x.shape[1])[:, None, None]
        assert torch.equal(x[0][channels, rows, cols], pooled[0])


def test_all_rectifications_off_is_the_linear_rule(recording: zf.Recording) -> None:
    layer = list(recording.layers)[-1]
    neurons = recording.strongest(layer, channels=[2])[0]
    names = [step.name for step in recording.steps(neurons) if step.kind == "rectify"]
    steps = recording.steps(neurons, off=names)
    assert [step.off for step in steps] == [step.kind == "rectify" for step in steps]
    linear = recording.project(neurons, rule="linear")
    assert torch.allclose(steps[-1].signal, linear.on_canvas(), atol=1e-6)


def test_unpooling_without_switches_puts_values_into_the_middle(recording: zf.Recording) -> None:
    layer = list(recording.layers)[-1]
    neurons = recording.neurons(layer, image=0, channel=1, row=1, col=1)
    first = next(step for step in recording.steps(neurons) if step.kind == "unpool")
    steps = recording.steps(neurons, off=[first.name])
    blind = next(step for step in steps if step.kind == "unpool")
    assert blind.off
    middles = torch.zeros_like(blind.signal)
    height, width = blind.before.shape[2:]
    middles[:, :, 1 : 2 * height : 2, 1 : 2 * width : 2] = blind.before
    assert torch.equal(blind.signal, middles)


def test_a_filter_cannot_be_left_out(recording: zf.Recording) -> None:
    layer = list(recording.layers)[-1]
    neurons = recording.strongest(layer, channels=[0])
    name = next(step.name for step in recording.steps(neurons) if step.kind == "filter")
    with pytest.raises(ValueError, match="can be left out"):
        recording.steps(neurons, off=[name])
    with pytest.raises(ValueError, match="no neuron"):
        recording.steps(neurons[[]])


class Branches(nn.Module):
    """Two branches that are concatenated, then added to the input of both."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.one = nn.Conv2d(8, 4, 1)
        self.other = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.stem(x))
        both = torch.cat([F.relu(self.one(y)), F.relu(self.other(y))], 1)
        return F.relu(both + y)


@pytest.mark.parametrize("rule", RULES)
def test_branches_come_together_in_the_last_step(rule: str) -> None:
    torch.manual_seed(2)
    made = zf.DeconvNet(Branches(), device="cpu").record(torch.randn(1, 3, 12, 12))
    layer = list(made.layers)[-1]
    neurons = made.strongest(layer, channels=[1, 5])
    steps = made.steps(neurons, rule=rule)  # type: ignore[arg-type]
    assert {"join", "split"} <= {step.kind for step in steps}
    projection = made.project(neurons, rule=rule)  # type: ignore[arg-type]
    assert torch.allclose(steps[-1].signal, projection.on_canvas(), atol=1e-6)
