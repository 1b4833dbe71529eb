"""What `zfwidgets serve` makes of its options, and of the file for a cluster in the how-to."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from zfwidgets.serve.command import add_options, arguments

# Ray's own: what it says of its dependencies when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore")


def made(*given: str, cores: int = 8, gpus: int = 0) -> dict[str, Any]:
    parser = ArgumentParser()
    add_options(parser)
    return arguments(parser.parse_args(given), "secret", cores, gpus)


def test_it_listens_on_this_machine_alone() -> None:
    parser = ArgumentParser()
    add_options(parser)
    assert parser.parse_args([]).ip == "127.0.0.1"


def test_each_gpu_gets_an_engine_and_processors_are_shared_out() -> None:
    gpus = made(gpus=4)
    assert (gpus["replicas"], gpus["gpus"], gpus["threads"]) == (4, 1.0, 0)
    assert made("--replicas", "8", gpus=4)["gpus"] == 0.5
    processors = made("--replicas", "4")
    assert (processors["replicas"], processors["gpus"], processors["threads"]) == (4, 0, 2)
    assert made(cores=2)["threads"] == 2
    assert made("--device", "cpu", gpus=4)["gpus"] == 0


def test_the_how_tos_cluster_file_is_one_that_serve_understands(repository: Path) -> None:
    from ray.serve.schema import ServeDeploySchema

    from zfwidgets.serve.app import build

    page = (repository / "docs" / "howto" / "class.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    config = ServeDeploySchema(**yaml.safe_load(text))
    (application,) = config.applications
    assert application.import_path == f"{build.__module__}:{build.__name__}"
    (deployment,) = application.deployments
    assert deployment.name == "engine"
    assert deployment.autoscaling_config is not None
    assert build(application.args) is not None
    with pytest.raises(TypeError, match="understands"):
        build({"net": "zfnet"})
