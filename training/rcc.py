"""Reads Qt resource files (.rcc), because some packages keep their pictures inside them.

Layout (Qt source, qtbase/src/corelib/io/qresource.cpp): a big-endian header `qres`, version,
then the offsets of the tree, of the data and of the names. A tree node is a directory (count
and index of its first child) or a file (offset of its data).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_COMPRESSED, _DIRECTORY, _ZSTD = 1, 2, 4


def read_rcc(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield (name inside the resource, content) of every file in a .rcc file.

    Raises ValueError when the file is no Qt resource file. Files compressed with Zstandard are
    passed over: pictures are already compressed, and Qt stores them as they are.
    """
    blob = path.read_bytes()
    if blob[:4] != b"qres":
        raise ValueError(f"{path.name} is no Qt resource file: it starts with {blob[:4]!r}")
    version, tree, data, names = struct.unpack_from(">IIII", blob, 4)
    node_size = 14 if version < 2 else 22

    def name_of(offset: int) -> str:
        (length,) = struct.unpack_from(">H", blob, names + offset)
        start = names + offset + 6
        return blob[start : start + 2 * length].decode("utf-16-be")

    def walk(index: int, folder: str) -> Iterator[tuple[str, bytes]]:
        at = tree + index * node_size
        name_offset, flags = struct.unpack_from(">IH", blob, at)
        name = f"{folder}/{name_of(name_offset)}" if index else ""
        if flags & _DIRECTORY:
            count, first = struct.unpack_from(">II", blob, at + 6)
            for child in range(first, first + count):
                yield from walk(child, name)
        elif not flags & _ZSTD:
            (start,) = struct.unpack_from(">I", blob, at + 10)
            (size,) = struct.unpack_from(">I", blob, data + start)
            content = blob[data + start + 4 : data + start + 4 + size]
            # qCompress puts the plain size, four bytes, before the zlib stream.
            yield name.lstrip("/"), zlib.decompress(content[4:]) if flags & _COMPRESSED else content

    yield from walk(0, "")
