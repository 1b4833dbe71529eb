"""Messages are safetensors with a head; what is none is refused before anything is done with it."""

from __future__ import annotations

import json
import pickle
import struct
from typing import Any

import numpy as np
import pytest

from zfwidgets.remote import wire


def test_head_and_arrays_come_back_as_they_went() -> None:
    arrays: dict[str, np.ndarray[Any, Any]] = {
        "maps": np.arange(24, dtype=np.float32).reshape(2, 3, 4)[:, ::-1],
        "none": np.zeros((0, 4), np.int64),
        "tiles": np.full((1, 2, 2, 3), 200, np.uint8),
    }
    head, found = wire.unpack(wire.pack({"op": "tiles", "ids": [1, 2]}, arrays))
    assert head == {"op": "tiles", "ids": [1, 2]}
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)


def _header(text: str, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text.encode() + data


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"abc",
        pickle.dumps({"op": "net"}),
        struct.pack("<Q", 2**60) + b"{}",
        _header("{}"),
        _header("[" * 100_000),
        _header(json.dumps({"__metadata__": {"zfwidgets": "[]"}})),
        _header(json.dumps({"__metadata__": {"zfwidgets": "{}"}, "a": {"dtype": "F32"}})),
        _header(
            json.dumps(
                {
                    "__metadata__": {"zfwidgets": "{}"},
                    "a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]},
                }
            )
        ),
    ],
    ids=["nothing", "short", "pickle", "huge", "no head", "deep", "list", "cut", "too little"],
)
def test_what_is_no_message_is_refused(hostile: bytes) -> None:
    with pytest.raises(ValueError, match="unreadable message"):
        wire.unpack(hostile)


def test_a_key_names_contents_types_and_shapes() -> None:
    one = np.arange(12, dtype=np.uint8)
    keys = {
        wire.key_of({"picture0": one}),
        wire.key_of({"picture0": one + 1}),
        wire.key_of({"picture0": one.reshape(2, 6)}),
        wire.key_of({"picture0": one.view(np.int8)}),
        wire.key_of({"picture1": one}),
    }
    assert len(keys) == 5
    assert wire.key_of({"picture0": one.copy()}) in keys
