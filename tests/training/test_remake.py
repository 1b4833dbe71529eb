"""What was made from other weights than those that ship is found, and made anew, in order."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from training.remake import Thing, made_of, remake, stale
from training.train import Recipe
from training.workshop import Workshop
from zfwidgets.nets.fingerprint import fingerprint


def write(path: Path, value: float, **notes: str) -> None:
    tensors = {"b": torch.zeros(2), "a": torch.full((3, 2), value)}
    save_file(tensors, path, metadata=notes)


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    for number, net in enumerate(("zfnet", "alexnet")):
        write(tmp_path / f"{net}.safetensors", number)
    return Workshop(tmp_path, tmp_path, tmp_path, Recipe(threads=1))


def test_a_fingerprint_is_of_tensors_and_not_of_notes(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    write(path, 1.0, accuracy="none")
    first = fingerprint(path)
    write(path, 1.0, accuracy="a long sentence")
    assert fingerprint(path) == first
    write(path, 2.0, accuracy="none")
    assert fingerprint(path) != first
    save_file({"b": torch.zeros(2), "c": torch.ones(3, 2)}, path)
    assert fingerprint(path) != first
    save_file({"b": torch.zeros(2), "a": torch.ones(2, 3)}, path)
    assert fingerprint(path) != first, "the same numbers in another shape"


def test_only_what_is_stale_is_made_in_order_and_recorded(shop: Workshop, tmp_path: Path) -> None:
    made: list[str] = []
    record = tmp_path / "made-of.json"
    things = [
        Thing("evolution", (), ("zfnet",), lambda _: made.append("evolution")),
        Thing("cards", (), ("zfnet", "alexnet"), lambda _: made.append("cards")),
    ]
    remake(shop, things, record)
    assert made == ["evolution", "cards"]
    assert stale(things, tmp_path, record) == []
    assert made_of(record)["evolution"] == {"zfnet": fingerprint(tmp_path / "zfnet.safetensors")}
    remake(shop, things, record)
    assert made == ["evolution", "cards"], "nothing is made twice"

    write(tmp_path / "alexnet.safetensors", 7.0)
    assert [thing.name for thing in stale(things, tmp_path, record)] == ["cards"]
    remake(shop, things, record)
    assert made == ["evolution", "cards", "cards"]


def test_what_could_not_be_made_stays_stale(shop: Workshop, tmp_path: Path) -> None:
    def fails(_shop: Workshop) -> None:
        raise FileNotFoundError("run.json")

    record = tmp_path / "made-of.json"
    things = [Thing("evolution", (), ("zfnet",), fails)]
    with pytest.raises(FileNotFoundError):
        remake(shop, things, record)
    assert stale(things, tmp_path, record) == things
