"""The recorder in real training loops: a plain one, and Lightning's."""

from __future__ import annotations

import gc
import importlib
import json
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from zfwidgets.analysis.recorder import EvolutionRecorder
from zfwidgets.deconv.checkpoints import Checkpoints, checkpoints
from zfwidgets.images import Preprocess
from zfwidgets.nets import MissingWeightsError, NetError


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc2 = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu1(self.bn1(self.conv1(x))))
        return self.fc2(self.flatten(x))


def batch() -> tuple[Tensor, Tensor]:
    return torch.randn(8, 3, 12, 12), torch.randint(0, 2, (8,))


def train(model: nn.Module, recorder: EvolutionRecorder, steps: int) -> dict[int, Tensor]:
    """A plain loop; the weights of conv1 before each step."""
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    history = {}
    for step in range(steps):
        recorder.step(step)
        history[step] = model.get_parameter("conv1.weight").detach().clone()
        x, y = batch()
        loss = nn.functional.cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return history


def test_a_plain_loop_leaves_the_weights_of_its_steps(tmp_path: Path) -> None:
    model = Net().train()
    recorder = EvolutionRecorder(tmp_path / "new" / "run", model, every=4, at=[1, 2])
    history = train(model, recorder, 10)
    kept = recorder.checkpoints()
    assert kept.steps == (0, 1, 2, 4, 8)
    for step in kept.steps:
        weight = kept.at(step).model.get_parameter("conv1.weight")
        assert torch.equal(weight, history[step].half().float())
    assert model.training
    assert not kept[0].model.training
    x, _ = batch()
    assert kept[-1].record(x).logits is not None


def test_a_file_says_where_it_comes_from(tmp_path: Path) -> None:
    preparation = Preprocess(size=32, resize=36)
    recorder = EvolutionRecorder(
        tmp_path, Net(), at=[7], transforms=preparation, notes={"data": "shapes"}
    )
    path = recorder.step(7)
    assert path is not None
    with safe_open(path, framework="pt") as file:
        said = file.metadata()
        types = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    assert said["step"] == "7"
    assert said["unit"] == "step"
    assert said["name"] == "Net"
    assert said["data"] == "shapes"
    assert json.loads(said["kept"]) == {"every": None, "at": [7]}
    assert types == {"F16", "I64"}  # I64: batch norm counts its batches
    again = Checkpoints(tmp_path, Net())
    assert again[0].transforms == preparation


def test_what_does_not_fit_half_precision_is_kept_in_single(tmp_path: Path) -> None:
    model = Net()
    with torch.no_grad():
        model.conv1.weight[0, 0, 0, 0] = 1e6
    recorder = EvolutionRecorder(tmp_path, model, at=[0])
    recorder.step(0)
    kept = recorder.checkpoints()[0].model.get_parameter("conv1.weight")
    assert float(kept[0, 0, 0, 0]) == 1e6


def test_a_file_that_could_not_be_finished_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = EvolutionRecorder(tmp_path, Net(), at=[0, 1])
    recorder.step(0)

    def broken(_tensors: object, path: str, **_rest: object) -> None:
        Path(path).write_bytes(b"half of it")
        raise OSError("the disk is full")

    monkeypatch.setattr("zfwidgets.analysis.recorder.save_file", broken)
    with pytest.raises(OSError, match="full"):
        recorder.step(1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000000.safetensors"]


def test_a_model_in_a_wrapper_is_kept_as_itself(tmp_path: Path) -> None:
    model = Net()
    recorder = EvolutionRecorder(tmp_path, nn.DataParallel(model), at=[0])
    recorder.step(0)
    assert "conv1" in Checkpoints(tmp_path, model)[0].layers


def test_checkpoints_are_read_when_they_are_asked_for_and_let_go(tmp_path: Path) -> None:
    recorder = EvolutionRecorder(tmp_path, Net(), every=1)
    for step in range(3):
        recorder.step(step)
    (tmp_path / "step-00000001.safetensors").write_bytes(b"damaged")
    with pytest.raises(NetError, match="not a sound safetensors file"):
        recorder.checkpoints()
    recorder.step(1)
    kept = recorder.checkpoints()
    held = kept[0]
    assert kept[0] is held
    assert [net.name for net in kept[1:]] == ["Net, step 1", "Net, step 2"]
    let_go = weakref.ref(kept[1])
    gc.collect()
    assert let_go() is None


def test_files_of_others_are_ordered_by_the_number_in_their_names(tmp_path: Path) -> None:
    for number in (5, 10, 200):
        torch.save({"model": Net().state_dict()}, tmp_path / f"net2-epoch{number}.pt")
    kept = Checkpoints(tmp_path, Net())
    assert kept.steps == (5, 10, 200)
    assert "conv1" in kept[1].layers
    torch.save(Net().state_dict(), tmp_path / "epoch_5.pth")
    with pytest.raises(NetError, match="both of step 5"):
        Checkpoints(tmp_path, Net())


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoints"):
        Checkpoints(tmp_path, Net())
    with pytest.raises(ValueError, match="every=100"):
        EvolutionRecorder(tmp_path, Net())
    with pytest.raises(ValueError, match="1 or more"):
        EvolutionRecorder(tmp_path, Net(), every=0)
    recorder = EvolutionRecorder(tmp_path, Net(), at=[0])
    recorder.step(0)
    with pytest.raises(KeyError, match="no checkpoint at step 3"):
        recorder.checkpoints().at(3)
    with pytest.raises(MissingWeightsError, match="EvolutionRecorder"):
        checkpoints("vgg16")


@pytest.mark.filterwarnings(
    # What Lightning and torch say about each other, and about so small a training.
    r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated:FutureWarning",
    "ignore:.*does not have many workers",
    "ignore:.*litlogger",
    "ignore:.*tensorboardX",
)
@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
@pytest.mark.parametrize(
    ("unit", "at", "kept"), [("step", [0, 1, 5], (0, 1, 5)), ("epoch", [0, 2], (0, 2))]
)
def test_a_lightning_trainer_tells_the_recorder(
    tmp_path: Path, package: str, unit: str, at: list[int], kept: tuple[int, ...]
) -> None:
    pl: Any = importlib.import_module(package)
    net = Net()

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def training_step(self, items: list[Tensor], _index: int) -> Tensor:
            x, y = items
            return nn.functional.cross_entropy(self.net(x), y)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    untrained = net.conv1.weight.detach().clone()
    recorder = EvolutionRecorder(tmp_path / "kept", net, at=at, unit=unit)
    data = torch.utils.data.TensorDataset(torch.randn(24, 3, 12, 12), torch.randint(0, 2, (24,)))
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        log_every_n_steps=1,
        callbacks=[recorder.lightning()],
    )
    trainer.fit(Module(), torch.utils.data.DataLoader(data, batch_size=8))
    found = recorder.checkpoints()
    assert found.steps == kept
    assert found.unit == unit
    weights = [one.model.get_parameter("conv1.weight") for one in found]
    assert torch.equal(weights[0], untrained.half().float())
    assert not torch.equal(weights[0], weights[-1])
    if unit == "epoch":  # after the last one nothing was trained
        assert torch.equal(weights[-1], net.conv1.weight.detach().half().float())
