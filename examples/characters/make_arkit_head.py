# SPDX-License-Identifier: MIT
"""Makes ``head.npz``: a head with the 52 ARKit shapes, taken from MakeHuman's base mesh and its CC0 face units.

    BDFM_SOURCES=... python examples/characters/make_arkit_head.py

The result is committed; run this only to make it anew. Content (metres, Blender's axes: the character looks along -Y,
its left is +X; the origin is the point midway between the eyes):

* ``vertices`` (n, 3) float32, ``quads`` (m, 4) uint16, ``part`` (m,) uint8: index into ``parts``
* ``eyes`` (2, 4) float32: centre and radius of the left and the right eyeball
* ``keys`` (52,): names; ``key_start`` (53,): key i owns rows ``key_start[i]:key_start[i + 1]`` of
  ``key_vertex`` uint16 and ``key_offset`` (…, 3) float16
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

TARGET = Path(__file__).with_name("head.npz")
PARTS = ("skin", "lips", "hair", "mouth", "teeth", "tongue", "lashes")
GROUPS = {
    "helper-tongue": "tongue",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
    "helper-l-eyelashes-2": "lashes",
    "helper-r-eyelashes-2": "lashes",
}
NECK_CUT = 5.9
"""Height of the cut through the neck in the base mesh, decimetres."""
HAIRLINE, FOREHEAD = 7.985, 1.25
"""Height of the hairline and where the temples begin in the base mesh, decimetres."""
SMALLEST_OFFSET = 0.0008
"""Offsets below this (decimetres) are left out."""
MACROS = tuple(f"macrodetails/{people}-female-young" for people in ("african", "asian", "caucasian"))

FloatArray = NDArray[np.float64]


def read_target(path: Path, n: int) -> FloatArray:
    """Offsets of a MakeHuman target, (n, 3)."""
    offsets = np.zeros((n, 3))
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for cells in (line.split() for line in lines if not line.startswith("#")):
            if len(cells) == 4 and int(cells[0]) < n:
                offsets[int(cells[0])] = [float(c) for c in cells[1:]]
    return offsets


def read_base(path: Path) -> tuple[FloatArray, FloatArray, list[tuple[str, list[int], list[int]]]]:
    """Vertices (n, 3), texture coordinates (m, 2), faces as (group, vertex indices, texture indices)."""
    vertices, coordinates, faces, group = [], [], [], ""
    for cells in (line.split() for line in path.open()):
        match cells:
            case ["v", *xyz]:
                vertices.append([float(c) for c in xyz])
            case ["vt", *uv]:
                coordinates.append([float(c) for c in uv[:2]])
            case ["g", name]:
                group = name
            case ["f", *corners]:
                pairs = [corner.split("/") for corner in corners]
                faces.append((group, [int(p[0]) - 1 for p in pairs], [int(p[1]) - 1 for p in pairs]))
    return np.array(vertices), np.array(coordinates), faces


def blender_axes(vectors: FloatArray) -> FloatArray:
    """MakeHuman's decimetres (Y up, looking along +Z) to Blender's metres (Z up, looking along -Y)."""
    return np.stack([vectors[..., 0], -vectors[..., 2], vectors[..., 1]], -1) / 10


def make(sources: Path) -> dict[str, Any]:
    """Everything that ``head.npz`` holds."""
    makehuman, mpfb = sources / "face_model/makehuman", sources / "face_model/mpfb"
    units = sources / "face_model/extra_targets/assets/faceunits01/targets/faceunits"
    base, coordinates, faces = read_base(makehuman / "3dobjs/base.obj")
    n = len(base)
    scalp = {int(i) for i in json.loads(gzip.open(mpfb / "uv_layers/scalp_solid.json.gz").read())}
    masks = {name: cv2.imread(str(mpfb / f"textures/mpfb_{name}.jpg"), 0) for name in ("lips", "inside-mouth")}

    quads, part = [], []
    for number, (group, corners, texture) in enumerate(faces):
        if group in GROUPS:
            name = GROUPS[group]
        elif group == "body" and base[corners, 1].min() > NECK_CUT and abs(base[corners, 0]).max() < 2:
            u, v = coordinates[texture].mean(0)
            marked = [k for k, m in masks.items() if m[int((1 - v) * (m.shape[0] - 1)), int(u * (m.shape[1] - 1))] > 127]
            name = {"lips": "lips", "inside-mouth": "mouth"}[marked[-1]] if marked else "skin"
            x, y, z = base[corners].mean(0)
            name = "hair" if number in scalp and y > HAIRLINE - max(0, FOREHEAD - z) else name
        else:
            continue
        quads.append(corners)
        part.append(PARTS.index(name))
    used, flat = np.unique(np.array(quads), return_inverse=True)

    def target(name: str) -> FloatArray:
        return read_target(makehuman / f"targets/{name}.target", n)

    shape = base + sum(target(name) for name in MACROS) / len(MACROS)
    shape += target("macrodetails/universal-female-young-averagemuscle-averageweight")
    eyes = []
    for side in "lr":
        ball = np.unique([i for group, corners, _ in faces if group == f"helper-{side}-eye" for i in corners])
        low, high = shape[ball].min(0), shape[ball].max(0)
        eyes.append([*(low + high) / 2, (high - low).mean() / 2])
    between = np.mean(eyes, 0)[:3]
    names = sorted(path.stem for path in units.glob("*.target"))
    start, vertex, offset = [0], [], []
    for name in names:
        moved = read_target(units / f"{name}.target", n)[used]
        (rows,) = np.nonzero(np.linalg.norm(moved, axis=1) > SMALLEST_OFFSET)
        vertex.append(rows)
        offset.append(blender_axes(moved[rows]))
        start.append(start[-1] + len(rows))
    return {
        "vertices": blender_axes(shape[used] - between).astype(np.float32),
        "quads": flat.reshape(-1, 4).astype(np.uint16),
        "part": np.array(part, np.uint8),
        "parts": np.array(PARTS),
        "eyes": np.array([[*blender_axes(np.array(e[:3]) - between), e[3] / 10] for e in eyes], np.float32),
        "keys": np.array(names),
        "key_start": np.array(start, np.uint32),
        "key_vertex": np.concatenate(vertex).astype(np.uint16),
        "key_offset": np.concatenate(offset).astype(np.float16),
    }


if __name__ == "__main__":
    if "BDFM_SOURCES" not in os.environ:
        sys.exit("Set BDFM_SOURCES to the folder that holds face_model/ (see bdfm_train's table of sources).")
    np.savez_compressed(TARGET, **make(Path(os.environ["BDFM_SOURCES"])))
    print(f"{TARGET}: {TARGET.stat().st_size / 1024:.0f} KiB")
