"""A scan's state in a file, so that an interrupted scan can go on."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from zfwidgets.analysis.scanning.state import Plan, State
from zfwidgets.analysis.stream import Batch, Item, loaded
from zfwidgets.deconv import DeconvNet

_FORMAT = "zfwidgets scan in progress 2"

OTHER_VERSION = (
    "if it is of another version of zfwidgets, delete it or give another checkpoint: the pictures "
    "are gone through anew."
)


class Checkpoint:
    """The file of one scan; what it was made with stands in its header and must be the same."""

    def __init__(self, path: str | Path, net: DeconvNet) -> None:
        self.path, self._net = Path(path), net
        self._origin = {"format": _FORMAT, **provenance(net)}
        self._ids, self._labels = _Digest(), _Digest()
        self._given: list[str] = []
        self._glance, self._first = torch.zeros(0), list[str]()

    def load(
        self, plan: Plan, look: Batch, following: Iterator[Item]
    ) -> tuple[State, Iterator[Item]]:
        """The state so far, a new one if there is no file, and the images that are left.

        look: the first of the images, see `first_look`.

        Raises ValueError for another file, or one of another network, question, other images or
        labels.
        """
        following = self._noted(following)
        self._glance = glance(look)
        self._first = [repr(label) for label in look.labels] if plan.usage else []
        if not self.path.exists():
            return State(plan), following
        tensors, header = read(self.path, "checkpoint of a scan", _FORMAT, OTHER_VERSION)
        for name, value in self._header(plan).items():
            if header.get(name) != value:
                raise ValueError(
                    f"{self.path} is of another scan: {name} is {header.get(name)} there and "
                    f"{value} here. Ask for the same again, or give another checkpoint."
                )
        seen = int(header["seen"])
        ids = [item.id for item in islice(following, seen)]
        if len(ids) != seen or self._ids.of(ids) != header["digest"]:
            raise ValueError(
                f"{self.path} is of other images: expected the {seen} that it has seen, under the "
                "same names and in the same order, before any others."
            )
        check_alike(self.path, self._glance, tensors["glance"])
        first: list[str] = json.loads(header["first labels"])
        if (
            self._labels.of(self._given) != header["label digest"]
            or self._first[: len(first)] != first
        ):
            raise ValueError(
                f"{self.path} is of other labels: expected those that the {seen} images had that "
                "it has seen. Give them again, or another checkpoint."
            )
        return State.of_tensors(plan, tensors, header, ids, self._net.device), following

    def save(self, state: State) -> None:
        """Write the state; a reader finds the old file or the new one, never a part."""
        tensors, texts = state.tensors()
        header = {
            **self._header(state.plan),
            **texts,
            "digest": self._ids.of(state.ids),
            "label digest": self._labels.of(self._given[: len(state.ids)]),
            "first labels": json.dumps(self._first),
        }
        write(self.path, {**tensors, "glance": self._glance}, header)

    def _header(self, plan: Plan) -> dict[str, str]:
        return {**self._origin, "plan": json.dumps(asdict(plan))}

    def _noted(self, following: Iterator[Item]) -> Iterator[Item]:
        """The same images; the labels they were given are kept, which a state has no more."""
        for item in following:
            self._given.append(repr(item.labels))
            yield item


class _Digest:
    """SHA-256 over texts in their order; only those that are new are read."""

    def __init__(self) -> None:
        self._sha, self._hashed = hashlib.sha256(), 0

    def of(self, texts: list[str]) -> str:
        """Of these, which begin with those of the last time."""
        for text in texts[self._hashed :]:
            self._sha.update(f"{len(text)}:{text}".encode())
        self._hashed = len(texts)
        return self._sha.hexdigest()


def first_look(net: DeconvNet, first: Sequence[Item]) -> Batch:
    """The first images, to know them again; the first alone if names tell them apart."""
    return loaded(net, first if any(item.placed for item in first) else first[:1])


def glance(look: Batch) -> Tensor:
    """Images in 8 x 8 places: [N, C, 8, 8]. By bits they are not the same on every device."""
    return F.adaptive_avg_pool2d(look.inputs.detach().float().cpu(), 8)


def check_alike(path: Path, now: Tensor, then: Tensor) -> None:
    """Raise ValueError unless the images that were looked at first are those of the file.

    now, then: see `glance`; there may be more now.
    """
    now, near = now[: len(then)], 1e-6 + 1e-4 * float(then.max() - then.min())
    if now.shape != then.shape or not torch.allclose(now, then, rtol=0, atol=near):
        raise ValueError(
            f"{path} is of other images, though their names or places are the same. Give those "
            "that it has seen, prepared alike and without chance, or another checkpoint."
        )


def provenance(net: DeconvNet) -> dict[str, str]:
    """What a result was made with: net, weights, preprocessing."""
    return {
        "net": net.name,
        "weights": net.weights_hash(),
        "preprocessing": " ".join(repr(net.transforms).split()),
    }


def write(path: Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    """A safetensors file, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        # safetensors holds no memory twice: tensors that share some are copied.
        save_file({key: t.clone() for key, t in tensors.items()}, name, metadata=header)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read(
    path: str | Path, what: str, expected: str | None = None, hint: str = "make it anew."
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and header of a safetensors file.

    Raises ValueError if it is none, or of another format than is expected: `hint` says what to do.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            if expected is not None and header.get("format") != expected:
                raise ValueError(f"{path} holds no {what} of format {expected}; {hint}")
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} holds no {what} ({error}).") from error
