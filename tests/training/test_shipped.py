"""The weights that ship are what their cards say: light, folded, trained, with a life story."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from training import remake
from training.filters import report
from zfwidgets.nets.alexnet import AlexNet
from zfwidgets.nets.zfnet import ZFNet

NETS = {"zfnet": ZFNet, "alexnet": AlexNet}


@pytest.fixture
def weights(repository: Path) -> Path:
    return repository / "zfwidgets" / "nets" / "weights"


@pytest.mark.parametrize("name", sorted(NETS))
def test_shipped_weights_fit_their_network_and_are_small(weights: Path, name: str) -> None:
    path = weights / f"{name}.safetensors"
    NETS[name](head="light", norm=False).load_state_dict(load_file(path))
    assert path.stat().st_size <= 9_000_000


@pytest.mark.parametrize("name", sorted(NETS))
def test_shipped_weights_say_how_they_were_made(weights: Path, name: str) -> None:
    with safe_open(weights / f"{name}.safetensors", "pt") as file:
        notes = file.metadata()
    assert json.loads(notes["preprocess"])["size"] == 224
    assert int(notes["steps"]) > 1000
    assert {"recipe", "seed", "date", "accuracy", "licence"} <= set(notes)
    assert re.match(r"\d+ % / \d+ % as its teacher", notes["accuracy"])
    assert len(notes["accuracy"]) < 110, "short: the rest is in the card"
    card = (weights / f"{name}.md").read_text()
    assert "Apache" in card
    assert "constant guess" in card


def test_both_networks_were_trained_alike(weights: Path) -> None:
    """So that the paper's comparison of the two (Fig. 6) is one of architectures."""
    notes = []
    for name in sorted(NETS):
        with safe_open(weights / f"{name}.safetensors", "pt") as file:
            notes.append(file.metadata())
    for fact in ("steps", "recipe", "seed"):
        assert notes[0][fact] == notes[1][fact], fact


@pytest.mark.parametrize("name", sorted(NETS))
def test_the_first_layer_is_no_noise(weights: Path, name: str) -> None:
    found = report(load_file(weights / f"{name}.safetensors")["conv1.weight"].float())
    assert found.dead == 0
    assert found.noise <= 0.05
    assert found.near_duplicates <= 0.1
    assert found.oriented > 0.25
    assert found.opponent > 0.1


def test_zfnets_evolution_runs_from_its_start_to_what_ships(weights: Path) -> None:
    path = weights / "zfnet-evolution.safetensors"
    state = load_file(path)
    with safe_open(path, "pt") as file:
        steps = json.loads(file.metadata()["steps"])
    assert len(steps) >= 5
    assert steps == sorted(steps)
    assert steps[0] == 0
    assert path.stat().st_size <= 12_000_000
    shipped = load_file(weights / "zfnet.safetensors")
    last = state[f"{steps[-1]}/conv1.weight"].float()
    torch.testing.assert_close(last, shipped["conv1.weight"].float(), atol=2e-3, rtol=2e-3)
    first = report(state["0/conv1.weight"].float())
    assert first.noise > 0.9, "the start is noise"


def test_all_that_hangs_on_the_weights_was_made_from_those_that_ship() -> None:
    """`python -m training remake` makes it anew."""
    assert [thing.name for thing in remake.stale()] == []


def test_what_hangs_on_the_weights_is_there(repository: Path) -> None:
    for thing in remake.THINGS:
        for file in thing.files:
            assert (repository / file).exists(), (thing.name, file)
