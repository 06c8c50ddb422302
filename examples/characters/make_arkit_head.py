# SPDX-License-Identifier: MIT
"""Makes ``head.npz``: a head with the 52 ARKit shapes, taken from MakeHuman's base mesh and its CC0 face units.

    BDFM_SOURCES=... python -m examples.characters.make_arkit_head

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
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bdfm_infer.errors import BdfmError
from bdfm_train.face_model.makehuman_formats import ObjMesh, read_obj, read_target
from bdfm_train.face_model.sources import Sources

TARGET = Path(__file__).with_name("head.npz")
PARTS = ("skin", "lips", "hair", "mouth", "teeth", "tongue", "lashes")
GROUPS = {
    "helper-tongue": "tongue",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
    "helper-l-eyelashes-2": "lashes",
    "helper-r-eyelashes-2": "lashes",
}
MASKS = {"lips": "lips", "inside-mouth": "mouth"}
NECK_CUT = 5.9
"""Height of the cut through the neck in the base mesh, decimetres."""
HAIRLINE, FOREHEAD = 7.985, 1.25
"""Height of the hairline and where the temples begin in the base mesh, decimetres."""
FRONT_TEETH = 1.1
"""Only the teeth before this depth of the base mesh are kept, decimetres."""
TONGUE_HEIGHT = 0.5
"""The tongue is made flatter by this, so that it does not fill an open mouth."""
SMALLEST_OFFSET = 0.0008
"""Offsets below this (decimetres) are left out."""
UNITS = "extra_targets/assets/faceunits01/targets/faceunits"
MACROS = (
    *(f"{people}-female-young" for people in ("african", "asian", "caucasian")),
    "universal-female-young-averagemuscle-averageweight",
)
"""The first three are averaged, the last is added."""

FloatArray = NDArray[np.float64]


def blender_axes(vectors: FloatArray) -> FloatArray:
    """MakeHuman's decimetres (Y up, looking along +Z) to Blender's metres (Z up, looking along -Y)."""
    return np.stack([vectors[..., 0], -vectors[..., 2], vectors[..., 1]], -1) / 10


def choose_polygons(sources: Sources, base: ObjMesh) -> tuple[list[list[int]], list[int]]:
    """The polygons of the head in the base mesh, and the part that each belongs to."""
    with gzip.open(sources.path("mpfb/uv_layers/scalp_solid.json.gz"), "rt", encoding="utf-8") as stream:
        scalp = {int(number) for number in json.load(stream)}
    masks = {part: cv2.imread(str(sources.path(f"mpfb/textures/mpfb_{name}.jpg")), 0) for name, part in MASKS.items()}

    def part_of(number: int, corners: list[int], texture: list[int]) -> str:
        _, y, z = base.v[corners].mean(0)
        if number in scalp and y > HAIRLINE - max(0, FOREHEAD - z):
            return "hair"
        u, v = base.vt[texture].mean(0)
        marked = [p for p, m in masks.items() if m[int((1 - v) * (m.shape[0] - 1)), int(u * (m.shape[1] - 1))] > 127]
        return marked[-1] if marked else "skin"

    chosen, parts = [], []
    for number, ((corners, texture), group) in enumerate(zip(base.polygons, base.groups, strict=True)):
        if group == "body" and base.v[corners, 1].min() > NECK_CUT and abs(base.v[corners, 0]).max() < 2:
            part = part_of(number, corners, texture)
        elif group in GROUPS and (GROUPS[group] != "teeth" or base.v[corners, 2].mean() > FRONT_TEETH):
            part = GROUPS[group]
        else:
            continue
        chosen.append(corners)
        parts.append(PARTS.index(part))
    return chosen, parts


def make(sources: Sources) -> dict[str, Any]:
    """Everything that ``head.npz`` holds."""
    base = read_obj(sources.path("makehuman/3dobjs/base.obj"))
    n = len(base.v)
    quads, parts = choose_polygons(sources, base)
    used, flat = np.unique(np.array(quads), return_inverse=True)

    *people, build = (read_target(sources.path(f"makehuman/targets/macrodetails/{name}.target"), n) for name in MACROS)
    shape = base.v + np.mean(people, axis=0) + build
    tongue = np.unique([quad for quad, part in zip(quads, parts, strict=True) if PARTS[part] == "tongue"])
    shape[tongue, 1] = shape[tongue, 1].min() + TONGUE_HEIGHT * (shape[tongue, 1] - shape[tongue, 1].min())
    eyes = []
    for side in "lr":
        polygons = zip(base.polygons, base.groups, strict=True)
        ball = np.unique([i for (corners, _), group in polygons if group == f"helper-{side}-eye" for i in corners])
        low, high = shape[ball].min(0), shape[ball].max(0)
        eyes.append([*(low + high) / 2, (high - low).mean() / 2])
    between = np.mean(eyes, 0)[:3]

    files = sources.names(f"{UNITS}/*.target")
    start, vertex, offset = [0], [], []
    for file in files:
        moved = read_target(sources.path(file), n)[used]
        (rows,) = np.nonzero(np.linalg.norm(moved, axis=1) > SMALLEST_OFFSET)
        vertex.append(rows)
        offset.append(blender_axes(moved[rows]))
        start.append(start[-1] + len(rows))
    return {
        "vertices": blender_axes(shape[used] - between).astype(np.float32),
        "quads": flat.reshape(-1, 4).astype(np.uint16),
        "part": np.array(parts, np.uint8),
        "parts": np.array(PARTS),
        "eyes": np.array([[*blender_axes(np.array(e[:3]) - between), e[3] / 10] for e in eyes], np.float32),
        "keys": np.array([Path(file).stem for file in files]),
        "key_start": np.array(start, np.uint32),
        "key_vertex": np.concatenate(vertex).astype(np.uint16),
        "key_offset": np.concatenate(offset).astype(np.float16),
    }


if __name__ == "__main__":
    try:
        np.savez_compressed(TARGET, **make(Sources()))
    except BdfmError as error:
        sys.exit(str(error))
    print(f"{TARGET}: {TARGET.stat().st_size / 1024:.0f} KiB")
