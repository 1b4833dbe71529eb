"""A scan that goes on while people look: on the worker, a batch at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from zfwidgets.widgets.core.rpc import AHEAD, Job, Responder

if TYPE_CHECKING:
    from zfwidgets.analysis.scanning.scanner import Scanner

_LEAST_SECONDS = 2.0
"""Least time between two looks at a scan that goes on."""
_GROWTH = 1.5
"""The next look comes when so many times as many pictures were seen."""

Progress = dict[str, Any]
"""``{state, scanned, total}``; state is "running", "stopped" or "done"; total may be None."""


class BackgroundScan:
    """Goes through the pictures, and lets all other questions come between two batches.

    Parameters:
        scanner: the scan. responder: of the widget that shows it.
        look: called on the worker when more is known that is worth showing, and at the end.
        tell: called with the `Progress` after each batch.
        fail: called with what went wrong; the scan has ended then.
    """

    def __init__(
        self,
        scanner: Scanner,
        responder: Responder,
        *,
        look: Callable[[], None],
        tell: Callable[[Progress], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self.scanner = scanner
        self._responder, self._look, self._tell, self._fail = responder, look, tell, fail
        self._steps: Iterator[Any] | None = iter(scanner)
        self._stopping = False
        self._looked = (0, 0.0)

    def stop(self) -> None:
        """Stop after the present batch; what was found stays."""
        self._stopping = True

    def go_on(self) -> None:
        """Begin, or go on after a stop."""
        if self._steps is None:
            return
        self._stopping = False
        self._say("running")
        self._responder.submit(self._step, AHEAD)

    def _step(self, job: Job) -> None:
        """On the worker: see a batch."""
        assert self._steps is not None
        if self._stopping:
            self._look()
            self._say("stopped")
            return
        try:
            state = next(self._steps, None)
        except Exception as error:  # noqa: BLE001 - shown in the widget
            self._steps = None
            self._fail(error)
            return
        job.check()
        if state is None:
            self._steps = None
            self._look()
            self._say("done")
            return
        seen, looked = self._looked
        if len(state.ids) >= _GROWTH * seen and time.monotonic() - looked > _LEAST_SECONDS:
            self._look()
            self._looked = len(state.ids), time.monotonic()
        self._say("running")
        self._responder.submit(self._step, AHEAD)

    def _say(self, state: str) -> None:
        scanned = 0 if self.scanner.state is None else len(self.scanner.state.ids)
        self._tell({"state": state, "scanned": scanned, "total": self.scanner.total})
