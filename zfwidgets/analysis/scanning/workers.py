"""A scan shared out to processes by Ray Data, on one machine or on many.

A row is a run of pictures, named by their places in the images. Each worker holds the network and
the images and sees the very batches that a scan in one process would see, through the same code;
what it found comes back as named tensors and is added in the order of the runs. So the result has
the same bits, as long as the processors are alike. A folder must be there under the same path on
all machines.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from safetensors.torch import load, save

from zfwidgets.analysis.scanning.state import RUN, Plan, State
from zfwidgets.analysis.stream import Images, Indexed, Item, items
from zfwidgets.deconv import DeconvNet


def shared_out(
    net: DeconvNet,
    images: Images,
    plan: Plan,
    deepest: str,
    start: int,
    following: Iterator[list[Item]],
    ray: bool | int,
) -> Iterator[State]:
    """What the workers found, run by run in order.

    deepest: the last layer that is asked for. start: how many pictures were seen before those that
    follow. ray: True for as many workers as there are processors, or a number.

    Raises ImportError without Ray, TypeError for images that can only be gone through once.
    """
    if not isinstance(images, str | os.PathLike | Mapping | Indexed):
        raise TypeError(
            f"images={type(images).__name__}: expected a folder, a mapping, a list or a dataset; "
            "other processes cannot share what can be gone through only once."
        )
    ids, rows = _runs(following, start)
    if not rows:
        return
    library = _ray()
    with _cluster(library, ray) as workers:
        found = library.data.from_items(rows, override_num_blocks=len(rows)).map(
            _Worker,
            # Tracing is done anew in each process.
            fn_constructor_args=(
                net.with_model(net.model),
                images,
                plan,
                deepest,
                torch.get_num_threads(),
            ),
            concurrency=min(workers, len(rows)),
            num_gpus=1 if net.device.type == "cuda" else None,
        )
        waiting: dict[int, Any] = {}
        turn = 0
        for row in found.iter_rows():
            waiting[row["run"]] = row
            while turn in waiting:
                ready = waiting.pop(turn)
                tensors, texts = load(bytes(ready["tensors"])), json.loads(ready["texts"])
                yield State.of_tensors(plan, tensors, texts, ids[turn], net.device)
                turn += 1


def _runs(
    following: Iterator[list[Item]], start: int
) -> tuple[list[list[str]], list[dict[str, Any]]]:
    """The ids of each run, and the row that says where in the images it is."""
    ids: list[list[str]] = []
    rows: list[dict[str, Any]] = []
    while run := list(islice(following, RUN)):
        some = [item for group in run for item in group]
        # Text, because a column of Ray Data has one type.
        labels = json.dumps([item.labels for item in some])
        ids.append([item.id for item in some])
        rows.append({"run": len(rows), "first": start, "labels": labels})
        start += len(some)
    return ids, rows


class _Worker:
    """One process: the network and the images, kept from run to run."""

    def __init__(
        self, net: DeconvNet, images: Images, plan: Plan, deepest: str, threads: int
    ) -> None:
        torch.set_num_threads(threads)
        self._net = net
        self._items = list(items(images))
        self._plan, self._deepest = plan, deepest

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        first, labels = int(row["first"]), json.loads(row["labels"])
        some = self._items[first : first + len(labels)]
        labelled = [
            replace(item, labels=tuple(given)) for item, given in zip(some, labels, strict=True)
        ]
        state = State(self._plan)
        for at in range(0, len(labelled), self._plan.batch):
            state.see(self._net, labelled[at : at + self._plan.batch], self._deepest)
        tensors, texts = state.tensors()
        copied = {name: tensor.clone() for name, tensor in tensors.items()}
        return {"run": row["run"], "tensors": save(copied), "texts": json.dumps(texts)}


def _ray() -> Any:
    # Ray reports its use over the network unless it is told not to, before it is imported.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError(
            "ray=... needs Ray Data, which is not installed: pip install 'zfwidgets[ray]'."
        ) from error
    return ray


@contextmanager
def _cluster(ray: Any, asked: bool | int) -> Iterator[int]:
    """How many workers there may be; a cluster that is not running is started and stopped again."""
    mine = not ray.is_initialized()
    if mine:
        wished = (os.cpu_count() or 1) if asked is True else int(asked)
        ray.init(num_cpus=wished, include_dashboard=False, log_to_driver=False, logging_level=30)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield int(ray.cluster_resources().get("CPU", 1)) if asked is True else int(asked)
    finally:
        if mine:
            ray.shutdown()
