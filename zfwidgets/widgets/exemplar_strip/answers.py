"""What stands beside the exemplars of a strip: the other answers to "what is this channel?"."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import traitlets as t

from zfwidgets.images.numbers import is_tensor
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.neuron import RULES
from zfwidgets.widgets.core.rpc import AHEAD, Job, Responder
from zfwidgets.widgets.core.wire import Answer, describe_error
from zfwidgets.widgets.exemplar_strip.cells import draw
from zfwidgets.widgets.exemplar_strip.climb import Climb

if TYPE_CHECKING:
    from zfwidgets.analysis.synthesize import Synthesis
    from zfwidgets.widgets.channel_browser.tiles import Pictures

_KEPT = 64
"""Synthesised pictures that are remembered."""


class Answering(ZFWidget):
    """Filter, projection in the photo and synthesised picture of the channel that is chosen.

    What makes it a widget, `ExemplarStrip`, sets `_net`, `_px` and `_responder`.
    """

    layer = t.Unicode().tag(sync=True)
    """Name of the layer."""

    channel = t.Int(None, allow_none=True, min=0).tag(sync=True)
    """Index of the channel in the layer, from 0; None: none yet."""

    rule = t.Enum(RULES, "deconvnet").tag(sync=True)
    """How the signal goes back to pixels."""

    opened = t.Bool(True).tag(sync=True)
    """Whether the pictures are unfolded; folded ones are not computed."""

    in_sight = t.Bool(False).tag(sync=True)
    """Set by the page when the strip has come into sight; before that nothing is computed."""

    four = t.Bool(False).tag(sync=True)
    """Whether the three other answers stand beside the exemplars; they need a `recording`."""

    recording = t.Any(None, allow_none=True)
    """What `DeconvNet.record` gave of the photo, or the photo as the network takes it, which is
    recorded when it is needed; Python only."""

    synthesis = t.Dict(read_only=True).tag(sync=True)
    """Set by the widget: ``{layer, channel, step, steps}`` while a picture is synthesised."""

    _answers = t.Dict().tag(sync=True)  # {layer, channel, rule, cells}: all at once

    _net: Any
    _px: int
    _responder: Responder | None

    def _begin(self) -> None:
        """Look after the answers from now on."""
        self._answering: Job | None = None
        self._climb: Climb | None = None
        self._refused: dict[str, str] | None = None  # the error that answers were given up with
        self._synthesised: OrderedDict[tuple[str, int], Pictures] = OrderedDict()
        wanted = ["layer", "channel", "rule", "opened", "in_sight", "four", "recording"]
        self.observe(self._ask_answers, wanted)
        self._ask_answers()

    def _end(self) -> None:
        """Let go of everything."""
        self.halt()
        self.recording = self._answering = self._climb = None
        self._synthesised.clear()

    # ------------------------------------------------------------------------------ for people

    def synthesise(self) -> None:
        """Make the picture that the channel answers to most, by gradient ascent; returns at once.

        For networks of which none ships; see `zfwidgets.synthesize`. Shown when it is done.
        """
        if self.channel is None or self._responder is None:
            return
        self.halt()
        self._climb = Climb(
            self._net,
            self.layer,
            self.channel,
            self._responder,
            tell=self._climbed,
            done=self._arrived,
            fail=self._fell,
        )
        self._climbed(0, 1)
        self._climb.go()

    def halt(self) -> None:
        """Stop synthesising."""
        if self._climb is not None:
            self._climb.stop()

    # ---------------------------------------------------------------------------- synthesising

    def _climbed(self, step: int, steps: int) -> None:
        climb = self._climb
        if climb is not None:
            where = {"layer": climb.layer, "channel": climb.channel}
            self.set_trait("synthesis", {**where, "step": step, "steps": steps})

    def _arrived(self, made: Synthesis | None) -> None:
        """On the worker."""
        self.set_trait("synthesis", {})
        if made is None:
            return
        self._synthesised[made.layer, made.channels[0]] = made.images
        while len(self._synthesised) > _KEPT:
            self._synthesised.popitem(last=False)
        self._ask_answers()

    def _fell(self, error: Exception) -> None:
        self.set_trait("synthesis", {})
        self.fail(error)

    def _answer_synthesise(self, _job: Job) -> Answer:
        self.synthesise()
        return Answer(last=True)

    def _answer_halt(self, _job: Job) -> Answer:
        self.halt()
        return Answer(last=True)

    # --------------------------------------------------------------------------------- drawing

    def _ask_answers(self, _change: object = None) -> None:
        if self._answering is not None:
            self._answering.cancel()
        seen = self.four and self.in_sight and self.opened
        if not seen or self.recording is None or self.channel is None or self._responder is None:
            return
        self._answering = self._responder.submit(self._draw_answers, AHEAD)

    def _draw_answers(self, job: Job) -> None:
        """On the worker. Whatever goes wrong is shown."""
        recording, layer, channel, rule = self.recording, self.layer, self.channel, self.rule
        if recording is None or channel is None:
            return
        try:
            if is_tensor(recording):
                recording = self._net.record(recording)
            made = self._synthesised.get((layer, channel))
            cells = draw(recording, layer, channel, rule, job.check, self._px, made)
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            if job.wanted:
                with self.hold_sync():
                    self.error = describe_error(error)
                    self._refused = self.error
            return
        with self.hold_sync():
            job.check()
            self._answers = {"layer": layer, "channel": channel, "rule": rule, "cells": cells}
            if self.error is self._refused:  # others' errors are not these answers' to clear
                self.clear_error()
