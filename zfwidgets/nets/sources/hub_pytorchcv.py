"""``pytorchcv:NAME``: the ImageNet classifiers of osmr/pytorchcv, ZFNet and AlexNet among them.

Its ``zfnet`` and ``zfnetb`` have exactly the shapes of the paper, with trained weights. The
package makes the modules and knows the checksums; the files are fetched and read by us, since its
own loader unpickles them. Needs the ``pytorchcv`` package.
"""

from __future__ import annotations

import csv
import math
from functools import cache
from pathlib import Path

from zfwidgets.images.preprocess import Preprocess
from zfwidgets.nets.download import RemoteFile, cache_dir, fetch
from zfwidgets.nets.info import Built, NetError, NetInfo, built, did_you_mean
from zfwidgets.nets.state import fill, imagenet_classes, on_meta, read_state

RELEASES = "https://github.com/osmr/imgclsmob/releases/download"

SHOWN = (
    (
        "zfnet",
        "pytorchcv's ZFNet",
        "Fig. 3 of the paper shape by shape",
        62_357_608,
        "zfnet-1727-d010ddca.pth",
    ),
    (
        "zfnetb",
        "pytorchcv's ZFNet (b)",
        "Variant (b) of the paper",
        107_627_624,
        "zfnetb-1490-f6bec24e.pth",
    ),
    (
        "alexnet",
        "pytorchcv's AlexNet",
        "AlexNet of 2012 in one column",
        62_378_344,
        "alexnet-1664-2768cdb3.pth",
    ),
)
"""Name, title, what it is, parameters and file of the networks that `list_nets` spells out, known
without the package; the second part of a file's name is the top-5 error in units of .01 %."""


def listed() -> list[NetInfo]:
    """The three nets closest to our papers, then a row for all others."""
    shown = [
        NetInfo(
            name=f"pytorchcv:{name}",
            title=title,
            description=f"{what}; normalisation before the pool, input in RGB.",
            licence="MIT",
            accuracy=_accuracy(file.split("-")[1]),
            size_bytes=params * 4,
            source=RELEASES,
            local=any((folder / file).exists() for folder in _folders()),
            params=params,
        )
        for name, title, what, params, file in SHOWN
    ]
    anyone = NetInfo(
        name="pytorchcv:NAME",
        title="any other ImageNet classifier",
        description="Every ImageNet-1k name in pytorchcv's table of models.",
        licence="MIT",
        accuracy="see pytorchcv",
        size_bytes=None,
        source=RELEASES,
        local=None,
        params=None,
    )
    return [*shown, anyone]


def build(name: str, *, progress: bool = True) -> Built:
    """The pytorchcv classifier ``name`` with trained weights.

    Args:
        name: as in ``pytorchcv.model_provider.get_model``.
        progress: show a bar while downloading.
    """
    row = _row(name)
    from pytorchcv.model_provider import get_model

    model = on_meta(lambda: get_model(name, pretrained=False))
    file = remote_file(row)
    model = fill(model, read_state(fetch(file, progress=progress)), str(file.path))
    return built(model, preprocess(row), imagenet_classes(), _info(row))


def remote_file(row: dict[str, str]) -> RemoteFile:
    """The release archive of a row of pytorchcv's table, and the file in it."""
    name = f"{row['model_name']}-{row['error_value']}-{row['checksum'][:8]}.pth"
    url = f"{RELEASES}/{row['repo_release_tag']}/{name}.zip"
    digest = f"sha1:{row['checksum']}"
    folders = _folders()
    folder = next((folder for folder in folders if (folder / name).exists()), folders[0])
    return RemoteFile(name, (url,), folder, digest, zipped=True)


def preprocess(row: dict[str, str]) -> Preprocess:
    """The package's evaluation transform: ImageNet mean and std, the centre of a larger image."""
    size = int(row["img_size"])
    return Preprocess(size=size, resize=math.ceil(size / float(row["img_scale"])))


def _folders() -> tuple[Path, Path]:
    """Where our copies are, and where pytorchcv itself keeps what it has fetched."""
    return cache_dir() / "pytorchcv", Path("~/.torch/models").expanduser()


def _row(name: str) -> dict[str, str]:
    rows = _table()
    if name not in rows:
        raise NetError(
            f"pytorchcv has no trained ImageNet classifier {name!r}.{did_you_mean(name, rows)}"
        )
    return rows[name]


@cache
def _table() -> dict[str, dict[str, str]]:
    """pytorchcv's own table of trained models, as far as they classify ImageNet-1k."""
    try:
        from pytorchcv.models.common import model_store
    except ImportError as error:
        raise NetError(
            "'pytorchcv:NAME' needs the pytorchcv package, 0.0.74 or later: "
            "pip install 'zfwidgets[pytorchcv]'"
        ) from error
    with Path(model_store.get_model_metainfos_file_path()).open(newline="") as stream:
        rows = {row["model_name"]: row for row in csv.DictReader(stream)}
    return {name: row for name, row in rows.items() if _is_classifier(row)}


def _is_classifier(row: dict[str, str]) -> bool:
    given = (row["checksum"], row["repo_release_tag"], row["img_size"], row["img_scale"])
    return row["test_dataset"] == "in1k" and "NA" not in given


def _accuracy(error: str) -> str:
    return f"ImageNet top-5 {100 - int(error) / 100:.2f} %"


def _info(row: dict[str, str]) -> NetInfo:
    name = f"pytorchcv:{row['model_name']}"
    known = next((info for info in listed() if info.name == name), None)
    return known or NetInfo(
        name=name,
        title=row["model_caption"],
        description=f"pytorchcv's {row['model_caption']}, trained on ImageNet-1k.",
        licence="MIT",
        accuracy=_accuracy(row["error_value"]),
        size_bytes=int(row["net_weights"]) * 4,
        source=RELEASES,
        local=remote_file(row).path.exists(),
        params=int(row["net_weights"]),
    )
