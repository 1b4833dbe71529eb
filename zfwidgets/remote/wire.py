"""What travels between a kernel and an engine server: a JSON head and arrays, as one safetensors.

A message is a safetensors file in memory (https://github.com/huggingface/safetensors), whose
metadata has the head under one key. Nothing in it can be executed when it is read: no pickles.

A question's head is ``{"op", "net", "key", ...}``. key names the pictures that it is about, see
`key_of`; they come along only when the server does not have them. An answer is a message, or, with
another status than 200, JSON ``{"error": {"kind", "title", "message", "hint"}}``.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

Arrays = dict[str, np.ndarray[Any, Any]]
Head = dict[str, Any]

VERSION = 1
"""Of these messages; a server of another is refused."""

PATH = "/v1/ask"
"""Where questions go to, by POST."""

CLIENT = "x-zfwidgets-client"
"""The header that tells one kernel's questions from another's."""

PICTURE = "picture"
"""Arrays whose name begins so are pictures: uint8 [bytes of a file], or a raw array."""

INPUTS = "inputs"
"""The array of prepared pictures: floats [B, C, H, W]."""

UNKNOWN = "unknown pictures"
"""The kind of the error that asks to send the question again with its pictures."""

_KEY = "zfwidgets"
_MOST_HEAD = 2**20


def pack(head: Head, arrays: Mapping[str, np.ndarray[Any, Any]] | None = None) -> bytes:
    """A message. Head: what JSON can say. Arrays of any shape, of numbers or truth values."""
    whole = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    return save(whole, {_KEY: json.dumps(head)})


def head_of(message: bytes) -> Head:
    """The head alone; the arrays are not looked at.

    Raises ValueError for what is no message.
    """
    if len(message) < 8:
        raise ValueError("unreadable message: expected a safetensors file.")
    (length,) = struct.unpack("<Q", message[:8])
    if not 2 <= length <= min(_MOST_HEAD, len(message) - 8):
        raise ValueError(f"unreadable message: a header of {length} bytes.")
    try:
        head = json.loads(json.loads(message[8 : 8 + length])["__metadata__"][_KEY])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"unreadable message: {type(error).__name__} in its header.") from error
    if not isinstance(head, dict):
        raise ValueError("unreadable message: its head is no object.")
    return head


def unpack(message: bytes) -> tuple[Head, Arrays]:
    """Head and arrays. Raises ValueError for what is no message."""
    head = head_of(message)
    try:
        return head, load(message)
    except (SafetensorError, ValueError, KeyError, OverflowError, MemoryError) as error:
        raise ValueError(f"unreadable message: {error}.") from error


def pictures_in(arrays: Arrays) -> Arrays:
    """Those of the arrays that are pictures."""
    return {
        name: array
        for name, array in arrays.items()
        if name == INPUTS or name.removeprefix(PICTURE).isdecimal()
    }


def key_of(pictures: Arrays) -> str:
    """The name of these pictures: SHA-256 over their names, types, shapes and contents."""
    digest = hashlib.sha256()
    for name, array in sorted(pictures.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
