"""A checksum of weights: what was made from a network says of which weights it was made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def fingerprint(path: str | Path) -> str:
    """SHA-256 of the tensors of a safetensors file: their names, types, shapes and values.

    Notes in the file's metadata do not count, nor does the order in which tensors lie in it.
    """
    with Path(path).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        head = json.loads(file.read(length))
        head.pop("__metadata__", None)
        found = hashlib.sha256()
        for name in sorted(head):
            start, end = head[name]["data_offsets"]
            file.seek(8 + length + start)
            about = [name, head[name]["dtype"], head[name]["shape"]]
            found.update(json.dumps(about).encode())
            found.update(file.read(end - start))
    return found.hexdigest()
