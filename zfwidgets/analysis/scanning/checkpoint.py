"""A scan's state in a file, so that an interrupted scan can go on."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from zfwidgets.analysis.scanning.state import Plan, State
from zfwidgets.analysis.stream import Item
from zfwidgets.deconv import DeconvNet

_FORMAT = "zfwidgets scan in progress 1"


class Checkpoint:
    """The file of one scan; what it was made with stands in its header and must be the same."""

    def __init__(self, path: str | Path, net: DeconvNet) -> None:
        self.path, self._net = Path(path), net
        self._origin = {"format": _FORMAT, **provenance(net)}
        self._sha, self._hashed = hashlib.sha256(), 0

    def load(self, plan: Plan, following: Iterator[list[Item]]) -> State:
        """The state so far, a new one if there is no file; takes off `following` what it has seen.

        Raises ValueError for another file, or one of another network, question or other images.
        """
        if not self.path.exists():
            return State(plan)
        tensors, header = read(self.path, "checkpoint of a scan")
        for name, value in self._header(plan).items():
            if header.get(name) != value:
                raise ValueError(
                    f"{self.path} is of another scan: {name} is {header.get(name)} there and "
                    f"{value} here. Ask for the same again, or give another checkpoint."
                )
        seen, ids = int(header["seen"]), list[str]()
        while len(ids) < seen and (group := next(following, None)):
            ids += [item.id for item in group]
        if len(ids) != seen or self._digest(ids) != header["digest"]:
            raise ValueError(
                f"{self.path} is of other images: expected the {seen} that it has seen, under the "
                "same names and in the same order, before any others."
            )
        return State.of_tensors(plan, tensors, header, ids, self._net.device)

    def save(self, state: State) -> None:
        """Write the state; a reader finds the old file or the new one, never a part."""
        tensors, texts = state.tensors()
        digest = {"digest": self._digest(state.ids)}
        write(self.path, tensors, {**self._header(state.plan), **texts, **digest})

    def _header(self, plan: Plan) -> dict[str, str]:
        return {**self._origin, "plan": json.dumps(asdict(plan))}

    def _digest(self, ids: list[str]) -> str:
        """SHA-256 over the ids in their order; only those that are new are read."""
        for name in ids[self._hashed :]:
            self._sha.update(f"{len(name)}:{name}".encode())
        self._hashed = len(ids)
        return self._sha.hexdigest()


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
