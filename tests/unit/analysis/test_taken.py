"""What an analysis does not take is said first: what was given, what is expected, what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from torch import nn

import zfwidgets as zf

OF_A_NETWORK = (
    *(zf.ablate, zf.assert_healthy, zf.clusters, zf.confusion, zf.correspondence, zf.equivariance),
    *(zf.exemplars, zf.filters, zf.invariance, zf.linear_probe, zf.occlusion, zf.predictability),
    *(zf.review, zf.scan, zf.similarity, zf.synthesize, zf.tuning, zf.usage),
)
OF_A_RECORDING = (zf.evidence, zf.faithfulness, zf.difference)
Analysis = Callable[..., Any]


@pytest.mark.parametrize("analysis", OF_A_NETWORK)
def test_a_network_is_asked_for(analysis: Analysis) -> None:
    given = nn.Linear(2, 3)
    with pytest.raises(TypeError, match=r"got Linear\(.* expected .*zf\.DeconvNet\(model\)"):
        analysis(given)


@pytest.mark.parametrize("analysis", OF_A_RECORDING)
def test_a_recording_is_asked_for(analysis: Analysis) -> None:
    with pytest.raises(
        TypeError, match=rf"{analysis.__name__}\(\) got 'cat'.*net\.record\(photo\)"
    ):
        analysis("cat", "dogs")


def test_two_networks_are_looked_at_one_by_one() -> None:
    net = zf.load("zfnet", device="cpu")
    with pytest.raises(TypeError, match="got 'alexnet' as second"):
        zf.best_match(net, "alexnet", [], "conv1")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected a DeconvNet, or several"):
        zf.similarity([net, "alexnet"], [], "conv1")  # type: ignore[list-item]


def test_networks_that_are_read_when_they_are_asked_for_are_read_once() -> None:
    class Run(Sequence[zf.DeconvNet]):
        """Two checkpoints, of which the second cannot be read."""

        read = 0

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: Any) -> Any:
            self.read += 1
            raise OSError("gone")

    run = Run()
    with pytest.raises(OSError, match="gone"):
        zf.similarity(run, [zf.sample("cat").open()], "conv1")
    assert run.read == 1


def test_concepts_are_those_of_exemplars() -> None:
    with pytest.raises(TypeError, match=r"got 'zfnet' as found; expected Exemplars"):
        zf.concepts("zfnet")  # type: ignore[arg-type]


def test_pictures_are_asked_for() -> None:
    net = zf.load("zfnet", device="cpu")
    with pytest.raises(TypeError, match="got 3 as images; expected a folder"):
        zf.usage(net, 3, progress=False)  # type: ignore[arg-type]


def test_a_name_is_asked_for() -> None:
    with pytest.raises(TypeError, match="got 3; expected the name of a network"):
        zf.load(3)  # type: ignore[arg-type]


def test_what_lacks_or_is_too_much_is_said_by_python_itself() -> None:
    with pytest.raises(TypeError, match="missing"):
        zf.occlusion()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="nothing"):
        zf.occlusion(zf.load("zfnet", device="cpu"), zf.sample("cat").open(), nothing=1)  # type: ignore[call-arg]
