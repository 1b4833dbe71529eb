"""One pass over pictures, batch by batch: it can be looked at, stopped, and gone on with."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TypedDict

from tqdm.auto import tqdm

from zfwidgets.analysis.scanning.checkpoint import Checkpoint, first_look
from zfwidgets.analysis.scanning.state import RUN, Plan, State
from zfwidgets.analysis.stream import Images, Item, count, groups, labelled, loaded, no_images
from zfwidgets.deconv import DeconvNet, Layers

_SAVE_SECONDS = 3.0
"""Least time between two checkpoints."""


class ScanOptions(TypedDict, total=False):
    """How pictures are gone through: keywords of `scan`, `usage` and `exemplars`; none is needed.

    Kept together and passed as ``**how`` they make several calls alike.
    """

    batch: int
    """Pictures at once; 32."""
    checkpoint: str | Path | None
    """A file that is written every few seconds, and from which the same call goes on; none."""
    ray: bool | int
    """True or a number of processes: share the pictures out with Ray Data; False."""
    progress: bool
    """Whether a bar is shown; True."""


class UsageOptions(ScanOptions, total=False):
    """As `ScanOptions`, for `scan` and `usage`, which count how channels are used."""

    labels: Iterable[Hashable] | None
    """One per picture, text or numbers; those that come with the pictures."""
    threshold: float
    """Activation above which a channel fires; 0."""


class Scanner:
    """A scan in the making: each step of iterating over it sees some more pictures.

    layers: names; None: all features, the convolutions and fully connected layers without the
    outputs. k: pictures per channel, 0 for none. usage: whether sums are kept. The others are
    `UsageOptions`.

    A step gives the `State` so far. Raises KeyError for a layer that does not exist, ValueError if
    there are no images or an id comes twice.
    """

    def __init__(
        self,
        net: DeconvNet,
        images: Images,
        layers: Sequence[str] | None,
        k: int,
        *,
        usage: bool,
        threshold: float = 0.0,
        batch: int = 32,
        labels: Iterable[Hashable] | None = None,
        checkpoint: str | Path | None = None,
        ray: bool | int = False,
        progress: bool = True,
    ) -> None:
        self.net, self.images, self.total = net, images, count(images)
        self.state: State | None = None
        self.complete = False
        self._layers = [layers] if isinstance(layers, str) else layers
        self._wish = (k, usage, threshold, batch)
        self._groups = _different(labelled(images, batch, labels))
        self._checkpoint = None if checkpoint is None else Checkpoint(checkpoint, net)
        self._from = 0
        self._ray = ray
        self._progress = progress

    def __iter__(self) -> Iterator[State]:
        run, saved = RUN * self._wish[-1], time.monotonic()
        with tqdm(total=self.total, desc="images", unit="image", disable=not self._progress) as bar:
            for state in self._steps():
                self.state = state
                bar.update(len(state.ids) - bar.n)
                whole = (len(state.ids) - self._from) % run == 0
                if whole and time.monotonic() - saved > _SAVE_SECONDS:
                    self._save(state)
                    saved = time.monotonic()
                yield state
        if self.state is None:
            raise no_images("a scan", self.images)
        self._save(self.state)
        self.complete = True

    def run(self, should_stop: Callable[[], bool] | None = None) -> None:
        """Go on to the end, or until `should_stop`, asked after each step, or KeyboardInterrupt."""
        try:
            for _ in self:
                if should_stop is not None and should_stop():
                    return
        except KeyboardInterrupt:
            if self.state is None:
                raise

    def _steps(self) -> Iterator[State]:
        first = next(self._groups, None)
        if first is None:
            return
        # Asked of a recording: the layers are known for inputs of this size.
        alone = self._checkpoint is None
        look = loaded(self.net, first[:1]) if alone else first_look(self.net, first)
        known = self.net.record(look.inputs[:1]).layers
        plan = Plan(_chosen(known, self._layers), *self._wish)
        deepest = known.last_of(plan.layers)
        left: Iterator[Item] = chain(first, chain.from_iterable(self._groups))
        state = State(plan)
        if self._checkpoint is not None:
            state, left = self._checkpoint.load(plan, look, left)
        # Runs are counted from here: a finished scan may go on with more pictures at any number.
        self._from = len(state.ids)
        if state.ids:
            yield state
        following = groups(left, plan.batch)
        if self._ray:
            from zfwidgets.analysis.scanning.workers import shared_out

            for part in shared_out(
                self.net, self.images, plan, deepest, self._from, following, self._ray
            ):
                state.merge(part)
                yield state
            return
        for number, group in enumerate(following, start=1):
            state.see(self.net, group, deepest)
            if number % RUN == 0:
                state.end_run()
            yield state

    def _save(self, state: State) -> None:
        if self._checkpoint is not None:
            self._checkpoint.save(state)


def _different(some: Iterable[list[Item]]) -> Iterator[list[Item]]:
    """The same groups; ValueError for an id that was there before."""
    seen: set[str] = set()
    for group in some:
        for item in group:
            if item.id in seen:
                raise ValueError(
                    f"image {item.id!r} comes twice; expected a different id for each image."
                )
            seen.add(item.id)
        yield group


def _chosen(known: Layers, asked: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the layers asked for; without, those with weights that are not outputs."""
    if asked is None:
        used = {source for layer in known.values() for source in layer.inputs}
        names = [
            layer.name
            for layer in known.values()
            if layer.kind == "conv" or (layer.kind == "linear" and layer.name in used)
        ]
    else:
        names = [known[name].name for name in asked]
    if not names:
        raise ValueError("a scan got no layers; expected one or more, or None for all features.")
    return tuple(dict.fromkeys(names))
