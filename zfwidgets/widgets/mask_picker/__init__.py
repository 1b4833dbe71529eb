"""The same part on several photos, drawn by hand, and whether the network treats it alike."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import traitlets as t
from torch import Tensor

from zfwidgets.analysis.correspondence import Correspondence, Masking, trial
from zfwidgets.images.tiles import encode, sprite
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.nets import as_net
from zfwidgets.widgets.core.rpc import AHEAD, Job, Responder

_MOST = 24


class MaskPicker(ZFWidget):
    """Draw a box around the same part on each of several photos; name parts; compare them.

    Parameters:
        net: a name, a module or a `DeconvNet`.
        photos: two or more pictures, as `DeconvNet.record` takes them; they are shown as the
            network sees them.
        boxes: boxes to begin with, as for `zfwidgets.correspondence`; an entry may be None.

    Raises:
        ValueError: fewer than 2 photos, or more than fit (24).

    Examples:
        >>> picker = MaskPicker(net, ["a.jpg", "b.jpg", "c.jpg"])
        >>> zf.correspondence(net, ["a.jpg", "b.jpg", "c.jpg"], picker.masks)
    """

    bundle_name = "mask-picker"

    boxes = t.Dict().tag(sync=True)
    """Per part a list with one box ``[top, left, bottom, right]`` per photo, or None for none yet;
    in pixels of the network's input."""

    part = t.Unicode().tag(sync=True)
    """The part that is being drawn."""

    layers = t.List(t.Unicode(), None, allow_none=True)
    """Layers to compare at; None: see `zfwidgets.correspondence`."""

    random = t.Int(30, min=2)
    """Sets of random masks to compare with."""

    running = t.Bool(False).tag(sync=True)
    """Whether the comparison is under way. Set it to begin or to stop."""

    progress = t.Float(0.0).tag(sync=True)
    """Share of the comparison that is done."""

    result = t.Instance(Correspondence, allow_none=True, read_only=True)
    """The last comparison; None before the first. Python only."""

    _photos = t.Bytes().tag(sync=True)
    _facts = t.Dict().tag(sync=True)
    _table = t.List(t.Dict()).tag(sync=True)

    def __init__(
        self,
        net: Any,
        photos: Any,
        boxes: dict[str, Any] | None = None,
        *,
        inline: bool = False,
        **kwargs: Any,
    ) -> None:
        """`inline` computes in the calling thread: for tests and platforms without threads."""
        self._responder = Responder(self.send, {}, inline=inline)
        net = as_net(net, tensors=True)
        self._steps: Generator[float, None, Correspondence] | None = None
        self._inputs: Tensor | None = net.preprocess(photos)
        self._net = net
        count = len(self._inputs)
        if not 2 <= count <= _MOST:
            raise ValueError(f"MaskPicker() got {count} photos; expected 2 to {_MOST}.")
        height, width = (int(side) for side in self._inputs.shape[2:])
        kept = {name: [_plain(box) for box in each] for name, each in (boxes or {}).items()}
        kept = kept or {"part 1": [None] * count}
        facts = {"count": count, "height": height, "width": width}
        seen = np.asarray(net.undo(self._inputs))
        super().__init__(**kwargs)
        self._facts = facts
        with self.hold_sync():
            self._photos = encode(sprite(seen, count))
            self.boxes, self.part = kept, next(iter(kept))
        self.on_msg(self._responder.on_msg)
        self.observe(self._begin, "running")

    @property
    def masks(self) -> dict[str, list[tuple[int, int, int, int]]]:
        """The parts that have a box on every photo."""
        return {
            name: [(box[0], box[1], box[2], box[3]) for box in boxes]
            for name, boxes in self.boxes.items()
            if all(box is not None for box in boxes)
        }

    def close(self) -> None:
        """Close the widget and let go of network and photos."""
        self._responder.close()
        self.unobserve_all()
        super().close()
        self._net = self._inputs = self._steps = None
        self.set_trait("result", None)

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"MaskPicker({len(self.masks)} of {len(self.boxes)} parts complete)"

    def contact_sheet(self) -> bytes | None:
        """The photos in a row."""
        if self._inputs is None:
            return None
        seen = np.asarray(self._net.undo(self._inputs))
        return encode(sprite(seen, len(seen)), "image/png")

    @t.validate("boxes")
    def _check_boxes(self, proposal: dict[str, Any]) -> dict[str, Any]:
        boxes: dict[str, Any] = proposal["value"]
        facts = self._facts or None
        for name, each in boxes.items():
            if facts is not None and len(each) != facts["count"]:
                raise t.TraitError(
                    f"part {name!r} got {len(each)} boxes; expected {facts['count']}, one a photo"
                )
        return boxes

    # ----------------------------------------------------------------- the comparison

    def _begin(self, _change: object = None) -> None:
        self._steps = None
        if not self.running:
            return
        masks = self.masks
        if not masks:
            self.fail(ValueError(self.say("need")))
            self.running = False
            return
        self.clear_error()
        self.progress = 0.0
        steps = trial(self._net, self._inputs, masks, self.layers, Masking(self.random))  # type: ignore[arg-type]
        self._steps = steps
        self._responder.submit(lambda job: self._go_on(job, steps), AHEAD)

    def _go_on(self, _job: Job, steps: Generator[float, None, Correspondence]) -> None:
        """One set of masks on the worker thread, and the next one behind all that waits."""
        if not self.running or self._steps is not steps:
            return
        try:
            self.progress = next(steps)
        except StopIteration as end:
            self._show(end.value)
            return
        except Exception as error:  # noqa: BLE001 - the person who looks must see it
            self.fail(error)
            self.running = False
            return
        self._responder.submit(lambda job: self._go_on(job, steps), AHEAD)

    def _show(self, found: Correspondence) -> None:
        rows = found.to_frame().to_dict("records")
        with self.hold_sync():
            self.set_trait("result", found)
            self._table = [{str(key): value for key, value in row.items()} for row in rows]
            self.progress = 1.0
            self.running = False


def _plain(box: Any) -> list[int] | None:
    return None if box is None else [int(edge) for edge in box]
