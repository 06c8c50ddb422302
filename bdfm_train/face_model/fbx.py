# SPDX-License-Identifier: MIT
"""Reader of what the comparison needs from a binary FBX file: a mesh's vertices and its shape keys."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bdfm_train.errors import SourcesError

MAGIC: Final = b"Kaydara FBX Binary  \x00\x1a\x00"
ARRAY_TYPES: Final = {"f": "<f4", "d": "<f8", "l": "<i8", "i": "<i4", "b": "<i1"}
SCALAR_TYPES: Final = {"Y": "<h", "C": "<?", "I": "<i", "F": "<f", "D": "<d", "L": "<q"}


@dataclass
class Node:
    """A record of the file: name, values and records below it."""

    name: str
    values: list[Any]
    children: list[Node] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Node]:
        """Records of this name directly below."""
        return (child for child in self.children if child.name == name)

    def array(self, name: str) -> NDArray:
        """Array of the first record of this name."""
        return np.asarray(next(self.all(name)).values[0])


@dataclass(frozen=True)
class FbxMesh:
    """A mesh with shape keys, in the file's units and axes."""

    v: NDArray[np.float64]
    """(V, 3)."""
    shapes: dict[str, NDArray[np.float64]]
    """Offsets (V, 3) by name of the key."""


def read_nodes(path: Path) -> Node:
    """All records of a binary FBX file below one root.

    Raises:
        SourcesError: the file is missing or no binary FBX.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourcesError(f"cannot read {path}: {error.strerror}") from error
    if not data.startswith(MAGIC):
        raise SourcesError(f"{path} is no binary FBX file")
    wide = struct.unpack_from("<I", data, len(MAGIC))[0] >= 7500
    header = struct.Struct("<QQQB" if wide else "<IIIB")

    def value(at: int) -> tuple[Any, int]:
        kind, at = chr(data[at]), at + 1
        if kind in SCALAR_TYPES:
            layout = struct.Struct(SCALAR_TYPES[kind])
            return layout.unpack_from(data, at)[0], at + layout.size
        if kind in ARRAY_TYPES:
            count, packed, size = struct.unpack_from("<III", data, at)
            dtype = np.dtype(ARRAY_TYPES[kind])
            size = size if packed else count * dtype.itemsize
            raw = data[at + 12 : at + 12 + size]
            return np.frombuffer(zlib.decompress(raw) if packed else raw, dtype), at + 12 + size
        size = struct.unpack_from("<I", data, at)[0]
        raw = data[at + 4 : at + 4 + size]
        return (raw.split(b"\x00\x01")[0].decode("utf-8", "replace") if kind == "S" else raw), at + 4 + size

    def node(at: int) -> tuple[Node | None, int]:
        end, count, _, length = header.unpack_from(data, at)
        if not end:
            return None, at + header.size
        at += header.size
        result = Node(data[at : at + length].decode(), [])
        at += length
        for _ in range(count):
            found, at = value(at)
            result.values.append(found)
        while at < end:
            child, at = node(at)
            if child:
                result.children.append(child)
        return result, end

    root, at = Node("", []), len(MAGIC) + 4
    while (found := node(at))[0]:
        root.children.append(found[0])
        at = found[1]
    return root


def read_meshes(path: Path) -> list[FbxMesh]:
    """Meshes of a binary FBX file that have shape keys.

    Raises:
        SourcesError: the file is missing or no binary FBX.
    """
    root = read_nodes(path)
    objects = next(root.all("Objects"))
    parents: dict[int, list[int]] = {}
    for link in next(root.all("Connections")).all("C"):
        parents.setdefault(link.values[1], []).append(link.values[2])
    geometry = {node.values[0]: node for node in objects.all("Geometry")}
    deformers = {node.values[0]: node for node in objects.all("Deformer")}

    def owners(identifier: int, kind: dict[int, Node]) -> list[int]:
        return [parent for parent in parents.get(identifier, []) if parent in kind]

    shapes: dict[int, dict[str, NDArray[np.float64]]] = {}
    for identifier, node in geometry.items():
        if node.values[2] != "Shape":
            continue
        for channel in owners(identifier, deformers):
            for blend in owners(channel, deformers):
                for mesh in owners(blend, geometry):
                    v = geometry[mesh].array("Vertices").reshape(-1, 3)
                    offsets = np.zeros_like(v, dtype=float)
                    offsets[node.array("Indexes")] = node.array("Vertices").reshape(-1, 3)
                    shapes.setdefault(mesh, {})[deformers[channel].values[1]] = offsets
    return [
        FbxMesh(geometry[identifier].array("Vertices").reshape(-1, 3).astype(float), keys)
        for identifier, keys in shapes.items()
    ]
