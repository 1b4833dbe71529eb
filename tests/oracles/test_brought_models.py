"""What people bring: wrappers, derived weights, kinds of numbers, planes, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.optim.swa_utils import AveragedModel

from tests.oracles.agreement import agree
from zfwidgets.deconv import DeconvNet, UnsupportedModel
from zfwidgets.images import samples

PHOTO = (1, 3, 12, 12)


def plain(planes: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(planes, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3)
    )


# ----------------------------------------------------------------------------------------- wrappers


def lit() -> nn.Module:
    import lightning  # ten seconds of a slow core, which only this model needs

    class Lit(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = plain()
            self.save_hyperparameters()

        def forward(self, x: Tensor) -> Any:
            return self.model(x)

    return Lit()


def scripted_inside() -> nn.Module:
    model = plain()
    model[2] = torch.jit.script(nn.ReLU())
    return model


def compiled(model: nn.Module) -> nn.Module:
    wrapped: Any = torch.compile(model)
    assert isinstance(wrapped, nn.Module)
    return wrapped


WRAPPERS: dict[str, Callable[[], nn.Module]] = {
    "DataParallel": lambda: nn.DataParallel(plain().eval()),
    "AveragedModel": lambda: AveragedModel(plain()),
    "compiled": lambda: compiled(plain()),
    "compiled inside": lambda: nn.Sequential(compiled(plain()), nn.Tanh()),
    "Lightning": lit,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", WRAPPERS)
def test_wrapped(name: str) -> None:
    wrapper = WRAPPERS[name]().eval()
    own: Any = wrapper
    if name == "compiled inside":
        own = nn.Sequential(own[0]._orig_mod, own[1])
    for inner in ("_orig_mod", "module"):
        own = getattr(own, inner, own)
    agree(wrapper, torch.randn(PHOTO), own=own)


def test_nothing_is_compiled_to_look_inside() -> None:
    graphs: list[Any] = []

    def backend(graph: Any, _inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    part: Any = torch.compile(plain().eval(), backend=backend)
    recording = DeconvNet(nn.Sequential(part, nn.Tanh()).eval(), device="cpu").record(
        torch.randn(PHOTO)
    )
    assert recording.layers["conv1"].path == "0.0", "as it is called without compiling"
    assert len(recording.project(recording.strongest("conv2"))) == 4
    assert graphs == []


@pytest.mark.filterwarnings("ignore:.*torch.jit.* is deprecated")
def test_a_scripted_part_is_exact_or_refused_in_words() -> None:
    model = scripted_inside().eval()
    try:
        agree(model, torch.randn(PHOTO))
    except UnsupportedModel as refusal:
        assert "script" in str(refusal)  # noqa: PT017


# ---------------------------------------------------------------------------------- derived weights


class Doubled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.sin() * 2


DERIVED: dict[str, Callable[[nn.Conv2d], Any]] = {
    "pruned": lambda conv: prune.l1_unstructured(conv, "weight", 0.5),
    "weight norm": parametrizations.weight_norm,
    "weight norm by hook": nn.utils.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "spectral norm by hook": nn.utils.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "parametrised": lambda conv: parametrize.register_parametrization(conv, "weight", Doubled()),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("name", DERIVED)
def test_derived_weights_follow_a_training_step(name: str) -> None:
    """Hooks and parametrisations derive them anew in every forward pass."""
    model = plain().eval()
    DERIVED[name](model[0])  # type: ignore[arg-type]
    photo = torch.randn(PHOTO)
    net = DeconvNet(model, device="cpu")
    before = net.record(photo)
    model.train()(photo.expand(4, 3, 12, 12)).square().mean().backward()
    torch.optim.SGD(model.parameters(), 0.5).step()
    model.eval()
    recording = net.record(photo)
    last = list(recording.layers)[-1]
    torch.testing.assert_close(recording.feature_maps(last), model(photo).detach())
    assert not torch.allclose(before.feature_maps(last), recording.feature_maps(last), rtol=1e-3)
    agree(model, photo)


def test_weights_that_two_layers_share() -> None:
    model = plain()
    model.append(nn.Conv2d(4, 8, 3, padding=1)).append(nn.Conv2d(8, 4, 3, padding=1))
    model[6].weight = model[4].weight
    agree(model.eval(), torch.randn(PHOTO))


# --------------------------------------------------------------------------------- kinds of numbers


class Cast(nn.Module):
    """One kind of number up to the middle, another from there."""

    def __init__(self, kind: torch.dtype) -> None:
        super().__init__()
        self.a, self.b, self.kind = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3).to(kind), kind

    def forward(self, x: Tensor) -> Tensor:
        return self.b(F.relu(self.a(x)).to(self.kind)).float()


class Auto(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = plain()

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.model(x)


@pytest.mark.parametrize(
    ("kind", "within"), [(torch.float64, 1e-5), (torch.bfloat16, 0.05), (torch.float16, 0.01)]
)
def test_casts_inside(kind: torch.dtype, within: float) -> None:
    agree(Cast(kind).eval(), torch.randn(PHOTO), within)


@pytest.mark.parametrize(
    ("kind", "within"), [(torch.float64, 1e-9), (torch.bfloat16, 0.05), (torch.float16, 0.01)]
)
def test_models_of_other_numbers(kind: torch.dtype, within: float) -> None:
    recording = agree(plain().to(kind).eval(), torch.randn(PHOTO).to(kind), within)
    projected = recording.project(recording.strongest(list(recording.layers)[-1]))
    assert projected.pixels.isfinite().all()


def test_autocast_in_the_forward_pass() -> None:
    agree(Auto().eval(), torch.randn(PHOTO), 0.05)


def test_autocast_around_the_recording() -> None:
    model, photo = plain().eval(), torch.randn(PHOTO)
    net = DeconvNet(model, device="cpu")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        recording = net.record(photo)
        want = model(photo)
    got = recording.feature_maps(list(recording.layers)[-1])
    torch.testing.assert_close(got.float(), want.float(), rtol=0.05, atol=0.05)


def test_channels_last() -> None:
    model = plain().eval().to(memory_format=torch.channels_last)
    agree(model, torch.randn(2, 3, 12, 12).to(memory_format=torch.channels_last))


# ------------------------------------------------------------------------------------ planes, modes


@pytest.mark.parametrize("planes", [1, 2, 4, 13])
def test_pictures_of_so_many_planes(planes: int) -> None:
    recording = agree(plain(planes).eval(), torch.randn(2, planes, 12, 12))
    projected = recording.project(recording.strongest("conv2", [0]))
    assert projected.pixels.shape[1] == planes
    assert recording.seen().shape[-1] == 3
    assert projected.to_images().shape[-1] == 3


class Compressed(nn.Module):
    """Colours become coefficients before the first convolution; those of a later one come first."""

    def __init__(self) -> None:
        super().__init__()
        self.late = nn.Conv2d(24, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.late(F.pixel_unshuffle(x, 2).repeat(1, 2, 1, 1))
        return maps


def test_the_first_convolution_need_not_take_the_picture() -> None:
    net = DeconvNet(Compressed(), device="cpu")
    assert net.input_channels == 3
    recording = net.record(samples()["cat"].open())
    assert recording.inputs.shape == (1, 3, 224, 224)
    assert recording.project(recording.strongest("late")).pixels.shape[1] == 3


def test_a_model_left_in_training_is_recorded_in_evaluation_and_put_back() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(plain(), nn.Dropout(0.5)).train()
    model[0][1].eval()  # type: ignore[index] # one norm frozen: modes are put back module by module
    modes = [module.training for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    photo = torch.randn(PHOTO)
    recording = DeconvNet(model, device="cpu").record(photo)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    last = list(recording.layers)[-1]
    torch.testing.assert_close(recording.feature_maps(last), model.eval()(photo).detach())


def test_frozen_parameters_and_a_pass_without_gradients() -> None:
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = plain().requires_grad_(False)

        @torch.no_grad()
        def forward(self, x: Tensor) -> Tensor:
            return self.model(x)

    model = Frozen().eval()
    agree(model, torch.randn(PHOTO), own=model.model)


# ------------------------------------------------------------------------------------------ refused


class Noisy(nn.Module):
    def __init__(self, noise: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.a, self.b, self.noise = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3), noise

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.noise(self.a(x)))


NOISE: dict[str, Callable[[Tensor], Tensor]] = {
    "F.dropout without training=": lambda x: F.dropout(x, 0.5),
    "rand_like": lambda x: x + torch.rand_like(x),
    "normal": lambda x: x * torch.normal(1.0, 0.1, x.shape),
    "bernoulli": lambda x: x * torch.bernoulli(torch.full_like(x, 0.5)),
    "randperm": lambda x: x[:, torch.randperm(x.shape[1])],
    "fractional pooling": nn.FractionalMaxPool2d(2, output_ratio=0.7),
    "gumbel softmax": lambda x: F.gumbel_softmax(x, dim=1),
}


@pytest.mark.parametrize("name", NOISE)
def test_random_numbers_in_evaluation_are_refused(name: str) -> None:
    """No two runs are alike, so no record is of the next one."""
    with pytest.raises(UnsupportedModel, match="random"):
        DeconvNet(Noisy(NOISE[name]).eval(), device="cpu").record(torch.randn(PHOTO))


def test_frequencies_are_refused_or_exact() -> None:
    spectrum = Noisy(lambda x: torch.fft.irfft2(torch.fft.rfft2(x) * 0.5, s=x.shape[-2:]))
    try:
        agree(spectrum.eval().double(), torch.randn(PHOTO, dtype=torch.float64))
    except UnsupportedModel as refusal:
        assert "complex" in str(refusal)  # noqa: PT017


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Sequential(nn.Conv3d(3, 4, 3)), "Conv3d|3-D"),
        (nn.Sequential(nn.Conv1d(3, 4, 3)), "Conv1d|1-D"),
    ],
    ids=["3-D", "1-D"],
)
def test_convolutions_of_other_dimensions_are_refused(model: nn.Module, said: str) -> None:
    with pytest.raises((UnsupportedModel, ValueError), match=said):
        DeconvNet(model, device="cpu").record(torch.randn(PHOTO))
