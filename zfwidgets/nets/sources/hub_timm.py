"""``timm:NAME``: any pretrained model of timm with one picture in and one row of logits out.

timm makes the module and knows where its weights are. They are fetched through huggingface_hub
(resumable, shared with other programs) or by us, checked, and handed to timm as a local file, which
it reads without unpickling. Needs the ``timm`` package.
"""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from zfwidgets.images.preprocess import Preprocess
from zfwidgets.nets.download import DownloadError, RemoteFile, cache_dir, fetch, mirrored
from zfwidgets.nets.info import Built, NetError, NetInfo, built, did_you_mean
from zfwidgets.nets.state import imagenet_classes

HUB = "https://huggingface.co"

FILES = ("model.safetensors", "pytorch_model.bin")
"""Weights files of a Hugging Face repository of timm, the better one first."""

MODES = {"center": "crop", "squash": "squash", "border": "fit"}
"""timm's crop modes in the words of `Preprocess`."""


def listed() -> list[NetInfo]:
    """One row: timm has more than a thousand models."""
    return [
        NetInfo(
            name="timm:NAME",
            title="any pretrained classifier",
            description="Every name of timm.list_pretrained(), such as timm:resnet18.a1_in1k. The "
            "engine needs convolutions, pools, norms and ReLUs.",
            licence="per model",
            accuracy="see timm's results",
            size_bytes=None,
            source="https://huggingface.co/timm",
            local=None,
            params=None,
        )
    ]


def build(name: str, *, progress: bool = True) -> Built:
    """The timm model ``name`` with its pretrained weights.

    Args:
        name: as in ``timm.create_model``, with or without the tag after the dot.
        progress: show a bar while downloading.
    """
    timm = _timm()
    config = _config(timm, name)
    path = _fetch(config, progress)
    overlay = {"file": str(path)}
    model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    return built(model, preprocess(model), categories(model), _info(name, config))


def _config(timm: Any, name: str) -> Any:
    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None or not (config.hf_hub_id or config.url):
        tagged = timm.list_pretrained()
        known = tagged if "." in name else [each.split(".")[0] for each in tagged]
        raise NetError(
            f"timm has no pretrained model {name!r}.{did_you_mean(name, known)} "
            "timm.list_pretrained() lists them all."
        )
    if config.custom_load:
        raise NetError(f"timm:{name} keeps its weights in a format of its own; not supported.")
    return config


def _fetch(config: Any, progress: bool) -> Path:
    if config.hf_hub_id:
        names = [config.hf_hub_filename] if config.hf_hub_filename else list(FILES)
        return _from_hugging_face(config.hf_hub_id, names, progress)
    name = os.path.basename(config.url)  # noqa: PTH119 - of an address, not of a path
    digits = re.search(r"-([0-9a-f]{8,})\.pth$", name)
    if digits is None:
        raise NetError(f"{config.url} does not carry its hash in its name; it is not fetched.")
    file = RemoteFile(name, (config.url,), cache_dir() / "timm", f"sha256:{digits[1]}")
    return fetch(file, progress=progress)


class _Silent(tqdm):
    """A progress bar that is not shown."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **(options | {"disable": True}))


def _from_hugging_face(repository: str, names: list[str], progress: bool) -> Path:
    """The first of ``names`` that the repository has, in huggingface_hub's cache, checked.

    The hub names the blob of a large file after its SHA-256, so the cache carries the digest.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    repository, _, revision = repository.partition("@")
    options: dict[str, Any] = {"revision": revision or None}
    if mirrored(HUB) != HUB:
        options["endpoint"] = mirrored(HUB)
    if not progress:
        options["tqdm_class"] = _Silent
    tries = [(name, True) for name in names] + [(name, False) for name in names]
    for name, here in tries:  # what is here is used without asking the hub, which can take long
        try:
            path = Path(hf_hub_download(repository, name, local_files_only=here, **options))
        except LocalEntryNotFoundError as error:
            if here:
                continue
            raise _offline(repository, name, error) from error
        except EntryNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise _offline(repository, name, error) from error
        _check(path)
        return path
    raise DownloadError(f"https://huggingface.co/{repository} has none of {', '.join(names)}.")


def _check(path: Path) -> None:
    blob = path.resolve()
    if not re.fullmatch(r"[0-9a-f]{64}", blob.name):
        return  # small enough to be outside LFS, or a file system without links
    if not RemoteFile(blob.name, ("",), blob.parent, f"sha256:{blob.name}").matches(blob):
        raise DownloadError(
            f"{blob} does not have the SHA-256 that it is named after: it is damaged. Delete it "
            "and run the same line again."
        )


def _offline(repository: str, name: str, error: Exception) -> DownloadError:
    return DownloadError(
        f"Could not download {name} of https://huggingface.co/{repository}.\n  {error}\n"
        "With a network, run the same line again. Without one, run it on another machine and copy "
        "the folder ~/.cache/huggingface/hub (or $HF_HOME/hub) from there."
    )


def preprocess(model: Any) -> Preprocess:
    """timm's evaluation transform of ``model`` as our own, which can be undone and drawn."""
    from timm.data.config import resolve_model_data_config

    data = resolve_model_data_config(model, use_test_size=True)
    channels, height, width = data["input_size"]
    mode = MODES.get(data["crop_mode"])
    if height != width or channels not in (1, 3) or mode is None:
        raise NetError(
            f"{type(model).__name__} wants {channels} x {height} x {width} input, crop mode "
            f"{data['crop_mode']!r}; expected a square of 1 or 3 channels."
        )
    return Preprocess(
        size=height,
        resize=math.floor(height / data["crop_pct"]),
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
        channels="L" if channels == 1 else "RGB",
        mode=mode,  # type: ignore[arg-type]
        interpolation=data["interpolation"],
    )


def categories(model: Any) -> list[str] | None:
    """Class names where timm knows which labels the model was trained on, else None."""
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(model)
    if subset == "imagenet-1k":
        return imagenet_classes()
    if not subset:
        return None
    labels = ImageNetInfo(subset)
    return [labels.index_to_description(index) for index in range(labels.num_classes())]


def _info(name: str, config: Any) -> NetInfo:
    return NetInfo(
        name=f"timm:{name}",
        title=f"{config.architecture} ({config.tag})" if config.tag else config.architecture,
        description=f"timm's {config.architecture}.",
        licence=config.license or "not stated",
        accuracy="see timm's results",
        size_bytes=None,
        source=f"https://huggingface.co/{config.hf_hub_id}" if config.hf_hub_id else config.url,
        local=True,
        params=None,
    )


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise NetError(
            "'timm:NAME' needs the timm package: pip install 'zfwidgets[timm]'"
        ) from error
    return timm
