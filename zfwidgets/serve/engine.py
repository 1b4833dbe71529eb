"""The engine's end: questions about recordings, answered by networks that are here.

Knows nothing of Ray and HTTP. Recordings are kept by the contents of their pictures, so that those
who look at the same photograph share one. What is not kept is asked for again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from zfwidgets.deconv import DeconvNet, Layers, Method, Neurons, Projections, Recording
from zfwidgets.images import Preprocess
from zfwidgets.remote import wire
from zfwidgets.remote.neurons import FIELDS
from zfwidgets.remote.wire import Arrays, Head
from zfwidgets.serve.kept import Kept
from zfwidgets.serve.refusal import Reply, refusal, refused
from zfwidgets.widgets.channel_browser.responses import Responses, measured
from zfwidgets.widgets.channel_browser.tiles import MODES, tiles_of
from zfwidgets.widgets.core.neuron import RULES
from zfwidgets.widgets.exemplar_strip.kernels import kernels_of
from zfwidgets.widgets.exemplar_strip.source import Source

MOST_NEURONS = 256
"""Neurons, or tiles, in one question."""
_MOST_PICTURES = 64
_MOST_PIXELS = 16 * 512 * 512
"""Of prepared inputs in one question, all pictures together."""

_METHOD = {field.name for field in fields(Method)}

_log = logging.getLogger(__name__)

Answer = tuple[Head, Arrays]


class Unknown(Exception):  # noqa: N818 - a question, no error
    """The pictures that are asked about are not kept here."""


class Engine:
    """Answers questions about pictures with any network.

    memory: how many bytes the recordings that are kept may take.
    """

    def __init__(self, memory: int = 256 * 2**20) -> None:
        self.recordings: Kept[tuple[str, str], Recording] = Kept(memory)
        self._sources: WeakKeyDictionary[DeconvNet, Source] = WeakKeyDictionary()
        self._ops: dict[str, Callable[[DeconvNet, Head, Arrays], Answer]] = {
            "net": lambda net, _head, _arrays: _facts(net),
            "strip": self._strip,
            "kernels": _kernels,
        }
        self._about: dict[str, Callable[[Recording, Head, Arrays], Answer]] = {
            "record": lambda recording, _head, _arrays: _recorded(recording),
            "inputs": lambda recording, _head, _arrays: ({}, {"values": _array(recording.inputs)}),
            "seen": lambda recording, _head, _arrays: ({}, {"values": recording.seen()}),
            "feature_maps": _feature_maps,
            "strongest": _strongest,
            "neurons": _neurons,
            "project_map": _project_map,
            "measures": _measures,
            "tiles": _tiles,
        }

    def answer(self, net: DeconvNet, messages: Sequence[bytes]) -> list[Reply]:
        """Answers to questions about one network, in their order.

        Projections of one layer of the same pictures are made in one go.
        """
        replies: list[Reply | None] = [None] * len(messages)
        together: dict[tuple[Any, ...], list[tuple[int, Neurons]]] = {}
        for index, message in enumerate(messages):
            try:
                head, arrays = wire.unpack(message)
                if head.get("op") == "project":
                    recording = self._recording(net, head, arrays)
                    layer, method = _text(head, "layer"), _method(head)
                    some = _some(recording.layers[layer].name, arrays)
                    together.setdefault((recording, some.layer, method), []).append((index, some))
                else:
                    replies[index] = 200, wire.pack(*self._one(net, head, arrays))
            except Exception as error:  # noqa: BLE001 - whatever it is, who asked is told
                replies[index] = self._refused(error)
        for (recording, _, method), asked in together.items():
            for (index, _), reply in zip(asked, _projected(recording, method, asked), strict=True):
                replies[index] = reply
        return [reply for reply in replies if reply is not None]

    def _one(self, net: DeconvNet, head: Head, arrays: Arrays) -> Answer:
        op = _text(head, "op")
        if op in self._ops:
            return self._ops[op](net, head, arrays)
        if op not in self._about:
            known = ", ".join([*self._ops, *self._about, "project"])
            raise ValueError(f"unknown question {op!r:.40}; expected one of {known}.")
        return self._about[op](self._recording(net, head, arrays), head, arrays)

    def _recording(self, net: DeconvNet, head: Head, arrays: Arrays) -> Recording:
        """The recording asked about; made if its pictures came along."""
        key = _text(head, "key")
        found = self.recordings.get((net.name, key))
        if found is not None:
            return found
        pictures = wire.pictures_in(arrays)
        if not pictures:
            raise Unknown
        # Under its own name only, or one client could show another what that did not choose.
        if wire.key_of(pictures) != key:
            raise ValueError("the pictures are not those that the key names.")
        recording = net.record(_pictures(pictures))
        self.recordings.put((net.name, key), recording, recording.nbytes)
        return recording

    def _strip(self, net: DeconvNet, head: Head, _arrays: Arrays) -> Answer:
        if net not in self._sources:
            self._sources[net] = Source.shipped(net)
        px = _number(head, "px", 16, 512)
        layer, channel = _text(head, "layer"), _number(head, "channel", 0, 2**31)
        drawn = self._sources[net].draw(layer, channel, _rule(head), lambda: None, px)
        words = [asdict(word) for word in drawn.words]
        return {"facts": drawn.facts, "words": words}, {"pictures": drawn.pictures}

    @staticmethod
    def _refused(error: Exception) -> Reply:
        if isinstance(error, Unknown):
            return refusal(409, wire.UNKNOWN, "", "send the pictures along")
        if not isinstance(error, ValueError | LookupError | TypeError):
            _log.exception("A question could not be answered.", exc_info=error)
        return refused(error)


# ------------------------------------------------------------------------------------ answers


def _facts(net: DeconvNet) -> Answer:
    layers = net.layers
    how = net.transforms
    each = torch.eye(net.input_channels, device=net.device)[:, :, None, None]
    colours = _array(net.to_rgb(each))[:, :, 0, 0].T
    told = {
        "version": wire.VERSION,
        "name": net.name,
        "device": str(net.device),
        "categories": net.categories,
        "input_channels": net.input_channels,
        "layers": _layers(layers),
        "preprocess": asdict(how) if isinstance(how, Preprocess) else None,
        "weights": net.weights_hash(),
        "exemplars": _scanned(net),
        "synthesised": _synthesised(net),
    }
    return told, {"colours": np.ascontiguousarray(colours)}


def _layers(layers: Layers) -> list[dict[str, Any]]:
    told = [asdict(layer) for layer in layers.values()]
    for one in told:
        del one["step"]
    return told


def _scanned(net: DeconvNet) -> dict[str, int]:
    """Layers of which the scan of the gallery ships, and how many pictures it has seen."""
    from zfwidgets.analysis.shipped import exemplars_that_ship

    try:
        return {name: one.scanned for name, one in exemplars_that_ship(net).items()}
    except (KeyError, ValueError):
        return {}


def _synthesised(net: DeconvNet) -> dict[str, tuple[int, int]]:
    from zfwidgets.analysis.synthesized import shipped_for

    found = {name: shipped_for(net, name) for name in net.layers}
    return {name: one.images.shape[1:3] for name, one in found.items() if one is not None}


def _kernels(net: DeconvNet, head: Head, _arrays: Arrays) -> Answer:
    layer = _text(head, "layer")
    channel = _number(head, "channel", 0, net.layers[layer].channels - 1)
    found = kernels_of(net, layer, channel)
    return {"kernels": None if found is None else asdict(found)}, {}


def _recorded(recording: Recording) -> Answer:
    arrays = {} if recording.logits is None else {"logits": _array(recording.logits)}
    if len(recording) == 1:
        # Of a preparation that cannot be undone, who asks for it by name is told.
        with contextlib.suppress(ValueError):
            arrays["seen"] = recording.seen()
    told = {
        "size": recording.size,
        "count": len(recording),
        "layers": _layers(recording.layers),
    }
    return told, arrays


def _feature_maps(recording: Recording, head: Head, _arrays: Arrays) -> Answer:
    return {}, {"values": _array(recording.feature_maps(_text(head, "layer")))}


def _strongest(recording: Recording, head: Head, _arrays: Arrays) -> Answer:
    found = recording.strongest(_text(head, "layer"))
    return {}, {name: _array(getattr(found, name)) for name in FIELDS}


def _neurons(recording: Recording, head: Head, arrays: Arrays) -> Answer:
    asked = [arrays[name].ravel() for name in FIELDS[:-1]]
    found = recording.neurons(_text(head, "layer"), *asked)
    return {}, {"value": _array(found.value)}


def _projected(
    recording: Recording, method: Method, asked: Sequence[tuple[int, Neurons]]
) -> list[Reply]:
    """Several people's neurons of one layer, sent back together."""
    parts = [some for _, some in asked]
    try:
        joined = Neurons(
            parts[0].layer, *(torch.cat([getattr(p, name) for p in parts]) for name in FIELDS)
        )
        made = recording.project(joined, method)
    except Exception as error:  # noqa: BLE001 - whatever it is, who asked is told
        if len(asked) == 1:
            return [Engine._refused(error)]  # noqa: SLF001 - of this file
        # One wrong neuron must not spoil the others' answers.
        return [_projected(recording, method, [one])[0] for one in asked]
    replies, first = [], 0
    for some in parts:
        mine = made[first : first + len(some)]
        replies.append((200, wire.pack(*_projections(mine))))
        first += len(some)
    return replies


def _project_map(recording: Recording, head: Head, arrays: Arrays) -> Answer:
    layer, method = _text(head, "layer"), _method(head)
    some = _some(recording.layers[layer].name, arrays)
    return _projections(recording.project_map(layer, some.channel, int(some.image[0]), method))


def _projections(made: Projections) -> Answer:
    told = {"precision": made.origin.precision, "extensions": made.origin.extensions}
    return told, {"pixels": _array(made.pixels), "boxes": _array(made.boxes)}


def _measures(recording: Recording, head: Head, _arrays: Arrays) -> Answer:
    image = _number(head, "image", 0, len(recording) - 1)
    return {}, measured(recording, _text(head, "layer"), image)


def _tiles(recording: Recording, head: Head, _arrays: Arrays) -> Answer:
    layer = recording.layers[_text(head, "layer")]
    mode, image = _text(head, "mode"), _number(head, "image", 0, len(recording) - 1)
    if mode not in MODES or not MODES[mode].suits(recording.net, layer):
        raise ValueError(f"mode={mode!r:.40}: layer {layer.name} has no such pictures.")
    ids = head.get("ids")
    if (
        not isinstance(ids, list)
        or not 0 < len(ids) <= MOST_NEURONS
        or not all(type(i) is int and 0 <= i < layer.channels for i in ids)
    ):
        raise IndexError(
            f"ids={ids!r:.60}: expected 1 to {MOST_NEURONS} channels below {layer.channels}."
        )
    responses = Responses(0, recording, image, layer, mode, _rule(head))
    return {}, {"tiles": tiles_of(responses, ids, _number(head, "px", 16, 512))}


# ---------------------------------------------------------------------------------- questions


def _pictures(arrays: Arrays) -> Any:
    """What `DeconvNet.record` takes. Raises ValueError for more than is allowed at once."""
    inputs = arrays.get(wire.INPUTS)
    if inputs is not None:
        pixels = inputs.shape[0] * int(np.prod(inputs.shape[2:])) if inputs.ndim == 4 else 0
        if not 0 < pixels <= _MOST_PIXELS or inputs.dtype.kind != "f":
            raise ValueError(
                f"inputs {list(inputs.shape)} of {inputs.dtype}: expected floats [B, C, H, W] of "
                f"at most {_MOST_PIXELS} pixels; record them in parts."
            )
        return torch.from_numpy(inputs.astype(np.float32))
    if len(arrays) > _MOST_PICTURES:
        raise ValueError(f"{len(arrays)} pictures: expected at most {_MOST_PICTURES} at once.")
    named = sorted(arrays, key=lambda name: int(name.removeprefix(wire.PICTURE)))
    return [
        array.tobytes() if array.ndim == 1 and array.dtype == np.uint8 else array
        for array in map(arrays.__getitem__, named)
    ]


def _some(layer: str, arrays: Arrays) -> Neurons:
    try:
        given = [torch.from_numpy(arrays[name].copy()).reshape(-1) for name in FIELDS]
    except KeyError as error:
        raise ValueError(f"neurons without {error}: expected {', '.join(FIELDS)}.") from error
    if len({len(one) for one in given}) != 1 or not 0 <= len(given[0]) <= MOST_NEURONS:
        raise ValueError(
            f"{len(given[0])} neurons: expected as many of each of {', '.join(FIELDS)}, at most "
            f"{MOST_NEURONS} at once."
        )
    image, channel, row, col = (one.long() for one in given[:-1])
    return Neurons(layer, image, channel, row, col, given[-1].float())


def _method(head: Head) -> Method:
    given = head.get("method")
    if not isinstance(given, dict) or not {*given} <= _METHOD:
        raise ValueError(f"method={given!r:.80}: expected some of {', '.join(sorted(_METHOD))}.")
    return Method(**given)


def _rule(head: Head) -> Any:
    rule = head.get("rule")
    if rule not in RULES:
        raise ValueError(f"rule={rule!r:.40}: expected one of {', '.join(RULES)}.")
    return rule


def _text(head: Head, name: str) -> str:
    value = head.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name}={value!r:.40}: expected a text.")
    return value


def _number(head: Head, name: str, low: int, high: int) -> int:
    value = head.get(name)
    if type(value) is not int or not low <= value <= high:
        raise IndexError(f"{name}={value!r:.40}: expected a whole number, {low} to {high}.")
    return value


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    return tensor.cpu().contiguous().numpy()
