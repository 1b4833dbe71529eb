"""The engine in a notebook's page: a network and its photos handed to it; what it says back."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import traitlets as t
from torch import Tensor

from zfwidgets.deconv import DeconvNet
from zfwidgets.images import sample
from zfwidgets.page import PageNet, UnsupportedInPage, page_net
from zfwidgets.widgets.core.base import ZFWidget, bundle
from zfwidgets.widgets.core.rpc import Job, Responder
from zfwidgets.widgets.core.wire import Answer, WireError
from zfwidgets.widgets.page_engine.facts import (
    colour_tables,
    engine_texts,
    filter_sheets,
    layer_facts,
    spoken_graph,
)

MOST_BYTES = 60_000_000
"""Of weights that are handed over; a page with several workers keeps each of them several times."""

SILENCE = 30.0
"""Seconds without a word of a page that has something to say, until Python computes."""

_PIECE = 2 * 2**20
"""Bytes of weights in a message."""
_LABEL, _CLASSES = 200, 20  # of what a page says a photo is taken for, at most


class NoAnswer(Exception):  # noqa: N818 - it is said, not raised
    """No page has answered in time."""


class PageEngine(ZFWidget):
    """Stands for the engine in the page; it has no view.

    The page asks for the network when it is there, and for each photo. Whoever made the widget
    watches `state`, `recorded` and `shown`.

    Parameters:
        net: the `DeconvNet` that the page is to run.
        parts: the widgets that it computes for, by the names that js/src/page/live.ts has; of them
            the "browser" has the layer and the channel that are chosen.
        silence: seconds without a word from a page after which `state` becomes "failed".
    """

    bundle_name = "page-engine"

    parts = t.Dict().tag(sync=True)
    """Ids of the parts' models."""

    active = t.Bool(True).tag(sync=True)
    """Whether the page is to compute."""

    photo = t.Int(0).tag(sync=True)
    """Number of the photo that is looked at; 0: none yet."""

    state = t.Enum(["opening", "ready", "failed"], "opening")
    """Whether a page computes; when "failed", `reason` says why not."""

    recorded = t.Dict()
    """The photo that the page has recorded, ``{photo, classes: [{label, p}]}``."""

    shown = t.Dict()
    """The neuron that the page shows, ``{neuron, full}``, as `ProjectionView` has them."""

    def __init__(
        self,
        net: DeconvNet,
        parts: Mapping[str, ZFWidget],
        *,
        silence: float = SILENCE,
        inline: bool = False,
        **traits: Any,
    ) -> None:
        """`inline` answers in the calling thread: for tests and platforms without threads."""
        self.net = net
        self.layers: list[Any] = []  # once the network has been written down
        self.reason: Exception | None = None
        self._browser = parts["browser"]
        self._silence = silence
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._described: tuple[object, PageNet, dict[str, Any], list[bytes]] | None = None
        self._inputs: Tensor | None = None
        self._names: dict[str, str] = {}  # of the classes, by what the page calls them
        handlers = {
            name: getattr(self, f"_answer_{name}")
            for name in (
                *("net", "code", "weights", "photo", "ready"),
                *("recorded", "visit", "proposed", "shown", "failed"),
            )
        }
        self._responder = Responder(self.send, handlers, inline=inline)
        super().__init__(parts={name: part.model_id for name, part in parts.items()}, **traits)
        self.on_msg(self._responder.on_msg)
        for name, part in parts.items():
            part.answered_by(f"{self.model_id}/{name}")
        self._await()

    def show(self, inputs: Tensor) -> None:
        """Have the page look at a prepared photo [1, C, H, W]."""
        if self._described is not None and self._described[0] != self.net.weights_version():
            # Trained on since: the page starts anew with what the network is now.
            self._described = None
            self.active, self.state = False, "opening"
            self.active = True
        self._inputs = inputs
        self.photo += 1
        self._await()

    @property
    def input_size(self) -> tuple[int, ...]:
        """Height and width of the photo, prepared."""
        return () if self._inputs is None else tuple(self._inputs.shape[2:])

    def give_up(self, reason: Exception) -> None:
        """Take the work from the page. One that is still getting ready may take it back."""
        self._calm()
        self.reason = reason
        self.active = isinstance(reason, NoAnswer) and self.state == "opening"
        self.state = "failed"

    def close(self) -> None:
        """End the widget, and what it does in the page."""
        self._responder.close()
        self._calm()
        self.unobserve_all()
        super().close()
        self._described = self._inputs = None

    def plain_text(self) -> str:
        """One line for terminals."""
        return f"PageEngine({self.state})"

    # ---------------------------------------------------------------------------- is there a page?

    def _await(self) -> None:
        """A page is expected to say something before long."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self._silence, self._silent)
            self._timer.daemon = True
            self._timer.start()

    def _calm(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None

    def _silent(self) -> None:
        if self._timer is not None:
            self.give_up(NoAnswer())

    # ------------------------------------------------------------------------- the page's questions

    def _answer_net(self, _job: Job) -> Answer:
        """On the worker: all but the weights, as `EnginePayload` of js/src/page/payload.ts."""
        self._await()
        try:
            _, _, payload, blobs = self._written()
        except Exception as error:
            self.give_up(error)
            raise
        digest = hashlib.sha256(bundle("engine", "js").encode()).hexdigest()
        return Answer({"payload": payload, "code": digest}, blobs, last=True)

    def _answer_code(self, _job: Job) -> Answer:
        self._await()
        return Answer({}, [bundle("engine", "js").encode()], last=True)

    def _answer_weights(self, _job: Job) -> Iterator[Answer]:
        """On the worker: the block in pieces, in order."""
        weights = self._written()[1].weights
        for at in range(0, len(weights), _PIECE):
            self._await()
            yield Answer({"at": at}, [weights[at : at + _PIECE]])

    def _answer_photo(self, _job: Job) -> Answer:
        """On the worker: the prepared photo, float32 [C, H, W]."""
        self._await()
        if self._inputs is None:
            return Answer(last=True)
        values = self._inputs[0].float().cpu().contiguous().numpy()
        data = values.astype("<f4", copy=False).tobytes()
        return Answer({"photo": self.photo}, [data], last=True)

    def _answer_ready(self, _job: Job) -> Answer:
        self._await() if self.photo else self._calm()
        self.reason, self.state = None, "ready"
        return Answer(last=True)

    def _answer_recorded(self, job: Job) -> Answer:
        """On the worker: ``{photo, classes}``."""
        photo = job.request.integer("photo", 0, 2**31)
        if photo == self.photo:
            self._calm()
        told = job.request.body.get("classes")
        self.recorded = {"photo": photo, "classes": _classes(told, self._names)}
        return Answer(last=True)

    def _answer_visit(self, job: Job) -> Answer:
        """On the worker: ``{layer, channel}`` is to be gone to."""
        self._browser.layer, channel = self._told_channel(job)
        self._browser.active = channel
        return Answer(last=True)

    def _answer_proposed(self, job: Job) -> Answer:
        """On the worker: ``{layer, channel}`` that the page begins with; what was chosen stays."""
        layer, channel = self._told_channel(job)
        if self._browser.layer == layer and self._browser.active is None:
            self._browser.active = channel
        return Answer(last=True)

    def _told_channel(self, job: Job) -> tuple[str, int]:
        channels = {layer.name: layer.channels for layer in self.layers}
        layer = job.request.body.get("layer")
        if not isinstance(layer, str) or layer not in channels:
            raise WireError("Unreadable message", f"expected a layer, got {layer!r:.80}")
        return layer, job.request.integer("channel", 0, channels[layer] - 1)

    def _answer_shown(self, job: Job) -> Answer:
        """On the worker: ``{neuron, full}``."""
        neuron, full = (job.request.body.get(name) for name in ("neuron", "full"))
        if not isinstance(neuron, dict) or neuron.get("layer") not in {x.name for x in self.layers}:
            raise WireError("Unreadable message", f"expected a neuron, got {neuron!r:.80}")
        full = float(full) if isinstance(full, (int, float)) else None
        self.shown = {"neuron": {**neuron, "box": tuple(neuron["box"])}, "full": full}
        return Answer(last=True)

    def _answer_failed(self, job: Job) -> Answer:
        self.give_up(RuntimeError(str(job.request.body.get("message"))[:500]))
        return Answer(last=True)

    # --------------------------------------------------------------------------------- the network

    def _written(self) -> tuple[object, PageNet, dict[str, Any], list[bytes]]:
        """The network, its payload and the payload's buffers; written down once.

        Raises:
            UnsupportedInPage: the page cannot run it, or it is too large.
        """
        version = self.net.weights_version()
        if self._described is None or self._described[0] != version:
            size = 2 * sum(weights.numel() for weights in self.net.model.parameters())
            if size > MOST_BYTES:
                raise UnsupportedInPage(
                    f"its weights are {size / 1e6:.0f} MB, more than the {MOST_BYTES / 1e6:.0f} MB "
                    "that a page is given"
                )
            written = page_net(self.net)
            payload, blobs = self._payload(written)
            self._described = version, written, payload, blobs
        return self._described

    def _payload(self, written: PageNet) -> tuple[dict[str, Any], list[bytes]]:
        recording = self.net.record(sample("cat").open())
        self.layers = [*recording.layers.values()]
        blobs: list[bytes] = []

        def number(data: bytes) -> int:
            blobs.append(data)
            return len(blobs) - 1

        graph = spoken_graph(written.graph, self.locale)
        names = (one["categories"] or () for one in (graph, written.graph))
        self._names = dict(zip(*names, strict=True))
        payload = {
            "graph": graph,
            "layers": layer_facts(recording),
            "photos": {},
            "filters": {
                name: [{"head": made.head(), "blobs": [number(made.data)]}]
                for name, made in filter_sheets(recording).items()
            },
            **{name: {"$blob": number(data)} for name, data in colour_tables().items()},
            "texts": engine_texts(self.locale),
        }
        return payload, blobs


def _classes(told: Any, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """What a page says a photo is taken for; nothing where it says something else."""
    if not isinstance(told, list):
        return []
    return [
        {"label": names.get(one["label"], one["label"][:_LABEL]), "p": float(one["p"])}
        for one in told[:_CLASSES]
        if isinstance(one, dict)
        and isinstance(one.get("label"), str)
        and isinstance(one.get("p"), (int, float))
    ]
