"""A channel's picture made by gradient ascent while people look: on the worker, step by step."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from zfwidgets.widgets.core.rpc import AHEAD, Job, Responder

if TYPE_CHECKING:
    from zfwidgets.analysis.synthesize import Synthesis

STEPS, RATE = 64, 0.06
"""Of an ascent that somebody waits for: fewer than `synthesize` takes, and larger."""


class Climb:
    """Goes up, and lets all other questions come between two steps.

    Parameters:
        net, layer, channel: whose picture. responder: of the widget that shows it.
        tell: called with the steps taken and their number, after each.
        done: called on the worker with the picture; None if it was stopped.
        fail: called with what went wrong; the ascent has ended then.
    """

    def __init__(
        self,
        net: Any,
        layer: str,
        channel: int,
        responder: Responder,
        *,
        tell: Callable[[int, int], None],
        done: Callable[[Synthesis | None], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self.layer, self.channel = layer, channel
        self._net, self._responder = net, responder
        self._tell, self._done, self._fail = tell, done, fail
        self._ascent: Generator[int, bool, Synthesis] | None = None
        self._taken, self._steps = 0, STEPS
        self._stopping = False

    def stop(self) -> None:
        """End it after the present step."""
        self._stopping = True

    def go(self) -> None:
        """Take the next step, and so on."""
        self._responder.submit(self._step, AHEAD)

    def _step(self, job: Job) -> None:
        """On the worker."""
        job.check()
        if self._stopping:
            self._ascent = None
            self._done(None)
            return
        try:
            if self._ascent is None:
                from zfwidgets.analysis.synthesize import Ascent, ascent

                how = Ascent(steps=STEPS, rate=RATE)
                self._ascent = ascent(self._net, self.layer, self.channel, how)
                self._steps = next(self._ascent)
            else:
                self._taken += next(self._ascent)
        except StopIteration as end:
            self._ascent = None
            self._done(end.value)
            return
        except Exception as error:  # noqa: BLE001 - shown in the widget
            self._ascent = None
            self._fail(error)
            return
        self._tell(self._taken, self._steps)
        self.go()
